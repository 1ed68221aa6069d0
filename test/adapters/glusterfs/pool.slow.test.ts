// The pool on a scripted `gluster`: what a real one cannot be made to say when a test wants it. Files are changed for real,
// in a folder that is shown as the mounted volume.
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { glusterfsPool } from '../../../src/adapters/glusterfs/glusterfs.ts'
import { mountProblem } from '../../../src/adapters/glusterfs/mounted.ts'
import type { PoolOptions } from '../../../src/adapters/glusterfs/options.ts'
import type { PoolVolume } from '../../../src/core/volumes/pool.ts'
import { fakeGluster, fine, quotaXml, type Say, xml } from './fake-gluster.ts'

const volume: PoolVolume = {
  kind: 'directory',
  place: { environment: 'staging', app: 'web', storage: 'data' },
}
const uid = process.getuid?.() ?? 0
const gid = process.getgid?.() ?? 0
const wish = { uid, gid, bytes: 1000 }
const pools: { close(): void }[] = []
afterEach(() => {
  for (const pool of pools.splice(0)) pool.close()
})

function open(says: readonly Say[], change: Partial<PoolOptions> = {}, mounts?: string) {
  const fake = fakeGluster(says, mounts)
  const pool = glusterfsPool({
    name: 'shared',
    volume: 'gv0',
    servers: ['g1'],
    reach: { kind: 'local' },
    mount: fake.mount,
    snapshots: false,
    own: null,
    path: fake.path,
    commandMs: 10_000,
    ...change,
  })
  pools.push(pool)
  return { pool, ...fake }
}
const leaf = (mount: string) => join(mount, 'staging', 'web', 'data')
const noQuota: Say = { when: '*quota gv0 list*', print: quotaXml('/staging/web/data', 'N/A') }
const busy = xml(-1, 30800, 'Another transaction is in progress for gv0. Please try again after some time.')

