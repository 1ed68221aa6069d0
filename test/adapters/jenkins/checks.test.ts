// What doctor says of Jenkins: each thing that can be wrong, and that the words say how to mend it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Reply, type Scripted, scriptedJenkins } from './scripted-jenkins.ts'

let jenkins: Scripted
beforeAll(async () => {
  jenkins = await scriptedJenkins()
})
afterAll(() => jenkins.stop())

const headers = { 'x-jenkins': '2.479.1' }
const top = (json: object, status = 200): Reply => ({ status, headers, json })
const me: Reply = { headers, json: { id: 'gkube', fullName: 'gkube bot' } }
const fine = { 'GET /me/api/json': me }
const jobs = [{ name: 'web' }]

describe('doctor', () => {
  it('finds nothing wrong', async () => {
    jenkins.script({ ...fine, 'GET /api/json': top({ url: jenkins.url, jobs }) })
    const checks = await jenkins.jenkins.checks()
    expect(checks).toEqual([
      { name: 'jenkins', state: 'ok', message: 'answers, version 2.479.1', mend: '' },
      { name: 'jenkins credential', state: 'ok', message: 'gkube bot (gkube)', mend: '' },
      { name: 'jenkins address', state: 'ok', message: jenkins.url, mend: '' },
      { name: 'jenkins jobs', state: 'ok', message: 'may be read', mend: '' },
    ])
  })

  it.each<
    [name: string, script: Record<string, Reply>, check: string, state: string, message: RegExp, mend: RegExp]
  >([
    [
      'another address',
      { ...fine, 'GET /api/json': top({ url: 'https://ci.example.com/jenkins/', jobs }) },
      'jenkins address',
      'warning',
      /calls itself https:\/\/ci\.example\.com\/jenkins\/, gkube reaches it at/,
      /Manage Jenkins, System/,
    ],
    [
      'no address',
      { ...fine, 'GET /api/json': top({ jobs }) },
      'jenkins address',
      'warning',
      /no BUILD_URL/,
      /Jenkins URL/,
    ],
    [
      'no jobs',
      { ...fine, 'GET /api/json': top({ url: 'x' }) },
      'jenkins jobs',
      'warning',
      /gkube sees no job/,
      /Job\/Read/,
    ],
    [
      'a token that is none',
      { 'GET /api/json': top({}, 401), 'GET /me/api/json': { status: 401 } },
      'jenkins credential',
      'failed',
      /does not take the token of the user gkube/,
      /API token/,
    ],
    [
      'a token that is none, said by a page of the servlet container',
      { 'GET /api/json': { status: 401 }, 'GET /me/api/json': { status: 401 } },
      'jenkins credential',
      'failed',
      /does not take the token/,
      /API token/,
    ],
    [
      'a token of nobody',
      { 'GET /api/json': top({ jobs }), 'GET /me/api/json': { status: 403 } },
      'jenkins credential',
      'failed',
      /may not read the profile of gkube/,
      /API token/,
    ],
    [
      'a user who may nothing',
      { ...fine, 'GET /api/json': top({}, 403) },
      'jenkins jobs',
      'failed',
      /may not read the list of jobs/,
      /Overall\/Read/,
    ],
    [
      'something else than Jenkins',
      { 'GET /api/json': { body: '<html>It works!</html>' } },
      'jenkins',
      'failed',
      /does not say that it is Jenkins/,
      /jenkins\.url/,
    ],
  ])('finds %s', async (_, script, name, state, message, mend) => {
    jenkins.script(script)
    const checks = await jenkins.jenkins.checks()
    const found = checks.find(check => check.name === name)
    expect(found).toMatchObject({ name, state })
    expect(found?.message).toMatch(message)
    expect(found?.mend).toMatch(mend)
    expect(JSON.stringify(checks)).not.toContain('the-api-token')
  })

  it('does not wait long', async () => {
    const silent = await scriptedJenkins({ 'GET /api/json': () => {} }, { timeouts: { person: 300 } })
    expect(await silent.jenkins.checks()).toEqual([
      {
        name: 'jenkins',
        state: 'failed',
        message: expect.stringMatching(/^Jenkins \(127\.0\.0\.1:\d+\) did not answer within 0\.3 s$/),
        mend: expect.stringMatching(/network/),
      },
    ])
    await silent.stop()
  })
})
