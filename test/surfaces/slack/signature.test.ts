// Only what Slack signed within five minutes of now, in either direction.
import { createHmac } from 'node:crypto'
import { expect, it } from 'vitest'
import { signatureProblem } from '../../../src/surfaces/slack/signature.ts'

const secret = 's3cret'
const now = 1_800_000_000_000
const body = Buffer.from('token=x&text=%F0%9F%9A%80')
const sign = (seconds: number, with_ = secret, what: Uint8Array = body) =>
  `v0=${createHmac('sha256', with_).update(`v0:${seconds}:`).update(what).digest('hex')}`
const headers = (skew: number, over: Record<string, string | string[] | undefined> = {}) => ({
  'x-slack-request-timestamp': String(now / 1000 + skew),
  'x-slack-signature': sign(now / 1000 + skew),
  ...over,
})

const cases: readonly (readonly [string, ReturnType<typeof headers>, string | null])[] = [
  ['now', headers(0), null],
  ['299 s old', headers(-299), null],
  ['299 s ahead', headers(299), null],
  ['301 s old', headers(-301), '301 s old'],
  ['301 s ahead', headers(301), '301 s in the future'],
  ['years ahead', headers(100_000_000), '100000000 s in the future'],
  ['another secret', headers(0, { 'x-slack-signature': sign(now / 1000, 'other') }), 'wrong signature'],
  [
    'another body',
    headers(0, { 'x-slack-signature': sign(now / 1000, secret, Buffer.from('x')) }),
    'wrong signature',
  ],
  ['another time signed', headers(0, { 'x-slack-signature': sign(now / 1000 - 1) }), 'wrong signature'],
  ['no time', headers(0, { 'x-slack-request-timestamp': undefined }), 'no time'],
  ['a time that is no number', headers(0, { 'x-slack-request-timestamp': '1e9' }), 'no time'],
  ['a negative time', headers(0, { 'x-slack-request-timestamp': '-5' }), 'no time'],
  ['two times', headers(0, { 'x-slack-request-timestamp': ['1', '2'] }), 'no time'],
  ['no signature', headers(0, { 'x-slack-signature': undefined }), 'no signature'],
  ['a short signature', headers(0, { 'x-slack-signature': 'v0=abc' }), 'no signature'],
  [
    'another version',
    headers(0, { 'x-slack-signature': sign(now / 1000).replace('v0', 'v1') }),
    'no signature',
  ],
]
it.each(cases)('%s', (_name, given, expected) => {
  expect(signatureProblem(given, body, { secret, now })).toBe(expected)
})
