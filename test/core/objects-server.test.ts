// What is rendered, given to an API server: it takes every object without a warning, and a second apply of the
// same objects changes nothing. Runs on the stand-in, or on a real cluster named by GKUBE_TEST_KUBECONFIG.
import { describe, expect, it } from 'vitest'
import { type KubeObject, nameOf, refOf } from '../../src/core/cluster.ts'
import { hookJob, runJob } from '../../src/core/objects/jobs.ts'
import { render } from '../../src/core/objects.ts'
import { target } from '../adapters/kubernetes/target.ts'
import { everything, frozenOf, inputOf } from './specs.ts'

const at = target()
const ports = [{ name: 'http', port: 8080 }]
const stateful = {
  kind: 'stateful',
  ports,
  replicas: 2,
  storage: [
    { name: 'data', size: '1Gi', mount: '/srv/data', access: 'RWO' },
    { name: 'shared', size: '1Gi', mount: '/srv/shared', storageClass: '' },
  ],
}
const cases: readonly (readonly [app: string, keys: object])[] = [
  ['full', everything],
  ['auto', { ports, autoscale: { min: 1, max: 3, cpu: 70, memory: 80 }, security: { readOnlyRoot: true } }],
  [
    'worker',
    { kind: 'worker', rollout: { strategy: 'recreate' }, security: { profile: 'baseline', runAsUser: 0 } },
  ],
  ['store', stateful],
  ['clock', { kind: 'cron', schedule: { cron: '*/5 * * * *', timeZone: 'Europe/Berlin' } }],
  [
    'hosts',
    {
      ports,
      ingress: [{ host: 'a.example.com' }, { host: 'b.example.com', class: 'other', path: '/b', port: 8080 }],
    },
  ],
  [
    'near',
    {
      placement: { spread: [{ topologyKey: 'topology.kubernetes.io/zone' }], nodeSelector: { disk: 'ssd' } },
    },
  ],
]

function objectsOf(app: string, keys: object): KubeObject[] {
  const environment = { ...inputOf().environment, namespace: at.namespace }
  return render({ ...inputOf({ ...keys, app }), environment, deploy: { id: '01JZ', epoch: 1 } })
}

const unbound = (object: KubeObject | null): object => ({ ...(object?.spec ?? {}), volumeName: undefined })

describe('an API server', () => {
  it.each(cases)('takes %s, and the same again changes nothing', async (app, keys) => {
    const cluster = at.client()
    for (const object of objectsOf(app, keys)) {
      const created = await cluster.create(object)
      expect(created.warnings, nameOf(object)).toEqual([])
      const read = await cluster.get(refOf(object))
      const again = await cluster.apply(object, { dryRun: true })
      expect(again.object.metadata.generation, nameOf(object)).toBe(read?.metadata.generation)
      // A claim may be bound between the two.
      expect(unbound(again.object), nameOf(object)).toEqual(unbound(read))
    }
  })
  it('takes the Jobs of hooks and of run', async () => {
    const hook = { command: ['true'], timeout: '1m' }
    const input = {
      frozen: frozenOf({ ...everything, hooks: { before: hook } }),
      namespace: at.namespace,
      imagePullSecrets: [],
      serverMinor: 33,
      beside: true,
    }
    const deploy = { id: '01JZ0000000000000000000000', epoch: 1 }
    const jobs = [
      hookJob({ ...input, deploy, step: 'before', hook, attempt: 1 }),
      runJob({ ...input, id: '01JZ0000000000000000000001', command: ['ls'], timeout: 60 }),
    ]
    for (const job of jobs)
      expect((await at.client().create(job, { dryRun: true })).warnings, nameOf(job)).toEqual([])
  })
})
