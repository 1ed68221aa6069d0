// The adapter against a Jenkins that behaves as one: the sandbox's. A build from the wish to its result, with its queue,
// stages, inputs, tests and console; what the odd answers mean is in the other files here.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { jenkinsAdapter } from '../../../src/adapters/jenkins/jenkins.ts'
import type { BuildFacts, Jenkins } from '../../../src/core/builds/jenkins.ts'
import type { JobSeed, SandboxJenkins } from '../../../src/sandbox/jenkins/control.ts'
import { startJenkins } from '../../../src/sandbox/jenkins/jenkins.ts'
import { refusal } from './scripted-jenkins.ts'

const seed: readonly JobSeed[] = [
  {
    path: 'shop/web',
    kind: 'pipeline',
    branch: 'main',
    parameters: [
      { name: 'REV', type: 'string', default: 'main', description: 'What to build' },
      { name: 'SPEED', type: 'choice', choices: ['slow', 'fast'] },
      { name: 'CLEAN', type: 'boolean', default: 'false' },
      { name: 'PIN', type: 'password', default: '1234' },
    ],
    changes: () => [{ author: 'ana', message: 'Fix the cart' }],
    async run(build) {
      build.stage('Build')
      build.print(`Größe: ${build.parameter('REV')} €`)
      await build.takes(20)
      build.stage('Test')
      build.tests({ passed: 3, failed: ['shop.CartTest.pays'], skipped: 1 })
    },
  },
  {
    path: 'shop/asks',
    kind: 'pipeline',
    async run(build) {
      build.stage('Ship')
      const given = await build.input({
        id: 'Ship',
        message: 'Ship it?',
        ok: 'Ship',
        submitter: 'ana,gkube',
        parameters: [
          { name: 'WHERE', type: 'choice', choices: ['eu', 'us'] },
          { name: 'NOTE', type: 'string', default: 'none' },
        ],
      })
      build.print(JSON.stringify(given))
    },
  },
  { path: 'shop/plain', kind: 'freestyle', run: async build => build.print('done') },
  { path: 'shop/lost', kind: 'freestyle' },
  {
    path: 'shop/busy',
    kind: 'freestyle',
    parameters: [{ name: 'REV', type: 'string', default: 'main' }],
    run: build => build.takes(600_000),
  },
  { path: 'shop/long', kind: 'pipeline', run: build => build.takes(600_000) },
  { path: 'shop/worker', kind: 'multibranch' },
  {
    path: 'shop/worker/feature%2Flogin',
    kind: 'pipeline',
    branch: 'feature/login',
    changes: () => [{ author: 'bo', message: 'Log in' }],
  },
  { path: 'shop/off', kind: 'freestyle', disabled: true },
  { path: 'shop/refuses', kind: 'freestyle', refuses: true },
  { path: 'shop/locked', kind: 'freestyle', readOnly: true },
  { path: 'shop/hidden', kind: 'freestyle', hidden: true },
]

// Builds that run, on a machine that has other things to do.
vi.setConfig({ testTimeout: 30_000 })

let sandbox: SandboxJenkins
let jenkins: Jenkins
const adapter = (options: { readonly token?: string } = {}, { url, user, token } = sandbox): Jenkins =>
  jenkinsAdapter({ server: { url, user, token: options.token ?? token }, log: () => {} })

beforeAll(async () => {
  sandbox = await startJenkins({
    seed,
    speed: 50,
    executors: 4,
    locationBase: 'http://jenkins.internal:8080/wrong/',
  })
  jenkins = adapter()
})
afterAll(() => sandbox.stop())

/** Until the queue says its number. */
const numberOf = (queueId: number): Promise<number> =>
  expect
    .poll(
      async () => {
        const item = await jenkins.queueItem(queueId)
        return item?.state === 'left' ? item.number : null
      },
      { interval: 20, timeout: 20_000 },
    )
    .toBeTruthy()
    .then(async () => {
      const item = await jenkins.queueItem(queueId)
      if (item?.state !== 'left' || item.number === null) throw new Error('it has no number')
      return item.number
    })
const begun = async (job: string, parameters: Record<string, string> = {}): Promise<number> =>
  numberOf((await jenkins.start(job, parameters)).queueId)
const over = async (job: string, number: number): Promise<BuildFacts> => {
  await sandbox.control.ended(job, number)
  return jenkins.build(job, number)
}

