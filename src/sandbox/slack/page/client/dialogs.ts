// Dialogs of the page: the frame (the browser's own modal: focus stays inside, Escape closes), confirmations, files.
// The app's modals are modal.ts.
import type { ComponentChildren, VNode } from 'preact'
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Confirm } from './block-kit.ts'
import { html } from './html.ts'
import { Words, withEmoji } from './text.ts'

type FrameProps = {
  readonly title: string
  readonly onClose: () => void
  readonly class?: string
  readonly children?: ComponentChildren
}

export function Frame({ title, onClose, class: kind, children }: FrameProps): VNode {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useLayoutEffect(() => {
    const element = dialog.current
    const before = document.activeElement
    element?.showModal()
    const first = element?.querySelector<HTMLElement>(
      '[data-first], .dialog-body input, .dialog-body textarea, .dialog-body .trigger, footer .button:last-of-type',
    )
    first?.focus()
    return () => {
      element?.close()
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return html`<dialog ref=${dialog} class=${`dialog ${kind ?? ''}`} aria-labelledby=${id}
    onCancel=${(event: Event) => {
      if (event.target !== dialog.current) return
      event.preventDefault()
      onClose()
    }}>
    <header class="bar"><h2 id=${id}>${withEmoji(title)}</h2>
      <button type="button" class="button icon" aria-label="Close" onClick=${onClose}>✕</button></header>
    ${children}
  </dialog>`
}

export function ConfirmDialog(props: {
  readonly confirm: Confirm
  readonly onAnswer: (yes: boolean) => void
}): VNode {
  const { confirm, onAnswer } = props
  return html`<${Frame} title=${confirm.title?.text ?? 'Are you sure?'} class="small" onClose=${() => onAnswer(false)}>
    <div class="dialog-body"><${Words} text=${confirm.text} /></div>
    <footer>
      <button type="button" class="button" data-first=${confirm.style === 'danger' ? '' : null}
        onClick=${() => onAnswer(false)}>${confirm.deny?.text ?? 'Cancel'}</button>
      <button type="button" class=${`button ${confirm.style === 'danger' ? 'danger' : 'primary'}`}
        onClick=${() => onAnswer(true)}>${confirm.confirm?.text ?? 'Yes'}</button>
    </footer>
  <//>`
}

export function FileDialog(props: {
  readonly file: { readonly id: string; readonly title: string }
  readonly onClose: () => void
}): VNode {
  const { file, onClose } = props
  const [text, setText] = useState<string | null>(null)
  useEffect(() => {
    const get = async () => {
      const response = await fetch(`/control/files/${encodeURIComponent(file.id)}`)
      setText(response.ok ? await response.text() : `The file is not there any more (${response.status}).`)
    }
    get().catch(() => setText('The file could not be read: the sandbox does not answer.'))
  }, [file.id])
  return html`<${Frame} title=${file.title} class="wide" onClose=${onClose}>
    <div class="dialog-body"><pre class="file-text" tabindex="0" aria-busy=${text === null}>${text ?? 'Reading …'}</pre></div>
  <//>`
}
