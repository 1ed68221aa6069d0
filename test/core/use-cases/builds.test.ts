// Builds that people ask for: durable first, checked against what Jenkins takes, judged by the apps that a job feeds.
import { describe, expect, it } from 'vitest'
import { type Build, buildSchema } from '../../../src/core/builds/build.ts'
import { JenkinsError } from '../../../src/core/builds/jenkins.ts'
import { askedBuild, blankBuild } from '../../../src/core/builds/records.ts'
import { newId, read } from '../../../src/core/records.ts'
import { builds } from '../../../src/core/use-cases/builds.ts'
import type { Deps } from '../../../src/core/use-cases/deps.ts'
import { subscriptions } from '../../../src/core/use-cases/subscriptions.ts'
import { UserError } from '../../../src/errors.ts'
import {
  ana,
  ben,
  buildsWorld,
  callerOf,
  down,
  eve,
  grant,
  jobFacts,
  olga,
  parameter,
  vic,
} from './builds-world.ts'

const ask = (more: object = {}) => ({ job: 'shop/web', parameters: {}, ...more })
const refusal = async (work: Promise<unknown>) => {
  const error: unknown = await work.then(
    () => null,
    (one: unknown) => one,
  )
  if (!(error instanceof UserError)) throw new Error(`not refused: ${error}`)
  const { kind, message, details } = error
  return { kind, message, details }
}

describe('without a Jenkins', () => {
  const deps = {} as Deps
  it.each(['build', 'job', 'jobs', 'showBuild', 'builds', 'stopBuild', 'answerInput', 'buildLog'] as const)(
    '%s says so',
    async verb => {
      const call = builds(deps)[verb] as () => Promise<unknown>
      expect(await refusal(call())).toMatchObject({
        kind: 'unavailable',
        message: expect.stringMatching(/No Jenkins is configured/),
      })
    },
  )
  it('so do subscriptions', async () => {
    expect((await refusal(subscriptions(deps).subscriptions(ana, {}))).kind).toBe('unavailable')
  })
  it('with hooks only, what is known is shown and nothing is started', async () => {
    const { core } = await buildsWorld({ jenkins: null })
    expect((await refusal(core.build(ana, ask()))).message).toMatch(
      /set jenkins\.url, jenkins\.user and a token/,
    )
    expect(await core.builds(ana, { limit: 5 })).toEqual([])
    expect(await core.jobs(ana, 'web')).toEqual([{ job: 'shop/web', apps: ['web'] }])
  })
})

