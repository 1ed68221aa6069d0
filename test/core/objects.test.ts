// Rendering: each rule of DESIGN "What gkube writes to a cluster" that concerns it, as a named case.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonical } from '../../src/core/hash.ts'
import { selectorLabels } from '../../src/core/objects/labels.ts'
import { podsIn } from '../../src/core/objects/pod-templates.ts'
import { neededByJobs, render } from '../../src/core/objects.ts'
import { noOverrides } from '../../src/core/workload.ts'
import { everything, inputOf, one, podOf, renderOf } from './specs.ts'

const ports = [{ name: 'http', port: 8080, service: 80 }]
const volume = { name: 'data', size: '1Gi', mount: '/srv/data' }
const deploy = { id: '01JZ', epoch: 7 }
const kindsOf = (keys: object, more = {}) => renderOf(keys, more).map(object => object.kind)

describe('which objects', () => {
  const cases: readonly (readonly [name: string, keys: object, kinds: string[]])[] = [
    ['a worker is a Deployment alone', { kind: 'worker' }, ['Deployment']],
    ['ports make a Service', { ports }, ['Service', 'Deployment']],
    ['a worker with ports has a Service too', { kind: 'worker', ports }, ['Service', 'Deployment']],
    [
      'hosts make an Ingress, after the Service',
      { ports, ingress: [{ host: 'a.example.com' }] },
      ['Service', 'Deployment', 'Ingress'],
    ],
    [
      'what others need comes first',
      everything,
      ['ConfigMap', 'PersistentVolumeClaim', 'Service', 'Deployment', 'PodDisruptionBudget', 'Ingress'],
    ],
    [
      'an autoscaler comes after what it scales',
      { autoscale: { min: 1, max: 3 } },
      ['Deployment', 'HorizontalPodAutoscaler'],
    ],
    ['stateful is a StatefulSet with a headless Service', { kind: 'stateful' }, ['Service', 'StatefulSet']],
    [
      'stateful with ports can be reached as a whole too',
      { kind: 'stateful', ports },
      ['Service', 'Service', 'StatefulSet'],
    ],
    ['cron is a CronJob', { kind: 'cron', schedule: { cron: '@daily' } }, ['CronJob']],
  ]
  it.each(cases)('%s', (_, keys, kinds) => {
    expect(kindsOf(keys)).toEqual(kinds)
  })
  it('a Namespace only where the environment creates it, the same for every app in it', () => {
    const environment = { name: 'staging', cluster: 'local', namespace: 'shop', createNamespace: true }
    const [web] = renderOf({}, { environment, deploy })
    const [api] = renderOf({ app: 'api' }, { environment, deploy, revision: '2' })
    expect(web?.kind).toBe('Namespace')
    expect(web).toEqual(api)
    expect(web?.metadata.namespace).toBeUndefined()
  })
})

