// doctor: each thing is tried in its own time, what fails says how to mend it, and nothing hides the rest.
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ClusterError } from '../../../src/core/cluster.ts'
import type { Caller, Check } from '../../../src/core/core.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import { keysBelow } from '../../../src/core/keys.ts'
import type { Deps } from '../../../src/core/use-cases/deps.ts'
import { doctor } from '../../../src/core/use-cases/doctor.ts'
import { systemClock } from '../../../src/server.ts'
import { testKv } from '../../support/etcd.ts'

const viewer: Caller = {
  actor: { id: 'slack:U1', name: 'ana', via: 'slack' },
  grants: [{ role: 'viewer', apps: ['*'], environments: ['staging'] }],
}
const noon = Date.UTC(2026, 10, 23, 12)
const live = { deploys: new Map(), owners: new Map(), locks: new Map(), freezes: new Map() }
const healthy = { version: '3.5.0', dbSize: 10_000_000, dbQuota: 100_000_000, alarms: [] as string[] }
const cluster = (server: () => Promise<unknown>) =>
  new Map([['default', { name: 'default', server }]]) as unknown as Deps['clusters'] // nothing else is asked

/** Doctor of a world that is well, but for `over`. Waiting takes a twentieth of its time. */
async function checks(over: object = {}): Promise<Check[]> {
  const deps = {
    kv: { get: async () => null },
    keys: keysBelow('/t/'),
    clock: {
      now: () => noon,
      sleep: (ms: number, signal?: AbortSignal) =>
        wait(ms / 20, undefined, { signal }).catch(() => undefined),
    },
    view: { live },
    environments: new Map([['staging', { ...environmentSchema.parse({}), name: 'staging' }]]),
    clusters: cluster(async () => ({ version: 'v1.35.1', minor: 35 })),
    people: [],
    etcd: async () => healthy,
    log: () => undefined,
    ...over,
  }
  return [...(await doctor(deps as unknown as Deps)(viewer))]
}
const named = (all: Check[], name: string) => all.find(check => check.name === name)

describe('doctor', () => {
  it('finds nothing where all is well', async () => {
    const all = await checks()
    expect(all.map(({ name, state, mend }) => `${name} ${state}${mend}`)).toEqual([
      'etcd ok',
      'etcd space ok',
      'clock ok',
      'cluster default ok',
    ])
    expect(named(all, 'etcd space')?.message).toBe('etcd 3.5.0 holds 10 MB of 100 MB (10 %)')
    expect(named(all, 'cluster default')?.message).toBe('v1.35.1, for staging')
  })
  it('asks the real etcd', async () => {
    const kv = await testKv()
    // In real time: its first connection takes a while.
    const all = await checks({ kv, etcd: () => kv.ping(), clock: systemClock })
    expect(named(all, 'etcd')?.message).toMatch(/^answers in \d+ ms$/)
    expect(named(all, 'etcd space')).toMatchObject({
      state: 'ok',
      message: expect.stringMatching(/ of \d+ MB/),
    })
  })
  const bad: [string, object, string, Check['state'], RegExp, RegExp][] = [
    [
      'an etcd that is nearly full',
      { etcd: async () => ({ ...healthy, dbSize: 71_000_000 }) },
      'etcd space',
      'warning',
      /71 MB of 100 MB \(71 %\)/,
      /defragment/,
    ],
    [
      'an etcd without space',
      { etcd: async () => ({ ...healthy, alarms: ['NOSPACE'] }) },
      'etcd space',
      'failed',
      /NOSPACE: it takes no writes/,
      /alarm disarm/,
    ],
    [
      'an etcd that does not answer',
      { kv: { get: async () => Promise.reject(new Error('etcd does not answer')) } },
      'etcd',
      'failed',
      /etcd does not answer/,
      /log/,
    ],
    [
      'a cluster that refuses',
      {
        clusters: cluster(async () => {
          throw new ClusterError('unauthorized', 'Unauthorized: token=abcdef1234567890')
        }),
      },
      'cluster default',
      'failed',
      /^Unauthorized: token=\[redacted\] \(for staging\)$/,
      /clusters\.default in gkube\.yaml/,
    ],
    [
      'a cluster that hangs',
      { clusters: cluster(() => new Promise(() => undefined)) },
      'cluster default',
      'failed',
      /no answer in 4 s/,
      /network/,
    ],
    [
      'a check of another side that throws at once',
      {
        checks: [
          () => {
            throw new Error('xoxb-1234567890-abcdef is wrong')
          },
        ],
      },
      'check 1',
      'failed',
      /^\[redacted\] is wrong$/,
      /log/,
    ],
    [
      'a replica whose clock is ahead',
      { view: { live: { ...live, freezes: new Map([['x', { value: { at: noon + 60_000 } }]]) } } },
      'clock',
      'warning',
      /another replica's clock is 60 s ahead/,
      /NTP/,
    ],
  ]
  it.each(bad)('names %s and how to mend it, and goes on', async (_, over, name, state, message, mend) => {
    const all = await checks(over)
    expect(named(all, name)).toMatchObject({
      state,
      message: expect.stringMatching(message),
      mend: expect.stringMatching(mend),
    })
    expect(all.filter(check => check.state === 'ok').length).toBeGreaterThanOrEqual(3)
  })
  it('calls etcd slow where it is', async () => {
    let now = 0
    const clock = { now: () => now, sleep: () => new Promise(() => undefined) }
    const slow = {
      get: async () => {
        now += 250
        return null
      },
    }
    const all = await checks({ clock, kv: slow })
    expect(named(all, 'etcd')).toMatchObject({
      state: 'warning',
      message: 'answers in 250 ms, which is slow',
    })
  })
  it('adds what other sides look at', async () => {
    const slack: Check = { name: 'slack', state: 'ok', message: 'gkube in sandbox', mend: '' }
    expect(await checks({ checks: [async () => [slack]] })).toContainEqual(slack)
  })
  it('is for those who may look', async () => {
    const nobody: Caller = { ...viewer, grants: [] }
    await expect(doctor({ people: [] } as unknown as Deps)(nobody)).rejects.toMatchObject({
      kind: 'forbidden',
    })
  })
})
