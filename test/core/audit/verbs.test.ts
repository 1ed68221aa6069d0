// Every verb that changes something leaves its entry, done or refused, on a real etcd: who, what, where, from where, and
// what came of it. The last case holds this table to the list of verbs.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { changingVerbs } from '../../../src/core/audit/refused.ts'
import type { AuditEntry } from '../../../src/core/audit/verbs.ts'
import { type Caller, type Core, requestInput } from '../../../src/core/core.ts'
import { coreOf } from '../../../src/core/core-of.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import { keysBelow } from '../../../src/core/keys.ts'
import { createLedger } from '../../../src/core/ledger.ts'
import { put } from '../../../src/core/records.ts'
import type { Deps } from '../../../src/core/use-cases/deps.ts'
import { createView } from '../../../src/core/view.ts'
import { testKv } from '../../support/etcd.ts'
import { webApp } from '../../support/stack.ts'
import { ended, place, startWorld, type Tenant, type TestReplica } from '../runner/world.ts'
import { deployOf, prepared } from '../sample.ts'
import { buildsWorld, jobFacts, scripted } from '../use-cases/builds-world.ts'

const callerOf = (name: string, role: Caller['grants'][number]['role']): Caller => ({
  actor: { id: `slack:${name}`, name, via: 'slack' },
  grants: [{ role, apps: ['*'], environments: ['*', 'production'] }],
  person: name,
})
/** Admin and named for break-glass; looks only; lets ana's requests through. */
const [ana, eve, ben] = [callerOf('ana', 'admin'), callerOf('eve', 'viewer'), callerOf('ben', 'approver')]
const signal = new AbortController().signal

async function lightWorld() {
  const kv = await testKv()
  const keys = keysBelow(kv.root)
  const clock = { now: Date.now, sleep: async () => undefined }
  const log: string[] = []
  const failed = (error: unknown) => void log.push(String(error))
  const approvals = { required: 1 }
  const environments = new Map(
    (['staging', 'production'] as const).map(name => [
      name as string,
      { ...environmentSchema.parse({ approvals, breakGlass: ['ana'] }), name },
    ]),
  )
  const base = { kv, keys, clock, random: Math.random }
  const deps = {
    ...base,
    ledger: createLedger(base),
    view: createView({ ...base, unreadable: failed, failed }),
    environments,
    clusters: new Map(),
    people: [],
    bootstrap: null,
    artifacts: { touch: async () => 17 },
    jenkins: { ask: scripted({ job: async () => jobFacts('shop/web') }), channel: null, events: 'changes' },
    log: (message: string, error: unknown) => void log.push(`${message}: ${error}`),
  }
  // The other things that use cases are given are not read here.
  const core = coreOf(deps as unknown as Deps)
  let ids = 0
  /** A request of ana's that waits for approval, written as the runner writes it. */
  const waiting = async (): Promise<string> => {
    const id = `audit${++ids}`
    const deploy = deployOf({
      id,
      environment: 'production',
      phase: 'awaiting_approval',
      prepared,
      approval: { required: 1, requesterCounts: false, votes: [], expiresAt: Date.now() + 60_000 },
      requestedBy: ana.actor,
    })
    await kv.commit({
      compares: [{ kind: 'absent', key: keys.deploy(id) }],
      writes: [
        put(keys.deploy(id), deploy),
        put(keys.historyEntry('production', 'web', id), { schema: 1 }),
        put(keys.openEntry(id), { schema: 1 }),
      ],
    })
    return id
  }
  return { kv, core, waiting, log }
}

let light: Awaited<ReturnType<typeof lightWorld>>
let core: Core
beforeAll(async () => {
  light = await lightWorld()
  core = light.core
  await core.applyApp(ana, webApp({ environments: { staging: {}, production: {} } }), { dryRun: false })
})

/** What the audit holds, newest first. */
const newest = async (on: Core = core, limit = 200): Promise<readonly AuditEntry[]> =>
  (await on.audit(ana, { limit })).entries

