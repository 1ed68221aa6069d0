// Which format a hook has, and what it tells: a build, or nothing that gkube follows. Each format has a file of its own
// (notification-plugin.ts, cloud-events.ts, plain-hook.ts); reading the request is jenkins-hooks.ts.
import type { IncomingHttpHeaders } from 'node:http'
import { z } from 'zod'
import type { BuildEvent } from '../../../core/builds/event.ts'
import { UserError } from '../../../errors.ts'
import { Refusal } from '../failures.ts'
import { parseInput } from '../input.ts'
import { cloudEvent } from './cloud-events.ts'
import { notificationEvent } from './notification-plugin.ts'
import { plainEvent } from './plain-hook.ts'

export type Told =
  | { readonly kind: 'build'; readonly event: BuildEvent }
  /** `why` in words. */
  | { readonly kind: 'nothing'; readonly why: string }

const structured = 'application/cloudevents+json'

/** Refusal 415 unless the body is said to be JSON in UTF-8. */
export function checkContentType(headers: IncomingHttpHeaders): void {
  const type = mediaType(headers)
  const refuse = (what: string) =>
    new Refusal(
      415,
      'bad_input',
      `A hook is JSON: send \`Content-Type: application/json\`, not ${what}. With curl: -H 'Content-Type: application/json' --data '{…}'.`,
    )
  if (type !== 'application/json' && type !== structured) throw refuse(type.slice(0, 100) || 'nothing')
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8'
  if (!/^utf-?8$/i.test(charset)) throw refuse(`charset ${charset.slice(0, 40)}`)
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') throw refuse(`${encoding.slice(0, 40)}-encoded bytes`)
}

/** UserError `bad_input` names the field that is wrong. */
export function toldBy(headers: IncomingHttpHeaders, body: unknown): Told {
  if (!isObject(body)) throw new UserError('bad_input', 'A hook is a JSON object: {…}.')
  const type = headers['ce-type']
  if (type !== undefined || headers['ce-specversion'] !== undefined) {
    if (typeof type !== 'string' || type === '')
      throw new UserError('bad_input', 'A CloudEvent in binary mode has its type in the header ce-type.')
    return byCloudEvent(type, body)
  }
  if (mediaType(headers) === structured || typeof body.specversion === 'string') return byEnvelope(body)
  if (Object.hasOwn(body, 'build')) return { kind: 'build', event: notificationEvent(body) }
  if (Object.hasOwn(body, 'job')) return { kind: 'build', event: plainEvent(body) }
  throw new UserError(
    'bad_input',
    'This is none of the known hooks: the Notification plugin sends {url, build}, the CloudEvents plugin headers ce-*, your own {job, number, result, url}.',
  )
}

/** `data` in the envelope, as JSON or in base64. */
const envelope = z.object({
  type: z.string().min(1),
  data: z.unknown().optional(),
  data_base64: z.string().optional(),
})

function byEnvelope(body: object): Told {
  const { type, data, data_base64: packed } = parseInput(envelope, { data: body }, 'CloudEvent')
  if (packed === undefined) return byCloudEvent(type, data)
  try {
    const bytes = Buffer.from(packed, 'base64')
    return byCloudEvent(type, JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError('bad_input', 'data_base64: expected JSON in base64.', { cause: error })
  }
}

function byCloudEvent(type: string, data: unknown): Told {
  const event = cloudEvent(type, data)
  if (event) return { kind: 'build', event }
  return {
    kind: 'nothing',
    why: `Events of type ${type.slice(0, 100)} tell nothing of a build; it was left.`,
  }
}

const mediaType = (headers: IncomingHttpHeaders): string =>
  (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? ''

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
