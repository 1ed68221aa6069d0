// From what an app sends (Web API, response_url, answer to a command) to a message as it is stored, refused as Slack
// refuses it.
import { randomBytes } from 'node:crypto'
import type { Message } from './control.ts'
import { refusedFor, SlackError } from './slack-error.ts'
import type { State } from './state.ts'
import { problemsOf, problemsOfBlocks } from './validate.ts'

type Json = Record<string, unknown>
export type Content = Pick<Message, 'text' | 'blocks' | 'attachments' | 'metadata'>

const metadataLimit = 8000

/** Every block and element has an id: the app's, or one that Slack gives. */
export function withIds(blocks: readonly unknown[]): Json[] {
  const id = () => randomBytes(4).toString('base64url').slice(0, 5)
  const element = (value: unknown) => {
    const one = value as Json // the validator has seen it
    const passive = one.type === 'image' || one.type === 'plain_text' || one.type === 'mrkdwn'
    return passive ? one : { ...one, action_id: one.action_id ?? id() }
  }
  return blocks.map(value => {
    const block: Json = { ...(value as Json) } // the validator has seen it
    block.block_id ??= id()
    if (block.type === 'actions' || block.type === 'context_actions')
      block.elements = (block.elements as unknown[]).map(element)
    if (block.accessory) block.accessory = element(block.accessory)
    if (block.element) block.element = element(block.element)
    return block
  })
}

/** Throws SlackError: no_text, msg_too_long, invalid_blocks with what is wrong, invalid_metadata_format. */
export function contentOf(given: Readonly<Json>, textLimit = 40_000): Content {
  const { text, blocks, attachments, metadata } = given
  if (text !== undefined && typeof text !== 'string') throw new SlackError('invalid_arguments')
  if (blocks !== undefined && !Array.isArray(blocks)) throw new SlackError('invalid_blocks_format')
  if (attachments !== undefined && !Array.isArray(attachments)) throw new SlackError('invalid_attachments')
  if (!text && !blocks?.length && !attachments?.length) throw new SlackError('no_text')
  if (text && text.length > textLimit) throw new SlackError('msg_too_long')
  mustBeTaken('invalid_blocks', problemsOfBlocks('message', blocks ?? []))
  mustBeTaken('invalid_attachments', problemsOf('message', { text: 'x', attachments }))
  mustBeTaken('invalid_metadata_format', problemsOf('message', { text: 'x', metadata }))
  if (JSON.stringify(metadata ?? '').length > metadataLimit) throw new SlackError('metadata_too_large')
  return {
    text: text ?? '',
    ...(blocks?.length ? { blocks: withIds(blocks) } : {}),
    ...(attachments?.length ? { attachments: attachments as Json[] } : {}),
    ...(metadata ? { metadata: metadata as Message['metadata'] } : {}), // the validator has seen it
  }
}

function mustBeTaken(code: string, problems: readonly string[]) {
  if (problems.length > 0) throw refusedFor(code, problems)
}

/** A message of the app's own, not posted yet. */
export function fromApp(state: State, channel: string, content: Content): Message {
  const { user, bot, id } = state.app
  return { type: 'message', channel, ts: state.nextTs(), user, bot_id: bot, app_id: id, ...content }
}
