// What runs in the stand-in Jenkins: stages, inputs, tests, changes, the log by bytes, a real shell, and the faults that
// tests make. The requests themselves are in contract.test.ts.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import type { JobSeed } from '../../../src/sandbox/jenkins/control.ts'
import { processInfo } from '../../../src/sandbox/processes.ts'
import { open } from './client.ts'

const ask = { id: 'Go', message: 'Go on?', ok: 'Yes' }
const pipeline: JobSeed = {
  path: 'shop/web',
  kind: 'pipeline',
  changes: number => [
    { author: 'ana', message: `Change ${number}`, paths: ['a.ts'] },
    { author: 'ben', message: 'Another' },
  ],
  async run(build) {
    build.stage('Build')
    build.print('grüße ✓')
    build.stage('Ask')
    const { WHERE } = await build.input({
      ...ask,
      parameters: [{ name: 'WHERE', type: 'choice', choices: ['here', 'there'] }],
    })
    build.print(`going ${WHERE}`)
    build.tests({ passed: 3, failed: ['shop.PriceTest.addsTax'], skipped: 1 })
    build.artifact('dist/web.tgz')
  },
}
const onlyFor: JobSeed = {
  path: 'only',
  kind: 'pipeline',
  run: async build => void (await build.input({ ...ask, submitter: 'cho,release' })),
}
const simple: JobSeed = {
  path: 'simple',
  kind: 'pipeline',
  run: async build => void (await build.input(ask)),
}
const form = (values: Record<string, string>) => ({
  body: new URLSearchParams({
    json: JSON.stringify({ parameter: Object.entries(values).map(([name, value]) => ({ name, value })) }),
  }),
})

describe('a Pipeline', () => {
  it('pauses, is answered with a value, and ends unstable: stages, tests, changes, revision, all of it', async () => {
    const at = await open({ seed: [pipeline] })
    const number = await at.begun('shop/web')
    const base = `job/shop/job/web/${number}/`
    await vi.waitFor(async () => expect(await at.json(`${base}wfapi/pendingInputActions`)).toHaveLength(1))
    expect(await at.json(`${base}wfapi/pendingInputActions`)).toMatchObject([
      {
        id: 'Go',
        message: 'Go on?',
        proceedText: 'Yes',
        inputs: [
          { type: 'ChoiceParameterDefinition', name: 'WHERE', definition: { choices: ['here', 'there'] } },
        ],
        abortUrl: `/${base}input/Go/abort`,
      },
    ])
    expect(await at.json(`${base}wfapi/describe`)).toMatchObject({
      status: 'PAUSED_PENDING_INPUT',
      stages: [
        { name: 'Build', status: 'SUCCESS' },
        { name: 'Ask', status: 'PAUSED_PENDING_INPUT' },
      ],
    })
    const waiting = await at.json(
      `${base}api/json?tree=building,actions[executions[id,settled,input[message,ok,submitter]]]`,
    )
    expect(waiting.actions.flatMap((one: { executions?: object[] }) => one.executions ?? [])).toMatchObject([
      { id: 'Go', settled: false, input: { message: 'Go on?', ok: 'Yes', submitter: null } },
    ])
    expect((await at.post(`${base}input/Go/proceed`)).status).toBe(400)
    expect((await at.post(`${base}input/Go/proceed`, form({ WHERE: 'nowhere' }))).status).toBe(500)
    expect((await at.post(`${base}input/Go/proceed`, form({ WHERE: 'there' }))).status).toBe(200)
    expect(await at.jenkins.control.ended('shop/web', number)).toBe('UNSTABLE')
    const build = await at.json(`${base}api/json`)
    expect(build).toMatchObject({
      _class: 'org.jenkinsci.plugins.workflow.job.WorkflowRun',
      building: false,
      inProgress: false,
      result: 'UNSTABLE',
      displayName: '#1',
      fullDisplayName: 'shop » web #1',
      artifacts: [{ fileName: 'web.tgz', relativePath: 'dist/web.tgz' }],
      culprits: [{ fullName: 'Ana Costa' }, { fullName: 'Ben Okafor' }],
      changeSets: [{ items: [{ authorEmail: 'ana@example.com', msg: 'Change 1' }, { msg: 'Another' }] }],
    })
    const [, last] = build.changeSets[0].items
    const data = build.actions.find((one: { _class?: string }) => one._class?.endsWith('BuildData'))
    expect(data.lastBuiltRevision.SHA1).toBe(last.commitId)
    expect(await at.json(`${base}testReport/api/json`)).toMatchObject({
      failCount: 1,
      passCount: 3,
      skipCount: 1,
    })
    expect(await at.json(`${base}wfapi/describe`)).toMatchObject({
      status: 'UNSTABLE',
      stages: [{ name: 'Build' }, { name: 'Ask', status: 'UNSTABLE' }],
    })
  })

  it.each(['proceedEmpty', 'abort'])(
    'an input is answered once: %s, then 400 with X-Error while it runs',
    async how => {
      let goOn = () => {}
      const seed: JobSeed = {
        ...simple,
        async run(build) {
          await build.input(ask)
          await new Promise<void>(resolve => {
            goOn = resolve
          })
        },
      }
      const at = await open({ seed: [seed] })
      const number = await at.begun('simple')
      await vi.waitFor(async () =>
        expect(await at.json(`job/simple/${number}/wfapi/pendingInputActions`)).toHaveLength(1),
      )
      const path = `job/simple/${number}/input/Go/${how}`
      expect((await at.post(path)).status).toBe(200)
      const again = await at.post(path)
      if (how === 'abort') {
        expect(await at.jenkins.control.ended('simple', number)).toBe('ABORTED')
        expect([400, 404]).toContain(again.status)
      } else {
        expect([again.status, again.headers.get('x-error')]).toEqual([
          400,
          'This input has been already given',
        ])
        await vi.waitFor(() => goOn())
        goOn()
        expect(await at.jenkins.control.ended('simple', number)).toBe('SUCCESS')
      }
      expect((await at.post(path)).status).toBe(404)
    },
  )

  it('only its submitters answer', async () => {
    const at = await open({ seed: [onlyFor] })
    const number = await at.begun('only')
    await vi.waitFor(async () =>
      expect(await at.json(`job/only/${number}/wfapi/pendingInputActions`)).toHaveLength(1),
    )
    const refused = await at.post(`job/only/${number}/input/Go/proceedEmpty`)
    expect([refused.status, refused.headers.get('x-error')]).toEqual([
      400,
      'You need to be cho,release to submit this.',
    ])
    at.jenkins.control.answer({ job: 'only', number, id: 'Go' }, 'proceed', 'cho')
    expect(await at.jenkins.control.ended('only', number)).toBe('SUCCESS')
  })

  it('without the Stage View plugin there are no stages, and inputs are in the build', async () => {
    const at = await open({ seed: [simple], stageView: false })
    const number = await at.begun('simple')
    for (const path of ['wfapi/describe', 'wfapi/pendingInputActions'])
      expect((await at.ask(`job/simple/${number}/${path}`)).status).toBe(404)
    expect((await at.ask(`job/simple/${number}/testReport/api/json`)).status).toBe(404)
  })
})