describe('labels and annotations', () => {
  const objects = renderOf(everything, { deploy, revision: '1.4.2' })
  it('the recommended set is on every object', () => {
    for (const object of objects)
      expect(object.metadata.labels).toMatchObject({
        'app.kubernetes.io/name': 'web',
        'app.kubernetes.io/instance': 'web',
        'app.kubernetes.io/managed-by': 'gkube',
        'gkube.dev/app': 'web',
        'gkube.dev/environment': 'staging',
        team: 'shop',
      })
  })
  it('the version is on the workload and its pods, in no selector, and on nothing that would only be written for it', () => {
    const deployment = one(objects, 'Deployment')
    expect(deployment.metadata.labels['app.kubernetes.io/version']).toBe('1.4.2')
    expect(deployment.spec.template.metadata.labels['app.kubernetes.io/version']).toBe('1.4.2')
    expect(deployment.spec.selector.matchLabels).toEqual({
      'app.kubernetes.io/name': 'web',
      'app.kubernetes.io/instance': 'web',
    })
    expect(one(objects, 'Service').spec.selector).toEqual(deployment.spec.selector.matchLabels)
    expect(one(objects, 'PodDisruptionBudget').spec.selector).toEqual(deployment.spec.selector)
    for (const object of objects.filter(other => other.kind !== 'Deployment'))
      expect(object.metadata.labels).not.toHaveProperty('app.kubernetes.io/version')
  })
  it('an image update changes the Deployment and nothing else', () => {
    const next = renderOf(everything, { deploy, revision: '1.4.3' })
    const changed = objects.filter(
      (object, i) =>
        canonical(object.metadata.labels) !== canonical(next[i]?.metadata.labels) ||
        canonical(object.spec ?? null) !== canonical(next[i]?.spec ?? null),
    )
    expect(changed.map(object => object.kind)).toEqual(['Deployment'])
  })
  it('who wrote it is on the metadata of each object and never in a pod template', () => {
    for (const object of objects) {
      expect(object.metadata.annotations).toMatchObject({
        'gkube.dev/deploy': '01JZ',
        'gkube.dev/epoch': '7',
        'gkube.dev/revision': '1.4.2',
      })
      for (const pod of podsIn(object))
        expect(JSON.stringify(pod)).not.toMatch(/01JZ|gkube\.dev\/(deploy|epoch)/)
    }
  })
  it("the team's annotations are on the workload and its pods", () => {
    const deployment = one(objects, 'Deployment')
    expect(deployment.metadata.annotations['example.com/scrape']).toBe('true')
    expect(deployment.spec.template.metadata.annotations).toEqual({ 'example.com/scrape': 'true' })
  })
  const versions: readonly (readonly [revision: string, label: string | undefined])[] = [
    ['1.4.2', '1.4.2'],
    ['_x', 'x'],
    ['v1.', 'v1'],
    ['___', undefined],
    ['a'.repeat(100), 'a'.repeat(63)],
  ]
  it.each(versions)('revision %s is a valid label', (revision, label) => {
    const { labels, annotations } = one(renderOf({}, { revision, deploy }), 'Deployment').metadata
    expect(labels['app.kubernetes.io/version']).toBe(label)
    expect(annotations['gkube.dev/revision']).toBe(revision)
  })
})

