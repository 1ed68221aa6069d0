// `npm start -- --replicas N`: replicas in processes of their own, so that one can be killed (kill -9) while a deploy
// runs. One that died is started again; one address leads to any that works, as a Kubernetes Service does.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import { UserError } from '../errors.ts'

export type Replicas = {
  /** Leads to one that works. */
  readonly url: string
  readonly pids: readonly number[]
  stop(): Promise<void>
}

type Options = {
  readonly count: number
  /** The sandbox's gkube.yaml; each replica gets a copy with a port of its own. */
  readonly config: string
  readonly data: string
  /** Of the one address; 0 takes a free one. */
  readonly port: number
  /** Hears of each death and each start after one. */
  readonly told: (line: string) => void
}

/** Kubernetes takes about so long as well, and people get to see that the others go on. */
const restartMs = 3_000

type Running = { readonly child: ChildProcess; readonly port: number }

/** Starts all and waits until all work. UserError when one ends before. */
export async function startReplicas(options: Options): Promise<Replicas> {
  const running = new Map<number, Running>()
  const stopping = new AbortController()

  async function start(number: number): Promise<void> {
    const file = join(dirname(options.config), `gkube-${number}.yaml`)
    const { replica, url } = await launch(options, file, number)
    running.set(number, { child: replica, port: Number(new URL(url).port) })
    replica.once('exit', (code, signal) => {
      running.delete(number)
      if (stopping.signal.aborted) return
      options.told(`replica ${number} (pid ${replica.pid}) ended with ${signal ?? code}; the others go on`)
      void again(number)
    })
  }

  async function again(number: number): Promise<void> {
    await sleep(restartMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    if (stopping.signal.aborted) return
    try {
      await start(number)
      options.told(`replica ${number} is back (pid ${running.get(number)?.child.pid})`)
    } catch (error) {
      options.told(`replica ${number} does not start: ${error instanceof Error ? error.message : error}`)
      if (!stopping.signal.aborted) void again(number)
    }
  }

  const door = createServer(client =>
    lead(
      client,
      [...running.values()].map(({ port }) => port),
    ),
  )
  async function stop(): Promise<void> {
    stopping.abort()
    const all = [...running.values()].map(({ child }) => child)
    await Promise.all(all.map(ended))
    door.close()
  }

  try {
    await Promise.all(Array.from({ length: options.count }, (_, index) => start(index + 1)))
    door.listen(options.port, '127.0.0.1')
    await once(door, 'listening')
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url: `http://127.0.0.1:${(door.address() as AddressInfo).port}`, // it listens on TCP
    get pids() {
      return [...running.values()].map(({ child }) => child.pid ?? 0)
    },
    stop,
  }
}

async function launch({ config, data }: Options, file: string, number: number) {
  const own = { ...parse(readFileSync(config, 'utf8')), listen: { host: '127.0.0.1', port: 0 } }
  writeFileSync(file, stringify(own), { mode: 0o600 })
  const replica = spawn(process.execPath, [...process.execArgv, program(), file, data], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Ctrl-C reaches the sandbox first, which then ends its parts in order.
    detached: true,
  })
  const gone = once(replica, 'exit').then(([code, signal]) => {
    throw new UserError('unavailable', `Replica ${number} ended with ${signal ?? code} before it worked.`)
  })
  const lines = createInterface(replica.stdout as NonNullable<typeof replica.stdout>)
  const [line] = await Promise.race([once(lines, 'line'), gone])
  gone.catch(() => undefined)
  return { replica, url: (JSON.parse(String(line)) as { url: string }).url }
}

/** Beside this file: TypeScript in a checkout, JavaScript in the package. */
const program = () =>
  join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? 'replica.ts' : 'replica.js')

/** Tries those that run, from a random one on: one that was killed a moment ago refuses at once. */
function lead(client: Socket, ports: readonly number[]): void {
  client.on('error', () => client.destroy())
  const from = Math.floor(Math.random() * ports.length)
  const order = [...ports.slice(from), ...ports.slice(0, from)]
  const attempt = () => {
    const port = order.shift()
    if (port === undefined) return void client.destroy()
    const server = connect(port, '127.0.0.1')
    let isOpen = false
    server.once('connect', () => {
      isOpen = true
      client.pipe(server)
      server.pipe(client)
    })
    server.on('error', () => (isOpen ? client.destroy() : attempt()))
    server.once('close', () => isOpen && client.destroy())
    client.once('close', () => server.destroy())
  }
  attempt()
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  const inTime = await Promise.race([gone.then(() => true), sleep(10_000, false, { ref: false })])
  if (inTime) return
  child.kill('SIGKILL')
  await gone
}