describe('asking for a build', () => {
  it('is a record, its audit entry and its message, in one transaction', async () => {
    const world = await buildsWorld({
      jobs: [jobFacts('shop/web', { parameters: [parameter('BRANCH'), parameter('CLEAN', 'boolean')] })],
      channel: 'C0BUILDS',
    })
    const { kv, keys, core } = world
    const { build, repeated } = await core.build(
      ana,
      ask({ parameters: { BRANCH: ' main', CLEAN: 'yes' } }),
      { channel: 'C0DEV' },
    )
    expect(repeated).toBe(false)
    expect(build).toMatchObject({
      phase: 'asked',
      job: 'shop/web',
      apps: ['web'],
      number: null,
      parameters: { BRANCH: ' main', CLEAN: 'true' },
      askedBy: { name: 'ana' },
      told: [
        { channel: 'C0DEV', events: 'asked' },
        { channel: 'C0BUILDS', events: 'changes' },
      ],
    })
    const record = await read(kv, buildSchema, keys.jenkinsBuild(build.id))
    expect(record?.value).toEqual(build)
    const together = [
      keys.jenkinsOpenEntry(build.id),
      keys.message(`${build.id}.C0DEV`),
      keys.outboxEntry(`${build.id}.C0BUILDS`),
    ]
    for (const key of together) expect((await kv.get(key))?.createRevision, key).toBe(record?.createRevision)
    expect(await world.audit()).toMatchObject([
      { action: 'build', outcome: 'asked', app: 'web', detail: 'shop/web BRANCH= main CLEAN=true' },
    ])
  })

  it('is one for the same key, at the same moment too, and another for another key', async () => {
    const { core, kv, keys } = await buildsWorld()
    const same = ask({ idempotencyKey: 'click-1' })
    const all = await Promise.all([1, 2, 3, 4].map(() => core.build(ana, same)))
    expect(new Set(all.map(one => one.build.id)).size).toBe(1)
    expect(all.filter(one => !one.repeated)).toHaveLength(1)
    await core.build(ana, ask({ idempotencyKey: 'click-2' }))
    // A key is of one person.
    await core.build(ben, same)
    expect((await kv.list(keys.jenkinsBuilds)).entries).toHaveLength(3)
    expect(
      await refusal(core.build(ana, { ...same, job: 'shop/web', parameters: { A: '1' } })),
    ).toMatchObject({
      kind: 'conflict',
      message: expect.stringMatching(/key was used before/),
    })
  })

  it('reads the job once for a form and its submission, and again later', async () => {
    const world = await buildsWorld()
    await world.core.job(ana, 'shop/web')
    await world.core.build(ana, ask())
    expect(world.asked()).toBe(1)
    world.later(60_000)
    await world.core.build(ana, ask())
    expect(world.asked()).toBe(2)
  })

  const jobs = [
    jobFacts('shop/web', {
      parameters: [
        parameter('BRANCH'),
        parameter('TARGET', 'choice', { choices: ['staging', 'production'] }),
        parameter('CLEAN', 'boolean'),
        parameter('TOKEN', 'password'),
        parameter('PATCH', 'file'),
        parameter('NOTES', 'text'),
      ],
    }),
    jobFacts('shop/plain'),
    jobFacts('shop/old', { buildable: false }),
    jobFacts('shop', { kind: 'folder', buildable: false }),
    jobFacts('shop/multi', { kind: 'folder', buildable: false }),
    jobFacts('shop/multi/main'),
  ]
  const bad: readonly (readonly [string, object, string, RegExp])[] = [
    [
      'an unknown parameter',
      { parameters: { BRNCH: 'x' } },
      'bad_input',
      /`BRNCH` is not a parameter of shop\/web\. Did you mean `BRANCH`\?/,
    ],
    ['one in small letters', { parameters: { branch: 'x' } }, 'bad_input', /Did you mean `BRANCH`\?/],
    [
      'a choice that is none',
      { parameters: { TARGET: 'stagin' } },
      'bad_input',
      /`stagin` is not a choice of TARGET\. Did you mean `staging`\?/,
    ],
    ['a far choice', { parameters: { TARGET: 'moon' } }, 'bad_input', /There is: staging, production\./],
    [
      'neither true nor false',
      { parameters: { CLEAN: 'maybe' } },
      'bad_input',
      /CLEAN is true or false, not `maybe`/,
    ],
    [
      'a secret',
      { parameters: { TOKEN: 's3cret' } },
      'bad_input',
      /TOKEN is a secret.*http:\/\/jenkins\.example\.com\/job\/shop\/job\/web\//,
    ],
    ['a file', { parameters: { PATCH: 'x' } }, 'bad_input', /PATCH is a file/],
    [
      'more than a record holds',
      { parameters: Object.fromEntries(['NOTES', 'BRANCH'].map(name => [name, 'x'.repeat(20_000)])) },
      'too_large',
      /40\d\d\d characters together/,
    ],
    [
      'a parameter for a job without any',
      { job: 'shop/plain', parameters: { A: '1' } },
      'bad_input',
      /shop\/plain takes no parameters/,
    ],
    [
      'a disabled job',
      { job: 'shop/old' },
      'conflict',
      /shop\/old is disabled in Jenkins, so nothing was started/,
    ],
    [
      'a folder',
      { job: 'shop/multi' },
      'bad_input',
      /`shop\/multi` is a folder of jobs.*In it: `shop\/multi\/main`\./,
    ],
    [
      'a job that is not there',
      { job: 'shop/wbe' },
      'not_found',
      /Jenkins has no job `shop\/wbe`.*Did you mean `shop\/web`\?/,
    ],
    ['a leaf without its folder', { job: 'web' }, 'not_found', /Did you mean `shop\/web`\?/],
  ]
  it.each(bad)('refuses %s, and nothing is written', async (_, more, kind, message) => {
    const { core, kv, keys } = await buildsWorld({ jobs })
    expect(await refusal(core.build(olga, ask(more)))).toMatchObject({
      kind,
      message: expect.stringMatching(message),
    })
    expect((await kv.list(keys.jenkinsBuilds)).entries).toEqual([])
    expect((await kv.list(keys.auditIn('-'))).entries).toEqual([])
  })
  it('never lets a secret into the record, the audit or the words', async () => {
    const { core, kv } = await buildsWorld({ jobs })
    const error = await refusal(core.build(ana, ask({ parameters: { TOKEN: 'hunter2secret' } })))
    expect(error.message + JSON.stringify(error.details)).not.toContain('hunter2secret')
    expect(JSON.stringify((await kv.list(kv.root)).entries)).not.toContain('hunter2secret')
  })

  it.each([
    [
      'down',
      down(),
      'unavailable',
      /Jenkins does not answer, so nothing was started\. Try again in a minute/,
    ],
    [
      'not letting gkube in',
      new JenkinsError('forbidden', '403'),
      'unavailable',
      /its user there lacks the right/,
    ],
    [
      'refusing',
      new JenkinsError('refused', 'token=abcdefgh no'),
      'conflict',
      /Jenkins refused it, so nothing was started: token=\[redacted\]/,
    ],
  ])(
    'with Jenkins %s: says so, nothing is started, and the next one works',
    async (_, error, kind, message) => {
      let broken = true
      const { core, kv, keys } = await buildsWorld({
        jenkins: {
          job: async job => {
            if (broken) throw error
            return jobFacts(job)
          },
        },
      })
      expect(await refusal(core.build(ana, ask()))).toMatchObject({
        kind,
        message: expect.stringMatching(message),
      })
      expect((await kv.list(keys.jenkinsBuilds)).entries).toEqual([])
      broken = false
      expect((await core.build(ana, ask())).build.phase).toBe('asked')
    },
  )
})

