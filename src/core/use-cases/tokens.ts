// API tokens: shown once, kept as a hash with scope and expiry. A token is 256 random bits, so a plain SHA-256 is
// enough; it is compared in constant time.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { UserError } from '../../errors.ts'
import type { TokenInfo } from '../access/verbs.ts'
import { auditPut } from '../audit.ts'
import type { Caller, Core } from '../core.ts'
import type { Actor } from '../deploy.ts'
import { grantSchema } from '../environment.ts'
import { demand, everywhere } from '../policy.ts'
import { decode, decodeAll, newId, put, remove, unchanged } from '../records.ts'
import { unknownName } from '../suggest.ts'
import { seconds } from '../units.ts'
import type { Deps } from './deps.ts'

export const tokenSchema = z.object({
  schema: z.literal(1),
  id: z.string(),
  name: z.string(),
  hash: z.string(),
  grants: z.array(grantSchema),
  createdAt: z.int(),
  createdBy: z.string(),
  expiresAt: z.int(),
  lastUsedAt: z.int().nullable(),
  person: z.string().nullable().default(null),
  /** Made by that very person, or by the operators: then it also overrides in that name. */
  vouched: z.boolean().default(false),
})
type TokenRecord = z.output<typeof tokenSchema>

/** `gk_<id>_<secret>`: a prefix that secret scanners can find. */
const shape = /^gk_([0-9a-z]{26})_([A-Za-z0-9_-]{43})$/
/** The last use is written at most this often. */
const usedEveryMs = 3_600_000

/** The operators' own, from the configuration. */
const bootstrapId = 'token:bootstrap'

const everything: TokenRecord['grants'][number] = { role: 'admin', apps: ['*'], environments: ['*'] }

const equal = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')

/** A new token and the record that is kept of it. */
export function newToken(input: {
  name: string
  grants: TokenRecord['grants']
  createdBy: string
  now: number
  ttlMs: number
  person?: string
  vouched?: boolean
}): { token: string; record: TokenRecord } {
  const id = newId(input.now)
  const secret = randomBytes(32).toString('base64url')
  const record: TokenRecord = {
    schema: 1,
    id,
    name: input.name,
    hash: hashOf(secret),
    grants: input.grants,
    createdAt: input.now,
    createdBy: input.createdBy,
    expiresAt: input.now + input.ttlMs,
    lastUsedAt: null,
    person: input.person ?? null,
    vouched: input.vouched ?? false,
  }
  return { token: `gk_${id}_${secret}`, record }
}

export function tokens(
  deps: Deps,
): Pick<Core, 'createToken' | 'listTokens' | 'revokeToken' | 'authenticate'> {
  const { kv, keys, clock } = deps
  return {
    async createToken(caller, input) {
      demand(caller, 'tokens', everywhere, deps.people)
      const most = deps.maxTokenSeconds ?? Number.POSITIVE_INFINITY
      if (seconds(input.expiresIn) > most)
        throw new UserError(
          'bad_input',
          `A token may live for ${Math.floor(most / 3600)}h at most here (tokens.maxLifetime in gkube.yaml), not ${input.expiresIn}.`,
        )
      const { person } = input
      const known = deps.people.flatMap(({ id }) => id ?? [])
      if (person !== undefined && !known.includes(person))
        throw new UserError('bad_input', unknownName('person', person, known))
      const now = clock.now()
      const { token, record } = newToken({
        ...input,
        createdBy: caller.actor.name,
        vouched: person !== undefined && (caller.person === person || caller.actor.id === bootstrapId),
        now,
        ttlMs: seconds(input.expiresIn) * 1000,
      })
      const key = keys.token(record.id)
      const audit = auditPut(keys, now, {
        by: caller.actor,
        action: 'create_token',
        outcome: 'created',
        detail: `${record.name} (${record.id})`,
      })
      await kv.commit({ compares: [{ kind: 'absent', key }], writes: [put(key, record), audit] })
      return { token, info: infoOf(record) }
    },
    async listTokens(caller) {
      demand(caller, 'tokens', everywhere, deps.people)
      const { entries } = await kv.list(keys.tokens)
      return decodeAll(tokenSchema, entries, error =>
        deps.log('a token was left out of the list', error),
      ).map(stored => infoOf(stored.value))
    },
    async revokeToken(caller, id) {
      demand(caller, 'tokens', everywhere, deps.people)
      const entry = /^[0-9a-z]{26}$/.test(id) ? await kv.get(keys.token(id)) : null
      if (!entry) throw new UserError('not_found', `There is no token ${id}. See: gkube token list`)
      const audit = auditPut(keys, clock.now(), {
        by: caller.actor,
        action: 'revoke_token',
        outcome: 'revoked',
        detail: id,
      })
      // By its creation: that its last use is noted at the same moment must not keep it alive.
      const { key, createRevision } = entry
      const { committed } = await kv.commit({
        compares: [{ kind: 'created', key, createRevision }],
        writes: [remove(key), audit],
      })
      if (!committed) throw new UserError('not_found', `Someone revoked token ${id} at the same moment.`)
    },
    async authenticate(token, via) {
      if (deps.bootstrap && equal(hashOf(token), hashOf(deps.bootstrap))) {
        return { actor: { id: bootstrapId, name: 'bootstrap', via }, grants: [everything] }
      }
      const [, id, secret] = shape.exec(token) ?? []
      const entry = id ? await kv.get(keys.token(id)) : null
      const stored = entry ? decode(tokenSchema, entry) : null
      // Hashed either way, so that an unknown id takes as long as a wrong secret.
      const matches = equal(hashOf(secret ?? ''), stored?.value.hash ?? hashOf('none'))
      const now = clock.now()
      if (!stored || !matches) throw badToken('The token is not known.')
      const { value } = stored
      if (value.expiresAt <= now) throw badToken(`The token ${value.name} has expired.`)
      if (now - (value.lastUsedAt ?? 0) > usedEveryMs) {
        kv.commit({
          compares: [unchanged(stored.key, stored)],
          writes: [put(stored.key, { ...value, lastUsedAt: now })],
        }).catch(error => deps.log('the last use of a token was not written', error))
      }
      return callerOf(value, via)
    },
  }
}

/** Whose token it is, is as good as who they are in Slack: nobody approves what they asked for the other way. */
function callerOf({ id, name, grants, person, vouched }: TokenRecord, via: Actor['via']): Caller {
  const whose = person === null ? {} : { person }
  // Break-glass is of named people: an admin does not make a token to override in another's name.
  return { actor: { id: `token:${id}`, name, via, ...whose }, grants, ...(vouched ? whose : {}) }
}

const badToken = (why: string): UserError =>
  new UserError(
    'unauthenticated',
    `${why} An admin makes one with: gkube token create <name> --role deployer. Set it as GKUBE_TOKEN.`,
  )

const infoOf = ({ hash: _, schema: __, vouched: ___, ...info }: TokenRecord): TokenInfo => info
