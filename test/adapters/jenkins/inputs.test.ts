// Inputs of paused Pipelines and parameters of jobs: read from both of Jenkins' APIs, and answered once.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Reply, refusal, type Scripted, scriptedJenkins } from './scripted-jenkins.ts'

let jenkins: Scripted
beforeAll(async () => {
  jenkins = await scriptedJenkins()
})
afterAll(() => jenkins.stop())

const listed = 'GET /job/web/14/wfapi/pendingInputActions'
const build = 'GET /job/web/14/api/json'
const at = { job: 'web', number: 14, input: 'Ship it' }
const post = (action: string) => `POST /job/web/14/input/Ship%20it/${action}`

const pending = {
  id: 'Ship it',
  proceedText: 'Ship',
  message: 'Ship to production?',
  inputs: [
    {
      type: 'BooleanParameterDefinition',
      name: 'MIGRATE',
      description: 'Run migrations',
      definition: { defaultVal: true },
    },
    {
      type: 'ChoiceParameterDefinition',
      name: 'SPEED',
      definition: { defaultVal: 'slow', choices: ['slow', 'fast'] },
    },
    { type: 'PasswordParameterDefinition', name: 'PIN', definition: { defaultVal: '1234' } },
  ],
  proceedUrl: '/elsewhere',
  abortUrl: '/elsewhere',
}
const execution = {
  id: 'Ship it',
  settled: false,
  input: {
    message: 'Ship to production?',
    ok: 'Ship',
    submitter: 'ana, release-managers',
    parameters: [
      {
        type: 'BooleanParameterDefinition',
        name: 'MIGRATE',
        description: 'Run migrations',
        defaultParameterValue: { value: true },
      },
      {
        type: 'ChoiceParameterDefinition',
        name: 'SPEED',
        choices: ['slow', 'fast'],
        defaultParameterValue: { value: 'slow' },
      },
      { type: 'PasswordParameterDefinition', name: 'PIN', defaultParameterValue: { value: '1234' } },
    ],
  },
}
const shown = {
  id: 'Ship it',
  message: 'Ship to production?',
  proceed: 'Ship',
  submitters: ['ana', 'release-managers'],
  parameters: [
    { name: 'MIGRATE', type: 'boolean', description: 'Run migrations', choices: [], default: 'true' },
    { name: 'SPEED', type: 'choice', description: '', choices: ['slow', 'fast'], default: 'slow' },
    { name: 'PIN', type: 'password', description: '', choices: [], default: null },
  ],
}
const ofBuild = (...executions: unknown[]): Reply => ({ json: { actions: [{}, { executions }] } })

describe('what a Pipeline waits for', () => {
  it.each<[name: string, script: Record<string, Reply>, expected: unknown[]]>([
    ['listed by the stage view', { [listed]: { json: [pending] }, [build]: ofBuild(execution) }, [shown]],
    [
      'without the stage view',
      { [build]: ofBuild({ ...execution, id: 'Old', settled: true }, execution) },
      [shown],
    ],
    [
      'where the build does not tell',
      { [listed]: { json: [pending] }, [build]: { json: {} } },
      [{ ...shown, submitters: [] }],
    ],
    [
      'one that was settled before who may answer was read',
      { [listed]: { json: [pending, { ...pending, id: 'Next' }] }, [build]: ofBuild(execution) },
      [shown],
    ],
    [
      'for somebody whose name is too long',
      {
        [listed]: { json: [pending] },
        [build]: ofBuild({ ...execution, input: { ...execution.input, submitter: 'x'.repeat(300) } }),
      },
      [{ ...shown, submitters: ['x'.repeat(200)] }],
    ],
    ['nothing', { [listed]: { json: [] } }, []],
    [
      'a bare one',
      { [listed]: { json: [{ id: 'X', message: '', inputs: null }] }, [build]: { json: {} } },
      [{ id: 'X', message: 'Input requested', proceed: 'Proceed', parameters: [], submitters: [] }],
    ],
  ])('%s', async (_, script, expected) => {
    jenkins.script(script)
    expect(await jenkins.jenkins.inputs('web', 14)).toEqual(expected)
  })

  it('is for nobody while who may answer cannot be read: none named would be everybody', async () => {
    jenkins.script({ [listed]: { json: [pending] }, [build]: { status: 500 } })
    expect(await refusal(jenkins.jenkins.inputs('web', 14))).toMatchObject({ code: 'unavailable' })
  })

  it('a build that is gone is not found', async () => {
    jenkins.script({})
    expect(await refusal(jenkins.jenkins.inputs('web', 14))).toMatchObject({ code: 'not_found' })
  })
})

