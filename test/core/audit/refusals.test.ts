// Whoever tries a thousand times leaves a few entries that say so, on a real etcd; and what cannot be written refuses
// nobody less.
import { beforeEach, expect, it } from 'vitest'
import { createRefusals, type Refusals, type Refused } from '../../../src/core/audit/refusals.ts'
import { type Keys, keysBelow } from '../../../src/core/keys.ts'
import type { Commit } from '../../../src/core/kv.ts'
import { systemClock } from '../../../src/server.ts'
import { type TestKv, testKv } from '../../support/etcd.ts'

let kv: TestKv
let keys: Keys
let refusals: Refusals
let now = 0
let log: string[] = []
const clock = { ...systemClock, now: () => now }

beforeEach(async () => {
  kv = await testKv()
  keys = keysBelow(kv.root)
  now = Date.UTC(2026, 10, 24)
  log = []
  refusals = createRefusals({ kv, keys, clock, log: message => void log.push(message) })
})

const eve = { id: 'slack:eve', name: 'eve', via: 'slack' as const }
const refused = (more: Partial<Refused> = {}): Promise<void> =>
  refusals.refused({
    by: eve,
    action: 'request_deploy',
    outcome: 'forbidden',
    app: 'web',
    environment: 'staging',
    detail: 'eve may not deploy web in staging.',
    ...more,
  })
const written = async (): Promise<string[]> =>
  (await kv.list(keys.audits)).entries.map(({ value }) => {
    const { by, action, detail } = JSON.parse(value)
    return `${by.name} ${action}: ${detail}`
  })

it('the same again within a minute is one entry more, with its number', async () => {
  for (let n = 0; n < 1_000; n++) await refused()
  expect(await written()).toEqual(['eve request_deploy: eve may not deploy web in staging.'])
  now += 59_000
  await refusals.due()
  expect(await written()).toHaveLength(1)
  now += 2_000
  await refusals.due()
  await refusals.due()
  expect((await written()).toSorted()).toEqual([
    'eve request_deploy: 999 more like it: eve may not deploy web in staging.',
    'eve request_deploy: eve may not deploy web in staging.',
  ])
  await refused()
  expect(await written()).toHaveLength(3)
  expect(refusals.count()).toBe(1_001)
})

it('names that are made up do not make more entries', async () => {
  for (let n = 0; n < 500; n++) await refused({ app: `app-${n}` })
  expect(await written()).toHaveLength(20)
  await refused({ by: { ...eve, id: 'slack:ben', name: 'ben' } })
  await refusals.flush()
  const all = await written()
  expect(all).toHaveLength(22)
  expect(all.filter(one => one.includes('480 more like it'))).toHaveLength(1)
})

it('two people, two actions, two places are told apart', async () => {
  const other = { by: { ...eve, id: 'slack:ben', name: 'ben' } }
  for (const more of [{}, other, { action: 'lock' }, { environment: 'production' }, { app: 'api' }])
    await refused(more)
  expect(await written()).toHaveLength(5)
})

it('secrets in what was refused are not kept', async () => {
  await refused({ detail: 'token=abcdef0123456789 may not' })
  expect((await written()).join()).not.toContain('abcdef0123456789')
})

it('what an etcd that was down could not take is written when it is back', async () => {
  let up = false
  const flaky = { commit: (commit: Commit) => (up ? kv.commit(commit) : Promise.reject(new Error('down'))) }
  const own = createRefusals({ kv: flaky, keys, clock, log: message => void log.push(message) })
  const one = { by: eve, action: 'lock', outcome: 'forbidden', detail: 'eve may not lock.' }
  await own.refused(one)
  await own.refused({ ...one, action: 'unlock', detail: 'eve may not unlock.' })
  await own.refused({ ...one, action: 'unlock', detail: 'eve may not unlock.' })
  expect(log).toEqual(Array(2).fill('a refusal could not be written to the audit yet'))
  now += 61_000
  await own.due()
  expect(await written()).toEqual([])
  up = true
  now += 61_000
  await own.due()
  await own.due()
  expect((await written()).toSorted()).toEqual([
    'eve lock: eve may not lock.',
    'eve unlock: 2 like it: eve may not unlock.',
  ])
})

it('an etcd that does not answer keeps nobody waiting', async () => {
  const impatient = { ...clock, sleep: async () => undefined }
  let answer: (committed: { committed: true; revision: string }) => void = () => undefined
  const commit = () => new Promise<never>(resolve => (answer = resolve as never))
  const own = createRefusals({
    kv: { commit },
    keys,
    clock: impatient,
    log: message => void log.push(message),
  })
  await own.refused({ by: eve, action: 'lock', outcome: 'forbidden', detail: 'no' })
  answer({ committed: true, revision: '1' })
  expect(log).toEqual([])
})
