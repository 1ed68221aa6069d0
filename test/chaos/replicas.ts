// Replicas as processes of `gkube serve`, and whoever starts the dead again, as a Kubernetes Deployment would. Before
// them stands one address that leads to any that listens, as a Service does.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { stringify } from 'yaml'
import { freePort } from '../../src/sandbox/free-port.ts'

export type Replicas = {
  /** Leads to one of them. */
  readonly url: string
  readonly count: number
  /** Deaths so far that nobody but a test can have caused. */
  deaths(): number
  /** Processes that ended by themselves with this code: none ever should. */
  readonly failures: readonly string[]
  pid(index: number): number
  /** Indexes of those that are ready for work. */
  ready(): Promise<readonly number[]>
  allReady(): Promise<void>
  kill(index: number, signal?: NodeJS.Signals): void
  stop(): Promise<void>
}

type Options = {
  readonly folder: string
  readonly count: number
  /** Of gkube.yaml; each replica gets a port of its own. */
  readonly config: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string>>
  /** Of one replica. */
  readonly envOf?: (index: number) => Readonly<Record<string, string>>
  /** Given to node, such as a preloaded file. */
  readonly node?: readonly string[]
}

/** Starts them and waits until all are ready. */
export async function startReplicas(options: Options): Promise<Replicas> {
  const { folder, count, config } = options
  const indexes = Array.from({ length: count }, (_, index) => index)
  const ports = await Promise.all(indexes.map(() => freePort()))
  const children: (ChildProcess | undefined)[] = []
  const failures: string[] = []
  let deaths = 0
  let stopping = false

  function start(index: number): void {
    const file = join(folder, `gkube-${index}.yaml`)
    writeFileSync(file, stringify({ ...config, listen: { host: '127.0.0.1', port: ports[index] } }))
    const out = openSync(join(folder, `replica-${index}.log`), 'a')
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        ...(options.node ?? []),
        resolve('src/main.ts'),
        'serve',
        '--config',
        file,
      ],
      { env: { ...process.env, ...options.env, ...options.envOf?.(index) }, stdio: ['ignore', out, out] },
    )
    children[index] = child
    child.once('error', error => failures.push(String(error)))
    child.once('exit', (code, signal) => {
      if (stopping) return
      if (signal === 'SIGKILL') deaths++
      else if (code !== 0) failures.push(`replica ${index} ended with ${code ?? signal}`)
      start(index)
    })
  }

  async function isReady(index: number): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(3_000)
      const answer = await fetch(`http://127.0.0.1:${ports[index]}/readyz`, { signal })
      await answer.text()
      return answer.ok
    } catch {
      return false
    }
  }

  const ready = async () => {
    const found = await Promise.all(indexes.map(isReady))
    return indexes.filter(index => found[index])
  }

  async function allReady(): Promise<void> {
    for (const end = Date.now() + 60_000; Date.now() < end; await wait(100))
      if ((await ready()).length === count) return
    throw new Error(`replicas were not ready for 60 s; their logs are in ${folder}`)
  }

  /** Tries them in turn: one that is dead refuses at once. */
  const door = createServer(client => {
    let at = Math.floor(Math.random() * count)
    const attempt = (left: number) => {
      const server = connect(ports[at++ % count] ?? 0, '127.0.0.1')
      let isOpen = false
      server.once('connect', () => {
        isOpen = true
        client.pipe(server)
        server.pipe(client)
      })
      server.once('error', () => {
        if (!isOpen && left > 1) attempt(left - 1)
        else client.destroy()
      })
      server.once('close', () => isOpen && client.destroy())
      client.once('close', () => server.destroy())
    }
    client.on('error', () => client.destroy())
    attempt(count)
  })
  door.listen(0, '127.0.0.1')
  await once(door, 'listening')
  // A run that is interrupted leaves nobody behind.
  process.once('exit', () => {
    for (const child of children) child?.kill('SIGKILL')
  })
  for (const index of indexes) start(index)
  await allReady()

  return {
    url: `http://127.0.0.1:${(door.address() as AddressInfo).port}`, // it listens on TCP
    count,
    deaths: () => deaths,
    failures,
    pid: index => children[index]?.pid ?? 0,
    ready,
    allReady,
    kill: (index, signal = 'SIGKILL') => void children[index]?.kill(signal),
    async stop() {
      stopping = true
      for (const child of children) {
        child?.kill('SIGCONT')
        child?.kill('SIGTERM')
      }
      const gone = Promise.all(children.map(child => child && child.exitCode === null && once(child, 'exit')))
      await Promise.race([gone, wait(15_000, undefined, { ref: false })])
      for (const child of children) child?.kill('SIGKILL')
      door.close()
    },
  }
}