describe('replicas', () => {
  const set = (more: object) => ({ ...noOverrides, ...more })
  const cases: readonly (readonly [
    name: string,
    keys: object,
    more: object,
    replicas: number | undefined,
  ])[] = [
    ['as the app says', { replicas: 2 }, {}, 2],
    ['as a person scaled', { replicas: 2 }, { overrides: set({ replicas: 5 }) }, 5],
    ['scaled to nothing', { replicas: 2 }, { overrides: set({ replicas: 0 }) }, 0],
    ['none with an autoscaler', { autoscale: { min: 2, max: 5 } }, {}, undefined],
    [
      'none with an autoscaler, whatever was scaled before',
      { autoscale: { min: 2, max: 5 } },
      { overrides: set({ replicas: 9 }) },
      undefined,
    ],
    ['the live number while it is handed over', { autoscale: { min: 2, max: 5 } }, { liveReplicas: 4 }, 4],
    ['the live number means nothing without an autoscaler', { replicas: 2 }, { liveReplicas: 4 }, 2],
  ]
  it.each(cases)('%s', (_, keys, more, replicas) => {
    expect(one(renderOf(keys, more), 'Deployment').spec.replicas).toBe(replicas)
  })
  const bounds: readonly (readonly [name: string, overrides: object, min: number, max: number])[] = [
    ['as the app says', {}, 2, 5],
    ['min by hand', { min: 3 }, 3, 5],
    ['min by hand above max', { min: 9 }, 9, 9],
    ['both by hand', { min: 1, max: 8 }, 1, 8],
  ]
  it.each(bounds)('autoscaler bounds: %s', (_, overrides, min, max) => {
    const objects = renderOf({ autoscale: { min: 2, max: 5 } }, { overrides: set(overrides) })
    const { spec } = one(objects, 'HorizontalPodAutoscaler')
    expect([spec.minReplicas, spec.maxReplicas]).toEqual([min, max])
    expect(spec.scaleTargetRef).toEqual({ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' })
  })
  it('metrics: what was asked for, else CPU', () => {
    const metrics = (autoscale: object) =>
      one(renderOf({ autoscale }), 'HorizontalPodAutoscaler').spec.metrics.map(
        (metric: { resource: { name: string; target: { averageUtilization: number } } }) =>
          `${metric.resource.name} ${metric.resource.target.averageUtilization}`,
      )
    expect(metrics({ min: 1, max: 2 })).toEqual(['cpu 80'])
    expect(metrics({ min: 1, max: 2, memory: 70 })).toEqual(['memory 70'])
    expect(metrics({ min: 1, max: 2, cpu: 60, memory: 70 })).toEqual(['cpu 60', 'memory 70'])
  })
  it('a cron app scaled to 0 is suspended', () => {
    const cron = { kind: 'cron', schedule: { cron: '@daily' } }
    expect(one(renderOf(cron), 'CronJob').spec.suspend).toBe(false)
    expect(one(renderOf(cron, { overrides: set({ replicas: 0 }) }), 'CronJob').spec.suspend).toBe(true)
  })
})

describe('rollout', () => {
  it('the two clocks, the strategy and no minReadySeconds', () => {
    const { spec } = one(renderOf({ rollout: { progress: '2m', maxSurge: '50%' } }), 'Deployment')
    expect(spec).toMatchObject({
      progressDeadlineSeconds: 120,
      minReadySeconds: 0,
      revisionHistoryLimit: 5,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '50%', maxUnavailable: 0 } },
    })
  })
  it('recreate has no rolling parameters, which the API would refuse', () => {
    const { spec } = one(renderOf({ rollout: { strategy: 'recreate' } }), 'Deployment')
    expect(spec.strategy).toEqual({ type: 'Recreate' })
  })
  it('a restart changes the pod template and nothing else', () => {
    const overrides = { ...noOverrides, restartedAt: '2031-01-01T00:00:00Z' }
    const [before, after] = [one(renderOf(), 'Deployment'), one(renderOf({}, { overrides }), 'Deployment')]
    expect(after.spec.template.metadata.annotations).toEqual({
      'kubectl.kubernetes.io/restartedAt': '2031-01-01T00:00:00Z',
    })
    after.spec.template.metadata.annotations = undefined
    expect(after).toEqual(before)
  })
  it('scaling changes no pod template', () => {
    const template = (keys: object, more = {}) => one(renderOf(keys, more), 'Deployment').spec.template
    expect(template({ ports, replicas: 1 })).toEqual(template({ ports, replicas: 3 }))
  })
  it('StatefulSet: parallel, so that a broken pod cannot block its own rollback; in order if asked', () => {
    const policy = (keys: object) =>
      one(renderOf({ kind: 'stateful', ...keys }), 'StatefulSet').spec.podManagementPolicy
    expect(policy({})).toBe('Parallel')
    expect(policy({ rollout: { ordered: true } })).toBe('OrderedReady')
  })
})

