// Publishing code on the stand-in cluster: one Job, whose containers are scripted here; whoever drives it and wherever he is
// killed it is made once, what serves is untouched by each failure, and no release is mounted that may be gone. What the
// containers do for real: test/publish/.
import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, KubeObject } from '../../../src/core/cluster.ts'
import type { CodeSide } from '../../../src/core/code/code-side.ts'
import { diagnosisSchema, hookLogSchema } from '../../../src/core/deploy.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import { decode } from '../../../src/core/records.ts'
import { UserError } from '../../../src/errors.ts'
import { systemClock } from '../../../src/server.ts'
import { admin, ask, callerWith } from '../../support/stack.ts'
import {
  ended,
  leftovers,
  phaseOf,
  place,
  startWorld,
  type Tenant,
  type TestReplica,
  until,
  type World,
  workloadOf,
} from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})

const shaOf = (text: string) => createHash('sha256').update(text).digest('hex')

/** Uploads and hosts of this test: what is there is what was put there. */
function codeWorld() {
  const uploads = new Map<string, number>()
  const sums = new Map<string, string>()
  const tickets: string[] = []
  const side: CodeSide = {
    image: 'r.example.com/gkube:1',
    url: 'http://gkube.gkube.svc:8080',
    hosts: { 'files.example.com': { credential: 'reader' }, 'cdn.example.com': { credential: null } },
    maxBytes: 1000,
    checksum: async url => {
      const sha256 = sums.get(url)
      return sha256 ? { kind: 'known', sha256 } : { kind: 'unknown', message: 'it answers 404' }
    },
    uploaded: async sha256 => uploads.get(sha256) ?? null,
    ticket: async ({ sha256, deploy }) => {
      tickets.push(`${deploy} ${sha256}`)
      return `gka_${tickets.length}`
    },
  }
  const touch = async (sha256: string) => uploads.get(sha256) ?? null
  const upload = (text: string) => {
    uploads.set(shaOf(text), text.length)
    return shaOf(text)
  }
  return { side, uploads, sums, tickets, upload, artifacts: { size: touch, touch } }
}

type Scripts = Partial<Record<'fetch' | 'update' | 'finish', string>>
type Containers = { name: string; command: string[]; env: { name: string; value: string }[] }[]
type PodSpec = { initContainers: Containers; containers: Containers; volumes: { name: string }[] }
const podOf = (job: KubeObject | undefined): PodSpec =>
  (job as unknown as { spec: { template: { spec: PodSpec } } }).spec.template.spec
const containersOf = (job: KubeObject | undefined): Containers => {
  const { initContainers, containers } = podOf(job)
  return [...initContainers, ...containers]
}
const envOf = (job: KubeObject | undefined, container: string): Record<string, string> =>
  Object.fromEntries(
    (containersOf(job).find(one => one.name === container)?.env ?? []).map(({ name, value }) => [
      name,
      value,
    ]),
  )

/** Keeps the Jobs that are made as they were asked for, and has their containers say and end as written here. */
function scripted(scripts: Scripts = {}) {
  const made: KubeObject[] = []
  const secrets: KubeObject[] = []
  const cluster = (inner: Cluster): Cluster => ({
    ...inner,
    create: async (object, options) => {
      if (object.kind === 'Secret') secrets.push(object)
      if (object.kind !== 'Job') return inner.create(object, options)
      const copy = structuredClone(object)
      for (const container of containersOf(copy)) {
        const script = scripts[container.name as keyof Scripts] ?? `echo ${container.name} is done`
        container.command = ['sh', '-c', script]
      }
      const written = await inner.create(copy, options)
      made.push(object)
      return written
    },
  })
  return { made, secrets, cluster, scripts }
}

const storage = [{ name: 'code', size: '1Gi', mount: '/srv/data' }]
const register = (replica: TestReplica, tenant: Tenant, code: object = {}, over: object = {}) =>
  replica.core.applyApp(
    admin,
    tenant.app({
      image: 'r.example.com/php:8',
      files: [],
      storage,
      code: { mount: '/srv/app', ...code },
      ...over,
    }),
    { dryRun: false },
  )
