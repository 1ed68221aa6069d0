// What surfaces ask of the workspace for one person: who somebody is, views, and answers only they see. The type is the
// surface's own (surfaces/slack/workspace.ts). A person waits, so a call that cannot be made soon is given up and told.
// Messages of deploys are messenger.ts's.
import { UserError } from '../../errors.ts'
import { type Directory, unavailable } from './directory.ts'
import type { Dropped, Scheduler } from './scheduler.ts'
import type { Answer, SlackWeb } from './web.ts'

type Rendered = { readonly text: string; readonly blocks: readonly object[] }
type ViewId = { readonly id: string; readonly hash: string }

export type SlackWorkspace = Pick<Directory, 'self' | 'person' | 'personByEmail' | 'groupMembers'> & {
  isMember(channel: string): Promise<boolean>
  openView(triggerId: string, view: object): Promise<ViewId>
  updateView(target: { readonly id: string; readonly hash?: string }, view: object): Promise<ViewId>
  publishHome(userId: string, view: object): Promise<void>
  ephemeral(
    channel: string,
    user: string,
    message: Rendered,
    options?: { readonly thread?: string },
  ): Promise<void>
  respond(responseUrl: string, message: Rendered, options?: { readonly replace?: boolean }): Promise<void>
  upload(file: {
    readonly channel: string
    readonly thread?: string
    readonly name: string
    readonly title: string
    readonly content: string
  }): Promise<void>
}

/** A trigger lives 3 s, and it has travelled by then. */
const triggerMs = 2_500
const patienceMs = 10_000

export function slackWorkspace(deps: {
  readonly web: Pick<SlackWeb, 'call' | 'send'>
  readonly scheduler: Pick<Scheduler, 'run'>
  readonly directory: Directory
}): SlackWorkspace {
  const { web, scheduler, directory } = deps

  async function ask(
    method: string,
    args: Record<string, unknown>,
    options: { readonly within?: number; readonly key?: string } = {},
  ): Promise<Extract<Answer, { kind: 'ok' }>['data']> {
    const { within = patienceMs, key } = options
    const turn = { method, priority: 'interactive' as const, within, ...(key ? { key } : {}) }
    return data(method, await scheduler.run(turn, () => web.call(method, args, { timeoutMs: within })))
  }

  return {
    self: directory.self,
    person: directory.person,
    personByEmail: directory.personByEmail,
    groupMembers: directory.groupMembers,
    // Where the token may not look it is tried first, so it is named first.
    isMember: async channel => (await directory.membership(channel)) !== 'not_member',

    openView: async (triggerId, view) =>
      viewOf(await ask('views.open', { trigger_id: triggerId, view }, { within: triggerMs })),
    updateView: async ({ id, hash }, view) =>
      viewOf(await ask('views.update', { view_id: id, view, ...(hash ? { hash } : {}) })),
    async publishHome(userId, view) {
      // Several changes while one waits: the last one is published.
      await ask('views.publish', { user_id: userId, view }, { key: userId, within: 60_000 })
    },
    async ephemeral(channel, user, message, options = {}) {
      const thread = options.thread ? { thread_ts: options.thread } : {}
      await ask('chat.postEphemeral', { channel, user, ...message, ...thread })
    },
    async respond(responseUrl, message, options = {}) {
      const url = URL.parse(responseUrl)
      if (url?.protocol !== 'https:' && url?.hostname !== '127.0.0.1')
        throw new UserError('bad_input', 'This answer has no address that gkube would send to.')
      const body = JSON.stringify({
        text: message.text,
        blocks: message.blocks,
        response_type: 'ephemeral',
        replace_original: options.replace ?? false,
      })
      data('response_url', await web.send(responseUrl, { body, type: 'application/json', timeoutMs: 5_000 }))
    },
    async upload({ channel, thread, name, title, content }) {
      const bytes = new TextEncoder().encode(content)
      const where = await ask('files.getUploadURLExternal', { filename: name, length: bytes.byteLength })
      const { upload_url: url, file_id: id } = where
      if (typeof url !== 'string') throw unavailable('files.getUploadURLExternal', nothing)
      data('upload', await web.send(url, { body: bytes, type: 'application/octet-stream' }))
      await ask('files.completeUploadExternal', {
        files: [{ id, title }],
        channel_id: channel,
        ...(thread ? { thread_ts: thread } : {}),
      })
    },
  }
}

const nothing: Answer = { kind: 'unclear', message: 'an answer without what was asked for' }

function data(what: string, answer: Answer | Dropped): Extract<Answer, { kind: 'ok' }>['data'] {
  if (answer.kind === 'ok') return answer.data
  throw unavailable(what, answer)
}

function viewOf(data: Readonly<Record<string, unknown>>): ViewId {
  const { id, hash } = (data.view ?? {}) as { id?: unknown; hash?: unknown }
  if (typeof id !== 'string' || typeof hash !== 'string') throw unavailable('views', nothing)
  return { id, hash }
}
