// What Slack waits for: signed requests at 200 a second against `gkube serve` in a process of its own, over 200 apps,
// beside a Bolt app that only acks and beside etcd's own reads and transactions at the same rate, all in one run.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import type { Deploy } from '../src/core/deploy.ts'
import { startSlack } from '../src/sandbox/slack/slack.ts'
import { actionIds } from '../src/surfaces/slack/action-ids.ts'
import { type Figure, quantile } from './figures.ts'
import { monotonic } from './monotonic.ts'
import { costOf, gkube, type Running, startNode } from './processes.ts'
import { environment, image, type Rig, token } from './rig.ts'
import { click, type Load, load, slashCommand, type Target } from './slack-wire.ts'

const rate = 200
const apps = 200
const voters = 9
const protectedEnvironment = 'production'

/**
 * Reads, durable requests and votes: each alone, after a warm-up, each beside the bare app right before it. With
 * `core` gkube, and the bare app, have that core: run the rest on another one (taskset -c 1 npm run bench …).
 */
export async function slackLoad(
  rig: Rig,
  { seconds = 8, core }: { readonly seconds?: number; readonly core?: string | undefined } = {},
): Promise<Figure[]> {
  const people = Array.from({ length: voters + 1 }, (_, n) => personNamed(`v${n}`))
  const slack = await startSlack({ rates: 'off', people, channels: [channelNamed('C0BENCH')] })
  const respond = createServer((request, response) => {
    request.resume()
    response.end('ok')
  }).listen(0, '127.0.0.1')
  const signingSecret = randomBytes(16).toString('hex')
  const port = await freePort()
  const options = { core, costs: true }
  const config = configFile(rig, slack, { signingSecret, port })
  const serving = startNode([gkube, 'serve', '--config', config], {}, options)
  serving.child.stdout?.resume()
  const bare = startNode(
    [new URL('bare-bolt.ts', import.meta.url).pathname],
    { BENCH_SIGNING_SECRET: signingSecret },
    options,
  )
  try {
    const barePort = Number(String((await once(bare.child.stdout as NodeJS.ReadableStream, 'data'))[0]))
    const base = `http://127.0.0.1:${port}`
    await ready(base)
    const waiting = await prepare(base)
    const from = (n: number) => ({
      user: people[n % voters]?.id ?? '',
      channel: 'C0BENCH',
      team: 'T0SANDBOX',
      respond: `http://127.0.0.1:${(respond.address() as AddressInfo).port}/`,
    })
    const at: Target = { port, signingSecret }
    const beside: Target = { port: barePort, signingSecret }
    const count = rate * seconds
    const status = (n: number) => slashCommand(`status app-${n % apps}`, from(n))
    const deploy = (n: number) => slashCommand(`deploy app-${n % apps} 2.${n} to ${environment}`, from(n))
    // Each vote is a new one: so many apps, so many people.
    const vote = (n: number) => click(actionIds.approve, waiting[n % apps] ?? '', from(Math.floor(n / apps)))
    for (const target of [beside, at]) await load(target, { rate, count: rate * 2, body: status })

    const figures: Figure[] = []
    for (const kind of [
      { what: 'status in Slack', body: status, count },
      { what: 'deploy in Slack, durable', body: deploy, count },
      { what: 'vote by a button, durable', body: vote, count: Math.min(count, apps * voters) },
    ]) {
      const beforeBare = await spent(bare, rig)
      const bareLoad = await load(beside, { rate, count: kind.count, body: kind.body })
      const ofBare = perRequest(await spent(bare, rig), beforeBare, kind.count)
      const durable = kind.what !== 'status in Slack'
      const raw = durable ? await rawEtcd(rig, kind.count) : null
      const before = await spent(serving, rig)
      const own = await load(at, { rate, count: kind.count, body: kind.body })
      const during = await spent(serving, rig)
      const took = perRequest(during, before, kind.count)
      checkAnswers(kind.what, own)
      // What it began goes on after the answer, and its cost is no less the request's.
      const rest = durable ? (await worked(serving, rig)).cost.cpu : 0
      took['CPU ms a request, all it began included'] = two((during.cost.cpu + rest) / kind.count)
      const extra = raw ? quantile(raw.reads, 0.99) + quantile(raw.transactions, 0.99) + 5 : 0
      figures.push({
        what: kind.what,
        unit: 'ms',
        values: own.times,
        baseline: { what: 'a bare Bolt app', values: bareLoad.times },
        aim: raw
          ? { kind: 'above', limit: Math.round(extra * 10) / 10, at: 'p99' }
          : { kind: 'times', limit: 1.5, at: 'p99' },
        detail: {
          'answered a second': Math.round(own.perSecond * 10) / 10,
          ...took,
          'CPU ms a request of the bare app': ofBare['CPU ms a request'] ?? 0,
        },
      })
      if (raw && kind.what.startsWith('deploy'))
        figures.push(
          { what: 'etcd: a linearizable read', unit: 'ms', values: raw.reads, baseline: null, aim: null },
          { what: 'etcd: a transaction', unit: 'ms', values: raw.transactions, baseline: null, aim: null },
        )
    }
    return figures
  } finally {
    await Promise.all([serving.stop(), bare.stop()])
    respond.close()
    await slack.stop()
  }
}

