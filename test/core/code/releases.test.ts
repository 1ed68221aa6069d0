// Which releases the record names after a publish: never one that a publish may have removed, wherever it ended.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isPublished, mounted, releaseOf, remembered } from '../../../src/core/code/releases.ts'
import { frozenOf, renderOf } from '../specs.ts'

const sha256 = '0123456789abcdef'.repeat(4)

describe('a release', () => {
  it('is there where the record names it', () => {
    const frozen = { ...frozenOf(), artifact: { sha256, url: null } }
    expect(releaseOf(frozen)).toBe('1.0.0-0123456789ab')
    expect(isPublished(frozen, { releases: ['1.0.0-0123456789ab'] })).toBe(true)
    expect(isPublished(frozen, { releases: ['1.0.0-ffffffffffff'] })).toBe(false)
    expect(isPublished(frozen, null)).toBe(false)
    expect(isPublished(frozenOf(), { releases: [] })).toBe(false)
    const storage = [{ name: 'code', size: '1Gi', mount: '/srv/data' }]
    const on = { ...frozenOf({ storage }), artifact: { sha256, url: null } }
    const releases = ['1.0.0-0123456789ab']
    expect(isPublished(on, { releases, releasesOn: 'code' })).toBe(true)
    expect(isPublished(on, { releases, releasesOn: 'old' })).toBe(false)
  })

  it('is found where a pod template mounts it, an old one of Kubernetes, too', () => {
    const spec = { mount: '/srv/app' }
    const storage = [{ name: 'code', size: '1Gi', mount: '/srv/data' }]
    const frozen = { ...frozenOf({ code: spec, storage }), artifact: { sha256, url: null } }
    const [deployment] = renderOf({}, { frozen }).filter(one => one.kind === 'Deployment')
    const revision = {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: { name: 'r' },
      data: { spec: deployment?.spec },
    }
    expect(mounted(deployment ? [deployment, revision] : [])).toEqual(Array(2).fill('1.0.0-0123456789ab'))
    expect(mounted(renderOf({ storage }))).toEqual([])
  })
})

/** As steps/publish.ts tells the Job, and as src/publish/finish.ts does it. */
function publishTo(volume: Set<string>, name: string, kept: readonly string[]): void {
  volume.add(name)
  for (const one of volume) if (one !== name && !kept.includes(one)) volume.delete(one)
}

describe('the record after a publish', () => {
  const cases: [string, string[], string, string[], number, string[]][] = [
    ['the first', [], 'a', [], 5, ['a']],
    ['the newest', ['a', 'b', 'c'], 'd', [], 2, ['c', 'd']],
    ['and what runs or was good', ['a', 'b', 'c'], 'd', ['a'], 2, ['a', 'c', 'd']],
    ['the same again is the newest', ['a', 'b'], 'a', [], 5, ['b', 'a']],
    ['not what is needed and was not there', ['b'], 'c', ['a'], 2, ['b', 'c']],
  ]
  it.each(cases)('names %s', (_, known, published, needed, keep, after) =>
    expect(remembered(known, published, { needed, keep })).toEqual(after),
  )

  it('names nothing that was removed, whatever publishes fail in the middle', () => {
    const step = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'),
      keep: fc.integer({ min: 2, max: 4 }),
      ends: fc.constantFrom('done', 'pruned and lost', 'lost'),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), steps => {
        let record: string[] = []
        let runs = ''
        const volume = new Set<string>()
        for (const { name, keep, ends } of steps) {
          if (ends !== 'lost') publishTo(volume, name, [...record, runs])
          if (ends === 'done') {
            record = remembered(record, name, { needed: [runs], keep })
            runs = name
          }
          expect(record.filter(one => !volume.has(one))).toEqual([])
        }
      }),
    )
  })
})
