// What each format of a hook becomes, and in which words it is refused. Sending them is jenkins-hooks.test.ts.
import { describe, expect, it } from 'vitest'
import { buildEventSchema } from '../../../../src/core/builds/event.ts'
import { jobOfUrl } from '../../../../src/surfaces/http/hooks/job-url.ts'
import { checkContentType, type Told, toldBy } from '../../../../src/surfaces/http/hooks/told.ts'
import { binary, cloudData, envelope, notification, plain } from './samples.ts'

const json = { 'content-type': 'application/json' }
const event = (told: Told) => {
  if (told.kind === 'nothing') throw new Error(told.why)
  expect(buildEventSchema.parse(told.event)).toEqual(told.event)
  return told.event
}
const of = (body: unknown, headers: Record<string, string> = {}) =>
  event(toldBy({ ...json, ...headers }, body))

describe('the job of an address', () => {
  it.each([
    ['a job at the top', 'job/web/', 'web'],
    ['one in folders', 'job/shop/job/web/', 'shop/web'],
    ['with blanks', 'job/my%20shop/job/web/', 'my shop/web'],
    ['a branch with a slash', 'job/shop/job/web/job/feature%252Flogin/', 'shop/web/feature%2Flogin'],
    ['a slash that was encoded once: still no folder', 'job/shop%2Fweb/', 'shop%2Fweb'],
    ['umlauts', 'job/B%C3%BCro/job/%F0%9F%9A%80/', 'Büro/🚀'],
    ['a job called job', 'job/job/job/view/', 'job/view'],
    ['seen through a view', 'view/all/job/shop/view/mine/job/web/', 'shop/web'],
    ['of a build', 'job/shop/job/web/214/', 'shop/web'],
    ['whole', 'https://jenkins.example.com/ci/job/shop/job/web/214/?x=/job/y', 'shop/web'],
    ['of a matrix configuration', 'job/all/os=linux,jdk=17/', 'all/os=linux,jdk=17'],
    ['nothing', '', null],
    ['no job', 'computer/agent-1/', null],
    ['no name', 'job/', null],
    ['climbing', 'job/shop/job/../', null],
    ['climbing, encoded', 'job/shop/job/%2E%2E/', null],
    ['broken encoding', 'job/%zz/', null],
    ['a control character', 'job/a%00b/', null],
    ['half a character', 'job/\ud800/', null],
    ['another page of the job', 'job/shop/configure', null],
    ['too long', `job/${'a'.repeat(600)}/`, null],
  ])('%s', (_, url, job) => expect(jobOfUrl(url)).toBe(job))
})

