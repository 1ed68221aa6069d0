// Turns whatever was thrown into the one shape of a failure: {error: {kind, message, details, requestId}}.
// UserError goes out as written; an unconfirmed write says so; anything else is an id that stands in the log.
import { OutcomeUnknown } from '../../core/kv.ts'
import { UserError, userErrorKinds } from '../../errors.ts'

/** A refusal of the protocol itself: no such route, wrong method, too many bad tokens. */
export class Refusal extends Error {
  readonly status: number
  readonly kind: string
  readonly details: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    kind: string,
    message: string,
    more: { details?: Record<string, unknown>; headers?: Record<string, string> } = {},
  ) {
    super(message)
    this.name = 'Refusal'
    this.status = status
    this.kind = kind
    this.details = more.details ?? {}
    this.headers = more.headers ?? {}
  }
}

export type Failure = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: {
    readonly error: {
      readonly kind: string
      readonly message: string
      readonly details: Readonly<Record<string, unknown>>
      readonly requestId: string
    }
  }
  /** Whether it is ours to look into: logged with its cause. */
  readonly ours: boolean
}

export function failureOf(error: unknown, requestId: string): Failure {
  const failure = (
    status: number,
    kind: string,
    message: string,
    more: { details?: Readonly<Record<string, unknown>>; headers?: Readonly<Record<string, string>> } = {},
  ): Failure => ({
    status,
    headers: more.headers ?? {},
    body: { error: { kind, message, details: more.details ?? {}, requestId } },
    ours: status === 500,
  })
  if (error instanceof UserError) {
    const headers: Record<string, string> = {}
    if (error.kind === 'unauthenticated') headers['www-authenticate'] = 'Bearer'
    if (error.kind === 'unavailable') headers['retry-after'] = '2'
    if (error.kind === 'too_large') headers.connection = 'close'
    return failure(userErrorKinds[error.kind].status, error.kind, error.message, {
      details: error.details,
      headers,
    })
  }
  if (error instanceof Refusal) return failure(error.status, error.kind, error.message, error)
  if (error instanceof OutcomeUnknown) return unconfirmed(error, failure)
  return failure(
    500,
    'internal',
    `Something went wrong here, and it is not your doing. The log has it (id ${requestId}).`,
  )
}

function unconfirmed(
  error: OutcomeUnknown,
  failure: (status: number, kind: string, message: string, more: object) => Failure,
): Failure {
  const deploy = error.keys.map(key => /\/deploys\/([^/]+)$/.exec(key)?.[1]).find(id => id !== undefined)
  const words = deploy
    ? `Not confirmed, checking: the store did not answer in time. The deploy is ${deploy}; look at it in a moment.`
    : 'Not confirmed, checking: the store did not answer in time. The same request with the same idempotency key is safe.'
  return failure(503, 'unknown_outcome', words, {
    details: deploy ? { deploy } : {},
    headers: { 'retry-after': '2' },
  })
}