const start = async (replica: TestReplica, tenant: Tenant, over: Parameters<typeof ask>[0]) =>
  (await replica.core.request(admin, ask({ app: tenant.name, ...over }))).deploy.id
const ship = async (replica: TestReplica, tenant: Tenant, over: Parameters<typeof ask>[0]) =>
  ended(tenant, await start(replica, tenant, over))

const left = async (tenant: Tenant): Promise<string[]> => {
  const kinds = [
    ['batch/v1', 'Job'],
    ['v1', 'Secret'],
  ] as const
  const labels = { 'gkube.dev/app': tenant.name }
  const lists = await Promise.all(
    kinds.map(([apiVersion, kind]) => tenant.cluster.list({ apiVersion, kind, namespace: place, labels })),
  )
  return lists.flat().map(({ kind, metadata }) => `${kind} ${metadata.name}`)
}

/** Where the pods of the Deployment have their code from. */
async function served(tenant: Tenant): Promise<string> {
  const at = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: place, name: tenant.name }
  const live = await tenant.cluster.get(at)
  const mount = /"subPath":"(releases\/[^"]*)"/.exec(JSON.stringify(live))
  return mount?.[1] ?? ''
}

async function results(tenant: Tenant, id: string) {
  const entry = await tenant.kv.get(tenant.keys.hookLog(id))
  return entry ? decode(hookLogSchema, entry).value.hooks : []
}
async function diagnosed(tenant: Tenant, id: string) {
  const entry = await tenant.kv.get(tenant.keys.diagnosis(id))
  return entry && decode(diagnosisSchema, entry).value
}

/** A tenant whose app runs revision 1 from an upload. */
async function running(scripts: Scripts = {}, code: object = {}) {
  const tenant = world.tenant({ onFailure: 'rollback', onCancel: 'rollback' })
  const files = codeWorld()
  const jobs = scripted()
  const replica = await tenant.replica({
    code: files.side,
    artifacts: files.artifacts,
    cluster: jobs.cluster,
  })
  await register(replica, tenant, code)
  expect(await ship(replica, tenant, { revision: '1', artifact: files.upload('one') })).toMatchObject({
    phase: 'succeeded',
  })
  Object.assign(jobs.scripts, scripts)
  const first = await served(tenant)
  expect(first.startsWith(`releases/1-${shaOf('one').slice(0, 12)}`)).toBe(true)
  return { tenant, files, jobs, replica, first }
}

