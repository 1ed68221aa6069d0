// What teams do while everything breaks: each story asks for something, waits for its end, and says how it must end.
// It speaks as a person or a CI job would: by the API with an idempotency key, in Slack, by a build of Jenkins.
import { setTimeout as wait } from 'node:timers/promises'
import { actionIds } from '../../src/surfaces/slack/action-ids.ts'
import { elementsOf } from '../support/slack-person.ts'
import type { World } from './world.ts'

export type Ended = { readonly id: string; readonly phase: string; readonly reason: string | null }
type Shown = Ended & { readonly revision: string; readonly steps: readonly { name: string; state: string }[] }
/** One round of it; `name` is no other round's. Throws what must not be. */
export type Story = (world: World, name: string) => Promise<void>

const final = [
  'succeeded',
  'failed',
  'rolled_back',
  'rollback_failed',
  'cancelled',
  'denied',
  'expired',
  'superseded',
]
/** Generous: other processes may be busy, and a deploy may lose its owner many times. */
const patienceMs = 300_000
let keys = 0

/** Registers an app that rolls out in no time. */
export async function register(world: World, app: string, more: Record<string, unknown> = {}): Promise<void> {
  const spec = {
    schema: 1,
    app,
    kind: 'service',
    jobs: [],
    image: `${world.registry}/shop/web:{revision}`,
    replicas: 1,
    ports: [{ name: 'http', port: 8080, service: 80 }],
    rollout: { stable: '0s', progress: '60s', limit: '120s' },
    environments: { lab: {}, guarded: {}, staging: {}, production: {} },
    ...more,
  }
  const answer = await world.api('PUT', `/v1/apps/${app}`, spec)
  if (answer.status >= 300) throw new Error(`${app} was not registered: ${JSON.stringify(answer)}`)
}

/** Asks until it is answered, with one key; the id. */
export async function request(world: World, body: Record<string, unknown>): Promise<string> {
  const idempotencyKey = `chaos-${++keys}`
  const answer = await world.api('POST', '/v1/deploys', { ...body, idempotencyKey })
  const { id } = (answer.body.deploy ?? {}) as { id?: string }
  if (!id) throw new Error(`${JSON.stringify(body)} was refused: ${JSON.stringify(answer)}`)
  const known = world.accepted.get(idempotencyKey) ?? new Set()
  world.accepted.set(idempotencyKey, known.add(id))
  // As a script does that heard no answer: the same again.
  if (world.random.next() < 0.3) {
    const again = await world.api('POST', '/v1/deploys', { ...body, idempotencyKey })
    known.add(String((again.body.deploy as { id?: string } | undefined)?.id))
  }
  return id
}

export const show = async (world: World, id: string): Promise<Shown> =>
  (await world.api('GET', `/v1/deploys/${id}`)).body.deploy as Shown

/** Looks until it is so; throws when it never is. */
export async function until(
  world: World,
  id: string,
  holds: (deploy: Shown) => boolean,
  what = 'its end',
): Promise<Shown> {
  let last: Shown | undefined
  for (const end = Date.now() + patienceMs; Date.now() < end; await wait(300)) {
    last = await show(world, id)
    if (holds(last)) return last
  }
  throw new Error(`waited long for ${what} of ${id}: ${JSON.stringify(last)}`)
}

export const isOver = ({ phase }: Pick<Shown, 'phase'>): boolean => final.includes(phase)

/** Asks, waits for the end, and throws unless it is one of `ends`. */
export async function ship(
  world: World,
  body: Record<string, unknown>,
  ends: readonly string[] = ['succeeded'],
): Promise<Shown> {
  const ended = await until(world, await request(world, body), isOver)
  if (!ends.includes(ended.phase))
    throw new Error(
      `${JSON.stringify(body)} must be ${ends.join(' or ')} at last, is ${JSON.stringify(ended)}`,
    )
  return ended
}

/** From nothing to updates, a failure that is rolled back, a rollback by a person, and scaling. */
const life: Story = async (world, app) => {
  await register(world, app, { replicas: 2 })
  const at = { app, environment: 'lab' }
  await ship(world, { ...at, revision: '1.0.0' })
  await ship(world, { ...at, revision: '1.1.0' })
  await ship(world, { ...at, revision: '1.2.0-crash' }, ['rolled_back'])
  await ship(world, { ...at, kind: 'scale', replicas: 3 })
  await ship(world, { ...at, kind: 'rollback' })
}

