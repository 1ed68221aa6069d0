// What a route of the API is: its place, the schemas that validate it (and document it), and one call of the core.
// The table is routes-*.ts; api.ts serves it, openapi.ts writes the document from it.
import { z } from 'zod'
import type { Caller, Core } from '../../core/core.ts'
import { UserError } from '../../errors.ts'

/** One server-sent event; `id` is what a client resumes from. */
export type SseMessage = { readonly event: string; readonly id?: string; readonly data: unknown }

export type Answer =
  | {
      readonly kind: 'json'
      readonly body: unknown
      readonly status?: 200 | 201 | 202
      readonly location?: string
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'events'; readonly messages: AsyncIterable<SseMessage> }
  /** JSON lines: one value each. */
  | { readonly kind: 'lines'; readonly values: AsyncIterable<unknown> }

type Call<P, Q, B> = {
  readonly caller: Caller
  readonly params: P
  readonly query: Q
  readonly body: B
  /** Aborted when the client is gone or the server stops. */
  readonly signal: AbortSignal
  header(name: string): string | undefined
}

type Description = {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** As OpenAPI writes it: `/v1/apps/{app}`. */
  readonly path: string
  readonly id: string
  readonly summary: string
  readonly tag: string
  /** The body may be YAML too. */
  readonly yaml?: boolean
  /** The answer of a success: its status and schema; null is 204. */
  readonly status?: 200 | 201 | 202
  readonly answer: z.ZodType | null
  /** The events of a stream, by name. */
  readonly events?: Readonly<Record<string, z.ZodType>>
  /** What each line is, where the answer is JSON lines. */
  readonly lines?: z.ZodType
  /** Request headers that it reads. */
  readonly headers?: Readonly<Record<string, string>>
}

export type Route = Description & {
  readonly params: z.ZodType
  readonly query: z.ZodType
  readonly body: z.ZodType | null
  readonly handle: (core: Core, call: Call<unknown, unknown, unknown>) => Promise<Answer>
}

const none = z.strictObject({})

/** A route whose `handle` gets exactly what its schemas let through. */
export function route<
  P extends z.ZodType = typeof none,
  Q extends z.ZodType = typeof none,
  B extends z.ZodType = z.ZodUndefined,
>(
  definition: Description & {
    readonly params?: P
    readonly query?: Q
    readonly body?: B
    readonly handle: (core: Core, call: Call<z.output<P>, z.output<Q>, z.output<B>>) => Promise<Answer>
  },
): Route {
  return {
    ...definition,
    params: definition.params ?? none,
    query: definition.query ?? none,
    body: definition.body ?? null,
    // api.ts parses params, query and body with the very schemas that the types come from.
    handle: (core, call) => definition.handle(core, call as Call<z.output<P>, z.output<Q>, z.output<B>>),
  }
}

export const json = (body: unknown): Answer => ({ kind: 'json', body })
export const nothing: Answer = { kind: 'none' }

/** A yes or no in a query. */
export const flag = z
  .enum(['0', '1', 'true', 'false'])
  .transform(text => text === '1' || text === 'true')
  .default(false)

/** A whole number in a query. */
export const count = (most: number, otherwise: number) =>
  z
    .string()
    .regex(/^\d{1,6}$/, 'a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(most))
    .default(otherwise)

/** The key of a request, by its header or in its body. */
export function keyOf(body: { idempotencyKey?: string }, header: string | undefined): string | undefined {
  if (header === undefined) return body.idempotencyKey
  if (!/^[\x21-\x7e]{1,200}$/.test(header))
    throw new UserError('bad_input', 'Idempotency-Key must be 1 to 200 printable characters.')
  if (body.idempotencyKey !== undefined && body.idempotencyKey !== header)
    throw new UserError('bad_input', 'The body and the header Idempotency-Key name different keys.')
  return header
}
