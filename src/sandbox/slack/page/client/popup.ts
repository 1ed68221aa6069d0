// A small layer beside a button: lists and menus. In the browser's top layer, so no box cuts it off; Escape and a click
// elsewhere close it, and the focus goes back.
import type { ComponentChildren, VNode } from 'preact'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { html } from './html.ts'

type Props = {
  /** Read when it is placed: the element it belongs to. */
  readonly anchor: () => HTMLElement | null
  readonly onClose: () => void
  readonly class?: string
  readonly children?: ComponentChildren
}

const gap = 4
const edge = 8

export function Popup(props: Props): VNode {
  const box = useRef<HTMLDivElement>(null)
  const close = useRef(props.onClose)
  close.current = props.onClose
  useLayoutEffect(() => {
    const popup = box.current
    if (!popup) return
    popup.showPopover()
    const place = () => placed(popup, props.anchor())
    place()
    popup.querySelector<HTMLElement>('[data-first]')?.focus()
    const watcher = new ResizeObserver(place)
    watcher.observe(popup)
    window.addEventListener('resize', place)
    window.addEventListener('scroll', place, true)
    return () => {
      watcher.disconnect()
      window.removeEventListener('resize', place)
      window.removeEventListener('scroll', place, true)
      if (popup.contains(document.activeElement)) props.anchor()?.focus()
    }
  }, [])
  useEffect(() => {
    const popup = box.current
    const toggled = (event: Event) => (event as ToggleEvent).newState === 'closed' && close.current()
    popup?.addEventListener('toggle', toggled)
    return () => popup?.removeEventListener('toggle', toggled)
  }, [])
  return html`<div ref=${box} popover="auto" class=${`popup ${props.class ?? ''}`}>${props.children}</div>`
}

/** Below the anchor, or above where there is more room; never wider than the window. */
function placed(popup: HTMLElement, anchor: HTMLElement | null): void {
  if (!anchor) return
  const at = anchor.getBoundingClientRect()
  const below = window.innerHeight - at.bottom - gap - edge
  const above = at.top - gap - edge
  const up = below < Math.min(popup.scrollHeight, 260) && above > below
  const width = Math.min(Math.max(at.width, 260), window.innerWidth - 2 * edge)
  popup.style.width = `${width}px`
  popup.style.maxHeight = `${Math.max(120, Math.min(360, up ? above : below))}px`
  popup.style.left = `${Math.max(edge, Math.min(at.left, window.innerWidth - width - edge))}px`
  popup.style.top = up ? 'auto' : `${at.bottom + gap}px`
  popup.style.bottom = up ? `${window.innerHeight - at.top + gap}px` : 'auto'
}

/** A button's click also closes an open popup first; this tells a closing click from an opening one. */
export function useToggle(open: boolean, set: (open: boolean) => void) {
  const was = useRef(false)
  return {
    onPointerDown: () => {
      was.current = open
    },
    onClick: () => {
      set(!was.current && !open)
      was.current = false
    },
  }
}