const shell = (text: string) => ({ command: ['sh', '-c', `echo ${text}`] })

/** Jobs before and after; the first of them once only. */
const hooks: Story = async (world, app) => {
  await register(world, app, {
    hooks: { init: shell('init'), before: shell('migrate'), after: shell('test') },
  })
  const at = { app, environment: 'lab' }
  await ship(world, { ...at, revision: '1.0.0' })
  await ship(world, { ...at, revision: '1.1.0' })
}

/** A team's ordinary day in a channel. */
const told: Story = async (world, app) => {
  await register(world, app)
  await ship(world, { app, environment: 'staging', revision: '1.0.0' })
  await ship(world, { app, environment: 'staging', revision: '1.1.0-crash' }, ['rolled_back'])
}

/** Asked for by the API, approved by a click in Slack: more than once, where nothing seems to come of it. */
const approved: Story = async (world, app) => {
  await register(world, app)
  const { control } = world.slack
  const id = await request(world, { app, environment: 'production', revision: '1.0.0' })
  if (world.random.next() < 0.2) control.sockets.deliverTwice()
  for (const end = Date.now() + patienceMs; ; await wait(500)) {
    const deploy = await show(world, id)
    if (deploy.phase !== 'requested' && deploy.phase !== 'preparing' && deploy.phase !== 'awaiting_approval')
      break
    if (Date.now() > end) throw new Error(`${id} was not approved: ${JSON.stringify(deploy)}`)
    const message = control
      .messages('production')
      .find(one => elementsOf(one.blocks, actionIds.approve, id).length > 0)
    if (!message) continue
    const ben = control.as('ben')
    // The connection may go with the replica: then there is no dialog, and the next turn clicks again.
    const clicked = await ben
      .click({ channel: message.channel, ts: message.ts }, { action_id: actionIds.approve, value: id })
      .catch(() => null)
    if (clicked?.outcome !== 'ok') continue
    await wait(300)
    if (control.view('ben')) await ben.submit().catch(() => null)
  }
  const ended = await until(world, id, isOver)
  if (ended.phase !== 'succeeded') throw new Error(`approved, and ended as ${JSON.stringify(ended)}`)
}

/** Two approve it by the API, one of them twice; a third is too late. */
const voted: Story = async (world, app) => {
  await register(world, app)
  const id = await request(world, { app, environment: 'guarded', revision: '1.0.0' })
  await until(world, id, ({ phase }) => phase !== 'requested' && phase !== 'preparing', 'its approval')
  for (const name of ['ben', 'ben', 'cho', 'dan']) {
    const token = await tokenOf(world, name)
    await world.api('POST', `/v1/deploys/${id}/vote`, { decision: 'approve', reason: 'fine' }, token)
  }
  const ended = await until(world, id, isOver)
  if (ended.phase !== 'succeeded') throw new Error(`voted for, and ended as ${JSON.stringify(ended)}`)
}

const tokens = new Map<string, Promise<string>>()
function tokenOf(world: World, name: string): Promise<string> {
  const make = async () => {
    const grants = [{ role: 'approver', environments: ['guarded'] }]
    const { body } = await world.api('POST', '/v1/tokens', { name, grants, expiresIn: '24h' })
    return String(body.token)
  }
  const made = tokens.get(name) ?? make()
  tokens.set(name, made)
  return made
}

/** Cancelled while it runs: it is undone, unless it was over already. */
const cancelled: Story = async (world, app) => {
  await register(world, app)
  const at = { app, environment: 'lab' }
  await ship(world, { ...at, revision: '1.0.0' })
  const early = await request(world, { ...at, revision: '1.1.0-slow' })
  await wait(world.random.int(400))
  await world.api('POST', `/v1/deploys/${early}/cancel`, { reason: 'too early' })
  await until(world, early, isOver)
  const late = await request(world, { ...at, revision: '1.2.0-slow' })
  await until(world, late, one => isOver(one) || one.steps.some(step => step.state === 'running'))
  await world.api('POST', `/v1/deploys/${late}/cancel`, { reason: 'never mind' })
  const ended = await until(world, late, isOver)
  if (!['cancelled', 'succeeded'].includes(ended.phase))
    throw new Error(`cancelled: ${JSON.stringify(ended)}`)
}

