// What a block stands on: a message, a modal or the Home tab. It says where clicks go and keeps what was typed.
// Selects and inputs read their value here; blocks.ts and modal.ts provide it.
import { createContext } from 'preact'
import { useContext, useState } from 'preact/hooks'
import type { FieldValue, Place } from '../../control.ts'
import type { Block, Choice, Held, Widget } from './block-kit.ts'
import { useWorkspace } from './workspace.ts'

export type Surface = {
  readonly place: Place
  readonly errors: Readonly<Record<string, string>>
  /** What the server holds of a field (modals). */
  held(blockId: string, actionId: string): Held | undefined
  /** A field of a form was changed; it is sent with the next act. */
  typed(blockId: string, value: FieldValue): void
  /** Sends what was typed before an act that the app answers with the form's values. */
  flush(): Promise<void>
}

const context = createContext<Surface | null>(null)
export const SurfaceContext = context.Provider

export function useSurface(): Surface {
  const surface = useContext(context)
  if (!surface) throw new Error('used outside of a surface')
  return surface
}

/** A surface without a form: messages and Home. */
export const plainSurface = (place: Place): Surface => ({
  place,
  errors: {},
  held: () => undefined,
  typed: () => undefined,
  flush: async () => undefined,
})

/** Presses or changes an element: asks first where it wants that, and says while it is under way. */
export function useDeed(block: Block, widget: Widget) {
  const workspace = useWorkspace()
  const surface = useSurface()
  const [busy, setBusy] = useState(false)
  const element = {
    action_id: widget.action_id,
    ...(block.block_id ? { block_id: block.block_id } : {}),
    ...(widget.type === 'button' && widget.value !== undefined ? { value: widget.value } : {}),
  }
  const run = async (deed: 'click' | { readonly value: FieldValue }): Promise<boolean> => {
    if (busy) return false
    if (widget.confirm && !(await workspace.ask(widget.confirm))) return false
    setBusy(true)
    await surface.flush()
    const { place } = surface
    const answer = await workspace.act(
      deed === 'click'
        ? { do: 'click', place, element }
        : { do: 'select', place, element, value: deed.value },
    )
    setBusy(false)
    return answer.outcome === 'ok'
  }
  return { busy, run, element }
}

/** A value as a form sends it, and the options behind it where it was chosen from some. */
export type Entry = { readonly value: FieldValue; readonly chosen: readonly Choice[] }

const chosenFrom = (choices: readonly Choice[], multi: boolean): Entry => ({
  value: multi ? choices.map(one => one.value) : (choices[0]?.value ?? null),
  chosen: choices,
})

export const isMulti = (widget: Widget): boolean =>
  widget.type.startsWith('multi_') || widget.type === 'checkboxes'

/** What is in a field when it is first drawn: what the server holds, else what the app put in. */
export function firstEntry(widget: Widget, held: Held | undefined): Entry {
  const multi = isMulti(widget)
  const options = held?.selected_options ?? (held?.selected_option ? [held.selected_option] : null)
  if (options) return chosenFrom(options, multi)
  const plain =
    held?.value ??
    held?.selected_date ??
    held?.selected_time ??
    held?.selected_user ??
    held?.selected_conversation ??
    held?.selected_channel
  if (plain !== undefined && plain !== null) return { value: plain, chosen: [] }
  const initial = widget.initial_options ?? (widget.initial_option ? [widget.initial_option] : null)
  if (initial) return chosenFrom(initial, multi)
  const value =
    widget.initial_value ??
    widget.initial_date ??
    widget.initial_time ??
    widget.initial_user ??
    widget.initial_conversation ??
    widget.initial_channel ??
    null
  return { value: multi ? [] : value, chosen: [] }
}

/** A field's entry; changing it tells the form, and the app too where the block asks for that. */
export function useEntry(block: Block, widget: Widget) {
  const surface = useSurface()
  const deed = useDeed(block, widget)
  const [entry, setEntry] = useState<Entry>(() =>
    firstEntry(widget, surface.held(block.block_id, widget.action_id)),
  )
  const isForm = block.type === 'input'
  const change = (next: Entry, options: { readonly silent?: boolean } = {}) => {
    setEntry(next)
    if (isForm) surface.typed(block.block_id, next.value)
    if (options.silent || (isForm && !block.dispatch_action)) return
    void deed.run({ value: next.value }).then(done => {
      if (!done) setEntry(entry)
    })
  }
  return {
    entry,
    change,
    send: () => deed.run({ value: entry.value }),
    busy: deed.busy,
    element: deed.element,
  }
}

export const pick = (choices: readonly Choice[], widget: Widget): Entry =>
  chosenFrom(choices, isMulti(widget))
