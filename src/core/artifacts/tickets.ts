// One-time tokens by which a publish Job reads one uploaded artifact. A token is bound to a hash and a deploy, kept as a
// hash itself, and compared in constant time. It is used once, or again within twenty minutes of its first use: a
// download that was cut begins anew, and may take fifteen (src/publish/settings.ts). The key goes with its lease.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { UserError } from '../../errors.ts'
import type { Clock } from '../clock.ts'
import type { Keys } from '../keys.ts'
import type { Kv } from '../kv.ts'
import { newId, put, read, type Stored, unchanged } from '../records.ts'

const ticketSchema = z.object({
  schema: z.literal(1),
  sha256: z.string(),
  deploy: z.string(),
  /** Of the secret. */
  hash: z.string(),
  expiresAt: z.int(),
  firstUsedAt: z.int().nullable(),
})

type Ticket = z.output<typeof ticketSchema>

/** `gka_<id>_<secret>`: a prefix that secret scanners can find. */
const shape = /^gka_([0-9a-z]{26})_([A-Za-z0-9_-]{43})$/
const againMs = 20 * 60_000

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')
const equal = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

export function artifactTickets({
  kv,
  keys,
  clock,
}: {
  readonly kv: Pick<Kv, 'get' | 'commit' | 'sharedLease'>
  readonly keys: Pick<Keys, 'artifactTicket'>
  readonly clock: Pick<Clock, 'now'>
}) {
  return {
    /** A new token; its secret is nowhere else. */
    async issue(input: {
      readonly sha256: string
      readonly deploy: string
      readonly ttlSeconds: number
    }): Promise<string> {
      const { sha256, deploy, ttlSeconds } = input
      const now = clock.now()
      const id = newId(now)
      const secret = randomBytes(32).toString('base64url')
      const key = keys.artifactTicket(id)
      const record = {
        schema: 1,
        sha256,
        deploy,
        hash: hashOf(secret),
        expiresAt: now + ttlSeconds * 1000,
        firstUsedAt: null,
      }
      const lease = await kv.sharedLease(ttlSeconds)
      await kv.commit({ compares: [{ kind: 'absent', key }], writes: [put(key, record, lease)] })
      return `gka_${id}_${secret}`
    },
    /** The deploy that it is of. UserError `unauthenticated` where it does not give this artifact, or not any more. */
    async redeem(token: string, sha256: string): Promise<{ readonly deploy: string }> {
      for (let attempt = 0; attempt < 5; attempt++) {
        const stored = await held(token, sha256)
        const { value } = stored
        const now = clock.now()
        if (value.firstUsedAt !== null && now - value.firstUsedAt > againMs)
          throw refused('The token was used before.')
        if (value.firstUsedAt === null && now >= value.expiresAt) throw refused('The token has expired.')
        if (value.firstUsedAt !== null || (await used(stored, now))) return { deploy: value.deploy }
      }
      throw new UserError('unavailable', 'The token is used by others at this moment. Try again.')
    },
  }

  async function held(token: string, sha256: string): Promise<Stored<Ticket>> {
    const [, id, secret] = shape.exec(token) ?? []
    const stored = id ? await read(kv, ticketSchema, keys.artifactTicket(id)) : null
    // Hashed either way, so that an unknown id takes as long as a wrong secret.
    const matches = equal(hashOf(secret ?? ''), stored?.value.hash ?? hashOf('none'))
    if (!stored || !matches || stored.value.sha256 !== sha256)
      throw refused('The token does not give this artifact.')
    return stored
  }

  /** False: somebody else changed it at the same moment. */
  async function used({ key, value, ...stored }: Stored<Ticket>, now: number): Promise<boolean> {
    const lease = await kv.sharedLease(againMs / 1000)
    const { committed } = await kv.commit({
      compares: [unchanged(key, stored)],
      writes: [put(key, { ...value, firstUsedAt: now }, lease)],
    })
    return committed
  }
}

const refused = (why: string): UserError =>
  new UserError('unauthenticated', `${why} A publish Job gets its own; run the deploy again.`)
