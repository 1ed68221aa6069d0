// Taking over what was there before gkube, as stories that any cluster can tell: test/slow/adopt.test.ts on the
// stand-in, test/cluster/ on a real control plane. kubectl made what is adopted.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type AdoptionInput,
  type AdoptionPlan,
  adoptInput,
  adoptionInput,
} from '../../src/core/adoption/verbs.ts'
import type { Deploy } from '../../src/core/deploy.ts'
import type { Json } from '../sandbox/cluster/wire.ts'
import type { Ground } from './drift-stories.ts'
import { type Kubectl, kubectlOn, pathTo } from './kubectl.ts'
import { admin, callerWith, outcome, ship as shipFor, webApp } from './stack.ts'

const image = (tag: string) => `registry.example.com/shop/web:${tag}`
const apiVersions: Readonly<Record<string, string>> = { Deployment: 'apps/v1', StatefulSet: 'apps/v1' }

/** A workload as a team wrote it years ago. */
export const legacy = (
  kind: string,
  name: string,
  more: { spec?: Json; container?: Json; metadata?: Json } = {},
) => ({
  apiVersion: apiVersions[kind] ?? 'v1',
  kind,
  metadata: { name, labels: { app: name }, ...more.metadata },
  spec: {
    replicas: 3,
    selector: kind === 'ReplicationController' ? { app: name } : { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name, tier: 'front' } },
      spec: {
        containers: [
          {
            name: 'server',
            image: image('1.0.0'),
            ports: [{ containerPort: 8080, name: 'www' }],
            env: [{ name: 'OLD', value: 'yes' }],
            envFrom: [{ configMapRef: { name: `${name}-config` } }],
            ...more.container,
          },
        ],
      },
    },
    ...more.spec,
  },
})
const serviceOf = (name: string, selector: Record<string, string>, targetPort: Json = 8080) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector, ports: [{ port: 80, targetPort }] },
})
const config = (name: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: `${name}-config` },
  data: { A: '1' },
})

/** Addresses behind a Service that are ready. */
export async function readyBehind(
  { wire }: Pick<Ground, 'wire'>,
  namespace: string,
  service: string,
): Promise<number> {
  const { body } = await wire.get(
    `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=kubernetes.io/service-name=${service}`,
  )
  const endpoints: Json[] = body.items.flatMap((slice: Json) => slice.endpoints ?? [])
  return new Set(endpoints.filter(one => one.conditions?.ready !== false).map(one => one.addresses[0])).size
}

