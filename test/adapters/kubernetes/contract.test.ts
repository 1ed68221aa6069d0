// What the adapter promises the core, on the stand-in cluster or, with GKUBE_TEST_KUBECONFIG, on a real one: the
// same file is the judge of both. Nothing here depends on which of them it is.
import { describe, expect, it } from 'vitest'
import { ClusterError, type KubeObject, refOf } from '../../../src/core/cluster.ts'
import { configMap, deployment, realCluster, service, target, until } from './target.ts'

const here = target()

/** The error of a call that must fail. */
async function refusal(work: Promise<unknown>): Promise<ClusterError> {
  const error = await work.then(
    () => new Error('it was accepted'),
    (cause: unknown) => cause,
  )
  expect(error).toBeInstanceOf(ClusterError)
  return error as ClusterError
}

const entries = (object: KubeObject | null) =>
  (object?.metadata.managedFields ?? []) as { manager: string; operation: string; subresource?: string }[]

const ownEntries = (object: KubeObject | null) =>
  entries(object).filter(entry => entry.manager === 'gkube' && !entry.subresource)

// biome-ignore lint/suspicious/noExplicitAny: objects are untyped JSON
const containersOf = (object: any) => object.spec.template.spec.containers

describe('writing', () => {
  it('creates an object once: the second time it already exists', async () => {
    const cluster = here.client()
    const object = configMap(here.namespace, 'once', { a: '1' })
    const { object: created } = await cluster.create(object)
    expect(created.metadata.uid).toBeTruthy()
    expect((await refusal(cluster.create(object))).kind).toBe('already_exists')
  })

  it('leaves gkube the only owner of what it created: what is no longer rendered goes', async () => {
    const cluster = here.client()
    const first = deployment(here.namespace, 'owner', {
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ],
    })
    const { object: created } = await cluster.create(first)
    expect(ownEntries(created).map(entry => entry.operation)).toEqual(['Apply'])
    const second = deployment(here.namespace, 'owner', {
      image: 'registry.example.com/web:1.1.0',
      env: [{ name: 'A', value: '1' }],
    })
    const { object: applied } = await cluster.apply(second)
    const [container] = containersOf(applied)
    expect(container.image).toBe('registry.example.com/web:1.1.0')
    expect(container.env).toEqual([{ name: 'A', value: '1' }])
  })

  it('mends a create whose second half was lost: the next apply takes every field over', async () => {
    const cluster = here.client()
    const object = configMap(here.namespace, 'half', { a: '1', b: '2' })
    const wire = here.wire()
    // A POST alone, as a crash between the two requests of a create leaves it.
    await wire.call({
      method: 'POST',
      path: `/api/v1/namespaces/${here.namespace}/configmaps`,
      query: { fieldManager: 'gkube' },
      body: object,
      counter: 'create configmaps',
      repeatable: false,
    })
    const halved = await cluster.get(refOf(object))
    expect(ownEntries(halved).map(entry => entry.operation)).toEqual(['Update'])
    const { object: applied } = await cluster.apply(configMap(here.namespace, 'half', { a: '3' }))
    expect(applied.data).toEqual({ a: '3' })
    expect(ownEntries(applied).map(entry => entry.operation)).toEqual(['Apply'])
  })

  it('names the manager and the fields of a conflict, and takes them over only when forced', async () => {
    const cluster = here.client()
    const object = deployment(here.namespace, 'fought')
    await cluster.create(object)
    const scaled = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'fought', namespace: here.namespace },
      spec: { replicas: 5 },
    }
    await cluster.apply(scaled, { manager: 'somebody', force: true })
    const again = deployment(here.namespace, 'fought', { replicas: 3 })
    const error = await refusal(cluster.apply(again))
    expect(error).toMatchObject({
      kind: 'field_conflict',
      status: 409,
      managers: ['somebody'],
      fields: ['.spec.replicas'],
    })
    const { object: forced } = await cluster.apply(again, { force: true })
    expect(forced.spec).toMatchObject({ replicas: 3 })
  })

  it.each(['apply', 'stamp'] as const)(
    'refuses an outdated %s: the resourceVersion is the fence',
    async verb => {
      const cluster = here.client()
      const object = configMap(here.namespace, `fence-${verb}`, { a: '1' })
      const { object: created } = await cluster.create(object)
      const old = created.metadata.resourceVersion ?? ''
      await cluster.apply({
        ...object,
        data: { a: '2' },
        metadata: { ...object.metadata, resourceVersion: old },
      })
      const late =
        verb === 'apply'
          ? cluster.apply({
              ...object,
              data: { a: '3' },
              metadata: { ...object.metadata, resourceVersion: old },
            })
          : cluster.stamp(refOf(object), { 'gkube.dev/fence': '7' }, old)
      expect((await refusal(late)).kind).toBe('stale')
      expect((await cluster.get(refOf(object)))?.data).toEqual({ a: '2' })
    },
  )

  it('stamps annotations only, and the next apply goes on over the stamp', async () => {
    const cluster = here.client()
    const object = configMap(here.namespace, 'stamped', { a: '1' })
    const { object: created } = await cluster.create(object)
    const stamped = await cluster.stamp(
      refOf(object),
      { 'gkube.dev/epoch': '4' },
      created.metadata.resourceVersion ?? '',
    )
    expect(stamped.object.metadata.annotations).toMatchObject({ 'gkube.dev/epoch': '4' })
    const next = { ...object, metadata: { ...object.metadata, annotations: { 'gkube.dev/epoch': '5' } } }
    const { object: applied } = await cluster.apply(next)
    expect(applied.metadata.annotations).toMatchObject({ 'gkube.dev/epoch': '5' })
    expect(applied.data).toEqual({ a: '1' })
  })

  it('writes nothing in a dry run', async () => {
    const cluster = here.client()
    const object = configMap(here.namespace, 'dry', { a: '1' })
    const { object: would } = await cluster.create(object, { dryRun: true })
    expect(would.data).toEqual({ a: '1' })
    expect(await cluster.get(refOf(object))).toBeNull()
    await cluster.create(object)
    await cluster.apply({ ...object, data: { a: '2' } }, { dryRun: true })
    expect((await cluster.get(refOf(object)))?.data).toEqual({ a: '1' })
  })

  it('refuses to change what is immutable', async () => {
    const cluster = here.client()
    const object = deployment(here.namespace, 'immutable')
    await cluster.create(object)
    const selector = { matchLabels: { other: 'x' } }
    const error = await refusal(cluster.apply(deployment(here.namespace, 'immutable', { selector })))
    expect(error.kind).toBe('invalid')
    expect(error.message).toMatch(/selector/)
  })

  // The stand-in has no schemas of fields.
  it.runIf(realCluster)('refuses a field that does not exist', async () => {
    const cluster = here.client()
    const error = await refusal(cluster.create(deployment(here.namespace, 'unknown', { replikas: 3 })))
    expect(error).toMatchObject({ kind: 'invalid' })
    expect(error.message).toMatch(/replikas/)
  })

  it('says that a kind is not there, and which', async () => {
    const cluster = here.client()
    const ref = { apiVersion: 'nobody.example.com/v1', kind: 'Thing', namespace: here.namespace, name: 'x' }
    const error = await refusal(cluster.get(ref))
    expect(error).toMatchObject({ kind: 'invalid' })
    expect(error.message).toContain('Thing')
  })

  it('finds kinds that are not in its table by discovery', async () => {
    const cluster = here.client()
    const roles = await cluster.list({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      namespace: here.namespace,
    })
    expect(roles).toEqual([])
    expect(cluster.counts()['get discovery']).toBe(1)
  })

  it('refuses to reach all namespaces by mistake', async () => {
    const cluster = here.client()
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', name: 'x' }
    expect((await refusal(cluster.get(ref))).message).toContain('namespace')
  })

  it.each([
    ['of another uid', { uid: '00000000-0000-0000-0000-000000000000' }],
    ['of an older version', { resourceVersion: '1' }],
  ])('does not delete an object %s', async (name, precondition) => {
    const cluster = here.client()
    const object = configMap(here.namespace, name.includes('uid') ? 'other-uid' : 'older', {})
    await cluster.create(object)
    expect((await refusal(cluster.remove(refOf(object), precondition))).kind).toBe('stale')
    expect(await cluster.get(refOf(object))).not.toBeNull()
  })

  it('deletes by uid, and what is gone already is no error', async () => {
    const cluster = here.client()
    const { object } = await cluster.create(configMap(here.namespace, 'goes', {}))
    await cluster.remove(refOf(object), { uid: object.metadata.uid })
    expect(await cluster.get(refOf(object))).toBeNull()
    await cluster.remove(refOf(object), { uid: object.metadata.uid })
  })

  it('lists by labels, page by page, up to a limit', async () => {
    const cluster = here.client()
    for (const n of [1, 2, 3])
      await cluster.create({
        ...configMap(here.namespace, `listed-${n}`),
        metadata: { name: `listed-${n}`, namespace: here.namespace, labels: { listed: 'yes', n: String(n) } },
      })
    const query = { apiVersion: 'v1', kind: 'ConfigMap', namespace: here.namespace }
    const all = await cluster.list({ ...query, labels: { listed: 'yes' } })
    expect(all.map(object => object.metadata.name).sort()).toEqual(['listed-1', 'listed-2', 'listed-3'])
    expect(all[0]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' })
    expect(all[0]?.metadata.managedFields).toBeUndefined()
    expect(await cluster.list({ ...query, labels: { listed: 'yes', n: '2' } })).toHaveLength(1)
    expect(await cluster.list({ ...query, labels: { listed: 'yes' }, limit: 2 })).toHaveLength(2)
  })

  it('knows the server', async () => {
    const cluster = here.client()
    const { version, minor } = await cluster.server()
    expect(version).toMatch(/^v1\.\d+/)
    expect(minor).toBeGreaterThan(19)
    await cluster.server()
    expect(cluster.counts()['get version']).toBe(1)
  })
})

