// The whole way on a real replica, with the real adapter against the stand-in Jenkins: build → hook → deploy, with lost,
// repeated and reordered hooks, an answer that never comes, and a Jenkins that is down for a while.
import { beforeAll, beforeEach, expect, it } from 'vitest'
import type { Build } from '../../src/core/builds/build.ts'
import { deploySchema } from '../../src/core/deploy.ts'
import { keysBelow } from '../../src/core/keys.ts'
import { decode } from '../../src/core/records.ts'
import type { JobSeed, SandboxJenkins } from '../../src/sandbox/jenkins/control.ts'
import { startJenkins } from '../../src/sandbox/jenkins/jenkins.ts'
import { until } from '../core/builds/world.ts'
import { admin, type Stack, startStack, webApp } from '../support/stack.ts'

const secret = 'a-secret-that-nobody-guesses'
const patient = { timeout: 30_000 }
let stack: Stack
let jenkins: SandboxJenkins
let n = 0

const seed = (path: string): JobSeed => ({
  path,
  kind: 'pipeline',
  parameters: [
    { name: 'ASK', type: 'boolean' },
    { name: 'LONG', type: 'boolean' },
  ],
  changes: number => [{ author: 'ana', message: `Change ${number}` }],
  async run(steps) {
    steps.stage('Build')
    steps.print('building')
    await steps.takes(steps.parameter('LONG') === 'true' ? 600_000 : 500)
    if (steps.parameter('ASK') === 'true')
      await steps.input({ id: 'Publish', message: 'Publish this build?' })
    steps.tests({ passed: 3 })
  },
})

beforeAll(async () => {
  jenkins = await startJenkins({ speed: 20, seed: [seed('shop/first')], timing: { quiet: 200 } })
  stack = await startStack({
    config: { jenkins: { url: jenkins.url, user: jenkins.user } },
    env: { GKUBE_JENKINS_TOKEN: jenkins.token, GKUBE_JENKINS_HOOK_SECRET: secret },
    speed: 30,
  })
  jenkins.connect(`${stack.server.url}/hooks/jenkins/${secret}`)
  return async () => {
    await jenkins.stop()
  }
}, 30_000)

let app: string
let job: string
beforeEach(async () => {
  jenkins.control.clear()
  app = `web-${++n}`
  job = `shop/${app}`
  jenkins.control.addJob(seed(job))
  await stack.core.applyApp(
    admin,
    webApp({
      app,
      jobs: [job],
      replicas: 1,
      environments: { staging: { deployOn: 'success' }, production: {} },
    }),
    { dryRun: false },
  )
})

const builds = () => stack.core.builds(admin, { job, limit: 10 })
async function when(holds: (build: Build) => boolean): Promise<Build> {
  let last: readonly Build[] = []
  await until(async () => {
    last = await builds()
    return last[0] !== undefined && holds(last[0])
  }, 15).catch(error => {
    throw new Error(`${error}: ${JSON.stringify(last)} ${stack.log.slice(-3)}`)
  })
  const [build] = last
  if (!build) throw new Error('there is none')
  return build
}
const deploys = async () => {
  const { entries } = await stack.server.kv.list(keysBelow(stack.root).deploys)
  return entries.map(entry => decode(deploySchema, entry).value).filter(deploy => deploy.app === app)
}
const start = (parameters: Record<string, string> = {}) => stack.core.build(admin, { job, parameters })
const isLive = (build: Build) => build.deploys[0]?.phase === 'succeeded'

async function deployedOnce(): Promise<Build> {
  const build = await when(isLive)
  expect(build).toMatchObject({
    phase: 'finished',
    result: 'SUCCESS',
    verified: true,
    turn: 'first',
    tests: { total: 3, failed: 0 },
  })
  expect(build.commit).toMatch(/^[0-9a-f]{40}$/)
  expect(build.stages?.map(stage => stage.name)).toContain('Build')
  expect(build.offers).toMatchObject([{ app, environment: 'production', loud: false }])
  expect(await deploys()).toMatchObject([
    { environment: 'staging', revision: build.commit, source: { job, build: 1 } },
  ])
  expect(await builds()).toHaveLength(1)
  expect(jenkins.control.builds(job)).toHaveLength(1)
  return build
}

it('a build that began in Jenkins is told by its hooks and deployed', patient, async () => {
  jenkins.control.start(job)
  const build = await deployedOnce()
  expect(build).toMatchObject({ askedBy: null, startedBy: { name: 'ana' } })
})
it('also where they come twice and backwards', patient, async () => {
  jenkins.control.hooks({ repeat: 3, reversed: true })
  jenkins.control.start(job)
  await deployedOnce()
})
it('a build that was asked for is found without any hook', patient, async () => {
  jenkins.control.hooks({ lose: true })
  await start()
  expect((await deployedOnce()).askedBy).toMatchObject({ name: 'ana' })
})
it('is asked for once where the answer never comes', patient, async () => {
  jenkins.control.fault({ kind: 'cut', method: 'POST', path: /build/, times: 1 })
  await start()
  const build = await deployedOnce()
  expect(build.postingAt).not.toBe(null)
  const posts = jenkins.control.requests().filter(line => line.startsWith('POST') && line.includes(app))
  expect(posts).toHaveLength(1)
})
it('goes on where Jenkins was down for a while', patient, async () => {
  jenkins.control.start(job, { ASK: 'true' })
  await when(build => build.inputs.length === 1)
  jenkins.control.fault({ kind: 'down' })
  jenkins.control.answer({ job, number: 1, id: 'Publish' }, 'proceed', 'ana')
  await jenkins.control.ended(job, 1)
  await when(build => build.note !== '' && !build.verified)
  expect(await deploys()).toEqual([])
  jenkins.control.clear()
  await deployedOnce()
})
it('an input is answered, by the bot in Jenkins and by a person in gkube', patient, async () => {
  await start({ ASK: 'true' })
  const paused = await when(build => build.inputs.length === 1)
  await stack.core.answerInput(admin, paused.id, {
    input: paused.inputs[0]?.id ?? '',
    decision: 'proceed',
    parameters: {},
  })
  const build = await deployedOnce()
  expect(build.inputs[0]?.answer).toMatchObject({ by: { name: 'ana' }, decision: 'proceed', state: 'sent' })
})
it('is stopped', patient, async () => {
  await start({ LONG: 'true' })
  const running = await when(build => build.phase === 'running')
  await stack.core.stopBuild(admin, running.id, { reason: 'wrong branch' })
  const build = await when(one => one.phase === 'finished')
  expect(build).toMatchObject({
    result: 'ABORTED',
    turn: 'aborted',
    stop: { state: 'sent', by: { name: 'ana' } },
  })
  expect(await deploys()).toEqual([])
})
