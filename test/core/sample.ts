// Records for tests of the pure core: a deploy in any phase, with what the test cares about put over it.
import type { Actor, Deploy, StepName } from '../../src/core/deploy.ts'
import { noOverrides } from '../../src/core/workload.ts'

export const ana: Actor = { id: 'slack:U1', name: 'ana', via: 'slack' }
export const ben: Actor = { id: 'slack:U2', name: 'ben', via: 'slack' }

export const prepared: NonNullable<Deploy['prepared']> = {
  cluster: 'default',
  namespace: 'staging',
  spec: 'spec-2',
  image: 'registry.example.com/shop/web:1.4.2',
  digest: null,
  base: { revision: '1.4.1', spec: 'spec-1', overrides: noOverrides },
  overrides: noOverrides,
  basis: { app: '7', workload: '9' },
  onFailure: 'rollback',
  onCancel: 'rollback',
  hash: 'hash-1',
}

/** A deploy as just requested, with `over` put over it. */
export const deployOf = (over: Partial<Deploy> = {}): Deploy => ({
  schema: 1,
  id: '01k',
  app: 'web',
  environment: 'staging',
  kind: 'deploy',
  revision: '1.4.2',
  phase: 'requested',
  reason: null,
  cause: null,
  plan: null,
  steps: [],
  requestedAt: 1000,
  readyAt: null,
  startedAt: null,
  endedAt: null,
  dueAt: null,
  requestedBy: ana,
  source: { job: null, build: null, url: null, note: '' },
  params: { replicas: null, claims: [], spec: null, replace: false, force: false },
  prepared: null,
  approval: null,
  epoch: 0,
  slot: null,
  rollback: null,
  cancelledBy: null,
  overridden: null,
  supersededBy: null,
  ...over,
})

/** A running deploy whose step `at` runs. */
export const runningOf = (names: readonly StepName[], at: StepName, over: Partial<Deploy> = {}): Deploy => {
  const current = names.indexOf(at)
  const steps = names.map((name, i) => ({
    name,
    state: i < current ? ('done' as const) : i === current ? ('running' as const) : ('pending' as const),
    startedAt: i <= current ? 2000 : null,
    endedAt: i < current ? 2000 : null,
    message: '',
  }))
  return deployOf({
    phase: 'running',
    prepared,
    plan: 'update',
    epoch: 3,
    slot: 0,
    steps,
    startedAt: 2000,
    ...over,
  })
}