describe('who may', () => {
  const jobs = ['shop/web', 'shop/web/feature%2Flogin', 'infra/backup', 'pay/api'].map(job => jobFacts(job))
  const fed = { 'shop/web': 'web', 'pay/api': 'api' }
  const cases: readonly (readonly [string, typeof ana, string, RegExp | null])[] = [
    ['a deployer of its app', ana, 'shop/web', null],
    ['a deployer of its app, a branch', ana, 'shop/web/feature%2Flogin', null],
    ['a deployer of another app', ana, 'pay/api', /ana may not start builds of api\. Who may: @olga\./],
    ['a viewer', vic, 'shop/web', /vic may not start builds of web\. Who may: @ana, @ben, @olga\./],
    [
      'a deployer of everything: a job of no app',
      callerOf('dora', grant('deployer')),
      'infra/backup',
      /feeds no app, so it is for operators of everything\..*Who may: @olga\./,
    ],
    [
      'an operator in one environment: a job of no app',
      callerOf('otto', grant('operator', ['*'], ['staging'])),
      'infra/backup',
      /Who may: @olga/,
    ],
    ['an operator of everything: a job of no app', olga, 'infra/backup', null],
    [
      'nobody, with a near miss that they may not see',
      eve,
      'shop/wbe',
      /for operators of everything\. Who may/,
    ],
    ['a deployer who slipped', ana, 'shop/wbe', /Did you mean `shop\/web`\? Who may: @olga/],
  ]
  it.each(cases)('%s', async (_, caller, job, denied) => {
    const { core } = await buildsWorld({ jobs, fed })
    const work = core.build(caller, ask({ job }))
    if (denied === null) expect((await work).build.job).toBe(job)
    else
      expect(await refusal(work)).toMatchObject({ kind: 'forbidden', message: expect.stringMatching(denied) })
  })
  it('finds jobs: of apps first, then what Jenkins has, only what they may see', async () => {
    const { core } = await buildsWorld({
      jobs: [...jobs, jobFacts('infra', { kind: 'folder' }), jobFacts('shop', { kind: 'folder' })],
      fed,
    })
    const names = async (caller: typeof ana, text: string) =>
      (await core.jobs(caller, text)).map(one => one.job)
    expect(await names(ana, '')).toEqual(['shop/web'])
    expect(await names(olga, '')).toEqual(['pay/api', 'shop/web'])
    expect(await names(ana, 'infra')).toEqual([])
    expect(await names(olga, 'infra')).toEqual(['infra/backup'])
    expect(await names(olga, 'INFRA/b')).toEqual([])
    expect(await names(olga, 'infra/B')).toEqual(['infra/backup'])
    expect(await names(ana, 'shop/web/')).toEqual(['shop/web/feature%2Flogin'])
    expect(await names(eve, '')).toEqual([])
  })
  it('finds the jobs of apps while Jenkins is down or slow, and asks again after that', async () => {
    let answer: () => Promise<never[]> = async () => {
      throw down()
    }
    let asks = 0
    const { core, later } = await buildsWorld({
      jenkins: {
        jobs: () => {
          asks++
          return answer()
        },
      },
    })
    expect(await core.jobs(olga, 'web')).toEqual([{ job: 'shop/web', apps: ['web'] }])
    answer = () => new Promise(() => undefined)
    expect(await core.jobs(olga, 'web')).toEqual([{ job: 'shop/web', apps: ['web'] }])
    later(31_000)
    answer = async () => []
    await core.jobs(olga, 'web')
    await core.jobs(olga, 'web')
    expect(asks).toBe(3)
  })
})

