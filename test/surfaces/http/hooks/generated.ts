// Hooks that nobody would write: valid ones of each format, valid ones with something changed, and anything at all; by
// each proof, mostly a right one. One generator for the fast suite and the 10,000 of the slow one.
import fc from 'fast-check'
import { expect } from 'vitest'
import { type HookStack, newsOf, secrets } from './inbox.ts'
import { binary, cloudData, envelope, notification, plain } from './samples.ts'
import { basic, signed } from './send.ts'

export type Generated = {
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: string | Uint8Array
}

const pick = fc.constantFrom
const job = pick('shop/web', 'shop/api', 'bank/vault', 'shop/web/feature%2Flogin', 'Büro/🚀')
const url = pick('job/shop/job/web/', 'job/bank/job/vault/', 'job/shop/job/web/job/feature%252Flogin/')
const number = fc.integer({ min: 1, max: 40 })
const result = pick('SUCCESS', 'FAILURE', 'UNSTABLE', 'ABORTED', 'NOT_BUILT', undefined)
const jsonType = { 'content-type': 'application/json' }

type Made = { readonly body: unknown; readonly headers: Record<string, string> }

const valid: fc.Arbitrary<Made> = fc.oneof(
  fc
    .tuple(url, number, pick('QUEUED', 'STARTED', 'COMPLETED', 'FINALIZED', 'FINISHED', 'NONE'), result)
    .map(([url, number, phase, status]) => ({
      body: notification({ number, phase, status }, { url }),
      headers: { 'content-type': 'application/json;charset=UTF-8' },
    })),
  fc
    .tuple(url, number, pick('started', 'completed', 'finalized', 'failed', 'created'), result, fc.boolean())
    .map(([url, number, kind, status, packed]) => {
      const type = `org.jenkinsci.job.${kind}`
      const data = cloudData({ number, status: status ?? null }, { url })
      return packed
        ? { body: envelope(type, data), headers: { 'content-type': 'application/cloudevents+json' } }
        : { body: data, headers: { ...jsonType, ...binary(type) } }
    }),
  fc
    .tuple(job, number, result)
    .map(([job, number, result]) => ({ body: plain({ job, number, result }), headers: jsonType })),
)

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.string({ unit: 'binary', maxLength: 30 }),
  pick<unknown>(
    null, true, -1, 0, 0.5, 1e21, 2 ** 53, '', ' ', '214', '\u0000', '\ud800', '\u202e', '../..', 'job/%zz/', 'job/../job/x/',
    '__proto__', [], {}, [[[]]], 'x'.repeat(5_000), 'SUCCESS', 'STARTED', 'https://evil.example.com/job/x/',
  ),
) // biome-ignore format: a list

/** Something in it is another value, gone, or new. */
const changed: fc.Arbitrary<Made> = fc
  .tuple(
    valid,
    fc.array(fc.tuple(fc.nat(), odd, pick('set', 'set', 'delete', 'add')), { minLength: 1, maxLength: 3 }),
  )
  .map(([{ body, headers }, changes]) => {
    const copy = structuredClone(body)
    for (const [at, value, how] of changes) {
      const places = placesOf(copy)
      const place = places[at % places.length]
      if (!place) continue
      if (how === 'delete') delete place.holder[place.key]
      // A copy: the same list put into itself would be no JSON.
      else place.holder[how === 'add' ? `${place.key}x` : place.key] = structuredClone(value)
    }
    return { body: copy, headers }
  })

type Holder = Record<string, unknown>
function placesOf(value: unknown): { holder: Holder; key: string }[] {
  if (value === null || typeof value !== 'object') return []
  const holder = value as Holder // a JSON object or list
  return Object.keys(holder).flatMap(key => [{ holder, key }, ...placesOf(holder[key])])
}

/** A text or bytes, also where JSON was cut, doubled or mixed up. */
const broken: fc.Arbitrary<Pick<Generated, 'headers' | 'body'>> = fc.oneof(
  fc
    .tuple(valid, fc.nat(), fc.nat(20), fc.string({ maxLength: 5 }))
    .map(([{ body, headers }, at, cut, more]) => {
      const text = JSON.stringify(body)
      const from = at % text.length
      return { headers, body: text.slice(0, from) + more + text.slice(from + cut) }
    }),
  fc.json().map(body => ({ headers: jsonType, body })),
  fc
    .string({ unit: 'binary', maxLength: 200 })
    .map(body => ({ headers: jsonType, body: body.toWellFormed() })),
  fc.uint8Array({ maxLength: 200 }).map(body => ({ headers: jsonType, body })),
)

