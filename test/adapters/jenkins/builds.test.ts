// Builds as Jenkins tells them → as gkube knows them: freestyle and Pipeline, whose commit it is, who changed what, and
// what must stay out. The shapes are those of Jenkins 2.4xx with the git plugin.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refusal, type Scripted, scriptedJenkins } from './scripted-jenkins.ts'

let jenkins: Scripted
beforeAll(async () => {
  jenkins = await scriptedJenkins()
})
afterAll(() => jenkins.stop())

const commit = '3fa9c1e2b4d5f60718293a4b5c6d7e8f90a1b2c3'
const library = `${'0'.repeat(39)}1`
const facts = async (more: object, job = 'web') => {
  const path = job
    .split('/')
    .map(one => `/job/${encodeURIComponent(one)}`)
    .join('')
  jenkins.script({
    [`GET ${path}/14/api/json`]: { json: { number: 14, building: false, result: 'SUCCESS', ...more } },
  })
  return jenkins.jenkins.build(job, 14)
}
const checkout = (sha: string, branch: string) => ({
  _class: 'hudson.plugins.git.util.BuildData',
  lastBuiltRevision: { SHA1: sha, branch: [{ SHA1: sha, name: branch }] },
})
const parameters = (values: Record<string, unknown>, _class = 'hudson.model.StringParameterValue') => ({
  _class: 'hudson.model.ParametersAction',
  parameters: Object.entries(values).map(([name, value]) => ({ _class, name, value })),
})

describe('a build', () => {
  it('of a freestyle job, whole', async () => {
    const change = {
      commitId: commit,
      msg: 'Fix the cart ',
      authorEmail: 'Ana@Example.com',
      author: { fullName: 'Ana' },
    }
    const told = await facts({
      _class: 'hudson.model.FreeStyleBuild',
      actions: [
        parameters({ REV: 'v1', DRY: true, N: 3 }),
        { causes: [{ shortDescription: 'Started by user Ana', userId: 'ana', userName: 'Ana' }] },
        {},
        checkout(commit, 'refs/remotes/origin/main'),
      ],
      queueId: 151,
      timestamp: 1_619_167_515_987,
      duration: 599_334,
      estimatedDuration: 599_335,
      displayName: '#14 v1',
      changeSet: { kind: 'git', items: [change] },
      url: 'http://wrong.example/job/web/14/',
    })
    expect(told).toEqual({
      number: 14,
      queueId: 151,
      displayName: '#14 v1',
      url: `${jenkins.url}job/web/14/`,
      building: false,
      result: 'SUCCESS',
      startedAt: 1_619_167_515_987,
      durationMs: 599_334,
      usualMs: 599_335,
      commit,
      branch: 'main',
      cause: 'Started by user Ana',
      user: 'ana',
      parameters: { REV: 'v1', DRY: 'true', N: '3' },
      changes: [{ commit, author: 'Ana', email: 'ana@example.com', message: 'Fix the cart' }],
      changesTotal: 1,
    })
  })

  it('of a Pipeline has several change sets, and may say nearly nothing', async () => {
    const items = [{ commitId: 'a'.repeat(40) }, { commitId: 'b'.repeat(40) }]
    expect(await facts({ changeSets: [{ items }, { items: [{ id: 'c' }, 'odd'] }] })).toMatchObject({
      changesTotal: 3,
      queueId: null,
      usualMs: null,
      commit: null,
      branch: null,
      user: null,
      cause: '',
      displayName: '#14',
    })
  })

  it.each<[name: string, more: object, building: boolean, result: string | null]>([
    ['runs', { building: true, result: null }, true, null],
    ['runs, and has failed already', { building: true, result: 'FAILURE' }, true, 'FAILURE'],
    ['does its post-build steps', { inProgress: true }, true, 'SUCCESS'],
    ['is over', { inProgress: false, result: 'ABORTED' }, false, 'ABORTED'],
    ['ended as nobody knows', { result: 'GREAT' }, false, null],
    ['never ran before: no estimate', { estimatedDuration: -1 }, false, 'SUCCESS'],
  ])('%s', async (_, more, building, result) => {
    expect(await facts(more)).toMatchObject({ building, result, usualMs: null })
  })

  it.each<[name: string, more: object, expected: object, job?: string]>([
    ['origin/', { actions: [checkout(commit, 'origin/feature/x')] }, { commit, branch: 'feature/x' }],
    ['by commit', { actions: [checkout(commit, 'detached')] }, { commit, branch: null }],
    [
      'beside a shared library, by the branch job',
      { actions: [checkout(library, 'origin/main'), checkout(commit, 'feature/login')] },
      { commit, branch: 'feature/login' },
      'shop/web/feature%2Flogin',
    ],
    [
      'beside a shared library, by its own changes',
      {
        actions: [checkout(library, 'main'), checkout(commit, 'dev')],
        changeSets: [{ items: [{ commitId: commit }] }],
      },
      { commit, branch: 'dev' },
    ],
    [
      'told by a parameter',
      { actions: [parameters({ GIT_COMMIT: commit.toUpperCase() })] },
      { commit, branch: null },
    ],
    [
      'and no parameter that is none',
      { actions: [parameters({ GIT_COMMIT: 'main; rm -rf' })] },
      { commit: null },
    ],
    [
      'the checkout before a parameter',
      { actions: [parameters({ GIT_COMMIT: library }), checkout(commit, 'main')] },
      { commit },
    ],
  ])('its commit: %s', async (_, more, expected, job) => {
    expect(await facts(more, job)).toMatchObject(expected)
  })

  it.each<[name: string, item: object, email: string | null]>([
    ['of the commit', { authorEmail: 'bo@example.com', author: { fullName: 'Bo' } }, 'bo@example.com'],
    [
      'of the user that Jenkins made of it',
      { author: { fullName: 'Bo', absoluteUrl: 'http://ci/user/bo%40example.com/' } },
      'bo@example.com',
    ],
    [
      'as the name',
      { author: { fullName: 'bo@example.com', absoluteUrl: 'http://ci/user/bo' } },
      'bo@example.com',
    ],
    [
      'none',
      { authorEmail: 'bo at home', author: { fullName: 'Bo', absoluteUrl: 'http://ci/user/bo' } },
      null,
    ],
    ['nobody', { author: null }, null],
  ])('e-mail of an author: %s', async (_, item, email) => {
    const { changes } = await facts({ changeSet: { items: [{ commitId: commit, ...item }] } })
    expect(changes[0]?.email).toBe(email)
  })

  it('tells nothing that Jenkins marks as sensitive', async () => {
    const told = await facts({
      actions: [
        parameters({ PW: 'hunter2' }, 'hudson.model.PasswordParameterValue'),
        parameters({ CRED: 'prod-key' }, 'com.cloudbees.plugins.credentials.CredentialsParameterValue'),
        {
          parameters: [
            { _class: 'hudson.model.PasswordParameterValue', name: 'HIDDEN' },
            { name: 'FILE', value: { a: 1 } },
          ],
        },
        parameters({ REV: '1' }),
      ],
    })
    expect(told.parameters).toEqual({ REV: '1' })
  })

  it('that is gone is not found', async () => {
    jenkins.script({})
    expect(await refusal(jenkins.jenkins.build('web', 9))).toMatchObject({
      code: 'not_found',
      message: expect.stringMatching(
        /^Jenkins does not know build 9 of web, or its user gkube may not see it/,
      ),
    })
  })
})

