// The 'Execute shell' step: really runs `/bin/sh -xe` as Jenkins does, in a process group of its own, without a TTY.
// Aborted: SIGTERM to the group, SIGKILL 5 s later. Jenkins finds descendants by a cookie in their environment; here a
// process that leaves the group (setsid) is not found.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type ShellRun = {
  readonly script: string
  readonly environment: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** Real milliseconds between SIGTERM and SIGKILL. */
  readonly killAfter: number
  readonly write: (bytes: Buffer | string) => void
}

/** Of output after the shell has ended: what it left in the background may hold the pipes. */
const lingerMs = 3000

/** The exit code; 128 + n after a signal, as shells have it. */
export async function runShell({ script, environment, signal, killAfter, write }: ShellRun): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'jenkins-'))
  const file = join(folder, 'step.sh')
  const workspace = mkdtempSync(join(folder, 'workspace-'))
  writeFileSync(file, script, { mode: 0o700 })
  write(`[${environment.JOB_BASE_NAME}] $ /bin/sh -xe ${file}\n`)
  try {
    return await new Promise<number>((resolve, reject) => {
      // One stream, as in Jenkins: what -x writes stands before what the command says.
      const child = spawn('/bin/sh', ['-c', 'exec /bin/sh -xe "$0" 2>&1', file], {
        cwd: workspace,
        // Its own, and nothing of who started the sandbox.
        env: {
          PATH: process.env.PATH,
          HOME: workspace,
          LANG: 'C.UTF-8',
          ...environment,
          WORKSPACE: workspace,
        },
        detached: true,
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      child.stdout.on('data', write)
      const group = (name: NodeJS.Signals) => {
        try {
          if (child.pid !== undefined) process.kill(-child.pid, name)
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // ESRCH: gone already
        }
      }
      let killing: NodeJS.Timeout | undefined
      const abort = () => {
        group('SIGTERM')
        killing = setTimeout(() => group('SIGKILL'), killAfter)
      }
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
      let lingering: NodeJS.Timeout | undefined
      let code = 0
      const done = () => {
        clearTimeout(lingering)
        clearTimeout(killing)
        // What did not heed SIGTERM in the shell's group goes with the step.
        if (signal.aborted) group('SIGKILL')
        signal.removeEventListener('abort', abort)
        resolve(code)
      }
      child.once('error', reject)
      child.once('exit', (status, name) => {
        code = status ?? 128 + (name === 'SIGKILL' ? 9 : 15)
        lingering = setTimeout(done, lingerMs)
      })
      child.once('close', done)
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

type Facts = {
  readonly job: string
  readonly number: number
  readonly commit: string
  readonly branch: string
  readonly previousCommit: string | null
  readonly remote: string
  /** Null: not started by a person. */
  readonly user: { readonly id: string; readonly name: string; readonly email: string } | null
  readonly root: string
  readonly jobUrl: string
  readonly parameters: readonly { readonly name: string; readonly value: string }[]
}

/** What Jenkins, its Git plugin and build-user-vars set. */
export function environmentOf(facts: Facts): Record<string, string> {
  const { job, number, user, root, jobUrl } = facts
  const base = job.slice(job.lastIndexOf('/') + 1)
  return {
    CI: 'true',
    JOB_NAME: job,
    JOB_BASE_NAME: base,
    BUILD_NUMBER: String(number),
    BUILD_ID: String(number),
    BUILD_DISPLAY_NAME: `#${number}`,
    BUILD_TAG: `jenkins-${job.replaceAll('/', '-')}-${number}`,
    EXECUTOR_NUMBER: '0',
    NODE_NAME: 'built-in',
    NODE_LABELS: 'built-in',
    JENKINS_URL: root,
    HUDSON_URL: root,
    JOB_URL: `${root}${jobUrl}`,
    BUILD_URL: `${root}${jobUrl}${number}/`,
    GIT_COMMIT: facts.commit,
    GIT_BRANCH: `origin/${facts.branch}`,
    GIT_URL: facts.remote,
    ...(facts.previousCommit ? { GIT_PREVIOUS_SUCCESSFUL_COMMIT: facts.previousCommit } : {}),
    ...(user
      ? { BUILD_USER: user.name, BUILD_USER_ID: user.id, BUILD_USER_EMAIL: user.email }
      : { BUILD_USER: 'Timer Trigger', BUILD_USER_ID: 'timer' }),
    ...Object.fromEntries(facts.parameters.map(({ name, value }) => [name, value])),
  }
}
