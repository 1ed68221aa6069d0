// The whole program on a real folder: fetch, update, finish, again, half way, twice at once, on a full disk. What serves
// (`current` and the releases with names) is looked at after each.
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UserError } from '../../src/errors.ts'
import { type PublishVerb, publish } from '../../src/publish/publish.ts'
import { spawnCli } from '../surfaces/cli/support.ts'
import { type Made, tarOf, zipOf } from './archives.ts'
import { artifactServer, folder } from './artifact-server.ts'

const artifacts = new Map<string, Buffer>()
let server = ''
beforeAll(async () => {
  const { url } = await artifactServer((request, response) => {
    const found = artifacts.get(request.url?.slice(1) ?? '')
    response.writeHead(found ? 200 : 404).end(found)
  })
  server = url
})

const hashOf = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

/** A site whose one page says its revision, and more files. */
function site(revision: string, more: readonly Made[] = []): Buffer {
  return gzipSync(tarOf([{ name: 'index.html', content: revision }, ...more]))
}

let ids = 0
type Job = { readonly env: Record<string, string>; readonly name: string; readonly id: string }
function job(
  volume: string,
  revision: string,
  artifact = site(revision),
  env: Record<string, string> = {},
): Job {
  const sha256 = hashOf(artifact)
  artifacts.set(sha256, artifact)
  const id = `01deploy${String(++ids).padStart(4, '0')}`
  return {
    id,
    name: `${revision}-${sha256.slice(0, 12)}`,
    env: {
      PATH: process.env.PATH ?? '',
      GKUBE_VOLUME: volume,
      GKUBE_DEPLOY_ID: id,
      GKUBE_REVISION: revision,
      GKUBE_ARTIFACT_SHA256: sha256,
      GKUBE_ARTIFACT_URL: `${server}/${sha256}`,
      GKUBE_ARTIFACT_HOSTS: new URL(server).host,
      ...env,
    },
  }
}

async function run(verb: PublishVerb, { env }: Job, now?: () => number): Promise<string> {
  let said = ''
  const stdout = {
    write: (text: string) => {
      said += text
    },
  }
  await publish(verb, { env, stdout, signal: new AbortController().signal, now })
  return said
}

async function published(one: Job): Promise<Job> {
  await run('fetch', one)
  await run('finish', one)
  return one
}

const volumes: string[] = []
const volume = (): string => {
  const path = mkdtempSync(join(folder, 'volume-'))
  volumes.push(path)
  return path
}
const page = (path: string) => readFileSync(join(path, 'index.html'), 'utf8')
const releases = (path: string) => readdirSync(join(path, 'releases')).sort()