/** What the process and its etcd did since this was asked last (etcd: since its start). */
async function spent(running: Running, rig: Rig) {
  const text = await (await fetch(`${rig.etcd}/metrics`)).text()
  const handled = (method: string) =>
    Number(
      new RegExp(`^grpc_server_started_total{grpc_method="${method}",.*} (\\S+)$`, 'm').exec(text)?.[1] ?? 0,
    )
  return { cost: await costOf(running), transactions: handled('Txn'), ranges: handled('Range') }
}

/** Waits until little is written any more: what comes is the pace of messages. */
async function worked(running: Running, rig: Rig): Promise<Spent> {
  let cost = 0
  for (let last = await spent(running, rig), until = monotonic() + 60_000; ; ) {
    cost += last.cost.cpu
    await delay(500)
    const now = await spent(running, rig)
    if (now.transactions - last.transactions < 20 || monotonic() > until)
      return { ...now, cost: { ...now.cost, cpu: cost } }
    last = now
  }
}

type Spent = Awaited<ReturnType<typeof spent>>

const two = (value: number): number => Math.round(value * 100) / 100

/** All that went on while the requests were answered, their background work included as far as it came. */
function perRequest({ cost, ...etcd }: Spent, before: Spent, count: number): Record<string, number> {
  return {
    'CPU ms a request': two(cost.cpu / count),
    'of it ms collecting garbage': two(cost.collecting / count),
    'collections, small': cost.scavenges,
    'collections, other': cost.otherCollections,
    'longest collection, ms': two(cost.longest),
    'event loop late, p50 ms': two(quantile(cost.late, 0.5)),
    'event loop late, p99 ms': two(quantile(cost.late, 0.99)),
    'event loop late, most ms': two(quantile(cost.late, 1)),
    'etcd transactions a request': two((etcd.transactions - before.transactions) / count),
    'etcd reads a request': two((etcd.ranges - before.ranges) / count),
  }
}

/** The bot is in it: messages are posted, at the pace that Slack allows. */
const channelNamed = (id: string) => ({ id, name: 'bench', members: ['U0GKUBE'] })

const personNamed = (name: string) => ({
  id: `U0${name.toUpperCase()}`,
  name,
  real_name: name,
  email: `${name}@example.com`,
  title: '',
  guest: false,
})

function configFile(
  rig: Rig,
  slack: { api: string; botToken: string },
  at: { signingSecret: string; port: number },
): string {
  const file = rig.configFile('/bench-slack/v1/', at.port)
  const secrets = join(rig.folder, 'slack')
  writeFileSync(`${secrets}-bot`, slack.botToken)
  writeFileSync(`${secrets}-signing`, at.signingSecret)
  const config = parse(readFileSync(file, 'utf8'))
  const grants = [{ role: 'admin', environments: ['*', protectedEnvironment] }]
  writeFileSync(
    file,
    stringify({
      ...config,
      environments: {
        ...config.environments,
        [protectedEnvironment]: { createNamespace: true, approvals: { required: voters + 1 } },
      },
      slack: {
        botTokenFile: `${secrets}-bot`,
        signingSecretFile: `${secrets}-signing`,
        api: slack.api,
        members: grants,
      },
    }),
  )
  return file
}