describe('an app that is shipped as code', () => {
  it('is published by one Job, mounted by its release, and leaves neither Job nor token', async () => {
    const tenant = world.tenant()
    const files = codeWorld()
    const jobs = scripted({ update: 'echo cache is warm' })
    const replica = await tenant.replica({
      code: files.side,
      artifacts: files.artifacts,
      cluster: jobs.cluster,
    })
    await register(replica, tenant)
    const sha256 = files.upload('first')
    const deploy = await ship(replica, tenant, { revision: '1.0', artifact: sha256 })
    expect(deploy).toMatchObject({
      phase: 'succeeded',
      plan: 'create',
      prepared: { artifact: { sha256, url: null } },
    })
    expect(deploy.steps.map(step => step.name)).toEqual([
      'environment',
      'publish',
      'apply',
      'rollout',
      'record',
    ])
    const name = `1.0-${sha256.slice(0, 12)}`
    expect(await served(tenant)).toBe(`releases/${name}`)
    expect((await workloadOf(tenant))?.releases).toEqual([name])
    expect(await results(tenant, deploy.id)).toMatchObject([
      { step: 'publish', cause: null, lines: ['fetch is done', 'cache is warm', 'finish is done'] },
    ])
    expect(files.tickets).toEqual([`${deploy.id} ${sha256}`])
    const [job] = jobs.made
    expect(containersOf(job).map(one => one.command)).toEqual([
      ['gkube', 'publish', 'fetch'],
      ['gkube', 'publish', 'update'],
      ['gkube', 'publish', 'finish'],
    ])
    // What it shows is in no variable, and goes with its Job.
    expect(JSON.stringify(job)).not.toContain('gka_')
    expect(jobs.secrets).toMatchObject([
      {
        metadata: { name: job?.metadata.name, ownerReferences: [{ kind: 'Job', name: job?.metadata.name }] },
        data: { token: Buffer.from('gka_1').toString('base64') },
      },
    ])
    await until(async () => (await left(tenant)).length === 0)
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })

  it('takes the pinned artifact of an allowed host with its credential, or asks the host for the checksum', async () => {
    const tenant = world.tenant()
    const files = codeWorld()
    const jobs = scripted()
    const replica = await tenant.replica({ code: files.side, cluster: jobs.cluster })
    const pinned = shaOf('pinned')
    const metadata = { name: 'reader', namespace: place }
    await until(
      async () => (await tenant.cluster.get({ apiVersion: 'v1', kind: 'Namespace', name: place })) !== null,
    )
    await tenant.cluster.create({ apiVersion: 'v1', kind: 'Secret', metadata, data: { token: 'eA==' } })
    await register(replica, tenant, {
      artifact: 'https://files.example.com/site/{revision}.tgz',
      sha256: pinned,
    })
    expect(await ship(replica, tenant, { revision: '1' })).toMatchObject({ phase: 'succeeded' })
    expect(envOf(jobs.made[0], 'fetch')).toMatchObject({
      GKUBE_ARTIFACT_URL: 'https://files.example.com/site/1.tgz',
      GKUBE_ARTIFACT_SHA256: pinned,
      GKUBE_ARTIFACT_HOSTS: 'cdn.example.com,files.example.com',
      GKUBE_ARTIFACT_CREDENTIALS: '/gkube/credentials',
    })
    expect(podOf(jobs.made[0]).volumes).toContainEqual({
      name: 'gkube-credentials',
      secret: { secretName: 'reader' },
    })
    expect(jobs.secrets).toEqual([])
    const url = 'https://cdn.example.com/site-2.tgz'
    files.sums.set(url, shaOf('two'))
    await register(replica, tenant, { artifact: 'https://cdn.example.com/site-{revision}.tgz' })
    expect(await ship(replica, tenant, { revision: '2' })).toMatchObject({
      phase: 'succeeded',
      prepared: { artifact: { sha256: shaOf('two'), url } },
    })
    expect(envOf(jobs.made[1], 'fetch').GKUBE_ARTIFACT_CREDENTIALS).toBeUndefined()
    expect(envOf(jobs.made[1], 'update').GKUBE_PREVIOUS).toBe(`/srv/data/releases/1-${pinned.slice(0, 12)}`)
    await replica.stop()
  })

  it('takes what was uploaded for its revision last, by whomever', async () => {
    const { tenant, files, replica } = await running()
    const record = (text: string) =>
      replica.core.recordArtifact(admin, { app: tenant.name, revision: '2', sha256: files.upload(text) })
    expect(await record('wrong')).toMatchObject({ before: null, size: 5 })
    expect(await record('right')).toMatchObject({ before: shaOf('wrong') })
    expect(await ship(replica, tenant, { revision: '2' })).toMatchObject({
      phase: 'succeeded',
      prepared: { artifact: { sha256: shaOf('right'), url: null } },
    })
    // Named with its deploy, it is the one of that revision, too.
    expect(await ship(replica, tenant, { revision: '1' })).toMatchObject({
      prepared: { artifact: { sha256: shaOf('one') } },
    })
    const { entries } = await tenant.kv.list(tenant.keys.auditIn('-'))
    expect(entries.filter(entry => entry.value.includes('record_artifact'))).toHaveLength(2)
    await replica.stop()
  })
})

it('runs the artifact that was approved, whatever is uploaded for its revision meanwhile', async () => {
  const approvals = { required: 1, requesterCounts: true, expiry: '1h', rollback: false, reminder: '30m' }
  const tenant = world.tenant({ approvals: { ...environmentSchema.parse({}).approvals, ...approvals } })
  const files = codeWorld()
  const jobs = scripted()
  const replica = await tenant.replica({
    code: files.side,
    artifacts: files.artifacts,
    cluster: jobs.cluster,
  })
  await register(replica, tenant, { update: ['bin/build'] })
  const sha256 = files.upload('approved')
  const id = await start(replica, tenant, { revision: '1', artifact: sha256 })
  const waiting = await phaseOf(tenant, id, ({ phase }) => phase === 'awaiting_approval')
  const { planned } = await replica.core.showDeploy(admin, id)
  expect(waiting.prepared?.artifact).toEqual({ sha256, url: null })
  expect(planned?.notes).toContain('publish runs `bin/build`')
  const other = files.upload('sneaked in')
  await replica.core.recordArtifact(admin, { app: tenant.name, revision: '1', sha256: other })
  await replica.core.vote(admin, id, { decision: 'approve', reason: '', hash: waiting.prepared?.hash })
  expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded', prepared: { artifact: { sha256 } } })
  expect(envOf(jobs.made[0], 'fetch').GKUBE_ARTIFACT_SHA256).toBe(sha256)
  await replica.stop()
})