/** The entries that `work` leaves behind. */
async function left(work: () => Promise<unknown>, on: Core = core): Promise<readonly AuditEntry[]> {
  const before = new Set((await newest(on)).map(one => one.id))
  await work()
  return (await newest(on)).filter(one => !before.has(one.id)).toReversed()
}

const words = ({ by, action, outcome, app, environment, deploy }: AuditEntry): string =>
  [by.name, action, outcome, app ?? '-', environment, deploy ? 'deploy' : ''].join(' ').trim()

const request = (more: object = {}) =>
  requestInput.parse({ app: 'web', environment: 'staging', revision: '1.4.2', ...more })
const here = { app: 'web', environment: 'staging' }
const token = {
  name: 'ci',
  grants: [{ role: 'viewer' as const, apps: ['*'], environments: ['*'] }],
  expiresIn: '1h',
}
const other = (name: string) => webApp({ app: name, jobs: [], environments: { staging: {} } })
const reason = 'why not'
const locking = { ...here, reason, expiresIn: '1h', steal: false }

type Case = {
  readonly verb: keyof Core
  readonly does: (id: string) => Promise<unknown>
  readonly leaves: readonly string[]
}

const done: readonly Case[] = [
  {
    verb: 'applyApp',
    does: () => core.applyApp(ana, other('api'), { dryRun: false }),
    leaves: ['ana apply_app created api -'],
  },
  {
    verb: 'request',
    does: () => core.request(ana, request()),
    leaves: ['ana request_deploy requested web staging deploy'],
  },
  {
    verb: 'request',
    does: () => core.request(ana, request({ app: undefined, spec: other('sent') })),
    leaves: ['ana request_deploy requested sent staging deploy', 'ana apply_app created sent -'],
  },
  { verb: 'deleteApp', does: () => core.deleteApp(ana, 'api'), leaves: ['ana delete_app deleted api -'] },
  {
    verb: 'vote',
    does: id => core.vote(ben, id, { decision: 'approve', reason }),
    leaves: ['ben vote ready web production deploy'],
  },
  {
    verb: 'vote',
    does: id => core.vote(ben, id, { decision: 'deny', reason }),
    leaves: ['ben vote denied web production deploy'],
  },
  {
    verb: 'override',
    does: id => core.override(ana, id, { reason }),
    leaves: ['ana override ready web production deploy'],
  },
  {
    verb: 'cancel',
    does: id => core.cancel(ana, id, { reason }),
    leaves: ['ana cancel cancelled web production deploy'],
  },
  {
    verb: 'abort',
    does: id => core.abort(ana, id, { reason }),
    leaves: ['ana cancel cancelled web production deploy'],
  },
  {
    verb: 'release',
    does: () => core.release(ana, { app: 'web', environment: 'production', reason }),
    leaves: ['ana release failed web production deploy', 'ana release released web production'],
  },
  { verb: 'lock', does: () => core.lock(ana, locking), leaves: ['ana lock locked web staging'] },
  {
    verb: 'unlock',
    does: () => core.unlock(ana, { ...here, reason }),
    leaves: ['ana unlock unlocked web staging'],
  },
  {
    verb: 'freeze',
    does: () => core.freeze(ana, { environment: 'staging', reason, endsIn: '1h' }),
    leaves: ['ana freeze frozen - staging'],
  },
  {
    verb: 'unfreeze',
    does: () => core.unfreeze(ana, { environment: 'staging', reason }),
    leaves: ['ana unfreeze unfrozen - staging'],
  },
  {
    verb: 'createToken',
    does: () => core.createToken(ana, token),
    leaves: ['ana create_token created - -'],
  },
  {
    verb: 'revokeToken',
    does: async () => core.revokeToken(ana, (await core.listTokens(ana))[0]?.id ?? ''),
    leaves: ['ana revoke_token revoked - -'],
  },
  {
    verb: 'recordArtifact',
    does: () => core.recordArtifact(ana, { app: 'web', revision: '1', sha256: 'a'.repeat(64) }),
    leaves: ['ana record_artifact recorded web -'],
  },
  {
    verb: 'build',
    does: () => core.build(ana, { job: 'shop/web', parameters: {} }),
    leaves: ['ana build asked web -'],
  },
  {
    verb: 'subscribe',
    does: () => core.subscribe(ana, { channel: 'C0DEV', app: 'web', events: 'all' }),
    leaves: ['ana subscribe subscribed web -'],
  },
  {
    verb: 'unsubscribe',
    does: () => core.unsubscribe(ana, { channel: 'C0DEV', app: 'web' }),
    leaves: ['ana unsubscribe unsubscribed web -'],
  },
]