const running = (world: Awaited<ReturnType<typeof buildsWorld>>, more: Partial<Build> = {}): Build => ({
  ...blankBuild({ id: newId(world.now()), now: world.now(), job: 'shop/web', apps: ['web'] }),
  number: 214,
  startedAt: world.now(),
  ...more,
})

describe('looking', () => {
  it('lists newest first: all, of an app, of a job by its numbers, what waits before them', async () => {
    const world = await buildsWorld({ fed: { 'shop/web': 'web', 'pay/api': 'api' } })
    const put = async (more: Partial<Build>) => {
      world.later(1000)
      return world.put(running(world, more))
    }
    const late = await put({ number: 216 })
    const early = await put({ number: 215 })
    const other = await put({ job: 'pay/api', apps: ['api'], number: 3 })
    world.later(1000)
    const { build: waiting } = await world.core.build(ana, ask())
    const ids = (found: readonly Build[]) => found.map(one => one.id)
    const { core } = world
    expect(ids(await core.builds(olga, { limit: 10 }))).toEqual(
      [waiting, other, early, late].map(one => one.id),
    )
    expect(ids(await core.builds(ana, { limit: 10 }))).toEqual([waiting, early, late].map(one => one.id))
    expect(ids(await core.builds(ana, { app: 'web', limit: 2 }))).toEqual([waiting, early].map(one => one.id))
    expect(ids(await core.builds(ana, { job: 'shop/web', limit: 10 }))).toEqual(
      [waiting, late, early].map(one => one.id),
    )
    expect((await refusal(core.builds(ana, { app: 'api', limit: 1 }))).kind).toBe('forbidden')
    expect((await refusal(core.builds(ana, { job: 'pay/api', limit: 1 }))).kind).toBe('forbidden')
  })
  it('shows a build to who asked for it, though they may not look any more; to no stranger', async () => {
    const world = await buildsWorld()
    const { build } = await world.core.build(ana, ask())
    expect((await world.core.showBuild({ ...ana, grants: [] }, build.id)).id).toBe(build.id)
    expect((await refusal(world.core.showBuild(eve, build.id))).kind).toBe('forbidden')
    expect(await refusal(world.core.showBuild(ana, '../x'))).toMatchObject({
      kind: 'not_found',
      message: expect.stringMatching(/See: gkube builds/),
    })
  })
  it('has the last lines of the console without secrets, from what was kept where Jenkins is gone', async () => {
    let tail = async () => 'one\r\ntwo password=hunter2\nthree\n'
    const world = await buildsWorld({ jenkins: { tail: () => tail() } })
    const build = await world.put(running(world))
    const log = () => world.core.buildLog(vic, build.id, { lines: 2 })
    expect(await log()).toEqual(['two password=[redacted]', 'three'])
    tail = async () => {
      throw down()
    }
    expect(await refusal(log())).toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/no console output to show/),
    })
    const { kv, keys } = world
    const console = { schema: 1, lines: ['kept'], at: 1 }
    await kv.commit({
      compares: [{ kind: 'absent', key: keys.jenkinsConsole(build.id) }],
      writes: [{ kind: 'put', key: keys.jenkinsConsole(build.id), value: JSON.stringify(console) }],
    })
    expect(await log()).toEqual(['kept'])
    const { build: waiting } = await world.core.build(ana, ask())
    expect((await refusal(world.core.buildLog(ana, waiting.id, { lines: 2 }))).message).toMatch(
      /has not started yet/,
    )
  })
})

