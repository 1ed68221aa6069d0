// A pool on a real glusterd of this machine's loopback, mounted by FUSE: the contract of pools, then what only a real one
// can show. Prints the time of each call. Needs root and glusterfs-server; says so where they are missing.
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { directoryStore } from '../../src/adapters/artifacts/directory-store.ts'
import { glusterfsPool } from '../../src/adapters/glusterfs/glusterfs.ts'
import type { PoolOptions, Reach } from '../../src/adapters/glusterfs/options.ts'
import { volumeName } from '../../src/core/volumes/bound.ts'
import { ownVolumeOf, titleOf } from '../../src/core/volumes/place.ts'
import type { Pool, PoolVolume } from '../../src/core/volumes/pool.ts'
import { freePort } from '../../src/sandbox/free-port.ts'
import { type Glusterd, startGlusterd, whyNoGlusterd } from '../../src/sandbox/glusterfs/glusterd.ts'
import { siteArtifact } from '../../src/sandbox/site-artifacts.ts'
import { poolContract } from '../sandbox/glusterfs/pool-contract.ts'
import { until } from '../support/child.ts'
import { type Sshd, startSshd, whyNoSshd } from '../support/sshd.ts'
import { admin, ship, startStack, webApp } from '../support/stack.ts'

const say = (line: string) => process.stderr.write(`${line}\n`)
const why = await whyNoGlusterd()
if (why) say(`SKIPPED glusterfs.test.ts: ${why}`)
const noSshd = whyNoSshd()
if (noSshd) say(`SKIPPED the SSH part of glusterfs.test.ts: ${noSshd}`)
const run = promisify(execFile)

type Open = Pool & { close(): void }
/** The same pool, with the milliseconds of each call. */
function timed(pool: Open, times: Map<string, number[]>): Open {
  const entries = Object.entries(pool).map(([name, call]) => {
    if (typeof call !== 'function' || name === 'close') return [name, call]
    return [
      name,
      async (...args: unknown[]) => {
        const from = performance.now()
        try {
          return await (call as (...all: unknown[]) => Promise<unknown>)(...args)
        } finally {
          times.set(name, [...(times.get(name) ?? []), performance.now() - from])
        }
      },
    ]
  })
  return Object.fromEntries(entries) as Open // the same functions, each in a wrapper
}

