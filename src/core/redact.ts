// Takes secrets out of text and data before they are logged, stored in a diagnosis or shown to people. It knows the
// shapes of secrets, not the secrets: a bare word without a shape stays. Pure; log.ts and the diagnosis use it.

const hidden = '[redacted]'

const shapes: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, hidden],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi, `$1 ${hidden}`],
  // scheme://user:password@host
  [/(\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@]{0,200}):[^\s/@]+@/gi, `$1:${hidden}@`],
  // https://token@host
  [/(\bhttps?:\/\/)[^\s:/@"']{16,300}@/gi, `$1${hidden}@`],
  // JSON web tokens, Slack, GitHub, GitLab, npm, Google, Stripe, Vault, AWS
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g, hidden],
  [/\bxox[a-z]-[A-Za-z0-9-]{8,}/g, hidden],
  [/\bxapp-[A-Za-z0-9-]{8,}/g, hidden],
  [/\bgh[opsur]_[A-Za-z0-9]{20,}/g, hidden],
  [/\bgithub_pat_[A-Za-z0-9_]{20,}/g, hidden],
  [/\bgk(?:a|ube)?_[A-Za-z0-9_-]{16,}/g, hidden],
  [/\b(?:glpat-|npm_|sk_live_|rk_live_|hvs\.|AIza)[A-Za-z0-9_-]{16,}/g, hidden],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, hidden],
  // --password word
  [
    /(--[a-z0-9-]{0,40}(?:password|passwd|secret|token|api-?key|access-?key|private-?key)\s+)(?![-[])\S+/gi,
    `$1${hidden}`,
  ],
  // name=value and name: value, in any quotes. The bounds keep a long line of base64 from costing seconds.
  [
    /([A-Za-z0-9_.-]{0,60}(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)["']?\s{0,5}[=:]\s{0,5})(?!\[redacted\])("[^"\n]*"|'[^'\n]*'|[^\s,;&"'}\])]+)/gi,
    `$1${hidden}`,
  ],
]

/** The text without what looks like a secret. */
export const redactText = (text: string): string =>
  shapes.reduce((rest, [shape, replacement]) => rest.replace(shape, replacement), text)

const secretName =
  /^(authorization|proxy-authorization|cookie|set-cookie|password|passwd|pwd|secret|token|stringData)$|(password|passwd|secret|[a-z]Token|_token|-token|api[_-]?key|private[_-]?key)$/i

/** A copy of plain data without secrets: by the names of keys, by the shapes of texts; variables keep their names only. */
export function redactData(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value)
  if (value === null || typeof value !== 'object') return value
  if (depth > 8) return '[deep]'
  if (value instanceof Error) return redactError(value, depth)
  if (Array.isArray(value)) return value.map(item => redactData(item, depth + 1))
  const isSecret = (value as { kind?: unknown }).kind === 'Secret'
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (isSecret && key === 'data') return [key, hidden]
      if (secretName.test(key) && inner !== null && inner !== undefined && typeof inner !== 'boolean')
        return [key, hidden]
      if (key === 'env') return [key, redactVariables(inner)]
      return [key, redactData(inner, depth + 1)]
    }),
  )
}

/** `env` of an app (a map) or of a container (a list): names stay, and where a value comes from; values do not. */
function redactVariables(env: unknown): unknown {
  if (Array.isArray(env))
    return env.map(item =>
      item !== null && typeof item === 'object' && 'value' in item ? { ...item, value: hidden } : item,
    )
  if (env === null || typeof env !== 'object') return env
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      name,
      value !== null && typeof value === 'object' ? value : hidden,
    ]),
  )
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause, ...rest } = error as Error & Record<string, unknown>
  return {
    type: name,
    message: redactText(message),
    ...(stack === undefined ? {} : { stack: redactText(stack) }),
    ...(redactData(rest, depth + 1) as Record<string, unknown>),
    ...(cause === undefined ? {} : { cause: redactData(cause, depth + 1) }),
  }
}
