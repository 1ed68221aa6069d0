// Selects that are searched on the server: what was typed goes to the app, what it offers can be chosen from then on.
// Used by acting.ts; how a chosen option becomes part of a form: form.ts.
import type { Option, Person } from './control.ts'
import type { Dispatch } from './dispatch.ts'
import type { Found, Offered } from './form.ts'
import { suggestionPayload, type Where } from './payloads.ts'
import type { State } from './state.ts'
import { problemsOfOptions } from './validate.ts'

/** Slack asks for options from this many characters on, where the element does not say. */
const queryLength = 3
/** So many are remembered for a person and an element. */
const remembered = 1000

export function suggestions(deps: {
  readonly state: State
  readonly dispatch: Dispatch
  /** What was offered, by person and action id. */
  readonly offered: Map<string, Option[]>
  readonly person: Person
}) {
  const keyOf = (actionId: string) => `${deps.person.id} ${actionId}`
  const offered: Offered = actionId => deps.offered.get(keyOf(actionId)) ?? []

  /** Throws where Slack would not ask yet, and where it shows no options: no answer, or one that it does not take. */
  async function search(where: Where, found: Found, query: string): Promise<readonly Option[]> {
    const { element } = found
    const type = String(element.type)
    if (!type.endsWith('external_select')) throw new Error(`${type} has its own options`)
    const least = Number(element.min_query_length ?? queryLength)
    if (query.length < least) throw new Error(`Slack asks from ${least} characters on`)
    const payload = suggestionPayload(deps.state, { person: deps.person, where, found, query })
    const { outcome, body } = await deps.dispatch.send('block_suggestion', payload)
    if (outcome !== 'ok') throw new Error(`the app did not offer options: ${outcome}`)
    const problems = problemsOfOptions(body)
    if (problems.length > 0) throw new Error(`Slack shows no options: ${problems.join('; ')}`)
    const { options: plain = [], option_groups: groups = [] } = body as {
      options?: Option[]
      option_groups?: { label: { text: string }; options: Option[] }[]
    } // the validator has seen it
    const grouped = groups.flatMap(group => group.options.map(one => ({ ...one, group: group.label.text })))
    const all = [...plain, ...grouped]
    const actionId = String(element.action_id)
    deps.offered.set(keyOf(actionId), [...all, ...offered(actionId)].slice(0, remembered))
    return all
  }

  return { offered, search }
}
