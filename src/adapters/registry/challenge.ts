// The WWW-Authenticate header of a registry: `Bearer realm="…",service="…",scope="…"` or `Basic realm="…"`. Pure.
// RFC 9110 section 11.6.1; the token flow is Docker's "token authentication specification".

export type Challenge =
  | {
      readonly scheme: 'bearer'
      readonly realm: string
      readonly service: string | null
      readonly scope: string | null
    }
  | { readonly scheme: 'basic' }

/** The challenge to answer: Bearer where it is offered, else Basic; null when neither is. */
export function parseChallenge(header: string | null): Challenge | null {
  if (!header) return null
  const bearer = /(?:^|,\s*)Bearer\s+(.*)/i.exec(header)
  if (bearer?.[1]) {
    const realm = parameter(bearer[1], 'realm')
    if (realm)
      return {
        scheme: 'bearer',
        realm,
        service: parameter(bearer[1], 'service'),
        scope: parameter(bearer[1], 'scope'),
      }
  }
  return /(?:^|,\s*)Basic\b/i.test(header) ? { scheme: 'basic' } : null
}

function parameter(text: string, name: string): string | null {
  const match = new RegExp(`(?:^|[,\\s])${name}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]+))`, 'i').exec(
    text,
  )
  if (!match) return null
  return match[1]?.replace(/\\(.)/g, '$1') ?? match[2] ?? null
}
