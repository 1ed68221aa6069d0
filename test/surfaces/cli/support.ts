// The command line against a real HTTP server on the memory core: in this process with streams that are looked at
// (fast, for what is said), or as a child process (for signals, pipes and what is loaded).
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import type { Local } from '../../../src/surfaces/cli/cli.ts'
import { runCli } from '../../../src/surfaces/cli/run-cli.ts'
import { tokens } from '../support.ts'

/** A folder of this test file, gone at its end. */
export const folder = mkdtempSync(join(tmpdir(), 'gkube-cli-'))
const children = new Set<ChildProcess>()
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

export type Result = { code: number; out: string; err: string }
export type How = {
  env?: Record<string, string | undefined>
  stdin?: string
  tty?: boolean
  columns?: number
  signal?: AbortSignal
  local?: Partial<Local>
  /** Hears each piece of stdout as it is written. */
  heard?: (text: string) => void
}

const notHere = () => Promise.reject(new Error('not in this test'))

/** Collects what is heard; `said` resolves once a sign was in it. */
export function listener() {
  let all = ''
  let wake = Promise.withResolvers<void>()
  return {
    heard: (text: string) => {
      all += text
      wake.resolve()
      wake = Promise.withResolvers()
    },
    said: async (sign: string) => {
      while (!all.includes(sign)) await wake.promise
    },
  }
}

/** Commands against the server at `url`, in this process. */
export function cliAt(url: string) {
  return async (line: string | readonly string[], how: How = {}): Promise<Result> => {
    const stdout = Object.assign(new PassThrough(), { isTTY: how.tty, columns: how.columns })
    const stderr = new PassThrough()
    const stdin = Object.assign(Readable.from(how.stdin === undefined ? [] : [how.stdin]), { isTTY: how.tty })
    const written = [text(stdout), text(stderr)] as const
    if (how.heard) stdout.on('data', chunk => how.heard?.(String(chunk)))
    const code = await runCli(typeof line === 'string' ? line.split(' ') : line, {
      env: { GKUBE_URL: url, GKUBE_TOKEN: tokens.admin, HOME: folder, NO_COLOR: '1', ...how.env },
      cwd: folder,
      stdin,
      stdout,
      stderr,
      signal: how.signal ?? new AbortController().signal,
      version: '9.9.9',
      local: {
        serve: notHere,
        sandbox: notHere,
        configCheck: notHere,
        configSchema: notHere,
        appSchema: notHere,
        rbac: notHere,
        publish: notHere,
        ...how.local,
      },
    })
    stdout.end()
    stderr.end()
    const [out, err] = await Promise.all(written)
    return { code, out, err }
  }
}

export const binary = fileURLToPath(new URL('../../../bin/gkube.js', import.meta.url))

/** The same as a child process; `started` resolves with everything it wrote once it said `sign`. */
export function spawnCli(
  args: readonly string[],
  options: { url?: string; env?: Record<string, string>; node?: readonly string[] } = {},
) {
  const child = spawn(process.execPath, [...(options.node ?? []), binary, ...args], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      // One compile cache for all tests of a machine's user would be shared state; one a file is enough.
      XDG_CACHE_HOME: join(folder, 'cache'),
      ...(options.url ? { GKUBE_URL: options.url, GKUBE_TOKEN: tokens.admin } : {}),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  let out = ''
  let err = ''
  const listeners = new Set<() => void>()
  const heard = () => {
    for (const listener of listeners) listener()
  }
  child.stdout.on('data', chunk => {
    out += chunk
    heard()
  })
  child.stderr.on('data', chunk => {
    err += chunk
    heard()
  })
  const exited = new Promise<Result & { signal: NodeJS.Signals | null }>(resolve => {
    child.on('close', (code, signal) => {
      children.delete(child)
      resolve({ code: code ?? -1, signal, out, err })
    })
  })
  return {
    child,
    exited,
    said: (sign: string) =>
      new Promise<void>(resolve => {
        const look = () => {
          if (!`${out}${err}`.includes(sign)) return
          listeners.delete(look)
          resolve()
        }
        listeners.add(look)
        look()
      }),
  }
}