describe('a build with parameters', () => {
  it('goes from the wish to its result', async () => {
    const facts = await jenkins.job('shop/web')
    expect(facts).toMatchObject({ kind: 'job', buildable: true, url: `${sandbox.url}job/shop/job/web/` })
    expect(facts.parameters).toEqual([
      { name: 'REV', type: 'string', description: 'What to build', choices: [], default: 'main' },
      { name: 'SPEED', type: 'choice', description: '', choices: ['slow', 'fast'], default: 'slow' },
      { name: 'CLEAN', type: 'boolean', description: '', choices: [], default: 'false' },
      { name: 'PIN', type: 'password', description: '', choices: [], default: null },
    ])
    const { queueId, coalesced } = await jenkins.start('shop/web', { REV: 'v1 ü', PIN: 's3cret' })
    expect(coalesced).toBe(false)
    const number = await numberOf(queueId)
    const build = await over('shop/web', number)
    expect(build).toMatchObject({
      number,
      queueId,
      building: false,
      result: 'UNSTABLE',
      branch: 'main',
      user: 'gkube',
    })
    expect(build.parameters).toMatchObject({ REV: 'v1 ü', SPEED: 'slow', CLEAN: 'false' })
    expect(JSON.stringify(build)).not.toContain('s3cret')
    expect(build.commit).toMatch(/^[0-9a-f]{40}$/)
    expect(build.changes).toMatchObject([
      { commit: build.commit, message: 'Fix the cart', email: expect.stringMatching(/^ana.*@/) },
    ])
    expect(await jenkins.tests('shop/web', number)).toEqual({
      total: 5,
      failed: 1,
      skipped: 1,
      names: ['shop.CartTest.pays'],
    })
    expect((await jenkins.stages('shop/web', number))?.map(({ name }) => name)).toEqual(['Build', 'Test'])
    expect((await jenkins.recent('shop/web'))[0]).toMatchObject({ number, queueId, result: 'UNSTABLE' })
    expect(await jenkins.inputs('shop/web', number)).toEqual([])
  })

  it('joins an equal one that waits', async () => {
    const running = await begun('shop/busy')
    const first = await jenkins.start('shop/busy', { REV: 'twice' })
    expect(first.coalesced).toBe(false)
    expect(await jenkins.start('shop/busy', { REV: 'twice' })).toEqual({ ...first, coalesced: true })
    expect(await jenkins.queued?.('shop/busy')).toMatchObject([
      { id: first.queueId, user: 'gkube', parameters: { REV: 'twice' } },
    ])
    expect(await jenkins.queueItem(first.queueId)).toMatchObject({
      state: 'waiting',
      why: expect.stringMatching(/./),
    })
    await jenkins.cancelQueueItem(first.queueId)
    expect(await jenkins.queueItem(first.queueId)).toEqual({ state: 'left', number: null, cancelled: true })
    expect(await refusal(jenkins.cancelQueueItem(first.queueId))).toMatchObject({ code: 'not_found' })
    await jenkins.stop('shop/busy', running)
    expect(await jenkins.queueItem(999_999)).toBeNull()
  })

  it('has a console in parts, and an end of it', async () => {
    const number = await begun('shop/web', { REV: 'log' })
    await over('shop/web', number)
    const whole = await jenkins.log('shop/web', number, 0)
    expect(whole.more).toBe(false)
    expect(whole.text).toContain('\nGröße: log €\n')
    expect(whole.text).not.toMatch(/\r|8mha:/)
    expect(await jenkins.log('shop/web', number, whole.next)).toEqual({
      text: '',
      next: whole.next,
      more: false,
    })
    expect((await jenkins.log('shop/web', number, whole.next + 5000)).text).toBe(whole.text)
    const tail = await jenkins.tail('shop/web', number, 40)
    expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(40)
    expect(whole.text.endsWith(`\n${tail}`)).toBe(true)
  })
})

describe('an input', () => {
  const waits = async () => {
    const number = await begun('shop/asks')
    await expect
      .poll(() => jenkins.inputs('shop/asks', number), { interval: 20, timeout: 20_000 })
      .toHaveLength(1)
    return { job: 'shop/asks', number, input: 'Ship' }
  }

  it('is shown and answered once, with its defaults', async () => {
    const at = await waits()
    expect(await jenkins.inputs(at.job, at.number)).toEqual([
      {
        id: 'Ship',
        message: 'Ship it?',
        proceed: 'Ship',
        submitters: ['ana', 'gkube'],
        parameters: [
          { name: 'WHERE', type: 'choice', description: '', choices: ['eu', 'us'], default: 'eu' },
          { name: 'NOTE', type: 'string', description: '', choices: [], default: 'none' },
        ],
      },
    ])
    expect((await jenkins.stages(at.job, at.number))?.at(-1)?.state).toBe('paused')
    expect(await jenkins.answer(at, { decision: 'proceed', parameters: { WHERE: 'us' } })).toBe('done')
    expect(await over(at.job, at.number)).toMatchObject({ result: 'SUCCESS' })
    expect((await jenkins.log(at.job, at.number, 0)).text).toMatch(
      /"WHERE":"us".*"NOTE":"none"|"NOTE":"none".*"WHERE":"us"/,
    )
    expect(await jenkins.answer(at, { decision: 'abort', parameters: {} })).toBe('settled')
  })

  it('aborts its build', async () => {
    const at = await waits()
    expect(await jenkins.answer(at, { decision: 'abort', parameters: {} })).toBe('done')
    expect(await over(at.job, at.number)).toMatchObject({ result: 'ABORTED' })
  })
})