describe('the Notification plugin', () => {
  it.each([
    ['QUEUED', undefined, 'queued', null],
    ['STARTED', undefined, 'started', null],
    ['NONE', undefined, 'started', null],
    ['COMPLETED', 'SUCCESS', 'finished', 'SUCCESS'],
    ['COMPLETED', 'UNSTABLE', 'finished', 'UNSTABLE'],
    ['FINALIZED', 'FAILURE', 'finalized', 'FAILURE'],
    ['FINALIZED', 'NOT_BUILT', 'finalized', 'NOT_BUILT'],
    ['FINISHED', 'ABORTED', 'finalized', 'ABORTED'],
    // A Pipeline that has set its result already, by notifyEndpoints.
    ['STARTED', 'UNSTABLE', 'started', 'UNSTABLE'],
  ])('%s %s is %s', (phase, status, told, result) =>
    expect(of(notification({ phase, status }))).toMatchObject({
      job: 'shop/web',
      number: 214,
      phase: told,
      result,
    }),
  )

  it('takes all that is needed', () =>
    expect(
      of(
        notification({
          phase: 'COMPLETED',
          status: 'UNSTABLE',
          duration: 190_000,
          test_summary: { total: 412, failed: 2, passed: 409, skipped: 1, failed_tests: ['a.B.c', 'a.B.d'] },
        }),
      ),
    ).toEqual({
      job: 'shop/web',
      number: 214,
      queueId: 77,
      phase: 'finished',
      result: 'UNSTABLE',
      startedAt: 1_790_000_000_000 - 190_000,
      durationMs: 190_000,
      commit: '3fa9c1e0b7d24f6a8c5e1d3b2a4f6c8e0d1b3a5f',
      branch: 'origin/main',
      parameters: { TARGET: 'staging', RETRIES: '3' },
      tests: { total: 412, failed: 2, skipped: 1, names: ['a.B.c', 'a.B.d'] },
    }))

  it.each([
    ['STARTED', 0, 1_790_000_000_000],
    ['QUEUED', 0, null],
    ['COMPLETED', 0, null],
    ['FINALIZED', 5000, null],
  ])('the time of %s is the start only where it is', (phase, duration, startedAt) =>
    expect(of(notification({ phase, duration })).startedAt).toBe(startedAt),
  )

  it('takes the job from the address, never from the name', () =>
    expect(
      of(notification({}, { name: 'feature%2Flogin', url: 'job/shop/job/web/job/feature%252Flogin/' })).job,
    ).toBe('shop/web/feature%2Flogin'))

  it('is content with the least, and with fields that nobody knows', () =>
    expect(
      of({ url: 'job/web/', build: { number: 1, phase: 'STARTED', queue_id: -1, later: { x: [] } }, x: 1 }),
    ).toEqual({
      job: 'web',
      number: 1,
      queueId: null,
      phase: 'started',
      result: null,
      startedAt: null,
      durationMs: null,
      commit: null,
      branch: null,
      parameters: {},
      tests: null,
    }))

  it.each([
    ['parameters', 'no map'],
    ['scm', ['x']],
    ['test_summary', { total: -1 }],
    ['timestamp', 'now'],
    ['duration', -1],
    ['queue_id', 1e300],
  ])('leaves out %s where it is of another form', (field, value) =>
    expect(of(notification({ [field]: value })).number).toBe(214),
  )

  it('keeps no secret and nothing without end', () => {
    const parameters: Record<string, unknown> = JSON.parse('{"__proto__": "x", "constructor": "y"}')
    Object.assign(parameters, { DB_PASSWORD: 'hunter2hunter2', NOTE: `see ${'n'.repeat(1000)}`, N: 3, O: {} })
    const told = of(
      notification({
        parameters,
        scm: { branch: `${'b'.repeat(499)}🚀`, commit: 'r1234' },
        test_summary: { total: 100, failed: 100, skipped: 0, failed_tests: Array(100).fill('t'.repeat(999)) },
      }),
    )
    expect(told.parameters.DB_PASSWORD).toBe('(hidden)')
    expect(told.parameters.NOTE).toHaveLength(500)
    expect(Object.keys(told.parameters)).toEqual(['constructor', 'DB_PASSWORD', 'NOTE', 'N'])
    expect(told.branch?.isWellFormed()).toBe(true)
    expect(told.commit).toBeNull()
    expect(told.tests?.names).toHaveLength(20)
    expect(JSON.stringify(told).length).toBeLessThan(10_000)
  })
})

describe('CloudEvents', () => {
  const phases = [
    ['org.jenkinsci.job.started', null, 'started', null],
    ['org.jenkinsci.job.completed', 'SUCCESS', 'finished', 'SUCCESS'],
    ['org.jenkinsci.job.finalized', 'ABORTED', 'finalized', 'ABORTED'],
    ['org.jenkinsci.job.failed', 'FAILURE', 'finalized', 'FAILURE'],
    ['org.jenkinsci.job.failed', null, 'finalized', 'FAILURE'],
  ] as const
  it.each(phases)('%s with %s, in each mode', (type, status, phase, result) => {
    const data = cloudData({ status })
    const expected = { job: 'shop/web', number: 214, queueId: 77, phase, result, commit: '3fa9c1e' }
    expect(of(data, binary(type))).toMatchObject(expected)
    expect(of(envelope(type, data), { 'content-type': 'application/cloudevents+json' })).toMatchObject(
      expected,
    )
    // Some senders forget the type of the body.
    expect(of(envelope(type, data))).toMatchObject(expected)
    const packed = Buffer.from(JSON.stringify(data)).toString('base64')
    const { data: _, ...rest } = envelope(type, data)
    expect(of({ ...rest, data_base64: packed })).toMatchObject(expected)
  })

  it('failed and finalized of one build are the same news', () => {
    const data = cloudData({ status: 'FAILURE', phase: 'FINALIZED' })
    expect(of(data, binary('org.jenkinsci.job.failed'))).toEqual(
      of(data, binary('org.jenkinsci.job.finalized')),
    )
  })

  it.each([
    'org.jenkinsci.queue.entered_waiting',
    'org.jenkinsci.queue.left',
    'org.jenkinsci.job.created',
    'org.jenkinsci.job.updated',
    'org.jenkinsci.node.online',
    'dev.cdevents.taskrun.finished.0.1.1',
    '__proto__',
  ])('%s tells nothing of a build', type => {
    const data = { ciUrl: 'https://jenkins.example.com/', displayName: 'web', jenkinsQueueId: 77 }
    for (const told of [
      toldBy({ ...json, ...binary(type) }, data),
      toldBy({ 'content-type': 'application/cloudevents+json' }, envelope(type, data)),
    ])
      expect(told).toEqual({ kind: 'nothing', why: expect.stringContaining(type) })
  })
})

