// files.*: an upload in three steps (an address, the bytes, sharing), enough for log snippets.
import { randomBytes } from 'node:crypto'
import { extname } from 'node:path'
import { type Args, needed, textOf } from '../arguments.ts'
import type { SharedFile } from '../control.ts'
import { contentOf, fromApp } from '../messages.ts'
import { SlackError } from '../slack-error.ts'
import type { State, StoredFile } from '../state.ts'
import { writable } from './access.ts'
import type { Context, Method } from './method.ts'

export const shared = ({ content: _, done: __, uploadKey: ___, ...file }: StoredFile): SharedFile => file

function uploadUrl(args: Args, { state, base }: Context) {
  const name = needed(args, 'filename')
  const size = Number(needed(args, 'length'))
  if (!Number.isInteger(size) || size <= 0) throw new SlackError('invalid_arguments')
  const id = state.newId('F')
  const type = textOf(args, 'snippet_type') ?? (extname(name).slice(1) || 'text')
  const uploadKey = randomBytes(18).toString('base64url')
  state.files.set(id, {
    id,
    name,
    title: name,
    size,
    mimetype: 'text/plain',
    filetype: type,
    created: Math.floor(Date.now() / 1000),
    user: state.app.user,
    url_private: `${base}/files/${id}`,
    channels: [],
    content: Buffer.alloc(0),
    done: false,
    uploadKey,
  })
  return { file_id: id, upload_url: `${base}/upload/v1/${uploadKey}` }
}

/** The second step, not a method: bytes to the address. False where that is not known or was used. */
export function uploaded(state: State, key: string, content: Buffer): boolean {
  const file = [...state.files.values()].find(one => one.uploadKey === key && one.content.length === 0)
  if (!file) return false
  state.files.set(file.id, { ...file, content, size: content.length })
  return true
}

/** Shares what was uploaded: one message of the app with the files in it. */
function complete(args: Args, context: Context) {
  const { state } = context
  if (!Array.isArray(args.files) || args.files.length === 0) needed({}, 'files')
  const wanted = args.files as { id?: string; title?: string }[]
  const channelId = textOf(args, 'channel_id')
  const channel = channelId === undefined ? undefined : writable(state, channelId)
  const files = wanted.map(({ id, title }) => {
    const file = state.files.get(id ?? '')
    if (!file || file.content.length === 0 || file.done) throw new SlackError('file_not_found')
    return { ...file, title: title ?? file.title, done: true, channels: channel ? [channel.id] : [] }
  })
  for (const file of files) state.files.set(file.id, file)
  if (channel) {
    const thread = textOf(args, 'thread_ts')
    const text = textOf(args, 'initial_comment') ?? ''
    const content = text || args.blocks ? contentOf({ text, blocks: args.blocks }) : { text }
    state.post({
      ...fromApp(state, channel.id, content),
      files: files.map(shared),
      ...(thread ? { thread_ts: state.find(channel.id, thread)?.thread_ts ?? thread } : {}),
    })
  }
  state.changed({ what: 'file' })
  return { files: files.map(shared) }
}

function info(args: Args, { state }: Context) {
  const file = state.files.get(needed(args, 'file'))
  if (!file?.done) throw new SlackError('file_not_found')
  return { file: shared(file), content: file.content.toString() }
}

function remove(args: Args, { state }: Context) {
  const id = needed(args, 'file')
  if (!state.files.delete(id)) throw new SlackError('file_not_found')
  state.changed({ what: 'file' })
  return {}
}

export const files: Readonly<Record<string, Method>> = {
  'files.getUploadURLExternal': { scopes: ['files:write'], tier: 4, call: uploadUrl },
  'files.completeUploadExternal': { scopes: ['files:write'], tier: 4, call: complete },
  'files.info': { scopes: ['files:read'], tier: 4, call: info },
  'files.delete': { scopes: ['files:write'], tier: 3, call: remove },
}
