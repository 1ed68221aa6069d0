// Asking for the deploy of a build of a Jenkins job: what may be left out, one deploy a build, never an older one over a
// newer one, and the thread of the build's message.
import { beforeEach, describe, expect, it } from 'vitest'
import { blankBuild, buildCommit } from '../../../src/core/builds/records.ts'
import { type Caller, type RequestInput, requestInput } from '../../../src/core/core.ts'
import { type Deploy, deploySchema } from '../../../src/core/deploy.ts'
import { messagesSchema } from '../../../src/core/messages.ts'
import { decode } from '../../../src/core/records.ts'
import { createSweeper } from '../../../src/core/sweeper.ts'
import { clock, endDeploy, job, startWorld, type World } from '../builds/world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
  await world.register()
})

const caller = (
  via: Caller['actor']['via'],
  environments = ['*'],
  role: Caller['grants'][number]['role'] = 'admin',
) => ({
  actor: { id: `token:${via}`, name: via, via },
  grants: [{ role, apps: ['*'], environments }],
})
const step = caller('jenkins')
const person = caller('slack')
type Input = Partial<Omit<RequestInput, 'source'>> & { source?: Partial<RequestInput['source']> }
const ask = (input: Input, who: Caller = step, origin?: { channel: string }) =>
  world.core.request(who, requestInput.parse({ app: 'web', environment: 'staging', ...input }), origin)
const of = (build: number, more: Input = {}): Input => ({
  revision: 'r1',
  ...more,
  source: { job, build, ...more.source },
})

describe('what is left out', () => {
  type Row = [string, Record<string, unknown>, Caller, Input, string | RegExp]
  const one = { environments: { staging: {} } }
  const rows: Row[] = [
    ['the only environment', one, step, { revision: '1' }, 'staging 1'],
    [
      'the only one that the caller may deploy to',
      {},
      caller('cli', ['production'], 'deployer'),
      { revision: '1' },
      'production 1',
    ],
    [
      'one of several',
      {},
      step,
      { revision: '1' },
      /^web runs in several environments: name one of staging, production\.$/,
    ],
    [
      'where the caller may nowhere',
      one,
      caller('cli', ['production'], 'deployer'),
      { revision: '1' },
      /may not deploy web in staging/,
    ],
    [
      'of an app that is not known',
      {},
      step,
      { app: 'wbe', revision: '1' },
      /`wbe` is not an app\. Did you mean `web`.*gkube app apply/,
    ],
    [
      'the revision: its commit',
      one,
      step,
      { source: { job, build: 4, commit: 'abcdef1' } },
      'staging abcdef1',
    ],
    [
      'the revision: its number',
      { ...one, revisionFrom: 'BUILD_NUMBER' },
      step,
      { source: { job, build: 4, commit: 'abcdef1' } },
      'staging 4',
    ],
    [
      'the revision without a commit',
      one,
      step,
      { source: { job, build: 4 } },
      /takes its revision from GIT_COMMIT, which was not sent: name a revision, or write revisionFrom: BUILD_NUMBER/,
    ],
    ['the revision without a build', one, step, {}, /^Say which revision/],
    [
      'the app: by a branch of its job',
      one,
      step,
      { app: undefined, job: `${job}/feature%2Flogin`, revision: '1' },
      'staging 1',
    ],
  ]
  it.each(rows)('%s', async (_, app, who, input, expected) => {
    await world.register(app)
    const asked = ask({ environment: undefined, ...input }, who)
    if (typeof expected === 'string') {
      const { deploy } = await asked
      expect(`${deploy.environment} ${deploy.revision}`).toBe(expected)
    } else await expect(asked).rejects.toThrow(expected)
  })
  it('comes from the spec that is sent along', async () => {
    const spec = {
      app: 'new',
      image: 'r.example/new:{revision}',
      revisionFrom: 'BUILD_NUMBER',
      environments: { staging: {} },
    }
    const { deploy } = await ask({
      app: undefined,
      environment: undefined,
      spec: spec as never,
      source: { job: 'shop/new', build: 3 },
    })
    expect(deploy).toMatchObject({ app: 'new', environment: 'staging', revision: '3' })
  })
  it('a job whose name is half a character is refused, not stumbled over', async () => {
    for (const input of [
      of(1, { source: { job: 'a\ud800' } }),
      { app: undefined, job: 'a\ud800', revision: '1' },
    ])
      await expect((async () => ask(input))()).rejects.toThrow(/no proper text|a Jenkins job path/)
  })
})

