// Hooks of Jenkins at 100 a second, four of each build: until they are answered, and, for the builds that a channel wants
// to hear of, until Slack is called. Beside it a bare http server that reads the same bodies. Most builds are of jobs that
// no app names, as in a real Jenkins; two a second are told, because Slack takes few messages a second.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import { keysBelow } from '../src/core/keys.ts'
import { freePort } from '../src/sandbox/free-port.ts'
import { startSlack } from '../src/sandbox/slack/slack.ts'
import { type Figure, quantile } from './figures.ts'
import { monotonic } from './monotonic.ts'
import { costOf, gkube, type Running, startNode } from './processes.ts'
import { environment, image, type Rig, token } from './rig.ts'

const rate = 100
/** Its hooks are a second apart. */
const phases = ['QUEUED', 'STARTED', 'COMPLETED', 'FINALIZED'] as const
const buildsPerSecond = rate / phases.length
/** Each n-th build is told. */
const toldEach = 12
const apps = 10
const root = '/bench-hooks/v1/'

type Slack = Awaited<ReturnType<typeof startSlack>>
type Target = {
  readonly port: number
  readonly path: string
  readonly slack: Slack
  readonly running: Running
}
type Options = { readonly core?: string | undefined; readonly seconds?: number }
type Run = {
  /** Milliseconds from when a hook was due to its answer. */
  readonly answered: readonly number[]
  /** Milliseconds from when it was sent to its call of Slack. */
  readonly told: readonly number[]
  /** Milliseconds of CPU a hook, with all that it began until it was told. */
  readonly cpu: number
}

/** The bare server first, then gkube, each with a Slack of its own. `core`: both on this one only. */
export async function hooksLoad(rig: Rig, { core, seconds = 20 }: Options = {}): Promise<Figure[]> {
  const count = rate * seconds
  const bare = await withBare(count, core)
  const transactions = await rawTransactions(rig, count)
  const own = await withGkube(rig, count, core)
  const limit = Math.round((quantile(transactions, 0.99) + 5) * 10) / 10
  return [
    {
      what: 'hook, durable answer',
      unit: 'ms',
      values: own.answered,
      baseline: { what: 'a bare http server', values: bare.answered },
      aim: { kind: 'above', limit, at: 'p99' },
      detail: {
        'CPU ms a hook, all it began included': own.cpu,
        'CPU ms a hook of the bare server': bare.cpu,
      },
    },
    {
      what: 'hook to the call of Slack',
      unit: 'ms',
      values: own.told,
      baseline: { what: 'a bare http server', values: bare.told },
      aim: null,
    },
    {
      what: 'etcd: a transaction, 100 a second',
      unit: 'ms',
      values: transactions,
      baseline: null,
      aim: null,
    },
  ]
}

const channels = () =>
  Array.from({ length: apps }, (_, n) => ({
    id: `C0BENCH${n}`,
    name: `bench-${n}`,
    members: ['U0GKUBE'],
  }))

async function withBare(count: number, core: string | undefined): Promise<Run> {
  const slack = await startSlack({ rates: 'off', channels: channels() })
  const running = startNode(
    [new URL('bare-hook.ts', import.meta.url).pathname],
    { BENCH_SLACK_API: slack.api, BENCH_SLACK_TOKEN: slack.botToken },
    { core, costs: true },
  )
  try {
    const port = Number(String((await once(running.child.stdout as NodeJS.ReadableStream, 'data'))[0]))
    return await run({ port, path: '/', slack, running }, count)
  } finally {
    await running.stop()
    await slack.stop()
  }
}

async function withGkube(rig: Rig, count: number, core: string | undefined): Promise<Run> {
  const slack = await startSlack({ rates: 'off', channels: channels() })
  const port = await freePort()
  const secret = randomBytes(32).toString('hex')
  const file = configFile(rig, slack, { port, secret })
  const running = startNode([gkube, 'serve', '--config', file], {}, { core, costs: true })
  running.child.stdout?.resume()
  try {
    await ready(port)
    await prepare(rig, port)
    return await run({ port, path: `/hooks/jenkins/${secret}`, slack, running }, count)
  } finally {
    await running.stop()
    await slack.stop()
  }
}

function configFile(rig: Rig, slack: Slack, at: { port: number; secret: string }): string {
  const file = rig.configFile(root, at.port)
  const secrets = join(rig.folder, 'hooks')
  writeFileSync(`${secrets}-bot`, slack.botToken)
  writeFileSync(`${secrets}-signing`, slack.signingSecret)
  writeFileSync(`${secrets}-hook`, at.secret)
  const config = {
    ...parse(readFileSync(file, 'utf8')),
    slack: {
      botTokenFile: `${secrets}-bot`,
      signingSecretFile: `${secrets}-signing`,
      api: slack.api,
    },
    // Without a credential: builds are what the hooks say, and Jenkins' own time is no part of it.
    jenkins: { hooks: { bench: { secretFile: `${secrets}-hook` } } },
  }
  writeFileSync(file, stringify(config))
  return file
}

