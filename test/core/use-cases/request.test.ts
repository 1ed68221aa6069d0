// Asking from Slack: the message and App Home's entry are written with the request, a promotion takes what runs
// elsewhere, and a click on an old message is refused once others changed the workload.
import { beforeAll, describe, expect, it } from 'vitest'
import type { Caller, RequestInput } from '../../../src/core/core.ts'
import type { Deploy } from '../../../src/core/deploy.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import type { Kv } from '../../../src/core/kv.ts'
import { messagesSchema } from '../../../src/core/messages.ts'
import { read } from '../../../src/core/records.ts'
import { workloadSchema } from '../../../src/core/workload.ts'
import { admin, ask } from '../../support/stack.ts'
import {
  ended,
  phaseOf,
  startWorld,
  type Tenant,
  type TestReplica,
  until,
  type World,
} from '../runner/world.ts'

let world: World
let tenant: Tenant
let replica: TestReplica
beforeAll(async () => {
  world = await startWorld()
  ;[tenant, replica] = await setUp()
})

async function setUp(kv: (kv: Kv) => Kv = same => same): Promise<[Tenant, TestReplica]> {
  const one = world.tenant({ channel: 'C0STAGING' })
  const environment = (name: string, over = {}) =>
    one.environments.set(name, { ...environmentSchema.parse({ createNamespace: true, ...over }), name })
  environment('production', { protected: true })
  environment('careful', { onFailure: 'hold' })
  environment('asks', { approvals: { required: 1, tell: true } })
  const own = await one.replica({ kv })
  const environments = { staging: {}, production: {}, careful: {}, asks: {} }
  await own.core.applyApp(admin, one.app({ environments }), { dryRun: false })
  return [one, own]
}

const input = (more: object = {}): RequestInput => ask({ app: tenant.name, ...more })
const ship = async (more: object = {}): Promise<Deploy> => {
  const { deploy } = await replica.core.request(admin, input(more))
  const done = await ended(tenant, deploy.id)
  await until(() => !replica.view.live.deploys.has(deploy.id))
  return done
}

describe('the message of a deploy', () => {
  /** Takes requests and runs none: what is written with a request does not wait for what comes of it. */
  let quiet: Tenant
  let still: TestReplica
  beforeAll(async () => {
    ;[quiet, still] = await setUp()
    await still.stop()
  })
  const asked = (more: object) => ask({ app: quiet.name, ...more })
  const channels: [string, string, string | null | undefined, string[] | null][] = [
    ['from elsewhere: the environment’s channel', 'staging', undefined, ['C0STAGING']],
    [
      'from Slack: where it was asked, then the environment’s',
      'staging',
      'C0GENERAL',
      ['C0GENERAL', 'C0STAGING'],
    ],
    ['asked in the environment’s own channel: once', 'staging', 'C0STAGING', ['C0STAGING']],
    ['an environment without one, from Slack', 'production', 'C0GENERAL', ['C0GENERAL']],
    ['an environment without one, from elsewhere: none', 'production', null, null],
    ['nor there, but those who approve are told by direct message', 'asks', null, []],
  ]
  it.each(channels)('%s', async (_, environment, channel, expected) => {
    const origin = channel === undefined ? undefined : { channel }
    const { deploy } = await still.core.request(admin, asked({ environment, revision: '1' }), origin)
    const { kv, keys } = quiet
    const message = await read(kv, messagesSchema, keys.message(deploy.id))
    expect(message?.value ?? null).toEqual(
      expected && { schema: 1, deploy: deploy.id, channels: expected, main: null, thread: {}, direct: {} },
    )
    expect((await kv.get(keys.outboxEntry(deploy.id))) !== null).toBe(expected !== null)
    const mine = await kv.get(keys.askedEntry(admin.actor.id, deploy.id))
    // All in the transaction of the request.
    const record = await kv.get(keys.deploy(deploy.id))
    expect(mine?.createRevision).toBe(record?.createRevision)
    if (message) expect(message.createRevision).toBe(record?.createRevision)
  })
  it('is one for a request that is repeated, at the same moment too', async () => {
    const again = asked({ revision: '1', idempotencyKey: 'trigger-1' })
    const all = await Promise.all(
      [1, 2, 3, 4].map(() => still.core.request(admin, again, { channel: 'C0GENERAL' })),
    )
    const ids = new Set(all.map(({ deploy }) => deploy.id))
    expect(ids.size).toBe(1)
    expect(all.filter(({ repeated }) => !repeated)).toHaveLength(1)
    const { entries } = await quiet.kv.list(quiet.keys.messages)
    const [id = ''] = ids
    expect(entries.filter(entry => entry.value.includes(id))).toHaveLength(1)
  })
})

