// Rules across keys: one named case for each thing that must be refused, and one for each that must not.
import { describe, expect, it } from 'vitest'
import { appSpecSchema } from '../../src/core/app.ts'
import { ruleProblems } from '../../src/core/app-rules.ts'
import { problemText } from '../../src/core/problems.ts'
import { image } from './specs.ts'

const http = { name: 'http', port: 8080 }
const volume = { name: 'data', size: '1Gi', mount: '/srv/data' }
const cron = { kind: 'cron', schedule: { cron: '0 3 * * *' } }
const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }
const manifests = { kind: 'manifests', image: undefined, manifests: [config] }

const problemsOf = (keys: object) =>
  ruleProblems(appSpecSchema.parse({ app: 'web', image, ...keys })).map(problemText)

const refused: readonly (readonly [name: string, keys: object, says: string])[] = [
  ['cron without a schedule', { kind: 'cron' }, 'schedule: is missing'],
  ['a schedule of a service', { schedule: cron.schedule }, 'schedule: is for kind cron'],
  [
    'a schedule that is none',
    { kind: 'cron', schedule: { cron: '61 * * * *' } },
    'schedule.cron: "61 * * * *" is not a schedule',
  ],
  [
    'a range that ends before it begins',
    { kind: 'cron', schedule: { cron: '0 5-3 * * *' } },
    'schedule.cron:',
  ],
  [
    'Sunday as 7, which Kubernetes does not know',
    { kind: 'cron', schedule: { cron: '0 3 * * 7' } },
    'schedule.cron: "0 3 * * 7" is not a schedule',
  ],
  ['a week that begins on Friday', { kind: 'cron', schedule: { cron: '0 3 * * fri-mon' } }, 'schedule.cron:'],
  ['a day for a month', { kind: 'cron', schedule: { cron: '0 3 * mon *' } }, 'schedule.cron:'],
  ['a step of nothing', { kind: 'cron', schedule: { cron: '*/0 * * * *' } }, 'schedule.cron:'],
  ['an unknown word for a time', { kind: 'cron', schedule: { cron: '@sometimes' } }, 'schedule.cron:'],
  [
    'an unknown time zone',
    { kind: 'cron', schedule: { ...cron.schedule, timeZone: 'Europe/Berlni' } },
    'schedule.timeZone: "Europe/Berlni" is not a time zone',
  ],
  ['cron with replicas', { ...cron, replicas: 3 }, 'replicas: a cron app runs once per schedule'],
  ['cron with ports', { ...cron, ports: [http] }, 'ports: a cron app serves nothing'],
  ['cron with an autoscaler', { ...cron, autoscale: { min: 1, max: 2 } }, 'autoscale: is for kinds'],
  ['cron with a budget', { ...cron, disruption: { maxUnavailable: 1 } }, 'disruption: is for kinds'],
  [
    'cron with a sidecar that never ends',
    { ...cron, sidecars: [{ name: 'a', image: 'a', native: false }] },
    'sidecars: a sidecar of a cron app must be native',
  ],
  ['no image', { image: undefined }, 'image: is missing'],
  ['an image without {revision}', { image: 'registry.example.com/web:1' }, 'image: has no {revision}'],
  ['an image that is none', { image: 'https://registry/web:{revision}' }, 'image: is not an image reference'],
  ['an unknown placeholder', { image: 'r/web:{revision}-{commit}' }, 'image: is not an image reference'],
  [
    'a sidecar with no image',
    { sidecars: [{ name: 'a', image: 'A B' }] },
    'sidecars.0.image: is not an image reference',
  ],
  [
    'a hook with no image',
    { hooks: { before: { image: 'A', command: ['x'] } } },
    'hooks.before.image: is not',
  ],
  ['manifests without objects', { kind: 'manifests', image: undefined }, 'manifests: is empty'],
  ['manifests with an image', { ...manifests, image }, 'image: has no meaning for kind manifests'],
  ['manifests with variables', { ...manifests, env: { A: 1 } }, 'env: has no meaning'],
  [
    'a manifest without a name',
    { ...manifests, manifests: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'a-' } }] },
    'manifests.0.metadata.name: is missing',
  ],
  [
    'a manifest without a kind',
    { ...manifests, manifests: [{ apiVersion: 'v1', metadata: { name: 'a' } }] },
    'manifests.0.kind: is missing',
  ],
  [
    'a manifest twice',
    { ...manifests, manifests: [config, config] },
    'manifests.1: ConfigMap a is there twice, see manifests.0',
  ],
  [
    'a manifest twice, once in a List',
    { ...manifests, manifests: [{ kind: 'List', items: [config] }, config] },
    'ConfigMap a is there twice',
  ],
  [
    'a hook of manifests without an image',
    { ...manifests, hooks: { after: { command: ['x'] } } },
    'hooks.after.image: is missing',
  ],
  [
    'manifests of a service',
    { manifests: [config] },
    'manifests: is for kind manifests; this app is a service',
  ],
  [
    'two ports of one name',
    { ports: [http, { name: 'http', port: 1 }] },
    'ports.1.name: http is already the name of ports.0',
  ],
  [
    'one port twice',
    { ports: [http, { name: 'b', port: 8080 }] },
    'ports.1.port: 8080 is already taken by ports.0',
  ],
  [
    'one port of the Service twice',
    {
      ports: [
        { ...http, service: 80 },
        { name: 'b', port: 80 },
      ],
    },
    'ports.1.port: the Service would have port 80 twice, see ports.0',
  ],
  [
    'a port that a sidecar has',
    { ports: [http], sidecars: [{ name: 'a', image: 'a', ports: [{ name: 'x', port: 8080 }] }] },
    'sidecars.0.ports.0.port: 8080 is already taken by ports.0',
  ],
  ['a port name without a letter', { ports: [{ name: '80', port: 80 }] }, 'ports.0.name: needs a letter'],
  [
    'a Service whose name begins with a digit',
    { app: '2048', ports: [http] },
    'app: must begin with a letter',
  ],
  [
    'a probe of a port that is not there',
    { ports: [http], probes: { liveness: { http: { path: '/', port: 'admin' } } } },
    'probes.liveness.http.port: admin is not one of its ports: http',
  ],
  [
    'a probe without any port',
    { probes: { readiness: { tcp: {} } } },
    'probes.readiness.tcp.port: is missing',
  ],
  [
    'liveness that must succeed twice',
    { probes: { liveness: { exec: ['x'], successes: 2 } } },
    'probes.liveness.successes: must be 1',
  ],
  [
    'a probe all the time',
    { probes: { liveness: { exec: ['x'], period: '0s' } } },
    'probes.liveness.period: must be at least 1s',
  ],
  [
    'RWO with two replicas',
    { storage: [{ ...volume, access: 'RWO' }], replicas: 2, rollout: { strategy: 'recreate' } },
    'storage.0.access: RWO can be mounted by one pod',
  ],
  [
    'RWO with an autoscaler',
    { storage: [{ ...volume, access: 'RWO' }], autoscale: { min: 1, max: 3 } },
    'storage.0.access: RWO can be mounted by one pod',
  ],
  [
    'RWO with a rolling update',
    { storage: [{ ...volume, access: 'RWO' }] },
    'storage.0.access: RWO needs rollout: { strategy: recreate }',
  ],
  [
    'RWO with runs at the same time',
    {
      ...cron,
      schedule: { ...cron.schedule, concurrency: 'Allow' },
      storage: [{ ...volume, access: 'RWO' }],
    },
    'storage.0.access: RWO needs schedule.concurrency',
  ],
  [
    'two volumes of one name',
    { storage: [volume, { ...volume, mount: '/b' }] },
    'storage.1.name: data is already the name of storage.0',
  ],
  [
    'two volumes in one place',
    { storage: [volume, { ...volume, name: 'b', mount: '/srv/data/' }] },
    'storage.1.mount: /srv/data/ is already mounted by storage.0.mount',
  ],
  [
    'a volume of its own on a StorageClass',
    { storage: [{ ...volume, own: true, storageClass: 'fast' }] },
    'storage.0.own: a volume of its own lies on a pool',
  ],
  [
    'a file where a volume is',
    { storage: [volume], files: [{ path: '/srv/data', content: '' }] },
    'files.0.path: /srv/data is already mounted by storage.0.mount',
  ],
  [
    'a volume over everything',
    { storage: [{ ...volume, mount: '/' }] },
    'storage.0.mount: must be a directory or file below /',
  ],
  ['a mount that climbs', { storage: [{ ...volume, mount: '/srv/../etc' }] }, 'storage.0.mount: must be'],
  [
    'a name of ours',
    { storage: [{ ...volume, name: 'gkube-files' }] },
    "storage.0.name: names that begin with gkube- are gkube's own",
  ],
  ['a volume of nothing', { storage: [{ ...volume, size: 0 }] }, 'storage.0.size: must be more than 0'],
  [
    'a sidecar that mounts what is not there',
    { storage: [volume], sidecars: [{ name: 'a', image: 'a', mounts: [{ name: 'date', path: '/d' }] }] },
    "sidecars.0.mounts.0.name: date is not one of the app's storage: data",
  ],
  ['code without a volume', { code: { mount: '/code' } }, 'code: needs storage'],
  [
    'code on RWO with two replicas',
    { kind: 'stateful', code: { mount: '/code' }, replicas: 2, storage: [{ ...volume, access: 'RWO' }] },
    'storage.0.access: code with more than one replica needs RWX',
  ],
  [
    'code on a volume of each pod',
    { kind: 'stateful', code: { mount: '/code' }, storage: [{ ...volume, access: 'RWO' }] },
    'storage.0.access: code of a stateful app needs RWX',
  ],
  [
    'reload without a command',
    { code: { mount: '/code', activate: 'reload' }, storage: [volume] },
    'code.reload: is missing',
  ],
  [
    'autoscale by CPU without a request',
    { autoscale: { min: 1, max: 2 }, resources: {} },
    'autoscale: autoscale by cpu counts in shares of resources.requests.cpu',
  ],
  [
    'autoscale by memory without a request',
    { autoscale: { min: 1, max: 2, memory: 70 }, resources: {} },
    'autoscale.memory: autoscale by memory',
  ],
  [
    'an autoscaler that stops everything',
    { autoscale: { min: 1, max: 2 }, rollout: { strategy: 'recreate' } },
    'autoscale: and rollout.strategy recreate',
  ],
  [
    'grace within drain',
    { rollout: { drain: '30s', grace: '30s' } },
    'rollout.grace: 30s must be longer than drain (30s)',
  ],
  [
    'a limit before the progress',
    { rollout: { limit: '1m' } },
    'rollout.limit: 1m must not be shorter than progress (10m)',
  ],
  [
    'stable beyond the limit',
    { rollout: { stable: '1h' } },
    'rollout.stable: 1h must be shorter than limit (30m)',
  ],
  ['no time to progress', { rollout: { progress: '0s' } }, 'rollout.progress: must be at least 1s'],
  [
    'a hook without time',
    { hooks: { init: { command: ['x'], timeout: '0s' } } },
    'hooks.init.timeout: must be at least 1s',
  ],
  [
    'stateful that stops everything',
    { kind: 'stateful', rollout: { strategy: 'recreate' } },
    'rollout.strategy: a stateful app replaces its pods one by one',
  ],
  ['a service in order', { rollout: { ordered: true } }, 'rollout.ordered: is for kind stateful'],
  [
    'an ingress without a port',
    { ingress: [{ host: 'a.example.com' }] },
    'ports: is missing: ingress needs a port',
  ],
  [
    'an ingress to a port that is not there',
    { ports: [http], ingress: [{ host: 'a.example.com', port: 'admin' }] },
    'ingress.0.port: admin is not one of the ports: http',
  ],
  [
    'an ingress to UDP',
    { ports: [{ ...http, protocol: 'UDP' }], ingress: [{ host: 'a.example.com' }] },
    'ingress.0.port: an ingress speaks HTTP',
  ],
  [
    'an ingress of no host',
    { ports: [http], ingress: [{ host: 'https://a.example.com' }] },
    'ingress.0.host: "https://a.example.com" is not a host name',
  ],
  [
    'one address twice',
    { ports: [http], ingress: [{ host: 'a.example.com' }, { host: 'a.example.com' }] },
    'ingress.1.path: the same host and path as ingress.0',
  ],
  [
    'a sidecar called like the app',
    { sidecars: [{ name: 'web', image: 'a' }] },
    'sidecars.0.name: web is already the name of app',
  ],
  [
    'a request above its limit',
    { resources: { requests: { memory: '1Gi' }, limits: { memory: '512Mi' } } },
    'resources.requests.memory: 1Gi is above the limit of 512Mi',
  ],
  [
    'a label of ours',
    { labels: { 'app.kubernetes.io/name': 'x' } },
    'labels.app.kubernetes.io/name: is set by gkube itself',
  ],
  [
    'an annotation of ours',
    { annotations: { 'gkube.dev/epoch': '9' } },
    'annotations.gkube.dev/epoch: is set by gkube itself',
  ],
  ['a label that is none', { labels: { team: 'a b' } }, 'labels.team: is not a Kubernetes label'],
  [
    'a node label that is none',
    { placement: { nodeSelector: { disk: '-' } } },
    'placement.nodeSelector.disk: is not',
  ],
  ['root under restricted', { security: { runAsUser: 0 } }, 'security.runAsUser: is root'],
  [
    'files that do not fit',
    {
      files: [
        { path: '/a', content: 'x'.repeat(600_000) },
        { path: '/b', content: 'x'.repeat(600_000) },
      ],
    },
    'files: hold 1200000 bytes together',
  ],
]

