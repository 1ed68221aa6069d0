// The verbs around who calls and what they may, with the schemas of their inputs and answers (the wire format). Types only;
// use-cases/tokens.ts and use-cases/whoami.ts have them.
import { z } from 'zod'
import type { Caller } from '../core.ts'
import type { Actor } from '../deploy.ts'
import { type Grant, grantSchema } from '../environment.ts'
import { duration } from '../units.ts'

/** What a caller may do and why. */
export type Whoami = {
  readonly actor: Actor
  readonly environments: readonly {
    readonly environment: string
    readonly protected: boolean
    /** Per app or `*`: what may be done, and the grants that say so. */
    readonly may: readonly {
      readonly app: string
      readonly actions: readonly string[]
      readonly by: readonly Grant[]
    }[]
    readonly breakGlass: boolean
  }[]
}

export const tokenInput = z.strictObject({
  name: z.string().min(1).max(80),
  grants: z.array(grantSchema).min(1).max(20),
  expiresIn: duration.default('2160h'),
  person: z
    .string()
    .max(60)
    .optional()
    .describe('the key in `people` of who uses it: with it, nobody approves what they asked for by a token'),
})
/** A token as listed: never its secret, never its hash. */
export type TokenInfo = {
  readonly id: string
  readonly name: string
  readonly grants: readonly Grant[]
  readonly createdAt: number
  readonly createdBy: string
  readonly expiresAt: number
  readonly lastUsedAt: number | null
  readonly person: string | null
}

export type AccessVerbs = {
  createToken(caller: Caller, input: z.output<typeof tokenInput>): Promise<{ token: string; info: TokenInfo }>
  listTokens(caller: Caller): Promise<readonly TokenInfo[]>
  revokeToken(caller: Caller, id: string): Promise<void>
  /** The caller behind a bearer token; UserError `unauthenticated` if there is none. */
  authenticate(token: string, via: Actor['via']): Promise<Caller>
  whoami(caller: Caller): Promise<Whoami>
}
