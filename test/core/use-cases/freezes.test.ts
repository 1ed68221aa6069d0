// A freeze of an environment holds what waits, says so in words, lets rollbacks through, and is overridden by the
// people whom the environment names, loudly. Locks of people are not overridden.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Caller } from '../../../src/core/core.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import { admin, ask } from '../../support/stack.ts'
import {
  ended,
  leftovers,
  phaseOf,
  startWorld,
  type Tenant,
  type TestReplica,
  until,
  type World,
} from '../runner/world.ts'

const who = (name: string, role: 'viewer' | 'deployer' | 'operator'): Caller => ({
  actor: { id: `slack:${name}`, name, via: 'slack' },
  grants: [{ role, apps: ['*'], environments: ['staging', 'production'] }],
  person: name,
})
const [ana, cho, vic] = [who('ana', 'deployer'), who('cho', 'operator'), who('vic', 'viewer')]
const nobody: Caller = { actor: { id: 'slack:eve', name: 'eve', via: 'slack' }, grants: [] }
/** Named in the environment: nothing else, not even a role. */
const dan: Caller = { actor: { id: 'slack:dan', name: 'dan', via: 'slack' }, grants: [], person: 'dan' }
const people = [
  { id: 'cho', name: 'Cho', grants: cho.grants },
  { id: 'dan', name: 'Dan', grants: [] },
]

let world: World
let tenant: Tenant
let replica: TestReplica
beforeAll(async () => {
  world = await startWorld()
})
beforeEach(async () => {
  await setUp()
})

async function setUp(over: object = {}): Promise<void> {
  tenant = world.tenant(
    environmentSchema.parse({ createNamespace: true, breakGlass: ['dan', 'cho'], ...over }),
  )
  tenant.environments.set('production', {
    ...environmentSchema.parse({ createNamespace: true, ...over }),
    name: 'production',
  })
  replica = await tenant.replica({ people })
  await replica.core.applyApp(admin, tenant.app({ environments: { staging: {}, production: {} } }), {
    dryRun: false,
  })
}
const ship = async (more: object = {}) => {
  const { deploy } = await replica.core.request(ana, ask({ app: tenant.name, ...more }))
  return deploy
}
const freeze = async (by: Caller = cho, more: object = {}) => {
  const one = await replica.core.freeze(by, {
    environment: 'staging',
    reason: 'end-of-year freeze',
    endsIn: '24h',
    ...more,
  })
  await until(() => replica.view.live.freezes.size > 0)
  return one
}
const words =
  /^staging is frozen until [A-Z][a-z]{2} \d\d:\d\d UTC: end-of-year freeze, by @cho\. Named people may override: @Dan, @Cho\./