describe('watching', () => {
  const scope = (name: string, kind = 'Deployment') => ({
    namespace: here.namespace,
    app: name,
    workload: { apiVersion: 'apps/v1', kind, name },
  })

  it('sees a Deployment from its write on, and peeks at what it saw without a request', async () => {
    const cluster = here.client()
    const observe = (changed: () => void) => cluster.observe(scope('seen'), changed)
    const { object } = await cluster.create(deployment(here.namespace, 'seen'))
    const observed = await until(observe, ({ workload }) => workload !== null)
    expect(observed.workload).toMatchObject({ kind: 'Deployment', name: 'seen', wanted: 2, generation: 1 })
    expect(observed.workload?.appliedAt).toBeGreaterThan(Date.parse('2020-01-01'))
    const before = cluster.counts()
    const peeked = await cluster.peek(refOf(object))
    expect(peeked?.metadata.uid).toBe(object.metadata.uid)
    expect(peeked?.spec).toBeUndefined()
    expect(cluster.counts()).toEqual(before)
  })

  it('peeks at its own write at once, though the watch may not have brought it yet', async () => {
    const cluster = here.client()
    const object = configMap(here.namespace, 'own', { a: '0' })
    await cluster.warm(here.namespace, ['ConfigMap'])
    await cluster.create(object)
    for (let n = 1; n <= 10; n++) {
      const { object: written } = await cluster.apply({ ...object, data: { a: String(n) } })
      const peeked = await cluster.peek(refOf(object))
      expect(peeked?.metadata.resourceVersion).toBe(written.metadata.resourceVersion)
    }
    expect(cluster.counts()['get configmaps']).toBeUndefined()
  })

  it.each([
    ['a kind of which only the metadata is watched', configMap, 'ConfigMap'],
    ['a kind that is watched whole', deployment, 'Deployment'],
  ] as const)('sees by one watch what others do to %s', async (_, make, kind) => {
    const [cluster, other] = [here.client(), here.client()]
    await cluster.warm(here.namespace, [kind])
    const object = make(here.namespace, `others-${kind.toLowerCase()}`, {})
    const { object: created } = await other.create(object)
    const peeked = () => cluster.peek(refOf(object))
    await expect
      .poll(async () => (await peeked())?.metadata.uid, { timeout: 8_000 })
      .toBe(created.metadata.uid)
    await other.remove(refOf(object), { uid: created.metadata.uid, propagation: 'Background' })
    await expect.poll(peeked, { timeout: 8_000 }).toBeNull()
    const watched = Object.entries(cluster.counts()).filter(([what]) => what.startsWith('watch'))
    expect(watched.map(([, n]) => n)).toEqual([1])
  })

  it('peeks live at what no watch has: another owner, nothing at all', async () => {
    const cluster = here.client()
    const object = configMap(here.namespace, 'foreign', {})
    await cluster.create({ ...object, metadata: { name: 'foreign', namespace: here.namespace } })
    expect((await cluster.peek(refOf(object)))?.metadata.name).toBe('foreign')
    expect(await cluster.peek({ ...refOf(object), name: 'nothing' })).toBeNull()
  })

  it('shares one watch a kind between all observers', async () => {
    const cluster = here.client()
    await cluster.create(deployment(here.namespace, 'shared'))
    const observers = [1, 2, 3].map(() => (changed: () => void) => cluster.observe(scope('shared'), changed))
    await Promise.all(observers.map(observe => until(observe, ({ workload }) => workload !== null)))
    expect(cluster.counts()).toMatchObject({
      'list deployments': 1,
      'list pods': 1,
      'list replicasets': 1,
      'list endpointslices': 1,
      'list persistentvolumeclaims': 1,
    })
    expect(cluster.watching()).toBe(5)
  })

  it('counts a Service that selects nothing as having no ready endpoint', async () => {
    const cluster = here.client()
    await cluster.create({
      ...service(here.namespace, 'lonely'),
      spec: { selector: { no: 'pod' }, ports: [{ name: 'http', port: 80 }] },
    })
    await cluster.create(deployment(here.namespace, 'lonely', { replicas: 0 }))
    const observed = await until(
      changed => cluster.observe(scope('lonely'), changed),
      o => o.workload !== null,
    )
    expect(observed.endpoints.filter(endpoint => endpoint.ready > 0)).toEqual([])
  })
})
