// A modal of the app: its blocks as a form, what is wrong with it, and the way out. What is typed stays here until the
// next act; the app sees it then. The frame is dialogs.ts.
import type { VNode } from 'preact'
import { useMemo, useRef, useState } from 'preact/hooks'
import type { FieldValue } from '../../control.ts'
import type { Sheet } from './block-kit.ts'
import { Blocks } from './blocks.ts'
import { Frame } from './dialogs.ts'
import { html } from './html.ts'
import { type Surface, SurfaceContext } from './surface.ts'
import { withEmoji } from './text.ts'
import { useWorkspace } from './workspace.ts'

export function Modal({ view }: { readonly view: Sheet }): VNode {
  const { act } = useWorkspace()
  const [errors, setErrors] = useState<Readonly<Record<string, string>>>({})
  const [failed, setFailed] = useState('')
  const [busy, setBusy] = useState(false)
  const typed = useRef<Record<string, FieldValue>>({})
  const current = useRef(view)
  current.current = view
  /** Fields that the app took away meanwhile are not sent. */
  const fields = () => {
    const there = new Set(current.current.blocks.map(block => block.block_id))
    return Object.fromEntries(Object.entries(typed.current).filter(([block]) => there.has(block)))
  }
  const surface = useMemo<Surface>(
    () => ({
      place: 'modal',
      errors,
      held: (block, action) => current.current.state.values[block]?.[action],
      typed: (block, value) => {
        typed.current[block] = value
        if (block in errors) setErrors(({ [block]: _fixed, ...rest }) => rest)
      },
      flush: async () => {
        const now = fields()
        if (Object.keys(now).length > 0) await act({ do: 'fill', fields: now }, true)
      },
    }),
    [errors],
  )
  const submit = async () => {
    if (busy) return
    setBusy(true)
    setFailed('')
    const answer = await act({ do: 'submit', fields: fields() }, true)
    setBusy(false)
    setErrors(answer.errors ?? {})
    if (answer.outcome !== 'ok' && !answer.errors) setFailed(answer.shown ?? 'That did not work. Try again.')
    if (answer.errors)
      requestAnimationFrame(() =>
        document.querySelector<HTMLElement>('dialog [data-wrong] :is(input, textarea, .trigger)')?.focus(),
      )
  }
  const close = (all = false) => void act({ do: 'close', ...(all ? { all } : {}) }, true)
  return html`<${Frame} title=${view.title?.text ?? ''} onClose=${() => close(view.clear_on_close)}>
    <form class="form" novalidate aria-busy=${busy} onSubmit=${(event: Event) => {
      event.preventDefault()
      if (view.submit) void submit()
    }}>
      <div class="dialog-body">
        <${SurfaceContext} value=${surface}><${Blocks} blocks=${view.blocks} /><//>
      </div>
      <footer>
        ${failed && html`<p class="wrong" role="alert">${failed}</p>`}
        <button type="button" class="button" onClick=${() => close()}>${withEmoji(view.close?.text ?? (view.submit ? 'Cancel' : 'Close'))}</button>
        ${
          view.submit &&
          html`<button type="submit" class="button primary" aria-busy=${busy} aria-disabled=${busy}>
            <span class="face">${withEmoji(view.submit.text)}</span></button>`
        }
      </footer>
    </form>
  <//>`
}
