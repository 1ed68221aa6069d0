// A request for approval from end to end on real etcd and the stand-in cluster: what is shown, what voids votes, and
// what those are told who may not, come late, or looked at something else.
import { beforeAll, describe, expect, it } from 'vitest'
import type { Caller } from '../../../src/core/core.ts'
import type { Deploy } from '../../../src/core/deploy.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import type { Registry } from '../../../src/core/freezing.ts'
import { plannedSchema } from '../../../src/core/messages.ts'
import { read } from '../../../src/core/records.ts'
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

const grant = (role: 'approver' | 'deployer' | 'operator', environments = ['production']) => ({
  role,
  apps: ['*'],
  environments,
})
const who = (name: string, role: 'approver' | 'deployer' | 'operator'): Caller => ({
  actor: { id: `slack:${name}`, name, via: 'slack' },
  grants: [grant(role)],
  person: name,
})
const [ana, ben, cho, dan] = [
  who('ana', 'deployer'),
  who('ben', 'approver'),
  who('cho', 'approver'),
  who('dan', 'deployer'),
]
const people = [{ id: 'ben', name: 'ben', grants: ben.grants }]
const groups = [{ name: 'release-managers', grants: ben.grants }]

let world: World
beforeAll(async () => {
  world = await startWorld()
})

const digests = new Map<string, string>()
const registry: Registry = {
  resolve: async reference => ({
    kind: 'digest',
    digest: `sha256:${(digests.get(reference) ?? 'a').repeat(64)}`,
  }),
}

/** An app in production, where `required` people must approve. */
async function setUp(required = 1, over: object = {}): Promise<{ tenant: Tenant; replica: TestReplica }> {
  const tenant = world.tenant()
  const approvals = { required, expiry: '1h' }
  const settings = environmentSchema.parse({ createNamespace: true, protected: true, approvals, ...over })
  tenant.environments.set('production', { ...settings, name: 'production' })
  const replica = await tenant.replica({ people, groups, registry })
  await apply({ tenant, replica })
  return { tenant, replica }
}
type At = { readonly tenant: Tenant; readonly replica: TestReplica }
const apply = ({ tenant, replica }: At, over: object = {}) =>
  replica.core.applyApp(admin, tenant.app({ environments: { staging: {}, production: {} }, ...over }), {
    dryRun: false,
  })

async function asked({ tenant, replica }: At, more: object = {}): Promise<Deploy> {
  const input = ask({ app: tenant.name, environment: 'production', revision: '1', ...more })
  const { deploy } = await replica.core.request(ana, input)
  const waits = await phaseOf(tenant, deploy.id, one => one.phase === 'awaiting_approval')
  await until(() => replica.view.live.deploys.get(deploy.id)?.value.phase === 'awaiting_approval')
  return waits
}
const approve = { decision: 'approve' as const, reason: '' }
const plannedOf = async ({ kv, keys }: Tenant, id: string) =>
  (await read(kv, plannedSchema, keys.planned(id)))?.value

describe('what is shown', () => {
  it('is what would change, what to know, and the diff of a dry run', async () => {
    const at = await setUp()
    const first = await asked(at)
    const created = await plannedOf(at.tenant, first.id)
    expect(created?.changes.join('\n')).toMatch(/\+ Deployment web-/)
    expect(created?.notes.join('\n')).toMatch(/namespace production does not exist yet/)
    expect(created).toMatchObject({ since: [], voided: [] })
    await at.replica.core.vote(ben, first.id, approve)
    expect((await ended(at.tenant, first.id)).phase).toBe('succeeded')
    await apply(at, { env: { LOG_LEVEL: 'debug', DB_PASSWORD: 'hunter2hunter2' } })
    const second = await asked(at, { revision: '2' })
    const updated = await plannedOf(at.tenant, second.id)
    expect(updated?.changes).toEqual(
      expect.arrayContaining([expect.stringMatching(/image 1 → 2/), '+ env LOG_LEVEL debug']),
    )
    expect(updated?.diff).toMatch(/^\+.*:2@sha256:/m)
    expect(JSON.stringify(updated)).not.toContain('hunter2')
    expect((await at.replica.core.showDeploy(ben, second.id)).planned).toEqual(updated)
    const [request] = await at.replica.core.approvals(ben)
    expect(request).toMatchObject({ deploy: { id: second.id }, planned: updated, refusal: null })
  })
  it('says that a tag is not pinned', async () => {
    const tenant = world.tenant({
      approvals: environmentSchema.parse({ approvals: { required: 1 } }).approvals,
    })
    const replica = await tenant.replica()
    await replica.core.applyApp(admin, tenant.app(), { dryRun: false })
    const { deploy } = await replica.core.request(admin, ask({ app: tenant.name, revision: '1' }))
    await phaseOf(tenant, deploy.id, one => one.phase === 'awaiting_approval')
    expect((await plannedOf(tenant, deploy.id))?.notes.join('\n')).toMatch(/not pinned to a digest/)
  })
})

