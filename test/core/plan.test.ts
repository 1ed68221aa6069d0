// The steps of a deploy, from what etcd knows and what the app needs; and what people set by hand over it.
import { describe, expect, it } from 'vitest'
import { type AppSpec, appSchema } from '../../src/core/app.ts'
import { specFor } from '../../src/core/app-environment.ts'
import { type PlanFacts, planKind, planOverrides, planSteps } from '../../src/core/plan.ts'
import { noOverrides, type Overrides } from '../../src/core/workload.ts'

const specOf = (over: object = {}): AppSpec =>
  specFor(
    appSchema.parse({
      app: 'web',
      image: 'registry.example.com/web:{revision}',
      replicas: 2,
      ports: [{ name: 'http', port: 8080, service: 80 }],
      environments: { staging: {} },
      ...over,
    }),
    'staging',
  )
const ready = { state: 'ready', initialisedAt: 5 } as const
const creating = { state: 'creating', initialisedAt: null } as const
const facts = (over: Partial<PlanFacts>): PlanFacts => ({
  kind: 'deploy',
  spec: specOf(),
  workload: null,
  pool: false,
  ...over,
})
const full = specOf({
  storage: [{ name: 'data', size: '1Gi', mount: '/srv/data', access: 'RWX' }],
  hooks: {
    init: { command: ['init'] },
    before: { command: ['migrate'] },
    after: { command: ['smoke'] },
  },
  code: { artifact: 'https://example.com/a.tgz', sha256: 'a'.repeat(64), mount: '/srv/app' },
})

describe('the steps', () => {
  const cases: [string, Partial<PlanFacts>, string, string][] = [
    ['what etcd does not know is created', {}, 'create', 'environment apply rollout record'],
    ['what it knows is updated', { workload: ready }, 'update', 'apply rollout record'],
    [
      'what never served is created again',
      { workload: creating },
      'create',
      'environment apply rollout record',
    ],
    [
      'an app with everything, created',
      { spec: full, pool: true },
      'create',
      'volume environment publish init before apply rollout after record',
    ],
    [
      'without a pool nobody makes volumes',
      { spec: full },
      'create',
      'environment publish init before apply rollout after record',
    ],
    [
      'an app with everything, updated: initialised once',
      { spec: full, workload: ready },
      'update',
      'publish before apply rollout after record',
    ],
    [
      'storage that is new or grew, updated',
      { spec: full, pool: true, workload: ready },
      'update',
      'volume publish before apply rollout after record',
    ],
    [
      'a pool with snapshots: before data is changed',
      { spec: full, snapshots: true, workload: ready },
      'update',
      'publish snapshot before apply rollout after record',
    ],
    [
      'a pool with snapshots, and nothing on it yet',
      { spec: full, pool: true, snapshots: true },
      'create',
      'volume environment publish init before apply rollout after record',
    ],
    [
      'an adoption with new storage on a pool',
      { kind: 'adopt', spec: full, pool: true, published: true },
      'create',
      'volume before adopt apply rollout after record',
    ],
    [
      'initialising failed before: it is done now',
      { spec: full, workload: { state: 'ready', initialisedAt: null } },
      'update',
      'publish init before apply rollout after record',
    ],
    [
      'a scale runs no hooks',
      { kind: 'scale', spec: full, workload: ready },
      'update',
      'apply rollout record',
    ],
    [
      'a restart runs no hooks',
      { kind: 'restart', spec: full, workload: ready },
      'update',
      'apply rollout record',
    ],
    [
      'a rollback runs no hooks and fetches nothing that is there',
      { kind: 'rollback', spec: full, workload: ready, published: true },
      'update',
      'apply rollout record',
    ],
    [
      'a rollback to a release that may be gone publishes it again',
      { kind: 'rollback', spec: full, workload: ready },
      'update',
      'publish apply rollout record',
    ],
    [
      'a redeploy publishes nothing that is there',
      { kind: 'redeploy', spec: full, workload: ready, published: true },
      'update',
      'before apply rollout after record',
    ],
    [
      'a deploy that is asked for publishes whatever is there',
      { spec: full, workload: ready, published: true },
      'update',
      'publish before apply rollout after record',
    ],
    ['a redeploy is a deploy', { kind: 'redeploy', workload: ready }, 'update', 'apply rollout record'],
    ['a delete', { kind: 'delete', spec: full, workload: ready }, 'delete', 'remove record'],
    ['a delete of what never served', { kind: 'delete', workload: creating }, 'delete', 'remove record'],
  ]
  it.each(cases)('%s', (_, over, kind, steps) => {
    expect(planKind(facts(over))).toBe(kind)
    expect(planSteps(facts(over)).join(' ')).toBe(steps)
  })
})

describe('what people set by hand', () => {
  const scaled: Overrides = { ...noOverrides, replicas: 5 }
  const auto = specOf({ replicas: undefined, autoscale: { min: 2, max: 4, cpu: 70 } })
  type Input = Parameters<typeof planOverrides>[0]
  const cases: [string, Partial<Input>, Overrides][] = [
    ['nothing on a create', { base: null, current: null }, noOverrides],
    ['a scale stays over a deploy', { current: scaled }, scaled],
    [
      'until the app asks for another number',
      { current: scaled, spec: specOf({ replicas: 3 }) },
      noOverrides,
    ],
    ['or gets an autoscaler', { current: scaled, spec: auto }, noOverrides],
    ['a scale', { kind: 'scale', replicas: 7 }, { ...noOverrides, replicas: 7 }],
    ['a scale to nothing', { kind: 'scale', replicas: 0 }, { ...noOverrides, replicas: 0 }],
    [
      'a scale of an autoscaler moves its bounds',
      { kind: 'scale', replicas: 3, spec: auto, base: auto },
      { ...noOverrides, min: 3, max: 4 },
    ],
    [
      'beyond them too',
      { kind: 'scale', replicas: 9, spec: auto, base: auto },
      { ...noOverrides, min: 9, max: 9 },
    ],
    [
      'an autoscaler never goes to nothing',
      { kind: 'scale', replicas: 0, spec: auto, base: auto },
      { ...noOverrides, min: 1, max: 4 },
    ],
    [
      'a restart keeps the scale',
      { kind: 'restart', current: scaled },
      { ...scaled, restartedAt: '2026-01-01T00:00:00.000Z' },
    ],
    ['a delete changes nothing', { kind: 'delete', current: scaled }, scaled],
    ['a rollback to the same number keeps it', { kind: 'rollback', current: scaled }, scaled],
  ]
  it.each(cases)('%s', (_, over, expected) => {
    const input: Input = {
      kind: 'deploy',
      replicas: null,
      restartAt: '2026-01-01T00:00:00.000Z',
      spec: specOf(),
      base: specOf(),
      current: null,
      ...over,
    }
    expect(planOverrides(input)).toEqual(expected)
  })
})