describe('zero downtime', () => {
  const container = (keys: object, more = {}) => podOf(renderOf(keys, more)).containers[0]
  it('readiness is TCP on the first TCP port, and there is no liveness', () => {
    const { readinessProbe, livenessProbe, startupProbe } = container({
      ports: [{ name: 'dns', port: 53, protocol: 'UDP' }, ...ports],
    })
    expect(readinessProbe).toEqual({ tcpSocket: { port: 'http' }, periodSeconds: 5 })
    expect([livenessProbe, startupProbe]).toEqual([undefined, undefined])
  })
  it('no port, no probe', () => {
    expect(container({ kind: 'worker' }).readinessProbe).toBeUndefined()
  })
  it('probes as written, in seconds', () => {
    const { readinessProbe, livenessProbe, startupProbe } = container({
      ports,
      probes: {
        startup: { exec: ['true'], failures: 30, period: '2s' },
        readiness: { http: { path: '/ready', headers: { Host: 'web' } }, timeout: '3s', initialDelay: '1m' },
        liveness: { grpc: {}, successes: 1 },
      },
    })
    expect(startupProbe).toEqual({ exec: { command: ['true'] }, failureThreshold: 30, periodSeconds: 2 })
    expect(readinessProbe).toEqual({
      httpGet: { path: '/ready', port: 'http', httpHeaders: [{ name: 'Host', value: 'web' }] },
      timeoutSeconds: 3,
      initialDelaySeconds: 60,
    })
    expect(livenessProbe).toEqual({ grpc: { port: 8080 }, successThreshold: 1 })
  })
  const drains: readonly (readonly [
    name: string,
    keys: object,
    minor: number | undefined,
    lifecycle: unknown,
  ])[] = [
    ['the server sleeps by itself', { ports }, undefined, { preStop: { sleep: { seconds: 5 } } }],
    ['from 1.30 on', { ports }, 30, { preStop: { sleep: { seconds: 5 } } }],
    ["before, the image's own sleep", { ports }, 29, { preStop: { exec: { command: ['sleep', '5'] } } }],
    [
      'no drain, no hook: a sleep of 0 is refused by some servers',
      { ports, rollout: { drain: '0s' } },
      33,
      undefined,
    ],
    ['nothing to drain without ports', { kind: 'worker' }, 33, undefined],
  ]
  it.each(drains)('drain: %s', (_, keys, serverMinor, lifecycle) => {
    expect(container(keys, { serverMinor }).lifecycle).toEqual(lifecycle)
  })
  it('grace is the time to stop', () => {
    expect(podOf(renderOf({ rollout: { grace: '2m' } })).terminationGracePeriodSeconds).toBe(120)
  })
})

describe('security', () => {
  it('restricted by default, in every container', () => {
    const pod = podOf(renderOf(everything))
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    expect(pod.automountServiceAccountToken).toBe(false)
    const containers = [...pod.containers, ...pod.initContainers]
    expect(containers).toHaveLength(3)
    for (const container of containers)
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      })
  })
  it('user and group, which also own the volumes', () => {
    expect(podOf(renderOf(everything)).securityContext).toMatchObject({
      runAsUser: 1000,
      runAsGroup: 1000,
      fsGroup: 1000,
      fsGroupChangePolicy: 'OnRootMismatch',
    })
    expect(podOf(renderOf({ security: { runAsGroup: 1000 } })).securityContext).not.toHaveProperty('fsGroup')
  })
  it('baseline is looser, seccomp stays', () => {
    const pod = podOf(renderOf({ security: { profile: 'baseline' } }))
    expect(pod.securityContext).toEqual({ seccompProfile: { type: 'RuntimeDefault' } })
    expect(pod.containers[0].securityContext).toBeUndefined()
  })
  it('a token only for an account that was named', () => {
    const pod = podOf(renderOf({ security: { serviceAccount: 'web' } }))
    expect(pod.serviceAccountName).toBe('web')
    expect(pod).not.toHaveProperty('automountServiceAccountToken')
  })
  it('a read-only root keeps /tmp writable, unless something is mounted there', () => {
    const tmp = podOf(renderOf({ security: { readOnlyRoot: true } }))
    expect(tmp.containers[0].securityContext.readOnlyRootFilesystem).toBe(true)
    expect(tmp.containers[0].volumeMounts).toEqual([{ name: 'gkube-tmp', mountPath: '/tmp' }])
    const own = podOf(renderOf({ security: { readOnlyRoot: true }, storage: [{ ...volume, mount: '/tmp' }] }))
    expect(own.volumes).toHaveLength(1)
  })
  it('pull secrets of the app and of the environment, each once', () => {
    const pod = podOf(renderOf({ imagePullSecrets: ['a', 'b'] }, { imagePullSecrets: ['b', 'c'] }))
    expect(pod.imagePullSecrets).toEqual([{ name: 'a' }, { name: 'b' }, { name: 'c' }])
  })
})

