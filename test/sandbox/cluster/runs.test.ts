// What really runs in the stand-in cluster: scripts of Jobs as processes whose paths are translated, their logs, ends and
// signals; a web server a pod, and the port that leads to them. gkube's publish program is run by its own tests.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type Cluster, startCluster } from '../../../src/sandbox/cluster/cluster.ts'
import { programOf } from '../../../src/sandbox/cluster/runs/program.ts'
import { translator } from '../../../src/sandbox/cluster/runs/translate.ts'
import { deployment, job, testCluster } from './support.ts'
import type { Json, Wire } from './wire.ts'

const core = '/api/v1/namespaces/default'
const apps = '/apis/apps/v1/namespaces/default'
const jobs = '/apis/batch/v1/namespaces/default/jobs'

const folder = mkdtempSync(join(tmpdir(), 'gkube-runs-'))
const pool = join(folder, 'pool')
const runs = {
  folder: join(folder, 'scratch'),
  own: {
    image: 'registry.example.com/gkube:1',
    command: [process.execPath, '-e', 'console.log(process.argv.slice(1).join(" "))'],
  },
  hostPaths: [pool],
}
let cluster: Cluster
let wire: Wire
let settings: Awaited<ReturnType<typeof testCluster>>['settings']
let door: number
beforeAll(async () => {
  mkdirSync(pool)
  ;({ cluster, wire, settings } = await testCluster({ runs }))
  door = (await cluster.openFrontDoor(0)).port
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('paths of a container', () => {
  const mounts = [
    { mountPath: '/srv/data', real: '/r/data', volume: '/r/data' },
    { mountPath: '/srv/data/sub/', real: '/r/sub', volume: '/r/sub' },
    { mountPath: '/etc/a.conf', real: '/r/a', volume: '/r' },
  ]
  it.each([
    ['a path', '/srv/data', '/r/data'],
    ['what lies below it', '/srv/data/x.txt', '/r/data/x.txt'],
    ['the innermost mount', '/srv/data/sub/y', '/r/sub/y'],
    [
      'several in a script',
      'cp /srv/data/a "/srv/data/b" >/srv/data/c; cat /srv/data',
      'cp /r/data/a "/r/data/b" >/r/data/c; cat /r/data',
    ],
    ['a list', '/srv/data/bin:/bin', '/r/data/bin:/bin'],
    ['the end of a sentence', 'see /srv/data.', 'see /r/data.'],
    ['a mounted file', '--config=/etc/a.conf', '--config=/r/a'],
    [
      'not a longer name',
      '/srv/database /srv/data-old /srv/data.old /etc/a.confx',
      '/srv/database /srv/data-old /srv/data.old /etc/a.confx',
    ],
    [
      'not below another folder',
      '/mnt/srv/data https://host/srv/data',
      '/mnt/srv/data https://host/srv/data',
    ],
  ])('%s', (_name, text, expected) => {
    expect(translator(mounts)(text)).toBe(expected)
  })
})

describe('what can run here', () => {
  const asked = {
    args: [],
    image: 'reg/app:1',
    workingDir: '/srv/data/release',
    own: { image: 'reg/gkube:1', command: ['node', 'main'] },
    isMounted: (path: string) => path.startsWith('/srv/data/'),
  }
  it.each<[string, Partial<Parameters<typeof programOf>[0]>, ReturnType<typeof programOf>]>([
    ['a script', { command: ['/bin/sh', '-c', 'true'] }, { here: ['sh'], words: ['-c', 'true'] }],
    [
      'a script with flags',
      { command: ['bash', '-eu', '-c'], args: ['true'] },
      { here: ['bash'], words: ['-eu', '-c', 'true'] },
    ],
    [
      'a file of a volume',
      { command: ['sh', '-eu', '/srv/data/x.sh'] },
      { here: ['sh'], words: ['-eu', '/srv/data/x.sh'] },
    ],
    ['a file beside it', { command: ['sh', '../x.sh'] }, { here: ['sh'], words: ['../x.sh'] }],
    [
      'a program of a volume',
      { command: ['./bin/update', 'now'] },
      { here: [], words: ['./bin/update', 'now'] },
    ],
    ['a file of the image', { command: ['sh', '/app/x.sh'] }, null],
    ['a program of the image', { command: ['php', 'artisan'] }, null],
    ['nothing but the image', { command: [] }, null],
    [
      "gkube's publish",
      { image: 'reg/gkube:1', command: [], args: ['publish', 'fetch'] },
      { here: ['node', 'main'], words: ['publish', 'fetch'] },
    ],
    [
      "gkube's publish by name and digest",
      { image: `reg/gkube:1@sha256:${'0'.repeat(64)}`, command: ['gkube', 'publish', 'finish'] },
      { here: ['node', 'main'], words: ['publish', 'finish'] },
    ],
    ["gkube's other commands", { image: 'reg/gkube:1', command: ['gkube', 'serve'] }, null],
  ])('%s', (_name, change, expected) => {
    expect(programOf({ ...asked, command: [], ...change })).toEqual(expected)
  })
})

/** A Job of one container, its end and its log. */
async function run(name: string, command: string[], container: Json = {}, spec: Json = {}, pod: Json = {}) {
  await start(name, command, container, spec, pod)
  return ended(name)
}
async function start(name: string, command: string[], container: Json = {}, spec: Json = {}, pod: Json = {}) {
  const made = job(name, command, spec)
  Object.assign(made.spec.template.spec, pod)
  Object.assign(made.spec.template.spec.containers[0], container)
  const { status, text } = await wire.post(jobs, made)
  expect(status, text).toBe(201)
}
const podOf = async (name: string): Promise<Json> =>
  (await wire.get(`${core}/pods?labelSelector=job-name%3D${name}`)).body.items[0]
const logOf = async (pod: Json, query = '') =>
  (await wire.get(`${core}/pods/${pod.metadata.name}/log${query}`)).text
async function ended(name: string) {
  const pod = await wire.until(async () => {
    const found = await podOf(name)
    return ['Succeeded', 'Failed'].includes(found?.status?.phase) && found
  })
  const { exitCode, reason } = pod.status.containerStatuses[0].state.terminated
  return { exitCode, reason, log: await logOf(pod), pod }
}
const lives = (pid: number) => {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false // gone
  }
}
async function volume(name: string, path: string) {
  mkdirSync(path, { recursive: true })
  await wire.post('/api/v1/persistentvolumes', {
    metadata: { name },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteMany'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: '',
      hostPath: { path, type: 'Directory' },
      claimRef: { namespace: 'default', name },
    },
  })
  await claim(name, { storageClassName: '', volumeName: name })
}
const claim = (name: string, spec: Json = {}) =>
  wire.post(`${core}/persistentvolumeclaims`, {
    metadata: { name },
    spec: { accessModes: ['ReadWriteMany'], resources: { requests: { storage: '1Gi' } }, ...spec },
  })