describe('a freeze', () => {
  it('is its own for whoever froze, from Slack and from the command line', async () => {
    await freeze(cho)
    const atDesk: Caller = { ...cho, actor: { id: 'token:1', name: 'cho', via: 'cli', person: 'cho' } }
    const inSlack: Caller = { ...cho, actor: { ...cho.actor, person: 'cho' } }
    await freeze(inSlack, { endsIn: '25h' })
    expect(await freeze(atDesk, { endsIn: '26h', reason: 'longer' })).toMatchObject({ reason: 'longer' })
    await replica.core.unfreeze({ ...atDesk, grants: [] }, { environment: 'staging', reason: '' })
  })

  it('of no time at all is refused, and so is a lock: it would hold nothing', async () => {
    const lock = { environment: 'staging', reason: 'x', expiresIn: '0s', steal: false }
    await expect(replica.core.lock(cho, lock)).rejects.toMatchObject({ kind: 'bad_input' })
    await expect(freeze(cho, { endsIn: '0s' })).rejects.toMatchObject({ kind: 'bad_input' })
  })

  it('has an end that can be told, and so has a lock: else nobody could read or lift it', async () => {
    const long = '9999999999h'
    await expect(freeze(cho, { endsIn: long })).rejects.toMatchObject({ kind: 'bad_input' })
    const lock = { environment: 'staging', reason: 'x', expiresIn: long, steal: false }
    await expect(replica.core.lock(cho, lock)).rejects.toMatchObject({ kind: 'bad_input' })
    expect(await replica.core.locks(cho)).toEqual([])
    expect(await replica.core.freezes(cho)).toEqual([])
  })
  it('holds what was overridden again once something else would run: it is in the audit, and is told', async () => {
    await freeze()
    await replica.core.lock(cho, { environment: 'staging', reason: 'x', expiresIn: '1h', steal: false })
    const { id } = await ship({ revision: '1' })
    await phaseOf(tenant, id, one => one.phase === 'ready')
    await replica.core.override(dan, id, { reason: 'fire' })
    await replica.core.applyApp(
      admin,
      tenant.app({ env: { LOG_LEVEL: 'debug' }, environments: { staging: {}, production: {} } }),
      { dryRun: false },
    )
    await replica.core.unlock(cho, { environment: 'staging', reason: '' })
    const again = await phaseOf(tenant, id, one => one.phase === 'ready' && one.overridden === null)
    expect(again.approval).toBeNull()
    const { entries } = await tenant.kv.list(tenant.keys.auditIn('staging'))
    expect(entries.map(({ value }) => JSON.parse(value))).toContainEqual(
      expect.objectContaining({
        action: 'void_votes',
        outcome: 'void',
        deploy: id,
        detail: expect.stringMatching(/^dan: .*LOG_LEVEL/),
      }),
    )
    expect((await replica.core.showDeploy(ana, id)).planned).toMatchObject({ voided: ['dan'] })
  })
  it('holds what waits, in words, until it is lifted', async () => {
    await freeze()
    const { id } = await ship({ revision: '1' })
    await phaseOf(tenant, id, one => one.phase === 'ready')
    await until(async () => (await replica.core.showDeploy(ana, id)).waiting !== null)
    expect((await replica.core.showDeploy(ana, id)).waiting).toMatch(words)
    await expect(ship({ revision: '2', wait: false })).rejects.toMatchObject({
      kind: 'held',
      message: expect.stringMatching(words),
      details: { freeze: { environment: 'staging' } },
    })
    await replica.core.unfreeze(cho, { environment: 'staging', reason: 'done' })
    expect((await ended(tenant, id)).phase).toBe('succeeded')
    expect(await leftovers(tenant)).toEqual([])
  })
  it('is of one environment only', async () => {
    await freeze()
    const { id } = await ship({ revision: '1', environment: 'production' })
    expect((await ended(tenant, id)).phase).toBe('succeeded')
  })
  it('leaves what runs alone, and lets a rollback through', async () => {
    for (const revision of ['1', '2']) await ended(tenant, (await ship({ revision })).id)
    await freeze()
    const { id } = await ship({ kind: 'rollback', wait: false })
    expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded', revision: '1' })
    const [status] = await replica.core.status(vic, { app: tenant.name, environment: 'staging' })
    expect(status).toMatchObject({ freeze: { reason: 'end-of-year freeze' }, lock: null })
  })
  it('holds every kind but a rollback', async () => {
    await ended(tenant, (await ship({ revision: '1' })).id)
    await freeze()
    for (const kind of ['deploy', 'redeploy', 'restart', 'scale', 'delete'] as const) {
      const more = { kind, revision: kind === 'deploy' ? '2' : undefined, replicas: 2, wait: false }
      const asked = replica.core.request(cho, ask({ app: tenant.name, ...more }))
      await expect(asked, kind).rejects.toMatchObject({ kind: 'held' })
    }
  })
  it('ends by itself, and is swept away', async () => {
    await freeze(cho, { endsIn: '1s' })
    const { id } = await ship({ revision: '1' })
    await phaseOf(tenant, id, one => one.phase === 'ready')
    expect(replica.view.live.freezes.size).toBe(1)
    replica.sweeper.start()
    expect((await ended(tenant, id)).phase).toBe('succeeded')
    await until(() => replica.view.live.freezes.size === 0)
    expect(await replica.core.freezes(vic)).toEqual([])
    await replica.sweeper.stop()
  })
  it('that comes between look and claim is honoured: the claim compares its key', async () => {
    let before: () => Promise<unknown> = async () => undefined
    const racing = await tenant.replica({
      people,
      kv: kv => ({
        ...kv,
        async commit(commit) {
          const claims = commit.writes.some(write => write.kind === 'put' && write.key.includes('/slots/'))
          if (claims) await before()
          return kv.commit(commit)
        },
      }),
    })
    await replica.stop()
    before = async () => {
      before = async () => undefined
      await racing.core.freeze(cho, { environment: 'staging', reason: 'end-of-year freeze', endsIn: '1h' })
    }
    const { deploy } = await racing.core.request(ana, ask({ app: tenant.name, revision: '1' }))
    await until(async () => words.test((await racing.core.showDeploy(ana, deploy.id)).waiting ?? ''))
    expect((await phaseOf(tenant, deploy.id, one => one.phase === 'ready')).startedAt).toBeNull()
    await racing.core.override(dan, deploy.id, { reason: 'it must' })
    expect((await ended(tenant, deploy.id)).phase).toBe('succeeded')
  })
})

