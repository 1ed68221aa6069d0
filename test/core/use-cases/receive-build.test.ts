// What is kept of a hook, on a real etcd: once, whole, within the hook's jobs, and readable by whoever follows builds.
import { describe, expect, it } from 'vitest'
import { type BuildEvent, inboxSchema } from '../../../src/core/builds/event.ts'
import { keysBelow } from '../../../src/core/keys.ts'
import type { Kv } from '../../../src/core/kv.ts'
import { decode } from '../../../src/core/records.ts'
import { mayTellOf, receiveBuild } from '../../../src/core/use-cases/receive-build.ts'
import { UserError } from '../../../src/errors.ts'
import { startTestEtcd, testKv } from '../../support/etcd.ts'

const all = { name: 'all', jobs: ['*'] }
const event = (fields: Partial<BuildEvent> = {}): BuildEvent => ({
  job: 'shop/web',
  number: 214,
  queueId: 77,
  phase: 'started',
  result: null,
  startedAt: 1_790_000_000_000,
  durationMs: null,
  commit: null,
  branch: null,
  parameters: {},
  tests: null,
  ...fields,
})

async function setup(change: (kv: Kv) => Partial<Kv> = () => ({})) {
  const kv = await testKv()
  const keys = keysBelow(kv.root)
  const receive = receiveBuild({
    kv: { ...kv, ...change(kv) },
    keys,
    clock: { now: () => 1_790_000_000_500, sleep: async () => undefined },
  })
  const inbox = async () => (await kv.list(keys.inbox)).entries.map(entry => decode(inboxSchema, entry).value)
  return { kv, keys, receive, inbox }
}

describe('a hook is kept', () => {
  it('before it is answered, as it was told, with the hook it came by', async () => {
    const { receive, inbox } = await setup()
    const told = event({ parameters: { A: 'b' }, tests: { total: 3, failed: 1, skipped: 0, names: ['x'] } })
    expect(await receive(all, told)).toEqual({ repeated: false })
    expect(await inbox()).toEqual([{ schema: 1, hook: 'all', event: told, at: 1_790_000_000_500 }])
  })

  it('once, however often it comes and by whichever hook, also at the same moment', async () => {
    const { receive, inbox } = await setup()
    const answers = await Promise.all(Array.from({ length: 20 }, () => receive(all, event())))
    answers.push(await receive({ name: 'other', jobs: ['shop/*'] }, event()))
    expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1)
    expect(await inbox()).toHaveLength(1)
  })

  it('once also after its effect has taken it out of the inbox', async () => {
    const { kv, receive, inbox } = await setup()
    await receive(all, event())
    const { entries } = await kv.list(keysBelow(kv.root).inbox)
    for (const { key } of entries)
      await kv.commit({ compares: [{ kind: 'present', key }], writes: [{ kind: 'delete', key }] })
    expect(await receive(all, event())).toEqual({ repeated: true })
    expect(await inbox()).toEqual([])
  })

  it.each<[string, Partial<BuildEvent>]>([
    ['another job', { job: 'shop/api' }],
    ['another number', { number: 215 }],
    ['another phase', { phase: 'finished' }],
    ['a result', { result: 'UNSTABLE' }],
    ['a commit, once it is checked out', { commit: '3fa9c1e' }],
    ['tests', { tests: { total: 1, failed: 0, skipped: 0, names: [] } }],
    ['parameters', { parameters: { A: 'b' } }],
  ])('again where there is news: %s', async (_, news) => {
    const { receive, inbox } = await setup()
    await receive(all, event())
    expect(await receive(all, event(news))).toEqual({ repeated: false })
    expect(await inbox()).toHaveLength(2)
  })

  it('not for another time alone: the step notifyEndpoints counts it anew', async () => {
    const { receive } = await setup()
    await receive(all, event())
    expect(await receive(all, event({ startedAt: 1_790_000_009_000 }))).toEqual({ repeated: true })
  })

  it('also where the shared lease is gone: etcd was restored', async () => {
    let asked = 0
    const { receive, inbox } = await setup(kv => ({
      // etcd takes no write with a lease that it does not know, and says so.
      sharedLease: async ttl => (asked++ === 0 ? '1234567' : kv.sharedLease(ttl)),
    }))
    expect(await receive(all, event())).toEqual({ repeated: false })
    expect(asked).toBe(2)
    expect(await inbox()).toHaveLength(1)
  })

  it('or it says that the store is away, and is kept when it comes again', async () => {
    const etcd = await startTestEtcd()
    const kv = etcd.kv({ callTimeoutMs: 400 })
    const clock = { now: () => 1, sleep: async () => undefined }
    const receive = receiveBuild({ kv, keys: keysBelow(kv.root), clock })
    await receive(all, event())
    await etcd.stop()
    await expect(receive(all, event({ number: 215 }))).rejects.toBeInstanceOf(Error)
    await etcd.start()
    const again = async (): Promise<{ repeated: boolean }> =>
      receive(all, event({ number: 215 })).catch(error => {
        if (error instanceof UserError && error.kind === 'unavailable') return again()
        throw error
      })
    expect(await again()).toEqual({ repeated: false })
  })
})

describe('the jobs of a hook', () => {
  it.each([
    [['*'], 'shop/web', true],
    [['shop/*'], 'shop/web', true],
    [['shop/*'], 'shop/web/main', true],
    [['shop/*'], 'shop', false],
    [['shop/*'], 'shopping/web', false],
    [['shop/*'], 'shop/../secret', false],
    [['shop/*'], 'shop/./web', false],
    [['shop/*'], 'shop//web', false],
    [['*'], '../x', false],
    [['shop/web'], 'shop/web', true],
    [['shop/web'], 'shop/web/main', false],
    [['shop/web'], 'shop/web2', false],
    [['shop/web'], 'Shop/Web', false],
    [['a', 'shop/web/*'], 'shop/web/feature%2Flogin', true],
    [[], 'shop/web', false],
  ])('%o and %s: %o', (jobs, job, may) => expect(mayTellOf(jobs, job)).toBe(may))

  it('are said where another is told of, and nothing is kept', async () => {
    const { receive, inbox } = await setup()
    await expect(receive({ name: 'shop', jobs: ['shop/*'] }, event({ job: 'bank/vault' }))).rejects.toThrow(
      expect.objectContaining({
        kind: 'forbidden',
        message:
          'The hook shop may not tell of bank/vault, only of shop/*. An operator can add it to jenkins.hooks.shop.jobs in gkube.yaml.',
      }),
    )
    expect(await inbox()).toEqual([])
  })
})