describe('a publish', () => {
  it('gives a whole release its name, and `current` where it is reloaded', async () => {
    const path = volume()
    const one = job(path, '1.4.2', site('1.4.2', [{ name: 'a/b/c', content: 'x' }]), {
      GKUBE_ACTIVATE: 'reload',
    })
    const fetched = await run('fetch', one)
    expect(fetched).toMatch(/SHA-256 [0-9a-f]{12}… as approved/)
    expect(fetched).toMatch(/\ngkube: 2 files, 1 KiB, ready for the code update\n$/)
    expect(releases(path)).toEqual([`.tmp-${one.id}`, `.tmp-${one.id}.update.sh`])
    expect(await run('update', one)).toBe('gkube: the code update is done\n')
    const finished = await run('finish', one)
    expect(finished).toContain(`current is releases/${one.name}\n`)
    expect(finished).toMatch(new RegExp(`\\ngkube: published as releases/${one.name}\\n$`))
    expect(releases(path)).toEqual([one.name])
    expect(readlinkSync(join(path, 'current'))).toBe(`releases/${one.name}`)
    expect(page(join(path, 'current'))).toBe('1.4.2')
    expect(JSON.parse(readFileSync(join(path, 'current', '.gkube-release'), 'utf8'))).toMatchObject({
      revision: '1.4.2',
      deploy: one.id,
    })
  })

  it('in another way is another release of the same artifact', async () => {
    const path = volume()
    const plain = await published(job(path, '1'))
    const built = await published(job(path, '1', site('1'), { GKUBE_RECIPE: '0a1b2c' }))
    expect(releases(path)).toEqual([plain.name, `${built.name}-0a1b2c`])
    // Again, it is there already.
    expect(await run('finish', built)).toContain(`releases/${built.name}-0a1b2c is there already`)
    await expect(run('fetch', job(path, '2', site('2'), { GKUBE_RECIPE: '../x' }))).rejects.toThrow(
      'The variable GKUBE_RECIPE must be',
    )
  })

  it('by rollout leaves no `current`', async () => {
    const path = volume()
    await published(job(path, '1'))
    expect(existsSync(join(path, 'current'))).toBe(false)
  })

  it('keeps a war as it is', async () => {
    const path = volume()
    const war = zipOf([{ name: 'WEB-INF/web.xml', content: '<x/>' }])
    const more = { GKUBE_UNPACK: 'false', GKUBE_ARTIFACT_NAME: 'shop.war' }
    const one = await published(job(path, '2', war, more))
    const kept = join(path, 'releases', one.name, 'shop.war')
    expect(readFileSync(kept).equals(war)).toBe(true)
    expect(lstatSync(kept).mode & 0o777).toBe(0o644)
  })

  it('may be made again: the release stands, nothing is left over', async () => {
    const path = volume()
    const one = await published(job(path, '1'))
    const inode = lstatSync(join(path, 'releases', one.name)).ino
    await published(job(path, '1'))
    expect(lstatSync(join(path, 'releases', one.name)).ino).toBe(inode)
    expect(releases(path)).toEqual([one.name])
  })

  it('ends the same when it is finished a second time, as after a crash', async () => {
    const path = volume()
    const one = await published(job(path, '1', site('1'), { GKUBE_ACTIVATE: 'reload' }))
    rmSync(join(path, 'current'))
    expect(await run('finish', one)).toContain('is there already')
    expect(page(join(path, 'current'))).toBe('1')
  })

  it('removes what a crash left of the same deploy', async () => {
    const path = volume()
    const one = job(path, '1')
    mkdirSync(join(path, 'releases', `.tmp-${one.id}`, 'old'), { recursive: true })
    writeFileSync(join(path, 'releases', `.tmp-${one.id}.artifact`), 'half')
    await published(one)
    expect(readdirSync(join(path, 'releases', one.name)).sort()).toEqual(['.gkube-release', 'index.html'])
  })

  it('replaces a release of its name that is not whole', async () => {
    const path = volume()
    const one = job(path, '1')
    mkdirSync(join(path, 'releases', one.name), { recursive: true })
    writeFileSync(join(path, 'releases', one.name, 'half'), '')
    await published(one)
    expect(page(join(path, 'releases', one.name))).toBe('1')
    expect(releases(path)).toEqual([one.name])
  })

  it('twice at once ends as one, whole, for deploys of the same release', async () => {
    for (let round = 0; round < 5; round++) {
      const path = volume()
      const jobs = [1, 2, 3].map(() => job(path, '7', site('7'), { GKUBE_ACTIVATE: 'reload' }))
      await Promise.all(jobs.map(one => run('fetch', one)))
      await Promise.all(jobs.map(one => run('finish', one)))
      expect(releases(path)).toEqual([jobs[0]?.name])
      expect(page(join(path, 'current'))).toBe('7')
    }
  })

  it('twice at once ends with one of two releases, both whole', async () => {
    const path = volume()
    const jobs = ['8', '9'].map(revision => job(path, revision, site(revision), { GKUBE_ACTIVATE: 'reload' }))
    await Promise.all(jobs.map(published))
    expect(releases(path)).toEqual(jobs.map(one => one.name).sort())
    expect(['8', '9']).toContain(page(join(path, 'current')))
  })
})

describe('old releases', () => {
  it('go unless they are named, are the new one, or serve', async () => {
    const path = volume()
    const [a, b] = [await published(job(path, '1')), await published(job(path, '2'))]
    const c = await published(job(path, '3'))
    symlinkSync(`releases/${b.name}`, join(path, 'current'))
    const d = await published(job(path, '4', site('4'), { GKUBE_KEEP_RELEASES: `${a.name},9-000000000000` }))
    expect(releases(path)).toEqual([a.name, b.name, d.name].sort())
    expect(releases(path)).not.toContain(c.name)
  })

  it('stay where nobody says what is kept, and where gkube did not make them', async () => {
    const path = volume()
    const a = await published(job(path, '1'))
    mkdirSync(join(path, 'releases', 'by-hand'))
    const b = await published(job(path, '2'))
    expect(releases(path)).toEqual([a.name, b.name, 'by-hand'].sort())
    const c = job(path, '3', site('3'), { GKUBE_KEEP_RELEASES: b.name })
    await run('fetch', c)
    expect(await run('finish', c)).toContain('left alone: releases/by-hand')
    expect(releases(path)).toEqual([b.name, c.name, 'by-hand'].sort())
  })

  it('of a later deploy stay, whatever an earlier one was told', async () => {
    const path = volume()
    const [early, late] = [
      job(path, '1', site('1'), { GKUBE_KEEP_RELEASES: '0-000000000000' }),
      job(path, '2'),
    ]
    await published(late)
    await published(early)
    expect(releases(path)).toEqual([early.name, late.name])
  })

  it('of crashed deploys go when they are hours old', async () => {
    const path = volume()
    mkdirSync(join(path, 'releases', '.tmp-01old'), { recursive: true })
    const one = job(path, '1')
    await run('fetch', one)
    await run('finish', one)
    expect(releases(path)).toEqual(['.tmp-01old', one.name])
    const two = job(path, '2')
    await run('fetch', two)
    await run('finish', two, () => Date.now() + 7 * 3_600_000)
    expect(releases(path)).toEqual([one.name, two.name])
  })
})