describe('what is done', () => {
  it.each(done.map(one => ({ ...one, says: one.leaves.join(', ') })))(
    '$verb: $says',
    async ({ does, leaves }) => {
      const id = await light.waiting()
      const entries = await left(() => does(id))
      // Those of one transaction have one time.
      expect(entries.map(words).toSorted()).toEqual(expect.arrayContaining([...leaves].toSorted()))
      const known = ['release', 'request_deploy'].includes(entries[0]?.action ?? '')
      if (!known) expect(entries).toHaveLength(leaves.length)
      for (const entry of entries) {
        expect(entry.by.via).toBe('slack')
        expect(Math.abs(entry.at - Date.now())).toBeLessThan(60_000)
      }
    },
  )
})

const refusedCases: readonly Case[] = [
  {
    verb: 'applyApp',
    does: () => core.applyApp(eve, other('evil'), { dryRun: false }),
    leaves: ['eve apply_app forbidden evil -'],
  },
  { verb: 'deleteApp', does: () => core.deleteApp(eve, 'web'), leaves: ['eve delete_app forbidden web -'] },
  {
    verb: 'request',
    does: () => core.request(eve, request()),
    leaves: ['eve request_deploy forbidden web staging'],
  },
  {
    verb: 'request',
    does: () => core.request(eve, request({ kind: 'delete' })),
    leaves: ['eve request_delete forbidden web staging'],
  },
  {
    verb: 'request',
    does: () => core.request(ana, request({ wait: false })),
    leaves: ['ana request_deploy held web staging'],
  },
  {
    verb: 'adopt',
    does: () =>
      core.adopt(eve, {
        ...here,
        workload: 'deployment/old',
        confirm: 'x'.repeat(64),
      } as Parameters<Core['adopt']>[1]),
    leaves: ['eve request_adopt forbidden web staging'],
  },
  {
    verb: 'cancel',
    does: id => core.cancel(eve, id, { reason }),
    leaves: ['eve cancel forbidden web production deploy'],
  },
  {
    verb: 'abort',
    does: id => core.abort(ben, id, { reason }),
    leaves: ['ben cancel forbidden web production deploy'],
  },
  {
    verb: 'vote',
    does: id => core.vote(eve, id, { decision: 'approve', reason }),
    leaves: ['eve vote forbidden web production deploy'],
  },
  {
    verb: 'vote',
    does: id => core.vote(ana, id, { decision: 'approve', reason }),
    leaves: ['ana vote forbidden web production deploy'],
  },
  {
    verb: 'mayVote',
    does: id => core.mayVote(eve, id, { decision: 'deny' }),
    leaves: ['eve vote forbidden web production deploy'],
  },
  {
    verb: 'override',
    does: id => core.override(eve, id, { reason }),
    leaves: ['eve override forbidden web production deploy'],
  },
  {
    verb: 'deletePod',
    does: () => core.deletePod(eve, { ...here, pod: 'web-1' }),
    leaves: ['eve delete_pod forbidden web staging'],
  },
  {
    verb: 'run',
    does: () => all(core.run(eve, { ...here, command: ['ls'], timeout: '1m' }, signal)),
    leaves: ['eve run forbidden web staging'],
  },
  {
    verb: 'exec',
    does: () => all(core.exec(eve, { ...here, command: ['ls'] }, signal)),
    leaves: ['eve exec forbidden web staging'],
  },
  {
    verb: 'exec',
    does: () => all(core.exec(ana, { ...here, command: ['ls'] }, signal)),
    leaves: ['ana exec forbidden web staging'],
  },
  { verb: 'lock', does: () => core.lock(eve, locking), leaves: ['eve lock forbidden web staging'] },
  {
    verb: 'lock',
    does: async () => {
      await core.lock(ana, { ...locking, app: 'held' })
      await core.lock({ ...ana, actor: ben.actor }, { ...locking, app: 'held' })
    },
    leaves: ['ana lock locked held staging', 'ben lock held held staging'],
  },
  {
    verb: 'unlock',
    does: () => core.unlock(eve, { ...here, app: 'held', reason }),
    leaves: ['eve unlock forbidden held staging'],
  },
  {
    verb: 'freeze',
    does: () => core.freeze(eve, { environment: 'staging', reason, endsIn: '1h' }),
    leaves: ['eve freeze forbidden - staging'],
  },
  {
    verb: 'unfreeze',
    does: async () => {
      await core.freeze(ana, { environment: 'staging', reason, endsIn: '1h' })
      await core.unfreeze(eve, { environment: 'staging', reason })
    },
    leaves: ['ana freeze frozen - staging', 'eve unfreeze forbidden - staging'],
  },
  {
    verb: 'release',
    does: () => core.release(eve, { ...here, reason }),
    leaves: ['eve release forbidden web staging'],
  },
  {
    verb: 'createToken',
    does: () => core.createToken(eve, token),
    leaves: ['eve create_token forbidden - -'],
  },
  { verb: 'revokeToken', does: () => core.revokeToken(eve, 'x'), leaves: ['eve revoke_token forbidden - -'] },
  {
    verb: 'recordArtifact',
    does: () => core.recordArtifact(eve, { app: 'web', revision: '1', sha256: 'a'.repeat(64) }),
    leaves: ['eve record_artifact forbidden web -'],
  },
  {
    verb: 'deleteVolume',
    does: () => core.deleteVolume(eve, { ...here, storage: 'data', typed: 'staging/web/data' }),
    leaves: ['eve delete_volume forbidden web staging'],
  },
  {
    verb: 'build',
    does: () => core.build(eve, { job: 'shop/web', parameters: {} }),
    leaves: ['eve build forbidden web -'],
  },
  {
    verb: 'subscribe',
    does: () => core.subscribe(eve, { channel: 'C0DEV', app: 'web', events: 'all' }),
    leaves: ['eve subscribe forbidden web -'],
  },
  {
    verb: 'unsubscribe',
    does: async () => {
      await core.subscribe(ana, { channel: 'C0OPS', app: 'web', events: 'all' })
      await core.unsubscribe(eve, { channel: 'C0OPS', app: 'web' })
    },
    leaves: ['ana subscribe subscribed web -', 'eve unsubscribe forbidden web -'],
  },
  {
    verb: 'receiveBuild',
    does: () =>
      core.receiveBuild({ name: 'ci', jobs: ['other/*'] }, { job: 'shop/web', number: 1 } as Parameters<
        Core['receiveBuild']
      >[1]),
    leaves: ['hook ci receive_build forbidden - -'],
  },
]

