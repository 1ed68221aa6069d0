// What every surface says of a deploy while it runs, and of the code that it publishes.
import { describe, expect, it } from 'vitest'
import type { Progress, Step } from '../../src/core/deploy.ts'
import { stepNames } from '../../src/core/deploy.ts'
import { bytesText, usedText } from '../../src/core/volumes/words.ts'
import { artifactText, isCounted, progressOf, stepDoing } from '../../src/core/words.ts'

const step = (name: Step['name'], more: Partial<Step> = {}): Step => ({
  name,
  state: 'running',
  startedAt: 1000,
  endedAt: null,
  message: '',
  ...more,
})
const said = (message: string, more: Partial<Progress> = {}): Progress => ({
  ready: 0,
  wanted: 0,
  message,
  at: 2000,
  ...more,
})

it.each([
  ['volume', 'preparing its volume'],
  ['publish', 'publishing its code'],
  ['rollout', 'rolling out'],
  ['apply', 'at apply'],
] as const)('%s: %s', (name, words) => expect(stepDoing(step(name))).toBe(words))

it('has words for every step', () => {
  for (const name of stepNames) expect(stepDoing(step(name))).toMatch(/^\w[\w ]+$/)
  expect(stepDoing(step('before', { title: 'migrate' }))).toBe('at before (migrate)')
})

describe('progress', () => {
  const cases: [string, Step, Progress | null, string][] = [
    [
      'of publish is what its log says',
      step('publish'),
      said('unpacked 1,204 files'),
      'unpacked 1,204 files',
    ],
    ['of publish in its own words', step('publish'), said('update'), 'running the code update'],
    ['of another step is as it is', step('before'), said('update'), 'update'],
    ['of an earlier step is over', step('before'), said('unpacked 1,204 files', { at: 500 }), ''],
    [
      'of an earlier step does not hide what the step says',
      step('apply', { message: '3 of 5 objects' }),
      said('unpacked', { at: 500 }),
      '3 of 5 objects',
    ],
    [
      'of pods stands without its count, whenever it was counted',
      step('rollout'),
      said('Ready: 1/3, waiting for web-2', { ready: 1, wanted: 3, at: 500 }),
      'waiting for web-2',
    ],
    [
      'of the pods of an earlier step is over',
      step('after'),
      said('x', { ready: 1, wanted: 3, at: 500 }),
      '',
    ],
    ['of nothing is nothing', step('publish'), null, ''],
  ]
  it.each(cases)('%s', (_name, at, progress, words) => expect(progressOf(at, progress)).toBe(words))

  it('counts pods only where pods are awaited', () => {
    const pods = said('', { ready: 1, wanted: 3 })
    expect([isCounted(step('rollout'), pods), isCounted(step('after'), pods)]).toEqual([true, false])
    expect(isCounted(step('rollout'), said('beginning'))).toBe(false)
  })
})

it.each([
  ['https://a.example.com/site/site-1.4.2.tgz', 'site-1.4.2.tgz (sha256 0b77e3f1c9d2…)'],
  ['https://a.example.com/site-1.tgz?x=/y.zip#z', 'site-1.tgz (sha256 0b77e3f1c9d2…)'],
  ['https://a.example.com/latest/', 'latest (sha256 0b77e3f1c9d2…)'],
  [null, 'uploaded artifact (sha256 0b77e3f1c9d2…)'],
])('the artifact at %s', (url, text) =>
  expect(artifactText({ url, sha256: `0b77e3f1c9d2${'0'.repeat(52)}` })).toBe(text),
)

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1024 ** 2 - 1, '1 MiB'],
  [1.5 * 1024 ** 3, '1.5 GiB'],
  [10 * 1024 ** 3, '10 GiB'],
  [123.4 * 1024 ** 3, '123 GiB'],
  [3 * 1024 ** 5, '3 PiB'],
])('%d bytes: %s', (bytes, text) => expect(bytesText(bytes)).toBe(text))

it.each([
  [{ used: 5, quota: 10, size: 20 }, '5 B (50 %)'],
  [{ used: 5, quota: null, size: 20 }, '5 B (25 %)'],
  [{ used: null, quota: 10, size: 20 }, '-'],
  [{ used: 30, quota: 10, size: 20 }, '30 B (300 %)'],
])('%j is %s', (row, text) => expect(usedText(row)).toBe(text))
