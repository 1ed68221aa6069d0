// The Job that publishes: who it is, what each of its containers is told, and that no secret is in it.
import { describe, expect, it } from 'vitest'
import { refusals } from '../../../src/core/allowlist.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import { type PublishInput, publishJob, tokenSecret } from '../../../src/core/objects/publish-job.ts'
import { frozenOf } from '../specs.ts'

const sha256 = 'c'.repeat(64)
const keys = {
  storage: [{ name: 'code', size: '1Gi', mount: '/srv/data/' }],
  security: { runAsUser: 101, runAsGroup: 102 },
  env: { GKUBE_DEPLOY_ID: 'mine', LOG: 'info' },
  envFrom: [{ secret: 'web' }],
  files: [{ path: '/etc/web.conf', content: 'x' }],
}
const code = {
  image: 'r/gkube:1',
  url: 'http://gkube:8080/',
  hosts: { 'a.example.com': { credential: 'reader' }, 'b.example.com': { credential: null } },
  maxBytes: 5000,
}
const inputOf = (spec: object = {}, more: Partial<PublishInput> = {}): PublishInput => ({
  frozen: frozenOf({ ...keys, code: { mount: '/srv/app', ...spec } }),
  namespace: 'shop',
  imagePullSecrets: [],
  serverMinor: 34,
  beside: false,
  deploy: { id: '01JZABC', epoch: 2 },
  attempt: 1,
  switches: false,
  artifact: { sha256, url: null },
  code,
  previous: null,
  keep: [],
  ...more,
})
// biome-ignore lint/suspicious/noExplicitAny: a path that is not there fails the assertion anyway
const jobOf = (spec: object = {}, more: Partial<PublishInput> = {}) => publishJob(inputOf(spec, more)) as any
// biome-ignore lint/suspicious/noExplicitAny: as above
const envOf = (container: any): Record<string, string> =>
  // biome-ignore lint/suspicious/noExplicitAny: as above
  Object.fromEntries(container.env.map((one: any) => [one.name, one.value]))