it('recent builds come with the queue item they were', async () => {
  const builds = [
    { number: 3, queueId: 30, building: true },
    { number: 2, queueId: 20, result: 'FAILURE' },
    { odd: true },
  ]
  jenkins.script({ 'GET /job/web/api/json': { json: { builds } } })
  expect((await jenkins.jenkins.recent('web')).map(one => [one.number, one.queueId, one.result])).toEqual([
    [3, 30, null],
    [2, 20, 'FAILURE'],
  ])
  expect(jenkins.seen[0]?.query.get('tree')).toMatch(/^builds\[.*\]\{0,50\}$/)
})

describe('stop', () => {
  it.each<[status: number, location: string, code: string | null]>([
    [302, 'http://wrong.example/job/web/14/', null],
    [200, '', null],
    [302, '/securityRealm/commenceLogin?from=x', 'forbidden'],
    [302, '/login?from=%2Fjob%2Fweb%2F', 'forbidden'],
    [302, '.', null],
    [301, 'https://ci.example.com/job/web/14/stop', 'unavailable'],
    [302, 'https://ci.example.com/job/web/14/stop', 'unavailable'],
    [302, 'https://sso.example.com/', 'unavailable'],
    [403, '', 'forbidden'],
    [404, '', 'not_found'],
  ])('answered %i %s', async (status, location, code) => {
    jenkins.script({ 'POST /job/web/14/stop': { status, headers: location ? { location } : {} } })
    const call = jenkins.jenkins.stop('web', 14)
    if (code === null) await call
    else expect(await refusal(call)).toMatchObject({ code })
  })

  it('of a build whose job is called as a login page', async () => {
    jenkins.script({ 'POST /job/login/2/stop': { status: 302, headers: { location: '/job/login/2/' } } })
    await jenkins.jenkins.stop('login', 2)
    expect(jenkins.seen).toHaveLength(1)
  })
})
