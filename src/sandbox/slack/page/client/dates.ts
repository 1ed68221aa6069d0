// Times as people read them, in the browser's own time zone and language.

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const seconds = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const long = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' })
const longWithDay = new Intl.DateTimeFormat(undefined, {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
})
const short = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' })

const dayOf = (at: Date): string => at.toDateString()

/** `14:05` for a message's ts (seconds, as text). */
export const timeOf = (ts: string): string => clock.format(Number(ts) * 1000)

/** For a tooltip: the whole of it. */
export const wholeTime = (ts: string): string =>
  `${longWithDay.format(Number(ts) * 1000)}, ${seconds.format(Number(ts) * 1000)}`

/** `Today`, `Yesterday`, else the date: for the line between two days. */
export function dayName(ts: string, now: number): string {
  const at = new Date(Number(ts) * 1000)
  return near(at, now) ?? longWithDay.format(at)
}

function near(at: Date, now: number): string | null {
  if (dayOf(at) === dayOf(new Date(now))) return 'Today'
  if (dayOf(at) === dayOf(new Date(now - 86_400_000))) return 'Yesterday'
  return null
}

/** Slack's date tokens, such as `{date_short_pretty} at {time}`; `at` in seconds. */
export function formatted(at: number, format: string, now: number): string {
  const date = new Date(at * 1000)
  const pretty = (words: string): string => near(date, now)?.toLowerCase() ?? words
  const tokens: Readonly<Record<string, () => string>> = {
    date_num: () => date.toISOString().slice(0, 10),
    date: () => long.format(date),
    date_short: () => short.format(date),
    date_long: () => longWithDay.format(date),
    date_pretty: () => pretty(long.format(date)),
    date_short_pretty: () => pretty(short.format(date)),
    date_long_pretty: () => pretty(longWithDay.format(date)),
    time: () => clock.format(date),
    time_secs: () => seconds.format(date),
    ago: () => ago(now - at * 1000),
  }
  return format.replace(/\{(\w+)\}/g, (whole, name: string) => tokens[name]?.() ?? whole)
}

function ago(ms: number): string {
  const minutes = Math.round(Math.abs(ms) / 60_000)
  const words =
    minutes < 1
      ? 'a moment'
      : minutes < 60
        ? `${minutes} min`
        : minutes < 2880
          ? `${Math.round(minutes / 60)} h`
          : `${Math.round(minutes / 1440)} d`
  return ms < 0 ? `in ${words}` : `${words} ago`
}
