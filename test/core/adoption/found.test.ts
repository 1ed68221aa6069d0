// What an adoption keeps of a workload, whose it is, and what becomes of the fields that kubectl owned: named cases.
import { describe, expect, it } from 'vitest'
import { revisionIn } from '../../../src/core/adoption/adoption.ts'
import { foreignRefusals, movesWith, toolOf } from '../../../src/core/adoption/foreign.ts'
import { aboutWorkload, adoptedOf, selects } from '../../../src/core/adoption/found.ts'
import type { KubeObject } from '../../../src/core/cluster.ts'
import { fieldPaths, type ManagedEntry, movedToGkube, withoutTree } from '../../../src/core/managed-fields.ts'
import { render } from '../../../src/core/objects.ts'
import { planSteps } from '../../../src/core/plan.ts'
import { type Adopted, adoptedSchema, frozenSchema, noOverrides } from '../../../src/core/workload.ts'
import { frozenOf, inputOf, one, renderOf, specOf } from '../specs.ts'

const object = (kind: string, name: string, spec: object, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'shop', ...metadata },
  spec,
})
const workload = (kind: string, selector: object, labels: object, spec: object = {}): KubeObject =>
  object(kind, 'old', { selector, template: { metadata: { labels } }, ...spec })
const labels = { app: 'old', tier: 'front', 'pod/extra': 'x' }
const nothing = { services: [], budgets: [], autoscalers: [] }

describe('a label selector', () => {
  it.each<[string, object, boolean]>([
    ['by labels', { matchLabels: { app: 'old' } }, true],
    ['by another label', { matchLabels: { app: 'new' } }, false],
    ['In', { matchExpressions: [{ key: 'tier', operator: 'In', values: ['front', 'back'] }] }, true],
    ['NotIn', { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['front'] }] }, false],
    [
      'NotIn a label that is not there',
      { matchExpressions: [{ key: 'x', operator: 'NotIn', values: ['a'] }] },
      true,
    ],
    ['Exists', { matchExpressions: [{ key: 'x', operator: 'Exists' }] }, false],
    ['DoesNotExist', { matchExpressions: [{ key: 'x', operator: 'DoesNotExist' }] }, true],
    ['both', { matchLabels: { app: 'old' }, matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, true],
    ['an empty one picks nothing here', {}, false],
  ])('%s', (_, selector, picks) => expect(selects(selector as Record<string, unknown>, labels)).toBe(picks))
})

describe('what is kept', () => {
  const front = object('Service', 'front', { selector: { tier: 'front' } })
  const other = object('Service', 'other', { selector: { app: 'else' } })
  const headless = object('Service', 'none', {})
  const budget = object('PodDisruptionBudget', 'old', { selector: { matchLabels: { 'pod/extra': 'x' } } })
  const scaler = object('HorizontalPodAutoscaler', 'h', {
    scaleTargetRef: { kind: 'Deployment', name: 'old' },
  })
  const all = { services: [front, other, headless], budgets: [budget], autoscalers: [scaler] }
  const given = { app: 'web', replaceByDeployment: false }
  const deployment = workload('Deployment', { matchLabels: { app: 'old' } }, labels)

  it('only what points to it', () => {
    const around = aboutWorkload(deployment, all)
    expect(around.services).toEqual([front])
    expect(around.budgets).toEqual([budget])
    expect(around.autoscalers).toEqual([scaler])
  })

  it('the selector, and the labels that it, Services and budgets ask for', () => {
    const adopted = adoptedOf(deployment, aboutWorkload(deployment, all), given)
    expect(adopted).toEqual({
      kind: 'Deployment',
      name: 'old',
      selector: { matchLabels: { app: 'old' } },
      labels: { app: 'old', tier: 'front', 'pod/extra': 'x' },
      fixed: {},
      service: null,
    })
    expect(adoptedSchema.parse(JSON.parse(JSON.stringify(adopted)))).toEqual(adopted)
  })

  it('the selector of the Service of the app’s name', () => {
    const web = object('Service', 'web', { selector: { app: 'old' }, clusterIP: 'None' })
    expect(adoptedOf(deployment, { ...nothing, services: [web] }, given).service).toEqual({
      selector: { app: 'old' },
      headless: true,
    })
  })

  it('what a StatefulSet cannot change, without what the server added', () => {
    const template = {
      metadata: { name: 'data', creationTimestamp: null },
      spec: { accessModes: ['ReadWriteOnce'] },
      status: { phase: 'Pending' },
    }
    const set = workload('StatefulSet', { matchLabels: { app: 'old' } }, labels, {
      serviceName: 'peers',
      podManagementPolicy: 'OrderedReady',
      volumeClaimTemplates: [template],
      replicas: 3,
    })
    expect(adoptedOf(set, nothing, given).fixed).toEqual({
      serviceName: 'peers',
      podManagementPolicy: 'OrderedReady',
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }],
    })
  })

  it('a controller that becomes a Deployment gets a selector of its own, and the labels of the Services', () => {
    const controller = workload('ReplicationController', { app: 'old' }, labels)
    const adopted = adoptedOf(controller, aboutWorkload(controller, all), {
      ...given,
      replaceByDeployment: true,
    })
    const own = { 'app.kubernetes.io/name': 'web', 'app.kubernetes.io/instance': 'web' }
    expect(adopted).toMatchObject({ kind: 'Deployment', name: 'web', selector: { matchLabels: own } })
    expect(adopted.labels).toEqual({ ...own, tier: 'front', 'pod/extra': 'x' })
  })
})

