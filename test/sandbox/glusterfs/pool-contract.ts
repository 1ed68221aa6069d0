// What every pool does, stand-in or real: the same cases run on both (directory-pool.test.ts, test/slow/glusterfs.test.ts).
// A pool is given with the folder where its directories can be seen.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { titleOf } from '../../../src/core/volumes/place.ts'
import type { Pool, PoolVolume } from '../../../src/core/volumes/pool.ts'
import { until } from '../../support/child.ts'

type Given = { readonly pool: Pool; readonly folder: string }
const wish = { uid: 1234, gid: 2345, bytes: 8 * 1024 * 1024 }
const isRoot = process.getuid?.() === 0

/** `given` is asked in each case, after beforeAll. */
export function poolContract(given: () => Given): void {
  let count = 0
  /** A directory that no other case has. */
  const fresh = (): PoolVolume => ({
    kind: 'directory',
    place: { environment: 'staging', app: `app-${++count}`, storage: 'data' },
  })
  const pathOf = (volume: PoolVolume) => join(given().folder, titleOf(volume))

  it('makes a directory once, for its owner and group', async () => {
    const volume = fresh()
    expect(await given().pool.ensure(volume, wish)).toEqual({ made: true, bytes: wish.bytes })
    expect(await given().pool.ensure(volume, wish)).toEqual({ made: false, bytes: wish.bytes })
    const { uid, gid, mode } = lstatSync(pathOf(volume))
    if (isRoot) expect([uid, gid, (mode & 0o7777).toString(8)]).toEqual([1234, 2345, '2770'])
    // Nobody but gkube writes above it.
    expect(lstatSync(join(pathOf(volume), '..')).mode & 0o777).toBe(0o755)
  })

  it('lets two make the same one at once', async () => {
    const volume = fresh()
    const both = await Promise.all([given().pool.ensure(volume, wish), given().pool.ensure(volume, wish)])
    expect(both.map(({ bytes }) => bytes)).toEqual([wish.bytes, wish.bytes])
  })

  it('counts what is used, grows, and never shrinks', async () => {
    const volume = fresh()
    const { pool } = given()
    await pool.ensure(volume, wish)
    writeFileSync(join(pathOf(volume), 'file'), Buffer.alloc(1024 * 1024))
    const usage = await until(
      () => pool.usage(volume),
      ({ used }) => used >= 1024 * 1024,
    )
    expect(usage).toEqual({ used: 1024 * 1024, quota: wish.bytes })
    expect(await pool.grow(volume, wish.bytes * 2)).toEqual({ bytes: wish.bytes * 2 })
    expect(await pool.grow(volume, 1)).toEqual({ bytes: wish.bytes * 2 })
    expect(await pool.ensure(volume, wish)).toEqual({ made: false, bytes: wish.bytes * 2 })
    expect((await pool.usage(volume)).quota).toBe(wish.bytes * 2)
  })

  it('knows what is not there', async () => {
    const volume = fresh()
    await expect(given().pool.usage(volume)).rejects.toMatchObject({ code: 'not_found' })
    await expect(given().pool.grow(volume, 1e6)).rejects.toMatchObject({ code: 'not_found' })
    expect(existsSync(pathOf(volume))).toBe(false)
  })

  it.skipIf(!isRoot)('leaves alone what belongs to somebody else', async () => {
    const volume = fresh()
    await given().pool.ensure(volume, wish)
    writeFileSync(join(pathOf(volume), 'kept'), 'x')
    const other = given().pool.ensure(volume, { ...wish, uid: 77 })
    await expect(other).rejects.toMatchObject({
      code: 'exists_differently',
      message: expect.stringMatching(/belongs to 1234:2345, not to 77:2345.*chown -R 77:2345/),
    })
    expect(lstatSync(pathOf(volume)).uid).toBe(1234)
  })

  it('follows no link', async () => {
    const volume = fresh()
    const { pool, folder } = given()
    const outside = mkdtempSync(join(tmpdir(), 'gkube-outside-'))
    try {
      mkdirSync(join(folder, 'staging'), { recursive: true })
      symlinkSync(outside, join(folder, 'staging', volume.place.app))
      for (const call of [() => pool.ensure(volume, wish), () => pool.remove(volume, titleOf(volume))])
        await expect(call()).rejects.toMatchObject({
          code: 'exists_differently',
          message: expect.stringContaining('is not a directory'),
        })
      expect(readdirSync(outside)).toEqual([])
      expect(existsSync(outside)).toBe(true)
    } finally {
      rmSync(outside, { recursive: true, force: true })
      rmSync(join(folder, 'staging', volume.place.app))
    }
  })

  it.each(['..', 'a/b', '', '-rf', 'a\0b'])('refuses the name %j', async app => {
    const volume: PoolVolume = { kind: 'directory', place: { environment: 'staging', app, storage: 'data' } }
    for (const call of [
      () => given().pool.ensure(volume, wish),
      () => given().pool.usage(volume),
      () => given().pool.remove(volume, `staging/${app}/data`),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'refused' })
  })

  it('deletes what was typed, and only that', async () => {
    const volume = fresh()
    const { pool } = given()
    await pool.ensure(volume, wish)
    mkdirSync(join(pathOf(volume), 'deep', 'er'), { recursive: true })
    writeFileSync(join(pathOf(volume), 'deep', 'er', 'file'), 'x')
    await expect(pool.remove(volume, 'data')).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining(titleOf(volume)),
    })
    expect(existsSync(join(pathOf(volume), 'deep', 'er', 'file'))).toBe(true)
    expect(await pool.remove(volume, titleOf(volume))).toEqual({ left: [] })
    expect(existsSync(pathOf(volume))).toBe(false)
    expect(await pool.remove(volume, titleOf(volume))).toEqual({ left: [] })
    // It can be made again, empty and with a quota of its own.
    expect(await pool.ensure(volume, { ...wish, bytes: 5_000_000 })).toEqual({ made: true, bytes: 5_000_000 })
    expect(readdirSync(pathOf(volume))).toEqual([])
  })

  it('says how it is, and what it cannot do', async () => {
    const { pool } = given()
    // What was just written counts as to be healed for a moment.
    const health = await until(
      () => pool.health(),
      ({ state }) => state === 'ok',
    )
    expect(health).toMatchObject({ state: 'ok', pending: 0, words: expect.stringMatching(/./) })
    expect((await pool.checks()).map(({ state }) => state)).not.toContain('failed')
    await expect(pool.snapshot(fresh(), 'before-2')).rejects.toMatchObject({ code: 'unsupported' })
  })
}