it('the log is read on by bytes of what Jenkins wrote, hidden notes and all; a start past its end begins again', async () => {
  let say: (line: string) => void = () => {}
  let finish = () => {}
  const seed: JobSeed = {
    path: 'log',
    kind: 'pipeline',
    run: build =>
      new Promise(resolve => {
        say = build.print
        finish = resolve
      }),
  }
  const at = await open({ seed: [seed] })
  const number = await at.begun('log')
  const read = async (start: number) => {
    const response = await at.ask(`job/log/${number}/logText/progressiveText?start=${start}`)
    const { headers } = response
    return {
      text: await response.text(),
      size: Number(headers.get('x-text-size')),
      more: headers.get('x-more-data'),
    }
  }
  await vi.waitFor(() => say('grüße ✓'))
  const first = await read(0)
  expect(first.text).toContain('Started by user Ana Costa\n')
  expect(first.text).toContain('grüße ✓\n')
  // Neither the length of the text nor its bytes.
  expect(first.size).toBeGreaterThan(Buffer.byteLength(first.text))
  expect(first.more).toBe('true')
  say('more')
  const second = await read(first.size)
  expect(second).toMatchObject({ text: 'more\n', size: first.size + 5 })
  expect((await read(second.size + 1)).text).toContain('grüße ✓\n')
  finish()
  await at.jenkins.control.ended('log', number)
  const last = await read(second.size)
  expect(last.text).toContain('Finished: SUCCESS\n')
  expect(last.more).toBeNull()
})

