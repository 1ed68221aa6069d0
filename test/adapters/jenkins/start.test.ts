// Asking Jenkins for a build: which form, what each answer means, and what must never be followed or sent.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Reply, refusal, type Scripted, scriptedJenkins } from './scripted-jenkins.ts'

const definition = { name: 'REV', type: 'StringParameterDefinition' }
const plain = { json: { buildable: true, property: [{}] } }
const parameterised = { json: { buildable: true, property: [{ parameterDefinitions: [definition] }] } }
const queued = (status: number, host = 'http://wrong.example:9999/prefix'): Reply => ({
  status,
  headers: { location: `${host}/queue/item/42/` },
})
const read = 'GET /job/shop/job/web/api/json'
const build = 'POST /job/shop/job/web/build'
const withParameters = 'POST /job/shop/job/web/buildWithParameters'

let jenkins: Scripted
beforeAll(async () => {
  jenkins = await scriptedJenkins()
})
afterAll(() => jenkins.stop())

describe('a build that is taken', () => {
  it.each<[name: string, script: Record<string, Reply | Reply[]>, coalesced: boolean, asked: string[]]>([
    ['without parameters', { [read]: plain, [build]: queued(201) }, false, [read, build]],
    [
      'with parameters',
      { [read]: parameterised, [withParameters]: queued(201) },
      false,
      [read, withParameters],
    ],
    [
      'joined to one that waits',
      { [read]: parameterised, [withParameters]: queued(303) },
      true,
      [read, withParameters],
    ],
    ['sent on to the queue by an old version', { [read]: plain, [build]: queued(302) }, false, [read, build]],
    [
      'of a job that got its parameters a moment ago',
      { [read]: plain, [build]: { status: 400 }, [withParameters]: queued(201) },
      false,
      [read, build, withParameters],
    ],
    ['where Location has no host', { [read]: plain, [build]: queued(201, '') }, false, [read, build]],
  ])('%s', async (_, script, coalesced, asked) => {
    jenkins.script(script)
    expect(await jenkins.jenkins.start('shop/web', {})).toEqual({ queueId: 42, coalesced })
    expect(jenkins.asked()).toEqual(asked)
  })

  it('sends values as a form, whole', async () => {
    jenkins.script({ [read]: parameterised, [withParameters]: queued(201) })
    await jenkins.jenkins.start('shop/web', { REV: 'a b&c=ü\n"', OTHER: '+%2F' })
    const sent = new URLSearchParams(jenkins.seen.at(-1)?.body)
    expect(Object.fromEntries(sent)).toEqual({ REV: 'a b&c=ü\n"', OTHER: '+%2F' })
  })

  it('of a job that lost its parameters a moment ago', async () => {
    jenkins.script({ [read]: parameterised, [withParameters]: { status: 400 }, [build]: queued(201) })
    expect(await jenkins.jenkins.start('shop/web', {})).toEqual({ queueId: 42, coalesced: false })
  })
})

