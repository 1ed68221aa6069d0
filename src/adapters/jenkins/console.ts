// The console of a build. Offsets are bytes of the raw log, as `X-Text-Size` says them: the text that comes is shorter
// (hidden notes) and longer (line ends), so that its length says nothing. A log may be gigabytes: what is read of it
// at once has a cap.
import type { Jenkins } from '../../core/builds/jenkins.ts'
import { fault } from './answers.ts'
import { nameOf } from './builds.ts'
import type { Deps } from './jenkins.ts'
import { buildAt } from './path.ts'
import { type Opened, utf8 } from './transport.ts'

type Chunk = Awaited<ReturnType<Jenkins['log']>>

/** Of a log that is followed, at once. */
const mostBytes = 1024 * 1024
/** What a running build may add to its log between two requests. */
const slackBytes = 256 * 1024
const broken = '\ufffd'

export function jenkinsConsole({ transport, server, timeouts }: Deps) {
  async function open(job: string, number: number, start: number): Promise<Opened> {
    const path = `${buildAt(job, number)}logText/progressiveText`
    const opened = await transport.open({ path, query: { start: String(start) }, ms: timeouts.call })
    if (opened.status === 200) return opened
    const answer = { ...opened, text: utf8((await opened.read(slackBytes)).bytes) }
    throw fault(answer, { to: 'read the console of', thing: nameOf(job, number), user: server.user })
  }

  async function chunk(job: string, number: number, start: number): Promise<Chunk> {
    const opened = await open(job, number, start)
    const size = sizeOf(opened)
    const { bytes, cut } = await opened.read(mostBytes)
    const more = opened.headers.get('x-more-data') === 'true'
    return {
      // The rest is left out: a reader that is megabytes behind wants what comes now.
      text: cut ? `${wholeLines(utf8(bytes))}[…]\n` : utf8(bytes),
      next: size ?? start + bytes.byteLength,
      more,
    }
  }

  const log: Jenkins['log'] = async (job, number, start) => {
    const read = await chunk(job, number, start)
    // Jenkins sends all of it again where the log is shorter than that: it was begun anew, or never was.
    const whole =
      read.text.startsWith(broken) && start > 0 ? await mended(job, number, { start, read }) : read
    // A character that is cut off comes whole with the next part.
    const text = whole.more ? whole.text.replace(/\ufffd+$/, '') : whole.text
    return { ...whole, text: plain(text) }
  }

  /** A part that begins within a character: asked again from where that character begins (three bytes at most). */
  async function mended(
    job: string,
    number: number,
    { start, read }: { readonly start: number; readonly read: Chunk },
  ): Promise<Chunk> {
    for (let back = 1; back <= 3 && back <= start; back++) {
      const again = await chunk(job, number, start - back)
      const first = String.fromCodePoint(again.text.codePointAt(0) ?? 0)
      if (first === broken) continue
      // A character that ended before: what follows is not cut, the log itself is no UTF-8 there.
      return Buffer.byteLength(first) > back ? again : read
    }
    return read
  }

  const tail: Jenkins['tail'] = async (job, number, bytes) => {
    // The size comes in a header before the text: a long text is not waited for.
    const first = await open(job, number, 0)
    const size = sizeOf(first)
    if (size === null || size <= bytes) {
      const read = await first.read(bytes + slackBytes)
      return lastOf(plain(utf8(read.bytes)), bytes)
    }
    await first.close()
    // One byte before: where that is a line's end, the line after it is whole.
    const opened = await open(job, number, size - bytes - 1)
    const read = await opened.read(bytes + slackBytes)
    const text = utf8(read.bytes)
    return lastOf(plain(text.slice(text.indexOf('\n') + 1).replace(/^\ufffd+/, '')), bytes)
  }

  return { log, tail }
}

/** Null where no Jenkins says it: a proxy took the header away. */
function sizeOf({ headers }: Opened): number | null {
  const size = Number(headers.get('x-text-size') ?? Number.NaN)
  return Number.isSafeInteger(size) && size >= 0 ? size : null
}

const wholeLines = (text: string): string => text.slice(0, text.lastIndexOf('\n') + 1)

const esc = String.fromCharCode(0x1b)
/** What Jenkins hides in a line for its own pages: a link, who started it. */
const notes = new RegExp(`${esc}\\[8mha:[\\w+/=]*(?:${esc}\\[0m)?`, 'g')
const colours = new RegExp(`${esc}\\[[0-9;?]*[A-Za-z]`, 'g')

/** Without hidden notes and colours, and with line ends as everywhere (Jenkins makes them CRLF). */
const plain = (text: string): string =>
  text.replaceAll('\r\n', '\n').replaceAll(notes, '').replaceAll(colours, '')

/** The last lines within so many bytes; of a single longer line its end. */
function lastOf(text: string, bytes: number): string {
  const all = Buffer.from(text)
  if (all.byteLength <= bytes) return text
  const end = utf8(all.subarray(all.byteLength - bytes)).replace(/^\ufffd+/, '')
  const line = all[all.byteLength - bytes - 1] === 0x0a ? -1 : end.indexOf('\n')
  return line === end.length - 1 ? end : end.slice(line + 1)
}
