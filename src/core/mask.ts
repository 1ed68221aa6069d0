// What must not be shown: values that a name or a look gives away as secret. Wide on purpose: a hidden harmless
// value costs a question, a shown secret a rotation. Logs of our own are redacted in log.ts.

export const hidden = '(hidden)'

const secretName =
  /(^|[^a-z])(pass|passwd|password|passphrase|pwd|secret|token|credentials?|auth|dsn|salt|cookie)([^a-z]|$)|(api|access|private|secret|signing|encryption|master|_|-|\.)key$|password|secret|token/i

const secretText: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\bxox[abeprs]-[A-Za-z0-9-]{8,}/g,
  /\bxapp-[A-Za-z0-9-]{8,}/g,
  /\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})/g,
  /\b(AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g,
  /\b[sr]k_(live|test)_[A-Za-z0-9]{16,}/g,
]

const credentialInUrl = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@/]+(?=@)/gi
const bearer = /\b((?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}/g
const assigned =
  /(\b[\w.-]*(?:password|passwd|secret|token|api[_-]?key)["']?\s*[=:]\s*["']?)([^\s"',;&]{3,})/gi

/** The text with what looks like a secret in it replaced. */
export function maskText(text: string): string {
  let masked = text
  for (const pattern of secretText) masked = masked.replace(pattern, hidden)
  return masked
    .replace(credentialInUrl, `$1${hidden}`)
    .replace(bearer, `$1${hidden}`)
    .replace(assigned, `$1${hidden}`)
}

/** Whether a named value (an environment variable, a key of a map) must not be shown. */
export const looksSecret = (name: string, value: string): boolean =>
  secretName.test(name) || maskText(value) !== value
