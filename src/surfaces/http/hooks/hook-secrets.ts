// Whose hook a request is: by the end of its address, a password, a Bearer token, or a signature over time and body.
// Each secret is compared, hashed and in constant time, whichever was right: nothing is learned from how long it takes.
import { createHash, createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { HookScope } from '../../../core/builds/verbs.ts'

export type Hook = HookScope & { readonly secret: string }

/** What a request brings. `late`: the time of its signature is not now. */
export type Proof =
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'signature'; readonly timestamp: string; readonly signature: string }
  | { readonly kind: 'late' }
  | { readonly kind: 'none' }

/** Seconds that a signature's time may be off, either way. */
const tolerance = 300

/**
 * A signature is never left out of account; else the end of the address counts, else Authorization.
 * `rest` is what follows `/hooks/jenkins/` in the address, `now` in milliseconds.
 */
export function proofOf(headers: IncomingHttpHeaders, rest: string, now: number): Proof {
  const signature = headers['x-gkube-signature']
  if (signature !== undefined) {
    const timestamp = String(headers['x-gkube-timestamp'] ?? '')
    if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now / 1000 - Number(timestamp)) > tolerance)
      return { kind: 'late' }
    return { kind: 'signature', timestamp, signature: String(signature) }
  }
  if (rest !== '') return { kind: 'secret', secret: decoded(rest) }
  const [scheme, value = ''] = (headers.authorization ?? '').split(/ +(.*)/s)
  if (/^bearer$/i.test(scheme ?? '')) return { kind: 'secret', secret: value.trim() }
  if (!/^basic$/i.test(scheme ?? '')) return { kind: 'none' }
  const pair = Buffer.from(value, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  return colon < 0 ? { kind: 'none' } : { kind: 'secret', secret: pair.slice(colon + 1) }
}

export type HookSecrets = {
  /** The hook with that secret. */
  bySecret(secret: string): Hook | null
  /** The hook whose secret made `v1=<hex HMAC-SHA256 of "v1:<timestamp>:" and the body>`. */
  bySignature(proof: { readonly timestamp: string; readonly signature: string }, body: Buffer): Hook | null
}

/** `equal` compares digests in constant time; a test looks at what it is given. */
export function hookSecrets(hooks: readonly Hook[], equal = timingSafeEqual): HookSecrets {
  // Both sides after a salt that nobody knows: equal lengths, and no digest that could be prepared.
  const salt = randomBytes(32)
  const digest = (text: string) => createHash('sha256').update(salt).update(text).digest()
  const known = hooks.map(hook => ({
    hook,
    digest: digest(hook.secret),
    key: createSecretKey(hook.secret, 'utf8'),
  }))
  return {
    bySecret: secret => {
      const given = digest(secret)
      return pick(known, one => equal(one.digest, given))
    },
    bySignature: ({ timestamp, signature }, body) => {
      const given = digest(signature)
      return pick(known, ({ key }) => {
        const mac = createHmac('sha256', key).update(`v1:${timestamp}:`).update(body).digest('hex')
        return equal(digest(`v1=${mac}`), given)
      })
    },
  }
}

/** Looks at all of them, also when one was right. */
function pick<T extends { readonly hook: Hook }>(all: readonly T[], right: (one: T) => boolean): Hook | null {
  let found: Hook | null = null
  for (const one of all) if (right(one)) found ??= one.hook
  return found
}

function decoded(rest: string): string {
  try {
    return decodeURIComponent(rest)
  } catch {
    return rest // a secret of its own with a bare %
  }
}