describe('whose it is', () => {
  const marked = (metadata: object, managers: string[] = []) =>
    object(
      'Deployment',
      'old',
      {},
      {
        ...metadata,
        managedFields: managers.map(manager => ({
          manager,
          operation: 'Update',
          fieldsV1: { 'f:spec': {} },
        })),
      },
    )
  it.each<[string, KubeObject, string | null]>([
    ['nobody’s', marked({}), null],
    ['Helm, by its label', marked({ labels: { 'app.kubernetes.io/managed-by': 'Helm' } }), 'helm'],
    ['Helm, by its annotation', marked({ annotations: { 'meta.helm.sh/release-name': 'x' } }), 'helm'],
    ['Helm, by who wrote it', marked({}, ['helm']), 'helm'],
    [
      'Argo CD, by its annotation',
      marked({ annotations: { 'argocd.argoproj.io/tracking-id': 'x' } }),
      'argocd',
    ],
    ['Argo CD, by its label', marked({ labels: { 'argocd.argoproj.io/instance': 'x' } }), 'argocd'],
    ['Argo CD, by who wrote it', marked({}, ['argocd-controller']), 'argocd'],
    ['an instance label alone is nobody’s', marked({ labels: { 'app.kubernetes.io/instance': 'x' } }), null],
    ['Flux', marked({ labels: { 'kustomize.toolkit.fluxcd.io/name': 'x' } }), 'flux'],
    [
      'Flux before the Helm that it works through',
      marked({
        labels: { 'helm.toolkit.fluxcd.io/name': 'x', 'app.kubernetes.io/managed-by': 'Helm' },
        annotations: { 'meta.helm.sh/release-name': 'x' },
      }),
      'flux',
    ],
  ])('%s', (_, found, tool) => expect(toolOf(found)).toBe(tool))

  const own = { app: 'web', environment: 'staging' }
  const nobody = { forceFrom: [], takeFrom: [] }
  const ours = { 'app.kubernetes.io/managed-by': 'gkube', 'gkube.dev/environment': 'staging' }
  it.each<[string, KubeObject, RegExp]>([
    [
      'an operator',
      marked({ ownerReferences: [{ kind: 'Shop', name: 'x', controller: true }] }),
      /belongs to Shop x/,
    ],
    [
      'another app',
      marked({ labels: { ...ours, 'gkube.dev/app': 'api' } }),
      /belongs to the app api in staging already/,
    ],
    [
      'the same app elsewhere',
      marked({ labels: { ...ours, 'gkube.dev/app': 'web', 'gkube.dev/environment': 'production' } }),
      /belongs to the app web in production already/,
    ],
  ])('refused: it is of %s', (_, found, words) =>
    expect(foreignRefusals(found, nobody, own).join(' ')).toMatch(words),
  )
  it.each<[string, KubeObject]>([
    ['its own', marked({ labels: { ...ours, 'gkube.dev/app': 'web' } })],
    ['an owner that does not control it', marked({ ownerReferences: [{ kind: 'Node', name: 'x' }] })],
  ])('not refused: %s', (_, found) => expect(foreignRefusals(found, nobody, own)).toEqual([]))

  it.each<[string, string, boolean]>([
    ['client-side apply', 'kubectl-client-side-apply', true],
    ['edit', 'kubectl-edit', true],
    ['server-side apply', 'kubectl', true],
    ['before there were managers', 'before-first-apply', true],
    ['named', 'my-operator', true],
    ['forced', 'helm', true],
    ['not forced', 'argocd-controller', false],
    ['a name that only begins so', 'kubectlx', false],
    ['a controller', 'kube-controller-manager', false],
  ])('fields move from: %s', (_, manager, moves) => {
    const asked = { forceFrom: ['helm' as const], takeFrom: ['my-operator'] }
    expect(movesWith(asked)({ manager, operation: 'Update', fieldsV1: {} })).toBe(moves)
  })
})

