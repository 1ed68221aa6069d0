// What one build, one record or one plugin may not do to all others: block the follower, grow without end, or pass for
// something else. On a real etcd with a Jenkins in memory.
import { beforeEach, describe, expect, it } from 'vitest'
import { JenkinsError } from '../../../src/core/builds/jenkins.ts'
import { blankBuild, buildCommit } from '../../../src/core/builds/records.ts'
import type { Kv } from '../../../src/core/kv.ts'
import { newId, put } from '../../../src/core/records.ts'
import { UserError } from '../../../src/errors.ts'
import { endDeploy, job, startWorld, until, type World, when } from './world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
})

const numbered = async (number: number) => (await world.builds()).find(one => one.number === number)

describe('what cannot be read or written', () => {
  it('stops neither the later hooks of its job nor those of others', async () => {
    const { kv, keys } = world
    // As many as are worked on at once, and more.
    const poisoned = Array.from({ length: 20 }, (_, at) => at + 1)
    const key = keys.jenkinsBuild('broken')
    const refs = poisoned.map(number => keys.jenkinsNumber(`shop/job-${number}`, number))
    const raw = (at: string, value: string) => ({ kind: 'put' as const, key: at, value })
    await kv.commit({
      compares: [],
      writes: [raw(key, '{"schema":99}'), ...refs.map(at => raw(at, '{"schema":1,"id":"broken"}'))],
      repeatable: true,
    })
    await kv.commit({
      compares: [],
      writes: [raw(keys.jenkinsNumber(job, 5), '{"schema":1,"id":"broken"}')],
      repeatable: true,
    })
    const follower = await world.follower({ hooksOnly: true })
    for (const number of poisoned)
      await world.hook({ job: `shop/job-${number}`, number, phase: 'finalized', result: 'SUCCESS' })
    await world.hook({ number: 5, phase: 'finalized', result: 'SUCCESS' })
    await until(() => follower.log.filter(line => line.includes('broken')).length > 20)
    await world.hook({ number: 6, phase: 'started' })
    await until(async () => (await kv.list(keys.jenkinsNumbers(job))).entries.length === 2)
    // Left for an operator, and counted until then.
    expect(await world.under(keys.inbox)).toHaveLength(21)
    expect(follower.state().inbox).toBe(21)
  })

  it('is told and tried again later, and the follower goes on', async () => {
    let reset = (): void => undefined
    const refusing = (kv: Kv): Kv => ({
      ...kv,
      subscribe(prefix, listener, options) {
        if (prefix === world.keys.root) reset = () => listener.reset?.(options?.from ?? '0')
        return kv.subscribe(prefix, listener, options)
      },
      commit: async commit => {
        if (commit.writes.some(write => write.kind === 'put' && write.value.includes('"result":"UNSTABLE"')))
          throw new UserError('too_large', 'This change has 2000000 bytes')
        return kv.commit(commit)
      },
    })
    await world.register()
    world.jenkins.run(job, 1)
    const follower = await world.follower({ kv: refusing })
    await world.hook({ number: 1, phase: 'started' })
    await until(async () => (await numbered(1))?.displayName === '#1')
    world.jenkins.end(job, 1, 'UNSTABLE')
    await until(() => follower.log.some(line => line.includes('bytes')))
    // A gap in the feed: all is read again.
    reset()
    world.jenkins.run(job, 2)
    world.jenkins.end(job, 2, 'SUCCESS')
    await world.hook({ number: 2, phase: 'finalized', result: 'SUCCESS' })
    await until(async () => (await numbered(2))?.phase === 'finished')
  })
})

describe('a plugin that always fails', () => {
  it.each(['stages', 'tests', 'tail'])('for %s of one build keeps it from nothing', async name => {
    await world.register({ environments: { staging: { deployOn: 'success' } } })
    world.jenkins.around = (called, moment) => {
      if (called === name && moment === 'before') throw new JenkinsError('unavailable', 'Jenkins answers 500')
    }
    world.jenkins.run(job, 1)
    world.jenkins.end(job, 1, name === 'tail' ? 'FAILURE' : 'SUCCESS')
    await world.follower()
    await world.hook({ number: 1, phase: 'finalized', result: 'SUCCESS' })
    await until(async () => (await numbered(1))?.phase === 'finished')
    expect(await numbered(1)).toMatchObject({ verified: true })
    if (name !== 'tail') await until(async () => (await world.deploys()).length === 1)
  })
})