describe('what would run changes while it waits', () => {
  it('votes are void, and it is said whose and why', async () => {
    const at = await setUp(2)
    const first = await asked(at)
    await at.replica.core.vote(ben, first.id, approve)
    await apply(at, { env: { LOG_LEVEL: 'debug' } })
    const again = await phaseOf(
      at.tenant,
      first.id,
      one => one.phase === 'awaiting_approval' && one.prepared?.hash !== first.prepared?.hash,
    )
    expect(again.approval?.votes).toEqual([])
    expect(await plannedOf(at.tenant, first.id)).toMatchObject({
      since: ['+ env LOG_LEVEL debug'],
      voided: ['ben'],
    })
    const audit = await at.tenant.kv.list(at.tenant.keys.auditIn('production'))
    expect(audit.entries.map(entry => entry.value).join()).toMatch(
      /"void_votes".*ben: \+ env LOG_LEVEL debug/,
    )
    // It stays said, whatever else changes.
    await apply(at, { env: { LOG_LEVEL: 'debug' }, replicas: 3 })
    await phaseOf(
      at.tenant,
      first.id,
      one => one.phase === 'awaiting_approval' && one.prepared?.hash !== again.prepared?.hash,
    )
    expect(await plannedOf(at.tenant, first.id)).toMatchObject({
      since: ['+ env LOG_LEVEL debug', 'replicas 1 → 3'],
      voided: ['ben'],
    })
  })
  it('nothing is void where the same would run', async () => {
    const at = await setUp(2)
    const first = await asked(at)
    await at.replica.core.vote(ben, first.id, approve)
    // Another key of the app, none that production has.
    await apply(at, { environments: { staging: { replicas: 7 }, production: {} } })
    const again = await phaseOf(
      at.tenant,
      first.id,
      one => one.phase === 'awaiting_approval' && one.prepared?.basis.app !== first.prepared?.basis.app,
    )
    expect(again.prepared?.hash).toBe(first.prepared?.hash)
    expect(again.approval).toMatchObject({
      votes: [{ by: { name: 'ben' } }],
      expiresAt: first.approval?.expiresAt,
    })
    expect(await plannedOf(at.tenant, first.id)).toMatchObject({ since: [], voided: [] })
    await at.replica.core.vote(cho, first.id, approve)
    expect((await ended(at.tenant, first.id)).phase).toBe('succeeded')
  })
  it('another deploy of the app: it is compared once that has ended', async () => {
    const at = await setUp(1)
    const [one, two] = [await asked(at), await asked(at, { revision: '2' })]
    await at.replica.core.vote(ben, one.id, approve)
    expect((await ended(at.tenant, one.id)).phase).toBe('succeeded')
    const again = await phaseOf(
      at.tenant,
      two.id,
      now => now.phase === 'awaiting_approval' && now.prepared?.base.revision === '1',
    )
    expect(again.prepared?.hash).not.toBe(two.prepared?.hash)
    expect((await plannedOf(at.tenant, two.id))?.since[0]).toBe(
      `${at.tenant.name} in production runs 1 now, not nothing any more`,
    )
  })
  it('a tag that was moved is another image', async () => {
    const at = await setUp(1)
    const first = await asked(at)
    const reference = first.prepared?.image.split('@')[0] ?? ''
    digests.set(reference, 'b')
    await apply(at, { environments: { staging: { replicas: 7 }, production: {} } })
    await phaseOf(at.tenant, first.id, one => one.prepared?.digest?.endsWith('b') === true)
    await expect(
      at.replica.core.vote(ben, first.id, { ...approve, hash: first.prepared?.hash }),
    ).rejects.toThrow(/^What would run has changed since it was shown to you, so nothing was decided\./)
    expect((await plannedOf(at.tenant, first.id))?.since.join()).toMatch(/image 1 is another one now/)
  })
  it('a vote that came before it was noticed starts nothing else', async () => {
    const at = await setUp(1)
    const first = await asked(at)
    const change = apply(at, { env: { LOG_LEVEL: 'debug' } })
    const vote = at.replica.core.vote(ben, first.id, { ...approve, hash: first.prepared?.hash })
    await Promise.allSettled([change, vote])
    const now = await phaseOf(at.tenant, first.id, one => {
      const asksAgain = one.phase === 'awaiting_approval' && one.prepared?.hash !== first.prepared?.hash
      return asksAgain || one.startedAt !== null
    })
    // Either it was claimed as it was approved, or it asks again; never what nobody saw.
    if (now.startedAt !== null) expect(now.prepared?.hash).toBe(first.prepared?.hash)
    else expect(now.approval?.votes).toEqual([])
  })
})