const accepted: readonly (readonly [name: string, keys: object])[] = [
  ['the least', {}],
  [
    'a digest after the tag of a code app',
    { image: `r/php@sha256:${'a'.repeat(64)}`, code: { mount: '/code' }, storage: [volume] },
  ],
  ['a registry with a port', { image: 'localhost:5000/a/b_c/web:{revision}' }],
  ['a revision in the middle', { image: 'r/web:v{revision}-alpine' }],
  [
    'cron by name and step',
    { kind: 'cron', schedule: { cron: '*/15 8-18 1,15 jan-mar mon-fri', timeZone: 'Europe/Berlin' } },
  ],
  ['cron by word', { kind: 'cron', schedule: { cron: '@daily' } }],
  ['a suspended cron', { ...cron, replicas: 0 }],
  ['RWO alone', { storage: [{ ...volume, access: 'RWO' }], rollout: { strategy: 'recreate' } }],
  [
    'RWO for each pod of a stateful app',
    { kind: 'stateful', storage: [{ ...volume, access: 'RWO' }], replicas: 3 },
  ],
  ['UDP and TCP on one port', { ports: [http, { name: 'dns', port: 8080, protocol: 'UDP' }] }],
  ['a wildcard host', { ports: [http], ingress: [{ host: '*.example.com' }] }],
  [
    'one host, two paths',
    { ports: [http], ingress: [{ host: 'a.example.com' }, { host: 'a.example.com', path: '/b' }] },
  ],
  ['root under baseline', { security: { profile: 'baseline', runAsUser: 0 } }],
  ["part-of is the team's", { labels: { 'app.kubernetes.io/part-of': 'shop' } }],
  ['a worker that begins with a digit', { app: '2048', kind: 'worker' }],
  ['manifests', manifests],
  ['the same name in two kinds', { ...manifests, manifests: [config, { ...config, kind: 'Service' }] }],
]

describe('rules', () => {
  it.each(refused)('refuses %s', (_, keys, says) => {
    expect(problemsOf(keys).join('\n')).toContain(says)
  })
  it.each(accepted)('accepts %s', (_, keys) => {
    expect(problemsOf(keys)).toEqual([])
  })
})
