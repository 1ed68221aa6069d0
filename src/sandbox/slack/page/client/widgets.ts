// The elements of Block Kit that people act on: buttons, menus, selects, text fields, dates, boxes.
import type { VNode } from 'preact'
import { useId, useRef, useState } from 'preact/hooks'
import type { Block, Choice, ChoiceGroup, Widget } from './block-kit.ts'
import { searched } from './control-client.ts'
import { html } from './html.ts'
import { safe } from './mrkdwn.ts'
import { Popup, useToggle } from './popup.ts'
import { type Found, Select } from './select.ts'
import { isMulti, pick, useDeed, useEntry, useSurface } from './surface.ts'
import { Words, withEmoji } from './text.ts'
import { useWorkspace } from './workspace.ts'

type Props = {
  readonly block: Block
  readonly widget: Widget
  readonly name?: string
  readonly describedBy?: string
}

/** Any element, by its type. */
export function Element(props: Props): VNode {
  const { type } = props.widget
  if (type === 'button' || type === 'workflow_button') return html`<${Button} ...${props} />`
  if (type === 'overflow') return html`<${Overflow} ...${props} />`
  if (type === 'image') return html`<${Picture} ...${props} />`
  if (/_select$/.test(type)) return html`<${Menu} ...${props} />`
  if (type === 'checkboxes' || type === 'radio_buttons') return html`<${Boxes} ...${props} />`
  return html`<${Field} ...${props} />`
}

export function Picture(props: { readonly widget: Widget }): VNode {
  return html`<img class="picture" src=${props.widget.image_url} alt=${props.widget.alt_text ?? ''} loading="lazy" />`
}

function Button({ block, widget }: Props): VNode {
  const { busy, run } = useDeed(block, widget)
  const kind = `button ${widget.style ?? ''}`
  const inside = html`<span class="face">${withEmoji(widget.text?.text ?? '')}</span>`
  const href = widget.url ? safe(widget.url) : null
  if (href)
    return html`<a class=${`${kind} out`} href=${href} target="_blank" rel="noreferrer"
      aria-label=${widget.accessibility_label} onClick=${() => void run('click')}>${inside}</a>`
  return html`<button type="button" class=${kind} aria-disabled=${busy} aria-busy=${busy}
    aria-label=${widget.accessibility_label} onClick=${() => void run('click')}>${inside}</button>`
}

