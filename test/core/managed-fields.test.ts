// Fields and their owners, as named cases: sets joined and taken apart, paths as the API server writes them, and what
// of an object is not as gkube wrote it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../src/core/cluster.ts'
import { driftOf, driftWords } from '../../src/core/drift.ts'
import {
  type FieldTree,
  fieldPaths,
  leafPaths,
  managedEntries,
  ownersOf,
  subtract,
  union,
  withoutFields,
} from '../../src/core/managed-fields.ts'
import { wordsFor } from '../../src/core/steps/conflict.ts'

const image = (name: string) => `.spec.template.spec.containers[name="${name}"].image`
const web: FieldTree = {
  'f:spec': {
    'f:replicas': {},
    'f:template': {
      'f:spec': {
        'f:containers': {
          'k:{"name":"web"}': {
            '.': {},
            'f:image': {},
            'f:name': {},
            'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
          },
        },
      },
    },
  },
}

describe('sets of fields', () => {
  it('are written as the API server writes them in a conflict', () => {
    expect(fieldPaths(web)).toContain(image('web'))
    expect(fieldPaths(web)).toContain('.spec.template.spec.containers[name="web"]')
    expect(fieldPaths(web)).toContain(
      '.spec.template.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"].containerPort',
    )
    expect(leafPaths(web)).not.toContain('.spec.template.spec.containers[name="web"]')
    expect(fieldPaths({ 'f:metadata': { 'f:finalizers': { 'v:"a/b"': {} } } })).toEqual([
      '.metadata.finalizers[="a/b"]',
    ])
  })

  it.each<[string, FieldTree, FieldTree, FieldTree]>([
    ['nothing', {}, { 'f:a': {} }, { 'f:a': {} }],
    [
      'the thing itself and something in it',
      { 'f:a': {} },
      { 'f:a': { 'f:b': {} } },
      { 'f:a': { '.': {}, 'f:b': {} } },
    ],
    ['two parts', { 'f:a': { 'f:b': {} } }, { 'f:a': { 'f:c': {} } }, { 'f:a': { 'f:b': {}, 'f:c': {} } }],
    [
      'the same',
      { 'f:a': { '.': {}, 'f:b': {} } },
      { 'f:a': { 'f:b': {} } },
      { 'f:a': { '.': {}, 'f:b': {} } },
    ],
  ])('joined: %s', (_, a, b, both) => {
    expect(union(a, b)).toEqual(both)
    expect(fieldPaths(union(b, a)).sort()).toEqual(fieldPaths(both).sort())
  })

  const tree: fc.Arbitrary<FieldTree> = fc.letrec(tie => ({
    node: fc.dictionary(
      fc.constantFrom('f:a', 'f:b', 'k:{"name":"x"}', '.'),
      fc.oneof({ maxDepth: 3 }, fc.constant({}), tie('node')),
      {
        maxKeys: 3,
      },
    ),
  })).node as fc.Arbitrary<FieldTree>
  const members = (set: FieldTree | null) => new Set(set ? fieldPaths(set) : [])

  it('are sets: what is joined holds both, what is taken away is gone, whatever they are', () => {
    fc.assert(
      fc.property(tree, tree, (a, b) => {
        expect(members(union(a, b))).toEqual(new Set([...fieldPaths(a), ...fieldPaths(b)]))
        const [left, right] = [members(a), members(b)]
        expect(members(subtract(a, b))).toEqual(new Set([...left].filter(path => !right.has(path))))
      }),
    )
  })
})

describe('an object without some fields', () => {
  const object: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', labels: { 'app.kubernetes.io/name': 'web', app: 'web' } },
    spec: {
      replicas: 2,
      containers: [
        { name: 'web', image: 'a', args: ['x'] },
        { name: 'b', image: 'b' },
      ],
    },
  }
  it.each([
    ['a number', '.spec.replicas', (o: typeof object) => expect(o.spec).not.toHaveProperty('replicas')],
    [
      'a label with dots in its name',
      '.metadata.labels.app.kubernetes.io/name',
      (o: typeof object) => expect(o.metadata.labels).toEqual({ app: 'web' }),
    ],
    [
      'a field of one item',
      '.spec.containers[name="web"].image',
      (o: typeof object) =>
        expect(o.spec).toMatchObject({
          containers: [
            { name: 'web', args: ['x'] },
            { name: 'b', image: 'b' },
          ],
        }),
    ],
    [
      'a whole item',
      '.spec.containers[name="web"]',
      (o: typeof object) => expect(o.spec).toMatchObject({ containers: [{ name: 'b' }] }),
    ],
    ['what is not there', '.spec.nothing[name="x"].y', (o: typeof object) => expect(o).toEqual(object)],
  ])('%s', (_, path, holds) => holds(withoutFields(object, [path])))
})