describe('fields that become gkube’s', () => {
  const entry = (manager: string, fieldsV1: ManagedEntry['fieldsV1'], more: object = {}): ManagedEntry => ({
    manager,
    operation: 'Update',
    apiVersion: 'apps/v1',
    fieldsType: 'FieldsV1',
    fieldsV1,
    ...more,
  })
  const kubectl = entry('kubectl-client-side-apply', { 'f:spec': { 'f:replicas': {}, 'f:paused': {} } })
  const scale = entry('kubectl', { 'f:spec': { 'f:replicas': {} } }, { subresource: 'scale' })
  const status = entry('kubectl-x', { 'f:status': {} }, { subresource: 'status' })
  const other = entry('ops', { 'f:metadata': { 'f:labels': { 'f:x': {} } } })
  const moves = ({ manager }: ManagedEntry) => manager.startsWith('kubectl')

  it('are one entry, written by Apply; the others stay', () => {
    const moved = movedToGkube([kubectl, scale, status, other], moves)
    expect(moved).toEqual([
      {
        manager: 'gkube',
        operation: 'Apply',
        apiVersion: 'apps/v1',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:spec': { 'f:replicas': {}, 'f:paused': {} } },
      },
      status,
      other,
    ])
  })
  it('join what gkube has already', () => {
    const own = entry('gkube', { 'f:spec': { 'f:template': {} } }, { operation: 'Apply' })
    const [first] = movedToGkube([kubectl, own], moves) ?? []
    expect(fieldPaths(first?.fieldsV1 ?? {}).sort()).toEqual([
      '.spec.paused',
      '.spec.replicas',
      '.spec.template',
    ])
  })
  it('are nothing where nobody has any', () => expect(movedToGkube([other, status], moves)).toBeNull())
  it('are only those that are wanted', () => {
    const moved = movedToGkube([kubectl, other], moves, { 'f:spec': { 'f:replicas': {} } })
    expect(moved?.map(one => [one.manager, fieldPaths(one.fieldsV1)])).toEqual([
      ['gkube', ['.spec.replicas']],
      ['kubectl-client-side-apply', ['.spec.paused']],
      ['ops', ['.metadata.labels.x']],
    ])
  })
  it('what is left out of the app goes, except where somebody else has something in it', () => {
    const value = {
      spec: {
        paused: true,
        replicas: 2,
        list: [
          { name: 'a', x: 1 },
          { name: 'b', y: 2 },
        ],
      },
    }
    const gone = {
      'f:spec': {
        'f:paused': {},
        'f:list': { 'k:{"name":"a"}': { '.': {}, 'f:x': {} }, 'k:{"name":"b"}': { '.': {}, 'f:y': {} } },
      },
    }
    const kept = { 'f:spec': { 'f:list': { 'k:{"name":"b"}': { 'f:z': {} } } } }
    expect(withoutTree(value, gone, kept)).toEqual({ spec: { replicas: 2, list: [{ name: 'b' }] } })
  })
})

