// A gkube that dies at one named point after the other (src/fail-points.ts): whenever it was killed, another process is
// started in its place, on the same address, as a Kubernetes Deployment would. The process is replica-child.ts.
import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'

const token = 'a-bootstrap-token-of-this-test-only-0123456789'
const program = fileURLToPath(new URL('replica-child.ts', import.meta.url))
const children = new Set<ChildProcess>()
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
})

export type Mortal = {
  /** Names of points in the order they will be passed; the next is armed when the one before has killed. */
  dieAt(points: readonly string[]): void
  /** Points that have killed nobody yet. */
  left(): readonly string[]
  deaths(): number
  /** Asks until it is answered: between two processes nobody is there. Throws after a minute, and where it is refused. */
  call<T>(method: string, path: string, body?: unknown): Promise<T>
  stop(): Promise<void>
}

type Options = {
  readonly configFile: string
  /** Of `listen` there. */
  readonly port: number
  /** Where points are armed; made where it is not there. */
  readonly points: string
  /** In the place of every pool. */
  readonly pools: string
  /** What the processes have to say. */
  readonly log: string
  readonly env?: Readonly<Record<string, string>>
}

export async function startMortal(options: Options): Promise<Mortal> {
  const { configFile, port, points, pools } = options
  const queue: string[] = []
  let deaths = 0
  let failure: string | null = null
  let stopping = false
  let child: ChildProcess | undefined
  mkdirSync(points, { recursive: true })
  const log = openSync(options.log, 'a')

  function arm(): void {
    if (queue[0] !== undefined) writeFileSync(join(points, queue[0]), '')
  }

  function start(): void {
    const one = fork(program, [configFile, points, pools], {
      env: { ...process.env, ...options.env, GKUBE_BOOTSTRAP_TOKEN: token },
      stdio: ['ignore', 'ignore', log, 'ipc'],
    })
    child = one
    children.add(one)
    one.once('exit', (code, signal) => {
      children.delete(one)
      if (stopping) return
      const armed = queue[0]
      if (signal !== 'SIGKILL' || armed === undefined || existsSync(join(points, armed))) {
        const said = readFileSync(options.log, 'utf8').slice(-2_000)
        failure = `a replica ended with ${signal ?? code}, and no point had killed it: ${said}`
        return
      }
      deaths++
      queue.shift()
      arm()
      start()
    })
  }

  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    let last: unknown
    for (const end = Date.now() + 60_000; Date.now() < end; await wait(50)) {
      if (failure) throw new Error(failure)
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          connection: 'close',
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(10_000),
      }).then(
        async one => ({ status: one.status, text: await one.text() }),
        // It died, or the next one does not listen yet.
        error => ({ status: 503, text: String(error) }),
      )
      last = `${answer.status} ${answer.text}`
      if (answer.status >= 500 || answer.status === 429) continue
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${last}`)
      return JSON.parse(answer.text) as T
    }
    throw new Error(`${method} ${path} was not answered for a minute: ${last}`)
  }

  start()
  return {
    dieAt(names) {
      if (queue.length > 0) throw new Error(`nobody died at ${queue.join(', ')} yet`)
      queue.push(...names)
      arm()
    },
    left: () => [...queue],
    deaths: () => deaths,
    call,
    async stop() {
      stopping = true
      if (!child || child.exitCode !== null || child.signalCode !== null) return
      const gone = new Promise(resolve => child?.once('exit', resolve))
      child.kill('SIGTERM')
      await Promise.race([gone, wait(10_000, undefined, { ref: false })])
    },
  }
}
