// What the notifier asks of the workspace (core/notifier.ts has the type): posts, updates, files, direct messages, and
// looking for what may have been posted. Each call waits for its turn in scheduler.ts; what an answer means for a
// message is outcome.ts. It keeps nothing.
import type { Rendered } from '../../core/messages.ts'
import type { Messenger, Turn } from '../../core/notifier.ts'
import { badContent, notDone, ofAnEdit, outcomeOf } from './outcome.ts'
import type { Dropped, Turn as Queued, Scheduler } from './scheduler.ts'
import type { Answer, SlackWeb } from './web.ts'

const eventType = 'gkube_message'
/** Of 200 messages: how far back one is looked for that may have been posted. */
const pages = 10
const notBegun: Dropped = { kind: 'dropped', why: 'aborted' }

export function slackMessenger(deps: {
  readonly web: Pick<SlackWeb, 'call' | 'send'>
  readonly scheduler: Pick<Scheduler, 'run'>
  readonly log: (message: string, error: unknown) => void
}): Messenger {
  const { web, scheduler, log } = deps

  /** With blocks; as text alone where Slack does not take them. */
  async function say(method: string, args: Record<string, unknown>, message: Rendered): Promise<Answer> {
    const answer = await web.call(method, { ...args, text: message.text, blocks: message.blocks })
    if (answer.kind !== 'error' || !badContent.has(answer.code)) return answer
    log(`Slack does not take the blocks of a message, so it is told as text: ${answer.code}`, answer.data)
    return web.call(method, { ...args, text: message.text.slice(0, 3000), blocks: [] })
  }

  const asked = (at: Turn, method: string, args: Record<string, unknown>, more: Partial<Queued> = {}) =>
    scheduler.run({ ...queued(at, method), ...more }, () => web.call(method, args))

  const post: Messenger['post'] = async (at, begin) => {
    const turn = { ...queued(at, 'chat.postMessage'), channel: at.channel }
    const answer = await scheduler.run(turn, async () => {
      const message = await begin()
      if (!message) return notBegun
      const args = {
        channel: at.channel,
        metadata: { event_type: eventType, event_payload: at.mark },
        unfurl_links: false,
        unfurl_media: false,
        ...(at.thread === null ? {} : { thread_ts: at.thread, reply_broadcast: at.broadcast }),
      }
      return say('chat.postMessage', args, message)
    })
    return outcomeOf(answer, ({ channel, ts }) => ({ channel, ts }))
  }

  return {
    post,

    async update(at, begin) {
      const answer = await scheduler.run(queued(at, 'chat.update'), async () => {
        const message = await begin()
        return message ? say('chat.update', { channel: at.channel, ts: at.ts }, message) : notBegun
      })
      return ofAnEdit(outcomeOf(answer, () => at))
    },

    async upload(at, begin) {
      const { name, title, content } = at.file
      const bytes = new TextEncoder().encode(content)
      const length = bytes.byteLength
      const where = await asked(at, 'files.getUploadURLExternal', { filename: name, length })
      if (where.kind === 'error' && where.code === 'missing_scope')
        return post({ ...at, broadcast: false }, async () =>
          (await begin()) ? inline(title, content) : null,
        )
      // Nobody sees a file before it is completed: all until then can be repeated.
      if (where.kind !== 'ok') return notDone(where)
      const { upload_url: url, file_id: id } = where.data
      if (typeof url !== 'string' || typeof id !== 'string')
        return { kind: 'refused', code: 'no_upload_url', message: 'Slack gave no address to upload to' }
      const uploaded = await web.send(url, { body: bytes, type: 'application/octet-stream' })
      if (uploaded.kind !== 'ok') return notDone(uploaded)
      const args = { files: [{ id, title }], channel_id: at.channel, thread_ts: at.thread }
      const answer = await scheduler.run(queued(at, 'files.completeUploadExternal'), async () =>
        (await begin()) ? web.call('files.completeUploadExternal', args) : notBegun,
      )
      return outcomeOf(answer, () => ({ channel: at.channel, ts: id }))
    },

    async find(at) {
      const method = at.thread === null ? 'conversations.history' : 'conversations.replies'
      const args = {
        channel: at.channel,
        ...(at.thread === null ? {} : { ts: at.thread }),
        oldest: (Math.max(0, at.since) / 1000).toFixed(6),
        include_all_metadata: true,
        limit: 200,
      }
      let cursor: string | null = null
      for (let page = 0; page < pages; page++) {
        const answer = await asked(at, method, cursor ? { ...args, cursor } : args)
        if (answer.kind !== 'ok') return notFound(answer)
        const { found, next } = search(answer.data, at)
        if (found) return { kind: 'found', ts: found }
        if (!next) break
        cursor = next
      }
      return { kind: 'absent' }
    },

    async direct(at) {
      const answer = await asked(at, 'conversations.open', { users: at.user })
      // Without im:write a message to the person's id arrives all the same; only it cannot be looked for.
      if (answer.kind === 'error' && answer.code === 'missing_scope')
        return { kind: 'done', channel: at.user }
      if (answer.kind !== 'ok') return notDone(answer)
      const channel = (answer.data.channel as { id?: unknown } | undefined)?.id
      if (typeof channel === 'string') return { kind: 'done', channel }
      return { kind: 'refused', code: 'no_channel', message: 'Slack opened no direct messages' }
    },

    async answers(signal) {
      const turn: Queued = { method: 'auth.test', priority: 'waiting', signal }
      return (await scheduler.run(turn, () => web.call('auth.test', {}))).kind === 'ok'
    },
  }
}

