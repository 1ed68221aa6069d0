// Builds as they are followed: from a hook, from a wish, through a Jenkins that is down, to their deploys. On a real etcd
// with a Jenkins in memory; crashes are in crashes.test.ts.
import { beforeEach, describe, expect, it } from 'vitest'
import { JenkinsError } from '../../../src/core/builds/jenkins.ts'
import { blankBuild, buildCommit, changeBuild } from '../../../src/core/builds/records.ts'
import { messagesSchema } from '../../../src/core/messages.ts'
import { decode } from '../../../src/core/records.ts'
import { ana, ben, endDeploy, job, only, startWorld, until, type World, when } from './world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
})

const down = () => new JenkinsError('unavailable', 'Jenkins does not answer (ECONNREFUSED)')
const closed = async () => (await world.under(world.keys.jenkinsOpen)).length === 0
const emptied = async () => (await world.under(world.keys.inbox)).length === 0
const messagesIn = async (id: string) => {
  const entry = await world.kv.get(world.keys.message(id))
  return entry && decode(messagesSchema, entry).value
}

describe('a hook', () => {
  it('of a build never seen makes it known, read from Jenkins, and told where it belongs', async () => {
    await world.register()
    await world.subscribe('C0TEAM', 'failures')
    await world.subscribe('C0OTHER', 'all', 'another')
    world.jenkins.run(job, 7, {
      user: 'ana.j',
      changes: [{ commit: 'abc1234', author: 'Ana', email: 'ana@example.com', message: 'Mend it' }],
      changesTotal: 1,
    })
    await world.follower()
    await world.hook({ phase: 'started', number: 7 })
    const build = await only(world, one => one.startedBy !== null)
    expect(build).toMatchObject({
      job,
      apps: ['web'],
      number: 7,
      phase: 'running',
      result: null,
      verified: false,
      commit: 'c0ffee1',
      startedBy: { name: 'ana', slack: 'U1' },
      changes: [{ author: 'Ana', slack: 'U1' }],
      told: [
        { channel: 'C0TEAM', events: 'failures' },
        { channel: 'C0BUILDS', events: 'changes' },
      ],
    })
    expect(await messagesIn(`${build.id}.C0TEAM`)).toEqual({
      schema: 1,
      deploy: build.id,
      of: 'build',
      channels: ['C0TEAM'],
      main: null,
      thread: {},
      direct: {},
    })
    expect(await world.under(world.keys.outbox)).toEqual([`${build.id}.C0BUILDS`, `${build.id}.C0TEAM`])
    world.jenkins.tests_.set(`${job} 7`, { total: 3, failed: 1, skipped: 0, names: ['A.b'] })
    world.jenkins.logs.set(`${job} 7`, 'building\n\u001b[31mpassword=hunter22\u001b[0m\r\nboom\n')
    world.jenkins.end(job, 7, 'FAILURE')
    const ended = await only(world, one => one.phase === 'finished')
    expect(ended).toMatchObject({
      result: 'FAILURE',
      verified: true,
      turn: 'first_failure',
      failingSince: 7,
      durationMs: 1234,
      tests: { failed: 1, names: ['A.b'] },
      offers: [],
      deploys: [],
    })
    const console = await world.kv.get(world.keys.jenkinsConsole(build.id))
    expect(JSON.parse(console?.value ?? '')).toMatchObject({
      lines: ['building', 'password=[redacted]', 'boom'],
    })
    await until(closed)
    expect(await emptied()).toBe(true)
  })

  it('is one build however often and in whatever order its phases come', async () => {
    await world.register()
    world.jenkins.run(job, 1)
    world.jenkins.end(job, 1, 'SUCCESS')
    const follower = await world.follower()
    const phases = [
      'finalized',
      'started',
      'finished',
      'finalized',
      'queued',
      'started',
      'finalized',
    ] as const
    await Promise.all(
      phases.map(phase => world.hook({ phase, result: phase === 'started' ? null : 'SUCCESS' })),
    )
    await until(emptied)
    expect(await only(world, one => one.phase === 'finished')).toMatchObject({
      turn: 'first',
      verified: true,
    })
    expect(follower.log).toEqual([])
  })

  it('is a hint: Jenkins says what it was', async () => {
    await world.register({ deployOn: 'success' })
    world.jenkins.run(job, 1)
    world.jenkins.end(job, 1, 'UNSTABLE')
    await world.follower()
    await world.hook({ phase: 'finalized', result: 'SUCCESS' })
    expect(await only(world, one => one.phase === 'finished')).toMatchObject({
      result: 'UNSTABLE',
      verified: true,
    })
    await until(closed)
    expect(await world.deploys()).toEqual([])
  })

  it('of a build that Jenkins does not know is claimed by nobody', async () => {
    await world.register({ deployOn: 'success' })
    await world.follower()
    await world.hook({ phase: 'finalized', result: 'SUCCESS', number: 99 })
    expect(await only(world, one => one.phase === 'lost')).toMatchObject({
      result: null,
      verified: false,
      turn: null,
    })
    await until(closed)
    expect(await world.deploys()).toEqual([])
  })

  it('goes below the message of the deploy that its build was told by first', async () => {
    await world.register()
    const { deploy } = await world.core.request(
      { actor: ana, grants: [{ role: 'admin', apps: ['*'], environments: ['*'] }] },
      {
        kind: 'deploy',
        app: 'web',
        environment: 'production',
        revision: '1',
        claims: [],
        replace: false,
        force: false,
        wait: true,
        olderBuild: false,
        again: false,
        source: { job, build: 1, url: null, note: '' },
      },
    )
    world.jenkins.run(job, 1)
    await world.follower()
    await world.hook({ phase: 'started' })
    const build = await only(world, one => one.deploys.length === 1)
    expect(build.deploys).toMatchObject([{ id: deploy.id, environment: 'production', phase: 'requested' }])
    expect((await messagesIn(`${build.id}.C0PROD`))?.under).toBe(deploy.id)
    expect((await messagesIn(`${build.id}.C0BUILDS`))?.under).toBeUndefined()
  })
})