describe('stopping', () => {
  it('is a wish in the record with its audit entry; the second person hears who was first', async () => {
    const world = await buildsWorld()
    const { core } = world
    const { id } = await world.put(running(world))
    const stopped = await core.stopBuild(ana, id, { reason: 'wrong branch' })
    expect(stopped.stop).toMatchObject({ state: 'wanted', by: { name: 'ana' } })
    expect(await world.audit()).toMatchObject([
      { action: 'stop_build', app: 'web', detail: 'shop/web #214 wrong branch' },
    ])
    world.later(120_000)
    expect(await refusal(core.stopBuild(ben, id, { reason: '' }))).toMatchObject({
      kind: 'conflict',
      message: 'shop/web #214 is being stopped already. @ana was first: asked to stop it 2 minutes ago.',
    })
    // The same person again is no second wish.
    expect((await core.stopBuild(ana, id, { reason: '' })).stop).toEqual(stopped.stop)
    expect(await world.audit()).toHaveLength(1)
  })
  it.each([
    [
      'finished',
      { phase: 'finished', result: 'SUCCESS', endedAt: Date.UTC(2026, 10, 23, 11, 55) },
      'conflict',
      /ended with SUCCESS 5 minutes ago: nothing is left to stop/,
    ],
    ['cancelled', { phase: 'cancelled' }, 'conflict', /is cancelled: nothing is left to stop/],
    ['finishing', { phase: 'finishing', result: 'FAILURE' }, 'conflict', /only finishes/],
    ['refused before: again', { stop: { by: ben.actor, at: 1, state: 'refused' } }, null, /./],
  ] as const)('%s', async (_, more, kind, message) => {
    const world = await buildsWorld()
    const { id } = await world.put(running(world, more as Partial<Build>))
    const work = world.core.stopBuild(ana, id, { reason: '' })
    if (kind === null) expect((await work).stop?.by.name).toBe('ana')
    else expect(await refusal(work)).toMatchObject({ kind, message: expect.stringMatching(message) })
  })
  it('is for those who may build it, and for who asked for it', async () => {
    const world = await buildsWorld()
    const { id } = await world.put(running(world))
    expect(await refusal(world.core.stopBuild(vic, id, { reason: '' }))).toMatchObject({ kind: 'forbidden' })
    const own = askedBuild({
      id: newId(world.now()),
      now: world.now(),
      by: vic.actor,
      job: 'shop/web',
      apps: ['web'],
      parameters: {},
      told: [],
    })
    await world.put(own)
    expect((await world.core.stopBuild(vic, own.id, { reason: '' })).stop?.state).toBe('wanted')
  })
})

