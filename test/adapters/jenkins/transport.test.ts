// What every call keeps to: credentials go to the configured address only, redirects are not followed, paths are encoded,
// bodies have a cap, crumbs are fetched where they are wanted, and a page that is no JSON is told as such.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Reply, refusal, type Scripted, scriptedJenkins } from './scripted-jenkins.ts'

const basic = `Basic ${Buffer.from('gkube:the-api-token').toString('base64')}`

let jenkins: Scripted
let elsewhere: Scripted
beforeAll(async () => {
  jenkins = await scriptedJenkins()
  elsewhere = await scriptedJenkins({})
})
afterAll(() => Promise.all([jenkins.stop(), elsewhere.stop()]))

describe('credentials', () => {
  it('go to the configured address and nowhere else, wherever Jenkins points to', async () => {
    const away = (path: string): Reply => ({ status: 302, headers: { location: `${elsewhere.url}${path}` } })
    jenkins.script({
      'GET /job/web/api/json': { json: { property: [], url: `${elsewhere.url}job/web/` } },
      'POST /job/web/build': { status: 201, headers: { location: `${elsewhere.url}queue/item/7/` } },
      'GET /queue/item/7/api/json': {
        json: { cancelled: false, executable: { number: 1, url: `${elsewhere.url}job/web/1/` } },
      },
      'GET /job/web/1/api/json': away('job/web/1/api/json'),
      'GET /job/web/1/logText/progressiveText': away('log'),
      'POST /job/web/1/stop': away('job/web/1/'),
      'GET /job/web/1/wfapi/pendingInputActions': {
        json: [{ id: 'Go', inputs: [], proceedUrl: `${elsewhere.url}yes`, abortUrl: `${elsewhere.url}no` }],
      },
      'POST /job/web/1/input/Go/proceedEmpty': away('job/web/1/console'),
    })
    expect(await jenkins.jenkins.start('web', {})).toEqual({ queueId: 7, coalesced: false })
    expect(await jenkins.jenkins.queueItem(7)).toMatchObject({ number: 1 })
    expect(await refusal(jenkins.jenkins.build('web', 1))).toMatchObject({ code: 'unavailable' })
    expect(await refusal(jenkins.jenkins.log('web', 1, 0))).toMatchObject({ code: 'unavailable' })
    await jenkins.jenkins.stop('web', 1)
    await jenkins.jenkins.answer(
      { job: 'web', number: 1, input: 'Go' },
      { decision: 'proceed', parameters: {} },
    )
    expect(elsewhere.seen).toEqual([])
    expect(new Set(jenkins.seen.map(({ headers }) => headers.authorization))).toEqual(new Set([basic]))
    expect(jenkins.lines.join('\n')).not.toContain('the-api-token')
  })
})

describe('paths', () => {
  it.each<[job: string, path: string]>([
    ['web', '/job/web/'],
    ['shop/web', '/job/shop/job/web/'],
    ['shop/web/feature%2Flogin', '/job/shop/job/web/job/feature%252Flogin/'],
    ['Team A/Größe #1?', '/job/Team%20A/job/Gr%C3%B6%C3%9Fe%20%231%3F/'],
    ['a/%2e%2e/b', '/job/a/job/%252e%252e/job/b/'],
  ])('%s', async (job, path) => {
    jenkins.script({ [`GET ${path}api/json`]: { json: { property: [] } } })
    const facts = await jenkins.jenkins.job(job)
    expect(facts).toEqual({
      job,
      url: `${jenkins.url}${path.slice(1)}`,
      kind: 'job',
      buildable: true,
      parameters: [],
    })
  })

  it.each(['..', 'a/../b', './a', 'a//b', 'a/'])('asks nothing for %s', async job => {
    jenkins.script({})
    expect(await refusal(jenkins.jenkins.job(job))).toMatchObject({ code: 'not_found' })
    expect(jenkins.seen).toEqual([])
  })

  it('stay below an address with a path', async () => {
    const below = await scriptedJenkins(
      { 'GET /jenkins/job/web/api/json': { json: {} } },
      { base: '/jenkins' },
    )
    expect((await below.jenkins.job('web')).url).toBe(`${below.url}/job/web/`)
    await below.stop()
  })
})