describe('publishJob', () => {
  it('runs once, is the app’s in user and group, and mounts nothing but the volume and its token', () => {
    const job = jobOf()
    const pod = job.spec.template.spec
    expect(job.metadata.name).toBe('web-publish-01jzabc-1')
    expect(job.spec).toMatchObject({ backoffLimit: 0, activeDeadlineSeconds: 1860 })
    expect(pod.securityContext).toMatchObject({ runAsUser: 101, runAsGroup: 102, fsGroup: 102 })
    expect(pod.automountServiceAccountToken).toBe(false)
    expect(pod.volumes).toEqual([
      { name: 'code', persistentVolumeClaim: { claimName: 'web-code' } },
      { name: 'gkube-credentials', secret: { secretName: 'web-publish-01jzabc-1' } },
    ])
    const [fetch, update] = pod.initContainers
    const [finish] = pod.containers
    expect([fetch, update, finish].map(one => `${one.name} ${one.image}`)).toEqual([
      'fetch r/gkube:1',
      'update r/gkube:1',
      'finish r/gkube:1',
    ])
    for (const one of [fetch, update, finish])
      expect(one.securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
      })
    expect(finish.volumeMounts).toEqual([{ name: 'code', mountPath: '/srv/data/' }])
  })

  it('tells fetch where an upload is, and where its token is mounted', () => {
    expect(envOf(jobOf().spec.template.spec.initContainers[0])).toEqual({
      GKUBE_APP: 'web',
      GKUBE_DEPLOY_ID: '01JZABC',
      GKUBE_ENVIRONMENT: 'staging',
      GKUBE_REVISION: '1.0.0',
      GKUBE_VOLUME: '/srv/data',
      GKUBE_ARTIFACT_SHA256: sha256,
      GKUBE_ARTIFACT_URL: `http://gkube:8080/v1/artifacts/${sha256}`,
      GKUBE_ARTIFACT_HOSTS: 'a.example.com,b.example.com',
      GKUBE_URL: 'http://gkube:8080/',
      GKUBE_ARTIFACT_CREDENTIALS: '/gkube/credentials',
      GKUBE_ARTIFACT_LIMIT: '5000',
    })
  })

  const credentials: [string, object, string, string | undefined][] = [
    ['of its host', {}, 'https://a.example.com/x.tgz', 'reader'],
    ['none where none is needed', {}, 'https://b.example.com/x.tgz', undefined],
    ['the app’s before its host’s', { credential: 'mine' }, 'https://a.example.com/x.tgz', 'mine'],
  ]
  it.each(credentials)('shows the credential %s', (_, spec, url, secret) => {
    const { volumes, initContainers } = jobOf(spec, { artifact: { sha256, url } }).spec.template.spec
    expect(volumes.find((one: { name: string }) => one.name === 'gkube-credentials')?.secret.secretName).toBe(
      secret,
    )
    expect(envOf(initContainers[0])).toMatchObject({ GKUBE_ARTIFACT_URL: url })
    expect(envOf(initContainers[0])).not.toHaveProperty('GKUBE_URL')
  })

  it('keeps a file whole where the app names it, and removes only what is not named', () => {
    const { initContainers, containers } = jobOf({ file: 'app.war' }, { keep: ['1-a', '2-b'] }).spec.template
      .spec
    expect(envOf(initContainers[0])).toMatchObject({ GKUBE_UNPACK: 'false', GKUBE_ARTIFACT_NAME: 'app.war' })
    expect(envOf(containers[0])).toMatchObject({ GKUBE_ACTIVATE: 'rollout', GKUBE_KEEP_RELEASES: '1-a,2-b' })
    expect(envOf(jobOf().spec.template.spec.containers[0])).not.toHaveProperty('GKUBE_KEEP_RELEASES')
  })

  it('runs the app’s own code update in its image, with all it has, in the release that is made', () => {
    const pod = jobOf({ update: ['bin/build'] }, { previous: '0.9-a' }).spec.template.spec
    const update = pod.initContainers[1]
    expect(update).toMatchObject({
      image: 'registry.example.com/shop/web:1.0.0',
      command: ['bin/build'],
      workingDir: '/srv/data/releases/.tmp-01JZABC',
      envFrom: [{ secretRef: { name: 'web' } }],
    })
    const env = envOf(update)
    expect(env).toMatchObject({
      LOG: 'info',
      // What it is told is not the app's to change: the last one of a name counts.
      GKUBE_DEPLOY_ID: '01JZABC',
      GKUBE_RELEASE: '/srv/data/releases/.tmp-01JZABC',
      GKUBE_PREVIOUS: '/srv/data/releases/0.9-a',
      GKUBE_SHARED: '/srv/data/shared',
      GKUBE_UPDATE_SCRIPT: '/srv/data/releases/.tmp-01JZABC.update.sh',
    })
    const paths = update.volumeMounts.map((one: { mountPath: string }) => one.mountPath)
    expect(paths).toEqual(['/srv/data/', '/etc/web.conf'])
    expect(paths).not.toContain('/srv/app')
  })

  it('goes where the volume is held', () =>
    expect(jobOf({}, { beside: true }).spec.template.spec.affinity.podAffinity).toBeDefined())

  it('may do no more than any app’s pod', () => {
    const environment = { ...environmentSchema.parse({}), name: 'staging' }
    const { spec } = inputOf().frozen
    for (const code of [{}, { update: ['x'] }])
      expect(refusals([jobOf(code)], { environment, namespace: 'shop', spec })).toEqual([])
  })

  it('has its token beside it, owned by it', () => {
    const secret = tokenSecret(inputOf(), 'gka_x', 'uid-1')
    expect(secret).toMatchObject({
      kind: 'Secret',
      immutable: true,
      metadata: {
        name: 'web-publish-01jzabc-1',
        ownerReferences: [{ kind: 'Job', name: 'web-publish-01jzabc-1', uid: 'uid-1' }],
      },
      data: { token: Buffer.from('gka_x').toString('base64') },
    })
  })
})
