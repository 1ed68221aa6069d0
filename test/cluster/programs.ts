// The control plane's programs as child processes: started with a log and a pid file, waited for, ended with this
// process or by the next run. What is started, and with which flags, is in harness.ts.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endProcess, processInfo } from '../../src/sandbox/processes.ts'
import { removeGroups } from './kubelet/cgroups.ts'

export type Running = { readonly name: string; readonly child: ChildProcess; end(): Promise<void> }

/** A process whose output goes to `<folder>/<name>.log`; it dies with this one. */
export function start(of: { bin: string; name: string; folder: string; flags: readonly string[] }): Running {
  const out = openSync(join(of.folder, `${of.name}.log`), 'a', 0o600)
  const child = spawn(of.bin, of.flags, {
    stdio: ['ignore', out, out],
    // Ctrl-C must not reach it before this process ends it in order.
    detached: true,
    env: { PATH: process.env.PATH, HOME: of.folder },
  })
  const exited = new Promise<void>(done => {
    child.once('exit', () => done())
    child.once('error', () => done())
  })
  mkdirSync(join(of.folder, 'pids'), { recursive: true })
  if (child.pid) writeFileSync(join(of.folder, 'pids', String(child.pid)), of.name)
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  return {
    name: of.name,
    child,
    async end() {
      process.removeListener('exit', kill)
      if (child.pid && child.exitCode === null && child.signalCode === null)
        await endProcess(child.pid, exited, 3000)
    },
  }
}

/** Asks until it answers something true; throws when the program has ended or two minutes have passed. */
export async function until<T>(program: Running, what: string, look: () => Promise<T>): Promise<T> {
  const end = performance.now() + 120_000
  for (;;) {
    const found = await look().catch(() => undefined)
    if (found) return found
    const { exitCode, signalCode } = program.child
    if (exitCode !== null || signalCode !== null)
      throw new Error(`${program.name} ended (${exitCode ?? signalCode}) before there was ${what}`)
    if (performance.now() > end) throw new Error(`${program.name}: no ${what} within two minutes`)
    await sleep(20)
  }
}

/** The status of a GET whose certificate nobody signed. */
export async function httpsStatus(url: string): Promise<number> {
  const call = request(url, { rejectUnauthorized: false, agent: false, timeout: 1000 })
  call.on('timeout', () => call.destroy(new Error('no answer')))
  call.end()
  const [response] = await once(call, 'response')
  response.resume()
  return response.statusCode
}

export const lastLines = (folder: string): string =>
  readdirSync(folder)
    .filter(name => name.endsWith('.log'))
    .map(
      name =>
        `--- ${name}\n${readFileSync(join(folder, name), 'utf8').trim().split('\n').slice(-8).join('\n')}`,
    )
    .join('\n')

/** Ends what a killed run left behind: the processes that its folder names and that still name its folder. */
export async function endLeftOvers(prefix: string): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter(one => one.startsWith(prefix))) {
    const folder = join(tmpdir(), name)
    const owner = Number(read(join(folder, 'owner')))
    if (!owner || (await processInfo(owner))) continue
    for (const pid of readAll(join(folder, 'pids')).map(Number)) {
      if ((await processInfo(pid))?.command.includes(folder)) await endProcess(pid)
    }
    const etcd = JSON.parse(read(join(folder, 'etcd.pid')) || '{}') as { pid?: number }
    if (etcd.pid && (await processInfo(etcd.pid))?.command.includes(folder)) await endProcess(etcd.pid)
    await removeGroups(folder)
    rmSync(folder, { recursive: true, force: true })
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // another run removes its own folder meanwhile
  }
}

function readAll(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
