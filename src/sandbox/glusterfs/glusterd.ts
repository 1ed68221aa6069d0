// A real glusterd of the sandbox's own, on loopback, with its data in one folder: for a laptop and for tests, as root.
// GlusterFS has one daemon a machine (port 24007, /run/gluster), so where one runs already this one does not start.
// Where it cannot, directory-pool.ts stands in.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { UserError } from '../../errors.ts'
import { endProcess } from '../processes.ts'

export type Glusterd = {
  /** The name that bricks are on; it leads to a loopback address. */
  readonly host: string
  /** For bricks: `host:<bricks>/…`. */
  readonly bricks: string
  /** Runs `gluster` with these arguments: what it prints. */
  gluster(...args: readonly string[]): Promise<string>
  /** Makes and starts a volume of one replica set (one brick: no copies). */
  makeVolume(name: string, replica: number): Promise<void>
  /** Mounts a volume by FUSE on a folder, which is made. */
  mount(volume: string, folder: string): Promise<void>
  unmount(folder: string): Promise<void>
  /** Process ids of the bricks below a folder's path: what a test kills. */
  brickPids(path: string): readonly number[]
  /** Ends the daemon alone (bricks and mounts go on), and starts it again. */
  down(): Promise<void>
  up(): Promise<void>
  /** Ends all of it and unmounts what it mounted; safe to call twice. */
  stop(): Promise<void>
}

const port = 24007
const socket = '/var/run/glusterd.socket'
/** In the environment of each of its processes, by which they are found again. */
const marker = 'GKUBE_SANDBOX_GLUSTERFS'
const run = promisify(execFile)
const path = '/usr/sbin:/usr/bin:/sbin:/bin'

/** Why no glusterd can be started here, as a sentence's end; null: it can. */
export async function whyNoGlusterd(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'only root can run GlusterFS and mount it'
  for (const program of ['/usr/sbin/glusterd', '/usr/sbin/gluster', '/usr/sbin/glusterfs'])
    if (!isExecutable(program)) return 'GlusterFS is not installed (Debian: apt-get install glusterfs-server)'
  if (!existsSync('/dev/fuse')) return 'there is no /dev/fuse'
  if ((await loopbackName()) === null)
    return `no name of this machine leads to a loopback address: GlusterFS takes no brick on localhost. A line such as "127.0.0.1 ${hostname()}" in /etc/hosts would do`
  if (!(await isFree(port))) return `a glusterd runs here already (port ${port} is taken)`
  return null
}

/** Starts it on `dataDir`; what a killed sandbox left of an earlier one is ended first. UserError where it cannot be. */
export async function startGlusterd(options: { readonly dataDir: string }): Promise<Glusterd> {
  const dataDir = resolve(options.dataDir)
  const mark = join(dataDir, 'marker')
  if (existsSync(mark)) await endAll(readFileSync(mark, 'utf8'), dataDir)
  const why = await whyNoGlusterd()
  const found = await loopbackName()
  if (why || !found) throw new UserError('unavailable', `No glusterd was started: ${why ?? 'no name'}.`)
  const { host, address } = found
  const bricks = join(dataDir, 'bricks')
  for (const folder of [join(dataDir, 'work'), join(dataDir, 'log'), bricks])
    mkdirSync(folder, { recursive: true, mode: 0o755 })
  const id = `${marker}=${randomUUID()}`
  writeFileSync(mark, id)
  const volfile = join(dataDir, 'glusterd.vol')
  writeFileSync(volfile, volfileText(join(dataDir, 'work'), address))
  const env = { PATH: path, LC_ALL: 'C', [marker]: id.slice(marker.length + 1) }
  const before = new Set([...glusterMounts(), ...runFiles()])

  let daemon: ChildProcess | undefined
  const up = async (): Promise<void> => {
    const out = openSync(join(dataDir, 'log', 'out.log'), 'a', 0o600)
    const child = spawn(
      'glusterd',
      [
        '-N',
        '-f',
        volfile,
        '-l',
        join(dataDir, 'log', 'glusterd.log'),
        '-p',
        join(dataDir, 'glusterd.pid'),
        '-L',
        'WARNING',
      ],
      { env, stdio: ['ignore', out, out], detached: true },
    )
    daemon = child
    await once(child, 'spawn')
    await answering(child, gluster, join(dataDir, 'log', 'glusterd.log'))
  }
  const down = async (): Promise<void> => {
    if (daemon?.pid && daemon.exitCode === null && daemon.signalCode === null)
      await endProcess(
        daemon.pid,
        once(daemon, 'exit').then(() => undefined),
      )
    daemon = undefined
  }
  const gluster: Glusterd['gluster'] = async (...args) =>
    (await run('gluster', ['--mode=script', ...args], { env, timeout: 60_000 })).stdout
  const unmount: Glusterd['unmount'] = async folder => {
    await run('umount', ['-l', folder], { env, timeout: 20_000 })
  }
  const killOnExit = () => daemon?.kill('SIGKILL')
  process.once('exit', killOnExit)
  await up().catch(async error => {
    await endAll(id, dataDir)
    throw error
  })
  return {
    host,
    bricks,
    gluster,
    makeVolume: async (name, replica) => {
      const all = Array.from({ length: replica }, (_, i) => `${host}:${join(bricks, `${name}-${i}`)}`)
      const copies = replica > 1 ? ['replica', String(replica)] : []
      // force: all copies are on one machine, and often on its root disk.
      await gluster('volume', 'create', name, ...copies, ...all, 'force')
      await gluster('volume', 'start', name)
    },
    mount: async (volume, folder) => {
      mkdirSync(folder, { recursive: true })
      const log = join(dataDir, 'log', `mount-${randomUUID().slice(0, 8)}.log`)
      await run('mount', ['-t', 'glusterfs', '-o', `log-file=${log}`, `${host}:/${volume}`, folder], {
        env,
        timeout: 30_000,
      })
    },
    unmount,
    brickPids: part =>
      pidsOf(id).filter(pid => processText(pid, 'cmdline').includes(`\0--brick-name\0${part}`)),
    down,
    up,
    stop: async () => {
      process.removeListener('exit', killOnExit)
      await down()
      await endAll(id, dataDir, before)
    },
  }
}

