// Changes that the API server refuses, found before anything is written; and those that it takes.
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../src/core/cluster.ts'
import { immutableChanges, kindChanges } from '../../src/core/immutable.ts'
import { one, renderOf } from './specs.ts'

const volume = { name: 'data', size: '1Gi', mount: '/data', access: 'RWO' }
const stateful = { kind: 'stateful', storage: [volume] }
const ports = [{ name: 'http', port: 80 }]

/** What the server makes of an object: defaults, identity, status. */
function live(object: KubeObject): KubeObject {
  const copy = structuredClone(object) as { spec?: Record<string, unknown> } & KubeObject
  for (const claim of (copy.spec?.volumeClaimTemplates ?? []) as { spec: object; status?: object }[]) {
    Object.assign(claim.spec, { volumeMode: 'Filesystem' })
    claim.status = { phase: 'Pending' }
  }
  if (copy.kind === 'Service')
    Object.assign(copy.spec as object, {
      clusterIP: '10.0.0.7',
      sessionAffinity: 'None',
      ...(object.spec as object),
    })
  return { ...copy, status: {}, metadata: { ...copy.metadata, uid: 'u', resourceVersion: '1' } }
}

const of = (keys: object, kind: string, name?: string): KubeObject => one(renderOf(keys), kind, name)
const withSpec = (object: KubeObject, spec: object): KubeObject => ({
  ...object,
  spec: { ...(object.spec as object), ...spec },
})
const job = (spec: object): KubeObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'a', namespace: 'shop' },
  spec,
})
const map = (more: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', namespace: 'shop' },
  ...more,
})
const claim = (keys: object) =>
  of(
    { storage: [{ ...volume, access: 'RWX', ...keys }], rollout: { strategy: 'recreate' } },
    'PersistentVolumeClaim',
  )
const selected = (labels: object) => ({ selector: { matchLabels: labels } })

const refused: readonly (readonly [name: string, from: KubeObject, to: KubeObject, says: string])[] = [
  [
    'a selector',
    withSpec(of({}, 'Deployment'), selected({ app: 'web' })),
    of({}, 'Deployment'),
    'Deployment shop/web: spec.selector cannot be changed; delete the app first (gkube delete web keeps its data)',
  ],
  [
    'a selector that has one label less',
    withSpec(
      of({}, 'Deployment'),
      selected({ 'app.kubernetes.io/name': 'web', 'app.kubernetes.io/instance': 'web', version: '1' }),
    ),
    of({}, 'Deployment'),
    'spec.selector cannot be changed',
  ],
  [
    'a bigger claim of each pod',
    of(stateful, 'StatefulSet'),
    of({ ...stateful, storage: [{ ...volume, size: '2Gi' }] }, 'StatefulSet'),
    'spec.volumeClaimTemplates cannot be changed on a StatefulSet. Deploy with --replace',
  ],
  [
    'one claim more',
    of(stateful, 'StatefulSet'),
    of({ ...stateful, storage: [volume, { ...volume, name: 'b', mount: '/b' }] }, 'StatefulSet'),
    'spec.volumeClaimTemplates',
  ],
  [
    'no claim any more',
    of(stateful, 'StatefulSet'),
    of({ kind: 'stateful' }, 'StatefulSet'),
    'spec.volumeClaimTemplates',
  ],
  [
    'the order of pods',
    of(stateful, 'StatefulSet'),
    of({ ...stateful, rollout: { ordered: true } }, 'StatefulSet'),
    'spec.podManagementPolicy',
  ],
  [
    'the Service of a StatefulSet',
    of(stateful, 'StatefulSet'),
    withSpec(of(stateful, 'StatefulSet'), { serviceName: 'other' }),
    'spec.serviceName',
  ],
  [
    'what a Job runs',
    job({ template: { spec: { containers: [{ name: 'a', image: 'a:1' }] } } }),
    job({ template: { spec: { containers: [{ name: 'a', image: 'a:2' }] } } }),
    'Job shop/a: spec.template of a Job cannot be changed',
  ],
  [
    'a Service that becomes headless',
    of({ ports }, 'Service'),
    withSpec(of({ ports }, 'Service'), { clusterIP: 'None' }),
    'spec.clusterIP cannot be changed from 10.0.0.7 to None',
  ],
  [
    'a Service that is headless no more',
    withSpec(of({ ports }, 'Service'), { clusterIP: 'None' }),
    of({ ports }, 'Service'),
    'from None to an address',
  ],
  [
    'a smaller volume',
    claim({ size: '2Gi' }),
    claim({ size: '1Gi' }),
    'a volume cannot shrink from 2Gi to 1Gi',
  ],
  [
    'another access',
    claim({ access: 'RWX' }),
    claim({ access: 'RWO' }),
    'spec.accessModes of a claim cannot be changed (ReadWriteMany to ReadWriteOnce)',
  ],
  [
    'another class',
    claim({ storageClass: 'slow' }),
    claim({ storageClass: 'fast' }),
    'spec.storageClassName of a claim cannot be changed ("slow" to "fast")',
  ],
  [
    'data of an immutable ConfigMap',
    map({ immutable: true, data: { a: '1' } }),
    map({ immutable: true, data: { a: '2' } }),
    'ConfigMap shop/a: data cannot be changed, the object is immutable',
  ],
  [
    'a key less in an immutable ConfigMap',
    map({ immutable: true, data: { a: '1', b: '2' } }),
    map({ immutable: true, data: { a: '1' } }),
    'data cannot be changed',
  ],
  [
    'an immutable ConfigMap that should not be',
    map({ immutable: true, data: {} }),
    map({ data: {} }),
    'immutable cannot be changed',
  ],
]

