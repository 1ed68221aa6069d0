// Jobs of hooks and of `gkube run`: named so that they are found again, never selected by the app's Service.
import { describe, expect, it } from 'vitest'
import { hookJob, runJob } from '../../../src/core/objects/jobs.ts'
import { jobName, selectorLabels } from '../../../src/core/objects/labels.ts'
import { frozenOf } from '../specs.ts'

const hook = { command: ['migrate'], timeout: '5m' }
const keys = {
  env: { LOG_LEVEL: 'info' },
  envFrom: [{ secret: 'web' }],
  ports: [{ name: 'http', port: 8080 }],
  files: [{ path: '/etc/a', content: 'x' }],
  storage: [{ name: 'data', size: '1Gi', mount: '/data' }],
  sidecars: [
    { name: 'proxy', image: 'r/proxy:1' },
    { name: 'logs', image: 'r/logs:1', native: false },
  ],
  security: { runAsUser: 1000, runAsGroup: 1000 },
  hooks: { before: hook },
}
const base = (more: object = {}) => ({
  frozen: frozenOf({ ...keys, ...more }),
  namespace: 'shop',
  imagePullSecrets: ['registry'],
  serverMinor: 33,
  beside: false,
})
const hookOf = (more: object = {}) =>
  hookJob({
    ...base(),
    deploy: { id: '01JZABC', epoch: 3 },
    step: 'before',
    hook,
    attempt: 2,
    ...more,
    // biome-ignore lint/suspicious/noExplicitAny: a path that is not there fails the assertion anyway
  }) as any

describe('hookJob', () => {
  it('runs once, ends in time, is kept until gkube read its result', () => {
    const { metadata, spec } = hookOf()
    expect(metadata.name).toBe('web-before-01jzabc-2')
    expect(spec).toMatchObject({ backoffLimit: 0, activeDeadlineSeconds: 360 })
    expect(spec).not.toHaveProperty('ttlSecondsAfterFinished')
    expect(spec.template.spec.restartPolicy).toBe('Never')
  })
  it('says whose it is by a label, and which epoch wrote it', () => {
    expect(hookOf().metadata).toMatchObject({
      namespace: 'shop',
      labels: {
        'gkube.dev/app': 'web',
        'gkube.dev/deploy': '01JZABC',
        'app.kubernetes.io/component': 'before',
      },
      annotations: { 'gkube.dev/epoch': '3', 'gkube.dev/revision': '1.0.0' },
    })
  })
  it('its pods are not selected by the Service of the app', () => {
    const { labels } = hookOf().spec.template.metadata
    const selected = Object.entries(selectorLabels({ app: 'web' })).every(
      ([key, value]) => labels[key] === value,
    )
    expect(selected).toBe(false)
  })
  it('has the user, the environment and the volumes of the app, without its ports and probes', () => {
    const pod = hookOf().spec.template.spec
    expect(pod.securityContext).toMatchObject({ runAsUser: 1000, fsGroup: 1000, runAsNonRoot: true })
    expect(pod.imagePullSecrets).toEqual([{ name: 'registry' }])
    const [container] = pod.containers
    expect(container).toMatchObject({
      name: 'before',
      image: 'registry.example.com/shop/web:1.0.0',
      command: ['migrate'],
      envFrom: [{ secretRef: { name: 'web' } }],
      securityContext: { allowPrivilegeEscalation: false },
    })
    expect(container.env).toEqual([
      { name: 'LOG_LEVEL', value: 'info' },
      { name: 'GKUBE_APP', value: 'web' },
      { name: 'GKUBE_DEPLOY_ID', value: '01JZABC' },
      { name: 'GKUBE_ENVIRONMENT', value: 'staging' },
      { name: 'GKUBE_REVISION', value: '1.0.0' },
    ])
    expect(container.volumeMounts.map((m: { mountPath: string }) => m.mountPath)).toEqual(['/data', '/etc/a'])
    for (const key of ['ports', 'readinessProbe', 'lifecycle']) expect(container).not.toHaveProperty(key)
  })
  it.each([
    ['rollout', { activate: 'rollout' }, '/srv/app'],
    // `current` is the release before until pods are told: a migration of the new one must find its own code.
    ['reload', { activate: 'reload', reload: ['true'] }, '/srv/app/releases/1.0.0-0123456789ab'],
  ])('says where the new code is: activate: %s', (_, code, release) => {
    const { frozen, ...rest } = base({ image: 'r/php:8', code: { mount: '/srv/app/', ...code } })
    const artifact = { sha256: '0123456789abcdef'.repeat(4), url: null }
    const [container] = hookOf({ ...rest, frozen: { ...frozen, artifact } }).spec.template.spec.containers
    expect(container.env).toContainEqual({ name: 'GKUBE_RELEASE', value: release })
  })
  it('only native sidecars come along: a plain one would never let it end', () => {
    const pod = hookOf().spec.template.spec
    expect(pod.initContainers.map((c: { name: string }) => c.name)).toEqual(['proxy'])
    expect(pod.containers).toHaveLength(1)
  })
  it('a hook may have an image, variables and resources of its own', () => {
    const own = {
      ...hook,
      image: 'r/migrate:{revision}',
      env: { LOG_LEVEL: 'debug', X: 1 },
      resources: { requests: { cpu: 1 } },
    }
    const [container] = hookOf({ hook: own }).spec.template.spec.containers
    expect(container.image).toBe('r/migrate:1.0.0')
    expect(container.env.slice(0, 2)).toEqual([
      { name: 'LOG_LEVEL', value: 'debug' },
      { name: 'X', value: '1' },
    ])
    expect(container.resources).toEqual({ requests: { cpu: '1' } })
  })
  it('goes to the node of a running pod where its volume cannot be on two', () => {
    expect(hookOf().spec.template.spec.affinity).toBeUndefined()
    const placement = {
      affinity: {
        nodeAffinity: { x: 1 },
        podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone' }] },
      },
    }
    const { affinity } = hookOf({ frozen: frozenOf({ ...keys, placement }), beside: true }).spec.template.spec
    expect(affinity).toEqual({
      nodeAffinity: { x: 1 },
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'zone' },
          {
            topologyKey: 'kubernetes.io/hostname',
            labelSelector: { matchLabels: selectorLabels({ app: 'web' }) },
          },
        ],
      },
    })
  })
  it('mounts no claim of a single pod: a Job has no ordinal', () => {
    const storage = [{ name: 'data', size: '1Gi', mount: '/data', access: 'RWO' }]
    const [container] = hookOf({ frozen: frozenOf({ kind: 'stateful', storage }) }).spec.template.spec
      .containers
    expect(container.volumeMounts).toBeUndefined()
  })
})

