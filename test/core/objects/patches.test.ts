// Patches: lists of named things merge by name, nothing that identifies an object can be patched.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mergePatch } from '../../../src/core/objects/patches.ts'
import { UserError } from '../../../src/errors.ts'
import { one, podOf, renderOf } from '../specs.ts'

const patched = (target: string, patch: object, keys: object = {}) =>
  renderOf({ ports: [{ name: 'http', port: 8080 }], ...keys, patches: [{ target, patch }] })

describe('a patch', () => {
  it('changes a container by its name and leaves the rest', () => {
    const spec = {
      template: {
        spec: { containers: [{ name: 'web', terminationMessagePolicy: 'FallbackToLogsOnError' }] },
      },
    }
    const [container] = podOf(patched('Deployment', { spec })).containers
    expect(container).toMatchObject({
      terminationMessagePolicy: 'FallbackToLogsOnError',
      image: 'registry.example.com/shop/web:1.0.0',
    })
  })
  it('adds a container of another name', () => {
    const spec = { template: { spec: { containers: [{ name: 'extra', image: 'a' }] } } }
    expect(podOf(patched('Deployment', { spec })).containers.map((c: { name: string }) => c.name)).toEqual([
      'web',
      'extra',
    ])
  })
  it('removes by null, and list items by $patch', () => {
    const spec = {
      strategy: null,
      template: { spec: { containers: [{ name: 'web', env: [{ name: 'A', $patch: 'delete' }] }] } },
    }
    const objects = patched('Deployment', { spec }, { env: { A: 1, B: 2 } })
    expect(one(objects, 'Deployment').spec).not.toHaveProperty('strategy')
    expect(podOf(objects).containers[0].env).toEqual([{ name: 'B', value: '2' }])
  })
  it('replaces a list that has no names', () => {
    const spec = { template: { spec: { containers: [{ name: 'web', args: ['b'] }] } } }
    expect(podOf(patched('Deployment', { spec }, { args: ['a', 'c'] })).containers[0].args).toEqual(['b'])
  })
  it('finds ports of a Service by their number', () => {
    const { ports } = one(
      patched('Service', { spec: { ports: [{ port: 8080, appProtocol: 'h2c' }] } }),
      'Service',
    ).spec
    expect(ports).toEqual([
      { name: 'http', port: 8080, targetPort: 'http', protocol: 'TCP', appProtocol: 'h2c' },
    ])
  })
  it('changes one object of a kind if it is named', () => {
    const patches = [
      { target: 'Service', name: 'web-headless', patch: { metadata: { annotations: { a: 'b' } } } },
    ]
    const objects = renderOf({ kind: 'stateful', ports: [{ name: 'http', port: 80 }], patches })
    expect(one(objects, 'Service', 'web-headless').metadata.annotations).toEqual({ a: 'b' })
    expect(one(objects, 'Service', 'web').metadata.annotations).toBeUndefined()
  })
  it('cannot take ownership labels away', () => {
    const labels = { 'app.kubernetes.io/managed-by': 'someone', 'gkube.dev/app': null, extra: 'x' }
    expect(one(patched('Deployment', { metadata: { labels } }), 'Deployment').metadata.labels).toMatchObject({
      'app.kubernetes.io/managed-by': 'gkube',
      'gkube.dev/app': 'web',
      extra: 'x',
    })
  })
  it('works on given manifests too', () => {
    const manifests = [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { x: '1' } }]
    const patches = [{ target: 'ConfigMap', patch: { data: { y: '2' } } }]
    expect(
      one(renderOf({ kind: 'manifests', image: undefined, manifests, patches }), 'ConfigMap').data,
    ).toEqual({ x: '1', y: '2' })
  })

  const refused: readonly (readonly [name: string, target: string, patch: object, says: string])[] = [
    [
      'a kind that is not rendered',
      'Ingress',
      { spec: {} },
      'patches.0.target: no Ingress is rendered for this app, so the patch would change nothing. Rendered are: Service web, Deployment web',
    ],
    [
      'a name',
      'Deployment',
      { metadata: { name: 'x' } },
      'patches.0.patch.metadata.name: gkube sets this field itself',
    ],
    [
      'a namespace',
      'Deployment',
      { metadata: { namespace: 'kube-system' } },
      'patches.0.patch.metadata.namespace:',
    ],
    ['a selector', 'Service', { spec: { selector: { app: 'other' } } }, 'patches.0.patch.spec.selector:'],
    ['a kind', 'Deployment', { kind: 'DaemonSet' }, 'patches.0.patch.kind:'],
    [
      'replicas, which scale and the autoscaler share',
      'Deployment',
      { spec: { replicas: 5 } },
      'patches.0.patch.spec.replicas:',
    ],
  ]
  it.each(refused)('is refused for %s', (_, target, patch, says) => {
    try {
      patched(target, patch)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(UserError)
      expect((error as UserError).message).toContain(says)
    }
  })
  it('takes names that every object has for what they are: names', () => {
    const spec = JSON.parse('{"constructor": [{"name": "a"}], "__proto__": {"x": [1]}}')
    const objects = patched('Deployment', { spec })
    expect(Object.hasOwn(one(objects, 'Deployment').spec, 'constructor')).toBe(true)
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
  it('says null for a fixed field too', () => {
    expect(() => patched('Deployment', { spec: { selector: null } })).toThrow('spec.selector')
  })
})

describe('mergePatch', () => {
  const value = fc.jsonValue({ maxDepth: 3 })
  it('twice is once', () => {
    fc.assert(
      fc.property(value, value, (base, patch) => {
        const once = mergePatch(base, patch)
        expect(mergePatch(once, patch)).toEqual(once)
      }),
    )
  })
})
