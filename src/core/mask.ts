// Whether a named value may be shown to a person: its name or its shape gives a secret away. Wide on purpose: a
// hidden harmless value costs a question, a shown secret a rotation. redact.ts knows the shapes in free text.
import { redactText } from './redact.ts'

export const hidden = '(hidden)'

const secretName =
  /(^|[^a-z])(pass|passwd|password|passphrase|pwd|secret|token|credentials?|auth|dsn|salt|cookie)([^a-z]|$)|[_.-]key$|(api|access|private|secret|signing)key$|password|secret|token/i

/** True for `DB_PASSWORD`, `API_KEY`, or a value such as `postgres://user:word@host`. */
export const looksSecret = (name: string, value: string): boolean =>
  secretName.test(name) || redactText(value) !== value