describe('what serves goes on', () => {
  it.each<[string, Buffer, RegExp]>([
    ['a broken archive', site('2').subarray(0, 60), /gzip data is damaged|no whole tar/],
    ['an archive that leads out', site('2', [{ name: '../../current', content: 'x' }]), /leads out/],
    ['a web page', Buffer.from('<html>'), /web page/],
  ])('with %s', async (_name, artifact, why) => {
    const path = volume()
    const one = await published(job(path, '1', site('1'), { GKUBE_ACTIVATE: 'reload' }))
    await expect(run('fetch', job(path, '2', artifact))).rejects.toThrow(why)
    expect(releases(path)).toEqual([one.name])
    expect(page(join(path, 'current'))).toBe('1')
  })

  it('with a code update that fails', async () => {
    const path = volume()
    const one = await published(job(path, '1', site('1'), { GKUBE_ACTIVATE: 'reload' }))
    const own = { name: 'gkube-update', mode: 0o755, content: '#!/bin/sh\necho no database >&2\nexit 3\n' }
    const two = job(path, '2', site('2', [own]))
    await run('fetch', two)
    await expect(run('update', two)).rejects.toThrow('ended with exit code 3')
    expect(page(join(path, 'current'))).toBe('1')
    expect(releases(path).filter(name => !name.startsWith('.'))).toEqual([one.name])
  })

  it('where `current` is a folder that somebody made', async () => {
    const path = volume()
    mkdirSync(join(path, 'current'))
    await expect(published(job(path, '1', site('1'), { GKUBE_ACTIVATE: 'reload' }))).rejects.toThrow(
      'is no link',
    )
  })

  it('where `releases` leads elsewhere', async () => {
    const [path, outside] = [volume(), volume()]
    symlinkSync(outside, join(path, 'releases'))
    await expect(run('fetch', job(path, '1'))).rejects.toThrow('is a link and not a folder')
    expect(readdirSync(outside)).toEqual([])
  })

  it('with nothing to finish', async () => {
    const path = volume()
    mkdirSync(join(path, 'releases'))
    await expect(run('finish', job(path, '1'))).rejects.toThrow('nothing to finish')
  })

  // A small tmpfs is a disk that can be full; only root may mount one.
  describe.skipIf(process.getuid?.() !== 0)('on a full disk', () => {
    const path = join(folder, 'small')
    beforeAll(() => {
      mkdirSync(path)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'gkube-test', path])
    })
    afterAll(() => void execFileSync('umount', [path]))

    it.each<[string, () => Buffer, Record<string, string>]>([
      ['while it is fetched', () => Buffer.concat([site('2'), Buffer.alloc(3_000_000)]), {}],
      ['while it is unpacked', () => site('2', [{ name: 'big', content: Buffer.alloc(3_000_000, 'x') }]), {}],
    ])('%s', async (_name, artifact, env) => {
      const one = await published(job(path, '1', site('1'), { GKUBE_ACTIVATE: 'reload' }))
      const error = await run('fetch', job(path, '2', artifact(), env)).catch(error => error)
      expect(error).toBeInstanceOf(UserError)
      expect(error.message).toMatch(/volume is full.*What serves was not touched/)
      expect(releases(path)).toEqual([one.name])
      expect(page(join(path, 'current'))).toBe('1')
    })

    it('while many small files are unpacked', async () => {
      const one = await published(job(path, '1', site('1'), { GKUBE_ACTIVATE: 'reload' }))
      const many = Array.from({ length: 400 }, (_, i) => ({ name: `f/${i}`, content: 'x'.repeat(5_000) }))
      await expect(run('fetch', job(path, '2', site('2', many)))).rejects.toThrow('volume is full')
      expect(releases(path)).toEqual([one.name])
      expect(page(join(path, 'current'))).toBe('1')
    })

    it('while it is finished; and goes through once there is room', async () => {
      await published(job(path, '1', site('1'), { GKUBE_ACTIVATE: 'reload' }))
      const two = job(path, '2', site('2'), { GKUBE_ACTIVATE: 'reload' })
      await run('fetch', two)
      expect(() => writeFileSync(join(path, 'filler'), Buffer.alloc(2_000_000))).toThrow('ENOSPC')
      await expect(run('finish', two)).rejects.toThrow('volume is full')
      expect(page(join(path, 'current'))).toBe('1')
      rmSync(join(path, 'filler'))
      await run('finish', two)
      expect(page(join(path, 'current'))).toBe('2')
    })
  })
})

