// Durations and counts as people read them in verdicts and diagnoses.

/** `40 s`, `1 m 12 s`, `2 h 5 m`: milliseconds in words, whole seconds. */
export function inWords(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return seconds % 60 ? `${minutes} m ${seconds % 60} s` : `${minutes} m`
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} m` : `${minutes / 60} h`
}

/** `once`, `twice`, `4 times`. */
export const times = (count: number): string =>
  count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`

/** The first sentence of what a machine wrote, without its line breaks. */
export const oneLine = (text: string, most = 240): string =>
  text.replace(/\s+/g, ' ').trim().replace(/\.$/, '').slice(0, most)