describe('an input of a pipeline', () => {
  const input = (more: Partial<Build['inputs'][number]> = {}): Build['inputs'][number] => ({
    id: 'Deploy/now',
    message: 'Deploy it?',
    proceed: 'Ship',
    parameters: [parameter('TARGET', 'choice', { choices: ['a', 'b'] }), parameter('PASS', 'password')],
    submitters: [],
    askedAt: 1,
    answer: null,
    over: false,
    ...more,
  })
  const proceed = { input: 'Deploy/now', decision: 'proceed' as const, parameters: {} }

  it('takes the first answer; the later one hears who was first, of ten at the same moment one wins', async () => {
    const world = await buildsWorld()
    const { id } = await world.put(running(world, { inputs: [input()] }))
    const crowd = Array.from({ length: 10 }, (_, i) => callerOf(`p${i}`, grant('deployer', ['web'])))
    const answers = await Promise.allSettled(
      crowd.map((caller, i) =>
        world.core.answerInput(caller, id, { ...proceed, decision: i % 2 ? 'abort' : 'proceed' }),
      ),
    )
    expect(answers.filter(one => one.status === 'fulfilled')).toHaveLength(1)
    expect(await world.audit()).toHaveLength(1)
    const { answer } = (await world.core.showBuild(ana, id)).inputs[0] ?? {}
    world.later(120_000)
    const error = await refusal(world.core.answerInput(ana, id, proceed))
    const did = answer?.decision === 'proceed' ? 'proceeded' : 'aborted it'
    expect(error).toMatchObject({
      kind: 'conflict',
      message: `@${answer?.by.name} was first: ${did} 2 minutes ago.`,
    })
  })
  it('keeps what was given, and the same person’s same answer again is the same', async () => {
    const world = await buildsWorld()
    const { id } = await world.put(running(world, { inputs: [input(), input({ id: 'other' })] }))
    const given = { ...proceed, parameters: { TARGET: 'B' } }
    const build = await world.core.answerInput(ana, id, given)
    expect(build.inputs[0]?.answer).toMatchObject({
      decision: 'proceed',
      state: 'wanted',
      parameters: { TARGET: 'b' },
    })
    expect(build.inputs[1]?.answer).toBeNull()
    expect((await world.core.answerInput(ana, id, given)).inputs).toEqual(build.inputs)
    expect(
      (await refusal(world.core.answerInput(ana, id, { ...proceed, decision: 'abort' }))).message,
    ).toMatch(/@ana was first/)
    expect(await world.audit()).toMatchObject([
      { action: 'answer_input', outcome: 'proceed', detail: 'shop/web #214: Deploy it? TARGET=b' },
    ])
  })
  const cases: readonly (readonly [string, Partial<Build>, typeof ana, object, string, RegExp])[] = [
    ['one that is not there', {}, ana, { input: 'gone' }, 'not_found', /does not ask that \(any more\)/],
    [
      'one that went on',
      { inputs: [input({ over: true })] },
      ana,
      {},
      'conflict',
      /was answered in Jenkins, or went on without/,
    ],
    ['a build that ended', { phase: 'finished' }, ana, {}, 'conflict', /does not wait for that any more/],
    [
      'a viewer',
      {},
      vic,
      {},
      'forbidden',
      /vic may not answer the pipelines of web\. Who may: @ana, @ben, @olga/,
    ],
    ['a secret', {}, ana, { parameters: { PASS: 'x' } }, 'bad_input', /PASS is a secret/],
    [
      'a parameter it does not take',
      {},
      ana,
      { parameters: { X: 'x' } },
      'bad_input',
      /not a parameter of The input of shop\/web #214/,
    ],
    [
      'not one of its submitters',
      { inputs: [input({ submitters: ['benjamin', 'release'] })] },
      ana,
      {},
      'forbidden',
      /is for @ben, release, or an operator; not for ana/,
    ],
  ]
  it.each(cases)('refuses %s', async (_, more, caller, over, kind, message) => {
    const world = await buildsWorld()
    const { id } = await world.put(running(world, { inputs: [input()], ...more }))
    const work = world.core.answerInput(caller, id, { ...proceed, ...over })
    expect(await refusal(work)).toMatchObject({ kind, message: expect.stringMatching(message) })
    expect(await world.audit()).toEqual([])
  })
  it.each([
    ['a submitter by their user id in Jenkins', 'benjamin', ben],
    ['a submitter by their key, whatever its case', 'Ana', ana],
    ['an operator, whoever it names', 'release', olga],
    ['an approver', null, callerOf('pia', grant('approver', ['web']))],
  ] as const)('is answered by %s', async (_, submitter, caller) => {
    const world = await buildsWorld()
    const { id } = await world.put(
      running(world, { inputs: [input({ submitters: submitter ? [submitter] : [] })] }),
    )
    const build = await world.core.answerInput(caller, id, { ...proceed, decision: 'abort' })
    expect(build.inputs[0]?.answer).toMatchObject({ decision: 'abort', by: { name: caller.actor.name } })
  })
})

