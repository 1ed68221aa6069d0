// Arguments of a Web API call, from any of the encodings that Slack takes: JSON, form (with JSON inside for lists and
// objects, as the SDK sends them), multipart without files, and the query string.
import type { IncomingMessage } from 'node:http'
import { SlackError } from './slack-error.ts'

export type Args = Readonly<Record<string, unknown>>

const bodyLimit = 4 * 1024 * 1024
/** Arguments that are lists or objects: as text they are JSON. */
const structured: Readonly<Record<string, string>> = {
  attachments: 'invalid_attachments',
  blocks: 'invalid_blocks_format',
  metadata: 'invalid_metadata_format',
  view: 'invalid_arguments',
  files: 'invalid_arguments',
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > bodyLimit) throw new SlackError('request_too_large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Throws SlackError where the body is not what its content type says. */
export async function argumentsOf(
  request: IncomingMessage,
  query: URLSearchParams,
  body: Buffer,
): Promise<Args> {
  const type = request.headers['content-type'] ?? ''
  if (type.startsWith('application/json')) {
    const parsed = parse(body.toString() || '{}', 'invalid_json')
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
      throw new SlackError('json_not_object')
    return { ...Object.fromEntries(query), ...parsed }
  }
  const fields: Record<string, unknown> = Object.fromEntries(query)
  const pairs = type.startsWith('multipart/form-data')
    ? (await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData()).entries()
    : new URLSearchParams(body.toString()).entries()
  for (const [name, value] of pairs) fields[name] = value
  for (const [name, code] of Object.entries(structured)) {
    const value = fields[name]
    if (value === '') delete fields[name]
    else if (typeof value === 'string') fields[name] = parse(value, code)
  }
  return fields
}

function parse(text: string, code: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new SlackError(code)
  }
}

export const textOf = (args: Args, name: string): string | undefined => {
  const value = args[name]
  return typeof value === 'string' && value !== ''
    ? value
    : typeof value === 'number'
      ? String(value)
      : undefined
}

export const flagOf = (args: Args, name: string): boolean =>
  [true, 'true', '1', 1].includes(args[name] as string)

/** Throws `invalid_arguments` as Slack does, naming the field. */
export function needed(args: Args, name: string): string {
  const value = textOf(args, name)
  if (value === undefined)
    throw new SlackError('invalid_arguments', {
      response_metadata: { messages: [`[ERROR] missing required field: ${name}`] },
    })
  return value
}

/** A page of a list by `limit` and `cursor`, with what comes back as response_metadata. */
export function page<T>(args: Args, all: readonly T[], usual: number) {
  const from = Number(Buffer.from(textOf(args, 'cursor') ?? '', 'base64').toString() || 0)
  if (!Number.isInteger(from)) throw new SlackError('invalid_cursor')
  const limit = Math.min(Math.max(Number(args.limit ?? 0) || usual, 1), 1000)
  const next = from + limit < all.length ? Buffer.from(String(from + limit)).toString('base64') : ''
  return { items: all.slice(from, from + limit), more: next !== '', response_metadata: { next_cursor: next } }
}