describe('Execute shell', () => {
  const shell = (script: string, unstableReturn?: number): JobSeed => ({
    path: 'shop/api',
    kind: 'freestyle',
    parameters: [{ name: 'WHO', type: 'string', default: 'world' }],
    run: build => build.shell(script, { unstableReturn }),
  })
  const text = async (script: string, unstableReturn?: number) => {
    const at = await open({
      seed: [shell(script, unstableReturn)],
      environment: { GKUBE_URL: 'http://gkube' },
    })
    const number = await at.begun('shop/api')
    const result = await at.jenkins.control.ended('shop/api', number)
    return { result, log: await (await at.ask('job/shop/job/api/1/consoleText')).text(), url: at.jenkins.url }
  }

  it("runs with Jenkins' environment, and nothing of ours; -x tells what it does before its output", async () => {
    const { result, log, url } = await text('echo "hello $WHO"\ntest ! -t 0\ntest ! -t 1\nenv | sort')
    expect(result).toBe('SUCCESS')
    expect(log).toContain('+ echo hello world\nhello world\n')
    const lines = log.split('\n')
    for (const line of [
      'CI=true',
      'JOB_NAME=shop/api',
      'JOB_BASE_NAME=api',
      'BUILD_NUMBER=1',
      'BUILD_TAG=jenkins-shop-api-1',
      `BUILD_URL=${url}job/shop/job/api/1/`,
      'GIT_BRANCH=origin/main',
      'BUILD_USER_ID=ana',
      'BUILD_USER_EMAIL=ana@example.com',
      'GKUBE_URL=http://gkube',
    ])
      expect(lines).toContain(line)
    expect(log).not.toContain('VITEST')
  })

  it.each([
    [1, undefined, 'FAILURE'],
    [3, 3, 'UNSTABLE'],
    [0, 3, 'SUCCESS'],
  ])('exit %i, unstable by %s: %s', async (code, unstable, result) => {
    expect((await text(`exit ${code}`, unstable)).result).toBe(result)
  })

  it.each([
    ['heeds SIGTERM', 'trap "echo told; exit 143" TERM\necho ready\nwhile :; do sleep 0.05; done', 'told\n'],
    [
      'heeds nothing, nor does its child',
      'trap "" TERM\nsh -c \'trap "" TERM; echo $$ > "$PIDFILE"; echo ready; while :; do sleep 0.05; done\'',
      '',
    ],
  ])('aborted: a step that %s ends', async (_, script, said) => {
    const folder = mkdtempSync(join(tmpdir(), 'jenkins-test-'))
    const pidFile = join(folder, 'pid')
    const at = await open({ seed: [shell(script)], killAfter: 200, environment: { PIDFILE: pidFile } })
    const number = await at.begun('shop/api')
    const console = async () => (await at.ask(`job/shop/job/api/${number}/consoleText`)).text()
    await vi.waitFor(async () => expect(await console()).toContain('\nready\n'), { timeout: 5000 })
    await at.post(`job/shop/job/api/${number}/stop`)
    expect(await at.jenkins.control.ended('shop/api', number)).toBe('ABORTED')
    expect(await console()).toContain(said)
    const child = said ? null : Number(readFileSync(pidFile, 'utf8'))
    if (child) await vi.waitFor(async () => expect(await processInfo(child)).toBeNull())
    rmSync(folder, { recursive: true })
  })
})

describe('faults', () => {
  const seed: readonly JobSeed[] = [{ path: 'plain', kind: 'freestyle' }]

  it('down, 500, slow: each so often as was said', async () => {
    const { ask, jenkins } = await open({ seed })
    jenkins.control.fault({ kind: 'down', times: 1 })
    await expect(ask('api/json')).rejects.toThrow('fetch failed')
    jenkins.control.fault({ kind: 'error', path: /^\/me\// })
    expect((await ask('api/json')).status).toBe(200)
    expect((await ask('me/api/json')).status).toBe(500)
    jenkins.control.clear()
    expect((await ask('me/api/json')).status).toBe(200)
    jenkins.control.fault({ kind: 'slow', ms: 60_000 })
    const slow = ask('api/json')
    const late = await Promise.race([
      slow.then(() => false),
      new Promise(resolve => setImmediate(() => resolve(true))),
    ])
    expect(late).toBe(true)
    jenkins.control.clear()
    expect((await slow).status).toBe(200)
  })

  it('cut: the build is queued, though no answer came', async () => {
    const { post, jenkins } = await open({ seed })
    jenkins.control.fault({ kind: 'cut', method: 'POST', times: 1 })
    await expect(post('job/plain/build')).rejects.toThrow('fetch failed')
    expect(jenkins.control.queue()).toHaveLength(1)
    expect(jenkins.control.requests()).toEqual(['POST /job/plain/build'])
  })
})