async function all(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}

describe('what is refused', () => {
  it.each(refusedCases.map(one => ({ ...one, says: one.leaves.at(-1) })))(
    '$verb: $says',
    async ({ does, leaves }) => {
      // Refusals of one kind in one minute are one entry: each case on a core of its own minute.
      light = await lightWorld()
      core = light.core
      await core.applyApp(ana, webApp({ environments: { staging: {}, production: {} } }), { dryRun: false })
      await core.lock(ana, { ...locking, app: 'held' })
      const id = await light.waiting()
      const entries = await left(() => expect(does(id)).rejects.toMatchObject({ name: 'UserError' }))
      expect(entries.map(words)).toEqual(leaves)
      expect(entries.at(-1)?.detail).not.toBe('')
      expect(light.log).toEqual([])
    },
  )
})

describe('on a cluster', () => {
  let tenant: Tenant
  let replica: TestReplica
  beforeAll(async () => {
    const world = await startWorld()
    tenant = world.tenant({ exec: true })
    replica = await tenant.replica()
    await replica.core.applyApp(ana, tenant.app(), { dryRun: false })
    const { deploy } = await replica.core.request(ana, request({ app: tenant.name, environment: place }))
    expect((await ended(tenant, deploy.id)).phase).toBe('succeeded')
  })
  afterAll(() => replica.stop())

  it('each change of phase of a deploy has its entry', async () => {
    const entries = (await newest(replica.core)).toReversed().filter(one => one.deploy !== null)
    expect(entries.map(one => `${one.by.name} ${one.action} ${one.outcome}`)).toEqual([
      'ana request_deploy requested',
      'gkube prepare preparing',
      'gkube prepared ready',
      'gkube claim running',
      'gkube step_done succeeded',
    ])
  })

  it('run, exec and the deletion of a pod: before they are done, and how they ended', async () => {
    const at = { app: tenant.name, environment: place }
    const ran = await left(
      () => all(replica.core.run(ana, { ...at, command: ['true'], timeout: '1m' }, signal)),
      replica.core,
    )
    expect(ran.map(one => `${one.action} ${one.outcome}`)).toEqual(['run started', 'run ended'])
    expect(ran[1]?.detail).toContain('exit code')
    const executed = await left(
      () => all(replica.core.exec(ana, { ...at, command: ['echo', 'hi'] }, signal)),
      replica.core,
    )
    expect(executed.map(one => `${one.action} ${one.outcome}`)).toEqual(['exec started', 'exec ended'])
    const [pod] = await replica.core.pods(ana, at)
    const deleted = await left(
      () => replica.core.deletePod(ana, { ...at, pod: pod?.name ?? '' }),
      replica.core,
    )
    expect(deleted.map(words)).toEqual([`ana delete_pod deleted ${tenant.name} staging`])
  }, 30_000)

  it('a lock whose time is over is unlocked by gkube, and says so', async () => {
    const at = { app: tenant.name, environment: place }
    await replica.core.lock(ana, { ...at, reason, expiresIn: '1s', steal: false })
    await expect
      .poll(async () => (await newest(replica.core))[0], { timeout: 10_000, interval: 100 })
      .toMatchObject({ action: 'lock' })
    const until = Date.now() + 10_000
    while ((await tenant.kv.get(tenant.keys.lockApp(place, tenant.name))) && Date.now() < until)
      await replica.sweeper.sweep()
    expect((await newest(replica.core))[0]).toMatchObject({
      action: 'unlock',
      outcome: 'expired',
      by: { id: 'gkube' },
      app: tenant.name,
    })
  })
})