/** The fewest ready addresses behind a Service once as many as `wanted` are there, by a watch of its slices. */
export async function fewestReady(
  ground: Pick<Ground, 'wire'>,
  namespace: string,
  service: string,
  wanted: number,
) {
  const { wire } = ground
  await wire.until(async () => (await readyBehind(ground, namespace, service)) >= wanted, 20_000)
  const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`
  const selector = `labelSelector=kubernetes.io/service-name=${service}`
  const listed = (await wire.get(`${path}?${selector}`)).body
  const slices = new Map<string, Json>(listed.items.map((one: Json) => [one.metadata.name, one]))
  const count = () => {
    const all = [...slices.values()].flatMap(slice => slice.endpoints ?? [])
    return new Set(
      all.filter((one: Json) => one.conditions?.ready !== false).map((one: Json) => one.addresses[0]),
    ).size
  }
  let fewest = count()
  let changes = 0
  const watch = await wire.watch(
    `${path}?watch=1&${selector}&resourceVersion=${listed.metadata.resourceVersion}`,
  )
  const done = (async () => {
    for (;;) {
      const { type, object } = await watch.next(undefined, 60_000)
      if (type === 'DELETED') slices.delete(object.metadata.name)
      else slices.set(object.metadata.name, object)
      changes++
      fewest = Math.min(fewest, count())
    }
  })().catch(() => undefined)
  return {
    async end() {
      watch.close()
      await done
      return { fewest, changes }
    },
  }
}

export function adoptStories(start: () => Promise<Ground>): void {
  let ground: Ground
  let kubectl: Kubectl
  let namespace: string
  const ship = (input: Parameters<typeof shipFor>[1]) => shipFor(ground.core, input)
  const live = async (kind: string, name: string): Promise<Json> =>
    (await ground.wire.get(pathTo(namespace, kind, name))).body
  const there = async (kind: string, name: string) =>
    (await ground.wire.get(pathTo(namespace, kind, name))).status === 200
  const inputOf = (app: string, workload: string, more: Partial<AdoptionInput> = {}) =>
    adoptionInput.parse({ app, environment: 'staging', workload, ...more })
  const plan = (app: string, workload: string, more: Partial<AdoptionInput> = {}): Promise<AdoptionPlan> =>
    ground.core.planAdoption(admin, inputOf(app, workload, more))
  const adoptAs = async (
    shown: AdoptionPlan,
    workload: string,
    more: Partial<AdoptionInput> = {},
  ): Promise<Deploy> => {
    const input = { ...inputOf(shown.app, workload, more), revision: shown.revision, confirm: shown.hash }
    const { deploy } = await ground.core.adopt(admin, adoptInput.parse(input))
    return (await outcome(ground.core, deploy.id)).deploy
  }
  const adopt = async (app: string, workload: string, more: Partial<AdoptionInput> = {}) =>
    adoptAs(await plan(app, workload, more), workload, more)
  const register = (app: string, over: Record<string, unknown> = {}) =>
    ground.core.applyApp(admin, webApp({ app, jobs: [], ...over }), { dryRun: false })
  const ready = (kind: string, name: string, count = 3) =>
    ground.wire.until(async () => (await live(kind, name)).status?.readyReplicas === count, 20_000)

  beforeAll(async () => {
    ground = await start()
    kubectl = kubectlOn(ground.kubeconfig, ground.wire)
    namespace = ground.namespace('staging')
  })

  describe('a Deployment that kubectl made', () => {
    beforeAll(async () => {
      await kubectl.apply(
        namespace,
        config('shop-front'),
        legacy('Deployment', 'shop-front'),
        serviceOf('front', { tier: 'front' }),
      )
      await register('front-app', { env: { LOG_LEVEL: 'info' } })
      await ready('deployment', 'shop-front')
    })

    it('is shown first: what changes, what is around it, who wrote it; nothing is written', async () => {
      const before = await live('deployment', 'shop-front')
      const shown = await plan('front-app', 'deployment/shop-front')
      expect(shown).toMatchObject({
        workload: `Deployment ${namespace}/shop-front`,
        revision: '1.0.0',
        steps: ['adopt', 'apply', 'rollout', 'record'],
        refusals: [],
      })
      const deployment = shown.objects.find(one => one.object.startsWith('Deployment'))
      expect(deployment).toMatchObject({ object: `Deployment ${namespace}/shop-front`, action: 'change' })
      expect(deployment?.diff).toMatch(/^- .*name: server$/m)
      expect(deployment?.diff).toMatch(/^- .*OLD$/m)
      expect(deployment?.diff).toMatch(/^\+ .*LOG_LEVEL$/m)
      expect(deployment?.diff).not.toMatch(/^[-+] +replicas:/m)
      expect(deployment?.diff).not.toMatch(/^[-+] +tier: front/m)
      expect(shown.objects.find(one => one.object.startsWith('Service'))).toMatchObject({ action: 'create' })
      const found = Object.fromEntries(shown.found.map(one => [one.object, one.becomes]))
      expect(found[`Service ${namespace}/front`]).toMatch(/stays as it is/)
      expect(found[`ConfigMap ${namespace}/shop-front-config`]).toMatch(/stays as it is/)
      expect(shown.found.filter(one => one.object.startsWith('Pod '))).toHaveLength(3)
      expect(shown.managers).toContainEqual(
        expect.objectContaining({ manager: 'kubectl-client-side-apply', moves: true }),
      )
      const after = await live('deployment', 'shop-front')
      expect(after.metadata.generation).toBe(before.metadata.generation)
      expect(after.metadata.managedFields).toEqual(before.metadata.managedFields)
      expect(await ground.core.status(admin, { app: 'front-app' })).toEqual([])
    })

    it('is not taken by who may not, nor as something else than what was shown', async () => {
      const input = inputOf('front-app', 'deployment/shop-front')
      await expect(ground.core.planAdoption(callerWith('ci', 'deployer'), input)).rejects.toMatchObject({
        kind: 'forbidden',
      })
      const shown = await plan('front-app', 'deployment/shop-front')
      await kubectl.scale(namespace, 'deployment', 'shop-front', 4)
      await expect(adoptAs(shown, 'deployment/shop-front')).rejects.toMatchObject({
        kind: 'conflict',
        message: expect.stringMatching(/has changed since/),
      })
      await kubectl.scale(namespace, 'deployment', 'shop-front', 3)
      await ready('deployment', 'shop-front')
    })

    it('becomes the app’s: same name and selector, same Services, no address lost', async () => {
      const watch = await fewestReady(ground, namespace, 'front', 3)
      const deploy = await adopt('front-app', 'deployment/shop-front')
      expect(deploy, deploy.cause?.message).toMatchObject({
        phase: 'succeeded',
        kind: 'adopt',
        revision: '1.0.0',
      })
      expect(deploy.steps.map(step => step.name)).toEqual(['adopt', 'apply', 'rollout', 'record'])
      const { fewest, changes } = await watch.end()
      expect(changes).toBeGreaterThan(0)
      expect(fewest).toBeGreaterThanOrEqual(3)
      const deployment = await live('deployment', 'shop-front')
      expect(deployment.spec.selector).toEqual({ matchLabels: { app: 'shop-front' } })
      expect(deployment.spec.replicas).toBe(3)
      expect(deployment.spec.template.metadata.labels).toMatchObject({
        app: 'shop-front',
        tier: 'front',
        'gkube.dev/app': 'front-app',
      })
      const containers: Json[] = deployment.spec.template.spec.containers
      expect(containers.map(one => one.name)).toEqual(['front-app'])
      expect(deployment.metadata.annotations).not.toHaveProperty(
        'kubectl.kubernetes.io/last-applied-configuration',
      )
      const managers = deployment.metadata.managedFields.map((one: Json) => one.manager)
      expect(managers.filter((name: string) => name.startsWith('kubectl'))).toEqual([])
      expect(await there('deployment', 'front-app')).toBe(false)
    })

    it('is shown, updated, scaled and rolled back as any other', async () => {
      const pods = await ground.core.pods(admin, { app: 'front-app', environment: 'staging' })
      expect(pods.filter(pod => !pod.terminating)).toHaveLength(3)
      await ground.wire.until(async () => {
        const [one] = await ground.core.status(admin, { app: 'front-app' })
        return one?.health === 'ready' && one.drift.length === 0
      })
      await register('front-app', { env: {} })
      expect(await ship({ app: 'front-app', revision: '1.1.0' })).toMatchObject({
        phase: 'succeeded',
        plan: 'update',
      })
      const [container] = (await live('deployment', 'shop-front')).spec.template.spec.containers
      // What was left out of the app is gone: kubectl holds on to nothing.
      expect(container.env ?? []).toEqual([])
      expect(container.image).toBe(image('1.1.0'))
      expect(await ship({ app: 'front-app', kind: 'scale', replicas: 2 })).toMatchObject({
        phase: 'succeeded',
      })
      expect(await ship({ app: 'front-app', kind: 'rollback', revision: '1.0.0' })).toMatchObject({
        phase: 'succeeded',
      })
      const deployment = await live('deployment', 'shop-front')
      expect(deployment.spec.replicas).toBe(2)
      expect(deployment.spec.selector).toEqual({ matchLabels: { app: 'shop-front' } })
      expect(await there('deployment', 'front-app')).toBe(false)
    })

    it('goes back when a deploy fails', async () => {
      const deploy = await ship({ app: 'front-app', revision: 'crash' })
      expect(deploy).toMatchObject({ phase: 'rolled_back', reason: 'crash_loop' })
      const [container] = (await live('deployment', 'shop-front')).spec.template.spec.containers
      expect(container.image).toBe(image('1.0.0'))
    })

    it('cannot become another kind, nor another app’s, nor be adopted twice', async () => {
      await register('front-app', { kind: 'stateful' })
      const refused = await ship({ app: 'front-app', revision: '1.2.0' })
      expect(refused).toMatchObject({ phase: 'failed', reason: 'plan_refused' })
      expect(refused.cause?.message).toMatch(/cannot become a StatefulSet/)
      await register('front-app')
      await register('other')
      expect((await plan('other', 'deployment/shop-front')).refusals.join(' ')).toMatch(
        /belongs to the app front-app in staging already/,
      )
      expect((await plan('front-app', 'deployment/shop-front')).refusals.join(' ')).toMatch(
        /front-app has Deployment shop-front in staging already/,
      )
    })

    it('is deleted as it was named', async () => {
      expect(await ship({ app: 'front-app', kind: 'delete' })).toMatchObject({ phase: 'succeeded' })
      expect(await there('deployment', 'shop-front')).toBe(false)
      expect(await there('service', 'front')).toBe(true)
    })
  })

  describe('what stands around it under the same name', () => {
    beforeAll(async () => {
      await kubectl.apply(
        namespace,
        config('web'),
        legacy('Deployment', 'web', { spec: { replicas: 2 } }),
        serviceOf('web', { app: 'web', tier: 'front' }),
        {
          apiVersion: 'policy/v1',
          kind: 'PodDisruptionBudget',
          metadata: { name: 'web' },
          spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } },
        },
        {
          apiVersion: 'autoscaling/v2',
          kind: 'HorizontalPodAutoscaler',
          metadata: { name: 'web' },
          spec: {
            scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
            minReplicas: 4,
            maxReplicas: 6,
            metrics: [
              {
                type: 'Resource',
                resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } },
              },
            ],
          },
        },
      )
      await ready('deployment', 'web', 4)
    })

    it('an autoscaler beside a fixed number is refused', async () => {
      await register('web')
      expect((await plan('web', 'deployment/web')).refusals.join(' ')).toMatch(
        /HorizontalPodAutoscaler \S+\/web scales it, and the app has a fixed number of replicas/,
      )
    })

    it('becomes the app’s together with it, while every pod goes on serving', async () => {
      await register('web', { autoscale: { min: 4, max: 6, cpu: 60 }, disruption: { maxUnavailable: 1 } })
      const watch = await fewestReady(ground, namespace, 'web', 4)
      const deploy = await adopt('web', 'deployment/web')
      expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
      expect((await watch.end()).fewest).toBeGreaterThanOrEqual(4)
      const service = await live('service', 'web')
      expect(service.spec.selector).toEqual({ app: 'web', tier: 'front' })
      expect(service.spec.ports).toMatchObject([{ name: 'http', port: 80, targetPort: 8080 }])
      expect(service.metadata.labels['gkube.dev/app']).toBe('web')
      expect((await live('poddisruptionbudget', 'web')).spec.selector).toEqual({
        matchLabels: { app: 'web' },
      })
      expect((await live('horizontalpodautoscaler', 'web')).metadata.labels['gkube.dev/app']).toBe('web')
      expect((await live('deployment', 'web')).spec.replicas).toBe(4)
      await ground.wire.until(async () => {
        const [one] = await ground.core.status(admin, { app: 'web' })
        return one?.health === 'ready' && one.drift.length === 0
      })
    })
  })

  describe('what others hold', () => {
    beforeAll(() => register('held'))
    const marks: [string, 'helm' | 'argocd' | 'flux', Json][] = [
      [
        'Helm',
        'helm',
        {
          labels: { 'app.kubernetes.io/managed-by': 'Helm' },
          annotations: { 'meta.helm.sh/release-name': 'shop' },
        },
      ],
      [
        'Argo CD',
        'argocd',
        { annotations: { 'argocd.argoproj.io/tracking-id': 'shop:apps/Deployment:x/held' } },
      ],
      ['Flux', 'flux', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'shop' } }],
    ]
    it.each(marks)(
      '%s: refused with what to do, unless forced by that name',
      async (name, tool, metadata) => {
        const object = legacy('Deployment', `of-${tool}`, { metadata, spec: { replicas: 1 } })
        await kubectl.apply(namespace, config(`of-${tool}`), object)
        const workload = `deployment/of-${tool}`
        const shown = await plan('held', workload)
        expect(shown.refusals.join(' ')).toMatch(new RegExp(`belongs to ${name}, .*--force-from ${tool}`))
        await expect(adoptAs(shown, workload)).rejects.toThrow(new RegExp(`belongs to ${name}`))
        for (const other of (['helm', 'argocd', 'flux'] as const).filter(one => one !== tool))
          expect((await plan('held', workload, { forceFrom: [other] })).refusals).not.toEqual([])
        expect((await plan('held', workload, { forceFrom: [tool] })).refusals).toEqual([])
      },
    )

    it('forced from Helm, Helm holds on to nothing', async () => {
      const deploy = await adopt('held', 'deployment/of-helm', { forceFrom: ['helm'] })
      expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
      const { metadata } = await live('deployment', 'of-helm')
      expect(metadata.labels['app.kubernetes.io/managed-by']).toBe('gkube')
      expect(metadata.annotations).not.toHaveProperty('meta.helm.sh/release-name')
    })

    it('a manager that nobody named keeps its fields: it is named, and taken from when asked', async () => {
      await register('operated')
      const { spec } = legacy('Deployment', 'operated', { spec: { replicas: 1 } })
      const object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'operated' }, spec }
      const made = await ground.wire.apply(
        pathTo(namespace, 'deployment', 'operated'),
        'shop-operator',
        object,
      )
      expect(made.status).toBe(201)
      const shown = await plan('operated', 'deployment/operated', { revision: '1.1.0' })
      // Its own container stays beside the app's, for it is not gkube's to remove.
      expect(shown.managers).toContainEqual(
        expect.objectContaining({ manager: 'shop-operator', moves: false }),
      )
      expect(shown.notes.join(' ')).toMatch(/container server stays beside .* --take-from shop-operator/)
      const named = await plan('operated', 'deployment/operated', { takeFrom: ['shop-operator'] })
      expect(named.refusals).toEqual([])
      const deploy = await adoptAs(named, 'deployment/operated', { takeFrom: ['shop-operator'] })
      expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
      const containers = (await live('deployment', 'operated')).spec.template.spec.containers
      expect(containers).toHaveLength(1)
    })

    it('a Service that is reached from outside is not made less', async () => {
      await register('outside')
      const service = serviceOf('outside', { app: 'outside' })
      const open = { ...service, spec: { ...service.spec, type: 'NodePort' } }
      await kubectl.apply(namespace, config('outside'), legacy('Deployment', 'outside'), open)
      expect((await plan('outside', 'deployment/outside')).refusals.join(' ')).toMatch(
        /Service \S+\/outside is of type NodePort, and the Service of the app is a ClusterIP/,
      )
    })

    it('an adoption that fails leaves the old pods serving, and can be asked for again', async () => {
      await register('again', { ports: [] })
      await kubectl.apply(
        namespace,
        config('again'),
        legacy('Deployment', 'again', { spec: { replicas: 2 } }),
        serviceOf('again', { app: 'again' }),
      )
      const watch = await fewestReady(ground, namespace, 'again', 2)
      const failed = await adopt('again', 'deployment/again', { revision: 'crash' })
      expect(failed).toMatchObject({
        phase: 'failed',
        reason: 'no_known_good',
        cause: { reason: 'crash_loop' },
      })
      const deploy = await adopt('again', 'deployment/again', { revision: '1.0.1' })
      expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
      expect((await watch.end()).fewest).toBeGreaterThanOrEqual(2)
    })

    it.each<[string, string, RegExp]>([
      [
        'a workload that is not there',
        'deployment/nothing',
        /There is no Deployment nothing in namespace .* There are: /,
      ],
      ['a kind that cannot be adopted', 'daemonset/x', /names no workload: --workload deployment/],
      ['no name', 'deployment', /names no workload/],
    ])('%s: in words', async (_, workload, words) => {
      await expect(plan('operated', workload)).rejects.toThrow(words)
    })
  })

  /** Not every cluster provisions volumes. */
  const volume = async (name: string, claim: string) => {
    const spec = {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: '',
      claimRef: { namespace, name: claim },
      hostPath: { path: `/tmp/${name}` },
    }
    await ground.wire.post('/api/v1/persistentvolumes', { metadata: { name }, spec })
    made.push(`/api/v1/persistentvolumes/${name}`)
  }
  const made: string[] = []
  afterAll(async () => {
    for (const path of made) await ground.wire.delete(path)
  })

  describe('a StatefulSet', () => {
    it('keeps its name, its Service and its claims', async () => {
      const template = {
        metadata: { name: 'data' },
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: '',
          resources: { requests: { storage: '1Gi' } },
        },
      }
      for (const n of [0, 1]) await volume(`${namespace}-db-${n}`, `data-db-${n}`)
      const set = legacy('StatefulSet', 'db', {
        spec: { replicas: 2, serviceName: 'db-peers', volumeClaimTemplates: [template] },
        container: { volumeMounts: [{ name: 'data', mountPath: '/srv/data' }] },
      })
      const peers = serviceOf('db-peers', { app: 'db' })
      await kubectl.apply(
        namespace,
        config('db'),
        { ...peers, spec: { ...peers.spec, clusterIP: 'None' } },
        set,
      )
      await ready('statefulset', 'db', 2)
      await register('store', { kind: 'stateful', ports: [] })
      const without = await plan('store', 'statefulset/db')
      expect(without.notes.join(' ')).toMatch(/does not mount the volume data/)
      await register('store', {
        kind: 'stateful',
        storage: [{ name: 'data', size: '1Gi', mount: '/srv/data', access: 'RWO' }],
      })
      const shown = await plan('store', 'statefulset/db')
      expect(shown.refusals).toEqual([])
      const deploy = await adoptAs(shown, 'statefulset/db')
      expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
      const after = await live('statefulset', 'db')
      expect(after.spec).toMatchObject({ serviceName: 'db-peers', podManagementPolicy: 'OrderedReady' })
      expect(after.spec.volumeClaimTemplates[0].metadata.name).toBe('data')
      expect(await there('service', 'store-headless')).toBe(false)
      expect(await ship({ app: 'store', revision: '1.1.0' })).toMatchObject({ phase: 'succeeded' })
    })
  })
}

/** The same for a ReplicationController, where the operators allow that kind. */
export function controllerStories(start: () => Promise<Ground>): void {
  describe('a ReplicationController', () => {
    let ground: Ground
    let kubectl: Kubectl
    let namespace: string
    const ship = (input: Parameters<typeof shipFor>[1]) => shipFor(ground.core, { app: 'classic', ...input })
    const live = async (kind: string, name: string): Promise<Json> =>
      (await ground.wire.get(pathTo(namespace, kind, name))).body
    const status = async (kind: string, name: string) =>
      (await ground.wire.get(pathTo(namespace, kind, name))).status
    const place = { app: 'classic', environment: 'staging' }
    const inputOf = (more: Partial<AdoptionInput> = {}) =>
      adoptionInput.parse({ ...place, workload: 'replicationcontroller/old', ...more })
    const adopt = async (more: Partial<AdoptionInput> = {}) => {
      const shown = await ground.core.planAdoption(admin, inputOf(more))
      const input = { ...inputOf(more), revision: shown.revision, confirm: shown.hash }
      const { deploy } = await ground.core.adopt(admin, adoptInput.parse(input))
      return { shown, deploy: (await outcome(ground.core, deploy.id)).deploy }
    }
    const register = (over: Record<string, unknown> = {}) =>
      ground.core.applyApp(admin, webApp({ app: 'classic', jobs: [], replicas: 3, ports: [], ...over }), {
        dryRun: false,
      })
    const pods = async () => {
      const { body } = await ground.wire.get(`/api/v1/namespaces/${namespace}/pods?labelSelector=app%3Dold`)
      return body.items
        .filter((pod: Json) => !pod.metadata.deletionTimestamp)
        .map((pod: Json) => pod.metadata.name)
    }

    beforeAll(async () => {
      ground = await start()
      kubectl = kubectlOn(ground.kubeconfig, ground.wire)
      namespace = ground.namespace('staging')
      const controller = legacy('ReplicationController', 'old')
      await kubectl.apply(
        namespace,
        config('old'),
        serviceOf('old', { app: 'old', tier: 'front' }),
        controller,
      )
      await register()
      await ground.wire.until(
        async () => (await live('replicationcontroller', 'old')).status?.readyReplicas === 3,
        20_000,
      )
    })

    it('is adopted as it is: nothing of its pods changes', async () => {
      const before = await pods()
      const { shown, deploy } = await adopt()
      expect(shown.notes.join(' ')).toMatch(/shown, scaled and restarted; its template stays as it is/)
      expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded', revision: '1.0.0' })
      expect(await pods()).toEqual(before)
      const controller = await live('replicationcontroller', 'old')
      expect(controller.spec.template.spec.containers[0].name).toBe('server')
      expect(controller.metadata.labels).toMatchObject({ app: 'old', 'gkube.dev/app': 'classic' })
    })

    it('is shown: status, pods, events, logs', async () => {
      const one = await ground.wire.until(async () => {
        const [found] = await ground.core.status(admin, place)
        return found?.health === 'ready' && found
      })
      expect(one).toMatchObject({ ready: 3, wanted: 3, drift: [], workload: { revision: '1.0.0' } })
      const shown = await ground.core.pods(admin, place)
      expect(shown.map(pod => pod.name).sort()).toEqual((await pods()).sort())
      expect((await ground.core.events(admin, place)).length).toBeGreaterThan(0)
      const logs = await ground.core.logs(admin, { ...place, previous: false, tail: 5 })
      expect(logs).toHaveLength(3)
    })

    it('is scaled', async () => {
      expect(await ship({ kind: 'scale', replicas: 4 })).toMatchObject({ phase: 'succeeded' })
      expect((await live('replicationcontroller', 'old')).status.readyReplicas).toBe(4)
      await kubectl.scale(namespace, 'replicationcontroller', 'old', 2)
      await ground.wire.until(async () => {
        const [one] = await ground.core.status(admin, place)
        return one?.drift[0]?.fields[0]?.path === '.spec.replicas'
      })
      expect(await ship({ kind: 'scale', replicas: 3 })).toMatchObject({ phase: 'succeeded' })
    })

    it('is restarted: every pod replaced, never fewer than all but one ready', async () => {
      const before = await pods()
      const watch = await fewestReady(ground, namespace, 'old', 3)
      const deploy = await ship({ kind: 'restart' })
      expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
      expect(deploy.steps.map(step => step.name)).toEqual(['apply', 'cycle', 'record'])
      const { fewest, changes } = await watch.end()
      expect(changes).toBeGreaterThan(2)
      expect(fewest).toBeGreaterThanOrEqual(2)
      const after = await pods()
      expect(after).toHaveLength(3)
      expect(after.filter((name: string) => before.includes(name))).toEqual([])
    })

    it('cannot be deployed to, and says what to do', async () => {
      const deploy = await ship({ revision: '1.1.0' })
      expect(deploy).toMatchObject({ phase: 'failed', reason: 'plan_refused' })
      expect(deploy.cause?.message).toMatch(/--workload replicationcontroller\/old --replace-by-deployment/)
    })

    it('stays and serves when the Deployment in its place does not work', async () => {
      const watch = await fewestReady(ground, namespace, 'old', 3)
      const { deploy } = await adopt({ replaceByDeployment: true, revision: 'crash' })
      expect(deploy).toMatchObject({ phase: 'rolled_back', reason: 'crash_loop' })
      expect((await watch.end()).fewest).toBeGreaterThanOrEqual(3)
      expect(await status('deployment', 'classic')).toBe(404)
      expect((await live('replicationcontroller', 'old')).status.readyReplicas).toBe(3)
      expect((await ground.core.status(admin, place))[0]?.workload.revision).toBe('1.0.0')
    })

    it('becomes a Deployment without a failed request', async () => {
      const watch = await fewestReady(ground, namespace, 'old', 3)
      const { shown, deploy } = await adopt({ replaceByDeployment: true, revision: '1.1.0' })
      expect(shown.found).toContainEqual({
        object: `ReplicationController ${namespace}/old`,
        becomes: 'hands over pod by pod, then is deleted',
      })
      expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
      expect(deploy.steps.map(step => step.name)).toEqual(['adopt', 'apply', 'rollout', 'handover', 'record'])
      const { fewest, changes } = await watch.end()
      expect(changes).toBeGreaterThan(3)
      expect(fewest).toBeGreaterThanOrEqual(3)
      expect(await status('replicationcontroller', 'old')).toBe(404)
      expect(await readyBehind(ground, namespace, 'old')).toBe(3)
      const deployment = await live('deployment', 'classic')
      expect(deployment.spec.replicas).toBe(3)
      expect(deployment.spec.template.metadata.labels).toMatchObject({ app: 'old', tier: 'front' })
    })

    it('then is an app like any other, with no way back before it', async () => {
      expect(await ship({ revision: '1.2.0' })).toMatchObject({ phase: 'succeeded', plan: 'update' })
      const back = await ship({ kind: 'rollback', revision: '1.0.0' })
      expect(back).toMatchObject({ phase: 'failed', reason: 'plan_refused' })
      expect(back.cause?.message).toMatch(/ran before classic was adopted as it is now/)
      expect(await ship({ kind: 'rollback', revision: '1.1.0' })).toMatchObject({ phase: 'succeeded' })
      expect(await readyBehind(ground, namespace, 'old')).toBe(3)
    })

    it('can be replaced again after it failed, without having been adopted before', async () => {
      await kubectl.apply(
        namespace,
        config('retry'),
        serviceOf('retry', { app: 'retry' }),
        legacy('ReplicationController', 'retry', { spec: { replicas: 2 } }),
      )
      const retry = webApp({ app: 'retry', jobs: [], ports: [] })
      await ground.core.applyApp(admin, retry, { dryRun: false })
      const watch = await fewestReady(ground, namespace, 'retry', 2)
      const replace = async (revision: string) => {
        const more = { app: 'retry', environment: 'staging', revision }
        const input = adoptionInput.parse({ ...more, workload: 'rc/retry', replaceByDeployment: true })
        const { hash } = await ground.core.planAdoption(admin, input)
        const { deploy } = await ground.core.adopt(admin, adoptInput.parse({ ...input, confirm: hash }))
        return (await outcome(ground.core, deploy.id)).deploy
      }
      expect(await replace('crash')).toMatchObject({ phase: 'failed', reason: 'no_known_good' })
      expect((await live('replicationcontroller', 'retry')).status.readyReplicas).toBe(2)
      const deploy = await replace('1.0.0')
      expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
      expect((await watch.end()).fewest).toBeGreaterThanOrEqual(2)
      expect(await status('replicationcontroller', 'retry')).toBe(404)
    })

    it('can be replaced at once, and the Service of the app’s name goes on serving', async () => {
      await kubectl.apply(
        namespace,
        config('direct'),
        serviceOf('direct', { app: 'direct' }),
        legacy('ReplicationController', 'direct', { spec: { replicas: 2 } }),
      )
      await ground.core.applyApp(admin, webApp({ app: 'direct', jobs: [] }), { dryRun: false })
      await ground.wire.until(async () => (await readyBehind(ground, namespace, 'direct')) === 2, 20_000)
      const watch = await fewestReady(ground, namespace, 'direct', 2)
      const input = adoptionInput.parse({
        app: 'direct',
        environment: 'staging',
        workload: 'rc/direct',
        replaceByDeployment: true,
      })
      const shown = await ground.core.planAdoption(admin, input)
      expect(shown.refusals).toEqual([])
      const confirm = { ...input, revision: shown.revision, confirm: shown.hash }
      const { deploy } = await ground.core.adopt(admin, adoptInput.parse(confirm))
      const ended = (await outcome(ground.core, deploy.id)).deploy
      expect(ended, ended.cause?.message).toMatchObject({ phase: 'succeeded' })
      expect((await watch.end()).fewest).toBeGreaterThanOrEqual(2)
      expect(await status('replicationcontroller', 'direct')).toBe(404)
    })
  })
}
