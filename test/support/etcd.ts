// A real etcd for tests: one process for a test file, a root prefix of its own for each store made on it.
// It ends with the file (or with the worker, whatever happens). The cutting proxy before it is in proxy.ts.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { etcdKv } from '../../src/adapters/etcd/kv.ts'
import { type EtcdProcess, startEtcd } from '../../src/sandbox/etcd.ts'

type KvOptions = Partial<Parameters<typeof etcdKv>[0]>
export type TestKv = ReturnType<typeof etcdKv> & { readonly root: string }

export type TestEtcd = {
  readonly endpoint: string
  readonly port: number
  readonly pid: number
  /** A root prefix that no other call gets, such as `/t/7/`. */
  root(): string
  /** A store with a root of its own, closed at the end of the file; `options` override the configuration. */
  kv(options?: KvOptions): TestKv
  /** SIGSTOP: takes connections and never answers. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** Ends etcd (SIGKILL) or starts it again on the same port and data. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Removes its data; only while it is stopped. */
  wipe(): void
}

let shared: Promise<TestEtcd> | undefined
let rootNumber = 0
const cleanups: (() => Promise<void>)[] = []

// Registered while the test file imports this one, so it belongs to that file.
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  shared = undefined
})

/** The etcd of this test file, started at the first call. */
export function testEtcd(): Promise<TestEtcd> {
  shared ??= startTestEtcd()
  return shared
}

/** A store on this file's etcd with a root prefix of its own. */
export async function testKv(options: KvOptions = {}): Promise<TestKv> {
  return (await testEtcd()).kv(options)
}

/** An etcd of its own: for tests that stop or hurt it. `flags` are etcd's. */
export async function startTestEtcd(flags: readonly string[] = []): Promise<TestEtcd> {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-etcd-'))
  const quiet = { info: () => undefined, warn: () => undefined }
  const launch = (clientPort: number) =>
    startEtcd({
      dataDir: join(folder, 'data'),
      clientPort,
      log: quiet,
      // Tests do not survive a power cut, and fsync of several files at once is slow.
      flags: ['--unsafe-no-fsync', ...flags],
    })
  let running: EtcdProcess = await launch(0)
  const { endpoint } = running
  const port = Number(new URL(endpoint).port)
  const kvs: TestKv[] = []
  cleanups.push(async () => {
    await Promise.all(kvs.map(kv => kv.close()))
    await running.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  const root = () => `/t/${++rootNumber}/`
  return {
    endpoint,
    port,
    get pid() {
      return running.pid
    },
    root,
    kv: (options = {}) => {
      const own = options.root ?? root()
      const kv = { ...etcdKv({ endpoints: [endpoint], ...options, root: own }), root: own }
      kvs.push(kv)
      return kv
    },
    pause: () => void process.kill(running.pid, 'SIGSTOP'),
    resume: () => void process.kill(running.pid, 'SIGCONT'),
    stop: async () => {
      process.kill(running.pid, 'SIGKILL')
      await running.exited
    },
    start: async () => {
      running = await launch(port)
    },
    wipe: () => rmSync(join(folder, 'data'), { recursive: true, force: true }),
  }
}