describe('answers that are none', () => {
  const read = 'GET /job/web/1/api/json'
  it.each<[name: string, reply: Reply, code: string, words: RegExp]>([
    [
      'a login page with 200',
      { body: '<!DOCTYPE html><title>Sign in</title>' },
      'unavailable',
      /web page.*jenkins\.url/,
    ],
    ['half an answer', { body: '{"number":1,' }, 'unavailable', /does not understand/],
    ['a list', { json: [] }, 'unavailable', /does not understand/],
    ['another thing', { json: { number: 'one' } }, 'unavailable', /does not understand/],
    ['nothing', { body: '' }, 'unavailable', /does not understand/],
    [
      'more than 4 MB',
      { body: `{"number":1,"x":"${'x'.repeat(4 * 1024 * 1024)}"}` },
      'unavailable',
      /more than 4 MB/,
    ],
    [
      'broken off within',
      response => {
        response.writeHead(200, { 'content-length': '100' })
        response.write('{')
        setImmediate(() => response.destroy())
      },
      'unavailable',
      /cannot be reached/,
    ],
    ['too many requests', { status: 429 }, 'unavailable', /429/],
    ['a proxy without Jenkins', { status: 502 }, 'unavailable', /502/],
  ])('%s', async (_, reply, code, words) => {
    jenkins.script({ [read]: reply })
    const told = await refusal(jenkins.jenkins.build('web', 1))
    expect(told).toMatchObject({ code, unclear: false })
    expect(told.message).toMatch(words)
  })
})

describe('crumbs', () => {
  const read = { 'GET /job/web/api/json': { json: { property: [] } } }
  const noCrumb: Reply = {
    status: 403,
    body: '<title>Error 403 No valid crumb was included in the request</title>',
  }
  const taken: Reply = { status: 201, headers: { location: '/queue/item/7/' } }
  const issuer = {
    'GET /crumbIssuer/api/json': {
      json: { crumb: 'abc123', crumbRequestField: 'Jenkins-Crumb' },
      headers: { 'set-cookie': ['JSESSIONID.1=xyz; Path=/; HttpOnly', 'other=1; Path=/'] },
    },
  }

  it('are fetched with their session where one is wanted, kept, and asked for once', async () => {
    const one = await scriptedJenkins({ ...read, ...issuer, 'POST /job/web/build': [noCrumb, taken] })
    expect(await one.jenkins.start('web', {})).toMatchObject({ queueId: 7 })
    expect(one.seen.at(-1)?.headers).toMatchObject({
      'jenkins-crumb': 'abc123',
      cookie: 'JSESSIONID.1=xyz; other=1',
      authorization: basic,
    })
    await one.jenkins.start('web', {})
    expect(one.asked().filter(asked => asked.includes('crumb'))).toHaveLength(1)
    expect(one.lines.join()).toMatch(/an API token needs none/)
    await one.stop()
  })

  it.each<[name: string, script: Record<string, Reply>, posts: number]>([
    ['never taken', issuer, 2],
    ['none to be had', {}, 1],
    [
      'not one that is a header',
      { 'GET /crumbIssuer/api/json': { json: { crumb: 'a\r\nx: y', crumbRequestField: 'X' } } },
      1,
    ],
  ])('%s: forbidden, and no loop', async (_, script, posts) => {
    const one = await scriptedJenkins({ ...read, ...script, 'POST /job/web/build': noCrumb })
    const told = await refusal(one.jenkins.start('web', {}))
    expect(told).toMatchObject({ code: 'forbidden', unclear: false })
    expect(told.message).toMatch(/crumb.*API token/)
    expect(one.asked().filter(asked => asked.startsWith('POST'))).toHaveLength(posts)
    await one.stop()
  })

  it('another 403 asks for none', async () => {
    jenkins.script({
      ...read,
      ...issuer,
      'POST /job/web/build': { status: 403, body: 'gkube is missing the Job/Build permission' },
    })
    await refusal(jenkins.jenkins.start('web', {}))
    expect(jenkins.asked().join()).not.toContain('crumb')
  })
})