describe('without a server', () => {
  it('hooks are believed, an end that stays provisional too, and deploys follow', async () => {
    await world.register({
      environments: { staging: { deployOn: 'success' }, production: { deployOn: 'success' } },
    })
    await world.follower({ hooksOnly: true })
    await world.hook({ phase: 'finished', result: 'SUCCESS', commit: 'c0ffee1' })
    const provisional = await only(world, one => one.phase === 'finishing')
    expect(provisional.turn).toBe(null)
    const build = await only(world, one => one.deploys.length === 1)
    expect(build).toMatchObject({
      phase: 'finished',
      result: 'SUCCESS',
      verified: false,
      toldAt: null,
      deploys: [{ app: 'web', environment: 'staging', revision: 'c0ffee1' }],
      offers: [{ app: 'web', environment: 'production', revision: 'c0ffee1', loud: true }],
    })
  })
  it('a finalized failure and the return to normal are told by turns', async () => {
    await world.register()
    await world.follower({ hooksOnly: true })
    const results = ['SUCCESS', 'FAILURE', 'UNSTABLE', 'ABORTED', 'SUCCESS', 'SUCCESS'] as const
    for (const [at, result] of results.entries()) {
      await world.hook({ phase: 'finalized', number: at + 1, result })
      await until(emptied)
    }
    const all = (await world.builds()).toSorted((a, b) => (a.number ?? 0) - (b.number ?? 0))
    expect(all.map(one => one.turn)).toEqual([
      'first',
      'first_failure',
      'still_failing',
      'aborted',
      'back_to_normal',
      'passed',
    ])
  })
})