describe('who freezes', () => {
  it('needs the right for all of the environment, a reason and a time', async () => {
    await expect(freeze(ana)).rejects.toThrow(/^ana may not freeze all apps in staging\. Who may: @Cho\./)
    await expect(freeze(nobody)).rejects.toMatchObject({ kind: 'forbidden' })
    await expect(freeze(cho, { reason: '  ' })).rejects.toThrow('Say why staging is frozen')
    await expect(freeze(cho, { endsIn: '0s' })).rejects.toThrow('Say how long it is frozen')
    await expect(freeze(cho, { environment: 'stagign' })).rejects.toThrow(/Did you mean `staging`/)
    expect(await replica.core.freezes(vic)).toEqual([])
  })
  it('changes their own, not another’s', async () => {
    const first = await freeze()
    const longer = await freeze(cho, { endsIn: '48h' })
    expect(longer.endsAt).toBeGreaterThan(first.endsAt)
    await expect(freeze(admin)).rejects.toThrow(/end-of-year freeze, by @cho\..* Unfreeze it first\.$/)
    await expect(replica.core.unfreeze(ana, { environment: 'staging', reason: '' })).rejects.toMatchObject({
      kind: 'forbidden',
    })
    await replica.core.unfreeze(admin, { environment: 'staging', reason: '' })
    await expect(replica.core.unfreeze(cho, { environment: 'staging', reason: '' })).rejects.toThrow(
      'staging is not frozen.',
    )
    const audit = await tenant.kv.list(tenant.keys.auditIn('staging'))
    const told = audit.entries.map(({ value }) => JSON.parse(value)).filter(one => /freeze/.test(one.action))
    expect(told.map(one => `${one.by.name} ${one.action} ${one.outcome}`).sort()).toEqual([
      // What was refused, too.
      'ana freeze held',
      'ana unfreeze forbidden',
      'ana unfreeze unfrozen',
      'cho freeze changed',
      'cho freeze frozen',
    ])
  })
})

describe('break-glass', () => {
  it('a named person lets through what is frozen, with a reason; the audit is loud', async () => {
    await freeze()
    const { id } = await ship({ revision: '1' })
    await phaseOf(tenant, id, one => one.phase === 'ready')
    await expect(replica.core.override(admin, id, { reason: 'fire' })).rejects.toThrow(
      'ana may not override in staging. Who may: @Dan, @Cho.',
    )
    await expect(replica.core.override(dan, id, { reason: ' ' })).rejects.toThrow(/needs a reason/)
    await replica.core.override(dan, id, { reason: 'the shop is down' })
    expect(await ended(tenant, id)).toMatchObject({
      phase: 'succeeded',
      overridden: { by: { name: 'dan' }, reason: 'the shop is down' },
    })
    await expect(replica.core.override(cho, id, { reason: 'me too' })).rejects.toThrow(
      '@dan overrode it, a moment ago; it is live.',
    )
    const audit = await tenant.kv.list(tenant.keys.auditIn('staging'))
    expect(audit.entries.map(({ value }) => JSON.parse(value))).toContainEqual(
      expect.objectContaining({
        action: 'override',
        by: dan.actor,
        deploy: id,
        detail: 'BREAK-GLASS: the shop is down',
      }),
    )
  })
  it('starts what waits for approval, frozen or not', async () => {
    await setUp({ approvals: { required: 2 } })
    await freeze()
    const { id } = await ship({ revision: '1' })
    await phaseOf(tenant, id, one => one.phase === 'awaiting_approval')
    await replica.core.override(cho, id, { reason: 'the shop is down' })
    expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded', approval: { votes: [] } })
    expect(await leftovers(tenant)).toEqual([])
  })
  it('goes past what stays frozen where each deploy is kept', async () => {
    await setUp({ queue: 'keep' })
    await freeze()
    const [one, two] = [await ship({ revision: '1' }), await ship({ revision: '2' })]
    for (const { id } of [one, two]) await phaseOf(tenant, id, now => now.phase === 'ready')
    await replica.core.override(dan, two.id, { reason: 'the shop is down' })
    expect((await ended(tenant, two.id)).phase).toBe('succeeded')
    // The view hears of the end a moment later.
    await until(() => !replica.view.live.deploys.has(two.id))
    expect((await replica.core.openDeploys(vic)).map(({ id }) => id)).toEqual([one.id])
  })
  it('does not override a person’s lock', async () => {
    await replica.core.lock(cho, {
      environment: 'staging',
      app: tenant.name,
      reason: 'debugging',
      expiresIn: '1h',
      steal: false,
    })
    await until(() => replica.view.live.locks.size === 1)
    const { id } = await ship({ revision: '1' })
    await phaseOf(tenant, id, one => one.phase === 'ready')
    await expect(replica.core.override(dan, id, { reason: 'x' })).rejects.toThrow(
      'Neither an approval nor a freeze is in its way: it waits for its turn.',
    )
    await freeze()
    await replica.core.override(dan, id, { reason: 'the shop is down' })
    expect((await replica.core.showDeploy(vic, id)).waiting).toMatch(/is locked by cho: debugging/)
    await replica.core.unlock(cho, { environment: 'staging', app: tenant.name, reason: '' })
    expect((await ended(tenant, id)).phase).toBe('succeeded')
  })
  it('is nobody’s where the environment names no one', async () => {
    const { id } = await ship({ revision: '1', environment: 'production' })
    await expect(replica.core.override(cho, id, { reason: 'x' })).rejects.toThrow(
      'cho may not override in production. Nobody may: environments.production.breakGlass in gkube.yaml names no one.',
    )
    await ended(tenant, id)
  })
})