/** The three dots: a menu whose items are sent like a select's options. */
function Overflow({ block, widget }: Props): VNode {
  const [open, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const { busy, run } = useDeed(block, widget)
  const toggle = useToggle(open, setOpen)
  const choose = (choice: Choice) => {
    setOpen(false)
    button.current?.focus()
    const href = choice.url ? safe(choice.url) : null
    if (href) window.open(href, '_blank', 'noreferrer')
    void run({ value: choice.value })
  }
  const keys = (event: KeyboardEvent) => {
    const items = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[role=menuitem]')]
    const at = items.indexOf(document.activeElement as HTMLElement)
    const next = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[
      event.key
    ]
    if (next === undefined) return
    event.preventDefault()
    items[next % items.length]?.focus()
  }
  return html`<div class="select">
    <button ref=${button} type="button" class="button more" aria-haspopup="menu" aria-expanded=${open}
      aria-busy=${busy} aria-label="More actions" ...${toggle}><span class="face">⋯</span></button>
    ${
      open &&
      html`<${Popup} anchor=${() => button.current} onClose=${() => setOpen(false)}>
        <div role="menu" aria-label="More actions" onKeyDown=${keys}>
          ${(widget.options ?? []).map(
            (choice, index) => html`<button key=${choice.value} type="button" role="menuitem" class="option"
              data-first=${index === 0 ? '' : null} onClick=${() => choose(choice)}>
              <span><${Words} text=${choice.text} />${
                choice.description && html`<small><${Words} text=${choice.description} /></small>`
              }</span></button>`,
          )}
        </div>
      <//>`
    }
  </div>`
}

/** Selects: static, of people or channels, or with options that the app searches. */
function Menu({ block, widget, name, describedBy }: Props): VNode {
  const workspace = useWorkspace()
  const surface = useSurface()
  const { entry, change, busy, element } = useEntry(block, widget)
  const external = widget.type.endsWith('external_select')
  const groups = external ? [] : groupsOf(widget, workspace)
  const search = async (query: string): Promise<Found> => {
    await surface.flush()
    const answer = await searched({
      as: workspace.me.name,
      do: 'options',
      place: surface.place,
      element,
      query,
    })
    return 'failed' in answer ? answer : regrouped(answer)
  }
  const known = groups.flatMap(group => group.options)
  const values = [entry.value ?? []].flat() as readonly string[]
  const chosen = entry.chosen.length > 0 ? entry.chosen : known.filter(one => values.includes(one.value))
  return html`<${Select} label=${name ?? widget.placeholder?.text ?? 'Choose'} chosen=${chosen}
    placeholder=${widget.placeholder?.text ?? 'Choose'} multi=${isMulti(widget)} busy=${busy}
    invalid=${block.block_id in surface.errors} describedBy=${describedBy}
    least=${external ? (widget.min_query_length ?? 3) : 0}
    search=${external ? search : (query: string) => filtered(groups, query)}
    onChoose=${(choices: readonly Choice[]) => change(pick(choices, widget))} />`
}

const nameless = { type: 'plain_text', text: '' } as const

function groupsOf(widget: Widget, { snapshot }: ReturnType<typeof useWorkspace>): readonly ChoiceGroup[] {
  if (widget.option_groups) return widget.option_groups
  const named = (list: readonly { id: string; name: string }[], mark: string): readonly ChoiceGroup[] => [
    {
      label: nameless,
      options: list.map(one => ({ text: { type: 'plain_text', text: mark + one.name }, value: one.id })),
    },
  ]
  if (widget.type.endsWith('users_select')) return named(snapshot.people, '@')
  if (/(channels|conversations)_select$/.test(widget.type))
    return named(
      snapshot.channels.filter(channel => !channel.im),
      '#',
    )
  return [{ label: nameless, options: widget.options ?? [] }]
}

/** Options come flat, each with its group's name. */
function regrouped(options: readonly unknown[]): readonly ChoiceGroup[] {
  const groups = new Map<string, Choice[]>()
  // Checked by the workspace before it passed them on.
  for (const option of options as readonly (Choice & { group?: string })[]) {
    const name = option.group ?? ''
    groups.set(name, [...(groups.get(name) ?? []), option])
  }
  return [...groups].map(([name, list]) => ({ label: { type: 'plain_text', text: name }, options: list }))
}

function filtered(groups: readonly ChoiceGroup[], query: string): readonly ChoiceGroup[] {
  const wanted = query.trim().toLowerCase()
  return groups
    .map(group => ({
      ...group,
      options: group.options.filter(one => one.text.text.toLowerCase().includes(wanted)),
    }))
    .filter(group => group.options.length > 0)
}

function Boxes({ block, widget, describedBy }: Props): VNode {
  const group = useId()
  const { entry, change, busy } = useEntry(block, widget)
  const multi = isMulti(widget)
  const toggle = (choice: Choice) => {
    const held = entry.chosen.some(one => one.value === choice.value)
    if (!multi) return change(pick([choice], widget))
    const rest = entry.chosen.filter(one => one.value !== choice.value)
    change(pick(held ? rest : [...rest, choice], widget))
  }
  return html`<div class="boxes" aria-busy=${busy} aria-describedby=${describedBy}>
    ${(widget.options ?? []).map(
      choice => html`<label key=${choice.value}>
        <input type=${multi ? 'checkbox' : 'radio'} name=${group}
          checked=${entry.chosen.some(one => one.value === choice.value)} onChange=${() => toggle(choice)} />
        <span><${Words} text=${choice.text} />${
          choice.description && html`<small><${Words} text=${choice.description} /></small>`
        }</span>
      </label>`,
    )}
  </div>`
}

const inputTypes: Readonly<Record<string, string>> = {
  datepicker: 'date',
  timepicker: 'time',
  number_input: 'text',
  email_text_input: 'email',
  url_text_input: 'url',
}

/** A line or an area of text, a date, a time. */
function Field({ block, widget, name, describedBy }: Props): VNode {
  const surface = useSurface()
  const { entry, change, send } = useEntry(block, widget)
  const picked = widget.type === 'datepicker' || widget.type === 'timepicker'
  const shared = {
    class: 'field',
    value: entry.value ?? '',
    placeholder: widget.placeholder?.text,
    'aria-label': name ?? widget.placeholder?.text ?? widget.type,
    'aria-describedby': describedBy,
    'aria-invalid': block.block_id in surface.errors,
    'aria-required': block.type === 'input' && !block.optional,
    'data-first': widget.focus_on_load ? '' : null,
    maxlength: widget.max_length,
    onInput: (event: InputEvent) =>
      change({ value: (event.target as HTMLInputElement).value || null, chosen: [] }, { silent: !picked }),
  }
  if (widget.multiline) return html`<textarea rows="3" ...${shared}></textarea>`
  return html`<input type=${inputTypes[widget.type] ?? 'text'} autocomplete="off" spellcheck=${false}
    inputmode=${widget.type === 'number_input' ? 'decimal' : null} ...${shared}
    onKeyDown=${(event: KeyboardEvent) => {
      if (event.key !== 'Enter' || picked || !block.dispatch_action) return
      event.preventDefault()
      void send()
    }} />`
}
