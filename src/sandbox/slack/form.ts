// What people have typed and chosen in a view or on a message: Slack's `state.values`, from an element and a plain
// value, and what Slack's own client refuses before it asks the app.
import type { Element, Fields, FieldValue, Option } from './control.ts'
import { elementsOf } from './validate-blocks.ts'

type Json = Record<string, unknown>
type Blocks = readonly Readonly<Json>[]
export type Values = Readonly<Record<string, Readonly<Record<string, Json>>>>
/** Options that the app offered for an action id, newest first: one can choose nothing else. */
export type Offered = (actionId: string) => readonly Option[]

const stateless = [
  'button',
  'overflow',
  'image',
  'workflow_button',
  'mrkdwn',
  'plain_text',
  'icon_button',
  'feedback_buttons',
]
const typedTypes = ['plain_text_input', 'email_text_input', 'url_text_input', 'number_input']

/** Which field of the state an element fills, and from which `initial_…` it begins. */
const slots: Readonly<Record<string, readonly [string, string]>> = {
  plain_text_input: ['value', 'initial_value'],
  email_text_input: ['value', 'initial_value'],
  url_text_input: ['value', 'initial_value'],
  number_input: ['value', 'initial_value'],
  static_select: ['selected_option', 'initial_option'],
  overflow: ['selected_option', 'initial_option'],
  external_select: ['selected_option', 'initial_option'],
  radio_buttons: ['selected_option', 'initial_option'],
  checkboxes: ['selected_options', 'initial_options'],
  multi_static_select: ['selected_options', 'initial_options'],
  multi_external_select: ['selected_options', 'initial_options'],
  users_select: ['selected_user', 'initial_user'],
  multi_users_select: ['selected_users', 'initial_users'],
  channels_select: ['selected_channel', 'initial_channel'],
  multi_channels_select: ['selected_channels', 'initial_channels'],
  conversations_select: ['selected_conversation', 'initial_conversation'],
  multi_conversations_select: ['selected_conversations', 'initial_conversations'],
  datepicker: ['selected_date', 'initial_date'],
  timepicker: ['selected_time', 'initial_time'],
  datetimepicker: ['selected_date_time', 'initial_date_time'],
}

const slotOf = (element: Readonly<Json>): readonly [string, string] =>
  slots[String(element.type)] ?? ['value', 'initial_value']
const isMany = (slot: string) => /s$/.test(slot) && slot.startsWith('selected_')

function initialState(element: Readonly<Json>): Json {
  const [slot, initial] = slotOf(element)
  return { type: element.type, [slot]: element[initial] ?? (isMany(slot) ? [] : null) }
}

/** The state of a view that is shown: what is in it already stays, by block and action id. */
export function valuesOf(blocks: Blocks, kept: Values = {}): Values {
  const values: Record<string, Record<string, Json>> = {}
  for (const block of blocks) {
    const blockId = String(block.block_id)
    for (const element of elementsOf(block)) {
      if (stateless.includes(String(element.type)) || element.action_id === undefined) continue
      const actionId = String(element.action_id)
      const before = kept[blockId]?.[actionId]
      const state = before && before.type === element.type ? before : initialState(element)
      values[blockId] = { ...values[blockId], [actionId]: state }
    }
  }
  return values
}

export type Found = { readonly block: Readonly<Json>; readonly element: Readonly<Json> }

/** Throws where the element is not there, or where more than one fits. */
export function findElement(blocks: Blocks, wanted: Element): Found {
  const { action_id, block_id, value } = typeof wanted === 'string' ? { action_id: wanted } : wanted
  const all = blocks.flatMap(block => elementsOf(block).map(element => ({ block, element })))
  const found = all.filter(
    ({ block, element }) =>
      element.action_id === action_id &&
      (block_id === undefined || block.block_id === block_id) &&
      (value === undefined || element.value === value),
  )
  const known = all.map(({ element }) => element.action_id).filter(Boolean)
  if (!found[0]) throw new Error(`there is no element ${action_id} here, only: ${known.join(', ') || 'none'}`)
  if (found[1])
    throw new Error(`there are ${found.length} elements ${action_id} here: name block_id or value too`)
  return found[0]
}

