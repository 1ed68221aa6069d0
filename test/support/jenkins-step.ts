// An 'Execute shell' step as Jenkins runs it: `sh -xe` on a file, its variables and little else, no terminal, one
// stream for all output; on abort TERM to each process of the tree, children first, and KILL after five seconds.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll } from 'vitest'

const softKillMs = 5_000
const folders: string[] = []
const running = new Set<number>()
afterAll(() => {
  for (const pid of running) for (const one of treeOf(pid)) kill(one, 'SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

export type Variables = Readonly<Record<string, string | undefined>>

export type Step = {
  /** Everything it wrote so far. */
  console(): string
  /** Once the console holds it. */
  said(sign: string): Promise<void>
  /** The exit code of the shell, or what ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** As Jenkins does it; how long it took, and the processes that had to be killed. */
  abort(): Promise<{ ms: number; killed: readonly string[] }>
}

/** A workspace of a job. */
export function workspace(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'jenkins-workspace-'))
  folders.push(folder)
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

/** What Jenkins sets for a build of that job; `over` adds to it, or takes away what is undefined. */
export function variablesOf(job: string, number: number, over: Variables = {}): Record<string, string> {
  const all: Variables = {
    CI: 'true',
    HOME: tmpdir(),
    HUDSON_COOKIE: 'b6f2b7e8-0000-4000-8000-1f5a3f1c0d7e',
    JENKINS_SERVER_COOKIE: 'a1b2c3d4e5f60718',
    JENKINS_URL: 'https://ci.example.com/',
    JOB_NAME: job,
    JOB_BASE_NAME: job.split('/').at(-1),
    JOB_URL: `https://ci.example.com/job/${job.split('/').join('/job/')}/`,
    BUILD_NUMBER: String(number),
    BUILD_ID: String(number),
    BUILD_DISPLAY_NAME: `#${number}`,
    BUILD_TAG: `jenkins-${job.replaceAll('/', '-')}-${number}`,
    BUILD_URL: `https://ci.example.com/job/${job.split('/').join('/job/')}/${number}/`,
    EXECUTOR_NUMBER: '0',
    NODE_NAME: 'built-in',
    GIT_BRANCH: 'origin/main',
    GIT_URL: 'https://git.example.com/shop/web.git',
    ...over,
  }
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

export function runStep(script: string, { cwd, env }: { cwd: string; env: Record<string, string> }): Step {
  const file = join(workspace(), `jenkins${Date.now()}.sh`)
  writeFileSync(file, script)
  // A process group of its own, as a child of the agent has it; Jenkins finds its processes by the tree.
  const child = spawn('/bin/sh', ['-xe', file], {
    cwd,
    env: { ...env, WORKSPACE: cwd },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const pid = child.pid ?? 0
  running.add(pid)
  let console = ''
  let wake = Promise.withResolvers<void>()
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      console += chunk
      wake.resolve()
      wake = Promise.withResolvers()
    })
  let over = false
  const ended = new Promise<number | NodeJS.Signals>(resolve => {
    child.on('close', (code, signal) => {
      over = true
      running.delete(pid)
      wake.resolve()
      resolve(code ?? signal ?? -1)
    })
  })
  return {
    console: () => console,
    ended,
    said: async sign => {
      while (!console.includes(sign)) {
        if (over) throw new Error(`it ended without saying ${sign}:\n${console}`)
        await wake.promise
      }
    },
    abort: async () => {
      const begun = performance.now()
      const killed: string[] = []
      for (const one of treeOf(pid)) if (!(await endOne(one))) killed.push(nameOf(one))
      await ended
      return { ms: performance.now() - begun, killed }
    },
  }
}

/** Whether it went by itself. */
async function endOne(pid: number): Promise<boolean> {
  const end = performance.now() + softKillMs
  kill(pid, 'SIGTERM')
  while (performance.now() < end) {
    if (!isThere(pid)) return true
    await delay(20)
  }
  kill(pid, 'SIGKILL')
  return false
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** A process and all below it, the deepest first. */
function treeOf(pid: number): number[] {
  const children = readdirSync('/proc')
    .map(Number)
    .filter(one => one > 0 && statOf(one)?.parent === pid)
  return [...children.flatMap(treeOf), pid]
}

const isThere = (pid: number): boolean => ![undefined, 'Z'].includes(statOf(pid)?.state)

function statOf(pid: number): { state: string; parent: number } | undefined {
  try {
    const [, state = '', parent] = /\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return { state, parent: Number(parent) }
  } catch {
    // It ended between the listing and the look.
    return undefined
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return String(pid)
  }
}
