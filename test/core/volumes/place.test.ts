// Names from apps become paths and volume names: plain ones only, each its own, and nothing leaves its directory.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkTyped,
  directoriesOf,
  directoryOf,
  ownVolumeOf,
  titleOf,
} from '../../../src/core/volumes/place.ts'

const place = { environment: 'production', app: 'web', storage: 'data' }

describe('the place of a storage', () => {
  it('is a directory a name', () => expect(directoryOf(place)).toBe('production/web/data'))
  it('has a volume name that gluster takes', () =>
    expect(ownVolumeOf(place)).toMatch(/^gkube-production-web-data-[0-9a-f]{8}$/))
  it.each([
    ['a dash in the app or in the storage', { app: 'a-b', storage: 'c' }, { app: 'a', storage: 'b-c' }],
    ['two very long names', { app: 'a'.repeat(63) }, { app: `${'a'.repeat(62)}b` }],
  ])('is told apart: %s', (_, one, other) =>
    expect(ownVolumeOf({ ...place, ...one })).not.toBe(ownVolumeOf({ ...place, ...other })),
  )

  it.each([
    ['..', { app: '..' }],
    ['.', { storage: '.' }],
    ['nothing', { environment: '' }],
    ['a slash', { app: 'web/../../etc' }],
    ['a line', { storage: 'data\n' }],
    ['an option', { app: '-rf' }],
    ['a zero byte', { app: 'web\0' }],
    ['capitals', { app: 'Web' }],
  ])('refuses %s', (_, change) => {
    expect(() => directoryOf({ ...place, ...change })).toThrow(/cannot name a directory: use lower-case/)
    expect(() => ownVolumeOf({ ...place, ...change })).toThrow(/cannot name a directory/)
  })

  it('never leaves the pool, whatever the names', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string({ unit: 'grapheme' }),
        fc.stringMatching(/^[./a-z-]*$/),
        (...names) => {
          const [environment, app, storage] = names
          try {
            for (const name of directoriesOf({ environment, app, storage }))
              expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
          } catch (error) {
            expect(error).toMatchObject({ name: 'PoolError', code: 'refused' })
          }
        },
      ),
    )
  })
})

describe('deleting', () => {
  it.each(['directory', 'own'] as const)('needs its name: %s', kind => {
    const volume = { kind, place }
    expect(() => checkTyped(volume, titleOf(volume))).not.toThrow()
    for (const typed of ['', 'data', `${titleOf(volume)} `, titleOf(volume).toUpperCase()])
      expect(() => checkTyped(volume, typed)).toThrow(/type its name: /)
  })
})
