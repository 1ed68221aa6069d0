// What every Kubernetes API server does, as far as gkube leans on it. The same file runs against the stand-in
// cluster and, with GKUBE_TEST_KUBECONFIG naming a kubeconfig, against a real control plane: the judge.
// It works in a namespace of its own and needs no nodes: nothing here waits for a pod to run.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { KubeConfig, KubernetesObjectApi, PatchStrategy } from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deployment, testCluster } from './support.ts'
import { type Json, type Wire, wireTo } from './wire.ts'

const real = process.env.GKUBE_TEST_KUBECONFIG
const namespace = `gkube-contract-${randomUUID().slice(0, 8)}`
const core = `/api/v1/namespaces/${namespace}`
const apps = `/apis/apps/v1/namespaces/${namespace}`
let kubeconfig: string
let wire: Wire
/** Only where there is a way to ask for it: a real server compacts on its own, every five minutes. */
let compact: (() => void) | undefined
let serial = 0

beforeAll(async () => {
  if (real) {
    kubeconfig = readFileSync(real, 'utf8')
    wire = wireTo(kubeconfig)
  } else {
    const started = await testCluster({ bookmarkMs: 50 })
    kubeconfig = started.kubeconfig
    wire = started.wire
    compact = started.cluster.compact
  }
  const made = await wire.post('/api/v1/namespaces', { metadata: { name: namespace } })
  expect(made.status).toBe(201)
})

afterAll(async () => {
  await wire?.delete(`/api/v1/namespaces/${namespace}`)
})

/** A deployment once its controller has seen it, so that nobody else writes it while we look. */
const settled = (path: string): Promise<Json> =>
  wire.until(async () => {
    const { body } = await wire.get(path)
    return (
      body.status?.observedGeneration === body.metadata.generation &&
      body.status.conditions?.length > 0 &&
      body
    )
  })

const fresh = (prefix = 'c') => `${prefix}-${++serial}`
const configMap = (name: string, data: Json = { a: '1' }, labels?: Json): Json => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
  data,
})
const maps = `${core}/configmaps`
// Paused: the deployment controller of a real control plane leaves it alone while we look.
const web = (name: string, spec: Json = {}, container: Json = {}) =>
  deployment(name, 'reg/web:1', { replicas: 0, paused: true, ...spec }, container)

