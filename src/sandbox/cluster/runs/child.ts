// One container that runs: a child process that leads a group of its own, so that all it started ends with it, as in a
// container. Its pid lies in a file: what a killed sandbox left behind is found and ended at the next start.
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Output } from './output.ts'

/** In the environment of each of them, with the folder of the sandbox that they are of. */
export const marker = 'GKUBE_SANDBOX_RUN'

export type End = { readonly code: number; readonly reason: 'Completed' | 'Error' }

export type Child = {
  /** Undefined while it runs. */
  end(): End | undefined
  /** To the whole group. */
  signal(name: 'SIGTERM' | 'SIGKILL'): void
}

type Start = {
  readonly argv: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly output: Output
  readonly pidFile: string
  readonly ended: () => void
}

const signals: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGKILL: 9,
  SIGPIPE: 13,
  SIGTERM: 15,
}

/** A program that is not there ends with 127, as a shell says it. */
export function startChild({ argv, cwd, env, output, pidFile, ended }: Start): Child {
  let end: End | undefined
  const over = (code: number): void => {
    if (end) return
    end = { code, reason: code === 0 ? 'Completed' : 'Error' }
    rmSync(pidFile, { force: true })
    ended()
  }
  const [program = '', ...args] = argv
  let child: ChildProcess
  try {
    child = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    // Such as a NUL byte in an argument.
    output.add(`gkube sandbox: ${(error as Error).message}`)
    queueMicrotask(() => over(126))
    return { end: () => end, signal: () => undefined }
  }
  const { pid, stdout, stderr } = child
  if (pid !== undefined) writeFileSync(pidFile, String(pid))
  for (const stream of [stdout, stderr]) if (stream) output.take(stream)
  child.once('error', (error: NodeJS.ErrnoException) => {
    if (pid !== undefined) return // A signal that could not be sent: `close` tells the end.
    const missing = error.code === 'ENOENT'
    output.add(`${program}: ${missing ? 'not found' : error.message}`)
    over(missing ? 127 : 126)
  })
  // Like a container: with its first process all others end. They may hold the pipes, so before `close`.
  child.once('exit', () => signalGroup(pid, 'SIGKILL'))
  child.once('close', (code, signal) => {
    if (pid !== undefined) over(code ?? 128 + (signals[signal ?? ''] ?? 0))
  })
  return {
    end: () => end,
    signal: name => {
      if (!end) signalGroup(pid, name)
    },
  }
}

function signalGroup(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // ESRCH: all of it has ended
  }
}

/** Ends what an earlier sandbox of the same folder left running; `pids` is where its pid files lie. */
export function endLeftOver(pids: string, folder: string): void {
  for (const name of readdirSync(pids)) {
    const pid = Number(readFileSync(join(pids, name), 'utf8'))
    if (pid > 1 && isOurs(pid, folder)) signalGroup(pid, 'SIGKILL')
  }
}

/** The number may be another program's by now. Where nothing tells (no /proc), it is left alone. */
function isOurs(pid: number, folder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`${marker}=${folder}`)
  } catch {
    return false // it ended, or there is no /proc
  }
}