const mounted = (name: string, mount: Json = {}) => ({
  container: { volumeMounts: [{ name: 'data', mountPath: '/srv/data', ...mount }] },
  pod: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: name } }] },
})

describe('scripts of Jobs', () => {
  it('run with variables of the pod, of Secrets and ConfigMaps, and print what a log shows', async () => {
    await wire.post(`${core}/secrets`, { metadata: { name: 'db' }, stringData: { url: 'postgres://db' } })
    await wire.post(`${core}/configmaps`, {
      metadata: { name: 'set' },
      data: { LEVEL: 'debug', 'a.conf': 'key=1\n' },
    })
    const { exitCode, reason, log } = await run(
      'variables',
      [
        'sh',
        '-c',
        'echo "$DB $LEVEL $MISSING. $WHO" | tr a-z A-Z; cat /etc/set/a.conf; cat /etc/one.conf; echo $(GREETING) >&2; exit $((1 + 2))',
      ],
      {
        envFrom: [{ configMapRef: { name: 'set' } }],
        env: [
          { name: 'DB', valueFrom: { secretKeyRef: { name: 'db', key: 'url' } } },
          { name: 'MISSING', valueFrom: { secretKeyRef: { name: 'none', key: 'x', optional: true } } },
          { name: 'WHO', valueFrom: { fieldRef: { fieldPath: "metadata.labels['job-name']" } } },
          { name: 'GREETING', value: 'hello $(WHO)' },
        ],
        volumeMounts: [
          { name: 'set', mountPath: '/etc/set' },
          { name: 'set', mountPath: '/etc/one.conf', subPath: 'a.conf' },
        ],
      },
      {},
      { volumes: [{ name: 'set', configMap: { name: 'set' } }] },
    )
    expect({ exitCode, reason }).toEqual({ exitCode: 3, reason: 'Error' })
    expect(log.split('\n').sort()).toEqual(
      ['POSTGRES://DB DEBUG . VARIABLES', 'key=1', 'key=1', 'hello variables', ''].sort(),
    )
  })

  it('write to the volume that their claim is bound to, in its own folder, and nowhere else', async () => {
    await volume('shared', join(pool, 'staging/web/shared'))
    const { container, pod } = mounted('shared')
    const script = 'pwd; echo "$OUT"; echo 1 >"$OUT"; mkdir -p /srv/data/releases/one; ls /srv/data'
    const env = [{ name: 'OUT', value: '/srv/data/out.txt' }]
    const { exitCode, log } = await run(
      'write',
      ['sh', '-c', script],
      { ...container, env, workingDir: '/srv/data/new' },
      {},
      pod,
    )
    expect(exitCode).toBe(0)
    const real = join(pool, 'staging/web/shared')
    expect(log).toBe(`${real}/new\n${real}/out.txt\nnew\nout.txt\nreleases\n`)
    const sub = mounted('shared', { subPath: 'releases/one', readOnly: true })
    expect(await run('below', ['sh', '-c', 'cd /srv/data && pwd'], sub.container, {}, sub.pod)).toMatchObject(
      {
        log: `${real}/releases/one\n`,
      },
    )
  })

  it('get a folder of the scratch folder where no pool is named, whatever a hostPath says', async () => {
    await claim('plain', { storageClassName: 'standard' })
    await volume('elsewhere', join(folder, 'elsewhere'))
    for (const name of ['plain', 'elsewhere']) {
      const { container, pod } = mounted(name)
      const { log } = await run(`in-${name}`, ['sh', '-c', 'cd /srv/data && pwd -P'], container, {}, pod)
      expect(log).toMatch(new RegExp(`^${join(runs.folder, 'volumes')}/`))
    }
  })

  it('wait, with the words of a kubelet, for a folder that a pool has not made', async () => {
    await volume('late', join(pool, 'late'))
    rmSync(join(pool, 'late'), { recursive: true })
    const { container, pod } = mounted('late')
    await start('late', ['sh', '-c', 'true'], container, {}, pod)
    const event = await wire.until(async () => {
      const { items } = (await wire.get(`${core}/events`)).body
      return items.find((one: Json) => one.reason === 'FailedMount')
    })
    expect(event.message).toBe(
      `MountVolume.SetUp failed for volume "data" : hostPath type check failed: ${join(pool, 'late')} is not a directory`,
    )
    mkdirSync(join(pool, 'late'))
    expect(await ended('late')).toMatchObject({ exitCode: 0 })
  })

  it.each([
    ['a program that is not there', ['sh', '-c', 'no-such-program'], 127, /no-such-program/],
    ['a shell that is not there', ['dash', '-c', 'exit 4'], existsSync('/bin/dash') ? 4 : 127, /^|not found/],
    ['a signal', ['sh', '-c', 'kill -TERM $$$$'], 143, /^$/],
  ])('end as a container would: %s', async (name, command, code, said) => {
    const { exitCode, log } = await run(name.replaceAll(' ', '-'), command)
    expect(exitCode).toBe(code)
    expect(log).toMatch(said)
  })

  it("run gkube's own program by its image", async () => {
    const image = runs.own.image
    expect(await run('own', [], { image, command: undefined, args: ['publish', 'fetch'] })).toMatchObject({
      exitCode: 0,
      log: 'publish fetch\n',
    })
  })

  it('are followed as they print, to the end', async () => {
    const gate = join(folder, 'gate')
    await start('follow', [
      'sh',
      '-c',
      `for i in 1 2 3; do echo $i; done; until [ -e ${gate} ]; do sleep 0.05; done; printf 'last'`,
    ])
    const pod = await wire.until(async () => {
      const found = await podOf('follow')
      return found?.status?.containerStatuses?.[0]?.state?.running && found
    })
    await wire.until(async () => (await logOf(pod)) === '1\n2\n3\n')
    const whole = logOf(pod, '?follow=true')
    writeFileSync(gate, '')
    expect(await whole).toBe('1\n2\n3\nlast\n')
    expect(await logOf(pod, '?tailLines=2')).toBe('3\nlast\n')
  })

  it('end with all that they started: by the first process, by a deletion, by a deadline, by force', async () => {
    const pids = (name: string) => join(folder, `${name}.pids`)
    const background = (name: string) => `sleep 300 & echo $! >>${pids(name)}; echo $$$$ >>${pids(name)}`
    const noted = (name: string) => readFileSync(pids(name), 'utf8').trim().split('\n').map(Number)
    const gone = (name: string) => wire.until(async () => noted(name).every(pid => !lives(pid)))
    const began = (name: string) =>
      wire.until(async () => existsSync(pids(name)) && noted(name).filter(pid => pid > 1).length === 2)

    await run('first', ['sh', '-c', background('first')])
    expect(noted('first').filter(pid => pid > 1)).toHaveLength(2)
    await gone('first')

    await start('deleted', [
      'sh',
      '-c',
      `trap 'echo >${folder}/told; exit 0' TERM; ${background('deleted')}; wait`,
    ])
    await began('deleted')
    await wire.delete(`${jobs}/deleted`, { propagationPolicy: 'Background' })
    await gone('deleted')
    expect(existsSync(join(folder, 'told'))).toBe(true)

    // One that does not listen is killed after its grace: 4 s, a twentieth of it here.
    await start(
      'deadline',
      ['sh', '-c', `trap '' TERM; ${background('deadline')}; while :; do sleep 0.05; done`],
      {},
      { activeDeadlineSeconds: 20 },
      { terminationGracePeriodSeconds: 4 },
    )
    await began('deadline')
    const failed = await wire.until(async () => {
      const { status } = (await wire.get(`${jobs}/deadline`)).body
      return status.conditions?.find((one: Json) => one.type === 'Failed')
    })
    expect(failed.reason).toBe('DeadlineExceeded')
    await gone('deadline')

    await start('forced', ['sh', '-c', `trap '' TERM; ${background('forced')}; while :; do sleep 0.05; done`])
    await began('forced')
    const pod = await podOf('forced')
    await wire.delete(`${core}/pods/${pod.metadata.name}`, { gracePeriodSeconds: 0 })
    await gone('forced')
    await wire.delete(`${jobs}/forced`, { propagationPolicy: 'Background' })
  })

  it('are played where they cannot run: what is in an image, and pods of no Job', async () => {
    expect(await run('image', ['/app/migrate', '--all'])).toMatchObject({ exitCode: 0, log: 'done\n' })
    const trace = join(folder, 'trace')
    const { spec } = job('bare', ['sh', '-c', `echo played; echo >${trace}`])
    await wire.post(`${core}/pods`, { metadata: { name: 'bare' }, spec: spec.template.spec })
    await wire.until(async () => (await wire.get(`${core}/pods/bare`)).body.status?.phase === 'Succeeded')
    expect(existsSync(trace)).toBe(false)
  })
})