/** Registers the apps; each has a channel that wants to hear of all its builds. */
async function prepare(rig: Rig, port: number): Promise<void> {
  const keys = keysBelow(root)
  for (let n = 0; n < apps; n++) {
    const app = `app-${n}`
    const response = await fetch(`http://127.0.0.1:${port}/v1/apps/${app}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        app,
        jobs: [`bench/${app}`],
        image: image('{revision}'),
        environments: { [environment]: {} },
      }),
    })
    if (!response.ok) throw new Error(`${app}: ${await response.text()}`)
    const channel = `C0BENCH${n}`
    const by = { id: 'token:bench', name: 'bench', via: 'cli' }
    const wish = { schema: 1, channel, app, events: 'all', by, at: Date.now() }
    await rig.raw.put(keys.subscription(channel, app)).value(JSON.stringify(wish))
  }
}

/** Sends at a steady rate, whatever the answers take, and waits for what is to be told. */
async function run(target: Target, count: number): Promise<Run> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  // Connections, code that is compiled at its first use.
  await paced(target, agent, { from: 1000, count: rate })
  await costOf(target.running)
  const { answered, sentAt } = await paced(target, agent, { from: 2000, count })
  agent.destroy()
  const { control } = target.slack
  const toldAt = () =>
    new Map(
      // In a Map the last one of a key counts: that must be its first call.
      control
        .calls('chat.postMessage')
        .toReversed()
        .flatMap(({ args, at }): [number, number][] => {
          const number = /#(\d+)/.exec(String(args.text))?.[1]
          return number === undefined ? [] : [[Number(number), at]]
        }),
    )
  await control.until(() => [...sentAt.keys()].every(number => toldAt().has(number)), {
    what: `a message of each of ${sentAt.size} builds`,
    timeoutMs: 60_000,
  })
  const calls = toldAt()
  const { cpu } = await costOf(target.running)
  return {
    answered,
    told: [...sentAt].map(([number, at]) => Math.max(0, (calls.get(number) ?? 0) - at)),
    cpu: Math.round((cpu * 100) / count) / 100,
  }
}

async function paced(target: Target, agent: Agent, { from, count }: { from: number; count: number }) {
  const answered: number[] = []
  /** Of builds that are told, by number. */
  const sentAt = new Map<number, number>()
  const began = monotonic()
  const sent: Promise<void>[] = []
  for (let n = 0; n < count; n++) {
    const due = began + (n * 1000) / rate
    if (due - monotonic() > 1) await delay(due - monotonic())
    const step = n % phases.length
    const number = from + Math.floor(n / phases.length) - step * buildsPerSecond
    if (number % toldEach === 0 && step === 0) sentAt.set(number, Date.now())
    sent.push(
      post(target, agent, JSON.stringify(hook(number, phases[step] ?? 'QUEUED'))).then(status => {
        if (status !== 202) throw new Error(`a hook was answered ${status}`)
        answered.push(monotonic() - due)
      }),
    )
  }
  await Promise.all(sent)
  return { answered, sentAt }
}

const jobUrl = (number: number): string =>
  number % toldEach === 0
    ? `job/bench/job/app-${(number / toldEach) % apps}/`
    : `job/other/job/job-${number % 500}/`

/** As the Notification plugin sends it. */
function hook(number: number, phase: (typeof phases)[number]) {
  const url = jobUrl(number)
  const name = url.split('/').at(-2)
  const over = phase === 'COMPLETED' || phase === 'FINALIZED'
  const build = {
    full_url: `https://jenkins.example.com/${url}${number}/`,
    number,
    queue_id: number + 10_000_000,
    timestamp: Date.now(),
    duration: over ? 2000 : 0,
    phase,
    ...(over ? { status: 'SUCCESS' } : {}),
    url: `${url}${number}/`,
    scm: { url: 'https://git.example.com/shop/web.git', branch: 'origin/main', changes: [], culprits: [] },
    parameters: { TARGET: 'staging' },
    log: '',
    artifacts: {},
  }
  return { name, display_name: name, url, build }
}

function post({ port, path }: Target, agent: Agent, body: string): Promise<number> {
  return new Promise(resolve => {
    const headers = {
      'content-type': 'application/json;charset=UTF-8',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'Java/17.0.15',
    }
    const outgoing = request({ host: '127.0.0.1', port, agent, method: 'POST', path, headers }, answer => {
      answer.resume()
      answer.on('end', () => resolve(answer.statusCode ?? 0))
    })
    outgoing.setTimeout(10_000, () => outgoing.destroy(new Error('no answer in 10 s')))
    outgoing.on('error', () => resolve(0))
    outgoing.end(body)
  })
}

/** What keeping a hook costs etcd alone, at the same rate. */
async function rawTransactions(rig: Rig, count: number): Promise<readonly number[]> {
  const times: number[] = []
  const value = 'x'.repeat(700)
  const name = randomBytes(4).toString('hex')
  const began = monotonic()
  const all: Promise<void>[] = []
  for (let n = 0; n < count; n++) {
    const due = began + (n * 1000) / rate
    if (due - monotonic() > 1) await delay(due - monotonic())
    const key = `/bench/${name}/${n}`
    all.push(
      rig.raw
        .if(key, 'Create', '==', 0)
        .then(rig.raw.put(key).value(value), rig.raw.put(`${key}/inbox`).value(value))
        .commit()
        .then(() => void times.push(monotonic() - due)),
    )
  }
  await Promise.all(all)
  return times
}

async function ready(port: number): Promise<void> {
  for (const until = monotonic() + 20_000; monotonic() < until; await delay(50)) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null)
    if (answer?.ok) return
  }
  throw new Error('gkube serve was not ready in 20 s')
}