describe.skipIf(why !== null)('a pool on a real GlusterFS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-gluster-'))
  const mount = join(folder, 'mount')
  const second = join(folder, 'second')
  const bricks = join(folder, 'own')
  const times = new Map<string, number[]>()
  const wish = { uid: 1234, gid: 2345, bytes: 8 * 1024 * 1024 }
  const pools: Open[] = []
  let glusterd: Glusterd
  let sshd: Sshd | undefined
  let pool: Open

  function open(change: Partial<PoolOptions> = {}): Open {
    const made = glusterfsPool({
      name: 'shared',
      volume: 'gv0',
      servers: [glusterd.host],
      reach: { kind: 'local' },
      mount,
      snapshots: true,
      own: {
        bricks: [0, 1, 2].map(i => `${glusterd.host}:${join(bricks, String(i))}`),
        replica: 3,
        force: true,
      },
      ...change,
    })
    pools.push(made)
    return made
  }
  const directory = (app: string): PoolVolume => ({
    kind: 'directory',
    place: { environment: 'production', app, storage: 'data' },
  })
  const own: PoolVolume = { kind: 'own', place: { environment: 'production', app: 'db', storage: 'data' } }

  beforeAll(async () => {
    for (const i of [0, 1, 2]) mkdirSync(join(bricks, String(i)), { recursive: true })
    const from = performance.now()
    glusterd = await startGlusterd({ dataDir: join(folder, 'data') })
    await glusterd.makeVolume('gv0', 3)
    await glusterd.mount('gv0', mount)
    await glusterd.mount('gv0', second)
    say(`glusterd, a volume of 3 bricks and two mounts: ${Math.round(performance.now() - from)} ms`)
    if (!noSshd) sshd = await startSshd()
    pool = timed(open(), times)
  })
  afterAll(async () => {
    for (const one of pools) one.close()
    await sshd?.stop()
    await glusterd?.stop()
    rmSync(folder, { recursive: true, force: true })
    for (const [name, all] of times) {
      const sorted = all.toSorted((a, b) => a - b).map(Math.round)
      say(
        `${name.padEnd(9)} ${String(all.length).padStart(3)} calls, median ${sorted[all.length >> 1]} ms, longest ${sorted.at(-1)} ms`,
      )
    }
  })

  poolContract(() => ({ pool, folder: mount }))

  it('is seen on another mount, with the quota as its size', async () => {
    const volume = directory('web')
    await pool.ensure(volume, wish)
    writeFileSync(join(mount, titleOf(volume), 'index.html'), 'hello')
    expect(readdirSync(join(second, titleOf(volume)))).toEqual(['index.html'])
    const { stdout } = await run('df', ['-B1', '--output=size', join(second, titleOf(volume))])
    expect(Number(stdout.trim().split('\n').at(-1))).toBe(wish.bytes)
    await pool.grow(volume, wish.bytes * 2)
    const size = await until(
      async () => (await run('df', ['-B1', '--output=size', join(second, titleOf(volume))])).stdout,
      text => text.includes(String(wish.bytes * 2)),
    )
    expect(size).toContain(String(wish.bytes * 2))
  })

  it('is made, mounted, grown, kept by a delete, and deleted by its name: behind a whole gkube', async () => {
    const { core, server } = await startStack({
      environments: { staging: { createNamespace: true, pool: 'shared' } },
      config: {
        pools: {
          shared: {
            volume: 'gv0',
            servers: [glusterd.host],
            reach: { kind: 'local' },
            mount,
            strategy: 'hostpath',
            // What a node would have mounted.
            hostPath: second,
          },
        },
      },
    })
    const app = (size: string) =>
      webApp({
        environments: { staging: {} },
        security: { runAsUser: 1234, runAsGroup: 2345 },
        storage: [{ name: 'data', size, mount: '/srv/data' }],
      })
    const title = 'staging/web/data'
    const path = join(second, title)
    const seen = { app: 'web', environment: 'staging', storage: 'data' }
    const Mi = 2 ** 20
    const sizeOnNode = async () => {
      const { stdout } = await run('df', ['-B1', '--output=size', path])
      return Number(stdout.trim().split('\n').at(-1))
    }
    const from = performance.now()
    await core.applyApp(admin, app('8Mi'), { dryRun: false })
    const first = await ship(core, { revision: '1' })
    expect(first.steps.map(({ name, state }) => `${name} ${state}`).join(' ')).toBe(
      'volume done environment done apply done rollout done record done',
    )
    say(`a first deploy with storage: ${Math.round(performance.now() - from)} ms, ${first.steps[0]?.message}`)
    const volume = await server.clusters.get('default')?.get({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      name: volumeName({ ...seen, namespace: 'staging' }),
    })
    expect(volume).toMatchObject({
      spec: { hostPath: { path, type: 'Directory' }, capacity: { storage: '8Mi' } },
      status: { phase: 'Bound' },
    })
    execFileSync('chmod', ['755', folder])
    const program = `require('fs').writeFileSync(${JSON.stringify(join(path, 'precious'))}, 'x'.repeat(${Mi}))`
    await run(process.execPath, ['-e', program], { uid: 1234, gid: 2345 })
    expect(await sizeOnNode()).toBe(8 * Mi)

    expect((await ship(core, { revision: '2' })).steps[0]?.name).toBe('apply')
    await core.applyApp(admin, app('16Mi'), { dryRun: false })
    const grown = await ship(core, { revision: '3' })
    expect(grown).toMatchObject({ phase: 'succeeded' })
    expect(grown.steps[0]?.message).toContain('grown from 8Mi to 16Mi')
    expect(await until(sizeOnNode, size => size === 16 * Mi)).toBe(16 * Mi)
    const rows = await until(
      () => core.volumes(admin, {}),
      ([row]) => (row?.used ?? 0) >= Mi,
    )
    expect(rows).toMatchObject([
      { ...seen, title, quota: 16 * Mi, state: 'ok', health: expect.stringMatching(/3 of 3 bricks online/) },
    ])

    await ship(core, { kind: 'delete' })
    expect(readdirSync(path)).toEqual(['precious'])
    expect((await ship(core, { revision: '3' })).phase).toBe('succeeded')
    expect(readdirSync(path)).toEqual(['precious'])
    await ship(core, { kind: 'delete' })
    await expect(core.deleteVolume(admin, { ...seen, typed: 'data' })).rejects.toThrow(
      /type its name: staging\/web\/data/,
    )
    expect(await core.deleteVolume(admin, { ...seen, typed: title })).toEqual({ deleted: title, left: [] })
    expect(
      await until(
        async () => existsSync(path),
        there => !there,
      ),
    ).toBe(false)
    expect(await core.volumes(admin, {})).toEqual([])
  })

  it('holds code: published, mounted on another machine, updated, rolled back, grown and deleted', async () => {
    const port = await freePort()
    const image = 'registry.example.com/gkube:1'
    const artifacts = join(folder, 'artifacts')
    const store = directoryStore({ directory: artifacts, maxBytes: 1e9, keepMs: 3_600_000 })
    const program = [process.execPath, '--disable-warning=ExperimentalWarning', resolve('src/main.ts')]
    const { core, cluster } = await startStack({
      speed: 20,
      runs: { folder: join(folder, 'cluster'), own: { image, command: program }, hostPaths: [second] },
      environments: { staging: { createNamespace: true, pool: 'shared' } },
      config: {
        listen: { host: '127.0.0.1', port },
        pools: {
          shared: {
            volume: 'gv0',
            servers: [glusterd.host],
            reach: { kind: 'local' },
            mount,
            strategy: 'hostpath',
            hostPath: second,
          },
        },
        artifacts: { directory: artifacts },
        publish: { image, url: `http://127.0.0.1:${port}` },
      },
    })
    const web = (await cluster.openFrontDoor(0)).port
    const site = async () =>
      (await run('curl', ['-sS', '--max-time', '10', `http://site.staging.localhost:${web}/`])).stdout
    const app = (size: string) =>
      webApp({
        app: 'site',
        jobs: [],
        image: 'docker.io/nginxinc/nginx-unprivileged:1.29',
        environments: { staging: {} },
        // As root: the stand-in's Jobs run as whoever runs the tests.
        security: { runAsUser: 0, runAsGroup: 0, profile: 'baseline' },
        storage: [{ name: 'code', size, mount: '/srv/site' }],
        code: { mount: '/usr/share/nginx/html' },
        rollout: { stable: '0s' },
      })
    for (const revision of ['1', '2']) {
      const bytes = await siteArtifact(revision)
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      await store.put(
        sha256,
        (async function* () {
          yield bytes
        })(),
      )
      if (revision === '1') await core.applyApp(admin, app('16Mi'), { dryRun: false })
      await core.recordArtifact(admin, { app: 'site', revision, sha256 })
    }
    const times: string[] = []
    const deploy = async (input: Parameters<typeof ship>[1]) => {
      const from = performance.now()
      const deployed = await ship(core, { app: 'site', ...input })
      times.push(`${deployed.kind} ${deployed.revision} ${Math.round(performance.now() - from)} ms`)
      expect(deployed, deployed.cause?.message).toMatchObject({ phase: 'succeeded' })
      return deployed.steps.map(step => step.name)
    }
    expect(await deploy({ revision: '1' })).toContain('publish')
    expect(await site()).toContain('version 1')
    const releases = join(second, 'staging/site/code/releases')
    expect(readdirSync(releases)).toHaveLength(1)
    expect(await deploy({ revision: '2' })).toContain('publish')
    expect(await site()).toContain('version 2')
    expect(readdirSync(releases)).toHaveLength(2)
    expect(await deploy({ kind: 'rollback' })).not.toContain('publish')
    expect(await site()).toContain('version 1')
    await core.applyApp(admin, app('32Mi'), { dryRun: false })
    expect(await deploy({ kind: 'redeploy' })).toContain('volume')
    await deploy({ kind: 'delete' })
    const at = { app: 'site', environment: 'staging', storage: 'code' }
    await core.deleteVolume(admin, { ...at, typed: 'staging/site/code' })
    await until(
      async () => existsSync(releases),
      there => !there,
    )
    say(`code on a real GlusterFS: ${times.join(', ')}`)
  })

  it('lets an app of that group write, and nobody else', async () => {
    const volume = directory('group')
    await pool.ensure(volume, wish)
    const path = join(second, titleOf(volume))
    const touch = (uid: number, gid: number, name: string) =>
      run(process.execPath, ['-e', `require('fs').writeFileSync(${JSON.stringify(join(path, name))}, 'x')`], {
        uid,
        gid,
      })
    for (const at of [folder]) execFileSync('chmod', ['755', at])
    await touch(1234, 2345, 'owner')
    await touch(4321, 2345, 'group')
    await expect(touch(4321, 5432, 'other')).rejects.toThrow(/EACCES/)
    // The group stays the directory's, whoever writes.
    expect(statSync(join(path, 'group')).gid).toBe(2345)
  })

  it('is full some time after its quota, and says so', async () => {
    const volume = directory('full')
    await pool.ensure(volume, { ...wish, bytes: 2 * 1024 * 1024 })
    // How long a count is believed: a minute and 5 s as shipped, which lets a fast writer far past its quota.
    for (const [option, value] of [
      ['soft-timeout', '1'],
      ['hard-timeout', '0'],
    ] as const)
      await glusterd.gluster('volume', 'set', 'gv0', `features.${option}`, value)
    const path = join(mount, titleOf(volume))
    let written = 0
    const fill = async () => {
      for (; written < 500; written++)
        await run('dd', ['if=/dev/zero', `of=${join(path, `f${written}`)}`, 'bs=256k', 'count=1'])
    }
    await expect(fill()).rejects.toThrow(/quota exceeded/i)
    say(`a quota of 2 MiB, its count believed for 1 s, let ${written / 4} MiB through`)
    const full = await until(
      () => pool.usage(volume),
      ({ used, quota }) => used >= (quota ?? 0),
    )
    expect(full.used).toBeGreaterThanOrEqual(full.quota ?? Number.POSITIVE_INFINITY)
    await pool.grow(volume, 400 * 1024 * 1024)
    const after = join(path, 'after')
    const wrote = await until(
      () =>
        run('dd', ['if=/dev/zero', `of=${after}`, 'bs=256k', 'count=1']).then(
          () => true,
          () => false,
        ),
      done => done,
    )
    expect(wrote).toBe(true)
    // Each copy counts its quota for itself: what some took and others refused is to heal, which is done every ten minutes
    // or when somebody says so.
    const left = await pool.health()
    const from = performance.now()
    await glusterd.gluster('volume', 'heal', 'gv0')
    expect(await until(pool.health, ({ state }) => state === 'ok')).toMatchObject({ pending: 0 })
    if (left.pending)
      say(`${left.words} after the quota; healed in ${Math.round(performance.now() - from)} ms`)
  })

  it('gives an app a volume of its own, and leaves one that is another alone', async () => {
    expect(await pool.ensure(own, wish)).toEqual({ made: true, bytes: wish.bytes })
    expect(await pool.ensure(own, wish)).toEqual({ made: false, bytes: wish.bytes })
    expect(await pool.grow(own, wish.bytes * 2)).toEqual({ bytes: wish.bytes * 2 })
    expect(await pool.usage(own)).toEqual({ used: 0, quota: wish.bytes * 2 })
    expect(await pool.health(own)).toMatchObject({
      state: 'ok',
      words: '3 of 3 bricks online, nothing to heal',
    })
    const at = join(folder, 'db')
    await glusterd.mount(ownVolumeOf(own.place), at)
    const { uid, gid } = statSync(at)
    expect([uid, gid]).toEqual([1234, 2345])
    writeFileSync(join(at, 'rows'), 'x')
    await glusterd.unmount(at)
    await expect(pool.ensure(own, { ...wish, uid: 7 })).rejects.toMatchObject({
      code: 'exists_differently',
      message: expect.stringContaining('belongs to 1234:2345, not to 7:2345'),
    })
    const elsewhere = open({ own: { bricks: [`${glusterd.host}:/elsewhere`], replica: 1, force: true } })
    for (const call of [() => elsewhere.ensure(own, wish), () => elsewhere.remove(own, titleOf(own))])
      await expect(call()).rejects.toMatchObject({ code: 'exists_differently' })
    const { left } = await pool.remove(own, titleOf(own))
    expect(left).toHaveLength(3)
    for (const brick of left) expect(existsSync(brick.slice(brick.indexOf(':') + 1))).toBe(true)
    expect(await pool.remove(own, titleOf(own))).toEqual({ left: [] })
    // On new bricks: GlusterFS would take none twice.
    expect(await pool.ensure(own, wish)).toEqual({ made: true, bytes: wish.bytes })
    await pool.remove(own, titleOf(own))
  })

  it.each<[string, Partial<PoolOptions>, string, RegExp]>([
    [
      'all copies on one server',
      { own: { bricks: [], replica: 3, force: false } },
      'refused',
      /GlusterFS warns: .*own\.force: true/,
    ],
    [
      'a server that is none',
      { own: { bricks: ['nobody.invalid:/bricks'], replica: 1, force: true } },
      'refused',
      /nobody\.invalid.*gluster peer probe/,
    ],
    [
      'localhost',
      { own: { bricks: ['localhost:/bricks'], replica: 1, force: true } },
      'refused',
      /no brick on localhost/,
    ],
    [
      'a folder that is not there',
      { own: { bricks: [], replica: 1, force: true } },
      'refused',
      /must be there, on each server/,
    ],
  ])('says why it makes no volume: %s', async (name, change, code, words) => {
    const given = change.own
    const all = given?.bricks.length
      ? given.bricks
      : name.startsWith('a folder')
        ? [`${glusterd.host}:${join(folder, 'not', 'there')}`]
        : [0, 1, 2].map(i => `${glusterd.host}:${join(bricks, String(i))}`)
    const other = open({ own: given && { ...given, bricks: all } })
    await expect(other.ensure(own, wish)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(words),
    })
  })

  it('knows when a snapshot cannot be made', async () =>
    expect(pool.snapshot(directory('web'), 'before-2')).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/No snapshot can be made of gv0: .*LVM/),
    }))

  it('writes nothing where the volume is not mounted', async () => {
    const bare = join(folder, 'bare')
    mkdirSync(bare)
    await expect(open({ mount: bare }).ensure(directory('web'), wish)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/is not a mount.*Nothing was written.*mount -t glusterfs/),
    })
    expect(readdirSync(bare)).toEqual([])
    // What was just written counts as to be healed for a moment.
    const { checks } = open({ mount: bare })
    const told = await until(checks, ([first]) => first?.state === 'ok')
    expect(told.map(({ name, state }) => [name, state])).toEqual([
      ['pool shared', 'ok'],
      ['pool shared mount', 'failed'],
    ])
    await expect(open({ volume: 'gv1' }).ensure(directory('web'), wish)).rejects.toThrow(
      /is a mount of .*gv0, not of gv1/,
    )
    await expect(open({ volume: 'gv1' }).health()).rejects.toMatchObject({ code: 'not_found' })
  })

  it('never shows a reader on another mount a missing or mixed release while `current` is renamed', async () => {
    const volume = directory('site')
    await pool.ensure(volume, wish)
    const { ms, reads, stale, wrong, seen, last, lastMs } = await renames(
      join(mount, titleOf(volume)),
      join(second, titleOf(volume)),
    )
    say(
      `1,000 renames in ${ms} ms, ${reads} reads by another mount: ${JSON.stringify(wrong)} wrong, ${stale} stale (right when read again), ${seen} releases seen, the last ${lastMs} ms after the last rename`,
    )
    expect(wrong).toEqual({})
    expect(reads).toBeGreaterThan(100)
    expect(last).toBe('r999')
  })

  it('goes on with a brick killed, says so, and heals', async () => {
    const volume = directory('heal')
    await pool.ensure(volume, wish)
    const [pid] = glusterd.brickPids(join(glusterd.bricks, 'gv0-1'))
    if (pid === undefined) throw new Error('the brick has no process')
    process.kill(pid, 'SIGKILL')
    const down = await until(
      () => pool.health(),
      ({ bricks: all }) => all.some(({ online }) => !online),
    )
    expect(down).toMatchObject({
      state: 'degraded',
      words: expect.stringMatching(/^2 of 3 bricks online, down: .*gv0-1/),
    })
    expect((await pool.checks())[0]).toMatchObject({
      state: 'warning',
      mend: expect.stringContaining('heal'),
    })
    for (let i = 0; i < 5; i++) writeFileSync(join(mount, titleOf(volume), `file-${i}`), 'x'.repeat(1000))
    const waiting = await until(
      () => pool.health(),
      ({ pending }) => (pending ?? 0) >= 5,
    )
    expect(waiting.words).toMatch(/[5-9] to heal/)
    say(`with a brick down: ${waiting.words}`)
    // What runs already goes on: a second directory is made while a brick is down.
    await pool.ensure(directory('meanwhile'), wish)
    const from = performance.now()
    const healed = await until(
      async () => {
        // Again and again: a dead process that nobody has waited for yet counts as one that runs.
        await glusterd.gluster('volume', 'start', 'gv0', 'force')
        return pool.health()
      },
      ({ state }) => state === 'ok',
      90,
    )
    expect(healed.words).toBe('3 of 3 bricks online, nothing to heal')
    say(`healed in ${Math.round(performance.now() - from)} ms`)
    expect(readdirSync(join(glusterd.bricks, 'gv0-1', titleOf(volume)))).toHaveLength(5)
  })

  describe.skipIf(noSshd !== null)('over SSH', () => {
    const reach = (change: Partial<Extract<Reach, { kind: 'ssh' }>> = {}): Reach => ({
      kind: 'ssh',
      host: '127.0.0.1',
      port: sshd?.port ?? 0,
      user: 'root',
      sudo: false,
      key: sshd?.key ?? '',
      hostKey: sshd?.hostKey ?? '',
      ...change,
    })
    const sshTimes = new Map<string, number[]>()
    afterAll(() => {
      for (const [name, all] of sshTimes)
        say(`over SSH: ${name} ${Math.round(Math.min(...all))}..${Math.round(Math.max(...all))} ms`)
    })

    it('does the same', async () => {
      const over = timed(open({ reach: reach() }), sshTimes)
      const volume = directory('ssh')
      expect(await over.ensure(volume, wish)).toEqual({ made: true, bytes: wish.bytes })
      expect(await over.ensure(volume, wish)).toEqual({ made: false, bytes: wish.bytes })
      expect(await over.grow(volume, 2e7)).toEqual({ bytes: 2e7 })
      expect(await over.usage(volume)).toEqual({ used: 0, quota: 2e7 })
      expect(await until(over.health, ({ state }) => state === 'ok')).toMatchObject({ state: 'ok' })
      expect(await over.remove(volume, titleOf(volume))).toEqual({ left: [] })
      expect(existsSync(join(mount, titleOf(volume)))).toBe(false)
    })

    it('says when the key is not let in, and when the server is another one', async () => {
      await expect(open({ reach: reach({ key: sshd?.wrongKey }) }).health()).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringMatching(
          /does not let root in with the key of pools\.shared\.reach.*authorized_keys/,
        ),
      })
      await expect(open({ reach: reach({ hostKey: sshd?.wrongHostKey }) }).health()).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringMatching(
          /shows another host key than pools\.shared\.reach\.hostKey\. Nothing was sent/,
        ),
      })
      await expect(open({ reach: reach({ key: 'nonsense' }) }).health()).rejects.toMatchObject({
        code: 'refused',
      })
      await expect(open({ reach: reach({ port: 1 }) }).health()).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(/cannot be reached by SSH on port 1/),
      })
    })

    it('keeps its key to itself, and no longer than it is open', async () => {
      const over = open({ reach: reach() })
      const keys = () => readdirSync(tmpdir()).filter(name => name.startsWith('gkube-pool-'))
      const before = keys()
      await over.health()
      const [made] = keys().filter(name => !before.includes(name))
      expect(statSync(join(tmpdir(), made ?? '', 'key')).mode & 0o777).toBe(0o600)
      expect(statSync(join(tmpdir(), made ?? '')).mode & 0o777).toBe(0o700)
      over.close()
      expect(keys()).not.toContain(made)
    })
  })

  it('says that the daemon is down, and comes back with it; what is mounted goes on', async () => {
    await glusterd.down()
    for (const reach of [{ kind: 'local' }, { kind: 'remote', host: glusterd.host }] as const) {
      const from = performance.now()
      await expect(open({ reach }).health()).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(/glusterd does not answer on .*systemctl start glusterd/),
      })
      say(`daemon down, ${reach.kind}: said after ${Math.round(performance.now() - from)} ms`)
    }
    await expect(pool.ensure(directory('late'), wish)).rejects.toMatchObject({ code: 'unavailable' })
    writeFileSync(join(mount, 'production', 'web', 'data', 'still'), 'x')
    await glusterd.up()
    expect(
      await until(
        () => pool.ensure(directory('late'), wish).catch(() => null),
        done => done !== null,
      ),
    ).toMatchObject({
      bytes: wish.bytes,
    })
  })

  it('may only look by --remote-host, and says what to do', async () => {
    const remote = open({ reach: { kind: 'remote', host: glusterd.host } })
    expect(await remote.health()).toMatchObject({
      state: 'ok',
      words: '3 of 3 bricks online, what is to heal is not known',
      pending: null,
    })
    await expect(remote.ensure(directory('remote'), wish)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/lets other machines look and change nothing.*reach\.kind: ssh/),
    })
  })

  it('says that the volume is stopped', async () => {
    await glusterd.gluster(
      'volume',
      'create',
      'gv2',
      `${glusterd.host}:${join(glusterd.bricks, 'gv2')}`,
      'force',
    )
    const stopped = open({ volume: 'gv2', mount: null })
    expect(await stopped.health()).toMatchObject({
      state: 'down',
      words: expect.stringContaining('gluster volume start gv2'),
    })
    await expect(stopped.ensure(directory('web'), wish)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('set pools.shared.mount'),
    })
  })
})

type Renames = {
  readonly ms: number
  readonly reads: number
  readonly seen: number
  /** ESTALE that was right when read again at once: the link was renamed over between two looks. */
  readonly stale: number
  readonly wrong: Record<string, number>
  readonly last: string
  readonly lastMs: number
}

/** Switches `current` 1,000 times by rename in `folder`, while another process reads it in a loop through `reader`. */
async function renames(folder: string, reader: string): Promise<Renames> {
  const programs = new URL('../support/', import.meta.url).pathname
  const reading = run(process.execPath, [join(programs, 'reads-current.ts'), reader], {
    timeout: 120_000,
    maxBuffer: 1e7,
  })
  await until(
    async () => existsSync(join(folder, 'reading')),
    there => there,
  )
  const from = performance.now()
  await run(process.execPath, [join(programs, 'renames-current.ts'), folder, '1000'], { timeout: 120_000 })
  const ms = Math.round(performance.now() - from)
  writeFileSync(join(folder, 'done'), '')
  return { ms, ...(JSON.parse((await reading).stdout) as Omit<Renames, 'ms'>) } // what reads-current.ts prints
}
