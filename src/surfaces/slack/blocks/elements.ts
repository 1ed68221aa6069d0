// The few blocks that gkube uses, each held to Slack's limits. All text is `verbatim`: Slack then makes no links,
// channels or mentions of words that merely look like one. Clicks find their handler by action-ids.ts.
import type {
  ActionsBlock,
  Button,
  ConfirmationDialog,
  ContextBlock,
  DividerBlock,
  HeaderBlock,
  KnownBlock,
  MrkdwnElement,
  PlainTextElement,
  SectionBlock,
} from '@slack/types'
import { limits } from './limits.ts'
import { cut, limited, type Mrkdwn, oneLine } from './mrkdwn.ts'

export type Block = KnownBlock

const mrkdwn = (text: Mrkdwn, most: number): MrkdwnElement => ({
  type: 'mrkdwn',
  text: limited(text.mrkdwn, most) || ' ',
  verbatim: true,
})

/** Text without markup; `:names:` of emoji stay words. Slack reads no mention in it; nothing there looks like one either. */
export const plain = (text: string, most: number): PlainTextElement => ({
  type: 'plain_text',
  text: cut(oneLine(text).replace(/<(?=[!@#])/g, '‹'), most) || '-',
  emoji: false,
})

export const section = (text: Mrkdwn, accessory?: Button): SectionBlock => ({
  type: 'section',
  text: mrkdwn(text, limits.section),
  ...(accessory ? { accessory } : {}),
})

/** Small grey words below something; no block where there are none. */
export function context(...texts: readonly Mrkdwn[]): ContextBlock[] {
  const said = texts.filter(text => text.mrkdwn !== '').slice(0, limits.contextElements)
  return said.length === 0
    ? []
    : [{ type: 'context', elements: said.map(text => mrkdwn(text, limits.contextText)) }]
}

export const header = (text: string): HeaderBlock => ({ type: 'header', text: plain(text, limits.header) })

export const divider: DividerBlock = { type: 'divider' }

/** A row of buttons; none: no block. `id` comes back with each click, and is unique in its message. */
export const actions = (buttons: readonly Button[], id?: string): ActionsBlock[] =>
  buttons.length === 0
    ? []
    : [{ type: 'actions', ...(id ? { block_id: id } : {}), elements: buttons.slice(0, limits.actions) }]

export type ButtonOptions = {
  readonly text: string
  /** Of action-ids.ts. */
  readonly action: string
  readonly value?: string
  readonly style?: 'primary' | 'danger'
  readonly confirm?: ConfirmationDialog
}

export const button = ({ text, action, value, style, confirm }: ButtonOptions): Button => ({
  type: 'button',
  text: plain(text, limits.button),
  action_id: action,
  // A value is an id: one that does not fit is of no use when cut, and never comes from people.
  ...(value ? { value: value.slice(0, limits.value) } : {}),
  ...(style ? { style } : {}),
  ...(confirm ? { confirm } : {}),
})

/** Asks before it is done; `danger` for what hits production, goes back or deletes. */
export const confirmation = (options: {
  readonly title: string
  readonly text: string
  readonly yes: string
  readonly danger: boolean
}): ConfirmationDialog => ({
  title: plain(options.title, limits.confirmTitle),
  text: plain(options.text, limits.confirmText),
  confirm: plain(options.yes, limits.confirmButton),
  deny: plain('Keep as it is', limits.confirmButton),
  ...(options.danger ? { style: 'danger' as const } : {}),
})
