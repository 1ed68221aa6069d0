// Is this what Slack would take? Messages, modals and Home tabs against Block Kit's limits, as strict as Slack.
// The Web API of this workspace refuses what has problems; tests run everything that gkube renders through it.

import { blocksOf, type Surface } from './validate-blocks.ts'
import { suggestions } from './validate-elements.ts'
import { anything, flag, isObject, list, plainText, type Rule, shape, string } from './validate-rules.ts'

const bytesOfView = 250 * 1024

const anObject: Rule = (value, at, report) => {
  if (!isObject(value)) report(at, 'must be an object')
}
const metadata = shape({ event_type: string(255), event_payload: anObject }, { entities: anything })

const viewParts = {
  callback_id: string(255),
  private_metadata: string(3000, { min: 0 }),
  external_id: string(255),
}
const type: Rule = anything // looked at already

const modal: Rule = (value, at, report) => {
  shape(
    { type, title: plainText(24), blocks: blocksOf('modal') },
    {
      ...viewParts,
      submit: plainText(24),
      close: plainText(24),
      clear_on_close: flag,
      notify_on_close: flag,
      submit_disabled: flag,
    },
    (view, where, say) => {
      const hasInput =
        Array.isArray(view.blocks) && view.blocks.some(block => isObject(block) && block.type === 'input')
      if (hasInput && view.submit === undefined) say(where, 'missing required field: submit')
    },
  )(value, at, report)
}

const home: Rule = shape({ type, blocks: blocksOf('home') }, viewParts)

/** What is wrong with the blocks of a message; `at` is where they stand, such as `/blocks`. */
export function problemsOfBlocks(surface: Surface, blocks: unknown, at = '/blocks'): string[] {
  return run(blocksOf(surface), blocks, at)
}

/** What is wrong with the options that an app answered a server-side select with. */
export const problemsOfOptions = (answer: unknown): string[] => run(suggestions, answer, '')

/** What is wrong with a view, as views.open and views.publish answer it. */
export function problemsOfView(view: unknown, at = '/view'): string[] {
  if (!isObject(view)) return [`must be an object [json-pointer:${at}]`]
  if (view.type !== 'modal' && view.type !== 'home')
    return [
      view.type === undefined
        ? `missing required field: type [json-pointer:${at}]`
        : `unsupported type: ${String(view.type)} [json-pointer:${at}/type]`,
    ]
  const problems = run(view.type === 'modal' ? modal : home, view, at)
  const bytes = Buffer.byteLength(JSON.stringify(view))
  if (bytes > bytesOfView)
    problems.push(`view is ${bytes} bytes, must be less than ${bytesOfView} [json-pointer:${at}]`)
  return problems
}

/**
 * Everything that Slack would refuse in what is about to be sent, in Slack's words with a JSON pointer; empty: nothing.
 * `payload` is what chat.postMessage takes (channel and thread are not looked at), or a whole view.
 */
export function problemsOf(kind: Surface, payload: unknown): string[] {
  if (!isObject(payload)) return ['must be an object [json-pointer:]']
  if (kind !== 'message') {
    if (payload.type !== kind) return [`must be a ${kind} [json-pointer:/type]`]
    return problemsOfView(payload, '')
  }
  const problems: string[] = []
  const say = (at: string, text: string) => problems.push(`${text} [json-pointer:${at}]`)
  const { text, blocks, attachments } = payload
  const isEmpty = (value: unknown) => value === undefined || (Array.isArray(value) && value.length === 0)
  if ((text === undefined || text === '') && isEmpty(blocks) && isEmpty(attachments)) say('', 'no_text')
  if (text !== undefined) string(40_000, { min: 0 })(text, '/text', say)
  if (blocks !== undefined) problems.push(...problemsOfBlocks('message', blocks))
  if (attachments !== undefined) list(attachment, 0, 100)(attachments, '/attachments', say)
  if (payload.metadata !== undefined) metadata(payload.metadata, '/metadata', say)
  return problems
}

/** Secondary attachments: only the blocks in them are checked. */
const attachment: Rule = (value, at, report) => {
  if (!isObject(value)) return report(at, 'must be an object')
  if (value.blocks !== undefined) blocksOf('message')(value.blocks, `${at}/blocks`, report)
}

function run(rule: Rule, value: unknown, at: string): string[] {
  const problems: string[] = []
  rule(value, at, (where, text) => problems.push(`${text} [json-pointer:${where}]`))
  return problems
}
