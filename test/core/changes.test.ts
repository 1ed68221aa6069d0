// What a deploy changes, in the words people see, and the whole diff; no secret in either.
import { describe, expect, it } from 'vitest'
import { unifiedDiff } from '../../src/core/changes/diff.ts'
import { changes } from '../../src/core/changes.ts'
import type { KubeObject } from '../../src/core/cluster.ts'
import { render } from '../../src/core/objects.ts'
import { noOverrides } from '../../src/core/workload.ts'
import { frozenOf, inputOf, one, renderOf } from './specs.ts'

const ports = [{ name: 'http', port: 8080, service: 80 }]
const digest = (char: string) => `sha256:${char.repeat(64)}`
const pinned = (image: string) => render({ ...inputOf(), frozen: { ...frozenOf(), image } })

const withCode = (revision: string, char: string) => {
  const keys = { storage: [{ name: 'c', size: '1Gi', mount: '/srv/data' }], code: { mount: '/srv/app' } }
  const artifact = { sha256: char.repeat(64), url: null }
  return render({ ...inputOf(), frozen: { ...frozenOf(keys, revision), artifact } })
}

type Case = readonly [name: string, from: KubeObject[] | null, to: KubeObject[], lines: string[]]
const cases: readonly Case[] = [
  ['nothing', renderOf({ ports }), renderOf({ ports }), []],
  [
    'a first deploy',
    null,
    renderOf({
      ports,
      replicas: 2,
      ingress: [{ host: 'web.example.com' }],
      storage: [{ name: 'data', size: '1Gi', mount: '/d' }],
    }),
    [
      '+ Deployment web (image 1.0.0, 2 replicas)',
      '+ PersistentVolumeClaim web-data 1Gi',
      '+ Service web:80',
      '+ Ingress web.example.com',
    ],
  ],
  [
    'an image',
    renderOf({}, { revision: '1.4.1' }),
    renderOf({}, { revision: '1.4.2' }),
    ['image 1.4.1 → 1.4.2'],
  ],
  ['code', withCode('1', 'a'), withCode('2', 'b'), ['image 1 → 2', 'code 1-aaaaaaaaaaaa → 2-bbbbbbbbbbbb']],
  [
    'a tag that was moved',
    pinned(`r/web:1@${digest('a')}`),
    pinned(`r/web:1@${digest('b')}`),
    ['image 1 sha256:aaaaaaaaaaaa… → sha256:bbbbbbbbbbbb…'],
  ],
  [
    'a tag that is pinned now',
    pinned('r/web:1'),
    pinned(`r/web:1@${digest('b')}`),
    ['image 1 not pinned → sha256:bbbbbbbbbbbb…'],
  ],
  ['another repository', pinned('r/web:1'), pinned('r/shop:2'), ['image r/web:1 → r/shop:2']],
  [
    'variables',
    renderOf({ env: { LOG_LEVEL: 'info', OLD: 1 } }),
    renderOf({ env: { LOG_LEVEL: 'debug', NEW: 'x' } }),
    ['env LOG_LEVEL info → debug', '- env OLD', '+ env NEW x'],
  ],
  ['the first variable', renderOf(), renderOf({ env: { A: '1' } }), ['+ env A 1']],
  [
    'a secret value',
    renderOf({ env: { DB_PASSWORD: 'a' } }),
    renderOf({ env: { DB_PASSWORD: 'b' } }),
    ['env DB_PASSWORD changed (hidden)'],
  ],
  [
    'a value that looks secret',
    renderOf({ env: { URL: 'redis://x:one@h' } }),
    renderOf({ env: { URL: 'redis://x:two@h' } }),
    ['env URL changed (hidden)'],
  ],
  ['a new secret value', renderOf(), renderOf({ env: { API_TOKEN: 'abc' } }), ['+ env API_TOKEN (hidden)']],
  [
    'a value that becomes a reference',
    renderOf({ env: { DB_PASSWORD: 'a' } }),
    renderOf({ env: { DB_PASSWORD: { secret: 'web', key: 'db' } } }),
    ['- env DB_PASSWORD', '+ env DB_PASSWORD from secret web/db'],
  ],
  [
    'another key of a secret',
    renderOf({ env: { DB: { secret: 'web', key: 'a' } } }),
    renderOf({ env: { DB: { secret: 'web', key: 'b' } } }),
    ['env DB from secret web/a → from secret web/b'],
  ],
  [
    'memory and CPU',
    renderOf(),
    renderOf({
      resources: { requests: { cpu: '200m', memory: '128Mi' }, limits: { memory: '512Mi', cpu: 1 } },
    }),
    ['cpu request 100m → 200m', 'memory limit 256Mi → 512Mi', 'cpu limit none → 1'],
  ],
  [
    'no limits any more',
    renderOf(),
    renderOf({ resources: { requests: { cpu: '100m', memory: '128Mi' } } }),
    ['memory limit 256Mi → none'],
  ],
  ['replicas', renderOf({ replicas: 2 }), renderOf({ replicas: 3 }), ['replicas 2 → 3']],
  [
    'scaled by hand',
    renderOf({ replicas: 2 }),
    renderOf({ replicas: 2 }, { overrides: { ...noOverrides, replicas: 5 } }),
    ['replicas 2 → 5'],
  ],
  [
    'an autoscaler',
    renderOf({ replicas: 2 }),
    renderOf({ autoscale: { min: 2, max: 6 } }),
    ['replicas 2 → autoscaled', '+ HorizontalPodAutoscaler web 2–6'],
  ],
  [
    'bounds of the autoscaler',
    renderOf({ autoscale: { min: 2, max: 6 } }),
    renderOf({ autoscale: { min: 2, max: 9 } }),
    ['HorizontalPodAutoscaler web: maxReplicas 6 → 9'],
  ],
  ['a restart', renderOf(), renderOf({}, { overrides: { ...noOverrides, restartedAt: 'now' } }), ['restart']],
  [
    'another restart',
    renderOf({ annotations: { a: 'b' } }, { overrides: { ...noOverrides, restartedAt: 'a' } }),
    renderOf({ annotations: { a: 'b' } }, { overrides: { ...noOverrides, restartedAt: 'b' } }),
    ['restart'],
  ],
  [
    'a host',
    renderOf({ ports }),
    renderOf({ ports, ingress: [{ host: 'web.example.com' }] }),
    ['+ Ingress web.example.com'],
  ],
  [
    'a host less',
    renderOf({ ports, ingress: [{ host: 'web.example.com' }] }),
    renderOf({ ports }),
    ['- Ingress web.example.com'],
  ],
  [
    'a schedule',
    renderOf({ kind: 'cron', schedule: { cron: '0 3 * * *' } }),
    renderOf({ kind: 'cron', schedule: { cron: '0 4 * * *' } }),
    ['schedule 0 3 * * * → 0 4 * * *'],
  ],
  [
    'a file',
    renderOf({ files: [{ path: '/etc/a.conf', content: 'a\nb\nc\n' }] }),
    renderOf({ files: [{ path: '/etc/a.conf', content: 'a\nB\nc\nd\n' }] }),
    ['file /etc/a.conf changed (+2 −1 lines)'],
  ],
  [
    'the first file',
    renderOf(),
    renderOf({ files: [{ path: '/etc/a.conf', content: 'a' }] }),
    ['+ file /etc/a.conf'],
  ],
  [
    'a file less',
    renderOf({
      files: [
        { path: '/a', content: '1' },
        { path: '/b', content: '2' },
      ],
    }),
    renderOf({ files: [{ path: '/a', content: '1' }] }),
    ['- file /b'],
  ],
  [
    'a probe',
    renderOf({ ports }),
    renderOf({ ports, probes: { readiness: { tcp: {}, period: '9s' } } }),
    ['readinessProbe.periodSeconds 5 → 9'],
  ],
  [
    'a sidecar',
    renderOf(),
    renderOf({ sidecars: [{ name: 'proxy', image: 'r/proxy:2', native: false }] }),
    ['+ container proxy (image 2)'],
  ],
  [
    'an image of a sidecar',
    renderOf({ sidecars: [{ name: 'proxy', image: 'r/proxy:1' }] }),
    renderOf({ sidecars: [{ name: 'proxy', image: 'r/proxy:2' }] }),
    ['proxy image 1 → 2'],
  ],
  [
    'arguments',
    renderOf({ args: ['--a'] }),
    renderOf({ args: ['--a', '--b'] }),
    ['args ["--a"] → ["--a","--b"]'],
  ],
  [
    'a port of the Service',
    renderOf({ ports }),
    renderOf({ ports: [{ ...ports[0], service: 81 }] }),
    ['Service web: ports.http.port 80 → 81'],
  ],
  [
    'the strategy',
    renderOf(),
    renderOf({ rollout: { strategy: 'recreate' } }),
    ['strategy.type RollingUpdate → Recreate', '- strategy.rollingUpdate'],
  ],
]

