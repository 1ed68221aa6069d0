// A select with search: options given, or asked of the app while typing. A combobox over a listbox: arrow keys move,
// Enter chooses, Escape closes. What choosing means is the caller's.
import type { VNode } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import type { Choice, ChoiceGroup } from './block-kit.ts'
import { html } from './html.ts'
import { Popup, useToggle } from './popup.ts'
import { Words, withEmoji } from './text.ts'

export type Found = readonly ChoiceGroup[] | { readonly failed: string }

type Props = {
  readonly label: string
  readonly placeholder: string
  readonly chosen: readonly Choice[]
  readonly multi?: boolean
  readonly busy?: boolean
  readonly invalid?: boolean
  readonly describedBy?: string
  /** Options for what was typed, in groups (one without a name where there are none). */
  readonly search: (query: string) => Promise<Found> | Found
  /** Nothing is asked before so many characters. */
  readonly least?: number
  readonly onChoose: (chosen: readonly Choice[]) => void
}

const typingMs = 180

export function Select(props: Props): VNode {
  const [open, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const toggle = useToggle(open, setOpen)
  const choose = (choice: Choice) => {
    const held = props.chosen.some(one => one.value === choice.value)
    if (!props.multi) {
      setOpen(false)
      button.current?.focus()
      props.onChoose([choice])
    } else
      props.onChoose(
        held ? props.chosen.filter(one => one.value !== choice.value) : [...props.chosen, choice],
      )
  }
  const words = props.chosen.map(one => one.text.text).join(', ')
  return html`<div class="select">
    <button ref=${button} type="button" class="field trigger" ...${toggle}
      aria-haspopup="listbox" aria-expanded=${open} aria-busy=${props.busy ?? false}
      aria-label=${`${props.label}: ${words || props.placeholder}`}
      aria-describedby=${props.describedBy} data-invalid=${props.invalid ? '' : null}
      onKeyDown=${(event: KeyboardEvent) => {
        if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return
        event.preventDefault()
        setOpen(true)
      }}>
      <span class=${words ? 'chosen' : 'chosen blank'}>${withEmoji(words || props.placeholder)}</span>
      <span class="arrow" aria-hidden="true"></span>
    </button>
    ${
      open &&
      html`<${Popup} anchor=${() => button.current} onClose=${() => setOpen(false)}>
        <${List} ...${props} choose=${choose} />
      <//>`
    }
  </div>`
}

function List(props: Props & { readonly choose: (choice: Choice) => void }): VNode {
  const id = useId()
  const [query, setQuery] = useState('')
  const [active, setActive] = useState(0)
  const { found, waiting } = useFound(props, query)
  const groups = 'failed' in found ? [] : found
  const all = groups.flatMap(group => group.options)
  const at = Math.min(active, all.length - 1)
  const keys = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step && all.length > 0) {
      event.preventDefault()
      setActive((at + step + all.length) % all.length)
    } else if (event.key === 'Enter') {
      event.preventDefault()
      if (waiting) hurry.current = true
      else if (all[at]) props.choose(all[at])
    }
  }
  // Enter came before the answer: it takes the first that is found.
  const hurry = useRef(false)
  useEffect(() => {
    if (waiting || !hurry.current) return
    hurry.current = false
    if (all[0]) props.choose(all[0])
  }, [waiting])
  useEffect(() => {
    document.getElementById(`${id}-${at}`)?.scrollIntoView({ block: 'nearest' })
  }, [at])
  let index = -1
  return html`<div class="list">
    <input class="field search" data-first type="text" role="combobox" aria-expanded="true" aria-autocomplete="list"
      aria-label=${`Search: ${props.label}`} aria-controls=${id} autocomplete="off" spellcheck=${false}
      aria-activedescendant=${all.length > 0 ? `${id}-${at}` : null} placeholder="Search" value=${query}
      onKeyDown=${keys}
      onInput=${(event: InputEvent) => {
        setQuery((event.target as HTMLInputElement).value)
        setActive(0)
      }} />
    <div id=${id} role="listbox" aria-label=${props.label} aria-multiselectable=${props.multi ?? false} aria-busy=${waiting}>
      ${groups.map(
        group => html`<div role="group" aria-label=${group.label.text || props.label}>
          ${group.label.text && html`<div class="group" aria-hidden="true">${group.label.text}</div>`}
          ${group.options.map(choice => {
            index += 1
            const here = index
            const held = props.chosen.some(one => one.value === choice.value)
            return html`<div key=${choice.value} id=${`${id}-${here}`} role="option" aria-selected=${held}
              class=${here === at ? 'option active' : 'option'}
              onPointerMove=${() => setActive(here)} onClick=${() => props.choose(choice)}>
              <span class="tick" aria-hidden="true"></span>
              <span><${Words} text=${choice.text} />${
                choice.description && html`<small><${Words} text=${choice.description} /></small>`
              }</span>
            </div>`
          })}
        </div>`,
      )}
    </div>
    <p class="remark" role="status">${remark(found, waiting, all.length, query.length < (props.least ?? 0) ? props.least : 0)}</p>
  </div>`
}

function remark(found: Found, waiting: boolean, count: number, least: number | undefined): string {
  if (least) return `Type ${least} or more characters.`
  if (waiting && count === 0) return 'Searching …'
  if ('failed' in found) return found.failed
  return count === 0 ? 'Nothing found.' : ''
}

/** Asks for options while typing; an answer to an earlier question is dropped. */
function useFound(props: Props, query: string): { found: Found; waiting: boolean } {
  const [state, setState] = useState<{ found: Found; waiting: boolean }>(() => {
    const now = query.length >= (props.least ?? 0) ? props.search('') : []
    return now instanceof Promise ? { found: [], waiting: true } : { found: now, waiting: false }
  })
  useEffect(() => {
    if (query.length < (props.least ?? 0)) return setState({ found: [], waiting: false })
    let current = true
    const ask = async () => {
      const answer = await props.search(query)
      if (current) setState({ found: answer, waiting: false })
    }
    setState(before => ({ ...before, waiting: true }))
    const timer = setTimeout(() => void ask(), query ? typingMs : 0)
    return () => {
      current = false
      clearTimeout(timer)
    }
  }, [query])
  return state
}