describe('an answer', () => {
  const bare = { [listed]: { json: [{ ...pending, inputs: [] }] }, [build]: ofBuild() }
  it.each<[name: string, decision: 'proceed' | 'abort', script: Record<string, Reply>, action: string]>([
    ['goes on', 'proceed', { ...bare, [post('proceedEmpty')]: {} }, 'proceedEmpty'],
    ['aborts', 'abort', { [post('abort')]: {} }, 'abort'],
    [
      'is sent on to the console',
      'abort',
      { [post('abort')]: { status: 302, headers: { location: '/job/web/14/console' } } },
      'abort',
    ],
  ])('%s', async (_, decision, script, action) => {
    jenkins.script(script)
    expect(await jenkins.jenkins.answer(at, { decision, parameters: {} })).toBe('done')
    expect(jenkins.asked().at(-1)).toBe(post(action))
  })

  it('brings values with their types, and defaults for the others, but no secret’s', async () => {
    jenkins.script({ [listed]: { json: [pending] }, [build]: ofBuild(execution), [post('proceed')]: {} })
    await jenkins.jenkins.answer(at, { decision: 'proceed', parameters: { SPEED: 'fast "é"' } })
    const form = new URLSearchParams(jenkins.seen.at(-1)?.body)
    expect(JSON.parse(form.get('json') ?? '')).toEqual({
      parameter: [
        { name: 'SPEED', value: 'fast "é"' },
        { name: 'MIGRATE', value: true },
      ],
    })
  })

  const words = (status: number, error: string): Reply => ({ status, headers: { 'x-error': error } })
  const there = { json: { number: 14 } }
  it.each<[name: string, script: Record<string, Reply>]>([
    ['given already', { [post('abort')]: words(400, 'This input has been already given') }],
    [
      'given already, in the page only',
      { [post('abort')]: { status: 400, body: '<h1>Error</h1><p>This input has been already given</p>' } },
    ],
    ['taken off the build', { [build]: there }],
  ])('settled: %s', async (_, script) => {
    jenkins.script(script)
    expect(await jenkins.jenkins.answer(at, { decision: 'abort', parameters: {} })).toBe('settled')
  })

  it.each<[name: string, script: Record<string, Reply>, code: string, words: RegExp, unclear?: boolean]>([
    [
      'not permitted',
      { [post('abort')]: words(400, 'You need to be ana to submit this.') },
      'refused',
      /does not let its user gkube answer this input: You need to be ana .*or answer it there$/,
    ],
    ['the build is gone', {}, 'not_found', /build 14 of web/],
    [
      'another 400',
      { [post('abort')]: words(400, 'No such parameter definition: X') },
      'refused',
      /: No such parameter definition: X$/,
    ],
    ['broken off', { [post('abort')]: response => response.destroy() }, 'unavailable', /broke off/, true],
    [
      'a login page',
      { [post('abort')]: { status: 302, headers: { location: '/login' } } },
      'forbidden',
      /login page/,
    ],
  ])('refused: %s', async (_, script, code, words, unclear = false) => {
    jenkins.script(script)
    const told = await refusal(jenkins.jenkins.answer(at, { decision: 'abort', parameters: {} }))
    expect(told).toMatchObject({ code, unclear })
    expect(told.message).toMatch(words)
  })
})

describe('a job', () => {
  const definition = (type: string, more: object = {}) => ({ name: type, type, ...more })
  it.each<[type: string, expected: string]>([
    ['StringParameterDefinition', 'string'],
    ['hudson.plugins.validating_string_parameter.ValidatingStringParameterDefinition', 'string'],
    ['TextParameterDefinition', 'text'],
    ['BooleanParameterDefinition', 'boolean'],
    ['PasswordParameterDefinition', 'password'],
    ['RunParameterDefinition', 'run'],
    ['FileParameterDefinition', 'file'],
    ['StashedFileParameterDefinition', 'file'],
    ['CredentialsParameterDefinition', 'other'],
    ['PT_BRANCH_TAG', 'other'],
    ['CascadeChoiceParameter', 'string'],
  ])('with a parameter of type %s', async (type, expected) => {
    jenkins.script({
      'GET /job/web/api/json': { json: { property: [{}, { parameterDefinitions: [definition(type)] }] } },
    })
    expect((await jenkins.jenkins.job('web')).parameters).toMatchObject([
      { name: type, type: expected, default: null },
    ])
  })

  it('with choices and defaults, as far as they fit', async () => {
    const long = 'x'.repeat(501)
    const parameterDefinitions = [
      definition('ChoiceParameterDefinition', { choices: ['a', long, 'b'] }),
      definition('StringParameterDefinition', { defaultParameterValue: { value: long }, description: long }),
      definition('BooleanParameterDefinition', { defaultParameterValue: { value: false } }),
      'odd',
    ]
    jenkins.script({
      'GET /job/web/api/json': { json: { buildable: false, property: [{ parameterDefinitions }] } },
    })
    const facts = await jenkins.jenkins.job('web')
    expect(facts).toMatchObject({ kind: 'job', buildable: false })
    expect(facts.parameters).toMatchObject([
      { choices: ['a', 'b'], default: 'a' },
      { default: null, description: long.slice(1) },
      { default: 'false' },
    ])
  })

  it('jobs of a folder, one level', async () => {
    const jobs = [
      { _class: 'hudson.model.FreeStyleProject', name: 'web', buildable: true },
      { _class: 'hudson.model.FreeStyleProject', name: 'off', buildable: false },
      { _class: 'com.cloudbees.hudson.plugins.folder.Folder', name: 'more', jobs: [] },
      { _class: 'org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject', name: 'worker' },
      { name: '' },
    ]
    jenkins.script({
      'GET /job/shop/api/json': { json: { jobs } },
      'GET /api/json': { json: { jobs: [{ name: 'shop', jobs: [{}] }] } },
    })
    expect(await jenkins.jenkins.jobs('shop')).toEqual([
      { job: 'shop/web', kind: 'job', buildable: true },
      { job: 'shop/off', kind: 'job', buildable: false },
      { job: 'shop/more', kind: 'folder', buildable: false },
      { job: 'shop/worker', kind: 'folder', buildable: false },
    ])
    expect(await jenkins.jenkins.jobs('')).toEqual([{ job: 'shop', kind: 'folder', buildable: false }])
  })
})