describe('subscriptions', () => {
  const web = { channel: 'C0DEV', app: 'web', events: 'changes' } as const
  it('are made, changed and taken away, once each, with the audit', async () => {
    const world = await buildsWorld()
    const { core } = world
    await core.subscribe(ana, web)
    await core.subscribe(ana, web)
    await core.subscribe(ben, { ...web, events: 'failures' })
    expect(await core.subscriptions(vic, { channel: 'C0DEV' })).toMatchObject([
      { app: 'web', events: 'failures', by: { name: 'ben' } },
    ])
    expect(await core.subscriptions(vic, { channel: 'C0OTHER' })).toEqual([])
    expect(await core.unsubscribe(ana, { channel: 'C0DEV', app: 'web' })).toEqual({ was: true })
    expect(await core.unsubscribe(ana, { channel: 'C0DEV', app: 'web' })).toEqual({ was: false })
    expect((await world.audit()).map(one => `${one.action} ${one.outcome}`)).toEqual([
      'subscribe subscribed',
      'subscribe changed',
      'unsubscribe unsubscribed',
    ])
  })
  it.each([
    ['a viewer', vic, web, 'forbidden', /vic may not subscribe channels to web/],
    [
      'all apps by who has one',
      ana,
      { ...web, app: '*' },
      'forbidden',
      /ana may not subscribe channels to all apps/,
    ],
    ['an app that is not there', olga, { ...web, app: 'wbe' }, 'not_found', /Did you mean `web`\?/],
  ] as const)('are refused: %s', async (_, caller, input, kind, message) => {
    const { core } = await buildsWorld()
    expect(await refusal(core.subscribe(caller, input))).toMatchObject({
      kind,
      message: expect.stringMatching(message),
    })
  })
  it('of apps that somebody may not see are not listed for them', async () => {
    const { core } = await buildsWorld()
    await core.subscribe(ana, web)
    await core.subscribe(olga, { ...web, app: '*' })
    expect(
      (await core.subscriptions(callerOf('zoe', grant('viewer', ['api'])), {})).map(one => one.app),
    ).toEqual(['*'])
  })
})
