// One message: who, when, what, its files, and the way into its thread. The list of them is channel.ts.
import type { VNode } from 'preact'
import { useMemo } from 'preact/hooks'
import type { SharedFile, Message as Wire } from '../../control.ts'
import type { Block } from './block-kit.ts'
import { Blocks } from './blocks.ts'
import { timeOf, wholeTime } from './dates.ts'
import { html } from './html.ts'
import { plainSurface, SurfaceContext } from './surface.ts'
import { Mrkdwn } from './text.ts'
import { useWorkspace, type Workspace } from './workspace.ts'

type Props = {
  readonly message: Wire
  /** The message before it is by the same author, moments ago: no need to name them again. */
  readonly follows: boolean
  /** In the thread's pane: no way in is offered. */
  readonly inThread?: boolean
}

export function Message({ message, follows, inThread }: Props): VNode {
  const workspace = useWorkspace()
  const { snapshot, go } = workspace
  const author = authorOf(message.user, workspace)
  const isApp = Boolean(message.bot_id) || author.kind === 'app'
  const replies = message.reply_count ?? 0
  // The same message is the same object: what did not change is not drawn again.
  const content = useMemo(
    () =>
      html`<${SurfaceContext} value=${plainSurface({ channel: message.channel, ts: message.ts })}>
        <${Content} message=${message} />
      <//>`,
    [message, snapshot.people, snapshot.channels, snapshot.groups],
  )
  return html`<article class=${follows ? 'message follows' : 'message'} data-ts=${message.ts}
    data-only=${message.only ? '' : null} aria-label=${`${author.name}, ${timeOf(message.ts)}`}>
    ${follows ? html`<span class="avatar none" aria-hidden="true"></span>` : html`<${Avatar} ...${author} />`}
    <div class="body">
      ${message.only && html`<p class="only"><span aria-hidden="true">◉ </span>Only visible to you</p>`}
      ${
        message.subtype === 'thread_broadcast' &&
        !inThread &&
        html`<p class="only">replied to <button type="button" class="link" onClick=${() =>
          go({ thread: message.thread_ts ?? null })}>a thread</button></p>`
      }
      ${
        !follows &&
        html`<div class="by"><b>${author.name}</b>${isApp && html`<span class="badge">App</span>`}
          <time title=${wholeTime(message.ts)}>${timeOf(message.ts)}</time>
          ${message.edited && html`<small class="edited" title=${wholeTime(message.edited.ts)}>edited</small>`}</div>`
      }
      ${content}
      ${
        replies > 0 &&
        !inThread &&
        html`<button type="button" class="replies" onClick=${() => go({ thread: message.ts })}>
          ${replies === 1 ? '1 reply' : `${replies} replies`}
          ${message.latest_reply && html`<small>last at ${timeOf(message.latest_reply)}</small>`}
        </button>`
      }
    </div>
    ${
      !inThread &&
      !message.only &&
      html`<div class="tools"><button type="button" class="button small" onClick=${() =>
        go({ thread: message.thread_ts ?? message.ts })}>Reply in thread</button></div>`
    }
    ${
      message.only &&
      message.subtype !== 'notice' &&
      html`<div class="tools"><button type="button" class="button small" onClick=${() =>
        void workspace.act({ do: 'dismiss', ts: message.ts })}>Dismiss</button></div>`
    }
  </article>`
}

function Content({ message }: { readonly message: Wire }): VNode {
  // The validator has looked at them on their way in.
  const blocks = message.blocks as unknown as readonly Block[] | undefined
  return html`<div class="content">
    ${blocks?.length ? html`<${Blocks} blocks=${blocks} />` : html`<${Mrkdwn} text=${message.text} />`}
    ${(message.files ?? []).map(file => html`<${File} key=${file.id} file=${file} />`)}
  </div>`
}

function File({ file }: { readonly file: SharedFile }): VNode {
  const { openFile } = useWorkspace()
  return html`<button type="button" class="file" aria-label=${`Open file ${file.title || file.name}`}
    onClick=${() => openFile({ id: file.id, title: file.title || file.name })}>
    <span class="sheet" aria-hidden="true"></span>
    <span><b>${file.title || file.name}</b><small>${file.name} · ${sizeOf(file.size)}</small></span>
  </button>`
}

const sizeOf = (bytes: number): string =>
  bytes < 1024
    ? `${bytes} bytes`
    : bytes < 1024 ** 2
      ? `${(bytes / 1024).toFixed(1)} KB`
      : `${(bytes / 1024 ** 2).toFixed(1)} MB`

type Author = { readonly name: string; readonly kind: 'person' | 'app' | 'system'; readonly id: string }

export function authorOf(user: string, { snapshot }: Pick<Workspace, 'snapshot'>): Author {
  if (user === snapshot.app.user) return { name: snapshot.app.name, kind: 'app', id: user }
  const person = snapshot.people.find(one => one.id === user)
  return person
    ? { name: person.real_name || person.name, kind: 'person', id: user }
    : { name: 'Sandbox', kind: 'system', id: user }
}

const hues = [214, 152, 28, 322, 190, 266]

/** A person's initial on their colour; the app's and the system's marks. */
export function Avatar({ name, kind, id }: Author): VNode {
  const hue = hues[[...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 0) % hues.length]
  return html`<span class=${`avatar ${kind}`} style=${{ '--hue': String(hue) }} aria-hidden="true">${name
    .slice(0, 1)
    .toUpperCase()}</span>`
}
