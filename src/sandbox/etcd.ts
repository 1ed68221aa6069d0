// The sandbox's own etcd: a real child process with its data in a folder of its own, on 127.0.0.1 only.
// Its pid stands beside the data, so that the next start ends what a killed gkube left behind.
// One member, no TLS: for a laptop and for tests, never for production. The client is adapters/etcd/.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { accessSync, constants, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { UserError } from '../errors.ts'
import { freePort } from './free-port.ts'
import { endProcess, processInfo } from './processes.ts'

type Log = { info(facts: object, text: string): void; warn(facts: object, text: string): void }

export type EtcdProcess = {
  /** Such as `http://127.0.0.1:34567`. */
  readonly endpoint: string
  readonly pid: number
  /** Settles when etcd has ended, wanted or not. */
  readonly exited: Promise<void>
  /** Ends etcd (SIGTERM, SIGKILL after 5 s); safe to call twice. */
  stop(): Promise<void>
}

type Options = {
  /** The folder of the data; made when it is missing. `<dataDir>.pid` and `<dataDir>.log` stand beside it. */
  readonly dataDir: string
  /** 0 or nothing: a free one. */
  readonly clientPort?: number
  readonly log: Log
  /** The etcd binary; default ETCD_BIN of `env`, then the PATH. */
  readonly bin?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Further flags, such as `--unsafe-no-fsync` in tests. */
  readonly flags?: readonly string[]
  /** How long etcd may take to become healthy; default 15 s (a large data folder). */
  readonly readyMs?: number
}

/**
 * Starts etcd on `dataDir` and waits until it is healthy. An etcd that a killed gkube left on the same folder
 * is ended first; one whose gkube still runs is refused. UserError when etcd is missing or does not start.
 */
export async function startEtcd(options: Options): Promise<EtcdProcess> {
  const dataDir = resolve(options.dataDir)
  const bin = findEtcd(options.bin, options.env ?? process.env)
  await endLeftOver(dataDir, options.log)
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new UserError('bad_input', `The data folder ${dataDir} cannot be made: ${reason(cause)}`, { cause })
  }
  const attempts = options.clientPort ? 1 : 3
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch(bin, dataDir, options)
    } catch (error) {
      // Another process may take a free port between our look and etcd's bind.
      if (attempt >= attempts || !/address already in use/.test(String(error))) throw error
    }
  }
}

async function launch(bin: string, dataDir: string, options: Options): Promise<EtcdProcess> {
  const endpoint = `http://127.0.0.1:${options.clientPort || (await freePort())}`
  const peer = `http://127.0.0.1:${await freePort()}`
  const name = `gkube-${randomUUID()}`
  const logFile = `${dataDir}.log`
  // A file and not a pipe: an etcd that outlives a killed gkube must not die half way on a broken pipe.
  const out = openSync(logFile, 'w', 0o600)
  const child = spawn(bin, [...flags({ name, dataDir, endpoint, peer }), ...(options.flags ?? [])], {
    stdio: ['ignore', out, out],
    // A group of its own: Ctrl-C must reach gkube first, which then ends etcd last.
    detached: true,
    env: withoutEtcdVariables(options.env ?? process.env),
  })
  const exited = new Promise<void>(done => {
    child.once('exit', () => done())
    child.once('error', () => done())
  })
  await once(child, 'spawn').catch(cause => {
    throw new UserError('unavailable', `${bin} could not be started: ${reason(cause)}`, { cause })
  })
  const pid = child.pid as number // set once 'spawn' was emitted
  writeFileSync(`${dataDir}.pid`, JSON.stringify({ pid, parent: process.pid, endpoint }), { mode: 0o600 })
  const killOnExit = () => child.kill('SIGKILL')
  process.once('exit', killOnExit)

  let stopping = false
  const stop = async () => {
    stopping = true
    if (child.exitCode === null && child.signalCode === null) await endProcess(pid, exited)
    process.removeListener('exit', killOnExit)
    rmSync(`${dataDir}.pid`, { force: true })
  }
  const healthy = await waitHealthy({ endpoint, name, exited, limitMs: options.readyMs ?? 15_000 })
  if (!healthy) {
    await stop()
    const said = complaints(readFileSync(logFile, 'utf8'))
    throw new UserError(
      'unavailable',
      `etcd did not start on ${dataDir}; its log (${logFile}) says:\n${said}`,
    )
  }
  void exited.then(() => {
    if (!stopping) options.log.warn({ endpoint, logFile }, 'etcd ended by itself; see its log')
  })
  options.log.info({ endpoint, pid, dataDir }, 'etcd is ready')
  return { endpoint, pid, exited, stop }
}