it('a promotion runs the same bytes, even where the tag was moved since', async () => {
  const own = world.tenant()
  own.environments.set('production', {
    ...environmentSchema.parse({ createNamespace: true }),
    name: 'production',
  })
  let pushed = 'a'
  const { core } = await own.replica({
    registry: { resolve: async () => ({ kind: 'digest', digest: `sha256:${pushed.repeat(64)}` }) },
  })
  await core.applyApp(admin, own.app({ environments: { staging: {}, production: {} } }), { dryRun: false })
  const send = async (more: object) =>
    ended(own, (await core.request(admin, ask({ app: own.name, ...more }))).deploy.id)
  await send({ revision: '1' })
  pushed = 'b'
  const promoted = await send({ environment: 'production', from: 'staging' })
  expect(promoted).toMatchObject({ phase: 'succeeded', revision: '1' })
  expect(promoted.prepared?.digest).toBe(`sha256:${'a'.repeat(64)}`)
  expect((await send({ environment: 'production', revision: '1' })).prepared?.digest).toBe(
    `sha256:${'b'.repeat(64)}`,
  )
})

describe('promote', () => {
  const to = { environment: 'production', from: 'staging' }
  it('takes what runs there, and says so', async () => {
    await ship({ revision: '7' })
    const promoted = await ship({ ...to, source: { note: 'for the sale' } })
    expect(promoted).toMatchObject({
      phase: 'succeeded',
      revision: '7',
      source: { note: 'promoted from staging: for the sale' },
    })
  })
  it('answers the same deploy for the same key, whatever runs there by now', async () => {
    const first = await ship({ ...to, idempotencyKey: 'promote-1' })
    await ship({ revision: '8' })
    const second = await replica.core.request(admin, input({ ...to, idempotencyKey: 'promote-1' }))
    expect(second).toMatchObject({ repeated: true, deploy: { id: first.id, revision: '7' } })
  })
  const viewer = (environments: string[]): Caller => ({
    actor: { id: 'slack:U9', name: 'eve', via: 'slack' },
    grants: [{ role: 'deployer', apps: ['*'], environments }],
  })
  const refused: [string, object, Caller, RegExp][] = [
    [
      'from itself',
      { environment: 'staging', from: 'staging' },
      admin,
      /cannot be promoted from staging to itself/,
    ],
    [
      'with a revision too',
      { ...to, revision: '1' },
      admin,
      /Name a revision or what to promote from, not both/,
    ],
    [
      'of another kind',
      { ...to, kind: 'restart' },
      admin,
      /Only a deploy is promoted from staging, not a restart/,
    ],
    [
      'from where nothing runs',
      { ...to, from: 'careful' },
      admin,
      /does not run in careful, so there is nothing/,
    ],
    ['from what is not configured', { ...to, from: 'stagign' }, admin, /Did you mean `staging`/],
    ['from where one may not look', to, viewer(['production']), /may not see .* in staging/],
    ['to where one may not deploy', to, viewer(['staging']), /may not deploy .* in production/],
  ]
  it.each(refused)('is refused %s', async (_, more, caller, words) => {
    await expect(replica.core.request(caller, input(more))).rejects.toThrow(words)
  })
  it('is refused for what has not succeeded there', async () => {
    await ship({ environment: 'careful', revision: '1' })
    expect((await ship({ environment: 'careful', revision: 'crash' })).phase).toBe('failed')
    await expect(replica.core.request(admin, input({ ...to, from: 'careful' }))).rejects.toThrow(
      /crash has not succeeded in careful \(yet\), so it is not promoted\. The last that did is 1\./,
    )
  })
})

