// Runs one program here: an argument array, never a shell; few variables; a time-out that also holds where the process
// cannot be killed; a cap on what it writes. ssh.ts runs one on another machine through this.
import { execFile } from 'node:child_process'
import { PoolError } from '../../core/volumes/pool.ts'

export type Command = {
  readonly program: string
  readonly args: readonly string[]
  /** Milliseconds; default: the pool's. */
  readonly ms?: number
}
/** `code` null: a signal ended it. */
export type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string }
export type Run = (command: Command) => Promise<Ran>

export const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** More than any answer of a pool with a thousand bricks. */
const mostOutput = 4 * 1024 * 1024

type Options = {
  readonly commandMs: number
  readonly path?: string
  /** Aborted when gkube stops: what runs is killed, and may be done again. */
  readonly signal: AbortSignal
}

/** A program of this machine. Throws PoolError `unavailable` where there is no answer; any exit code is one. */
export function localRun({ commandMs, path = usualPath, signal }: Options): Run {
  return ({ program, args, ms = commandMs }) =>
    new Promise((resolve, reject) => {
      const fail = (message: string, cause?: unknown) =>
        reject(new PoolError('unavailable', message, { cause }))
      if (signal.aborted) return fail(stopping)
      // A process that waits for a dead mount cannot even be killed: what waits for it must go on all the same.
      const timer = setTimeout(() => fail(late(program, ms)), ms + 500)
      const options = {
        env: { PATH: path, LC_ALL: 'C' },
        timeout: ms,
        killSignal: 'SIGKILL',
        maxBuffer: mostOutput,
        signal,
      } as const
      execFile(program, [...args], options, (error, stdout, stderr) => {
        clearTimeout(timer)
        const wrong = error && noAnswer(error, { program, ms })
        if (wrong) return fail(wrong, error)
        // A number is the exit code; without one a signal from elsewhere ended it.
        const { code = 0 } = (error ?? {}) as { code?: number | null }
        resolve({ code: error && typeof code !== 'number' ? null : code, stdout, stderr })
      })
    })
}

const stopping = 'gkube is stopping.'
const late = (program: string, ms: number): string =>
  `${program} gave no answer in ${Math.round(ms / 1000)} s; it may still be at it. Look at the server, its load and the network, then try again.`

/** Why there is no answer; null: it ended by itself. */
function noAnswer(error: Error, { program, ms }: { program: string; ms: number }): string | null {
  const { code, killed } = error as { code?: string | number | null; killed?: boolean }
  if (code === 'ENOENT') return missing(program)
  if (code === 'ABORT_ERR') return stopping
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
    return `${program} wrote more than ${mostOutput} bytes; that is no answer.`
  if (typeof code === 'string') return `${program} could not be started: ${error.message.slice(0, 200)}`
  return killed ? late(program, ms) : null
}

const packages: Readonly<Record<string, string>> = { gluster: 'glusterfs-cli', ssh: 'openssh-client' }
const missing = (program: string): string =>
  `${program} is not installed where gkube runs. Install it (Debian: ${packages[program] ?? 'coreutils'}), or let gkube reach a server by SSH: reach.kind in gkube.yaml.`