describe('a directory', () => {
  it('is made with its quota, which is switched on where it is off', async () => {
    const { pool, mount, calls } = open([
      { when: '*quota gv0 list*', print: xml(-1, 30800, 'Quota is disabled, please enable quota') },
      { when: '*limit-usage*', times: 1, print: xml(-1, 30800, 'Quota is disabled, please enable quota') },
      { when: '*quota gv0 enable', print: xml(-1, 30800, 'Quota is already enabled') },
      { when: '*limit-usage /staging/web/data 1000', print: fine },
    ])
    expect(await pool.ensure(volume, wish)).toEqual({ made: true, bytes: 1000 })
    expect(lstatSync(leaf(mount)).isDirectory()).toBe(true)
    expect(calls().every(call => call.startsWith('--mode=script --xml volume quota gv0 '))).toBe(true)
  })

  it('waits for a lock that another command holds, a few times', async () => {
    const rest = [noQuota, { when: '*limit-usage*', print: fine }]
    const { pool } = open([{ when: '*limit-usage*', times: 2, print: busy }, ...rest])
    expect(await pool.ensure(volume, wish)).toEqual({ made: true, bytes: 1000 })
    const stuck = open([{ when: '*', print: busy }])
    await expect(stuck.pool.usage(volume)).rejects.toMatchObject({ code: 'unavailable' })
    expect(stuck.calls()).toHaveLength(5)
  })

  it.each([
    ['an empty one', xml(0, 0, '', '<volQuota></volQuota>')],
    ['one that knows of no quota', xml(-1, 0, 'No quota configured on volume gv0')],
  ])('is asked about again after %s: another listing may have been in the way', async (_, print) => {
    const { pool } = open([
      { when: '*quota gv0 list*', times: 2, print },
      { when: '*quota gv0 list*', print: quotaXml('/staging/web/data', 5000, 70) },
    ])
    expect(await pool.usage(volume)).toEqual({ used: 70, quota: 5000 })
    const gone = open([{ when: '*quota gv0 list*', print }])
    await expect(gone.pool.usage(volume)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('is listed by one command at a time: two at once would find nothing', async () => {
    const { pool } = open([
      {
        when: '*quota gv0 list*',
        run: 'mkdir "$(dirname "$0")/listing" || exit 7; sleep 0.1; rmdir "$(dirname "$0")/listing"',
        print: quotaXml('/staging/web/data', 5000, 70),
      },
    ])
    const all = await Promise.all([1, 2, 3].map(() => pool.usage(volume)))
    expect(all.map(({ used }) => used)).toEqual([70, 70, 70])
  })

  it('is finished where a crash left it', async () => {
    const { pool, mount } = open([noQuota, { when: '*limit-usage*', print: fine }])
    mkdirSync(leaf(mount), { recursive: true, mode: 0o755 })
    expect(await pool.ensure(volume, wish)).toEqual({ made: false, bytes: 1000 })
  })

  it.each<[string, (mount: string) => void, RegExp]>([
    ['a link on the way', mount => symlinkSync('/tmp', join(mount, 'staging')), /is not a directory/],
    [
      'a folder on the way that others can write',
      mount => {
        mkdirSync(join(mount, 'staging'))
        chmodSync(join(mount, 'staging'), 0o777)
      },
      /can be written by others.*chmod go-w/,
    ],
  ])('is not made below %s', async (_, prepare, words) => {
    const { pool, mount, calls } = open([{ when: '*', print: fine }])
    prepare(mount)
    await expect(pool.ensure(volume, wish)).rejects.toThrow(words)
    expect(calls()).toEqual([])
  })

  it.each([
    ['no mount', '', '22 1 0:1 / / rw - ext4 /dev/vda rw\n', /is not a mount/],
    ['another volume', 'gv0', 'g1:/gv1', /is a mount of g1:\/gv1, not of gv0/],
  ])('is not made on %s', async (_, __, source, words) => {
    const probe = fakeGluster([])
    const line = source.includes(' - ')
      ? source
      : `44 27 0:40 / ${probe.mount} rw - fuse.glusterfs ${source} rw\n`
    const { pool } = open([{ when: '*', print: fine }], { mount: probe.mount }, line)
    await expect(pool.ensure(volume, wish)).rejects.toThrow(words)
    expect(readdirSync(probe.mount)).toEqual([])
  })

  it('is deleted from where it can be mounted at once, and wholly', async () => {
    const { pool, mount, calls } = open([
      noQuota,
      { when: '*limit-usage*', print: fine },
      {
        when: '*quota gv0 remove /staging/web/data',
        print: xml(-1, 30800, 'removexattr failed. Reason : No data available'),
      },
    ])
    await pool.ensure(volume, wish)
    mkdirSync(join(leaf(mount), 'deep', 'er'), { recursive: true })
    expect(await pool.remove(volume, 'staging/web/data')).toEqual({ left: [] })
    expect(existsSync(leaf(mount))).toBe(false)
    expect(readdirSync(join(mount, '.gkube-removed'))).toEqual([])
    expect(calls().at(-1)).toContain('quota gv0 remove')
  })

  it.each([
    ['bytes', { bytes: 0 }],
    ['bytes', { bytes: Number.NaN }],
    ['bytes', { bytes: Number.POSITIVE_INFINITY }],
    ['user', { uid: -1 }],
    ['user', { gid: 1.5 }],
  ])('has no such %s: %o', async (_, change) => {
    const { pool, calls } = open([])
    await expect(pool.ensure(volume, { ...wish, ...change })).rejects.toMatchObject({ code: 'refused' })
    expect(calls()).toEqual([])
  })
})

describe('a gluster that does not answer', () => {
  it('is missing', async () =>
    expect(open([], { path: '/nowhere' }).pool.health()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /gluster is not installed where gkube runs\. Install it \(Debian: glusterfs-cli\)/,
      ),
    }))
  it('hangs: it is given up in its time', async () => {
    const { pool } = open([{ when: '*', run: 'exec sleep 30' }], { commandMs: 300 })
    await expect(pool.health()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('no answer'),
    })
  })
  it('writes without end: it is cut off', async () => {
    const { pool } = open([{ when: '*', run: 'exec yes' }])
    await expect(pool.health()).rejects.toThrow(/wrote more than \d+ bytes/)
  })
  it('ends when gkube stops', async () => {
    const { pool, calls } = open([{ when: '*', run: 'exec sleep 30' }])
    const asking = pool.health()
    await expect.poll(() => calls().length, { timeout: 10_000 }).toBe(1)
    pool.close()
    await expect(asking).rejects.toThrow('gkube is stopping.')
    await expect(pool.health()).rejects.toThrow('gkube is stopping.')
  })
  it('sees none of our variables', async () => {
    process.env.GKUBE_TEST_SECRET = 's3cret'
    const { pool } = open([{ when: '*', run: '/usr/bin/env >&2' }])
    const said = await pool.health().catch((error: Error) => error.message)
    expect(said).toContain('PATH=')
    expect(said).not.toContain('s3cret')
  })
})

