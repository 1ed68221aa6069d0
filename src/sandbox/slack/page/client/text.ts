// Draws text objects: mrkdwn with its mentions, dates and emoji, and plain text. Parsed in mrkdwn.ts.
import type { VNode } from 'preact'
import type { Text } from './block-kit.ts'
import { formatted } from './dates.ts'
import { emoji } from './emoji.ts'
import { html } from './html.ts'
import { pieces, type Span } from './mrkdwn.ts'
import { useWorkspace, type Workspace } from './workspace.ts'

/** A text object of Block Kit. */
export function Words(props: { readonly text: Text | undefined }): VNode | null {
  if (!props.text) return null
  return props.text.type === 'mrkdwn'
    ? html`<${Mrkdwn} text=${props.text.text} />`
    : html`<span class="plain">${withEmoji(props.text.text)}</span>`
}

/** Several lines, quotes and code fences. */
export function Mrkdwn(props: { readonly text: string }): VNode {
  const workspace = useWorkspace()
  return html`<div class="mrkdwn">
    ${pieces(props.text).map(piece => {
      if (piece.kind === 'pre') return html`<pre tabindex="0">${piece.text}</pre>`
      const inside = piece.spans.map(span => drawn(span, workspace))
      return piece.kind === 'quote' ? html`<blockquote>${inside}</blockquote>` : html`<p>${inside}</p>`
    })}
  </div>`
}

/** Plain text with its `:names:` as emoji. */
export function withEmoji(text: string): readonly (string | VNode)[] {
  return text
    .split(/(:[a-z0-9_+-]+:)/)
    .map(part => (part.startsWith(':') && part.slice(1, -1) in emoji ? picture(part.slice(1, -1)) : part))
}

export const picture = (name: string): VNode =>
  html`<span class="emoji" role="img" aria-label=${name.replaceAll('_', ' ')}>${emoji[name] ?? `:${name}:`}</span>`

export function drawn(span: Span, workspace: Workspace): VNode | string {
  const { snapshot, me } = workspace
  switch (span.kind) {
    case 'text':
      return span.text
    case 'code':
      return html`<code>${span.text}</code>`
    case 'bold':
      return html`<b>${span.spans.map(inner => drawn(inner, workspace))}</b>`
    case 'italic':
      return html`<i>${span.spans.map(inner => drawn(inner, workspace))}</i>`
    case 'strike':
      return html`<s>${span.spans.map(inner => drawn(inner, workspace))}</s>`
    case 'break':
      return html`<br />`
    case 'emoji':
      return picture(span.name)
    case 'link':
      return link(span.href, span.text)
    case 'user': {
      const name = snapshot.people.find(person => person.id === span.id)?.name ?? span.label
      const own = span.id === me.id ? 'mention own' : 'mention'
      return html`<span class=${own}>@${name || (span.id === snapshot.app.user ? snapshot.app.name : span.id)}</span>`
    }
    case 'channel': {
      const channel = snapshot.channels.find(known => known.id === span.id)
      if (!channel) return html`<span class="mention">#${span.label || span.id}</span>`
      return html`<a class="mention" href=${`#/${me.name}/${channel.id}`}>#${channel.name}</a>`
    }
    case 'group': {
      const group = snapshot.groups.find(known => known.id === span.id)
      const own = group?.users.includes(me.id) ? 'mention own' : 'mention'
      return html`<span class=${own}>${group ? `@${group.handle}` : span.label || `@${span.id}`}</span>`
    }
    case 'broadcast':
      return html`<span class="mention own">${span.label.startsWith('@') ? span.label : `@${span.label}`}</span>`
    case 'date': {
      const words = formatted(span.at, span.format, snapshot.now) || span.label
      const time = html`<time datetime=${new Date(span.at * 1000).toISOString()} title=${span.label}>${words}</time>`
      return span.href ? html`<a href=${span.href} target="_blank" rel="noreferrer">${time}</a>` : time
    }
  }
}

export const link = (href: string, text: string): VNode =>
  html`<a href=${href} target="_blank" rel="noreferrer">${text}</a>`