describe('while Jenkins is down', () => {
  it('a result is not confirmed, then it is, and told and deployed once', async () => {
    await world.register({ environments: { staging: { deployOn: 'success' } } })
    world.jenkins.run(job, 1)
    world.jenkins.fault = down()
    await world.follower()
    await world.hook({ phase: 'finalized', result: 'SUCCESS' })
    const waits = await only(world, one => /not confirmed yet/.test(one.note))
    expect(waits).toMatchObject({ phase: 'finishing', result: 'SUCCESS', verified: false, deploys: [] })
    for (let again = 0; again < 3; again++) await world.hook({ phase: 'finalized', result: 'SUCCESS' })
    await until(emptied)
    expect(await world.deploys()).toEqual([])
    world.jenkins.end(job, 1, 'SUCCESS')
    world.jenkins.fault = null
    const build = await only(world, one => one.deploys.length === 1)
    expect(build).toMatchObject({ phase: 'finished', verified: true, turn: 'first', note: '' })
    expect(await world.deploys()).toHaveLength(1)
  })
  it('for too long, it is said that nobody confirmed it, and nothing is deployed', async () => {
    await world.register({ environments: { staging: { deployOn: 'success' } } })
    world.jenkins.fault = down()
    await world.follower({ times: { unconfirmed: 200 } })
    await world.hook({ phase: 'finalized', result: 'SUCCESS' })
    const build = await only(world, one => one.phase === 'finished')
    expect(build).toMatchObject({ result: 'SUCCESS', verified: false, turn: null, offers: [], settled: true })
    expect(build.note).toMatch(/did not confirm this.*nothing was deployed/)
    await until(closed)
    expect(await world.deploys()).toEqual([])
  })
  it('a build that is waited for is found without any hook', async () => {
    await world.register()
    await world.follower()
    const id = await world.ask()
    await when(world, id, one => one.phase === 'running')
    world.jenkins.fault = down()
    const calls = world.jenkins.calls.length
    world.jenkins.end(job, 1, 'SUCCESS')
    await until(() => world.jenkins.calls.length > calls + 2)
    expect((await world.build(id)).phase).toBe('running')
    world.jenkins.fault = null
    expect(await when(world, id, one => one.phase === 'finished')).toMatchObject({
      result: 'SUCCESS',
      verified: true,
    })
  })
  it('a wish waits, and is given up after a while', async () => {
    world.jenkins.fault = down()
    await world.follower({ times: { patience: 300 } })
    const id = await world.ask()
    const build = await when(world, id, one => one.phase === 'not_started')
    expect(build.note).toMatch(/could not be asked for it for too long, so nothing was started.*ECONNREFUSED/)
    expect(world.jenkins.posts).toEqual([])
  })
})

describe('a wish', () => {
  it('is asked, waits in the queue, runs and ends; its hook is of the same build', async () => {
    await world.register()
    world.jenkins.hold = true
    await world.follower()
    const id = await world.ask(ana, 'C0ASK', { WHO: 'me' })
    const queued = await when(world, id, one => one.note !== '')
    expect(queued).toMatchObject({
      phase: 'queued',
      queueId: 101,
      number: null,
      note: 'Waiting for an executor',
    })
    const number = world.jenkins.leave(101)
    await world.hook({ phase: 'started', number, queueId: 101 })
    await when(world, id, one => one.phase === 'running')
    world.jenkins.end(job, number, 'SUCCESS')
    await world.hook({ phase: 'finalized', number, result: 'SUCCESS' })
    expect(await when(world, id, one => one.phase === 'finished')).toMatchObject({
      number: 1,
      askedBy: ana,
      parameters: { WHO: 'me' },
      told: [
        { channel: 'C0ASK', events: 'asked' },
        { channel: 'C0BUILDS', events: 'changes' },
      ],
    })
    expect(await world.builds()).toHaveLength(1)
    expect(world.jenkins.posts).toEqual([{ job, parameters: { WHO: 'me' }, queueId: 101 }])
  })
  it('whose hook comes first, without a place in the queue, is not told twice', async () => {
    world.jenkins.hold = true
    await world.follower({ times: { slowest: 60_000 } })
    const id = await world.ask()
    await when(world, id, one => one.phase === 'queued')
    const number = world.jenkins.leave(101)
    await world.hook({ phase: 'started', number })
    await until(emptied)
    expect(await world.builds()).toMatchObject([{ id, number }])
  })
  it('that is refused says why', async () => {
    world.jenkins.fault = new JenkinsError('refused', 'shop/web is disabled')
    await world.follower()
    const id = await world.ask()
    expect(await when(world, id, one => one.phase === 'not_started')).toMatchObject({
      note: 'shop/web is disabled',
    })
    await until(closed)
  })
  it('that joins one in the queue ends, and names it; its channel hears of that one', async () => {
    Object.assign(world.jenkins, { hold: true, coalesce: true })
    await world.follower()
    const first = await world.ask(ana, 'C0ONE')
    await when(world, first, one => one.phase === 'queued')
    const second = await world.ask(ben, 'C0TWO')
    expect(await when(world, second, one => one.phase === 'not_started')).toMatchObject({
      joined: first,
      note: expect.stringMatching(/as one with shop\/web, which ana asked for/),
    })
    expect((await world.build(first)).told).toEqual([
      { channel: 'C0ONE', events: 'asked' },
      { channel: 'C0TWO', events: 'asked' },
    ])
    expect((await messagesIn(`${first}.C0TWO`))?.under).toBe(`${second}.C0TWO`)
    const number = world.jenkins.leave(101)
    world.jenkins.end(job, number, 'SUCCESS')
    await when(world, first, one => one.phase === 'finished')
    await until(closed)
  })
  it('is taken back before Jenkins was asked, in its queue, and while it runs', async () => {
    const stop = (id: string) =>
      changeBuild(world, id, build => ({ build: { ...build, stop: { by: ben, at: 1, state: 'wanted' } } }))
    const early = await world.ask()
    await stop(early)
    world.jenkins.hold = true
    await world.follower()
    expect(await when(world, early, one => one.phase === 'cancelled')).toMatchObject({
      stop: { state: 'sent' },
    })
    expect(world.jenkins.posts).toEqual([])
    const waits = await world.ask()
    await when(world, waits, one => one.phase === 'queued')
    await stop(waits)
    await when(world, waits, one => one.phase === 'cancelled')
    world.jenkins.hold = false
    const runs = await world.ask()
    await when(world, runs, one => one.phase === 'running')
    await stop(runs)
    expect(await when(world, runs, one => one.phase === 'finished')).toMatchObject({
      result: 'ABORTED',
      turn: 'aborted',
    })
    expect(world.jenkins.stopped).toEqual([`${job} 1`])
  })
  it('that Jenkins forgot is lost', async () => {
    await world.follower()
    const id = await world.ask()
    await when(world, id, one => one.phase === 'running' && one.startedAt !== null)
    world.jenkins.forget(job, 1)
    expect(await when(world, id, one => one.phase === 'lost')).toMatchObject({
      note: expect.stringMatching(/any more/),
    })
    await until(closed)
  })
})