describe('changes', () => {
  it.each(cases)('%s', (_, from, to, lines) => {
    expect(changes(from, to)).toEqual(lines)
  })
  it('the most telling lines come first', () => {
    const from = renderOf({ ports, replicas: 1, env: { A: 1 } }, { revision: '1' })
    const to = renderOf(
      {
        ports: [{ ...ports[0], service: 81 }],
        replicas: 2,
        env: { A: 2 },
        args: ['x'],
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '1Gi' } },
      },
      { revision: '2' },
    )
    expect(changes(from, to)).toEqual([
      'image 1 → 2',
      'env A 1 → 2',
      'memory limit 256Mi → 1Gi',
      'replicas 1 → 2',
      '+ args ["x"]',
      'Service web: ports.http.port 80 → 81',
    ])
  })
  it('who wrote it and where is no change', () => {
    const elsewhere = { name: 'production', cluster: 'b', namespace: 'other', createNamespace: false }
    expect(
      changes(
        renderOf({ ports }),
        renderOf({ ports }, { deploy: { id: 'x', epoch: 2 }, environment: elsewhere }),
      ),
    ).toEqual([])
  })
})

describe('unifiedDiff', () => {
  const server = (object: KubeObject): KubeObject => ({
    ...object,
    metadata: {
      ...object.metadata,
      uid: 'u-1',
      resourceVersion: '77',
      generation: 3,
      creationTimestamp: '2031-01-01T00:00:00Z',
      managedFields: [{ manager: 'gkube' }],
      annotations: {
        ...object.metadata.annotations,
        'deployment.kubernetes.io/revision': '4',
        'gkube.dev/deploy': 'x',
      },
    },
    status: { replicas: 1 },
  })
  const deployment = (keys: object, revision = '1') => one(renderOf(keys, { revision }), 'Deployment')

  it('is empty where only the server and gkube wrote something', () => {
    expect(unifiedDiff(server(deployment({})), deployment({}))).toBe('')
  })
  it('shows lines around a change', () => {
    const diff = unifiedDiff(server(deployment({}, '1')), deployment({}, '2'))
    expect(diff).toMatch(/^--- Deployment shop\/web\tlive\n\+\+\+ Deployment shop\/web\twanted\n@@/)
    expect(diff).toContain(
      '-        - image: registry.example.com/shop/web:1\n+        - image: registry.example.com/shop/web:2\n',
    )
    expect(diff).not.toMatch(/uid|managedFields|gkube\.dev\/deploy|resourceVersion|status:/)
  })
  it('a new and a gone object are shown whole', () => {
    expect(unifiedDiff(null, deployment({}))).toMatch(
      /^--- \/dev\/null\n\+\+\+ Deployment shop\/web\twanted\n@@ -0,0 \+1,\d+ @@\n\+apiVersion: apps\/v1/,
    )
    expect(unifiedDiff(deployment({}), null)).toContain('\n-kind: Deployment')
  })
  it('hides secret variables and says that they changed', () => {
    const diff = unifiedDiff(
      deployment({ env: { DB_PASSWORD: 'one', db_token: 'x' } }),
      deployment({ env: { DB_PASSWORD: 'two', db_token: 'x' } }),
    )
    expect(diff).toContain('+              value: (hidden, changed)')
    expect(diff).not.toMatch(/one$|two$/m)
    expect(diff).not.toContain('value: x')
  })
  it('hides every value of a Secret, never its keys', () => {
    const secret = (data: object): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'web' },
      data,
    })
    const diff = unifiedDiff(secret({ url: 'b25l', same: 'c2Ft' }), secret({ url: 'dHdv', same: 'c2Ft' }))
    expect(diff).toContain('-  url: (hidden)\n+  url: (hidden, changed)')
    expect(diff).not.toMatch(/b25l|dHdv|c2Ft/)
  })
  it('hides what looks secret in a file, and still shows that it changed', () => {
    const map = (text: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a' },
      data: { 'a.conf': text },
    })
    const diff = unifiedDiff(map('url=redis://x:one@h'), map('url=redis://x:two@h'))
    expect(diff).toContain('(changed)')
    expect(diff).not.toMatch(/:one@|:two@/)
  })
  it('the order of keys is no change', () => {
    const object = deployment({})
    const reversed = Object.fromEntries(Object.entries(object).reverse()) as KubeObject
    expect(unifiedDiff(object, reversed)).toBe('')
  })
})