const container = (more: object = {}) => ({
  name: 'web',
  image: 'reg/web:1',
  env: [{ name: 'LOG', value: 'info' }],
  ports: [{ name: 'http', containerPort: 80 }],
  ...more,
})
const wanted = (spec: object = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'web',
    namespace: 'shop',
    labels: { team: 'a' },
    annotations: { 'gkube.dev/deploy': 'x' },
  },
  spec: { replicas: 2, template: { spec: { containers: [container()] } }, ...spec },
})
const own = {
  manager: 'gkube',
  operation: 'Apply',
  time: '2026-01-01T10:00:00Z',
  fieldsV1: {
    'f:metadata': { 'f:labels': { 'f:team': {} } },
    'f:spec': {
      'f:replicas': {},
      'f:template': {
        'f:spec': {
          'f:containers': {
            'k:{"name":"web"}': {
              '.': {},
              'f:name': {},
              'f:image': {},
              'f:env': { 'k:{"name":"LOG"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
              'f:ports': {
                'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {}, 'f:name': {} },
              },
            },
          },
        },
      },
    },
  },
}
const liveWith = (entries: object[], spec: object = {}): KubeObject => {
  const { metadata, ...rest } = wanted(spec)
  return { ...rest, metadata: { ...metadata, managedFields: entries } }
}
const scaled = {
  manager: 'kubectl',
  operation: 'Update',
  subresource: 'scale',
  time: '2026-01-02T10:00:00Z',
  fieldsV1: { 'f:spec': { 'f:replicas': {} } },
}
const { 'f:replicas': _, ...ownSpec } = own.fieldsV1['f:spec']
const ownWithoutReplicas = { ...own, fieldsV1: { ...own.fieldsV1, 'f:spec': ownSpec } }

describe('drift', () => {
  it('is nothing where gkube owns all it wrote, however the server fills it in', () => {
    expect(driftOf(liveWith([own]), wanted())).toBeNull()
  })

  it('names what another manager owns now, with values and time', () => {
    const drift = driftOf(liveWith([ownWithoutReplicas, scaled], { replicas: 5 }), wanted())
    expect(drift).toEqual({
      object: 'Deployment shop/web',
      state: 'changed',
      fields: [
        {
          path: '.spec.replicas',
          manager: 'kubectl (scale)',
          at: Date.parse('2026-01-02T10:00:00Z'),
          recorded: '2',
          live: '5',
        },
      ],
    })
    expect(drift && driftWords(drift)).toBe(
      'Deployment shop/web was changed: .spec.replicas 2 → 5 by kubectl (scale)',
    )
  })

  it('names what somebody removed, which nobody owns', () => {
    const entry = { ...own, fieldsV1: { 'f:spec': own.fieldsV1['f:spec'] } }
    expect(driftOf(liveWith([entry]), wanted())?.fields).toMatchObject([
      { path: '.metadata.labels.team', manager: null, at: null, recorded: 'a' },
    ])
  })

  const adds = (more: object) => ({
    manager: 'kubectl-edit',
    operation: 'Update',
    time: '2026-01-02T10:00:00Z',
    fieldsV1: { 'f:spec': { 'f:paused': {} } },
    ...more,
  })
  it.each([
    ['by a person after the last apply', adds({}), ['.spec.paused']],
    ['before the last apply: it was known then', adds({ time: '2025-12-31T00:00:00Z' }), []],
    ['by a controller of the cluster', adds({ manager: 'kube-controller-manager' }), []],
    ['in the status', adds({ subresource: 'status' }), []],
  ])('added %s', (_, entry, paths) => {
    const drift = driftOf(liveWith([own, entry], { paused: true }), wanted())
    expect(drift?.fields.map(field => field.path) ?? []).toEqual(paths)
  })

  it('shows no secret', () => {
    const secret = { ...wanted(), kind: 'Secret', spec: undefined, data: { token: 'aGVsbG8=' } }
    const live = { ...secret, metadata: { ...secret.metadata, managedFields: [] } }
    expect(JSON.stringify(driftOf(live, secret))).not.toContain('aGVsbG8=')
  })
})

describe('a field that somebody else owns', () => {
  const say = (fields: string[], entries: object[], managers = ['kubectl']) =>
    wordsFor(wanted(), { fields, managers }, entries.length > 0 ? liveWith(entries) : null)
  it.each([
    [
      'who and since when',
      say(['.spec.replicas'], [own, scaled]),
      'Deployment shop/web: .spec.replicas belongs to kubectl (scale) since 2026-01-02 10:00:00 UTC. Scale by gkube scale',
    ],
    [
      'an autoscaler',
      say(['.spec.replicas'], [{ ...scaled, manager: 'kube-controller-manager' }]),
      'An autoscaler sets it: give the app `autoscale`',
    ],
    [
      'where only the refusal is known',
      say(['.spec.paused'], []),
      '.spec.paused belongs to kubectl. Take it out of the app',
    ],
    [
      'several of several',
      say(
        ['.spec.paused', '.spec.replicas'],
        [
          scaled,
          {
            ...scaled,
            manager: 'kubectl-edit',
            subresource: undefined,
            fieldsV1: { 'f:spec': { 'f:paused': {} } },
          },
        ],
      ),
      '.spec.paused belongs to kubectl-edit since 2026-01-02 10:00:00 UTC; .spec.replicas belongs to kubectl (scale)',
    ],
  ])('%s', (_, words, part) => expect(words).toContain(part))

  it('has its latest owner first', () => {
    const older = { ...scaled, manager: 'ops', time: '2026-01-01T00:00:00Z' }
    const entries = managedEntries(liveWith([older, scaled]))
    expect(ownersOf(entries, '.spec.replicas').map(entry => entry.manager)).toEqual(['kubectl', 'ops'])
  })
})
