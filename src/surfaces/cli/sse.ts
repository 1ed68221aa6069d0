// Reads server-sent events from the body of an answer: frames split anywhere, comments, ids. Reconnecting is
// follow.ts; a stream that goes quiet for longer than its heartbeat is a lost one.
import type { Readable } from 'node:stream'

/** One event; `id` is the last id seen, as the standard has it. */
export type SseEvent = { readonly event: string; readonly id: string | undefined; readonly data: string }

/** Ends with the body; rejects when nothing (not even a heartbeat) came for `quietMs`. */
export async function* readEvents(body: Readable, quietMs: number): AsyncGenerator<SseEvent> {
  const quiet = setTimeout(
    () => body.destroy(new Error(`nothing came for ${Math.round(quietMs / 1000)} s`)),
    quietMs,
  )
  body.setEncoding('utf8')
  let rest = ''
  let id: string | undefined
  try {
    for await (const chunk of body) {
      quiet.refresh()
      const frames = `${rest}${chunk}`.split('\n\n')
      rest = frames.pop() ?? ''
      for (const frame of frames) {
        const fields = parse(frame)
        id = fields.id ?? id
        if (fields.data !== undefined) yield { event: fields.event ?? 'message', id, data: fields.data }
      }
    }
  } finally {
    clearTimeout(quiet)
  }
}

function parse(frame: string): { event?: string; id?: string; data?: string } {
  const fields: { event?: string; id?: string; data?: string } = {}
  for (const line of frame.split('\n')) {
    const [, name, value = ''] = /^([a-z]+):? ?(.*?)\r?$/.exec(line) ?? []
    if (name === 'data') fields.data = fields.data === undefined ? value : `${fields.data}\n${value}`
    if (name === 'event') fields.event = value
    if (name === 'id') fields.id = value
  }
  return fields
}
