// Durations as options and variables have them (`90s`, `15m`, `1h30m`), without the zod that the server's schema needs.
import { UserError } from '../../errors.ts'

/** Milliseconds; `name` is what the person wrote it for. UserError `bad_input` where it is none. */
export function millisecondsIn(text: string, name: string): number {
  const parts = /^(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text)
  if (!parts)
    throw new UserError('bad_input', `${name} is \`${text}\`; expected a duration such as 90s, 15m or 1h30m.`)
  const [, hours = 0, minutes = 0, seconds = 0] = parts
  return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000
}