describe('reading and writing', () => {
  it('creates, refuses the same name twice, reads, and says what is not there', async () => {
    const name = fresh()
    const made = await wire.post(maps, configMap(name))
    expect(made.status).toBe(201)
    expect(made.body.metadata).toMatchObject({
      name,
      namespace,
      uid: expect.any(String),
      resourceVersion: expect.stringMatching(/^\d+$/),
    })
    expect(made.body.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    const twice = await wire.post(maps, configMap(name))
    expect(twice.body).toMatchObject({
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      code: 409,
      reason: 'AlreadyExists',
      message: `configmaps "${name}" already exists`,
      details: { name, kind: 'configmaps' },
    })
    expect((await wire.get(`${maps}/${name}`)).body.data).toEqual({ a: '1' })
    const absent = await wire.get(`${apps}/deployments/nobody`)
    expect(absent.status).toBe(404)
    expect(absent.body).toMatchObject({
      reason: 'NotFound',
      message: 'deployments.apps "nobody" not found',
      details: { name: 'nobody', group: 'apps', kind: 'deployments' },
    })
  })

  it('makes names from generateName', async () => {
    const made = await wire.post(maps, { metadata: { generateName: 'gen-' } })
    expect(made.body.metadata.name).toMatch(/^gen-[a-z0-9]{5}$/)
  })

  it('refuses a namespace that does not exist', async () => {
    const made = await wire.post('/api/v1/namespaces/gkube-nowhere/configmaps', configMap('x'))
    expect(made.body).toMatchObject({
      code: 404,
      reason: 'NotFound',
      message: 'namespaces "gkube-nowhere" not found',
    })
  })

  it('answers 404 for a path that names nothing', async () => {
    expect((await wire.get('/apis/apps/v1/nothings')).status).toBe(404)
    expect((await wire.get('/apis/nobody.example.com/v1')).status).toBe(404)
  })

  it('updates with the right resourceVersion only', async () => {
    const name = fresh()
    const first = (await wire.post(maps, configMap(name))).body
    const second = await wire.put(`${maps}/${name}`, { ...first, data: { a: '2' } })
    expect(second.status).toBe(200)
    expect(second.body.metadata.resourceVersion).not.toBe(first.metadata.resourceVersion)
    const stale = await wire.put(`${maps}/${name}`, { ...first, data: { a: '3' } })
    expect(stale.status).toBe(409)
    expect(stale.body).toMatchObject({
      reason: 'Conflict',
      message: `Operation cannot be fulfilled on configmaps "${name}": the object has been modified; please apply your changes to the latest version and try again`,
    })
    const blind = await wire.put(`${maps}/${name}`, configMap(name, { a: '4' }))
    expect(blind.body.data).toEqual({ a: '4' })
  })

  it('refuses to change whose object it is', async () => {
    const name = fresh()
    const { body } = await wire.post(maps, configMap(name))
    const uid = '00000000-0000-0000-0000-000000000000'
    const patched = await wire.patch(`${maps}/${name}`, 'merge', { metadata: { uid } })
    expect(patched.status).toBeGreaterThanOrEqual(409)
    const put = await wire.put(`${maps}/${name}`, { ...body, metadata: { ...body.metadata, uid } })
    expect(put.status).toBe(409)
    const applied = await wire.apply(`${maps}/nobody`, 'gkube', {
      ...configMap('nobody'),
      metadata: { name: 'nobody', uid },
    })
    expect(applied.body).toMatchObject({ code: 409, reason: 'Conflict' })
  })

  it('does not write an update that changes nothing', async () => {
    const name = fresh()
    const first = (await wire.post(maps, configMap(name))).body
    const same = (await wire.put(`${maps}/${name}`, first)).body
    expect(same.metadata.resourceVersion).toBe(first.metadata.resourceVersion)
  })

  it('raises the generation for a change of spec, not for labels or status', async () => {
    const name = fresh()
    const path = `${apps}/deployments/${name}`
    expect((await wire.post(`${apps}/deployments`, web(name))).body.metadata.generation).toBe(1)
    expect(
      (await wire.patch(path, 'merge', { metadata: { labels: { x: 'y' } } })).body.metadata.generation,
    ).toBe(1)
    expect(
      (await wire.patch(`${path}/status`, 'merge', { status: { observedGeneration: 1 } })).body.metadata
        .generation,
    ).toBe(1)
    expect((await wire.patch(path, 'merge', { spec: { minReadySeconds: 3 } })).body.metadata.generation).toBe(
      2,
    )
    expect((await wire.patch(path, 'merge', { spec: { minReadySeconds: 3 } })).body.metadata.generation).toBe(
      2,
    )
  })

  it('fills in the defaults that clients compare against', async () => {
    const name = fresh()
    const { spec } = (
      await wire.post(`${apps}/deployments`, web(name, {}, { readinessProbe: { tcpSocket: { port: 8080 } } }))
    ).body
    expect(spec).toMatchObject({
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    })
    expect(spec.template.spec).toMatchObject({
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      terminationGracePeriodSeconds: 30,
      schedulerName: 'default-scheduler',
    })
    expect(spec.template.spec.containers[0]).toMatchObject({
      imagePullPolicy: 'IfNotPresent',
      terminationMessagePath: '/dev/termination-log',
      ports: [{ containerPort: 8080, name: 'http', protocol: 'TCP' }],
      readinessProbe: { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 },
    })
    const service = (
      await wire.post(`${core}/services`, {
        metadata: { name: `svc-${name}` },
        spec: { selector: { app: name }, ports: [{ port: 80 }] },
      })
    ).body
    expect(service.spec).toMatchObject({
      type: 'ClusterIP',
      sessionAffinity: 'None',
      clusterIP: expect.stringMatching(/^\d+\./),
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    })
  })
})

describe('patches', () => {
  const cases: { name: string; type: 'merge' | 'strategic' | 'json'; patch: Json; expected: Json }[] = [
    {
      name: 'merge patch replaces lists',
      type: 'merge',
      patch: { spec: { template: { spec: { containers: [{ name: 'only', image: 'reg/o:1' }] } } } },
      expected: ['only'],
    },
    {
      name: 'strategic merge adds by name',
      type: 'strategic',
      patch: { spec: { template: { spec: { containers: [{ name: 'side', image: 'reg/s:1' }] } } } },
      expected: ['side', 'web'],
    },
    {
      name: 'strategic merge deletes by name',
      type: 'strategic',
      patch: {
        spec: {
          template: {
            spec: {
              containers: [
                { name: 'web', $patch: 'delete' },
                { name: 'new', image: 'reg/n:1' },
              ],
            },
          },
        },
      },
      expected: ['new'],
    },
    {
      name: 'JSON patch by pointer',
      type: 'json',
      patch: [{ op: 'replace', path: '/spec/template/spec/containers/0/name', value: 'renamed' }],
      expected: ['renamed'],
    },
  ]
  it.each(cases)('$name', async ({ type, patch, expected }) => {
    const name = fresh()
    await wire.post(`${apps}/deployments`, web(name))
    const patched = await wire.patch(`${apps}/deployments/${name}`, type, patch)
    expect(patched.status).toBe(200)
    expect(patched.body.spec.template.spec.containers.map((one: Json) => one.name).sort()).toEqual(expected)
  })

  it('refuses a JSON patch whose test fails, and unknown patch types', async () => {
    const name = fresh()
    await wire.post(maps, configMap(name))
    const failed = await wire.patch(`${maps}/${name}`, 'json', [{ op: 'test', path: '/data/a', value: 'no' }])
    expect(failed.status).toBe(422)
    const unknown = await wire.send('PATCH', `${maps}/${name}`, '{}', { 'content-type': 'application/json' })
    expect(unknown.status).toBe(415)
  })

  it('refuses a patch that names an old resourceVersion', async () => {
    const name = fresh()
    const first = (await wire.post(maps, configMap(name))).body
    await wire.patch(`${maps}/${name}`, 'merge', { data: { b: '2' } })
    const stale = await wire.patch(`${maps}/${name}`, 'merge', {
      metadata: { resourceVersion: first.metadata.resourceVersion },
      data: { c: '3' },
    })
    expect(stale.body).toMatchObject({ code: 409, reason: 'Conflict' })
  })
})

describe('server-side apply', () => {
  const full = (name: string, spec: Json = {}, container: Json = {}): Json => ({
    ...web(name, spec, container),
  })

  it('creates with 201, then changes nothing when nothing differs', async () => {
    const name = fresh()
    const path = `${apps}/deployments/${name}`
    const made = await wire.apply(path, 'gkube', full(name))
    expect(made.status).toBe(201)
    expect(made.body.metadata.managedFields).toMatchObject([
      { manager: 'gkube', operation: 'Apply', apiVersion: 'apps/v1', fieldsType: 'FieldsV1' },
    ])
    const fields = made.body.metadata.managedFields[0].fieldsV1
    expect(fields['f:spec']['f:template']['f:spec']['f:containers']['k:{"name":"web"}']).toMatchObject({
      '.': {},
      'f:image': {},
      'f:ports': { 'k:{"containerPort":8080,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
    })
    const before = await settled(path)
    const again = await wire.apply(path, 'gkube', full(name))
    expect(again.status).toBe(200)
    expect(again.body.metadata.resourceVersion).toBe(before.metadata.resourceVersion)
  })

  it('needs a field manager', async () => {
    const reply = await wire.send('PATCH', `${maps}/x`, configMap('x'), {
      'content-type': 'application/apply-patch+yaml',
    })
    expect(reply.status).toBe(422)
    expect(reply.body.message).toContain('fieldManager: Required value: is required for apply patch')
  })

  it('takes YAML', async () => {
    const name = fresh()
    const reply = await wire.apply(
      `${maps}/${name}`,
      'gkube',
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata: {a: "1"}\n`,
    )
    expect(reply.body.data).toEqual({ a: '1' })
  })

  it('refuses a value that another manager owns, names both, and takes it with force', async () => {
    const name = fresh()
    const path = `${apps}/deployments/${name}`
    await wire.apply(path, 'first', full(name))
    const refused = await wire.apply(path, 'second', full(name, { replicas: 1 }))
    expect(refused.status).toBe(409)
    expect(refused.body).toMatchObject({
      reason: 'Conflict',
      message: 'Apply failed with 1 conflict: conflict with "first": .spec.replicas',
      details: {
        causes: [
          { reason: 'FieldManagerConflict', message: 'conflict with "first"', field: '.spec.replicas' },
        ],
      },
    })
    const forced = await wire.apply(path, 'second', full(name, { replicas: 1 }), '&force=true')
    expect(forced.body.spec.replicas).toBe(1)
    const owners = forced.body.metadata.managedFields.filter(
      (entry: Json) => entry.fieldsV1['f:spec']?.['f:replicas'],
    )
    expect(owners.map((entry: Json) => entry.manager)).toEqual(['second'])
  })

  it('names every conflict, and who updates by which version', async () => {
    const name = fresh()
    const path = `${apps}/deployments/${name}`
    await wire.send('POST', `${apps}/deployments?fieldManager=kubectl-client-side-apply`, full(name))
    const one = await wire.apply(path, 'gkube', full(name, { replicas: 3 }))
    expect(one.body.message).toBe(
      'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas',
    )
    const two = await wire.apply(path, 'gkube', full(name, { replicas: 3 }, { image: 'reg/web:2' }))
    expect(two.body.message).toBe(
      'Apply failed with 2 conflicts: conflicts with "kubectl-client-side-apply" using apps/v1:\n- .spec.replicas\n- .spec.template.spec.containers[name="web"].image',
    )
    expect(two.body.details.causes.map((cause: Json) => cause.field)).toEqual([
      '.spec.replicas',
      '.spec.template.spec.containers[name="web"].image',
    ])
  })

  it('shares fields of equal value; only the last owner removes them', async () => {
    const name = fresh()
    const path = `${maps}/${name}`
    await wire.apply(path, 'a', configMap(name, { shared: '1', mine: '1' }))
    expect((await wire.apply(path, 'b', configMap(name, { shared: '1' }))).status).toBe(200)
    expect((await wire.apply(path, 'a', configMap(name, { mine: '1' }))).body.data).toEqual({
      shared: '1',
      mine: '1',
    })
    expect((await wire.apply(path, 'b', configMap(name, {}))).body.data).toEqual({ mine: '1' })
  })

  it('removes what a manager no longer applies: containers, ports, probes with their defaults', async () => {
    const name = fresh()
    const path = `${apps}/deployments/${name}`
    const two = full(
      name,
      {},
      {
        livenessProbe: { tcpSocket: { port: 8080 } },
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
      },
    )
    two.spec.template.spec.containers.push({ name: 'side', image: 'reg/s:1' })
    await wire.apply(path, 'gkube', two)
    const less = await wire.apply(path, 'gkube', full(name, {}, { env: [{ name: 'B', value: '2' }] }))
    const [container, ...others] = less.body.spec.template.spec.containers
    expect(others).toEqual([])
    expect(container.livenessProbe).toBeUndefined()
    expect(container.env).toEqual([{ name: 'B', value: '2' }])
  })

  it('keeps what others added: a sidecar, a label, a finalizer', async () => {
    const name = fresh()
    const path = `${apps}/deployments/${name}`
    await wire.apply(path, 'gkube', full(name))
    await wire.patch(path, 'strategic', {
      metadata: { labels: { team: 'shop' }, finalizers: ['example.com/hold'] },
      spec: { template: { spec: { containers: [{ name: 'mesh', image: 'reg/mesh:1' }] } } },
    })
    const next = (await wire.apply(path, 'gkube', full(name, {}, { image: 'reg/web:2' }))).body
    expect(next.metadata.labels).toEqual({ app: name, team: 'shop' })
    expect(next.metadata.finalizers).toEqual(['example.com/hold'])
    // A strategic merge patch puts what is new before what it meets; an apply leaves it there.
    expect(next.spec.template.spec.containers.map((one: Json) => [one.name, one.image])).toEqual([
      ['mesh', 'reg/mesh:1'],
      ['web', 'reg/web:2'],
    ])
    await wire.patch(path, 'merge', { metadata: { finalizers: null } })
  })

  it('gives a dropped field back to its default when nobody else owns it', async () => {
    const name = fresh()
    const path = `${apps}/deployments/${name}`
    await wire.apply(path, 'gkube', full(name, { replicas: 4 }))
    const { replicas: _gone, ...spec } = full(name).spec
    const next = await wire.apply(path, 'gkube', { ...full(name), spec })
    expect(next.body.spec.replicas).toBe(1)
  })

  it('hands replicas over to an autoscaler without a step', async () => {
    const name = fresh()
    const path = `${apps}/deployments/${name}`
    await wire.apply(path, 'gkube', full(name, { replicas: 4 }))
    await wire.patch(`${path}/scale`, 'merge', { spec: { replicas: 4 } })
    await wire.apply(path, 'hand-over', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: { replicas: 4 },
    })
    const { replicas: _gone, ...spec } = full(name).spec
    expect((await wire.apply(path, 'gkube', { ...full(name), spec })).body.spec.replicas).toBe(4)
  })

  it('keeps the order of the configuration, with what others added where it stood', async () => {
    const name = fresh()
    const path = `${apps}/deployments/${name}`
    const containers = (...names: string[]): Json => {
      const object = full(name)
      object.spec.template.spec.containers = names.map(one => ({ name: one, image: `reg/${one}:1` }))
      return object
    }
    await wire.apply(path, 'other', containers('web', 'theirs', 'last'))
    const next = await wire.apply(path, 'gkube', containers('first', 'web', 'mid', 'last'))
    expect(next.body.spec.template.spec.containers.map((one: Json) => one.name)).toEqual([
      'first',
      'web',
      'theirs',
      'mid',
      'last',
    ])
  })

  it('writes quantities in their own form', async () => {
    const name = fresh()
    const resources = { requests: { cpu: '0.1', memory: '1024Mi' }, limits: { cpu: 1.5, memory: '1.5Gi' } }
    const made = await wire.apply(`${apps}/deployments/${name}`, 'gkube', full(name, {}, { resources }))
    expect(made.body.spec.template.spec.containers[0].resources).toEqual({
      requests: { cpu: '100m', memory: '1Gi' },
      limits: { cpu: '1500m', memory: '1536Mi' },
    })
  })

  it('refuses a stale resourceVersion before anything else, and takes the live one', async () => {
    const name = fresh()
    const path = `${maps}/${name}`
    const first = (await wire.apply(path, 'gkube', configMap(name))).body
    const at = (resourceVersion: string, data: Json) => ({
      ...configMap(name, data),
      metadata: { name, resourceVersion },
    })
    const second = await wire.apply(path, 'gkube', at(first.metadata.resourceVersion, { a: '2' }))
    expect(second.status).toBe(200)
    const stale = await wire.apply(path, 'gkube', at(first.metadata.resourceVersion, { a: '3' }))
    expect(stale.body).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message: `Operation cannot be fulfilled on configmaps "${name}": the object has been modified; please apply your changes to the latest version and try again`,
    })
    expect(stale.body.details.causes).toBeUndefined()
    expect((await wire.get(path)).body.data).toEqual({ a: '2' })
  })

  it('refuses a list that names the same item twice', async () => {
    const name = fresh()
    const twice = full(name)
    twice.spec.template.spec.containers[0].ports.push({ containerPort: 8080, name: 'again' })
    const reply = await wire.apply(`${apps}/deployments/${name}`, 'gkube', twice)
    expect(reply.status).toBeGreaterThanOrEqual(400)
    expect(reply.body.message).toContain('duplicate entries for key [containerPort=8080,protocol="TCP"]')
  })

  it('keeps status and spec apart', async () => {
    const name = fresh()
    const path = `${apps}/deployments/${name}`
    const made = await wire.apply(path, 'gkube', { ...full(name), status: { replicas: 9 } })
    expect(made.body.status?.replicas).toBeUndefined()
    const status = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: { replicas: 7 },
      status: { collisionCount: 2 },
    }
    const reply = await wire.apply(`${path}/status`, 'reporter', status)
    expect(reply.body.status.collisionCount).toBe(2)
    expect(reply.body.spec.replicas).toBe(0)
    expect(
      reply.body.metadata.managedFields.find((entry: Json) => entry.manager === 'reporter'),
    ).toMatchObject({ operation: 'Apply', subresource: 'status' })
  })

  it('works through @kubernetes/client-node as gkube uses it', async () => {
    const name = fresh()
    const config = new KubeConfig()
    config.loadFromString(kubeconfig)
    const api = KubernetesObjectApi.makeApiClient(config)
    const object = { ...full(name), metadata: { name, namespace, labels: { app: name } } }
    const apply = (body: Json, force: boolean, dryRun?: string) =>
      api.patch(body, undefined, dryRun, 'gkube', force, PatchStrategy.ServerSideApply)
    const made = await apply(object, false)
    expect(made.metadata?.uid).toBeTruthy()
    await wire.send(
      'PATCH',
      `${apps}/deployments/${name}?fieldManager=other&force=true`,
      full(name, { replicas: 5 }),
      { 'content-type': 'application/apply-patch+yaml' },
    )
    const failed = await apply(object, false).catch(error => error)
    expect(failed.code).toBe(409)
    expect(JSON.parse(failed.body).details.causes[0]).toMatchObject({
      reason: 'FieldManagerConflict',
      field: '.spec.replicas',
    })
    expect(((await apply(object, true, 'All')) as Json).spec.replicas).toBe(0)
    expect((await wire.get(`${apps}/deployments/${name}`)).body.spec.replicas).toBe(5)
  })
})

describe('dry run', () => {
  it('answers as if written, and writes nothing', async () => {
    const name = fresh()
    const made = await wire.send('POST', `${maps}?dryRun=All`, configMap(name))
    expect(made.status).toBe(201)
    expect(made.body.metadata.uid).toBeTruthy()
    expect((await wire.get(`${maps}/${name}`)).status).toBe(404)
    const { body } = await wire.post(maps, configMap(name))
    for (const reply of [
      await wire.send('PUT', `${maps}/${name}?dryRun=All`, { ...body, data: { a: '9' } }),
      await wire.send(
        'PATCH',
        `${maps}/${name}?dryRun=All`,
        { data: { a: '9' } },
        { 'content-type': 'application/merge-patch+json' },
      ),
      await wire.apply(`${maps}/${name}`, 'gkube', configMap(name, { a: '9' }), '&force=true&dryRun=All'),
    ]) {
      expect(reply.body.data).toEqual({ a: '9' })
    }
    expect((await wire.send('DELETE', `${maps}/${name}?dryRun=All`)).status).toBe(200)
    const after = (await wire.get(`${maps}/${name}`)).body
    expect(after).toEqual(body)
  })

  it('validates and finds conflicts all the same', async () => {
    const name = fresh()
    const bad = web(name)
    bad.spec.template.metadata.labels = { app: 'other' }
    expect((await wire.send('POST', `${apps}/deployments?dryRun=All`, bad)).status).toBe(422)
    await wire.apply(`${apps}/deployments/${name}`, 'first', web(name))
    expect(
      (await wire.apply(`${apps}/deployments/${name}`, 'second', web(name, { replicas: 2 }), '&dryRun=All'))
        .status,
    ).toBe(409)
  })
})

describe('lists', () => {
  const list = async (query: string) => (await wire.get(`${maps}?${query}`)).body
  const namesOf = (body: Json) => body.items.map((one: Json) => one.metadata.name).sort()

  it('selects by labels, equality and set based, and by fields', async () => {
    for (const [name, labels] of [
      ['l-a', { sel: 'x', tier: 'web' }],
      ['l-b', { sel: 'x', tier: 'db' }],
      ['l-c', { sel: 'x' }],
    ] as const) {
      await wire.post(maps, configMap(name, {}, labels))
    }
    const query = async (selector: string) =>
      namesOf(await list(`labelSelector=${encodeURIComponent(selector)}`))
    expect(await query('sel=x,tier=web')).toEqual(['l-a'])
    expect(await query('sel==x,tier!=web')).toEqual(['l-b', 'l-c'])
    expect(await query('sel in (x,y),tier in (web,db)')).toEqual(['l-a', 'l-b'])
    expect(await query('sel=x,tier notin (web)')).toEqual(['l-b', 'l-c'])
    expect(await query('sel,!tier')).toEqual(['l-c'])
    expect(namesOf(await list('fieldSelector=metadata.name%3Dl-b'))).toEqual(['l-b'])
    expect((await wire.get(`${maps}?fieldSelector=data.a%3D1`)).status).toBe(400)
  })

  it('pages through a snapshot with limit and continue', async () => {
    const names = ['p-1', 'p-2', 'p-3', 'p-4', 'p-5']
    for (const name of names) await wire.post(maps, configMap(name, {}, { page: 'yes' }))
    const first = await list('labelSelector=page%3Dyes&limit=2')
    expect(namesOf(first)).toEqual(['p-1', 'p-2'])
    expect(first.metadata.continue).toBeTruthy()
    await wire.delete(`${maps}/p-4`)
    await wire.post(maps, configMap('p-33', {}, { page: 'yes' }))
    const second = await list(`labelSelector=page%3Dyes&limit=2&continue=${first.metadata.continue}`)
    const third = await list(`labelSelector=page%3Dyes&limit=2&continue=${second.metadata.continue}`)
    expect([...namesOf(second), ...namesOf(third)]).toEqual(['p-3', 'p-4', 'p-5'])
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion)
    expect(third.metadata.continue ?? '').toBe('')
  })

  it('lists across namespaces', async () => {
    const name = fresh()
    await wire.post(maps, configMap(name, {}, { everywhere: name }))
    const found = (await wire.get(`/api/v1/configmaps?labelSelector=everywhere%3D${name}`)).body
    expect(found).toMatchObject({ kind: 'ConfigMapList', items: [{ metadata: { name, namespace } }] })
  })

  it('refuses a continue token that is too old, with 410', async context => {
    if (!compact) return context.skip()
    for (const name of ['o-1', 'o-2']) await wire.post(maps, configMap(name, {}, { old: 'yes' }))
    const first = await list('labelSelector=old%3Dyes&limit=1')
    await wire.post(maps, configMap(fresh()))
    compact()
    const reply = await wire.get(
      `${maps}?labelSelector=old%3Dyes&limit=1&continue=${first.metadata.continue}`,
    )
    expect(reply.body).toMatchObject({ code: 410, reason: 'Expired' })
  })
})

describe('watches', () => {
  it('goes on from a resourceVersion, in order, once each', async () => {
    const name = fresh('w')
    const { body } = await wire.post(maps, configMap(name, {}, { watched: name }))
    await wire.patch(`${maps}/${name}`, 'merge', { data: { n: '1' } })
    const watch = await wire.watch(
      `${maps}?watch=1&labelSelector=watched%3D${name}&resourceVersion=${body.metadata.resourceVersion}`,
    )
    expect(await watch.next()).toMatchObject({
      type: 'MODIFIED',
      object: { kind: 'ConfigMap', data: { n: '1' } },
    })
    await wire.patch(`${maps}/${name}`, 'merge', { data: { n: '2' } })
    const second = await watch.next()
    expect(second.object.data).toEqual({ n: '2' })
    await wire.delete(`${maps}/${name}`)
    const gone = await watch.next()
    expect(gone).toMatchObject({ type: 'DELETED', object: { data: { n: '2' } } })
    expect(Number(gone.object.metadata.resourceVersion)).toBeGreaterThan(
      Number(second.object.metadata.resourceVersion),
    )
    watch.close()
  })

  it('begins with what is there when no version is named', async () => {
    const name = fresh('w')
    await wire.post(maps, configMap(name, {}, { watched: name }))
    const watch = await wire.watch(`${maps}?watch=true&labelSelector=watched%3D${name}`)
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name } } })
    watch.close()
  })

  it('tells of entering and leaving a selection as ADDED and DELETED', async () => {
    const name = fresh('w')
    const { body } = await wire.post(maps, configMap(name))
    const watch = await wire.watch(
      `${maps}?watch=1&labelSelector=in%3D${name}&resourceVersion=${body.metadata.resourceVersion}`,
    )
    await wire.patch(`${maps}/${name}`, 'merge', { metadata: { labels: { in: name } } })
    expect((await watch.next()).type).toBe('ADDED')
    await wire.patch(`${maps}/${name}`, 'merge', { metadata: { labels: { in: null } } })
    expect((await watch.next()).type).toBe('DELETED')
    watch.close()
  })

  // A real server sends one two seconds before the end.
  it('sends bookmarks to whom asks, and ends after timeoutSeconds', async () => {
    const { body } = await wire.get(maps)
    const watch = await wire.watch(
      `${maps}?watch=1&labelSelector=no%3Dbody&allowWatchBookmarks=true&timeoutSeconds=${real ? 4 : 1}&resourceVersion=${body.metadata.resourceVersion}`,
    )
    // Something this watch does not show, so that there is a later version to tell of.
    const later = (await wire.post(maps, configMap(fresh()))).body.metadata.resourceVersion
    const bookmark = await watch.next(
      ({ type, object }) => type === 'BOOKMARK' && Number(object.metadata.resourceVersion) >= Number(later),
    )
    expect(bookmark.object).toMatchObject({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { resourceVersion: expect.stringMatching(/^\d+$/) },
    })
    await watch.ended()
  })

  it('answers a version too long ago with an ERROR event 410', async context => {
    if (!compact) return context.skip()
    const { body } = await wire.post(maps, configMap(fresh()))
    await wire.post(maps, configMap(fresh()))
    compact()
    const watch = await wire.watch(`${maps}?watch=1&resourceVersion=${body.metadata.resourceVersion}`)
    expect(await watch.next()).toMatchObject({
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired' },
    })
    expect(await watch.ended()).toEqual([])
  })
})

// What gkube's verdicts of a rollback lean on (core/rollout.ts).
describe('the clock of a Deployment', () => {
  const progressing = (object: Json): Json =>
    object.status?.conditions?.find((one: Json) => one.type === 'Progressing')

  it('keeps its verdict when what ran before comes back, until a step forward', async () => {
    const name = fresh('clock')
    const path = `${apps}/deployments/${name}`
    // No node is like that: pods wait for ever, and nothing but the counts of pods can move.
    const spec = { replicas: 1, paused: false, progressDeadlineSeconds: 2 }
    const made = web(name, spec)
    made.spec.template.spec.nodeSelector = { 'gkube.test/node': 'none' }
    expect((await wire.post(`${apps}/deployments`, made)).status).toBe(201)
    const late = () =>
      wire.until(async () => {
        const { body } = await wire.get(path)
        const { status, metadata } = body
        const seen = status?.observedGeneration === metadata.generation
        return seen && progressing(body)?.reason === 'ProgressDeadlineExceeded' && (body as Json)
      })
    const template = (n: string) => ({ spec: { template: { metadata: { annotations: { n } } } } })
    const { annotations } = (await late()).spec.template.metadata
    await wire.patch(path, 'merge', template('2'))
    const { metadata } = await late()
    const watch = await wire.watch(
      `${apps}/deployments?watch=1&fieldSelector=metadata.name%3D${name}&resourceVersion=${metadata.resourceVersion}`,
    )
    const back = await wire.patch(path, 'merge', {
      spec: { template: { metadata: { annotations: annotations ?? null } } },
    })
    const { generation } = back.body.metadata
    const seen = await watch.next(({ object }) => object.status?.observedGeneration === generation)
    expect(seen.object.status).toMatchObject({ replicas: 2, updatedReplicas: 1 })
    expect(progressing(seen.object)).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' })
    await wire.patch(path, 'merge', { spec: { replicas: 0 } })
    const done = await watch.next(({ object }) => progressing(object).reason !== 'ProgressDeadlineExceeded')
    expect(progressing(done.object)).toMatchObject({ status: 'True' })
    watch.close()
    await wire.delete(path)
  }, 40_000)
})

describe('deletion', () => {
  it('keeps to preconditions', async () => {
    const name = fresh()
    const { body } = await wire.post(maps, configMap(name))
    const other = await wire.delete(`${maps}/${name}`, {
      preconditions: { uid: '00000000-0000-0000-0000-000000000000' },
    })
    expect(other.body).toMatchObject({ code: 409, reason: 'Conflict' })
    expect(other.body.message).toContain(
      'the UID in the precondition (00000000-0000-0000-0000-000000000000) does not match the UID in record',
    )
    const stale = await wire.delete(`${maps}/${name}`, {
      preconditions: { uid: body.metadata.uid, resourceVersion: '1' },
    })
    expect(stale.body).toMatchObject({ code: 409, reason: 'Conflict' })
    const gone = await wire.delete(`${maps}/${name}`, {
      preconditions: { uid: body.metadata.uid, resourceVersion: body.metadata.resourceVersion },
    })
    expect(gone.body).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name, uid: body.metadata.uid },
    })
    expect((await wire.delete(`${maps}/${name}`)).status).toBe(404)
  })

  it('waits for finalizers', async () => {
    const name = fresh()
    const made = configMap(name)
    made.metadata.finalizers = ['example.com/hold']
    await wire.post(maps, made)
    const marked = await wire.delete(`${maps}/${name}`)
    expect(marked.body.metadata.deletionTimestamp).toBeTruthy()
    expect((await wire.get(`${maps}/${name}`)).status).toBe(200)
    await wire.patch(`${maps}/${name}`, 'merge', { metadata: { finalizers: null } })
    expect((await wire.get(`${maps}/${name}`)).status).toBe(404)
  })

  async function family() {
    const owner = (await wire.post(maps, configMap(fresh('owner')))).body
    const child = configMap(fresh('child'))
    child.metadata.ownerReferences = [
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        name: owner.metadata.name,
        uid: owner.metadata.uid,
        blockOwnerDeletion: true,
      },
    ]
    await wire.post(maps, child)
    return { owner: `${maps}/${owner.metadata.name}`, child: `${maps}/${child.metadata.name}` }
  }
  const gone = (path: string) => wire.until(async () => (await wire.get(path)).status === 404, 30_000)

  it('removes dependents after their owner (Background)', { timeout: 40_000 }, async () => {
    const { owner, child } = await family()
    await wire.delete(owner, { propagationPolicy: 'Background' })
    expect((await wire.get(owner)).status).toBe(404)
    await gone(child)
  })

  it('removes dependents before their owner (Foreground)', { timeout: 40_000 }, async () => {
    const { owner, child } = await family()
    const marked = await wire.delete(owner, { propagationPolicy: 'Foreground' })
    expect(marked.body.metadata.finalizers).toContain('foregroundDeletion')
    await gone(owner)
    expect((await wire.get(child)).status).toBe(404)
  })

  it('leaves dependents without an owner (Orphan)', { timeout: 40_000 }, async () => {
    const { owner, child } = await family()
    await wire.delete(owner, { propagationPolicy: 'Orphan' })
    await gone(owner)
    expect((await wire.get(child)).body.metadata.ownerReferences).toBeUndefined()
  })

  it('deletes a collection by selector', async () => {
    for (const name of ['dc-1', 'dc-2']) await wire.post(maps, configMap(name, {}, { dc: 'yes' }))
    await wire.post(maps, configMap('dc-3'))
    await wire.delete(`${maps}?labelSelector=dc%3Dyes`)
    expect((await wire.get(`${maps}?labelSelector=dc%3Dyes`)).body.items).toEqual([])
    expect((await wire.get(`${maps}/dc-3`)).status).toBe(200)
  })
})

describe('validation', () => {
  const cases: { name: string; path: string; body: () => Json; field: string; message: RegExp }[] = [
    {
      name: 'a selector that does not match its template',
      path: `${apps}/deployments`,
      body: () => ({
        ...web('v-1'),
        spec: { ...web('v-1').spec, selector: { matchLabels: { app: 'other' } } },
      }),
      field: 'spec.template.metadata.labels',
      message:
        /^Deployment\.apps "v-1" is invalid: spec\.template\.metadata\.labels: Invalid value: .*`selector` does not match template `labels`$/,
    },
    {
      name: 'a name in capitals',
      path: maps,
      body: () => configMap('Web_1'),
      field: 'metadata.name',
      message: /a lowercase RFC 1123 subdomain must consist of/,
    },
    {
      name: 'no image',
      path: `${apps}/deployments`,
      body: () => web('v-2', {}, { image: '' }),
      field: 'spec.template.spec.containers[0].image',
      message: /Required value/,
    },
    {
      name: 'a mount of an unknown volume',
      path: `${apps}/deployments`,
      body: () => web('v-3', {}, { volumeMounts: [{ name: 'data', mountPath: '/data' }] }),
      field: 'spec.template.spec.containers[0].volumeMounts[0].name',
      message: /Not found: "data"/,
    },
    {
      name: 'the same Service port twice',
      path: `${core}/services`,
      body: () => ({
        metadata: { name: 'v-4' },
        spec: {
          ports: [
            { name: 'a', port: 80 },
            { name: 'b', port: 80 },
          ],
        },
      }),
      field: 'spec.ports[1]',
      message: /Duplicate value/,
    },
    {
      name: 'requests above limits',
      path: `${apps}/deployments`,
      body: () => web('v-5', {}, { resources: { requests: { memory: '2Gi' }, limits: { memory: '1Gi' } } }),
      field: 'spec.template.spec.containers[0].resources.requests',
      message: /must be less than or equal to memory limit of 1Gi/,
    },
    {
      name: 'a Job without restartPolicy',
      path: `/apis/batch/v1/namespaces/${namespace}/jobs`,
      body: () => ({
        metadata: { name: 'v-6' },
        spec: { template: { spec: { containers: [{ name: 'a', image: 'a' }] } } },
      }),
      field: 'spec.template.spec.restartPolicy',
      message: /Required value|Unsupported value/,
    },
  ]
  it.each(cases)('refuses $name with 422 and its field', async ({ path, body, field, message }) => {
    const reply = await wire.post(path, body())
    expect(reply.status).toBe(422)
    expect(reply.body).toMatchObject({ reason: 'Invalid', message: expect.stringMatching(message) })
    expect(reply.body.details.causes.map((cause: Json) => cause.field)).toContain(field)
  })

  it('refuses to change what is immutable', async () => {
    const name = fresh('i')
    await wire.post(`${apps}/deployments`, web(name))
    const selector = await wire.patch(`${apps}/deployments/${name}`, 'merge', {
      spec: { selector: { matchLabels: { x: 'y' } }, template: { metadata: { labels: { x: 'y' } } } },
    })
    expect(selector.status).toBe(422)
    expect(selector.body.message).toMatch(/spec\.selector: Invalid value: .*: field is immutable/)

    await wire.post(maps, { ...configMap(name), immutable: true })
    const data = await wire.patch(`${maps}/${name}`, 'merge', { data: { a: '2' } })
    expect(data.body.message).toBe(
      `ConfigMap "${name}" is invalid: data: Forbidden: field is immutable when \`immutable\` is set`,
    )

    await wire.post(`${core}/services`, { metadata: { name }, spec: { ports: [{ port: 80 }] } })
    const address = await wire.patch(`${core}/services/${name}`, 'merge', {
      spec: { clusterIP: '10.96.77.77', clusterIPs: ['10.96.77.77'] },
    })
    expect(address.body.message).toContain('may not change once set')

    await wire.post(`${apps}/statefulsets`, {
      ...web(name),
      kind: 'StatefulSet',
      spec: {
        replicas: 0,
        serviceName: 'a',
        selector: web(name).spec.selector,
        template: web(name).spec.template,
      },
    })
    const service = await wire.patch(`${apps}/statefulsets/${name}`, 'merge', { spec: { serviceName: 'b' } })
    expect(service.body.message).toMatch(
      // 1.35 and older; 1.37 names the field.
      /updates to statefulset spec for fields other than|serviceName: Invalid value: "\w+": field is immutable/,
    )
  })

  it('refuses a body of another kind, and what is not JSON, with 400', async () => {
    expect((await wire.post(maps, { ...configMap('x'), kind: 'Secret' })).status).toBe(400)
    expect((await wire.send('POST', maps, '{')).status).toBe(400)
    expect((await wire.post(maps, configMap('x', { n: 1 }))).status).toBe(400)
  })

  it('warns of PodSecurity, and refuses pods where it is enforced', async () => {
    const label = (mode: string) => ({
      metadata: { labels: { [`pod-security.kubernetes.io/${mode}`]: 'restricted' } },
    })
    await wire.patch(`/api/v1/namespaces/${namespace}`, 'merge', label('warn'))
    const made = await wire.post(`${apps}/deployments`, web(fresh('ps')))
    expect(made.status).toBe(201)
    expect(String(made.headers.warning)).toMatch(
      /would violate PodSecurity \\"restricted:latest\\": allowPrivilegeEscalation != false/,
    )
    await wire.patch(`/api/v1/namespaces/${namespace}`, 'merge', label('enforce'))
    const pod = await wire.post(`${core}/pods`, {
      metadata: { name: fresh('ps') },
      spec: { containers: [{ name: 'web', image: 'reg/web:1' }] },
    })
    expect(pod.body).toMatchObject({ code: 403, reason: 'Forbidden' })
    expect(pod.body.message).toMatch(
      /is forbidden: violates PodSecurity "restricted:latest": .*runAsNonRoot != true \(pod or container "web" must set securityContext.runAsNonRoot=true\)/,
    )
    await wire.patch(`/api/v1/namespaces/${namespace}`, 'merge', {
      metadata: {
        labels: { 'pod-security.kubernetes.io/enforce': null, 'pod-security.kubernetes.io/warn': null },
      },
    })
  })
})

describe('subresources', () => {
  it('reads and writes scale', async () => {
    const name = fresh()
    const path = `${apps}/deployments/${name}`
    await wire.post(`${apps}/deployments`, web(name, { replicas: 2 }))
    await settled(path)
    const scale = (await wire.get(`${path}/scale`)).body
    expect(scale).toMatchObject({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      metadata: { name, namespace },
      spec: { replicas: 2 },
      status: { selector: `app=${name}` },
    })
    expect((await wire.put(`${path}/scale`, { ...scale, spec: { replicas: 3 } })).body.spec.replicas).toBe(3)
    expect((await wire.put(`${path}/scale`, { ...scale, spec: { replicas: 5 } })).status).toBe(409)
    expect((await wire.get(path)).body.spec.replicas).toBe(3)
  })

  it('writes status only through status', async () => {
    const name = fresh()
    const path = `${apps}/deployments/${name}`
    const made = (await wire.post(`${apps}/deployments`, web(name))).body
    expect(
      (
        await wire.put(path, {
          ...made,
          metadata: { ...made.metadata, resourceVersion: '' },
          status: { collisionCount: 4 },
        })
      ).body.status?.collisionCount,
    ).toBeUndefined()
    const put = await wire.put(`${path}/status`, {
      ...made,
      metadata: { ...made.metadata, resourceVersion: '' },
      spec: { ...made.spec, replicas: 9 },
      status: { collisionCount: 4 },
    })
    expect(put.body).toMatchObject({ spec: { replicas: 0 }, status: { collisionCount: 4 } })
  })

  it('is discovered', async () => {
    const { resources } = (await wire.get('/apis/apps/v1')).body
    const deployments = resources.find((one: Json) => one.name === 'deployments')
    expect(deployments).toMatchObject({ kind: 'Deployment', namespaced: true, shortNames: ['deploy'] })
    expect(resources.map((one: Json) => one.name)).toEqual(
      expect.arrayContaining(['deployments/status', 'deployments/scale']),
    )
    expect((await wire.get('/version')).body).toMatchObject({
      major: '1',
      gitVersion: expect.stringMatching(/^v1\./),
    })
    expect((await wire.get('/apis')).body.groups.map((one: Json) => one.name)).toEqual(
      expect.arrayContaining(['apps', 'batch', 'autoscaling', 'policy']),
    )
  })

  it('answers access reviews', async () => {
    const reply = await wire.post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      spec: { resourceAttributes: { verb: 'patch', group: 'apps', resource: 'deployments', namespace } },
    })
    expect(reply.status).toBe(201)
    expect(reply.body.status.allowed).toBe(true)
  })
})