describe('an input', () => {
  const asks = { id: 'Publish', message: 'Publish?', proceed: 'Yes', parameters: [], submitters: [] }
  const answerWith = (id: string, decision: 'proceed' | 'abort') =>
    changeBuild(world, id, build => ({
      build: {
        ...build,
        inputs: build.inputs.map(one => ({
          ...one,
          answer: { decision, by: ben, at: 1, state: 'wanted' as const, parameters: {}, note: '' },
        })),
      },
    }))
  async function paused(): Promise<string> {
    const id = await world.ask()
    await when(world, id, one => one.phase === 'running')
    world.jenkins.stages_.set(`${job} 1`, [{ name: 'Publish', state: 'paused', ms: 1 }])
    world.jenkins.inputs_.set(`${job} 1`, [asks])
    await when(world, id, one => one.inputs.length === 1)
    return id
  }
  it('is asked, answered once, and over', async () => {
    await world.follower()
    const id = await paused()
    await answerWith(id, 'proceed')
    const done = await when(world, id, one => one.inputs[0]?.over === true)
    expect(done.inputs[0]?.answer).toMatchObject({ state: 'sent', by: ben, note: '' })
    expect(world.jenkins.answered).toEqual([{ input: 'Publish', decision: 'proceed' }])
  })
  it('answered in Jenkins first refuses the late answer', async () => {
    await world.follower({ times: { slowest: 60_000 } })
    const id = await world.ask()
    await when(world, id, one => one.phase === 'running')
    world.jenkins.inputs_.set(`${job} 1`, [asks])
    await world.hook({ phase: 'started', number: 1 })
    await when(world, id, one => one.inputs.length === 1)
    world.jenkins.inputs_.set(`${job} 1`, [])
    await answerWith(id, 'abort')
    const late = await when(world, id, one => one.inputs[0]?.answer?.state === 'refused')
    expect(late.inputs[0]?.answer?.note).toMatch(/before, or went on/)
    expect(world.jenkins.answered).toEqual([])
  })
})