describe('what is refused before anything runs', () => {
  const url = { artifact: 'https://files.example.com/{revision}.tgz' }
  type Case = [string, Partial<CodeSide> | null, object, object, RegExp]
  const cases: Case[] = [
    ['no image is named', { image: null }, url, {}, /set publish\.image in gkube\.yaml/],
    ['no code side at all', null, { ...url, sha256: shaOf('x') }, {}, /set publish\.image in gkube\.yaml/],
    [
      'an upload, and no address',
      { url: null },
      {},
      { artifact: shaOf('up') },
      /set publish\.url in gkube\.yaml/,
    ],
    [
      'nothing was uploaded',
      {},
      {},
      {},
      /^It is not known which artifact .*gkube artifact push <file>.*code\.sha256.*\.sha256\.$/,
    ],
    ['the host knows no checksum', {}, url, {}, /not known which artifact .*: it answers 404/],
    [
      'a host that is not allowed',
      {},
      { artifact: 'https://evil.example.com/a.tgz', sha256: shaOf('x') },
      {},
      /evil\.example\.com is not a host .*artifacts\.hosts/,
    ],
    ['a checksum of such a host', {}, { artifact: 'https://evil.example.com/a.tgz' }, {}, /artifacts\.hosts/],
  ]
  it.each(cases)('%s', async (_, side, code, over, words) => {
    const tenant = world.tenant()
    const files = codeWorld()
    files.upload('up')
    const given = side && { code: { ...files.side, ...side } }
    const replica = await tenant.replica({ ...given, artifacts: files.artifacts })
    await register(replica, tenant, code)
    const deploy = await ship(replica, tenant, { revision: '1', ...over })
    expect(deploy.phase).toBe('failed')
    expect(deploy.cause?.message).toMatch(words)
    expect(deploy.steps).toEqual([])
    await replica.stop()
  })

  it('other bytes under a known revision, by somebody who may not deploy them everywhere', async () => {
    const tenant = world.tenant()
    const files = codeWorld()
    const [[, staging] = []] = tenant.environments
    const environments = new Map(tenant.environments)
    if (staging) environments.set('production', { ...staging, name: 'production' })
    const replica = await tenant.replica({ code: files.side, artifacts: files.artifacts, environments })
    await register(replica, tenant, {}, { environments: { staging: {}, production: {} } })
    const record = { app: tenant.name, revision: '2' }
    const dev = callerWith('dev', 'deployer', ['staging'])
    const first = files.upload('two')
    await replica.core.recordArtifact(dev, { ...record, sha256: first })
    await replica.core.recordArtifact(dev, { ...record, sha256: first })
    const other = files.upload('another two')
    const words =
      /is another artifact already .*may not deploy it to production\. Upload it as a new revision/
    await expect(replica.core.recordArtifact(dev, { ...record, sha256: other })).rejects.toThrow(words)
    const asked = ask({ app: tenant.name, revision: '2', artifact: other })
    await expect(replica.core.request(dev, asked)).rejects.toThrow(words)
    expect(await replica.core.recordArtifact(admin, { ...record, sha256: other })).toMatchObject({
      before: first,
    })
    await replica.stop()
  })

  it('an upload that was removed meanwhile, an artifact without code, a hash that is not there', async () => {
    const { tenant, files, replica } = await running()
    const record = { app: tenant.name, revision: '2', sha256: files.upload('two') }
    await replica.core.recordArtifact(admin, record)
    files.uploads.clear()
    const gone = await ship(replica, tenant, { revision: '2' })
    expect(gone).toMatchObject({ phase: 'failed', reason: 'artifact_not_found' })
    expect(gone.cause?.message).toMatch(/not kept any more\. Upload it again: gkube artifact push/)
    await expect(start(replica, tenant, { revision: '2', artifact: shaOf('nowhere') })).rejects.toThrow(
      /There is no artifact/,
    )
    await expect(replica.core.recordArtifact(admin, record)).rejects.toThrow(/There is no artifact/)
    await expect(start(replica, tenant, { kind: 'restart', artifact: files.upload('two') })).rejects.toThrow(
      /Only a deploy/,
    )
    await register(replica, tenant, {}, { code: undefined, image: 'r.example.com/php:{revision}' })
    const none = await ship(replica, tenant, { revision: '2', artifact: shaOf('two') })
    expect(none.cause?.message).toMatch(/has no section code/)
    await replica.stop()
  })
})