describe('a click on an old message', () => {
  it('counts while nothing changed since, also twice', async () => {
    const [, shown] = [await ship({ revision: '1' }), await ship({ revision: '2' })]
    const back = { kind: 'rollback', revision: '1', basedOn: shown.id, idempotencyKey: 'click-1' }
    const done = await ship(back)
    expect(done).toMatchObject({ phase: 'succeeded', revision: '1' })
    // The repeated click is answered as the first, though its own deploy has changed the workload since.
    const again = await replica.core.request(admin, input(back))
    expect(again).toMatchObject({ repeated: true, deploy: { id: done.id } })
  })
  it('is another request where it asks for something else', async () => {
    for (const revision of ['a1', 'a2', 'a3']) await ship({ revision })
    const asks: [object, object][] = [
      [
        { kind: 'rollback', revision: 'a1' },
        { kind: 'rollback', revision: 'a2' },
      ],
      [
        { kind: 'delete', claims: [] },
        { kind: 'delete', claims: ['data'] },
      ],
    ]
    for (const [first, other] of asks) {
      const idempotencyKey = `other-${JSON.stringify(first)}`
      const done = await ship({ ...first, idempotencyKey })
      await expect(
        replica.core.request(admin, input({ ...other, idempotencyKey })),
        JSON.stringify(other),
      ).rejects.toThrow(/That idempotency key was used before/)
      expect((await replica.core.request(admin, input({ ...first, idempotencyKey }))).deploy.id).toBe(done.id)
    }
    await ship({ revision: '1' })
  })
  it('is refused once a later deploy changed the workload', async () => {
    const shown = await ship({ revision: '3' })
    await ship({ revision: '4' })
    for (const kind of ['rollback', 'restart', 'deploy'] as const)
      await expect(
        replica.core.request(admin, input({ kind, revision: '3', basedOn: shown.id })),
        kind,
      ).rejects.toThrow(
        new RegExp(
          `^${tenant.name} in staging was changed a moment ago by @ana \\(it runs 4 now\\), after the deploy that you ask about\\.`,
        ),
      )
  })
  it('counts where the later one never touched it', async () => {
    const shown = await ship({ revision: '5' })
    const { deploy } = await replica.core.request(admin, input({ revision: '6' }))
    await replica.core.cancel(admin, deploy.id, { reason: 'no' }).catch(() => undefined)
    await ended(tenant, deploy.id)
    // It may have begun before it was cancelled, and still not have touched anything.
    const { kv, keys } = tenant
    const workload = await read(kv, workloadSchema, keys.workload('staging', tenant.name))
    const again = replica.core.request(admin, input({ kind: 'restart', basedOn: shown.id }))
    if (workload?.value.deploy === shown.id) await ended(tenant, (await again).deploy.id)
    else await expect(again).rejects.toMatchObject({ kind: 'conflict' })
  })
  it('retries what failed', async () => {
    await ship({ revision: '1' })
    const failed = await ship({ revision: 'crash' })
    expect(failed.phase).toBe('rolled_back')
    expect(await ship({ revision: '9', basedOn: failed.id })).toMatchObject({ phase: 'succeeded' })
  })
  it('is refused while another one runs', async () => {
    const shown = await ship({ revision: '1' })
    const { deploy } = await replica.core.request(admin, input({ revision: 'unready' }))
    await phaseOf(tenant, deploy.id, one => one.phase === 'running')
    await expect(replica.core.request(admin, input({ kind: 'restart', basedOn: shown.id }))).rejects.toThrow(
      /is being changed right now by the deploy of unready by @ana/,
    )
    await replica.core.cancel(admin, deploy.id, { reason: 'test' })
    await ended(tenant, deploy.id)
  })
  it('is refused where a later one comes between', async () => {
    let between: () => Promise<unknown> = async () => undefined
    const [one, own] = await setUp(kv => ({
      ...kv,
      async commit(commit) {
        if (commit.writes.some(write => write.kind === 'put' && write.value.includes('"restart"')))
          await between()
        return kv.commit(commit)
      },
    }))
    const asked = (more: object) => ask({ app: one.name, ...more })
    const first = await own.core.request(admin, asked({ revision: '1' }))
    await ended(one, first.deploy.id)
    between = async () => {
      between = async () => undefined
      const later = await own.core.request(admin, asked({ revision: '2' }))
      await ended(one, later.deploy.id)
    }
    await expect(
      own.core.request(admin, asked({ kind: 'restart', basedOn: first.deploy.id })),
    ).rejects.toMatchObject({ kind: 'conflict' })
  })
  const unknown: [string, () => object, RegExp][] = [
    ['of a deploy that is not kept', () => ({ basedOn: 'nothere' }), /is not kept any more/],
    ['of a key that is none', () => ({ basedOn: '../apps/web' }), /is not kept any more/],
  ]
  it.each(unknown)('is refused where it is %s', async (_, more, words) => {
    await expect(replica.core.request(admin, input({ kind: 'restart', ...more() }))).rejects.toThrow(words)
  })
  it('is refused where it is of another place', async () => {
    const there = await ship({ environment: 'production', revision: '1' })
    await expect(replica.core.request(admin, input({ kind: 'restart', basedOn: there.id }))).rejects.toThrow(
      /is of web-\d+ in production, not of web-\d+ in staging/,
    )
  })
})
