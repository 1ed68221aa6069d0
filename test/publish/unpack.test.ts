// What is unpacked and what is refused, in both formats: the release holds exactly what it should, and nothing is written
// beside it.

import { randomBytes } from 'node:crypto'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import type { Limits } from '../../src/publish/release-tree.ts'
import { unpack } from '../../src/publish/unpack.ts'
import { type Made, tarOf, zipOf } from './archives.ts'

const folder = mkdtempSync(join(tmpdir(), 'gkube-unpack-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let number = 0
const signal = new AbortController().signal

/** Unpacks into `<its folder>/release`; the folder tells what was written beside. */
async function tried(archive: Buffer, limits: Partial<Limits> = {}, bytes = 1_000_000) {
  const place = join(folder, String(++number))
  mkdirSync(place)
  const [file, root] = [join(folder, `${number}.archive`), join(place, 'release')]
  writeFileSync(file, archive)
  const result = await unpack({ file, root, bytes, limits, signal }).then(
    done => ({ ...done, error: '' }),
    (error: Error) => ({ files: 0, bytes: 0, error: error.message }),
  )
  expect(readdirSync(place).filter(name => name !== 'release')).toEqual([])
  return { ...result, root, found: treeOf(root) }
}

function treeOf(root: string, below = ''): Record<string, string> {
  const tree: Record<string, string> = {}
  let names: string[] = []
  try {
    names = readdirSync(join(root, below))
  } catch {
    return tree
  }
  for (const name of names.sort()) {
    const path = below ? `${below}/${name}` : name
    const stat = lstatSync(join(root, path))
    if (stat.isDirectory()) Object.assign(tree, { [`${path}/`]: '' }, treeOf(root, path))
    else
      tree[path] = stat.isSymbolicLink()
        ? `-> ${readlinkSync(join(root, path))}`
        : readFileSync(join(root, path), 'utf8')
  }
  return tree
}

const formats = [
  { format: 'tar', pack: (entries: readonly Made[]) => tarOf(entries) },
  { format: 'tar.gz', pack: (entries: readonly Made[]) => gzipSync(tarOf(entries)) },
  { format: 'zip', pack: (entries: readonly Made[]) => zipOf(entries) },
]

describe.each(formats)('a $format', ({ pack, format }) => {
  it('becomes its files, folders and links', async () => {
    const long = `${'deep/'.repeat(30)}index.html`
    const { found, files, error, root } = await tried(
      pack([
        { name: './', type: '5', mode: 0o755 },
        { name: './index.html', content: 'hello' },
        { name: 'bin/run', content: '#!/bin/sh', mode: 0o4755 },
        { name: 'empty', content: '' },
        { name: 'lib/a.so.1', content: 'x' },
        { name: 'lib/a.so', type: '2', link: 'a.so.1' },
        { name: 'public/lib', type: '2', link: '../lib' },
        { name: 'gone', type: '2', link: 'not/there' },
        { name: long, content: 'deep' },
        { name: 'ünïcode/日本', content: 'ü' },
      ]),
    )
    expect(error).toBe('')
    expect(files).toBe(6)
    expect(found).toMatchObject({
      'index.html': 'hello',
      empty: '',
      'lib/a.so': '-> a.so.1',
      'public/lib': '-> ../lib',
      gone: '-> not/there',
      [long]: 'deep',
      'ünïcode/日本': 'ü',
    })
    expect(lstatSync(join(root, 'bin/run')).mode & 0o7777).toBe(0o755)
    expect(lstatSync(join(root, 'index.html')).mode & 0o7777).toBe(0o644)
  })

  it.each<[string, readonly Made[], RegExp]>([
    ['a name that goes up', [{ name: '../evil', content: 'x' }], /\.\./],
    ['one in its middle', [{ name: 'a/../../evil', content: 'x' }], /\.\./],
    ['an absolute name', [{ name: '/tmp/evil', content: 'x' }], /absolute/],
    ['a drive', [{ name: 'C:/evil', content: 'x' }], /absolute|drive/],
    ['backslashes', [{ name: 'a\\..\\evil', content: 'x' }], /backslash|invalid characters/],
    ['a control character', [{ name: 'a\x01b', content: 'x' }], /control/],
    ['a name of 300 bytes', [{ name: 'n'.repeat(300), content: 'x' }], /255 bytes/],
    [
      'a path of 2,000 bytes',
      [{ name: 'nn/'.repeat(20) + 'x'.repeat(250) + '/y'.repeat(900), content: 'x' }],
      /deeper|longer/,
    ],
    ['100 folders in each other', [{ name: `${'d/'.repeat(100)}x`, content: 'x' }], /deeper/],
    ['a device', [{ name: 'dev', type: '3' }], /device|neither/],
    ['a pipe', [{ name: 'pipe', type: '6' }], /pipe|neither/],
    ['a link that is absolute', [{ name: 'l', type: '2', link: '/etc' }], /absolute/],
    ['a link that goes up', [{ name: 'a/l', type: '2', link: '../../x' }], /leads out/],
    ['a link that goes up and comes back', [{ name: 'l', type: '2', link: '../release/x' }], /leads out/],
    [
      'a link through a link',
      [
        { name: 'a/b/c', type: '2', link: '.' },
        { name: 'l', type: '2', link: 'a/b/c/../../../..' },
      ],
      /through another link/,
    ],
    [
      'a file below a link',
      [
        { name: 'l', type: '2', link: 'a' },
        { name: 'l/evil', content: 'x' },
      ],
      /as a folder/,
    ],
    [
      'a file in the place of a link',
      [
        { name: 'l', type: '2', link: 'a' },
        { name: 'l', content: 'x' },
      ],
      /twice/,
    ],
    [
      'a link in the place of a folder',
      [
        { name: 'd/x', content: 'x' },
        { name: 'd', type: '2', link: 'a' },
      ],
      /twice/,
    ],
    [
      'a file below a file',
      [
        { name: 'f', content: 'x' },
        { name: 'f/g', content: 'x' },
      ],
      /as a folder/,
    ],
    ["gkube's own marker", [{ name: './.gkube-release', content: '{}' }], /keeps for itself/],
    ['no file at all', [{ name: 'd/', type: '5' }], /no file/],
  ])('with %s is refused', async (_name, entries, why) => {
    const { error } = await tried(
      pack([{ name: 'good', content: 'x' }, ...entries].slice(entries[0]?.name === 'd/' ? 1 : 0)),
    )
    expect(error).toMatch(/^The archive was refused: /)
    expect(error).toMatch(why)
  })

  it('keeps every byte of large files among small ones, the last of two counting', async () => {
    const [large, larger] = [randomBytes(262_145), randomBytes(700_000)]
    const small = Array.from({ length: 60 }, (_, i) => ({ name: `s/${i}`, content: `${i}` }))
    const twice = format === 'zip' ? [] : [{ name: 'larger', content: 'old' }, ...small]
    const all = [
      ...twice,
      { name: 'large', content: large },
      ...small,
      { name: 'larger', content: larger },
      ...small,
    ]
    const { root, found, files, error } = await tried(pack(all), {}, 10_000_000)
    expect({ files, error }).toEqual({ files: 62, error: '' })
    expect(readFileSync(join(root, 'large')).equals(large)).toBe(true)
    expect(readFileSync(join(root, 'larger')).equals(larger)).toBe(true)
    for (const { name, content } of small) expect(found[name]).toBe(content)
  })

  it('is cut at its limits', async () => {
    const many = Array.from({ length: 12 }, (_, i) => ({ name: `f${i}`, content: 'x'.repeat(100) }))
    expect((await tried(pack(many), { entries: 10 })).error).toMatch(/more than 10 files/)
    expect((await tried(pack(many), {}, 1_000)).error).toMatch(/larger than/)
    const bomb = pack([{ name: 'zeros', content: Buffer.alloc(3_000_000) }])
    if (format !== 'tar')
      expect((await tried(bomb, { ratio: 100, ratioFrom: 100_000 }, 10_000_000)).error).toMatch(/100 times/)
  })

  it('that is cut anywhere is refused', async () => {
    const whole = pack([
      { name: 'a', content: 'a'.repeat(700) },
      { name: 'b', content: 'b'.repeat(700) },
    ])
    for (const share of [0.3, 0.6, 0.8])
      expect((await tried(whole.subarray(0, Math.floor(whole.length * share)))).error).toMatch(/refused/)
  })
})

describe('a tar', () => {
  it('gives hard links within it, whatever the order of things', async () => {
    const { found, error, root } = await tried(
      tarOf([
        { name: 'b', type: '1', link: 'a' },
        { name: 'a', content: 'one' },
        { name: 'c', type: '1', link: './b' },
      ]),
    )
    expect(error).toBe('')
    expect(found).toEqual({ a: 'one', b: 'one', c: 'one' })
    expect(lstatSync(join(root, 'a')).nlink).toBe(3)
  })

  it.each<[string, readonly Made[], RegExp]>([
    ['to the outside', [{ name: 'h', type: '1', link: '../../outside' }], /\.\./],
    ['to an absolute path', [{ name: 'h', type: '1', link: '/etc/passwd' }], /absolute/],
    [
      'to a link',
      [
        { name: 's', type: '2', link: 'x' },
        { name: 'h', type: '1', link: 's' },
      ],
      /no file/,
    ],
    [
      'below a link',
      [
        { name: 's', type: '2', link: '..' },
        { name: 'h', type: '1', link: 's/passwd' },
      ],
      /no file|leads out/,
    ],
    ['to itself', [{ name: 'h', type: '1', link: 'h' }], /no file/],
  ])('with a hard link %s is refused', async (_name, entries, why) => {
    expect((await tried(tarOf([{ name: 'x', content: '' }, ...entries]))).error).toMatch(why)
  })

  it('takes the last of two files of one name, as tar does', async () => {
    expect(
      (
        await tried(
          tarOf([
            { name: 'a', content: 'old' },
            { name: 'a', content: 'new' },
          ]),
        )
      ).found,
    ).toEqual({ a: 'new' })
  })

  it.each<[string, Buffer, RegExp]>([
    ['without its end', tarOf([{ name: 'a', content: 'x' }], { end: false }), /in the middle/],
    [
      'of a size that lies',
      tarOf([{ name: 'a', content: 'x', size: 100_000 }]),
      /no whole tar|in the middle/,
    ],
    ['in gzip in gzip', gzipSync(gzipSync(tarOf([{ name: 'a', content: 'x' }]))), /compressed twice/],
    [
      'of an unknown kind of entry',
      tarOf([
        { name: 'a', content: 'x' },
        { name: 'b', type: 'S', content: 'x' },
      ]),
      /not unpacked/,
    ],
  ])('%s is refused', async (_name, archive, why) => {
    expect((await tried(archive)).error).toMatch(why)
  })
})

describe('a zip', () => {
  it.each<[string, Buffer, RegExp]>([
    ['with a wrong checksum', zipOf([{ name: 'a', content: 'x' }], { sum: false }), /checksum/],
    ['of a size that lies', zipOf([{ name: 'a', content: 'x'.repeat(500), size: 5 }]), /no whole zip/],
    ['that is cut', zipOf([{ name: 'a', content: 'x' }]).subarray(0, 60), /no whole zip/],
  ])('%s is refused', async (_name, archive, why) => {
    expect((await tried(archive)).error).toMatch(why)
  })
})

it.each<[string, Buffer, RegExp]>([
  ['a web page', Buffer.from('<!doctype html><title>Sign in</title>'), /web page/],
  ['nothing', Buffer.alloc(0), /empty/],
  ['xz', Buffer.from('fd377a585a0000', 'hex'), /xz/],
  ['noise', Buffer.alloc(2000, 'x'), /no archive/],
  ['zeros', Buffer.alloc(2000), /no archive/],
])('%s is no archive', async (_name, bytes, why) => {
  expect((await tried(bytes)).error).toMatch(why)
})