describe('a job that was deleted and made anew', () => {
  it('has builds of numbers that were there before: told and deployed as any others', async () => {
    await world.register({ environments: { staging: { deployOn: 'success' } } })
    await world.follower()
    const then = Date.now() - 3_600_000
    const over = async (number: number, more: { queueId: number; startedAt: number; commit: string }) => {
      world.jenkins.run(job, number, more)
      world.jenkins.end(job, number, 'SUCCESS')
      await world.hook({ number, phase: 'finalized', result: 'SUCCESS', queueId: more.queueId })
      const deploys = async () => (await world.deploys()).filter(one => one.revision === more.commit)
      await until(async () => (await deploys()).length === 1)
      const [deploy] = await deploys()
      await endDeploy(world, deploy?.id ?? '', 'succeeded')
      await until(async () => (await world.under(world.keys.jenkinsOpen)).length === 0)
    }
    await over(1, { queueId: 11, startedAt: then, commit: 'aaaaaaa' })
    await over(2, { queueId: 12, startedAt: then + 1000, commit: 'bbbbbbb' })
    world.jenkins.forget(job, 1)
    world.jenkins.forget(job, 2)
    await over(1, { queueId: 21, startedAt: then + 600_000, commit: 'ccccccc' })
    const builds = await world.builds()
    expect(builds.map(one => [one.number, one.deploys.map(deploy => deploy.revision)])).toEqual([
      [1, ['aaaaaaa']],
      [2, ['bbbbbbb']],
      [1, ['ccccccc']],
    ])
    await over(2, { queueId: 22, startedAt: then + 700_000, commit: 'ddddddd' })
    // And again nothing older over it, and nothing twice.
    await world.hook({ number: 1, phase: 'finalized', result: 'SUCCESS', queueId: 21, durationMs: 5 })
    await until(async () => (await world.under(world.keys.inbox)).length === 0)
    expect(await world.deploys()).toHaveLength(4)
  })
})

describe('what is kept', () => {
  /** Ended builds as they were left by a follower of that time. */
  async function left(of: string, numbers: readonly number[], daysAgo: number): Promise<void> {
    const { kv, keys } = world
    const then = Date.now() - daysAgo * 86_400_000
    for (const number of numbers) {
      const told = [{ channel: 'C0OLD', events: 'all' as const }]
      const blank = blankBuild({ id: newId(then + number), now: then, job: of, apps: [] })
      const build = { ...blank, number, phase: 'finished' as const, settled: true, told }
      const writes = buildCommit(keys, build).writes.filter(write => !write.key.startsWith(keys.jenkinsOpen))
      const state = { schema: 1, number, result: 'SUCCESS', failingSince: null }
      await kv.commit({
        compares: [],
        writes: [...writes, put(keys.jenkinsJob(of), state)],
        repeatable: true,
      })
    }
  }

  it('is nothing of a branch that was not built for three months', async () => {
    const { keys } = world
    await left('shop/web/gone', [1, 2], 100)
    await left('shop/web/main', [7, 8], 80)
    await world.follower()
    await until(async () => (await world.builds()).length === 2)
    expect((await world.builds()).map(one => one.job)).toEqual(['shop/web/main', 'shop/web/main'])
    expect(await world.under(keys.jenkinsJobNumbers)).toHaveLength(2)
    expect(await world.under(keys.messages)).toHaveLength(2)
    expect(await world.under(keys.outbox)).toHaveLength(2)
    expect(await world.under(`${keys.root}jenkins/jobs/`)).toEqual(['shop%2Fweb%2Fmain'])
  })

  it('is little of a job that no app names', async () => {
    await left(
      'tools/lint',
      Array.from({ length: 20 }, (_, at) => at + 1),
      1,
    )
    await world.follower({ hooksOnly: true })
    await world.hook({ job: 'tools/lint', number: 21, phase: 'finalized', result: 'SUCCESS' })
    await until(async () => (await world.builds()).length === 5)
    expect((await world.builds()).map(one => one.number)).toEqual([17, 18, 19, 20, 21])
  })
})

describe('an input', () => {
  it('with more choices than a record holds is typed instead', async () => {
    const choices = Array.from({ length: 200 }, (_, at) => `${at}${'ä'.repeat(490)}`)
    const parameter = { name: 'P', type: 'choice' as const, description: '', choices, default: null }
    await world.follower()
    const id = await world.ask()
    await when(world, id, one => one.phase === 'running')
    world.jenkins.inputs_.set(
      `${job} 1`,
      Array.from({ length: 3 }, (_, at) => ({
        id: `Input${at}`,
        message: 'Which?',
        proceed: 'Go',
        parameters: Array.from({ length: 20 }, (_, of) => ({ ...parameter, name: `P${of}` })),
        submitters: [],
      })),
    )
    const build = await when(world, id, one => one.inputs.length === 3)
    expect(JSON.stringify(build).length).toBeLessThan(200_000)
    expect(build.inputs.at(-1)?.parameters.at(-1)).toMatchObject({ type: 'string', choices: [] })
    world.jenkins.end(job, 1, 'SUCCESS')
    await when(world, id, one => one.phase === 'finished')
  })
})
