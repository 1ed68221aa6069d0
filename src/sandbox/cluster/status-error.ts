// Failures in the shape of a Kubernetes Status, with the real server's reasons and wording.
// Everything that refuses a request throws a StatusError; http.ts writes it to the wire.
import type { Kind } from './kinds.ts'

export type Cause = { reason: string; message: string; field?: string }

type Extra = { details?: Record<string, unknown>; retryAfter?: number }

export class StatusError extends Error {
  readonly code: number
  readonly reason: string
  readonly details: Record<string, unknown> | undefined

  constructor(code: number, reason: string, message: string, extra: Extra = {}) {
    super(message)
    this.code = code
    this.reason = reason
    this.details = extra.retryAfter
      ? { ...extra.details, retryAfterSeconds: extra.retryAfter }
      : extra.details
  }
}

/** The Status object of a failure. */
export const failureStatus = (error: StatusError) => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: error.message,
  ...(error.reason ? { reason: error.reason } : {}),
  ...(error.details ? { details: error.details } : {}),
  code: error.code,
})

/** `deployments.apps`, or `pods` in the core group. */
export const qualified = (kind: Kind): string => (kind.group ? `${kind.plural}.${kind.group}` : kind.plural)

const about = (kind: Kind, name: string) => ({
  name,
  ...(kind.group ? { group: kind.group } : {}),
  kind: kind.plural,
})

export const notFound = (kind: Kind, name: string) =>
  new StatusError(404, 'NotFound', `${qualified(kind)} "${name}" not found`, { details: about(kind, name) })

export const alreadyExists = (kind: Kind, name: string) =>
  new StatusError(409, 'AlreadyExists', `${qualified(kind)} "${name}" already exists`, {
    details: about(kind, name),
  })

export const conflict = (kind: Kind, name: string, why = staleWording) =>
  new StatusError(409, 'Conflict', `Operation cannot be fulfilled on ${qualified(kind)} "${name}": ${why}`, {
    details: about(kind, name),
  })

/** Of a DELETE; the real server names the kind here, not the resource. */
export const preconditionFailed = (kind: Kind, name: string, why: string) =>
  new StatusError(409, 'Conflict', `Operation cannot be fulfilled on ${kind.kind} "${name}": ${why}`, {
    details: { ...about(kind, name), kind: kind.kind },
  })

const staleWording =
  'the object has been modified; please apply your changes to the latest version and try again'

export const forbidden = (kind: Kind, name: string, why: string, causes?: Cause[]) =>
  new StatusError(403, 'Forbidden', `${qualified(kind)} "${name}" is forbidden: ${why}`, {
    details: { ...about(kind, name), ...(causes ? { causes } : {}) },
  })

export const badRequest = (message: string) => new StatusError(400, 'BadRequest', message)

export const invalid = (kind: Kind, name: string, causes: Cause[]) => {
  const shown = [...new Set(causes.map(cause => `${cause.field}: ${cause.message}`))]
  const text = shown.length === 1 ? shown[0] : `[${shown.join(', ')}]`
  const qualifiedKind = kind.group ? `${kind.kind}.${kind.group}` : kind.kind
  return new StatusError(422, 'Invalid', `${qualifiedKind} "${name}" is invalid: ${text}`, {
    details: { ...about(kind, name), kind: kind.kind, causes },
  })
}

export const expired = (message: string) => new StatusError(410, 'Expired', message)