function optionsOf(element: Readonly<Json>, offered: Offered): readonly Option[] {
  const own = (element.options ?? []) as Option[] // the validator has seen them
  const grouped = ((element.option_groups ?? []) as { options: Option[] }[]).flatMap(group => group.options)
  const initial = [element.initial_option, element.initial_options].flat().filter(Boolean) as Option[]
  return [...own, ...grouped, ...offered(String(element.action_id)), ...initial]
}

/** The state of an element in which this was typed or chosen. Throws for an option that it does not offer. */
export function stateWith(element: Readonly<Json>, value: FieldValue, offered: Offered): Json {
  const [slot] = slotOf(element)
  const { type } = element
  const many = isMany(slot)
  if (value === null || value === '' || value.length === 0) return { type, [slot]: many ? [] : null }
  const wanted = typeof value === 'string' ? [value] : value
  if (!slot.startsWith('selected_option')) {
    const only = slot === 'selected_date_time' ? Number(wanted[0]) : wanted[0]
    return { type, [slot]: many ? wanted : only }
  }
  const options = optionsOf(element, offered)
  const chosen = wanted.map(one => {
    const option = options.find(known => known.value === one)
    if (!option) {
      const known = options.map(known => known.value).join(', ') || 'none (search first)'
      throw new Error(`${String(element.action_id)} offers no option ${one}, only: ${known}`)
    }
    const { group: _, ...plain } = option
    return plain
  })
  return { type, [slot]: many ? chosen : chosen[0] }
}

/** Fields by block id or action id into the values of a view. */
export function filled(blocks: Blocks, values: Values, fields: Fields, offered: Offered): Values {
  const next: Record<string, Record<string, Json>> = structuredClone(values) as Record<
    string,
    Record<string, Json>
  >
  for (const [name, value] of Object.entries(fields)) {
    const block = blocks.find(one => one.block_id === name)
    const inBlock = block && elementsOf(block)[0]
    const { block: at, element } = block && inBlock ? { block, element: inBlock } : findElement(blocks, name)
    const blockId = String(at.block_id)
    next[blockId] = { ...next[blockId], [String(element.action_id)]: stateWith(element, value, offered) }
  }
  return next
}

/** What Slack's client says of a form before it sends it: required fields, lengths, addresses, numbers. */
export function incomplete(blocks: Blocks, values: Values): Record<string, string> {
  const errors: Record<string, string> = {}
  for (const block of blocks) {
    const element = block.type === 'input' ? elementsOf(block)[0] : undefined
    if (!element) continue
    const [slot] = slotOf(element)
    const value = values[String(block.block_id)]?.[String(element.action_id)]?.[slot]
    const isEmpty = value === null || value === undefined || (Array.isArray(value) && value.length === 0)
    const problem = isEmpty
      ? block.optional !== true && 'Please complete this required field.'
      : typedTypes.includes(String(element.type)) && typedProblem(element, String(value))
    if (problem) errors[String(block.block_id)] = problem
  }
  return errors
}

function typedProblem(element: Readonly<Json>, value: string): string | false {
  const { type, min_length: min, max_length: max } = element
  if (typeof min === 'number' && value.length < min) return `Please enter at least ${min} characters.`
  if (typeof max === 'number' && value.length > max) return `Please enter no more than ${max} characters.`
  if (type === 'email_text_input' && !/^\S+@\S+\.\S+$/.test(value))
    return 'Please enter a valid email address.'
  if (type === 'url_text_input' && !/^https?:\/\/\S+$/.test(value)) return 'Please enter a valid URL.'
  if (type !== 'number_input') return false
  const number = Number(value)
  if (!Number.isFinite(number) || (element.is_decimal_allowed === false && !Number.isInteger(number)))
    return 'Please enter a valid number.'
  if (element.min_value !== undefined && number < Number(element.min_value))
    return `Please enter a number of at least ${String(element.min_value)}.`
  if (element.max_value !== undefined && number > Number(element.max_value))
    return `Please enter a number of at most ${String(element.max_value)}.`
  return false
}