describe('deploys of a build', () => {
  const both = { environments: { staging: { deployOn: 'success' }, production: { deployOn: 'success' } } }
  it('follow its success once, and their state comes back', async () => {
    await world.register(both)
    await world.follower()
    const id = await world.ask()
    await when(world, id, one => one.phase === 'running')
    world.jenkins.end(job, 1, 'SUCCESS')
    await world.hook({ phase: 'finalized', number: 1, result: 'SUCCESS' })
    const build = await when(world, id, one => one.deploys.length === 1)
    expect(build.offers).toEqual([{ app: 'web', environment: 'production', revision: 'c0ffee1', loud: true }])
    const [deploy] = await world.deploys()
    expect(deploy).toMatchObject({
      revision: 'c0ffee1',
      environment: 'staging',
      requestedBy: { id: 'jenkins:shop/web', name: 'shop/web #1', via: 'jenkins' },
      source: { job, build: 1, url: 'http://jenkins.test/job/shop/web/1/', commit: 'c0ffee1' },
    })
    expect((await messagesIn(deploy?.id ?? ''))?.under).toBe(`${id}.C0ASK`)
    expect(await closed()).toBe(false)
    await endDeploy(world, deploy?.id ?? '', 'succeeded')
    await when(world, id, one => one.deploys[0]?.phase === 'succeeded')
    await until(closed)
    // A click later: it is followed again, and its message is looked at again.
    const outbox = world.keys.outboxEntry(`${id}.C0ASK`)
    const { kv, keys } = world
    await kv.commit({ compares: [], writes: [{ kind: 'delete', key: outbox }], repeatable: true })
    const click = await world.core.request(
      { actor: ana, grants: [{ role: 'admin', apps: ['*'], environments: ['*'] }] },
      {
        kind: 'deploy',
        app: 'web',
        environment: 'production',
        claims: [],
        replace: false,
        force: false,
        wait: true,
        olderBuild: false,
        again: false,
        source: { job, build: 1, url: null, note: '', commit: 'c0ffee1' },
      },
    )
    expect(click.deploy.revision).toBe('c0ffee1')
    const clicked = await when(world, id, one => one.deploys.length === 2)
    expect(clicked.offers).toEqual([])
    expect(await kv.get(outbox)).not.toBe(null)
    await endDeploy(world, click.deploy.id, 'failed')
    await when(world, id, one => one.deploys[1]?.phase === 'failed')
    await until(closed)
    expect(await kv.get(keys.newestBuild('staging', 'web', job))).not.toBe(null)
  })
  it('of an older build do not follow: a newer one was asked for', async () => {
    await world.register(both)
    world.jenkins.run(job, 1)
    world.jenkins.run(job, 2)
    world.jenkins.end(job, 2, 'SUCCESS')
    await world.follower()
    await world.hook({ phase: 'finalized', number: 2, result: 'SUCCESS' })
    await until(async () => (await world.deploys()).length === 1)
    world.jenkins.end(job, 1, 'SUCCESS')
    await world.hook({ phase: 'finalized', number: 1, result: 'SUCCESS' })
    await until(async () => (await world.builds()).filter(one => one.settled).length === 2)
    const late = (await world.builds()).find(one => one.number === 1)
    expect(late).toMatchObject({
      deploys: [],
      offers: [{ environment: 'production' }, { environment: 'staging', loud: false }],
    })
    expect(late?.note).toMatch(
      /^staging: shop\/web #1 is older than #2, which was asked for in staging .* by @shop\/web #2/,
    )
    expect(await world.deploys()).toHaveLength(1)
  })
})

it('keeps the last fifty builds of a job, and what belongs to them', async () => {
  const { kv, keys } = world
  const old = Array.from({ length: 56 }, (_, at) => at + 1)
  for (let at = 0; at < old.length; at += 20) {
    const writes = old.slice(at, at + 20).flatMap(number => {
      const blank = blankBuild({ id: `old${number}`, now: 1, job, apps: [] })
      const told = [{ channel: 'C0OLD', events: 'all' as const }]
      const build = { ...blank, number, queueId: number, phase: 'finished' as const, settled: true, told }
      return buildCommit(keys, build).writes.filter(write => !write.key.startsWith(keys.jenkinsOpen))
    })
    await kv.commit({ compares: [], writes, repeatable: true })
  }
  await world.register()
  await world.follower({ hooksOnly: true })
  await world.hook({ phase: 'finalized', number: 57, result: 'SUCCESS', queueId: 57 })
  await until(async () => (await closed()) && (await world.builds()).length === 50)
  const rest = Array.from({ length: 49 }, (_, at) => at + 8)
  const numbers = await world.under(keys.jenkinsNumbers(job))
  expect(numbers.map(Number)).toEqual([...rest, 57])
  // That of the last one too, where builds are told by default.
  expect(await world.under(keys.messages)).toHaveLength(50)
  expect(await world.under(keys.outbox)).toHaveLength(50)
  expect(await world.under(`${keys.root}jenkins/queue/`)).toHaveLength(50)
})