/** Held by a lock until it is taken away. */
const locked: Story = async (world, app) => {
  await register(world, app)
  const at = { app, environment: 'lab' }
  await world.api('PUT', '/v1/locks', { ...at, reason: 'chaos', expiresIn: '1h' })
  const id = await request(world, { ...at, revision: '1.0.0' })
  await until(world, id, one => one.phase === 'ready', 'the queue')
  await wait(500)
  const held = await show(world, id)
  if (held.phase !== 'ready') throw new Error(`locked, and still ${JSON.stringify(held)}`)
  await world.api('DELETE', '/v1/locks', at)
  const ended = await until(world, id, isOver)
  if (ended.phase !== 'succeeded') throw new Error(`unlocked, and ended as ${JSON.stringify(ended)}`)
}

/** Three at once: one at a time, the newest wins. */
const queued: Story = async (world, app) => {
  await register(world, app)
  const at = { app, environment: 'lab' }
  const ids: string[] = []
  for (const revision of ['1.0.0', '1.1.0', '1.2.0']) ids.push(await request(world, { ...at, revision }))
  const ended = await Promise.all(ids.map(id => until(world, id, isOver)))
  if (
    ended.at(-1)?.phase !== 'succeeded' ||
    ended.some(({ phase }) => !/^(succeeded|superseded)$/.test(phase))
  )
    throw new Error(`queued, and ended as ${JSON.stringify(ended)}`)
}

/** A build that succeeds is deployed by itself, once, whatever becomes of its hooks. One job, one app, many builds. */
const built: Story = async world => {
  const app = 'built'
  await register(world, app, { jobs: ['shop/built'], environments: { staging: { deployOn: 'success' } } })
  const newest = () => world.jenkins.control.builds('shop/built')[0]?.number ?? 0
  const number = newest() + 1
  world.jenkins.control.start('shop/built')
  for (const end = Date.now() + patienceMs; Date.now() < end; await wait(500)) {
    const { body } = await world.api('GET', `/v1/deploys?app=${app}&environment=staging`)
    const deploys = (body.deploys ?? []) as readonly (Shown & { source: { build: number | null } })[]
    // A newer one that came first takes its place: gkube refuses the older one then.
    const mine = deploys.find(({ source }) => Number(source.build) >= number)
    if (mine && isOver(mine)) {
      if (!/^(succeeded|superseded)$/.test(mine.phase))
        throw new Error(`built, and ended as ${JSON.stringify(mine)}`)
      return
    }
  }
  const sent = world.jenkins.control.sent().filter(one => one.number === number)
  const hooks = sent.map(({ phase, status }) => `${phase} ${status}`).join(', ')
  throw new Error(`build ${number} was not deployed; its hooks: ${hooks}`)
}

export const stories = { life, hooks, told, approved, voted, cancelled, locked, queued, built }
export type StoryName = keyof typeof stories

/** So many stories are told at once: more would only keep a small machine busy. */
const lanes = 5

/** Tells these stories in turn, some side by side, again and again, until `signal` says that it is enough. */
async function tell(
  world: World,
  names: readonly StoryName[],
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const told: Record<string, number> = {}
  let turn = 0
  const lane = async () => {
    while (!signal.aborted) {
      const name = names[turn++ % names.length] ?? 'life'
      const round = Math.ceil(turn / names.length)
      await stories[name](world, `${name}-${round}`)
      told[name] = (told[name] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return told
}

/** Lets `breaking` do its worst while the stories are told; `go` says whether they still are. Throws what one of them saw. */
export async function during(
  world: World,
  names: readonly StoryName[],
  breaking: (go: () => boolean) => Promise<void>,
): Promise<void> {
  const enough = new AbortController()
  const telling = tell(world, names, enough.signal)
  telling.catch(() => enough.abort())
  try {
    await breaking(() => !enough.signal.aborted)
  } finally {
    enough.abort()
  }
  process.stdout.write(`stories: ${JSON.stringify(await telling)}\n`)
}