describe('environment', () => {
  const names = (env: object) =>
    podOf(renderOf({ env })).containers[0].env?.map((one: { name: string }) => one.name)
  it('is in one order, whatever order it was written in', () => {
    expect(names({ B: 1, A: 2, C: 3 })).toEqual(['A', 'B', 'C'])
    expect(names({ C: 3, A: 2, B: 1 })).toEqual(['A', 'B', 'C'])
  })
  it('puts what is referred to first, also around a circle', () => {
    expect(names({ A: 'http://$(Z):$(M)', M: 1, Z: 'host' })).toEqual(['Z', 'M', 'A'])
    expect(names({ A: '$(B)', B: '$(A)' })).toEqual(['B', 'A'])
  })
  it('values are texts; secrets, ConfigMaps and fields are references', () => {
    const { env, envFrom } = podOf(
      renderOf({
        env: {
          N: 1,
          T: true,
          S: { secret: 's', key: 'k', optional: true },
          C: { configMap: 'c', key: 'k' },
          F: { field: 'status.podIP' },
        },
        envFrom: [{ secret: 'all' }, { configMap: 'more', prefix: 'M_' }],
      }),
    ).containers[0]
    expect(env).toEqual([
      { name: 'C', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } },
      { name: 'F', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'N', value: '1' },
      { name: 'S', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: true } } },
      { name: 'T', value: 'true' },
    ])
    expect(envFrom).toEqual([
      { secretRef: { name: 'all' } },
      { prefix: 'M_', configMapRef: { name: 'more' } },
    ])
  })
})

describe('files and storage', () => {
  it('files are one immutable ConfigMap named by its content, mounted one by one', () => {
    const objects = renderOf(everything)
    const map = one(objects, 'ConfigMap')
    expect(map).toMatchObject({ immutable: true, data: { 'etc_web_app.conf': 'a=1\n' } })
    expect(map.metadata.name).toMatch(/^web-[0-9a-f]{10}$/)
    const pod = podOf(objects)
    expect(pod.volumes).toContainEqual({ name: 'gkube-files', configMap: { name: map.metadata.name } })
    expect(pod.containers[0].volumeMounts).toContainEqual({
      name: 'gkube-files',
      mountPath: '/etc/web/app.conf',
      subPath: 'etc_web_app.conf',
      readOnly: true,
    })
  })
  it('another content is another ConfigMap and another pod template; the same content is the same', () => {
    const render = (content: string) => renderOf({ files: [{ path: '/a', content }] })
    const name = (content: string) => one(render(content), 'ConfigMap').metadata.name
    expect(name('x')).toBe(name('x'))
    expect(name('x')).not.toBe(name('y'))
    expect(one(render('x'), 'Deployment').spec.template).not.toEqual(
      one(render('y'), 'Deployment').spec.template,
    )
  })
  it('two paths that look the same as a key are still two files', () => {
    const files = [
      { path: '/a/b', content: '1' },
      { path: '/a_b', content: '2' },
    ]
    const { data } = one(renderOf({ files }), 'ConfigMap')
    expect(Object.values(data)).toEqual(['1', '2'])
  })
  it('a secret is a directory, or one file of it', () => {
    const pod = podOf(renderOf(everything))
    const mounts = pod.containers[0].volumeMounts
    expect(pod.volumes).toContainEqual({ name: 'gkube-secret-web-tls', secret: { secretName: 'web-tls' } })
    expect(mounts).toContainEqual({ name: 'gkube-secret-web-tls', mountPath: '/etc/tls', readOnly: true })
    expect(mounts).toContainEqual({
      name: 'gkube-configmap-ca',
      mountPath: '/etc/ca.pem',
      subPath: 'ca.pem',
      readOnly: true,
    })
  })
  it('volume names are labels, and two secrets never share one', () => {
    const files = [
      { path: '/a', secret: 'a.b' },
      { path: '/b', secret: 'a-b' },
      { path: '/c', secret: 'x'.repeat(200) },
    ]
    const names = podOf(renderOf({ files })).volumes.map((v: { name: string }) => v.name)
    expect(new Set(names).size).toBe(3)
    for (const name of names) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)
  })
  it('a claim asks for what was written and is mounted in sidecars too', () => {
    const objects = renderOf({ ...everything, storage: [{ ...volume, storageClass: 'fast' }] })
    expect(one(objects, 'PersistentVolumeClaim')).toMatchObject({
      metadata: { name: 'web-data', namespace: 'shop' },
      spec: {
        accessModes: ['ReadWriteMany'],
        storageClassName: 'fast',
        resources: { requests: { storage: '1Gi' } },
      },
    })
    const logs = podOf(objects).containers[1]
    expect(logs.volumeMounts).toEqual([{ name: 'data', mountPath: '/data', readOnly: true }])
  })
  it('stateful: RWO is a claim for each pod, RWX is one for all', () => {
    const storage = [
      { ...volume, access: 'RWO' },
      { ...volume, name: 'shared', mount: '/shared' },
    ]
    const objects = renderOf({ kind: 'stateful', storage, replicas: 3 })
    const { spec } = one(objects, 'StatefulSet')
    expect(spec.volumeClaimTemplates).toHaveLength(1)
    expect(spec.volumeClaimTemplates[0]).toMatchObject({
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'] },
    })
    expect(one(objects, 'PersistentVolumeClaim').metadata.name).toBe('web-shared')
    expect(spec.template.spec.containers[0].volumeMounts.map((m: { name: string }) => m.name)).toEqual([
      'data',
      'shared',
    ])
    expect(spec.template.spec.volumes).toHaveLength(1)
  })
})