describe('its variables', () => {
  it.each([
    ['GKUBE_VOLUME', ''],
    ['GKUBE_VOLUME', 'srv/data'],
    ['GKUBE_DEPLOY_ID', '../x'],
    ['GKUBE_REVISION', 'a/b'],
    ['GKUBE_ARTIFACT_SHA256', 'abc'],
    ['GKUBE_ARTIFACT_URL', 'nowhere'],
    ['GKUBE_ARTIFACT_LIMIT', 'much'],
    ['GKUBE_ARTIFACT_TIMEOUT', '0s'],
    ['GKUBE_ARTIFACT_NAME', '../x'],
    ['GKUBE_UNPACK', 'maybe'],
    ['GKUBE_UNPACK_LIMIT', '0'],
    ['GKUBE_URL', 'nowhere'],
  ])('%s=%s is named where it is wrong', async (name, value) => {
    const { env, ...one } = job('/nowhere', '1')
    await expect(run('fetch', { ...one, env: { ...env, [name]: value } })).rejects.toThrow(
      `The variable ${name} must be`,
    )
  })

  it.each([
    ['GKUBE_ACTIVATE', 'both'],
    ['GKUBE_KEEP_RELEASES', 'a,../b'],
  ])('%s=%s is named by finish', async (name, value) => {
    const { env, ...one } = job('/nowhere', '1')
    await expect(run('finish', { ...one, env: { ...env, [name]: value } })).rejects.toThrow(
      `The variable ${name} must be`,
    )
  })
})

describe('a fetch that ends in its middle', () => {
  it.each<[NodeJS.Signals, { code: number; said: string; left: number }]>([
    ['SIGKILL', { code: -1, said: '', left: 1 }],
    ['SIGTERM', { code: 143, said: 'gkube: stopped before it was done; it can run again\n', left: 0 }],
  ])('by %s goes through when it runs again', async (signal, { code, said, left }) => {
    const path = volume()
    const content = site('1', [{ name: 'much', content: randomBytes(200_000) }])
    const half = Promise.withResolvers<void>()
    const { url, host } = await artifactServer((_, response, count) => {
      if (count > 1) return void response.end(content)
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 100_000), () => half.resolve())
    })
    const { env, ...one } = job(path, '1', content)
    const again = { ...one, env: { ...env, GKUBE_ARTIFACT_URL: url, GKUBE_ARTIFACT_HOSTS: host } }
    const child = spawnCli(['publish', 'fetch'], { env: again.env })
    await half.promise
    await expect
      .poll(() => existsSync(join(path, 'releases', `.tmp-${one.id}.artifact`)), { timeout: 10_000 })
      .toBe(true)
    child.child.kill(signal)
    expect(await child.exited).toMatchObject({ code, out: said })
    expect(releases(path)).toHaveLength(left)
    await run('fetch', again)
    await run('finish', again)
    expect(releases(path)).toEqual([one.name])
    expect(page(join(path, 'releases', one.name))).toBe('1')
  })
})

it('runs as a command, asks no server, and ends with one line that says what is wrong', async () => {
  const { env } = job('/nowhere', '1')
  const child = spawnCli(['publish', 'fetch'], { env: { ...env, GKUBE_URL: '', GKUBE_TOKEN: '' } })
  const { code, out, err } = await child.exited
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err.trim().split('\n').at(-1)).toBe(
    'gkube: There is no folder /nowhere (GKUBE_VOLUME): is the volume mounted there?',
  )
})