describe('one build', () => {
  it('is deployed once, whoever asks, at the same moment too', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, (_, n) => ask(of(1), n % 2 ? step : person)))
    expect(new Set(all.map(({ deploy }) => deploy.id)).size).toBe(1)
    expect(all.filter(({ repeated }) => !repeated)).toHaveLength(1)
    expect(await world.deploys()).toHaveLength(1)
    // Elsewhere it is another deploy; and so is one of the same revision that names no build.
    expect((await ask(of(1, { environment: 'production' }))).repeated).toBe(false)
    expect((await ask({ revision: 'r1' })).repeated).toBe(false)
  })
  it('is not deployed as another revision', async () => {
    const first = await ask(of(1))
    await expect(ask(of(1, { revision: 'r2' }))).rejects.toMatchObject({
      kind: 'conflict',
      message: `shop/web #1 was deployed to staging before, as r1 (requested), so r2 was not started: one build is deployed once. Once that has ended, --again deploys this build again, also as another revision.`,
      details: { deploy: first.deploy.id, reason: 'build_deployed' },
    })
  })
  it('that failed answers its failure, until somebody says again', async () => {
    const first = await ask(of(1))
    const early = await ask(of(1, { again: true }))
    expect(early).toMatchObject({ repeated: true, deploy: { id: first.deploy.id } })
    await endDeploy(world, first.deploy.id, 'failed')
    expect(await ask(of(1))).toMatchObject({
      repeated: true,
      deploy: { id: first.deploy.id, phase: 'failed' },
    })
    const second = await ask(of(1, { again: true, revision: 'r2' }))
    expect(second).toMatchObject({ repeated: false, deploy: { revision: 'r2' } })
    expect(await ask(of(1, { revision: 'r2' }))).toMatchObject({
      repeated: true,
      deploy: { id: second.deploy.id },
    })
  })
  it('is not stopped by the key of a deploy that is not kept any more', async () => {
    const { deploy } = await ask(of(1))
    const { kv, keys } = world
    await kv.commit({
      compares: [],
      writes: [{ kind: 'delete', key: keys.deploy(deploy.id) }],
      repeatable: true,
    })
    expect((await ask(of(1))).repeated).toBe(false)
  })
})

