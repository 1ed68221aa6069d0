// The bytes of a hook, within its size and time, as they came (a signature is over them), and the JSON in them.
// What is too large is still taken off the wire for a while: a sender that is cut while it writes sees no answer.
import type { IncomingMessage } from 'node:http'
import { UserError } from '../../../errors.ts'
import { Refusal } from '../failures.ts'

export const hookBytes = 256 * 1024
/** So much more is thrown away before the answer; beyond that the connection ends. */
const drainedBytes = 8 * 1024 * 1024
/** For the whole body to arrive. */
const bodyMs = 10_000

/** Null: whoever sent it is gone. UserError `too_large`, Refusal 408. */
export async function hookBody(incoming: IncomingMessage): Promise<Buffer | null> {
  const outcome = await bytesOf(incoming)
  if (outcome === 'cut') return null
  if (outcome === 'late')
    throw new Refusal(408, 'bad_input', `The hook was not there after ${bodyMs / 1000} s.`, {
      headers: { connection: 'close' },
    })
  if (outcome === 'large')
    throw new UserError(
      'too_large',
      `The hook is larger than ${hookBytes / 1024} KiB. Send no log lines with it (Notification plugin: Log lines 0).`,
      { details: { limit: hookBytes } },
    )
  return outcome
}

function bytesOf(incoming: IncomingMessage): Promise<Buffer | 'large' | 'late' | 'cut'> {
  return new Promise(resolve => {
    const chunks: Buffer[] = []
    let size = 0
    const end = (outcome: Buffer | 'large' | 'late' | 'cut') => {
      clearTimeout(timer)
      incoming.removeListener('data', more)
      incoming.resume()
      resolve(outcome)
    }
    const more = (chunk: Buffer) => {
      size += chunk.length
      if (size <= hookBytes) return void chunks.push(chunk)
      chunks.length = 0
      if (size > drainedBytes) end('large')
    }
    const timer = setTimeout(() => end(size > hookBytes ? 'large' : 'late'), bodyMs)
    incoming.on('data', more)
    incoming.once('end', () => end(size > hookBytes ? 'large' : Buffer.concat(chunks)))
    incoming.once('close', () => end('cut'))
    incoming.once('error', () => end('cut'))
    if (Number(incoming.headers['content-length'] ?? 0) > drainedBytes) end('large')
  })
}

/** The JSON of a body in UTF-8; UserError `bad_input`. */
export function hookJson(body: Buffer): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch (error) {
    throw new UserError('bad_input', 'The body is not UTF-8 text.', { cause: error })
  }
  if (text.trim() === '') throw new UserError('bad_input', 'The body is empty; a hook is a JSON object.')
  try {
    return JSON.parse(text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new UserError('bad_input', `The body is not JSON: ${why}.`, { cause: error })
  }
}
