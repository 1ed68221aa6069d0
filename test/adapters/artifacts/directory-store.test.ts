// The store of uploads on a real directory: whole files only, by their hash; what nobody refers to goes after its time.
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, describe, expect, it } from 'vitest'
import { directoryStore } from '../../../src/adapters/artifacts/directory-store.ts'

const root = mkdtempSync(join(tmpdir(), 'gkube-store-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

let number = 0
const hour = 3_600_000
function storeOf(maxBytes = 1000) {
  const directory = join(root, String(++number))
  return { directory, ...directoryStore({ directory, maxBytes, keepMs: hour }) }
}
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')
async function* chunks(...parts: readonly string[]) {
  for (const part of parts) yield Buffer.from(part)
}
const files = (directory: string) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => entry.name)

describe('an artifact', () => {
  it('is kept by its hash and read again', async () => {
    const store = storeOf()
    const sha256 = hashOf('hello')
    expect(await store.size(sha256)).toBeNull()
    expect(await store.read(sha256)).toBeNull()
    expect(await store.put(sha256, chunks('hel', 'lo'))).toEqual({ size: 5 })
    expect(await store.size(sha256)).toBe(5)
    const read = await store.read(sha256)
    expect(read?.size).toBe(5)
    expect(String(await buffer(read?.content ?? chunks()))).toBe('hello')
  })

  it('is kept once when it comes twice at once', async () => {
    const store = storeOf()
    await Promise.all([1, 2, 3].map(() => store.put(hashOf('hello'), chunks('hello'))))
    expect(files(store.directory)).toEqual([hashOf('hello')])
  })

  async function* cut() {
    yield Buffer.from('hel')
    throw new Error('gone')
  }
  it.each([
    ['of another hash', () => chunks('other'), /SHA-256 of what came is/],
    ['that is too large', () => chunks('x'.repeat(600), 'x'.repeat(600)), /larger than 1000 bytes/],
    ['that is cut', cut, /gone/],
  ])('%s leaves nothing', async (_name, content, why) => {
    const store = storeOf()
    await expect(store.put(hashOf('hello'), content())).rejects.toThrow(why)
    expect(files(store.directory)).toEqual([])
  })

  it.each(['', '../x', 'A'.repeat(64), `${'a'.repeat(63)}/`])('is never at %j', async sha256 => {
    await expect(storeOf().put(sha256, chunks('x'))).rejects.toThrow('no SHA-256')
    await expect(storeOf().size(sha256)).rejects.toThrow('no SHA-256')
  })
})

describe('what nobody refers to', () => {
  it('goes after its time since the last upload', async () => {
    const store = storeOf()
    const [old, referenced, again] = ['old', 'referenced', 'again'].map(hashOf)
    for (const text of ['old', 'referenced', 'again', 'new']) await store.put(hashOf(text), chunks(text))
    const past = new Date(Date.now() - 2 * hour)
    for (const sha256 of [old, referenced, again])
      utimesSync(join(store.directory, sha256?.slice(0, 2) ?? '', sha256 ?? ''), past, past)
    expect(await store.touch(again ?? '')).toBe(5)
    expect(await store.prune({ referenced: new Set([referenced ?? '']), now: Date.now() })).toEqual([old])
    expect(files(store.directory).sort()).toEqual([referenced, again, hashOf('new')].sort())
  })

  it('is also what a crash left, a day later, and nothing of others', async () => {
    const store = storeOf()
    await store.put(hashOf('x'), chunks('x'))
    for (const name of ['.tmp-1', 'README']) writeFileSync(join(store.directory, name), '')
    await store.prune({ referenced: new Set(), now: Date.now() })
    expect(files(store.directory)).toContain('.tmp-1')
    await store.prune({ referenced: new Set(), now: Date.now() + 25 * hour })
    expect(files(store.directory)).toEqual(['README'])
  })

  it('is nothing where there is no directory yet', async () => {
    expect(await storeOf().prune({ referenced: new Set(), now: 0 })).toEqual([])
  })
})

it('says in doctor whether it can be written', async () => {
  expect(await storeOf().checks()).toMatchObject([{ name: 'artifacts', state: 'ok' }])
  writeFileSync(join(root, 'file'), '')
  const broken = directoryStore({ directory: join(root, 'file', 'x'), maxBytes: 1, keepMs: 1 })
  expect(await broken.checks()).toMatchObject([
    { state: 'failed', mend: expect.stringContaining('artifacts.directory') },
  ])
})