describe('health', () => {
  const info = (status: string, replicas = 3) =>
    xml(
      0,
      0,
      '',
      `<volInfo><volumes><volume><name>gv0</name><statusStr>${status}</statusStr><replicaCount>${replicas}</replicaCount><disperseCount>0</disperseCount><bricks>${[1, 2, 3].map(n => `<brick>g${n}:/b<name>g${n}:/b</name></brick>`).join('')}</bricks></volume></volumes></volInfo>`,
    )
  const status = (...online: number[]) =>
    xml(
      0,
      0,
      '',
      `<volStatus><volumes><volume>${[1, 2, 3].map(n => `<node><hostname>g${n}</hostname><path>/b</path><status>${online.includes(n) ? 1 : 0}</status></node>`).join('')}<node><hostname>Self-heal Daemon</hostname><path>localhost</path><status>0</status></node></volume></volumes></volStatus>`,
    )
  const heal = (...counts: (number | null)[]) =>
    xml(
      0,
      0,
      '',
      `<healInfo><bricks>${counts.map((n, i) => `<brick><name>g${i}:/b</name>${n === null ? '' : `<totalNumberOfEntries>${n}</totalNumberOfEntries><numberOfEntriesInSplitBrain>${n > 100 ? 2 : 0}</numberOfEntriesInSplitBrain>`}</brick>`).join('')}</bricks></healInfo>`,
    )
  it.each<[string, string, string, string, string, string]>([
    [
      'all well',
      info('Started'),
      status(1, 2, 3),
      heal(0, 0, 0),
      'ok',
      '3 of 3 bricks online, nothing to heal',
    ],
    [
      'one down',
      info('Started'),
      status(1, 3),
      heal(4, null, 5),
      'degraded',
      '2 of 3 bricks online, down: g2:/b, 5 to heal',
    ],
    [
      'no quorum',
      info('Started'),
      status(3),
      xml(-1, 107, 'no'),
      'down',
      '1 of 3 bricks online, down: g1:/b, g2:/b, what is to heal is not known',
    ],
    [
      'split brain',
      info('Started'),
      status(1, 2, 3),
      heal(101, 0, 0),
      'degraded',
      '3 of 3 bricks online, 101 to heal, 2 in split brain',
    ],
    [
      'no copies',
      info('Started', 1),
      status(1, 2),
      '',
      'down',
      '2 of 3 bricks online, down: g3:/b, nothing to heal',
    ],
    ['stopped', info('Stopped'), '', '', 'down', 'the volume is stopped; start it: gluster volume start gv0'],
  ])('%s', async (_, infoXml, statusXml, healXml, state, words) => {
    const { pool } = open([
      { when: '*volume info gv0', print: infoXml },
      { when: '*volume status gv0', print: statusXml },
      { when: '*volume heal gv0 info summary', print: healXml },
    ])
    expect(await pool.health()).toMatchObject({ state, words })
    const [first, second] = await pool.checks()
    expect(first).toMatchObject({
      name: 'pool shared',
      state: { ok: 'ok', degraded: 'warning', down: 'failed' }[state],
      message: words,
    })
    expect(second).toMatchObject({ name: 'pool shared mount', state: 'ok' })
  })
})

it.each([
  ['the volume', '/mnt/a', 'fuse.glusterfs g1:/gv0', null],
  ['the volume, by the other way to write it', '/mnt/a', 'fuse.glusterfs g1:gv0', null],
  ['several servers', '/mnt/a', 'fuse.glusterfs g1,g2:/gv0', null],
  ['a part of it', '/mnt/a', 'fuse.glusterfs g1:/gv0/part', 'is a mount of g1:/gv0/part, not of gv0'],
  ['another file system', '/mnt/a', 'nfs4 g1:/gv0', 'is a mount of nfs4, not of GlusterFS'],
  ['a name that ends so', '/mnt/a', 'fuse.glusterfs g1:/agv0', 'is a mount of g1:/agv0, not of gv0'],
  ['elsewhere', '/mnt/b', 'fuse.glusterfs g1:/gv0', 'is not a mount: the volume is not there'],
  ['a blank in it', '/mnt/a b', 'fuse.glusterfs g1:/gv0', null, '/mnt/a\\040b'],
])('a mount: %s', (_, mount, source, problem, shown: string = '/mnt/a') =>
  expect(
    mountProblem(
      `20 1 0:1 / / rw - ext4 /dev/vda rw\n44 20 0:40 / ${shown} rw,shared:1 - ${source} rw\n`,
      mount,
      'gv0',
    ),
  ).toBe(problem),
)