describe('a hook of one’s own', () => {
  it.each([
    [{}, { phase: 'finalized', result: 'SUCCESS' }],
    [{ result: 'failure' }, { phase: 'finalized', result: 'FAILURE' }],
    [{ result: undefined }, { phase: 'started', result: null }],
    [{ result: null }, { phase: 'started', result: null }],
    [{ phase: 'finished' }, { phase: 'finished', result: 'SUCCESS' }],
    [{ number: '214' }, { number: 214 }],
    [{ job: 'shop/web/feature%2Flogin' }, { job: 'shop/web/feature%2Flogin' }],
    [
      { commit: '3FA9C1E', branch: 'main' },
      { commit: '3fa9c1e', branch: 'main' },
    ],
    [
      { url: undefined, more: [] },
      { job: 'shop/web', number: 214 },
    ],
  ])('%o', (fields, expected) => expect(of(plain(fields))).toMatchObject(expected))
})

describe('what is refused, and in which words', () => {
  const type = 'org.jenkinsci.job.started'
  it.each<[string, unknown, Record<string, string>, RegExp]>([
    ['a list', [], {}, /JSON object/],
    ['null', null, {}, /JSON object/],
    ['none of the formats', { a: 1 }, {}, /none of the known hooks.*\{job, number, result, url\}/],
    ['no address', notification({}, { url: undefined }), {}, /url: is missing, expected a text/],
    ['an address that is none', notification({}, { url: 'x/y' }), {}, /url: .*job\/shop\/job\/web\//],
    [
      'no number',
      notification({ number: undefined }),
      {},
      /build\.number: is missing, expected a whole number/,
    ],
    ['number 0', notification({ number: 0 }), {}, /build\.number: .*at least 1/],
    ['a number in words', notification({ number: '214' }), {}, /build\.number/],
    ['a number without end', notification({ number: 1e21 }), {}, /build\.number/],
    ['an unknown phase', notification({ phase: 'PAUSED' }), {}, /build\.phase: .*QUEUED, STARTED/],
    ['an unknown result', notification({ status: 'GREAT' }), {}, /build\.status: .*SUCCESS, UNSTABLE/],
    ['a build that is none', { url: 'job/a/', build: 3 }, {}, /build: expected a map/],
    ['no type in binary mode', cloudData(), { 'ce-specversion': '1.0' }, /header ce-type/],
    [
      'no type in the envelope',
      { specversion: '1.0', data: cloudData() },
      {},
      /type: is missing, expected a text/,
    ],
    ['no data', envelope(type, undefined), {}, /expected a map/],
    ['data without a build', cloudData({}, { build: null }), binary(type), /build: expected a map/],
    ['base64 of nothing', { specversion: '1.0', type, data_base64: '%%' }, {}, /data_base64/],
    ['a job that climbs', plain({ job: 'shop/../secret' }), {}, /job: .*a full job path/],
    ['a job with a line end', plain({ job: 'shop\nweb' }), {}, /job/],
    ['half a character', plain({ job: 'shop/\ud800' }), {}, /job/],
    ['an unknown word for a result', plain({ result: 'GREEN' }), {}, /result: .*SUCCESS, UNSTABLE/],
    ['an empty result', plain({ result: '' }), {}, /result/],
    ['an empty number', plain({ number: '' }), {}, /number/],
    ['an unknown phase of one’s own', plain({ phase: 'over' }), {}, /phase: .*queued, started/],
  ])('%s', (_, body, headers, words) => {
    expect(() => toldBy({ ...json, ...headers }, body)).toThrow(
      expect.objectContaining({ kind: 'bad_input', message: expect.stringMatching(words) }),
    )
  })

  it.each([
    [{}, /not nothing/],
    [{ 'content-type': 'application/x-www-form-urlencoded' }, /curl: -H/],
    [{ 'content-type': 'text/plain' }, /not text\/plain/],
    [{ 'content-type': 'application/cloudevents-batch+json' }, /not application\/cloudevents-batch/],
    [{ 'content-type': 'application/json; charset=iso-8859-1' }, /charset iso-8859-1/],
    [{ ...json, 'content-encoding': 'gzip' }, /gzip-encoded/],
  ])('%o', (headers, words) => {
    expect(() => checkContentType(headers)).toThrow(
      expect.objectContaining({ status: 415, message: expect.stringMatching(words) }),
    )
  })

  it.each([
    'application/json',
    'application/json;charset=UTF-8',
    'Application/JSON; charset="utf-8"',
    'application/cloudevents+json; charset=utf8',
  ])('takes %s', type => expect(checkContentType({ 'content-type': type })).toBeUndefined())
})