const word = fc.stringMatching(/^[!-~]{0,40}$/)
const oddHeaders = fc.dictionary(
  pick(
    'content-type',
    'ce-type',
    'ce-specversion',
    'ce-id',
    'x-gkube-timestamp',
    'content-encoding',
    'x-request-id',
  ),
  fc.oneof(
    word,
    pick('application/json', 'application/cloudevents+json', 'text/plain', '1.0', 'gzip', 'identity'),
  ),
  { maxKeys: 2 },
)

/** By whom; the body is needed for a signature. */
const proof = fc.oneof(
  { weight: 12, arbitrary: pick('path', 'basic', 'bearer', 'signature') },
  { weight: 1, arbitrary: pick('wrong', 'nothing', 'wrong signature') },
)
const who = fc.oneof(
  { weight: 5, arbitrary: pick(secrets.all) },
  { weight: 1, arbitrary: pick(secrets.shop) },
)

export const hook: fc.Arbitrary<Generated> = fc
  .tuple(
    fc.oneof(
      { weight: 4, arbitrary: valid.map(asText) },
      { weight: 5, arbitrary: changed.map(asText) },
      { weight: 3, arbitrary: broken },
    ),
    fc.oneof({ weight: 5, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: oddHeaders }),
    proof,
    who,
  )
  .map(([{ headers, body }, more, proof, secret]) => {
    const all = { ...headers, ...more }
    const path = '/hooks/jenkins'
    switch (proof) {
      case 'path':
        return { path: `${path}/${secret}`, headers: all, body }
      case 'basic':
        return { path, headers: { ...all, ...basic(secret) }, body }
      case 'bearer':
        return { path, headers: { ...all, authorization: `Bearer ${secret}` }, body }
      case 'signature':
        return { path, headers: { ...all, ...signed(secret, body) }, body }
      case 'wrong':
        return { path: `${path}/wrong`, headers: all, body }
      case 'wrong signature':
        return { path, headers: { ...all, ...signed('wrong', body), ...basic(secret) }, body }
      default:
        return { path, headers: all, body }
    }
  })

function asText({ body, headers }: Made): Pick<Generated, 'headers' | 'body'> {
  return { headers, body: JSON.stringify(body) ?? 'null' }
}

/**
 * Sends `count` of them, 25 at a time and one in five twice: no 5xx, no silence, no fault of ours, and what was taken is
 * kept once. Returns how many had each status.
 */
export async function sendGenerated(stack: HookStack, count: number): Promise<Record<number, number>> {
  const seed = Number(process.env.HOOKS_SEED ?? Math.floor(Math.random() * 2 ** 31))
  process.stdout.write(`generated hooks: HOOKS_SEED=${seed}\n`)
  const all = fc.sample(hook, { numRuns: count, seed })
  const statuses: Record<number, number> = {}
  let taken = 0
  const send = async ({ path, headers, body }: Generated) => {
    const answer = await fetch(stack.server.url + path, {
      method: 'POST',
      headers,
      body: body as string,
      signal: AbortSignal.timeout(20_000),
    })
    const said = (await answer.json()) as { build?: string; error?: { message: string } }
    statuses[answer.status] = (statuses[answer.status] ?? 0) + 1
    const what = `seed ${seed}: ${answer.status} ${JSON.stringify(said)} for ${JSON.stringify({ headers, body })}`
    expect([200, 202, 400, 401, 403, 415, 429], what).toContain(answer.status)
    if (answer.status >= 400) expect(said.error?.message, what).toMatch(/\S/)
    if (answer.status === 202 && said.build) taken++
  }
  for (let i = 0; i < all.length; i += 25)
    await Promise.all(
      all.slice(i, i + 25).flatMap((one, n) => (n % 5 ? [send(one)] : [send(one), send(one)])),
    )
  const entries = await stack.told(taken)
  expect(entries, `seed ${seed}`).toHaveLength(taken)
  expect(new Set(entries.map(newsOf)).size, `seed ${seed}`).toBe(taken)
  const faults = stack.log.filter(line => /"level":"(error|fatal)"/.test(line))
  expect(faults, `seed ${seed}`).toEqual([])
  expect((await fetch(`${stack.server.url}/healthz`)).status).toBe(200)
  return statuses
}
