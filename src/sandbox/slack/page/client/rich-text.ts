// Draws rich_text blocks: sections, lists, quotes and preformatted text with their styled parts.
import type { VNode } from 'preact'
import { html } from './html.ts'
import { type Span, safe } from './mrkdwn.ts'
import { drawn } from './text.ts'
import { useWorkspace, type Workspace } from './workspace.ts'

export type RichPart = {
  readonly type: string
  readonly elements?: readonly RichPart[]
  readonly style?:
    | string
    | {
        readonly bold?: boolean
        readonly italic?: boolean
        readonly strike?: boolean
        readonly code?: boolean
      }
  readonly text?: string
  readonly name?: string
  readonly url?: string
  readonly user_id?: string
  readonly channel_id?: string
  readonly usergroup_id?: string
  readonly range?: string
  readonly timestamp?: number
  readonly format?: string
  readonly fallback?: string
  readonly indent?: number
}

export function RichText(props: { readonly parts: readonly RichPart[] }): VNode {
  const workspace = useWorkspace()
  const inside = (part: RichPart) => (part.elements ?? []).map(leaf => styled(leaf, workspace))
  return html`<div class="block mrkdwn">
    ${props.parts.map(part => {
      if (part.type === 'rich_text_preformatted') return html`<pre tabindex="0">${inside(part)}</pre>`
      if (part.type === 'rich_text_quote') return html`<blockquote>${inside(part)}</blockquote>`
      if (part.type !== 'rich_text_list') return html`<p>${inside(part)}</p>`
      const items = (part.elements ?? []).map(item => html`<li>${inside(item)}</li>`)
      return part.style === 'ordered' ? html`<ol>${items}</ol>` : html`<ul>${items}</ul>`
    })}
  </div>`
}

function styled(part: RichPart, workspace: Workspace): VNode | string {
  let shown = drawn(spanOf(part), workspace)
  if (typeof part.style === 'string' || !part.style) return shown
  if (part.style.code) shown = html`<code>${shown}</code>`
  if (part.style.bold) shown = html`<b>${shown}</b>`
  if (part.style.italic) shown = html`<i>${shown}</i>`
  if (part.style.strike) shown = html`<s>${shown}</s>`
  return shown
}

const leaves: Readonly<Record<string, (part: RichPart) => Span>> = {
  emoji: part => ({ kind: 'emoji', name: part.name ?? '' }),
  user: part => ({ kind: 'user', id: part.user_id ?? '', label: '' }),
  channel: part => ({ kind: 'channel', id: part.channel_id ?? '', label: '' }),
  usergroup: part => ({ kind: 'group', id: part.usergroup_id ?? '', label: '' }),
  broadcast: part => ({ kind: 'broadcast', id: part.range ?? '', label: part.range ?? '' }),
  date: part => ({
    kind: 'date',
    at: part.timestamp ?? 0,
    format: part.format ?? '',
    href: null,
    label: part.fallback ?? '',
  }),
  link: part => {
    const href = safe(part.url ?? '')
    return href ? { kind: 'link', href, text: part.text ?? href } : plain(part)
  },
}

const plain = (part: RichPart): Span => ({ kind: 'text', text: part.text ?? part.url ?? '' })

const spanOf = (part: RichPart): Span => (leaves[part.type] ?? plain)(part)
