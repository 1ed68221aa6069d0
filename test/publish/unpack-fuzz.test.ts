// The fast share of the fuzzer; test/slow/publish-fuzz.test.ts is the long run.
import { expect, it } from 'vitest'
import { fuzzArchives } from './fuzz.ts'

it('writes nothing outside of a release, whatever archive it is given', async () => {
  const { unpacked, refused } = await fuzzArchives({ runs: 400 })
  // Both must happen, else the archives are too wild or too tame to show anything.
  expect(unpacked).toBeGreaterThan(20)
  expect(refused).toBeGreaterThan(100)
})