type Answer = { status: number; text: string; headers: Json }
const ask = (host: string, path = '/', port = door): Promise<Answer> =>
  new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers: { host }, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', part => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }))
    })
      .on('error', reject)
      .end()
  })
/** What a command prints in a pod. */
const exec = (pod: Json, command: string[]): Promise<{ out: string; ok: boolean }> =>
  new Promise((done, failed) => {
    const query = new URLSearchParams([
      ...command.map((word): [string, string] => ['command', word]),
      ['stdout', 'true'],
    ])
    const url = `${cluster.url.replace('http', 'ws')}${core}/pods/${pod.metadata.name}/exec?${query}`
    let out = ''
    let ok = false
    new WebSocket(url, 'v5.channel.k8s.io')
      .on('message', (data: Buffer) => {
        if (data[0] === 1) out += data.subarray(1)
        if (data[0] === 3) ok = JSON.parse(data.subarray(1).toString()).status === 'Success'
      })
      .on('close', () => done({ out, ok }))
      .on('error', failed)
  })
const service = (name: string) =>
  wire.post(`${core}/services`, {
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 'http' }] },
  })
const reached = async (name: string, is: (status: Json) => boolean) =>
  wire.until(async () => {
    const { body } = await wire.get(`${apps}/deployments/${name}`)
    return body.status?.observedGeneration === body.metadata.generation && is(body.status) && body
  })
