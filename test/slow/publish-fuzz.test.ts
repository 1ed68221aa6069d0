// The long run of the archive fuzzer: thousands, from a new seed each time; a failure prints seed and smallest archive.
import { expect, it } from 'vitest'
import { fuzzArchives } from '../publish/fuzz.ts'

it('writes nothing outside of a release, in 3,000 archives', async () => {
  const { unpacked, refused } = await fuzzArchives({ runs: 3_000 })
  expect(unpacked).toBeGreaterThan(150)
  expect(refused).toBeGreaterThan(800)
}, 120_000)