describe('network', () => {
  it('the Service has its own port and sends to the container by name', () => {
    expect(one(renderOf({ ports }), 'Service').spec.ports).toEqual([
      { name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' },
    ])
  })
  it('the headless Service names pods that are not ready yet', () => {
    const objects = renderOf({ kind: 'stateful', ports })
    expect(one(objects, 'Service', 'web-headless').spec).toMatchObject({
      clusterIP: 'None',
      publishNotReadyAddresses: true,
    })
    expect(one(objects, 'StatefulSet').spec.serviceName).toBe('web-headless')
  })
  it('an ingress finds its port by name, by the number of the Service or of the container', () => {
    const backend = (port?: string | number) => {
      const objects = renderOf({
        ports: [...ports, { name: 'admin', port: 9000 }],
        ingress: [{ host: 'a.example.com', port }],
      })
      return one(objects, 'Ingress').spec.rules[0].http.paths[0].backend.service
    }
    expect(backend()).toEqual({ name: 'web', port: { name: 'http' } })
    expect([backend(80), backend(8080), backend('http')].map(b => b.port.name)).toEqual([
      'http',
      'http',
      'http',
    ])
    expect(backend(9000).port.name).toBe('admin')
  })
  it('hosts of one class share an Ingress; another class or annotation is another, with a stable name', () => {
    const a = { host: 'a.example.com', tlsSecret: 'a' }
    const b = { host: 'b.example.com', path: '/b' }
    const c = { host: 'c.example.com', class: 'internal', annotations: { x: 'y' } }
    const named = (ingress: object[]) =>
      renderOf({ ports, ingress }).filter(object => object.kind === 'Ingress')
    const [first, second] = named([a, b, c])
    expect(first?.metadata.name).toBe('web')
    expect(first?.spec).toMatchObject({
      rules: [
        { host: 'a.example.com' },
        { host: 'b.example.com', http: { paths: [{ path: '/b', pathType: 'Prefix' }] } },
      ],
      tls: [{ hosts: ['a.example.com'], secretName: 'a' }],
    })
    expect(second?.spec).toMatchObject({ ingressClassName: 'internal', rules: [{ host: 'c.example.com' }] })
    expect(second?.metadata.annotations).toEqual({ x: 'y' })
    expect(named([a, c])[1]?.metadata.name).toBe(second?.metadata.name)
  })
})

describe('sidecars', () => {
  it('native ones start before and outlive the app, plain ones run beside it', () => {
    const pod = podOf(renderOf(everything, { revision: '2' }))
    expect(pod.initContainers).toMatchObject([{ name: 'proxy', restartPolicy: 'Always' }])
    expect(pod.containers.map((c: { name: string }) => c.name)).toEqual(['web', 'logs'])
    expect(pod.containers[1].image).toBe('r/logs:2')
  })
  it('an old server would wait for a native one for ever: it runs beside there', () => {
    const pod = podOf(renderOf(everything, { serverMinor: 28 }))
    expect(pod.initContainers).toBeUndefined()
    expect(pod.containers.map((c: { name: string }) => c.name)).toEqual(['web', 'proxy', 'logs'])
  })
  it('ask for a little where they say nothing, so that quotas and autoscalers work', () => {
    expect(podOf(renderOf(everything)).initContainers[0].resources.requests).toEqual({
      cpu: '10m',
      memory: '32Mi',
    })
  })
})

describe('placement', () => {
  it('spreading is left to the scheduler unless asked for; then it is about the own pods', () => {
    expect(podOf(renderOf({ replicas: 3 }))).not.toHaveProperty('topologySpreadConstraints')
    const pod = podOf(renderOf({ placement: { spread: [{ topologyKey: 'topology.kubernetes.io/zone' }] } }))
    expect(pod.topologySpreadConstraints).toEqual([
      {
        maxSkew: 1,
        topologyKey: 'topology.kubernetes.io/zone',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: selectorLabels({ app: 'web' }) },
      },
    ])
  })
  it('the rest as written', () => {
    const placement = {
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ key: 'gpu', operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
    }
    expect(podOf(renderOf({ placement }))).toMatchObject(placement)
  })
})