describe('a publish that fails', () => {
  const cases: [string, Scripts, object, RegExp, RegExp][] = [
    [
      'a broken archive',
      { fetch: 'echo got 1 MiB; echo "gkube: The archive is refused: ../x leads out of it."; exit 2' },
      {},
      /^publish failed: fetch ended with exit code 2\. The archive is refused: \.\.\/x leads out of it\.$/,
      /pack it again/,
    ],
    [
      'a host that refuses',
      { fetch: 'echo "gkube: files.example.com does not give out the artifact (403)."; exit 3' },
      {},
      /exit code 3\. files\.example\.com does not give out/,
      /code\.credential/,
    ],
    [
      'a full volume',
      { finish: 'echo "gkube: The volume is full: no space left."; exit 75' },
      {},
      /^publish failed: finish ended with exit code 75\. The volume is full/,
      /storage\[\]\.size/,
    ],
    [
      'its own code update script',
      { update: 'echo no composer; exit 7' },
      { update: ['sh', '-c', 'composer install'] },
      /^publish failed: update ended with exit code 7\.$/,
      /code update script/,
    ],
  ]
  it.each(cases)(
    '%s: what serves goes on serving, and a retry works',
    async (_, scripts, code, words, hint) => {
      const { tenant, files, jobs, replica, first } = await running(scripts, code)
      const sha256 = files.upload('two')
      const deploy = await ship(replica, tenant, { revision: '2', artifact: sha256 })
      expect(deploy).toMatchObject({ phase: 'failed', reason: 'publish_failed', rollback: null })
      expect(deploy.cause?.message).toMatch(words)
      const diagnosis = await diagnosed(tenant, deploy.id)
      expect(diagnosis?.cause).toEqual(deploy.cause)
      expect(diagnosis?.tries.join(' ')).toMatch(hint)
      expect(diagnosis?.tries).toContain('what serves was not touched')
      expect(diagnosis?.log?.lines.length).toBeGreaterThan(0)
      expect(await served(tenant)).toBe(first)
      expect((await workloadOf(tenant))?.releases).toEqual([first.slice('releases/'.length)])
      await until(async () => (await left(tenant)).length === 0)
      for (const name of ['fetch', 'update', 'finish'] as const) delete jobs.scripts[name]
      expect(await ship(replica, tenant, { revision: '2' })).toMatchObject({ phase: 'succeeded' })
      expect(await served(tenant)).toBe(
        first.replace(`1-${shaOf('one').slice(0, 12)}`, `2-${sha256.slice(0, 12)}`),
      )
      await replica.stop()
    },
  )

  it('not because etcd hiccups where the token is made: the same Job goes on', async () => {
    const tenant = world.tenant()
    const files = codeWorld()
    const jobs = scripted()
    let hiccups = 1
    const code: CodeSide = {
      ...files.side,
      ticket: async input => {
        if (hiccups-- > 0) throw new UserError('unavailable', 'etcd does not answer.')
        return files.side.ticket(input)
      },
    }
    const replica = await tenant.replica({ code, artifacts: files.artifacts, cluster: jobs.cluster })
    await register(replica, tenant)
    const deploy = await ship(replica, tenant, { revision: '1', artifact: files.upload('one') })
    expect(deploy).toMatchObject({ phase: 'succeeded' })
    expect(jobs.made).toHaveLength(1)
    expect(hiccups).toBeLessThan(0)
    await replica.stop()
  })

  it('says which right is missing where the token may not be given', async () => {
    const { tenant, files, first, replica } = await running()
    await replica.stop()
    const { ClusterError } = await import('../../../src/core/cluster.ts')
    const forbidden = await tenant.replica({
      code: files.side,
      artifacts: files.artifacts,
      cluster: inner => ({
        ...inner,
        create: async (object, options) => {
          if (object.kind === 'Secret') throw new ClusterError('forbidden', 'secrets is forbidden')
          return inner.create(object, options)
        },
      }),
    })
    const deploy = await ship(forbidden, tenant, { revision: '2', artifact: files.upload('two') })
    expect(deploy).toMatchObject({ phase: 'failed', reason: 'forbidden' })
    expect(deploy.cause?.message).toMatch(/`gkube rbac staging` prints the right/)
    expect(await served(tenant)).toBe(first)
    await until(async () => (await left(tenant)).length === 0)
    await forbidden.stop()
  })

  it('because what it mounts is not there: it is not waited for to the end of its time', async () => {
    const { tenant, first, replica, files } = await running()
    await replica.stop()
    let ahead = 0
    const late = await tenant.replica({
      code: files.side,
      clock: { ...systemClock, now: () => Date.now() + ahead },
    })
    const artifact = 'https://files.example.com/{revision}.tgz'
    await register(late, tenant, { artifact, sha256: shaOf('two'), credential: 'forgotten' })
    const id = await start(late, tenant, { revision: '2' })
    const events = async () => {
      const jobs = await tenant.cluster.list({ apiVersion: 'v1', kind: 'Event', namespace: place })
      return JSON.stringify(jobs)
    }
    await until(async () => (await events()).includes('secret \\"forgotten\\" not found'))
    ahead = 11 * 60_000
    const deploy = await ended(tenant, id)
    expect(deploy).toMatchObject({ phase: 'failed', reason: 'publish_failed' })
    expect(deploy.cause?.message).toMatch(
      /^publish did not start within 10m\. .*secret "forgotten" not found/,
    )
    expect(await served(tenant)).toBe(first)
    await until(async () => (await left(tenant)).length === 0)
    await late.stop()
  })

  it('cancelled while the Job runs: the Job goes, nothing was changed', async () => {
    const { tenant, files, replica, first } = await running({ fetch: 'sleep 3000' })
    const id = await start(replica, tenant, { revision: '2', artifact: files.upload('two') })
    await until(async () => (await left(tenant)).length === 2)
    await replica.core.cancel(admin, id, { reason: 'wrong' })
    expect(await ended(tenant, id)).toMatchObject({ phase: 'cancelled', rollback: null })
    expect(await served(tenant)).toBe(first)
    await until(async () => (await left(tenant)).length === 0)
    expect(await leftovers(tenant)).toEqual([])
    await replica.stop()
  })
})

