// What modals are made of, beside the blocks of messages (blocks/elements.ts): fields, selects and the frame, each
// held to Slack's limits. The pure views beside this file use them; actions/ opens them and reads what comes back.
import type { InputBlock, ModalView, PlainTextOption } from '@slack/types'
import { type Block, plain, section } from '../blocks/elements.ts'
import { type Meta, metaText } from './meta.ts'

/** Slack's limits of modals, in characters. */
export const viewLimits = {
  title: 24,
  button: 24,
  label: 2000,
  placeholder: 150,
  option: 75,
  options: 100,
  /** What a plain_text_input takes at most. */
  input: 3000,
  blocks: 100,
} as const

export type Option = { readonly value: string; readonly text?: string; readonly about?: string }

/** A choice of a select; its text and what is said below it are cut, its value never is. */
export const option = ({ value, text = value, about }: Option): PlainTextOption => ({
  text: plain(text, viewLimits.option),
  value,
  ...(about ? { description: plain(about, viewLimits.option) } : {}),
})

/** Whether Slack takes it as the value of a choice: one that was cut would mean something else. */
export const fitsOption = (value: string): boolean => value.length > 0 && value.length <= viewLimits.option

type Field = {
  readonly block: string
  readonly action: string
  readonly label: string
  readonly hint?: string
  readonly optional?: boolean
}

const field = ({ block, label, hint, optional }: Field): Omit<InputBlock, 'element'> => ({
  type: 'input',
  block_id: block,
  label: plain(label, viewLimits.label),
  ...(hint ? { hint: plain(hint, viewLimits.label) } : {}),
  ...(optional ? { optional } : {}),
})

export const textField = (
  at: Field & {
    readonly placeholder?: string
    readonly lines?: boolean
    readonly most?: number
    readonly initial?: string
  },
): InputBlock => ({
  ...field(at),
  element: {
    type: 'plain_text_input',
    action_id: at.action,
    multiline: at.lines ?? false,
    max_length: Math.min(at.most ?? 500, viewLimits.input),
    ...(at.placeholder ? { placeholder: plain(at.placeholder, viewLimits.placeholder) } : {}),
    ...(at.initial ? { initial_value: at.initial } : {}),
  },
})

export const numberField = (
  at: Field & { readonly min: number; readonly max: number; readonly initial?: number },
): InputBlock => ({
  ...field(at),
  element: {
    type: 'number_input',
    action_id: at.action,
    is_decimal_allowed: false,
    min_value: String(at.min),
    max_value: String(at.max),
    ...(at.initial === undefined ? {} : { initial_value: String(at.initial) }),
  },
})

/** A select whose choices the server searches (options.ts); every choice is told at once. */
export const searchField = (
  at: Field & { readonly placeholder: string; readonly initial: Option | null },
): InputBlock => ({
  ...field(at),
  dispatch_action: true,
  element: {
    type: 'external_select',
    action_id: at.action,
    min_query_length: 0,
    placeholder: plain(at.placeholder, viewLimits.placeholder),
    ...(at.initial && fitsOption(at.initial.value) ? { initial_option: option(at.initial) } : {}),
  },
})

export const choiceField = (
  at: Field & { readonly options: readonly Option[]; readonly initial: string },
): InputBlock => {
  const options = at.options.slice(0, viewLimits.options).map(option)
  const initial = options.find(one => one.value === at.initial)
  return {
    ...field(at),
    element: {
      type: 'static_select',
      action_id: at.action,
      options,
      ...(initial ? { initial_option: initial } : {}),
    },
  }
}

/** One box to tick; nobody has to. */
export const checkField = (at: Field & { readonly checked: boolean }): InputBlock => {
  const yes = option({ value: 'true', text: 'Yes' })
  return {
    ...field({ ...at, optional: true }),
    element: {
      type: 'checkboxes',
      action_id: at.action,
      options: [yes],
      ...(at.checked ? { initial_options: [yes] } : {}),
    },
  }
}

/** A modal; without `submit` it only shows something. */
export const modal = (view: {
  readonly title: string
  readonly blocks: readonly Block[]
  readonly callback?: string
  readonly submit?: string
  readonly close?: string
  readonly meta?: Meta
}): ModalView => ({
  type: 'modal',
  title: plain(view.title, viewLimits.title),
  blocks: view.blocks.slice(0, viewLimits.blocks),
  close: plain(view.close ?? (view.submit ? 'Not now' : 'Close'), viewLimits.button),
  ...(view.submit ? { submit: plain(view.submit, viewLimits.button) } : {}),
  ...(view.callback ? { callback_id: view.callback } : {}),
  private_metadata: metaText(view.meta ?? {}),
})

/** Shown while what belongs there is read: a trigger lives 3 s, so the view is opened first. */
export const loadingView = (title: string, meta: Meta = {}): ModalView =>
  modal({ title, meta, blocks: [section({ mrkdwn: ':hourglass_flowing_sand: One moment…' })] })