describe('manifests', () => {
  const deployment = (more: object = {}) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'docs',
      labels: { 'app.kubernetes.io/managed-by': 'Helm', 'app.kubernetes.io/instance': 'rel' },
    },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'docs', 'app.kubernetes.io/managed-by': 'Helm' } },
      template: {
        metadata: { labels: { app: 'docs', 'app.kubernetes.io/managed-by': 'Helm' } },
        spec: { containers: [{ name: 'docs', image: 'r/docs:{revision}' }] },
      },
    },
    status: { replicas: 2 },
    ...more,
  })
  const autoscaler = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'docs' },
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'docs' }, maxReplicas: 3 },
  }
  const given = (manifests: object[], more: object = {}) =>
    renderOf({ app: 'docs', kind: 'manifests', image: undefined, manifests }, more)

  it('get namespace, ownership and revision, and lose their status', () => {
    const object = one(given([deployment()], { revision: '3', deploy }), 'Deployment')
    expect(object.metadata).toMatchObject({
      namespace: 'shop',
      labels: {
        'app.kubernetes.io/managed-by': 'gkube',
        'app.kubernetes.io/instance': 'rel',
        'app.kubernetes.io/name': 'docs',
        'gkube.dev/app': 'docs',
      },
      annotations: { 'gkube.dev/deploy': '01JZ' },
    })
    expect(object.spec.template.spec.containers[0].image).toBe('r/docs:3')
    expect(object).not.toHaveProperty('status')
  })
  it('keep their selector, and pods keep what it selects', () => {
    const { spec } = one(given([deployment()]), 'Deployment')
    expect(spec.selector).toEqual(deployment().spec.selector)
    expect(spec.template.metadata.labels).toEqual({
      app: 'docs',
      'app.kubernetes.io/managed-by': 'Helm',
      'gkube.dev/app': 'docs',
      'gkube.dev/environment': 'staging',
    })
  })
  it('Lists are taken apart, the order is that of writing', () => {
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'docs' } }
    const list = { apiVersion: 'v1', kind: 'List', items: [deployment(), service] }
    expect(given([list]).map(object => object.kind)).toEqual(['Service', 'Deployment'])
  })
  it('another namespace stays written, so that the allowlist sees it; cluster-wide kinds get none', () => {
    const other = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'kube-system' } }
    const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'a' } }
    const objects = given([other, role])
    expect(one(objects, 'ConfigMap').metadata.namespace).toBe('kube-system')
    expect(one(objects, 'ClusterRole').metadata.namespace).toBeUndefined()
  })
  it('scale and restart reach them', () => {
    const overrides = { ...noOverrides, replicas: 4, restartedAt: 'now' }
    const { spec } = one(given([deployment()], { overrides }), 'Deployment')
    expect(spec.replicas).toBe(4)
    expect(spec.template.metadata.annotations).toEqual({ 'kubectl.kubernetes.io/restartedAt': 'now' })
  })
  it('scale means one workload: with two it changes neither', () => {
    const two = [deployment(), deployment({ metadata: { name: 'more' } })]
    const overrides = { ...noOverrides, replicas: 4 }
    expect(given(two, { overrides }).map(object => (object.spec as { replicas: number }).replicas)).toEqual([
      2, 2,
    ])
  })
  it('with an autoscaler among them no replicas are rendered', () => {
    expect(one(given([deployment(), autoscaler]), 'Deployment').spec).not.toHaveProperty('replicas')
    expect(one(given([deployment(), autoscaler], { liveReplicas: 3 }), 'Deployment').spec.replicas).toBe(3)
  })
})