describe('an older build', () => {
  it('is refused with who asked for the newer one, unless a person says so', async () => {
    const newer = await ask(of(5), person)
    const refusal = {
      kind: 'conflict',
      message: expect.stringMatching(
        /^shop\/web #4 is older than #5, which was asked for in staging .* by @slack \(r1, requested\)\. Nothing was started\./,
      ),
      details: { newer: 5, deploy: newer.deploy.id, reason: 'older_build' },
    }
    await expect(ask(of(4))).rejects.toMatchObject(refusal)
    // A step is nobody.
    await expect(ask(of(4, { olderBuild: true }))).rejects.toMatchObject(refusal)
    expect((await ask(of(4, { olderBuild: true }), person)).repeated).toBe(false)
    // It only grows.
    await expect(ask(of(3))).rejects.toThrow(/older than #5/)
    expect((await ask(of(6))).repeated).toBe(false)
    // Another job counts for itself.
    expect((await ask(of(1, { source: { job: 'shop/other' } }))).repeated).toBe(false)
  })
  it('never wins a race', async () => {
    const numbers = [3, 1, 5, 2, 4]
    const answers = await Promise.allSettled(numbers.map(number => ask(of(number))))
    const refused = answers.flatMap(one => (one.status === 'rejected' ? [String(one.reason)] : []))
    for (const words of refused) expect(words).toMatch(/is older than|at the same moment/)
    const newest = await world.kv.get(world.keys.newestBuild('staging', 'web', job))
    const done = (await world.deploys()).map(deploy => deploy.source.build ?? 0)
    expect(JSON.parse(newest?.value ?? '')).toMatchObject({ number: Math.max(...done) })
  })
})

describe('its message', () => {
  const known = async (channels: readonly string[]) => {
    const told = channels.map(channel => ({ channel, events: 'all' as const }))
    const build = { ...blankBuild({ id: 'b1', now: 1, job, apps: ['web'] }), number: 1, told }
    await world.kv.commit({ compares: [], writes: buildCommit(world.keys, build).writes, repeatable: true })
  }
  const table: [string, string[], Input, string | undefined, object | null][] = [
    ['goes below that of its build', ['C1', 'C2'], {}, undefined, { under: 'b1.C1', channels: ['C1'] }],
    [
      'in the channel of the environment, if it is told there',
      ['C1', 'C0PROD'],
      { environment: 'production' },
      undefined,
      { under: 'b1.C0PROD', channels: ['C0PROD'] },
    ],
    [
      'where it was clicked, before all',
      ['C0PROD', 'C1', 'C2'],
      { environment: 'production' },
      'C2',
      { under: 'b1.C2', channels: ['C2', 'C0PROD'] },
    ],
    [
      'stays on its own where the build is told nowhere',
      [],
      { environment: 'production' },
      undefined,
      { channels: ['C0PROD'] },
    ],
  ]
  it.each(table)('%s', async (_, channels, input, channel, expected) => {
    await known(channels)
    const { deploy } = await ask(of(1, input), step, channel ? { channel } : undefined)
    const entry = await world.kv.get(world.keys.message(deploy.id))
    expect(entry && decode(messagesSchema, entry).value).toEqual({
      schema: 1,
      deploy: deploy.id,
      main: null,
      thread: {},
      direct: {},
      ...expected,
    })
    expect(await world.kv.get(world.keys.jenkinsOpenEntry('b1'))).not.toBe(null)
  })
})

it('the key of a build goes with its deploy, unless it was deployed again; the newest stays', async () => {
  const { kv, keys } = world
  const ids: Deploy[] = []
  for (let build = 1; build <= 8; build++) {
    const { deploy } = await ask(of(build))
    await endDeploy(world, deploy.id, 'failed')
    ids.push(deploy)
  }
  const again = await ask(of(1, { again: true, olderBuild: true }), person)
  await endDeploy(world, again.deploy.id, 'failed')
  const live = { deploys: new Map(), locks: new Map(), freezes: new Map() }
  const staging = world.environments.get('staging')
  const sweeper = createSweeper({
    kv,
    keys,
    clock,
    view: { live } as never,
    ledger: {} as never,
    environment: () => staging && { ...staging, history: 5 },
    swept: () => undefined,
    failed: error => {
      throw error
    },
  })
  const entry = await kv.get(keys.deploy(again.deploy.id))
  if (!entry) throw new Error('it is not there')
  await sweeper.prune(decode(deploySchema, entry).value)
  const kept = (await world.under(`${keys.root}builds/staging/web/${encodeURIComponent(job)}/`)).map(Number)
  expect(kept.toSorted()).toEqual([1, 5, 6, 7, 8])
  expect(await kv.get(keys.deploy(ids[0]?.id ?? ''))).toBe(null)
  expect(JSON.parse((await kv.get(keys.newestBuild('staging', 'web', job)))?.value ?? '')).toMatchObject({
    number: 8,
  })
})