describe('runJob', () => {
  it('runs a command as the app would, and removes itself if nobody does', () => {
    // biome-ignore lint/suspicious/noExplicitAny: a path that is not there fails the assertion anyway
    const job = runJob({ ...base(), id: '01JZRUN', command: ['sh', '-c', 'ls'], timeout: 60 }) as any
    expect(job.metadata.name).toBe('web-run-01jzrun-1')
    expect(job.spec).toMatchObject({
      activeDeadlineSeconds: 60,
      ttlSecondsAfterFinished: 3600,
      backoffLimit: 0,
    })
    expect(job.spec.template.spec.containers[0]).toMatchObject({ name: 'run', command: ['sh', '-c', 'ls'] })
  })
})

describe('jobName', () => {
  const id = '01JZ0000000000000000000000'
  const cases: readonly (readonly [name: string, app: string, attempt: number, result: string])[] = [
    ['short', 'web', 1, 'web-before-01jz0000000000000000000000-1'],
    [
      'long: the app is cut, the rest is whole',
      'a'.repeat(40),
      12,
      `${'a'.repeat(26)}-before-01jz0000000000000000000000-12`,
    ],
    [
      'no dash is left over',
      `${'a'.repeat(26)}-${'b'.repeat(13)}`,
      1,
      `${'a'.repeat(26)}-before-01jz0000000000000000000000-1`,
    ],
  ]
  it.each(cases)('%s', (_, app, attempt, result) => {
    expect(jobName(app, 'before', id, attempt)).toBe(result)
    expect(result.length).toBeLessThanOrEqual(63)
  })
})