describe('names', () => {
  it('the longest app still has names that Kubernetes takes', () => {
    const app = 'a'.repeat(40)
    const objects = renderOf(
      {
        ...everything,
        app,
        kind: 'stateful',
        storage: [{ ...volume, name: 'x'.repeat(63) }],
        sidecars: [],
        ingress: [{ host: 'a.example.com' }, { host: 'b.example.com', class: 'other' }],
      },
      { deploy },
    )
    for (const object of objects) {
      expect(object.metadata.name).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/)
      for (const value of Object.values(object.metadata.labels ?? {}))
        expect(value.length).toBeLessThanOrEqual(63)
    }
  })
})

describe('the whole', () => {
  it('the same input gives the same bytes, and nothing of the input is changed', () => {
    const text = fc.string({ maxLength: 8 })
    const name = fc.stringMatching(/^[a-z]{1,8}$/)
    const keys = fc.record(
      {
        kind: fc.constantFrom('service', 'worker', 'stateful'),
        replicas: fc.nat(5),
        env: fc.dictionary(fc.stringMatching(/^[A-Z]{1,5}$/), fc.oneof(text, fc.nat(), fc.boolean())),
        files: fc.uniqueArray(fc.record({ path: name.map(n => `/f/${n}`), content: text }), {
          selector: f => f.path,
          maxLength: 3,
        }),
        storage: fc.uniqueArray(
          fc.record({ name, size: fc.constant('1Gi'), mount: name.map(n => `/s/${n}`) }),
          { selector: s => s.name, maxLength: 2 },
        ),
        args: fc.array(text, { maxLength: 3 }),
        ports: fc.constantFrom([], ports),
      },
      { requiredKeys: ['kind'] },
    )
    fc.assert(
      fc.property(keys, written => {
        const mounts = (written.storage ?? []).map(s => s.mount)
        fc.pre(new Set(mounts).size === mounts.length)
        const input = inputOf(written, { deploy })
        const before = JSON.stringify(input)
        const first = JSON.stringify(render(input))
        expect(JSON.stringify(render(structuredClone(input)))).toBe(first)
        expect(JSON.stringify(input)).toBe(before)
        // A spec that came back from etcd with its keys in another order renders the same objects.
        const sorted = JSON.parse(canonical(input))
        expect(canonical(render(sorted))).toBe(canonical(JSON.parse(first)))
      }),
      { numRuns: 60 },
    )
  })
  it('neededByJobs is what a hook mounts', () => {
    expect(neededByJobs(renderOf(everything)).map(object => object.kind)).toEqual([
      'ConfigMap',
      'PersistentVolumeClaim',
    ])
  })
})
