// Where people type: messages and slash commands, completed from the commands' own help. Enter sends, Shift+Enter makes
// a line, the arrow keys move in the list (or bring back what was sent), Tab completes, Escape closes the list.
import type { VNode } from 'preact'
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { SlashCommand } from '../../control.ts'
import type { Answer } from './control-client.ts'
import { html } from './html.ts'

type Usage = { readonly command: string; readonly usage: string; readonly summary: string }
type Suggestion = { readonly fill: string; readonly usage: string; readonly summary: string }

type Props = {
  readonly label: string
  readonly commands: readonly SlashCommand[]
  readonly send: (text: string) => Promise<Answer>
}

const sent: string[] = []

export function Composer({ label, commands, send }: Props): VNode {
  const id = useId()
  const input = useRef<HTMLTextAreaElement>(null)
  const [text, setText] = useState('')
  const [active, setActive] = useState(0)
  const [shut, setShut] = useState(false)
  const [note, setNote] = useState('')
  const [busy, setBusy] = useState(0)
  const [back, setBack] = useState(0)
  const usages = useUsages(commands.length > 0)
  const offered = shut ? [] : suggestions(text, commands, usages)
  const hint = usages.find(one => text.startsWith(`${commands[0]?.command} ${one.command} `))
  const at = Math.min(active, offered.length - 1)
  const edit = (next: string) => {
    setText(next)
    setActive(0)
    setShut(false)
    setNote('')
  }
  const submit = async () => {
    const said = text.trim()
    if (!said) return
    if (said.startsWith('/') && commands.length === 0)
      return setNote('Slash commands do not work in threads. Type it in the channel.')
    sent.push(said)
    edit('')
    setBack(0)
    setBusy(count => count + 1)
    const answer = await send(said)
    setBusy(count => count - 1)
    if (answer.outcome === 'unreachable') setNote(answer.shown ?? '')
  }
  const complete = (suggestion: Suggestion) => {
    edit(suggestion.fill)
    input.current?.focus()
  }
  const recall = (step: number) => {
    const next = Math.max(0, Math.min(sent.length, back + step))
    setBack(next)
    setText(next === 0 ? '' : (sent.at(-next) ?? ''))
    setShut(true)
  }
  const chosen = offered[at]
  // A command that is only begun is completed first; one that is whole is sent.
  const enter = () => (chosen && chosen.fill.trim() !== text.trim() ? complete(chosen) : void submit())
  const arrow = (step: 1 | -1) => {
    if (chosen) return () => setActive((at + step + offered.length) % offered.length)
    return back > 0 || (!text && step < 0) ? () => recall(-step) : null
  }
  /** What a key does here; null: what it always does. */
  const doing: Readonly<Record<string, (() => void) | null>> = {
    Enter: enter,
    Tab: chosen ? () => complete(chosen) : null,
    Escape: chosen ? () => setShut(true) : null,
    ArrowDown: arrow(1),
    ArrowUp: arrow(-1),
  }
  const keys = (event: KeyboardEvent) => {
    const done = event.isComposing || event.shiftKey ? null : doing[event.key]
    if (!done) return
    event.preventDefault()
    event.stopPropagation()
    done()
  }
  useLayoutEffect(() => {
    const area = input.current
    if (!area) return
    area.style.height = 'auto'
    area.style.height = `${Math.min(area.scrollHeight, 160)}px`
  }, [text])
  useEffect(
    () => document.getElementById(`${id}-${at}`)?.scrollIntoView({ block: 'nearest' }),
    [at, offered.length],
  )
  return html`<form class="composer" onSubmit=${(event: Event) => {
    event.preventDefault()
    void submit()
  }}>
    ${
      offered.length > 0 &&
      html`<div class="completion" id=${id} role="listbox" aria-label="Commands">
        ${offered.map(
          (
            one,
            index,
          ) => html`<div key=${one.fill} id=${`${id}-${index}`} role="option" aria-selected=${index === at}
            class=${index === at ? 'option active' : 'option'} onPointerMove=${() => setActive(index)}
            onPointerDown=${(event: Event) => event.preventDefault()} onClick=${() => complete(one)}>
            <code>${one.usage}</code><small>${one.summary}</small></div>`,
        )}
      </div>`
    }
    <div class="box">
      <textarea ref=${input} rows="1" value=${text} aria-label=${label} placeholder=${commands[0] ? `Message or ${commands[0].command} …` : label} role="combobox" aria-autocomplete="list" aria-expanded=${offered.length > 0} aria-controls=${id}
        aria-activedescendant=${offered.length > 0 ? `${id}-${at}` : null} autocomplete="off" spellcheck=${false}
        onInput=${(event: InputEvent) => edit((event.target as HTMLTextAreaElement).value)} onKeyDown=${keys}></textarea>
      <button type="submit" class="button primary icon" aria-label="Send" aria-disabled=${!text.trim()}
        aria-busy=${busy > 0}>↑</button>
    </div>
    <p class="note" role="status">${
      note || (hint ? `${commands[0]?.command} ${hint.usage}` : busy > 0 ? 'Sending …' : '')
    }</p>
  </form>`
}

/** The commands while the first word is typed, then what comes after it. */
function suggestions(
  text: string,
  commands: readonly SlashCommand[],
  usages: readonly Usage[],
): Suggestion[] {
  if (!text.startsWith('/') || text.includes('\n')) return []
  const [first = '', second, ...more] = text.split(' ')
  if (second === undefined)
    return commands
      .filter(one => one.command.startsWith(first))
      .map(one => ({
        fill: `${one.command} `,
        usage: `${one.command} ${one.usage_hint ?? ''}`.trim(),
        summary: one.description,
      }))
  if (more.length > 0 || !commands.some(one => one.command === first)) return []
  return usages
    .filter(one => one.command.startsWith(second.toLowerCase()))
    .map(one => ({
      fill: `${first} ${one.command}${one.usage === one.command ? '' : ' '}`,
      usage: one.usage,
      summary: one.summary,
    }))
}

let asked: Promise<readonly Usage[]> | null = null

/** What the commands take, as gkube's own help has it. */
function useUsages(wanted: boolean): readonly Usage[] {
  const [usages, setUsages] = useState<readonly Usage[]>([])
  useEffect(() => {
    if (!wanted) return
    asked ??= fetch('/page/usage.json').then(response => (response.ok ? response.json() : []))
    asked.then(setUsages, () => {
      asked = null // completion is a help only: typing goes on, the next composer asks again
    })
  }, [wanted])
  return usages
}