/** Registers the apps and deploys each, locks that environment, and asks for a deploy of each app that waits for approval: their ids. */
async function prepare(base: string): Promise<string[]> {
  const call = async (method: string, path: string, body: object) => {
    const response = await fetch(base + path, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const answer = (await response.json()) as { deploy: { id: string } }
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`)
    return answer
  }
  const get = async (path: string) =>
    (await fetch(base + path, { headers: { authorization: `Bearer ${token}` } })).json()
  const names = Array.from({ length: apps }, (_, n) => `app-${n}`)
  for (const app of names)
    await call('PUT', `/v1/apps/${app}`, {
      app,
      image: image('{revision}'),
      replicas: 1,
      rollout: { stable: '0s' },
      environments: { [environment]: {}, [protectedEnvironment]: {} },
    })
  for (const app of names) await call('POST', '/v1/deploys', { app, environment, revision: '0.1.0' })
  for (let running = apps; running > 0; await delay(200)) {
    const { status } = (await get('/v1/status')) as {
      status: readonly { current: unknown; health: string }[]
    }
    running = apps - status.filter(one => one.current === null && one.health === 'ready').length
  }
  // What is asked for from now on waits in its queue: this measures the answer to people, not the cluster.
  await call('PUT', '/v1/locks', { environment, reason: 'a benchmark asks for more than a cluster can take' })
  const ids: string[] = []
  for (const app of names) {
    const { deploy } = await call('POST', '/v1/deploys', {
      app,
      environment: protectedEnvironment,
      revision: '1.0.0',
    })
    ids.push(deploy.id)
  }
  for (const id of ids)
    for (let phase = ''; phase !== 'awaiting_approval'; await delay(5)) {
      const { deploy } = (await get(`/v1/deploys/${id}`)) as { deploy: Deploy }
      phase = deploy.phase
      if (deploy.endedAt !== null) throw new Error(`${deploy.app} ended ${phase}: ${deploy.cause?.message}`)
    }
  return ids
}

/** Refusals would be quick: what is timed must be what was meant. */
function checkAnswers(what: string, { statuses, samples }: Load): void {
  const bad = Object.entries(statuses).filter(([status]) => status !== '200')
  if (bad.length > 0) throw new Error(`${what}: answered ${JSON.stringify(statuses)}`)
  if (samples.some(text => /did you mean|may not|not confirmed|went wrong/i.test(text)))
    throw new Error(`${what}: ${samples.join('\n')}`)
}

/** The same rate of plain reads and of guarded writes, from this process. */
async function rawEtcd(
  rig: Rig,
  count: number,
): Promise<{ reads: readonly number[]; transactions: readonly number[] }> {
  const value = 'x'.repeat(2_000)
  await rig.raw.put('/bench/read').value(value)
  const paced = async (work: (n: number) => Promise<unknown>) => {
    const times: number[] = []
    const began = monotonic()
    const all: Promise<void>[] = []
    for (let n = 0; n < count; n++) {
      const due = began + (n * 1000) / rate
      if (due - monotonic() > 1) await delay(due - monotonic())
      all.push(work(n).then(() => void times.push(monotonic() - due)))
    }
    await Promise.all(all)
    return times
  }
  const run = randomBytes(4).toString('hex')
  return {
    reads: await paced(() => rig.raw.get('/bench/read').string()),
    transactions: await paced(n =>
      rig.raw
        .if(`/bench/${run}/${n}`, 'Create', '==', 0)
        .then(rig.raw.put(`/bench/${run}/${n}`).value(value))
        .commit(),
    ),
  }
}

async function ready(base: string): Promise<void> {
  for (const until = monotonic() + 20_000; monotonic() < until; await delay(50)) {
    const answer = await fetch(`${base}/readyz`).catch(() => null)
    if (answer?.ok) return
  }
  throw new Error('gkube serve was not ready in 20 s')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