const queued = (at: Turn, method: string): Queued => ({
  method,
  priority: at.urgency,
  signal: at.signal,
})

type Found = Awaited<ReturnType<Messenger['find']>>

function notFound(answer: Exclude<Answer, { kind: 'ok' }> | Dropped): Found {
  if (answer.kind === 'error' && answer.code === 'thread_not_found') return { kind: 'absent' }
  const result = notDone(answer)
  // Scopes, or a channel that gkube is not in any more: it cannot be known.
  if (answer.kind === 'error' || result.kind === 'refused') return { kind: 'unknown' }
  return result.kind === 'later' ? result : { kind: 'later', message: 'given up', afterMs: 0 }
}

/** The message in one page of answers, and where the next page begins. */
function search(
  data: Readonly<Record<string, unknown>>,
  what: What,
): { readonly found: string | null; readonly next: string | null } {
  const { messages, response_metadata: meta } = data
  const found = Array.isArray(messages) ? messages.find(one => isIt(one, what)) : undefined
  const next = (meta as { next_cursor?: unknown } | undefined)?.next_cursor
  return {
    found: found ? String(found.ts) : null,
    next: typeof next === 'string' && next !== '' ? next : null,
  }
}

type What = Pick<Parameters<Messenger['find']>[0], 'mark' | 'file'>

/** A message of ours by its mark, or the one that shares a file of that name. */
function isIt(message: unknown, { mark, file }: What): message is { readonly ts: unknown } {
  const { metadata, files } = (message ?? {}) as {
    metadata?: { event_type?: unknown; event_payload?: { deploy?: unknown; key?: unknown } }
    files?: readonly { name?: unknown }[]
  }
  if (file !== null && files?.some(one => one.name === file)) return true
  const payload = metadata?.event_type === eventType ? metadata.event_payload : null
  return payload?.deploy === mark.deploy && payload.key === mark.key
}

const inlineMost = 2_500
const fence = '```'

/** The beginning of a file as a message: Slack cuts texts for people at 4,000 characters. */
function inline(title: string, content: string): Rendered {
  const cut = content.slice(0, inlineMost)
  const note = cut.length < content.length ? `\n… ${content.length - cut.length} characters more` : ''
  const code = escaped(cut).replaceAll(fence, "'''")
  return { text: `*${escaped(title)}*\n${fence}\n${code}\n${fence}${note}`, blocks: [] }
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