describe('killed in the middle', () => {
  type Crash = (kill: () => void) => (inner: Cluster) => Cluster
  const onCreate =
    (kind: string, when: 'before' | 'after'): Crash =>
    kill =>
    inner => ({
      ...inner,
      create: async (object, options) => {
        if (object.kind === kind && when === 'before') {
          kill()
          return new Promise(() => undefined)
        }
        const written = await inner.create(object, options)
        if (object.kind === kind) kill()
        return written
      },
    })
  const onRemove =
    (when: 'before' | 'after'): Crash =>
    kill =>
    inner => ({
      ...inner,
      remove: async (ref, preconditions) => {
        if (ref.kind === 'Job' && when === 'before') {
          kill()
          return new Promise(() => undefined)
        }
        await inner.remove(ref, preconditions)
        if (ref.kind === 'Job') kill()
      },
    })
  const cases: [string, Crash][] = [
    ['before the Job is made', onCreate('Job', 'before')],
    ['after the Job was made, before that was heard of', onCreate('Job', 'after')],
    ['before its token was given', onCreate('Secret', 'before')],
    ['after its token was given', onCreate('Secret', 'after')],
    [
      'while the Job runs',
      kill => inner => ({
        ...inner,
        observe: (scope, changed) => {
          const observer = inner.observe(scope, changed)
          if (scope.workload.kind !== 'Job') return observer
          return {
            ...observer,
            current: () => {
              const observed = observer.current()
              const runs = observed?.pods.some(pod => pod.containers.some(one => one.state === 'running'))
              if (runs) kill()
              return observed
            },
          }
        },
      }),
    ],
    ['after its result was kept, before the Job was deleted', onRemove('before')],
    ['after the Job was deleted, before the step ended', onRemove('after')],
  ]
  it.each(cases)('%s: it goes on, and is published once', async (_, crash) => {
    const tenant = world.tenant()
    const files = codeWorld()
    const jobs = scripted({ fetch: 'echo fetched; sleep 10' })
    let victim: TestReplica | null = null
    let killed = false
    const kill = () => {
      if (killed) return
      killed = true
      void victim?.crash()
    }
    const given = { code: files.side, artifacts: files.artifacts }
    const owner = await tenant.replica({ ...given, cluster: inner => crash(kill)(jobs.cluster(inner)) })
    victim = owner
    await register(owner, tenant)
    const sha256 = files.upload('one')
    const id = await start(owner, tenant, { revision: '1', artifact: sha256 })
    await until(() => killed)
    const next = await tenant.replica({ ...given, cluster: jobs.cluster })
    expect(await ended(tenant, id)).toMatchObject({ phase: 'succeeded' })
    expect(jobs.made).toHaveLength(1)
    expect(await served(tenant)).toBe(`releases/1-${sha256.slice(0, 12)}`)
    expect((await workloadOf(tenant))?.releases).toEqual([`1-${sha256.slice(0, 12)}`])
    await until(async () => (await left(tenant)).length === 0)
    expect(await leftovers(tenant)).toEqual([])
    await next.stop()
  })
})

