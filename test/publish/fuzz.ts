// Archives by a generator: names and links that try to get out, to be two things at once, to be too much; then bytes that
// are damaged or cut. Beside the release stands a canary tree: it must be what it was, whatever was unpacked.
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect } from 'vitest'
import { UserError } from '../../src/errors.ts'
import { unpack } from '../../src/publish/unpack.ts'
import { type Made, tarOf, zipOf } from './archives.ts'

const limits = { entries: 40, ratio: 20, ratioFrom: 20_000 }
const bytes = 60_000

/** Runs `runs` archives; fails with the smallest one that does harm. Answers how many ended how. */
export async function fuzzArchives({ runs, seed }: { runs: number; seed?: number }) {
  const place = mkdtempSync(join(tmpdir(), 'gkube-fuzz-'))
  try {
    const canary = join(place, 'canary')
    mkdirSync(join(canary, 'folder'), { recursive: true })
    writeFileSync(join(canary, 'file'), 'untouched')
    symlinkSync('folder', join(canary, 'link'))
    const [file, root] = [join(place, 'archive'), join(place, 'release')]
    const before = () => JSON.stringify(pictured(place, ['archive', 'release']))
    const untouched = before()
    const counts = { unpacked: 0, refused: 0 }
    await fc.assert(
      fc.asyncProperty(archive(place).map(short), async content => {
        rmSync(root, { recursive: true, force: true })
        writeFileSync(file, content)
        const error = await unpack({ file, root, bytes, limits, signal: new AbortController().signal }).then(
          () => null,
          error => error,
        )
        expect(before()).toBe(untouched)
        if (error === null) counts.unpacked++
        else {
          counts.refused++
          expect(error).toBeInstanceOf(UserError)
          expect(error.message).toMatch(/^The archive was refused: .{10,800}Nothing of it was published\.$/)
        }
        checkRelease(root, error === null)
      }),
      { numRuns: runs, ...(seed === undefined ? {} : { seed }) },
    )
    return counts
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/** A failure prints its seed, not thousands of numbers. */
const short = (content: Buffer): Buffer =>
  Object.assign(content, { [fc.toStringMethod]: () => `an archive of ${content.length} bytes` })

/** Only files, folders and links within; nothing that runs as somebody else; no more than the limits. */
function checkRelease(root: string, whole: boolean): void {
  let count = 0
  let size = 0
  const visit = (path: string) => {
    const stat = lstatSync(path)
    count++
    expect(stat.mode & 0o7000 & ~(stat.isDirectory() ? 0o2000 : 0)).toBe(0)
    if (stat.isDirectory()) for (const name of readdirSync(path)) visit(join(path, name))
    else if (stat.isSymbolicLink()) {
      // Half a release is removed; a whole one is served.
      if (!whole) return
      expect(readlinkSync(path).startsWith('/')).toBe(false)
      const real = realOf(path)
      if (real !== null) expect(`${real}${sep}`.startsWith(`${root}${sep}`)).toBe(true)
    } else {
      expect(stat.isFile()).toBe(true)
      size += stat.size
    }
  }
  if (!readdirSync(join(root, '..')).includes('release')) return
  visit(root)
  expect(count).toBeLessThanOrEqual(limits.entries + 1)
  // Hard links are counted each time that they are seen.
  expect(size).toBeLessThanOrEqual(bytes * limits.entries)
}

function realOf(path: string): string | null {
  try {
    return realpathSync(path)
  } catch {
    return null
  }
}

function pictured(path: string, without: readonly string[] = []): unknown {
  const stat = lstatSync(path)
  if (stat.isSymbolicLink()) return readlinkSync(path)
  if (!stat.isDirectory()) return [stat.mode, stat.nlink, readFileSync(path, 'utf8')]
  return readdirSync(path)
    .filter(name => !without.includes(name))
    .sort()
    .map(name => [name, pictured(join(path, name))])
}

const plain = fc.constantFrom('a', 'b', 'c', 'lib', 'index.html')
const odd = fc.oneof(
  fc.constantFrom(
    '..',
    '.',
    '',
    '...',
    '.. ',
    '..\\x',
    'C:',
    '\0',
    'a\0b',
    '%2e%2e',
    '~',
    '-rf',
    '．．',
    '.gkube-release',
    'canary',
  ),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constant('n'.repeat(256)),
)
const part = fc.oneof({ weight: 6, arbitrary: plain }, { weight: 1, arbitrary: odd })

function archive(place: string): fc.Arbitrary<Buffer> {
  const path = fc.oneof(
    { weight: 12, arbitrary: fc.array(part, { minLength: 1, maxLength: 4 }).map(parts => parts.join('/')) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '../canary/evil',
        'a/../../canary/file',
        `${place}/canary/evil`,
        `//${place}/canary/evil`,
        'd/'.repeat(70),
        'a/',
      ),
    },
  )
  const target = fc.oneof(
    { weight: 5, arbitrary: path },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        '..',
        '../..',
        '../canary',
        '../canary/folder',
        'a/../../canary',
        `${place}/canary/file`,
        '../canary/file',
        '.',
        './a',
        '../a',
        '../lib/b',
      ),
    },
  )
  const content = fc.oneof(
    { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }).map(array => Buffer.from(array)) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 200_000 }).map(size => Buffer.alloc(size)) },
  )
  const mode = fc.constantFrom(0o644, 0o755, 0o4755, 0o6777, 0)
  const file = fc.record({ name: path, content, mode })
  const entry: fc.Arbitrary<Made> = fc.oneof(
    { weight: 8, arbitrary: file },
    { weight: 3, arbitrary: fc.record({ name: path, link: target, type: fc.constant('2') }) },
    { weight: 1, arbitrary: fc.record({ name: path, link: target, type: fc.constant('1') }) },
    { weight: 2, arbitrary: fc.record({ name: path, type: fc.constant('5') }) },
    { weight: 1, arbitrary: fc.record({ name: path, content, size: fc.integer({ min: 0, max: 1e9 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        name: path,
        type: fc.constantFrom('3', '4', '6', '7', 'S', 'x', 'g', 'L', 'K', 'V'),
        content,
      }),
    },
  )
  // Most archives are small and mostly right: so that their odd part is reached.
  const calm = fc.array(fc.oneof({ weight: 6, arbitrary: file }, { weight: 1, arbitrary: entry }), {
    maxLength: 6,
  })
  const wild = fc.array(entry, { maxLength: 12 })
  const many = fc.array(file, { minLength: 41, maxLength: 60 })
  const entries = fc.oneof(
    { weight: 6, arbitrary: calm },
    { weight: 6, arbitrary: wild },
    { weight: 1, arbitrary: many },
  )
  const packed = fc
    .tuple(entries, fc.constantFrom('tar', 'gzip', 'zip'), fc.boolean())
    .map(([all, format, end]) =>
      format === 'zip'
        ? zipOf(all)
        : format === 'gzip'
          ? gzipSync(tarOf(all))
          : tarOf(all, { end: end || all.length % 2 === 0 }),
    )
  const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 4,
  })
  return fc.oneof(
    { weight: 6, arbitrary: packed },
    {
      weight: 2,
      arbitrary: fc.tuple(packed, damage).map(([buffer, hits]) => {
        const hurt = Buffer.from(buffer)
        for (const [at, byte] of hits) if (hurt.length > 0) hurt[at % hurt.length] = byte
        return hurt
      }),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(packed, fc.nat())
        .map(([buffer, at]) => buffer.subarray(0, at % (buffer.length + 1))),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 600 }).map(array => Buffer.from(array)) },
  )
}