const taken: readonly (readonly [name: string, from: KubeObject, to: KubeObject])[] = [
  ['another image', of({}, 'Deployment'), one(renderOf({}, { revision: '2' }), 'Deployment')],
  [
    'another image of a StatefulSet',
    of(stateful, 'StatefulSet'),
    one(renderOf(stateful, { revision: '2' }), 'StatefulSet'),
  ],
  [
    'the same size in other words',
    of(stateful, 'StatefulSet'),
    of({ ...stateful, storage: [{ ...volume, size: '1024Mi' }] }, 'StatefulSet'),
  ],
  ['a bigger volume', claim({ size: '1Gi' }), claim({ size: '2Gi' })],
  ['a class that the server chose', withSpec(claim({}), { storageClassName: 'standard' }), claim({})],
  ['an address that the server chose', of({ ports }, 'Service'), of({ ports }, 'Service')],
  [
    'a Service to a name outside',
    of({ ports }, 'Service'),
    withSpec(of({ ports }, 'Service'), { type: 'ExternalName', clusterIP: undefined }),
  ],
  ['more parallelism of a Job', job({ parallelism: 1, template: {} }), job({ parallelism: 2, template: {} })],
  ['a ConfigMap that may change', map({ data: { a: '1' } }), map({ data: { a: '2' } })],
  [
    'an Ingress',
    of({ ports, ingress: [{ host: 'a.example.com' }] }, 'Ingress'),
    of({ ports, ingress: [{ host: 'b.example.com' }] }, 'Ingress'),
  ],
]

describe('immutableChanges', () => {
  it.each(refused)('refuses %s', (_, from, to, says) => {
    const found = immutableChanges(live(from), to).join('\n')
    expect(found).toContain(says)
  })
  it.each(refused)('refuses %s compared with what was rendered, too', (name, from, to) => {
    // A rendered Service has no address yet, so it cannot lose one.
    if (name === 'a Service that becomes headless') return
    expect(immutableChanges(from, to)).not.toEqual([])
  })
  it.each(taken)('takes %s', (_, from, to) => {
    expect(immutableChanges(live(from), to)).toEqual([])
    expect(immutableChanges(from, to)).toEqual([])
  })
  it('--replace lets a StatefulSet be made again, and nothing else', () => {
    const bigger = of({ ...stateful, storage: [{ ...volume, size: '2Gi' }] }, 'StatefulSet')
    expect(immutableChanges(of(stateful, 'StatefulSet'), bigger, { replace: true })).toEqual([])
    expect(immutableChanges(claim({ size: '2Gi' }), claim({ size: '1Gi' }), { replace: true })).toHaveLength(
      1,
    )
  })
})

describe('kindChanges', () => {
  it('service to stateful would run twice', () => {
    expect(kindChanges(renderOf({ ports }), renderOf({ ports, kind: 'stateful' }))).toEqual([
      'StatefulSet shop/web: the app runs as a Deployment and cannot become a StatefulSet in place; delete the app first (gkube delete web keeps its data), or use another app name.',
    ])
  })
  it.each([
    ['service to worker is a Deployment still', renderOf({ ports }), renderOf({ kind: 'worker' })],
    ['a first deploy', [], renderOf({})],
    ['the same', renderOf(stateful), renderOf(stateful)],
  ] as const)('%s', (_, before, after) => {
    expect(kindChanges(before, after)).toEqual([])
  })
})