/** Listens on one address only; everything else is as the package has it. */
const volfileText = (work: string, address: string): string =>
  [
    'volume management',
    '    type mgmt/glusterd',
    `    option working-directory ${work}`,
    '    option transport-type socket',
    `    option transport.socket.bind-address ${address}`,
    `    option transport.socket.listen-port ${port}`,
    '    option transport.socket.read-fail-log off',
    '    option ping-timeout 0',
    '    option event-threads 1',
    '    option max-port 60999',
    'end-volume',
    '',
  ].join('\n')

async function answering(child: ChildProcess, gluster: Glusterd['gluster'], log: string): Promise<void> {
  const end = performance.now() + 30_000
  while (child.exitCode === null && performance.now() < end) {
    if (
      existsSync(socket) &&
      (await gluster('volume', 'list').then(
        () => true,
        () => false,
      ))
    )
      return
    await sleep(50)
  }
  const said = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').slice(-3).join('\n') : ''
  throw new UserError('unavailable', `glusterd did not start; its log (${log}) says:\n${said}`)
}

/** A name other than localhost that leads to this machine's loopback. */
async function loopbackName(): Promise<{ host: string; address: string } | null> {
  const host = hostname()
  if (/^localhost(\.|$)/.test(host)) return null
  const found = await lookup(host, { family: 4 }).catch(() => null) // no such name
  return found?.address.startsWith('127.') ? { host, address: found.address } : null
}

async function isFree(number: number): Promise<boolean> {
  const server = createServer().listen(number, '127.0.0.1')
  return new Promise(done => {
    server.once('error', () => done(false))
    server.once('listening', () => server.close(() => done(true)))
  })
}

/** Ends every process that carries the marker, then takes away what they had mounted, and their sockets. */
async function endAll(id: string, dataDir: string, before: ReadonlySet<string> = new Set()): Promise<void> {
  const pids = pidsOf(id)
  await Promise.all(pids.map(pid => endProcess(pid, undefined, 3_000)))
  for (const folder of glusterMounts())
    if (folder.startsWith(`${dataDir}/`) || (folder.startsWith('/run/gluster/') && !before.has(folder)))
      await run('umount', ['-l', folder], { timeout: 20_000 })
  for (const file of runFiles()) if (!before.has(file)) rmSync(file, { force: true })
  rmSync(join(dataDir, 'marker'), { force: true })
}

/** Sockets and pid files, which each start names anew. */
const runFiles = (): string[] => [
  ...(existsSync(socket) ? [socket] : []),
  ...['/run/gluster', ...foldersIn('/run/gluster/vols')].flatMap(folder =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter(name => /\.(socket|pid)$/.test(name))
          .map(name => join(folder, name))
      : [],
  ),
]
const foldersIn = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).map(name => join(folder, name)) : []

const pidsOf = (id: string): number[] =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => pid !== process.pid && processText(pid, 'environ').split('\0').includes(id))

/** Empty: it is gone, or a zombie. */
function processText(pid: number, file: 'environ' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return '' // it ended meanwhile
  }
}

const glusterMounts = (): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(line => line.includes(' - fuse.glusterfs '))
    .map(line => line.split(' ')[4] ?? '')

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
