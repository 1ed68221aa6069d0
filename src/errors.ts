// The two kinds of failure. A UserError is safe to show as written: it says what happened and what to do
// next. Anything else is logged with its cause and shown to people as a correlation id only.

/** Why a request was refused; surfaces map it to an HTTP status and an exit code (docs/exit-codes.md). */
export const userErrorKinds = {
  bad_input: { status: 400, exit: 2 },
  not_found: { status: 404, exit: 2 },
  conflict: { status: 409, exit: 2 },
  unauthenticated: { status: 401, exit: 3 },
  forbidden: { status: 403, exit: 3 },
  held: { status: 423, exit: 4 },
  too_large: { status: 413, exit: 2 },
  unavailable: { status: 503, exit: 75 },
} as const

export type UserErrorKind = keyof typeof userErrorKinds

/** An error whose message reaches the person verbatim. */
export class UserError extends Error {
  readonly kind: UserErrorKind
  /** Structured facts beside the message, for `--json` (never secrets). */
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    kind: UserErrorKind,
    message: string,
    options: { details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'UserError'
    this.kind = kind
    this.details = options.details ?? {}
  }
}
