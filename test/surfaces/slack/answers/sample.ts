// What the core answers, for tests of the answers in Slack.
import type { PodFacts } from '../../../../src/core/cluster.ts'
import type { Status } from '../../../../src/core/core.ts'
import { noOverrides, type Workload } from '../../../../src/core/workload.ts'
import { now } from '../messages/sample.ts'

export const at = { now, command: '/gkube' }

export const workload = (over: Partial<Workload> = {}): Workload => ({
  schema: 1,
  app: 'web',
  environment: 'staging',
  state: 'ready',
  cluster: 'default',
  namespace: 'staging',
  revision: '1.4.2',
  image: 'registry.example.com/shop/web:1.4.2',
  digest: null,
  spec: 'spec-1',
  good: null,
  inventory: [],
  overrides: noOverrides,
  initialisedAt: null,
  deploy: '01k',
  deployedBy: 'ana',
  createdAt: now,
  updatedAt: now - 2 * 3_600_000,
  ...over,
})

export const status = (over: Partial<Workload> = {}, more: Partial<Status> = {}): Status => ({
  workload: workload(over),
  ready: 3,
  wanted: 3,
  health: 'ready',
  message: '',
  current: null,
  lock: null,
  freeze: null,
  drift: [],
  ...more,
})

export const pod = (over: Partial<PodFacts> = {}): PodFacts => ({
  name: 'web-7c9d-x2x1',
  uid: 'u1',
  createdAt: now - 300_000,
  terminating: false,
  phase: 'Running',
  reason: '',
  message: '',
  node: 'node-1',
  ready: true,
  readyAt: now,
  unscheduled: null,
  templateHash: '7c9d',
  owner: null,
  more: { containers: 0, ready: 0 },
  containers: [
    {
      name: 'web',
      init: false,
      image: 'web:1.4.2',
      ready: true,
      started: true,
      restarts: 0,
      state: 'running',
      reason: '',
      message: '',
      exit: null,
    },
  ],
  ...over,
})