it('the table has every verb that changes something', () => {
  // Its own tests have these: they need a workload of another manager, a pool, a build that runs.
  const elsewhere = [
    'adopt',
    'deleteVolume',
    // Writes nothing but that somebody was refused.
    'mayVote',
    'stopBuild',
    'answerInput',
    'receiveBuild',
    'deletePod',
    'run',
    'exec',
  ]
  expect([...new Set(done.map(one => one.verb)), ...elsewhere].toSorted()).toEqual(
    [...changingVerbs].toSorted(),
  )
  const refusedElsewhere = ['stopBuild', 'answerInput']
  expect([...new Set(refusedCases.map(one => one.verb)), ...refusedElsewhere].toSorted()).toEqual(
    [...changingVerbs].toSorted(),
  )
})

it('what is wanted of a build that runs is refused with an entry, too', async () => {
  const world = await buildsWorld()
  const own = coreOf({ ...world.deps, environments: new Map() } as Deps)
  const { build } = await own.build(ana, { job: 'shop/web', parameters: {} })
  await expect(own.stopBuild(eve, build.id, { reason })).rejects.toThrow('may not')
  await expect(
    own.answerInput(eve, build.id, { input: 'Go', decision: 'proceed', parameters: {} }),
  ).rejects.toThrow('may not')
  // All at one time of this world's clock.
  expect((await newest(own)).map(words).toSorted()).toEqual([
    'ana build asked web -',
    'eve answer_input forbidden web -',
    'eve stop_build forbidden web -',
  ])
})