describe('an adopted app, rendered', () => {
  const adopted: Adopted = {
    kind: 'Deployment',
    name: 'old',
    selector: { matchLabels: { app: 'old', 'app.kubernetes.io/name': 'shop' } },
    labels: { app: 'old', 'app.kubernetes.io/name': 'shop', tier: 'front' },
    fixed: {},
    service: null,
  }
  const ports = [{ name: 'http', port: 8080, service: 80 }]
  const rendered = (keys: object, over: Partial<Adopted> = {}) =>
    render({ ...inputOf(keys), frozen: { ...frozenOf(keys), adopted: { ...adopted, ...over } } })

  it('keeps its name, selector and labels; what points to its pods goes by them', () => {
    const objects = rendered({ ports, disruption: { maxUnavailable: 1 }, autoscale: { min: 1, max: 2 } })
    const deployment = one(objects, 'Deployment')
    expect(deployment.metadata).toMatchObject({ name: 'old', labels: { 'gkube.dev/app': 'web' } })
    expect(deployment.spec.selector).toEqual(adopted.selector)
    expect(deployment.spec.template.metadata.labels).toMatchObject({
      ...adopted.labels,
      'gkube.dev/app': 'web',
    })
    expect(one(objects, 'Service').spec).toMatchObject({
      selector: adopted.selector.matchLabels,
      ports: [{ port: 80, targetPort: 8080 }],
    })
    expect(one(objects, 'PodDisruptionBudget').spec.selector).toEqual(adopted.selector)
    expect(one(objects, 'HorizontalPodAutoscaler').spec.scaleTargetRef).toMatchObject({ name: 'old' })
  })
  it('a Service that was taken over keeps what it selects by', () => {
    const service = { selector: { tier: 'front' }, headless: true }
    expect(one(rendered({ ports }, { service }), 'Service').spec).toMatchObject({
      selector: { tier: 'front' },
      clusterIP: 'None',
    })
  })
  it('a StatefulSet keeps what cannot change, and gets no second Service', () => {
    const fixed = { serviceName: 'peers', podManagementPolicy: 'OrderedReady' }
    const objects = rendered({ kind: 'stateful' }, { kind: 'StatefulSet', fixed })
    expect(objects.map(each => each.kind)).toEqual(['StatefulSet'])
    expect(one(objects, 'StatefulSet').spec).toMatchObject(fixed)
  })
  it('a ReplicationController is only scaled and restarted', () => {
    const input = inputOf({ ports, patches: [{ target: 'Deployment', patch: { spec: {} } }] })
    const objects = render({
      ...input,
      frozen: { ...input.frozen, adopted: { ...adopted, kind: 'ReplicationController' } },
      overrides: { ...noOverrides, replicas: 2, restartedAt: 'now' },
    })
    expect(objects).toHaveLength(1)
    expect(objects[0]).toMatchObject({ kind: 'ReplicationController', metadata: { name: 'old' } })
    expect(objects[0]?.spec).toEqual({
      replicas: 2,
      template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': 'now' } } },
    })
  })
  it('one that gkube made is rendered as before', () => {
    expect(one(renderOf({ ports }), 'Service').spec.ports[0].targetPort).toBe('http')
  })
  it('records from before there were adoptions are read', () => {
    expect(frozenSchema.parse(frozenOf())).not.toHaveProperty('adopted')
  })
})

describe('the steps of an adoption', () => {
  const spec = specOf({ hooks: { init: { command: ['x'] } } })
  const adopted = {
    kind: 'ReplicationController',
    name: 'old',
    selector: {},
    labels: {},
    fixed: {},
    service: null,
  } as const
  it.each([
    [
      'take over, write, wait: what is there was initialised long ago',
      { kind: 'adopt' },
      'adopt apply rollout record',
    ],
    ['a controller that stays one', { kind: 'adopt', adopted }, 'adopt apply rollout record'],
    [
      'a controller that becomes a Deployment',
      { kind: 'adopt', replaces: true },
      'adopt apply rollout handover record',
    ],
    ['a controller restarted: one pod after the other', { kind: 'restart', adopted }, 'apply cycle record'],
    ['a controller scaled', { kind: 'scale', adopted }, 'apply rollout record'],
  ] as const)('%s', (_, facts, steps) => {
    expect(planSteps({ spec, workload: null, pool: false, ...facts }).join(' ')).toBe(steps)
  })
})

describe('the revision that an image names', () => {
  it.each<[string, string | undefined, string | null]>([
    ['reg/shop/web:1.4.1', 'reg/shop/web:{revision}', '1.4.1'],
    ['reg/shop/web:1.4.1@sha256:abc', 'reg/shop/web:{revision}', '1.4.1'],
    ['reg/shop/web:v1.4.1-slim', 'reg/shop/web:v{revision}-slim', '1.4.1'],
    ['reg/other:1.4.1', 'reg/shop/web:{revision}', null],
    ['reg/shop/web:1', 'reg/shop/web:latest', null],
    ['reg/shop/web', 'reg/shop/web:{revision}', null],
    ['reg/shop/web:1', undefined, null],
  ])('%s by %s', (image, pattern, revision) => expect(revisionIn(image, pattern)).toBe(revision))
})