/** One member on loopback. A short election time-out: alone, etcd waits it out at every restart (1.3 s by default). */
function flags(of: { name: string; dataDir: string; endpoint: string; peer: string }): string[] {
  const { name, dataDir, endpoint, peer } = of
  return [
    `--name=${name}`,
    `--data-dir=${dataDir}`,
    `--listen-client-urls=${endpoint}`,
    `--advertise-client-urls=${endpoint}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=${name}=${peer}`,
    '--heartbeat-interval=20',
    '--election-timeout=200',
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=1h',
    `--quota-backend-bytes=${2 * 1024 ** 3}`,
    '--logger=zap',
    '--log-level=warn',
  ]
}

/** etcd reads ETCD_* as flags: what the user set for another etcd must not configure this one. */
function withoutEtcdVariables(env: Readonly<Record<string, string | undefined>>) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('ETCD_')))
}

/** Waits for health, and that it is ours: another etcd may have been quicker to take the port. */
async function waitHealthy(of: { endpoint: string; name: string; exited: Promise<void>; limitMs: number }) {
  let gone = false
  void of.exited.then(() => {
    gone = true
  })
  const ask = async (path: string, init?: RequestInit): Promise<unknown> =>
    fetch(of.endpoint + path, { ...init, signal: AbortSignal.timeout(500) })
      .then(response => response.json())
      .catch(() => null) // not listening yet
  const end = performance.now() + of.limitMs
  while (!gone && performance.now() < end) {
    const health = (await ask('/health')) as { health?: string } | null
    if (health?.health === 'true') {
      const list = await ask('/v3/cluster/member/list', { method: 'POST', body: '{}' })
      const { members = [] } = (list ?? {}) as { members?: { name?: string }[] }
      if (members.some(member => member.name === of.name)) return true
    }
    await sleep(10)
  }
  return false
}

/** The last errors in etcd's log; they may stand before many lines of a Go stack. */
function complaints(text: string): string {
  const lines = text.trim().split('\n')
  const errors = lines.filter(line => /^panic:|"level":"(error|dpanic|panic|fatal)"/.test(line))
  return (errors.length > 0 ? errors : lines).slice(-3).join('\n')
}

/** Ends the etcd that a killed gkube left on this folder; refuses when that gkube still runs. */
async function endLeftOver(dataDir: string, log: Log): Promise<void> {
  const left = readPidFile(`${dataDir}.pid`)
  const info = left && (await processInfo(left.pid))
  // The pid may be somebody else's by now: only a process that names this folder is ours.
  if (left && info?.command.includes(`--data-dir=${dataDir} `)) {
    if (info.parent === left.parent && left.parent !== process.pid) {
      throw new UserError(
        'conflict',
        `The data folder ${dataDir} is in use by another gkube (process ${left.parent}). Stop that one, or name another folder with --data.`,
      )
    }
    log.warn({ pid: left.pid, dataDir }, 'ending the etcd that an earlier gkube left behind')
    await endProcess(left.pid)
  }
  rmSync(`${dataDir}.pid`, { force: true })
}

function readPidFile(path: string): { pid: number; parent: number } | null {
  try {
    const { pid, parent } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    return Number.isInteger(pid) && Number.isInteger(parent)
      ? { pid: Number(pid), parent: Number(parent) }
      : null
  } catch {
    return null // none, or cut off while it was written: nothing to end
  }
}

/** The path of the etcd binary; a UserError that says how to get one otherwise. */
export function findEtcd(
  named: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const wanted = named ?? env.ETCD_BIN
  if (wanted) {
    if (isExecutable(wanted)) return wanted
    throw new UserError('bad_input', `${wanted} (ETCD_BIN) is not an executable file. ${howToInstall}`)
  }
  const found = (env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map(folder => join(folder, 'etcd'))
    .find(isExecutable)
  if (found) return found
  throw new UserError('unavailable', `etcd is not installed. ${howToInstall}`)
}

const howToInstall = [
  'Install it:',
  '  Debian, Ubuntu  sudo apt-get install etcd-server',
  '  Fedora          sudo dnf install etcd',
  '  macOS           brew install etcd',
  'or name one that runs: --etcd http://127.0.0.1:2379',
].join('\n')

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const reason = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))