describe('what stays on the volume', () => {
  it('is what the record names and what pods are made from; a rollback to it fetches nothing', async () => {
    const { tenant, files, jobs, replica, first } = await running({}, { keep: 2 })
    const nameOf = (n: number, text: string) => `${n}-${shaOf(text).slice(0, 12)}`
    for (const [n, text] of [
      [2, 'two'],
      [3, 'three'],
      [4, 'four'],
    ] as const)
      expect(
        await ship(replica, tenant, { revision: String(n), artifact: files.upload(text) }),
      ).toMatchObject({ phase: 'succeeded' })
    expect((await workloadOf(tenant))?.releases).toEqual([nameOf(3, 'three'), nameOf(4, 'four')])
    // ReplicaSets that are kept for Kubernetes' own rollback mount the old ones.
    const kept = envOf(jobs.made[3], 'finish').GKUBE_KEEP_RELEASES?.split(',').sort()
    expect(kept).toEqual([first.slice('releases/'.length), nameOf(2, 'two'), nameOf(3, 'three')].sort())
    const back = await ship(replica, tenant, { kind: 'rollback', revision: '3' })
    expect(back).toMatchObject({ phase: 'succeeded' })
    expect(back.steps.map(step => step.name)).toEqual(['apply', 'rollout', 'record'])
    expect(await served(tenant)).toBe(`releases/${nameOf(3, 'three')}`)
    expect(jobs.made).toHaveLength(4)
    await replica.stop()
  })

  it('may be gone: a rollback to it publishes it again, and is refused where its artifact is gone, too', async () => {
    const { tenant, files, jobs, replica, first } = await running({}, { keep: 2 })
    for (const text of ['2', '3', '4'])
      await ship(replica, tenant, { revision: text, artifact: files.upload(text) })
    const before = await served(tenant)
    const one = files.uploads.get(shaOf('one')) ?? 0
    files.uploads.delete(shaOf('one'))
    const refused = await ship(replica, tenant, { kind: 'rollback', revision: '1' })
    expect(refused).toMatchObject({ phase: 'failed', reason: 'artifact_not_found' })
    expect(await served(tenant)).toBe(before)
    files.uploads.set(shaOf('one'), one)
    const back = await ship(replica, tenant, { kind: 'rollback', revision: '1' })
    expect(back.steps.map(step => step.name)).toEqual(['publish', 'apply', 'rollout', 'record'])
    expect(await served(tenant)).toBe(first)
    expect(envOf(jobs.made.at(-1), 'fetch').GKUBE_ARTIFACT_SHA256).toBe(shaOf('one'))
    await replica.stop()
  })

  it('is not believed of another volume: a redeploy publishes there, and mounts no empty folder', async () => {
    const { tenant, jobs, replica, first } = await running()
    const moved = [{ name: 'fast', size: '1Gi', mount: '/srv/fast' }, ...storage]
    await register(replica, tenant, {}, { storage: moved })
    const again = await ship(replica, tenant, { kind: 'redeploy' })
    expect(again.steps.map(step => step.name)).toEqual(['publish', 'apply', 'rollout', 'record'])
    expect(await served(tenant)).toBe(first)
    expect(envOf(jobs.made.at(-1), 'update')).toMatchObject({ GKUBE_VOLUME: '/srv/fast' })
    // What ran is on the other one.
    expect(envOf(jobs.made.at(-1), 'update').GKUBE_PREVIOUS).toBeUndefined()
    // Now it is there, and on the first one nothing is known any more.
    const third = await ship(replica, tenant, { kind: 'redeploy' })
    expect(third.steps.map(step => step.name)).toEqual(['apply', 'rollout', 'record'])
    await register(replica, tenant)
    const back = await ship(replica, tenant, { kind: 'redeploy' })
    expect(back.steps.map(step => step.name)).toEqual(['publish', 'apply', 'rollout', 'record'])
    expect(await workloadOf(tenant)).toMatchObject({ releasesOn: 'code' })
    await replica.stop()
  })

  it('is another one where it is made in another way: a script that was corrected takes effect', async () => {
    const { tenant, jobs, replica, first } = await running()
    await register(replica, tenant, { update: ['bin/build'] })
    const again = await ship(replica, tenant, { kind: 'redeploy' })
    expect(again.steps.map(step => step.name)).toEqual(['publish', 'apply', 'rollout', 'record'])
    const built = await served(tenant)
    expect(built).toMatch(new RegExp(`^${first}-[0-9a-f]{6}$`))
    expect(built.endsWith(envOf(jobs.made.at(-1), 'finish').GKUBE_RECIPE ?? 'none')).toBe(true)
    await register(replica, tenant, { update: ['bin/build', '--fast'] })
    expect(await ship(replica, tenant, { revision: '1' })).toMatchObject({ phase: 'succeeded' })
    expect(await served(tenant)).not.toBe(built)
    await register(replica, tenant)
    const back = await ship(replica, tenant, { kind: 'redeploy' })
    expect(back.steps.map(step => step.name)).toEqual(['apply', 'rollout', 'record'])
    expect(await served(tenant)).toBe(first)
    await replica.stop()
  })

  it('is what a redeploy runs on, and what a promotion carries', async () => {
    const tenant = world.tenant()
    const other = { ...tenant.environments.get(place), name: 'production' }
    tenant.environments.set('production', other as never)
    const files = codeWorld()
    const jobs = scripted()
    const replica = await tenant.replica({
      code: files.side,
      artifacts: files.artifacts,
      cluster: jobs.cluster,
    })
    await register(replica, tenant, {}, { environments: { [place]: {}, production: {} } })
    const sha256 = files.upload('one')
    await ship(replica, tenant, { revision: '1', artifact: sha256 })
    // Uploaded for the same revision since: what runs stays.
    await replica.core.recordArtifact(admin, {
      app: tenant.name,
      revision: '1',
      sha256: files.upload('newer'),
    })
    const again = await ship(replica, tenant, { kind: 'redeploy' })
    expect(again).toMatchObject({ phase: 'succeeded', prepared: { artifact: { sha256 } } })
    expect(again.steps.map(step => step.name)).toEqual(['apply', 'rollout', 'record'])
    const promoted = await replica.core.request(admin, {
      ...ask({ app: tenant.name }),
      revision: undefined,
      from: place,
      environment: 'production',
    })
    expect(await ended(tenant, promoted.deploy.id)).toMatchObject({
      phase: 'succeeded',
      prepared: { artifact: { sha256, url: null } },
    })
    await replica.stop()
  })
})
