// response_urls: where the app answers a command or a click for half an hour, five times at most.
// Also what the acknowledgement of a command may hold, which is the same kind of message.
import { randomBytes } from 'node:crypto'
import { type Content, contentOf, fromApp } from './messages.ts'
import { SlackError } from './slack-error.ts'
import type { State } from './state.ts'

type Json = Readonly<Record<string, unknown>>
/** Where an answer goes, and the message that was clicked, if any. */
export type Asked = {
  readonly user: string
  readonly channel: string
  readonly original?: { readonly ts: string; readonly ephemeral: boolean; readonly thread?: string }
}
export type ResponseUrls = ReturnType<typeof responseUrls>

const usesAllowed = 5

/** The SDK sends booleans as JSON; older examples of Slack's as text. */
const isTrue = (value: unknown) => value === true || value === 'true'

/** Shows an answer: to the one person unless it says in_channel. Throws SlackError for what Slack does not take. */
export function show(state: State, asked: Asked, given: Json) {
  const { user, channel, original } = asked
  const deletes = isTrue(given.delete_original)
  if (deletes && original) {
    if (original.ephemeral) state.setEphemeral(original.ts, null)
    else state.remove(channel, original.ts)
  }
  if (deletes && given.text === undefined && given.blocks === undefined) return
  const content = contentOf(given)
  // A click's answer takes the place of its message unless it says otherwise, in one of two ways.
  const replaces = given.replace_original ?? (given.response_type === undefined && !deletes)
  if (original && isTrue(replaces)) return replace(state, channel, original, content)
  const thread = typeof given.thread_ts === 'string' ? given.thread_ts : original?.thread
  const message = { ...fromApp(state, channel, content), ...(thread ? { thread_ts: thread } : {}) }
  if (given.response_type === 'in_channel') state.post(message)
  else state.tell(user, message)
}

function replace(state: State, channel: string, original: NonNullable<Asked['original']>, content: Content) {
  const { ts, ephemeral } = original
  const old = ephemeral ? state.ephemerals.find(one => one.ts === ts) : state.find(channel, ts)
  if (!old) throw new SlackError('message_not_found')
  const { blocks: _, attachments: __, ...kept } = old
  if (ephemeral) state.setEphemeral(ts, { ...kept, ...content })
  else state.replace({ ...kept, ...content })
}

export function responseUrls(state: State, base: () => string) {
  const known = new Map<string, { asked: Asked; until: number; uses: number }>()
  return {
    issue(asked: Asked): string {
      const id = randomBytes(18).toString('base64url')
      known.set(id, { asked, until: Date.now() + state.timing.respond, uses: 0 })
      if (known.size > 10_000) known.delete(known.keys().next().value ?? '')
      return `${base()}/response/${id}`
    },
    /** What a POST to it is answered with: status and body, as hooks.slack.com does. */
    use(id: string, given: Json): { status: number; body: string } {
      const found = known.get(id)
      const refused = (error: string, status = 404) => ({
        status,
        body: JSON.stringify({ ok: false, error }),
      })
      if (!found) return refused('no_active_hooks')
      if (Date.now() > found.until) return refused('expired_url')
      if (found.uses >= usesAllowed) return refused('used_url')
      found.uses += 1
      try {
        show(state, found.asked, given)
        return { status: 200, body: 'ok' }
      } catch (error) {
        if (!(error instanceof SlackError)) throw error
        return refused(error.code, 400)
      }
    },
  }
}
