// Looks at and ends a process by its pid, on Linux (/proc) and elsewhere (ps).
// For what the sandbox started itself; it never searches by name.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The parent's pid and the command line (arguments joined by blanks, one at the end); null when it is gone. */
export async function processInfo(pid: number): Promise<{ parent: number; command: string } | null> {
  if (process.platform === 'linux') return fromProc(pid).catch(() => null)
  const { stdout } = await run('ps', ['-o', 'ppid=,command=', '-p', String(pid)], { timeout: 2000 }).catch(
    () => ({ stdout: '' }), // ps ends with 1 when there is no such process
  )
  const [, parent, command] = /^\s*(\d+)\s+(.*)/.exec(stdout) ?? []
  return parent && command ? { parent: Number(parent), command: `${command} ` } : null
}

async function fromProc(pid: number): Promise<{ parent: number; command: string } | null> {
  const [stat, cmdline] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/cmdline`, 'utf8'),
  ])
  // After the name in parentheses (which may hold blanks): state, then the parent.
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return state === 'Z' ? null : { parent: Number(parent), command: cmdline.replaceAll('\0', ' ') }
}

/** SIGTERM, then SIGKILL after `graceMs`; waits until it is gone (`exited` when it is our child). */
export async function endProcess(pid: number, exited?: Promise<void>, graceMs = 5000): Promise<void> {
  signal(pid, 'SIGTERM')
  // A stopped process would only see SIGTERM when it goes on.
  signal(pid, 'SIGCONT')
  const gone = exited ?? untilGone(pid, graceMs + 5000)
  const inTime = await Promise.race([gone.then(() => true), sleep(graceMs, false, { ref: false })])
  if (inTime) return
  signal(pid, 'SIGKILL')
  await gone
}

async function untilGone(pid: number, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs
  while ((await processInfo(pid)) !== null) {
    if (performance.now() > end) throw new Error(`process ${pid} does not end`)
    await sleep(20)
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // ESRCH: gone already
  }
}