it('a replica that would write something else asks again instead', async () => {
  const at = await setUp()
  const { tenant, replica } = at
  const deploy = await asked(at)
  const lock = { app: tenant.name, environment: 'production', reason: 'not yet' }
  await replica.core.lock(admin, { ...lock, expiresIn: '1h', steal: false })
  await until(() => replica.view.live.locks.size === 1)
  await replica.core.vote(ben, deploy.id, { decision: 'approve', reason: '' })
  await replica.stop()
  const environment = tenant.environments.get('production')
  if (!environment) throw new Error('no production')
  // As after a new gkube.yaml: the namespace is not among the objects any more.
  const other = await tenant.replica({
    people,
    groups,
    registry,
    environments: new Map(tenant.environments).set('production', { ...environment, createNamespace: false }),
  })
  await other.core.unlock(admin, lock)
  const again = await phaseOf(tenant, deploy.id, one => one.phase === 'awaiting_approval')
  expect(again.prepared?.hash).not.toBe(deploy.prepared?.hash)
  const planned = await read(tenant.kv, plannedSchema, tenant.keys.planned(deploy.id))
  expect(planned?.value.voided).toEqual(['ben'])
  await other.stop()
})

describe('who may not', () => {
  it('is told who may: people and groups by name', async () => {
    const at = await setUp()
    const { id } = await asked(at)
    await expect(at.replica.core.vote(dan, id, approve)).rejects.toThrow(
      `dan may not approve ${at.tenant.name} in production. Who may: @release-managers, @ben.`,
    )
    const both: Caller = { ...ana, grants: [grant('deployer'), grant('approver')] }
    await expect(at.replica.core.vote(both, id, approve)).rejects.toThrow(
      'You asked for it yourself: who asks may not approve it in production. Who may: @release-managers, @ben.',
    )
    const [seen] = await at.replica.core.approvals(both)
    expect(seen?.refusal).toMatch(/^You asked for it yourself/)
    const stranger: Caller = { actor: { id: 'slack:eve', name: 'eve', via: 'slack' }, grants: [] }
    await expect(at.replica.core.approvals(stranger)).rejects.toMatchObject({ kind: 'forbidden' })
  })
  it('gives a reason where one is asked for; a denial needs none', async () => {
    const at = await setUp(1, { approvals: { required: 1, reason: true } })
    const { id } = await asked(at)
    await expect(at.replica.core.vote(ben, id, { ...approve, reason: '  ' })).rejects.toThrow(
      'An approval in production needs a reason: say why it may go.',
    )
    await at.replica.core.vote(cho, id, { decision: 'deny', reason: '' })
    await expect(at.replica.core.vote(ben, id, { ...approve, reason: 'fine' })).rejects.toThrow(
      /^Already denied by @cho a moment ago\./,
    )
  })
})

describe('App Home', () => {
  it('lists what one asked for, newest first, and what moves, oldest first', async () => {
    const at = await setUp()
    const [one, two] = [await asked(at), await asked(at, { revision: '2' })]
    const { core } = at.replica
    expect((await core.asked(ana, { limit: 10 })).map(({ id }) => id)).toEqual([two.id, one.id])
    expect((await core.asked(ana, { limit: 1 })).map(({ id }) => id)).toEqual([two.id])
    expect(await core.asked(ben, { limit: 10 })).toEqual([])
    expect((await core.openDeploys(ben)).map(({ id }) => id)).toEqual([one.id, two.id])
    expect((await core.approvals(ben)).map(({ deploy }) => deploy.id)).toEqual([one.id, two.id])
    await core.cancel(ana, one.id, { reason: '' })
    expect((await core.openDeploys(ben)).map(({ id }) => id)).toEqual([two.id])
    expect(await core.asked(ana, { limit: 10 })).toHaveLength(2)
    const elsewhere: Caller = { ...ben, grants: [{ ...grant('approver'), apps: ['shop'] }] }
    expect(await core.openDeploys(elsewhere)).toEqual([])
    expect(await core.approvals(elsewhere)).toEqual([])
  })
})
