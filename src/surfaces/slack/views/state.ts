// What a person chose and typed in a dialog, by action id. Block ids change when a field must forget its value, so
// nothing is looked up by them; errors are told by the block that an input stands in at that moment.

/** The part of Bolt's ViewOutput that is read here. */
export type Submitted = {
  readonly id: string
  readonly hash: string
  readonly callback_id: string
  readonly private_metadata: string
  readonly state: { readonly values: Readonly<Record<string, Readonly<Record<string, StateValue>>>> }
}

type StateValue = {
  readonly value?: string | null
  readonly selected_option?: { readonly value?: string } | null
  /** Of checkboxes; none is an empty list. */
  readonly selected_options?: readonly { readonly value?: string }[]
}

/** What stands in the field, trimmed; empty is null. */
export function fieldOf(view: Pick<Submitted, 'state'>, actionId: string): string | null {
  for (const block of Object.values(view.state.values)) {
    const found = block[actionId]
    if (found) return (found.selected_option?.value ?? found.value ?? '').trim() || null
  }
  return null
}

/** The block that the field stands in: the key of its error. */
export const blockOf = (view: Pick<Submitted, 'state'>, actionId: string): string | null =>
  Object.entries(view.state.values).find(([, block]) => actionId in block)?.[0] ?? null

/** What stands in the field, as it was typed; undefined: there is no such field. Checked boxes are `true`. */
export function rawOf(view: Pick<Submitted, 'state'>, actionId: string): string | undefined {
  for (const block of Object.values(view.state.values)) {
    const found = block[actionId]
    if (found?.selected_options) return found.selected_options.length > 0 ? 'true' : 'false'
    if (found) return found.selected_option?.value ?? found.value ?? ''
  }
  return undefined
}