describe('a build that is not taken', () => {
  const page = (status: number, words: string): Reply => ({
    status,
    headers: { 'content-type': 'text/html' },
    body: `<html><head><title>Error ${status} ${words}</title></head></html>`,
  })
  it.each<[name: string, script: Record<string, Reply>, code: string, words: RegExp, unclear?: boolean]>([
    [
      'refused to schedule',
      { [build]: { status: 302, headers: { location: 'http://ci.internal/x/job/shop/job/web/' } } },
      'refused',
      /did not put shop\/web into its queue/,
    ],
    [
      'refused, with a relative Location',
      { [build]: { status: 302, headers: { location: '.' } } },
      'refused',
      /into its queue/,
    ],
    [
      'a login page',
      { [build]: { status: 302, headers: { location: '/login?from=%2F' } } },
      'forbidden',
      /login page/,
    ],
    [
      'another address',
      { [build]: { status: 301, headers: { location: 'https://ci.example.com/job/shop/job/web/build' } } },
      'unavailable',
      /redirect \(301\) to https:\/\/ci\.example\.com\. Set it/,
    ],
    [
      'bad credential',
      { [build]: { status: 401 } },
      'forbidden',
      /credential of the user gkube.*jenkins\.tokenFile/,
    ],
    [
      'no permission',
      { [build]: { status: 403, headers: { 'x-required-permission': 'hudson.model.Item.Build' } } },
      'forbidden',
      /user gkube may not start the job shop\/web \(it needs Item\/Build\)/,
    ],
    ['gone meanwhile', { [build]: { status: 404 } }, 'not_found', /does not know the job shop\/web/],
    ['no POST', { [build]: { status: 405 } }, 'refused', /405.*jenkins\.url/],
    ['disabled', { [build]: page(409, 'web is not buildable') }, 'refused', /disabled\. Enable it/],
    [
      'both forms wrong',
      {
        [build]: page(400, 'this page expects a form'),
        [withParameters]: page(400, 'web is not parameterized'),
      },
      'refused',
      /\(400\): this page expects a form$/,
    ],
    ['starting', { [build]: { status: 503 } }, 'unavailable', /starting/, false],
    ['failed', { [build]: { status: 500 } }, 'unavailable', /500/, true],
    ['a gateway gave up', { [build]: { status: 504 } }, 'unavailable', /504/, true],
    ['no place in the queue told', { [build]: { status: 201 } }, 'unavailable', /without saying where/, true],
    [
      'broken off',
      { [build]: response => response.destroy() },
      'unavailable',
      /broke off before it answered/,
      true,
    ],
  ])('%s', async (_, script, code, words, unclear = false) => {
    jenkins.script({ [read]: plain, ...script })
    const told = await refusal(jenkins.jenkins.start('shop/web', {}))
    expect(told).toMatchObject({ code, unclear })
    expect(told.message).toMatch(words)
    expect(told.message).not.toContain('the-api-token')
  })

  it('is not asked for without the parameters that were given', async () => {
    jenkins.script({
      [read]: parameterised,
      [withParameters]: page(400, 'web is not parameterized'),
      [build]: queued(201),
    })
    expect(await refusal(jenkins.jenkins.start('shop/web', { REV: '1' }))).toMatchObject({ code: 'refused' })
    expect(jenkins.asked()).not.toContain(build)
  })

  it('is no branch scan', async () => {
    jenkins.script({ [read]: { json: { jobs: [{ name: 'main' }] } }, [build]: queued(201) })
    expect(await refusal(jenkins.jenkins.start('shop/web', {}))).toMatchObject({ code: 'refused' })
    expect(jenkins.asked()).toEqual([read])
  })

  it('is unclear where no answer came in time, and not where nothing was sent', async () => {
    const slow = await scriptedJenkins({ [read]: plain, [build]: () => {} }, { timeouts: { call: 1000 } })
    expect(await refusal(slow.jenkins.start('shop/web', {}))).toEqual({
      code: 'unavailable',
      message: expect.stringMatching(/^Jenkins \(127\.0\.0\.1:\d+\) did not answer within 1 s$/),
      unclear: true,
    })
    await slow.stop()
    const told = await refusal(slow.jenkins.stop('shop/web', 1))
    expect(told).toMatchObject({ code: 'unavailable', unclear: false })
    expect(told.message).toMatch(/cannot be reached \(ECONNREFUSED\)/)
  })
})

describe('the queue', () => {
  const item = 'GET /queue/item/42/api/json'
  it.each<[name: string, reply: Reply, facts: unknown]>([
    [
      'waits',
      {
        json: {
          _class: 'hudson.model.Queue$WaitingItem',
          id: 42,
          why: 'In the quiet period. Expires in 4.6 sec',
        },
      },
      { state: 'waiting', why: 'In the quiet period. Expires in 4.6 sec' },
    ],
    [
      'left, its build not known yet',
      { json: { _class: 'hudson.model.Queue$LeftItem', cancelled: false, executable: null, why: null } },
      { state: 'left', number: null, cancelled: false },
    ],
    [
      'left with its build',
      { json: { cancelled: false, executable: { number: 54 } } },
      { state: 'left', number: 54, cancelled: false },
    ],
    ['was cancelled', { json: { cancelled: true } }, { state: 'left', number: null, cancelled: true }],
    ['is forgotten', { status: 404 }, null],
  ])('an item that %s', async (_, reply, facts) => {
    jenkins.script({ [item]: reply })
    expect(await jenkins.jenkins.queueItem(42)).toEqual(facts)
  })

  it.each<[status: number, code: string | null]>([
    [204, null],
    [302, null],
    [404, 'not_found'],
    [422, 'forbidden'],
    [500, 'unavailable'],
  ])('cancelling is answered %i', async (status, code) => {
    jenkins.script({ 'POST /queue/cancelItem': { status, headers: { location: '/queue/' } } })
    const call = jenkins.jenkins.cancelQueueItem(42)
    if (code === null) await call
    else expect(await refusal(call)).toMatchObject({ code })
    expect(jenkins.seen[0]?.query.get('id')).toBe('42')
  })

  it('tells what of one job waits, by addresses with whatever host and prefix', async () => {
    const of = (id: number, url: string, actions: unknown[] = []) => ({
      id,
      inQueueSince: 1_700_000_000_000 + id,
      task: { url },
      actions,
    })
    jenkins.script({
      'GET /queue/api/json': {
        json: {
          items: [
            of(1, 'http://other.example/prefix/job/shop/job/web/', [
              { causes: [{ shortDescription: 'Started by user Bot', userId: 'gkube' }] },
              { parameters: [{ _class: 'hudson.model.StringParameterValue', name: 'REV', value: '1' }] },
            ]),
            of(2, 'http://other.example/job/web/'),
            of(3, 'http://other.example/job/old/job/shop/job/web/'),
            { id: 4, task: null },
          ],
        },
      },
    })
    expect(await jenkins.jenkins.queued?.('shop/web')).toEqual([
      { id: 1, since: 1_700_000_000_001, user: 'gkube', parameters: { REV: '1' } },
    ])
    expect(await jenkins.jenkins.queued?.('web')).toMatchObject([{ id: 2, user: null }])
  })
})
