// The parameters of a Jenkins job or of a pipeline's input as fields of a dialog, and what comes back of them. Secrets
// and files are no fields: gkube keeps none. Pure; who asks for them is views/build-dialog.ts.
import type { InputBlock } from '@slack/types'
import type { Parameter } from '../../../core/builds/build.ts'
import { buildOptionIds } from '../action-ids.ts'
import { type Block, context } from '../blocks/elements.ts'
import { cut, md } from '../blocks/mrkdwn.ts'
import {
  checkField,
  choiceField,
  fitsOption,
  type Option,
  searchField,
  textField,
  viewLimits,
} from './parts.ts'
import { blockOf, rawOf, type Submitted } from './state.ts'

/** So many fit beside what else stands in a dialog. */
const mostFields = 80
/** Slack takes no empty value of a choice: each has this before it. */
const mark = '='

type Values = Readonly<Record<string, string>>
type Kind = 'text' | 'lines' | 'check' | 'select' | 'search' | 'none'

const kindOf = ({ type, choices }: Parameter): Kind => {
  switch (type) {
    case 'password':
    case 'file':
      return 'none'
    case 'boolean':
      return 'check'
    case 'text':
      return 'lines'
    case 'choice':
      // A choice that Slack does not take whole is typed.
      if (choices.length === 0 || choices.some(choice => !fitsOption(`${mark}${choice}`))) return 'text'
      return choices.length > viewLimits.options ? 'search' : 'select'
    default:
      return 'text'
  }
}

const actionOf = (parameter: Parameter): string =>
  kindOf(parameter) === 'search'
    ? `${buildOptionIds.choice}:${parameter.name}`
    : `parameter:${parameter.name}`

/** The parameter that a search for choices is about. */
export const searchedName = (actionId: string): string => actionId.slice(buildOptionIds.choice.length + 1)

export const choiceOption = (choice: string): Option => ({
  value: `${mark}${choice}`,
  text: choice === '' ? '(empty)' : choice,
})

/** `of`: what they are of; another one's fields start afresh. `values`: filled in instead of the defaults. */
export function parameterBlocks(
  parameters: readonly Parameter[],
  { of, values, url }: { readonly of: string; readonly values: Values; readonly url: string | null },
): Block[] {
  const fields = parameters.filter(one => kindOf(one) !== 'none').slice(0, mostFields)
  const left = parameters.filter(one => !fields.includes(one))
  const names = left.slice(0, 10).map(one => cut(one.name, 40))
  const where = url ? ` To give others, start it in Jenkins: ${url}` : ''
  return [
    ...fields.map((one, i) => fieldFor(one, { block: `parameter:${of}:${i}`, value: startOf(one, values) })),
    ...(left.length > 0
      ? context(
          md`${names.join(', ')}: secrets, files and what does not fit are not asked for here; their defaults are used.${where}`,
        )
      : []),
  ]
}

/** What is too long for a field starts with its default. */
function startOf({ name, default: otherwise }: Parameter, values: Values): string {
  const given = Object.hasOwn(values, name) ? values[name] : undefined
  return given !== undefined && given.length <= viewLimits.input ? given : (otherwise ?? '')
}

function fieldFor(parameter: Parameter, at: { readonly block: string; readonly value: string }): InputBlock {
  const { name, choices } = parameter
  const about = cut(parameter.description.replace(/<[^>]*>/g, ' ').trim(), 1_000)
  const common = {
    block: at.block,
    action: actionOf(parameter),
    label: name,
    ...(about ? { hint: about } : {}),
  }
  switch (kindOf(parameter)) {
    case 'check':
      return checkField({ ...common, checked: at.value === 'true' })
    case 'select': {
      const initial = choices.includes(at.value) ? at.value : (choices[0] ?? '')
      return choiceField({ ...common, options: choices.map(choiceOption), initial: `${mark}${initial}` })
    }
    case 'search': {
      const initial = choices.includes(at.value) ? at.value : (choices[0] ?? '')
      return searchField({ ...common, placeholder: 'Type to search', initial: choiceOption(initial) })
    }
    case 'lines':
      return textField({ ...common, lines: true, most: viewLimits.input, optional: true, initial: at.value })
    default:
      return textField({ ...common, most: viewLimits.input, optional: true, initial: at.value })
  }
}

/** What was filled in, by name. What is empty and was so is left out. */
export function parametersOf(
  view: Pick<Submitted, 'state'>,
  parameters: readonly Parameter[],
): Record<string, string> {
  const values: [string, string][] = []
  for (const parameter of parameters) {
    const raw = rawOf(view, actionOf(parameter))
    if (raw === undefined) continue
    const isChosen = kindOf(parameter) === 'select' || kindOf(parameter) === 'search'
    const value = isChosen ? raw.slice(mark.length) : raw
    if (value !== '' || (parameter.default ?? '') !== '' || isChosen) values.push([parameter.name, value])
  }
  return Object.fromEntries(values)
}

/** The block of a parameter's field: where its error stands. */
export function blockOfParameter(
  view: Pick<Submitted, 'state'>,
  parameters: readonly Parameter[],
  name: string,
): string | null {
  const parameter = parameters.find(one => one.name === name)
  return parameter ? blockOf(view, actionOf(parameter)) : null
}