const ready = (name: string, replicas = 2) =>
  reached(
    name,
    ({ updatedReplicas, replicas: all, availableReplicas }) =>
      updatedReplicas === replicas && all === replicas && availableReplicas === replicas,
  )
const siteOf = (name: string, release: string, probe = '/') =>
  deployment(
    name,
    'reg/nginx:1',
    {},
    {
      volumeMounts: [{ name: 'code', mountPath: '/srv/www', subPath: `releases/${release}`, readOnly: true }],
      readinessProbe: { httpGet: { path: probe, port: 'http' }, periodSeconds: 5 },
    },
  )
const withCode = (made: Json, claimName: string) => {
  made.spec.template.spec.volumes = [{ name: 'code', persistentVolumeClaim: { claimName } }]
  made.spec.template.spec.containers[0].lifecycle = { preStop: { sleep: { seconds: 5 } } }
  return made
}
const apply = (made: Json) =>
  wire.apply(`${apps}/deployments/${made.metadata.name}`, 'test', made, '&force=true')

describe('the front door', () => {
  it('leads to the pods of a Service in turn, and says what else there is', async () => {
    await service('web')
    expect(await ask('web.default.localhost')).toMatchObject({
      status: 503,
      text: expect.stringMatching(/no pod that is ready; 0 not ready/),
    })
    await apply(deployment('web', 'reg/web:1.4.2'))
    await ready('web')
    const seen = new Set<string>()
    for (let i = 0; i < 4; i++) seen.add((await ask(`web.default.localhost:${door}`)).text)
    expect([...seen].sort()).toEqual([
      expect.stringMatching(/^web 1\.4\.2 \(pod web-\w+-\w{5}\)\n$/),
      expect.stringMatching(/^web 1\.4\.2 \(pod web-\w+-\w{5}\)\n$/),
    ])
    await wire.post('/apis/networking.k8s.io/v1/namespaces/default/ingresses', {
      metadata: { name: 'shop' },
      spec: {
        rules: [
          {
            host: 'shop.example.com',
            http: {
              paths: [
                {
                  path: '/web',
                  pathType: 'Prefix',
                  backend: { service: { name: 'web', port: { number: 80 } } },
                },
              ],
            },
          },
        ],
      },
    })
    expect(await ask('shop.example.com', '/web/x')).toMatchObject({ status: 200 })
    expect(await ask('shop.example.com', '/webshop')).toMatchObject({ status: 404 })
    const { status, text } = await ask('nothing.default.localhost')
    expect(status).toBe(404)
    expect(text).toContain('There is no Service for the host nothing.default.localhost.')
    expect(text).toContain(`http://web.default.localhost:${door}/`)
    expect(text).toContain(`http://shop.example.com:${door}/`)
  })

  it('serves a release until the last old pod is gone, with no request that fails, and never new code from an old pod', async () => {
    const real = join(pool, 'staging/site/code')
    await volume('site', real)
    for (const release of ['1-a', '2-b']) {
      mkdirSync(join(real, 'releases', release, 'docs'), { recursive: true })
      writeFileSync(join(real, 'releases', release, 'index.html'), `version ${release}`)
      writeFileSync(join(real, 'releases', release, 'docs', 'a.txt'), `page of ${release}`)
    }
    mkdirSync(join(real, 'shared'))
    writeFileSync(join(real, 'shared', 'kept.txt'), 'kept')
    symlinkSync(join(real, 'shared'), join(real, 'releases/1-a/uploads'))
    symlinkSync(folder, join(real, 'releases/1-a/out'))
    await service('site')
    await apply(withCode(siteOf('site', '1-a'), 'site'))
    await ready('site')
    const host = 'site.default.localhost'
    expect(await ask(host)).toMatchObject({
      status: 200,
      text: 'version 1-a',
      headers: { 'x-gkube-release': '1-a' },
    })
    expect(await ask(host, '/docs/a.txt')).toMatchObject({ text: 'page of 1-a' })
    expect(await ask(host, '/uploads/kept.txt')).toMatchObject({ text: 'kept' })
    for (const path of ['/out/', '/..%2f..%2fpool', '/.gkube-release', '/none', '/%00', '/%zz'])
      expect(await ask(host, path), path).toMatchObject({ status: 404 })

    const answers: Answer[] = []
    const failures: unknown[] = []
    let loading = true
    const load = Promise.all(
      [1, 2, 3].map(async i => {
        while (loading)
          await ask(host, `/?wait=${i * 10}`).then(
            answer => answers.push(answer),
            error => failures.push(error),
          )
      }),
    )
    await apply(withCode(siteOf('site', '2-b'), 'site'))
    await ready('site')
    await wire.until(
      async () => (await wire.get(`${core}/pods?labelSelector=app%3Dsite`)).body.items.length === 2,
    )
    loading = false
    await load
    expect(failures).toEqual([])
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    const byPod = new Map<string, Set<string>>()
    for (const { text, headers } of answers)
      byPod.set(headers['x-gkube-pod'], (byPod.get(headers['x-gkube-pod']) ?? new Set()).add(text))
    expect([...byPod.values()].map(texts => texts.size)).toEqual([...byPod.values()].map(() => 1))
    expect(new Set([...byPod.values()].flatMap(texts => [...texts]))).toEqual(
      new Set(['version 1-a', 'version 2-b']),
    )
    expect(await ask(host)).toMatchObject({ text: 'version 2-b' })
  })

  it('leaves what serves alone while new pods do not answer their probe', async () => {
    const host = 'site.default.localhost'
    mkdirSync(join(pool, 'staging/site/code/releases/3-c'), { recursive: true })
    await apply(withCode(siteOf('site', '3-c', '/index.html'), 'site'))
    await wire.until(async () => {
      const { items } = (await wire.get(`${core}/events`)).body
      return items.some((one: Json) => one.reason === 'Unhealthy' && one.message.endsWith('statuscode: 404'))
    })
    for (let i = 0; i < 6; i++) expect(await ask(host)).toMatchObject({ text: 'version 2-b' })
    await apply(withCode(siteOf('site', '2-b'), 'site'))
    await ready('site')
  })

  it('follows `current` where all releases are mounted', async () => {
    const real = join(pool, 'staging/site/code')
    symlinkSync('releases/1-a', join(real, 'current'))
    const made = withCode(siteOf('live', '1-a'), 'site')
    delete made.spec.template.spec.containers[0].volumeMounts[0].subPath
    await service('live')
    await apply(made)
    await ready('live')
    expect(await ask('live.default.localhost')).toMatchObject({ text: 'version 1-a' })
    rmSync(join(real, 'current'))
    symlinkSync('releases/2-b', join(real, 'current'))
    expect(await ask('live.default.localhost')).toMatchObject({ text: 'version 2-b' })
    // What a reload looks at in each pod, and what it would signal.
    const [pod] = (await wire.get(`${core}/pods?labelSelector=app%3Dlive`)).body.items
    expect(await exec(pod, ['cat', '/srv/www/current/index.html'])).toEqual({ out: 'version 2-b', ok: true })
    expect(await exec(pod, ['cat', '/srv/www/none'])).toMatchObject({ ok: false })
    expect(await exec(pod, ['sh', '-c', 'kill -HUP 1 && echo told'])).toEqual({ out: 'told\n', ok: true })
  })

  it('finishes what a pod has begun to answer when it ends', async () => {
    await service('slow')
    await apply(deployment('slow', 'reg/slow-app:1', { replicas: 1 }))
    await ready('slow', 1)
    const answer = ask('slow.default.localhost', '/?wait=700')
    const [pod] = (await wire.get(`${core}/pods?labelSelector=app%3Dslow`)).body.items
    await wire.delete(`${core}/pods/${pod.metadata.name}`, { gracePeriodSeconds: 600 })
    expect(await answer).toMatchObject({ status: 200, text: expect.stringContaining(pod.metadata.name) })
    await wire.until(async () => (await wire.get(`${core}/pods/${pod.metadata.name}`)).status === 404)
  })
})

