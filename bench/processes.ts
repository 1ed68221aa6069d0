// Child processes that are timed: start, wait for a sign, read their memory, end. `node` is the one that runs this.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { monotonic } from './monotonic.ts'
import type { Cost } from './record-cost.ts'
import type { Module } from './record-modules.ts'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
/** The installed command: it finds the sources of a checkout. */
export const gkube = here('../bin/gkube.js')
export const recorder = here('record-modules.ts')
const costRecorder = here('record-cost.ts')
/**
 * Preloaded into both processes whose memory is compared: SIGUSR2 collects garbage, so that what is compared is what
 * they hold. No file: a TypeScript one would load Node's type stripper into both.
 */
export const collecting = [
  '--expose-gc',
  '--import',
  'data:text/javascript,process.on("SIGUSR2",()=>{gc();gc()})',
] as const

export type Running = { readonly child: ChildProcess; readonly started: number; stop(): Promise<void> }

/** Starts `node <args>`; its warnings and errors go to stderr of this process. `core`: on this one only (taskset). */
export function startNode(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  { core, costs = false }: { readonly core?: string | undefined; readonly costs?: boolean } = {},
): Running {
  const started = monotonic()
  const node = [process.execPath, ...(costs ? ['--import', costRecorder] : []), ...args]
  const [command = '', ...rest] = core === undefined ? node : ['taskset', '-c', core, ...node]
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'inherit', ...(costs ? (['ipc'] as const) : [])],
    env: { ...process.env, ...env },
  })
  const ended = once(child, 'exit')
  return {
    child,
    started,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** Milliseconds from the start of the process to its first output. */
export async function firstOutput({ child, started }: Running): Promise<number> {
  await Promise.race([
    once(child.stdout as NonNullable<typeof child.stdout>, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('it ended without a word'))),
  ])
  return monotonic() - started
}

/** What a process that was started with `costs` took since this was asked last. */
export async function costOf({ child }: Running): Promise<Cost> {
  const answer = once(child, 'message', { signal: AbortSignal.timeout(10_000) })
  child.send('cost')
  const [cost] = await answer
  return cost
}

/** Runs `node <args>` to its end; milliseconds. Throws unless it ends with 0. */
export async function timeToEnd(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<number> {
  const started = monotonic()
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`node ${args.join(' ')} ended with ${code}`)
  return monotonic() - started
}

/** What a process holds in RAM, in MB. */
export function residentMb(pid: number): number {
  const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
  const kib = Number(stdout.trim())
  if (!(kib > 0)) throw new Error(`ps knows no memory of process ${pid}`)
  return kib / 1024
}

/** The modules that `node <args>` loads until `sign` resolves (or it ends by itself). */
export async function modulesOf(
  args: readonly string[],
  options: { folder: string; env?: NodeJS.ProcessEnv; sign?: () => Promise<unknown> },
): Promise<Module[]> {
  const file = join(options.folder, 'modules.json')
  const running = startNode(['--import', recorder, ...args], { ...options.env, BENCH_MODULES: file })
  running.child.stdout?.resume()
  if (options.sign) {
    await options.sign()
    await running.stop()
  } else if (running.child.exitCode === null) await once(running.child, 'exit')
  return JSON.parse(readFileSync(file, 'utf8'))
}