it('a build without parameters, and one of a branch job', async () => {
  const number = await begun('shop/plain')
  expect(await over('shop/plain', number)).toMatchObject({ result: 'SUCCESS', parameters: {} })
  expect(await jenkins.tests('shop/plain', number)).toBeNull()
  expect(await jenkins.stages('shop/plain', number)).toBeNull()
  const branch = 'shop/worker/feature%2Flogin'
  const url = `${sandbox.url}job/shop/job/worker/job/feature%252Flogin/1/`
  expect(await over(branch, await begun(branch))).toMatchObject({
    url,
    branch: 'feature/login',
    result: 'SUCCESS',
  })
})

it('stops what runs', async () => {
  const number = await begun('shop/long')
  expect(await jenkins.build('shop/long', number)).toMatchObject({ building: true, result: null })
  await jenkins.stop('shop/long', number)
  expect(await over('shop/long', number)).toMatchObject({ building: false, result: 'ABORTED' })
  await jenkins.stop('shop/long', number)
  expect(await refusal(jenkins.stop('shop/long', 99))).toMatchObject({ code: 'not_found' })
})

it('lists jobs, one level', async () => {
  expect(await jenkins.jobs('')).toEqual([{ job: 'shop', kind: 'folder', buildable: false }])
  const jobs = await jenkins.jobs('shop')
  expect(jobs).toContainEqual({ job: 'shop/worker', kind: 'folder', buildable: false })
  expect(jobs).toContainEqual({ job: 'shop/off', kind: 'job', buildable: false })
  expect(jobs.map(({ job }) => job)).not.toContain('shop/hidden')
  expect(await jenkins.jobs('shop/worker')).toMatchObject([
    { job: 'shop/worker/feature%2Flogin', kind: 'job' },
  ])
})

it.each<[job: string, code: string, words: RegExp]>([
  ['shop/off', 'refused', /disabled/],
  ['shop/refuses', 'refused', /into its queue/],
  ['shop/locked', 'forbidden', /may not start the job shop\/locked/],
  ['shop/hidden', 'not_found', /does not know the job shop\/hidden/],
  ['shop', 'refused', /is a folder/],
  ['shop/worker', 'refused', /is a folder/],
])('%s is not started: %s', async (job, code, words) => {
  const told = await refusal(jenkins.start(job, {}))
  expect(told).toMatchObject({ code, unclear: false })
  expect(told.message).toMatch(words)
})

describe('credentials and faults', () => {
  it('a password works by way of a crumb', async () => {
    expect(await adapter({ token: sandbox.password }).start('shop/plain', {})).toMatchObject({
      coalesced: false,
    })
  })

  it('a wrong token is refused, and doctor says so', async () => {
    const wrong = adapter({ token: 'no-such-token' })
    expect(await refusal(wrong.build('shop/plain', 1))).toMatchObject({ code: 'forbidden' })
    expect(await wrong.checks()).toContainEqual(
      expect.objectContaining({ name: 'jenkins credential', state: 'failed' }),
    )
    expect((await jenkins.checks()).map(({ name, state }) => `${name} ${state}`)).toEqual([
      'jenkins ok',
      'jenkins credential ok',
      'jenkins address ok',
      'jenkins jobs ok',
    ])
  })

  it('an answer that was lost is unclear: it was carried out', async () => {
    sandbox.control.fault({ kind: 'cut', method: 'POST', times: 1 })
    expect(await refusal(jenkins.start('shop/lost', {}))).toMatchObject({
      code: 'unavailable',
      unclear: true,
    })
    await expect
      .poll(() => jenkins.recent('shop/lost'), { interval: 20, timeout: 20_000 })
      .toMatchObject([{ number: 1, user: 'gkube' }])
  })

  it('inputs without the stage view come from the build', async () => {
    const bare = await startJenkins({ seed, speed: 50, stageView: false })
    const other = adapter({}, bare)
    bare.control.start('shop/asks')
    await expect
      .poll(() => other.inputs('shop/asks', 1).catch(() => []), { interval: 20, timeout: 20_000 })
      .toMatchObject([
        {
          id: 'Ship',
          proceed: 'Ship',
          submitters: ['ana', 'gkube'],
          parameters: [{ type: 'choice' }, { default: 'none' }],
        },
      ])
    expect(await other.stages('shop/asks', 1)).toBeNull()
    await bare.stop()
  })
})