describe('a sandbox that is stopped, or killed', () => {
  it('ends what runs, and its pods answer again after the next start', async () => {
    const note = join(folder, 'stop.pid')
    await start('running', ['sh', '-c', `echo $$$$ >${note}; sleep 300`])
    await wire.until(async () => existsSync(note) && readFileSync(note, 'utf8') !== '')
    const pid = Number(readFileSync(note, 'utf8'))
    const began = performance.now()
    await cluster.stop()
    expect(performance.now() - began).toBeLessThan(5_000)
    expect(lives(pid)).toBe(false)

    // As a killed one leaves it: a process of it runs on.
    const left = join(folder, 'left.pid')
    execFileSync(
      'sh',
      ['-c', `setsid sh -c 'echo $$ >${left}; exec sleep 300' >/dev/null 2>&1 </dev/null &`],
      {
        env: { ...process.env, GKUBE_SANDBOX_RUN: runs.folder },
      },
    )
    await wire.until(async () => existsSync(left) && readFileSync(left, 'utf8') !== '')
    mkdirSync(join(runs.folder, 'pids'), { recursive: true })
    writeFileSync(join(runs.folder, 'pids', 'x'), readFileSync(left))

    const next = await startCluster(settings)
    try {
      await wire.until(async () => !lives(Number(readFileSync(left, 'utf8'))))
      const again = (await next.openFrontDoor(0)).port
      await wire.until(async () => (await ask('site.default.localhost', '/', again)).text === 'version 2-b')
      const { body } = await fetch(`${next.url}${core}/pods?labelSelector=job-name%3Drunning`).then(
        async answer => ({
          body: (await answer.json()) as Json,
        }),
      )
      await wire.until(async () => {
        const found = await fetch(`${next.url}${core}/pods/${body.items[0].metadata.name}`)
        const { status } = (await found.json()) as Json
        return status.containerStatuses[0].state.terminated?.reason === 'ContainerStatusUnknown'
      })
    } finally {
      await next.stop()
    }
  })
})
