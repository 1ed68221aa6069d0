// `npm start` as a person runs it, on free ports and in a folder of its own; it ends with the test file.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll } from 'vitest'

const running: (() => Promise<unknown>)[] = []
const folders = new Set<string>()
afterAll(async () => {
  await Promise.all(running.map(stop => stop()))
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

export type Sandbox = {
  /** Of the workspace, with a slash at its end. */
  readonly page: string
  /** The port by which what is deployed is reached. */
  readonly web: number
  /** Where it runs: a command line there finds it. */
  readonly folder: string
  /** Ctrl-C; the exit code. */
  stop(): Promise<number | null>
  /** As a crash of the whole machine's software would. */
  kill(): Promise<void>
  /** The same data, after a stop. */
  again(): Promise<Sandbox>
}

/** `more`: further options of `gkube sandbox`. */
export async function startSandbox(
  folder = mkdtempSync(join(tmpdir(), 'gkube-browser-')),
  more: readonly string[] = [],
): Promise<Sandbox> {
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      resolve('src/main.ts'),
      'sandbox',
      '--port',
      '0',
      '--slack-port',
      '0',
      '--jenkins-port',
      '0',
      '--web-port',
      '0',
      // A real one is one a machine, and the slow suite's.
      '--glusterfs',
      'directory',
      ...more,
    ],
    { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = once(child, 'exit') as Promise<[number | null]>
  const stop = async () => {
    child.kill('SIGINT')
    const [code] = await ended
    return code
  }
  running.push(stop)
  folders.add(folder)
  const [page, web] = await new Promise<[string, number]>((found, failed) => {
    let page = ''
    createInterface(child.stdout).on('line', line => {
      page ||= /ready: open (\S+)/.exec(line)?.[1] ?? ''
      const [, port] = /^ {2}web .*:(\d+)$/.exec(line) ?? []
      if (port) found([page, Number(port)])
    })
    ended.then(([code]) => failed(new Error(`the sandbox ended with ${code}`)), failed)
  })
  return {
    page,
    web,
    folder,
    stop,
    again: () => startSandbox(folder),
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
