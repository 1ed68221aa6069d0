// A conversation: its messages with a line between days, kept at the newest while one reads there, and the composer.
// The thread's pane is the same list with the parent on top.
import { Fragment, h, type VNode } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Channel as Wire, Message as WireMessage } from '../../control.ts'
import { Composer } from './composer.ts'
import { dayName } from './dates.ts'
import { html } from './html.ts'
import { Message } from './message.ts'
import { replies, timeline, useWorkspace } from './workspace.ts'

export function Channel({ channel }: { readonly channel: Wire }): VNode {
  const { snapshot, me, act } = useWorkspace()
  const messages = timeline(snapshot, me.id, channel.id)
  const name = channel.im ? snapshot.app.name : `#${channel.name}`
  return html`<${List} key=${`${me.id} ${channel.id}`} messages=${messages} label=${`Messages in ${name}`}
      empty=${html`<p class="empty"><b>${name}</b><br />Nothing was said here yet. Try <kbd>/gkube help</kbd>.</p>`} />
    <${Composer} key=${`composer ${me.id} ${channel.id}`} label=${`Message to ${name}`}
      commands=${snapshot.commands} send=${(text: string) =>
        text.startsWith('/')
          ? act({ do: 'command', channel: channel.id, text }, true)
          : act({ do: 'say', channel: channel.id, text })} />`
}

export function Thread({ channel, ts }: { readonly channel: Wire; readonly ts: string }): VNode {
  const { snapshot, me, act, go } = useWorkspace()
  const parent = (snapshot.messages[channel.id] ?? []).find(message => message.ts === ts)
  const title = useRef<HTMLHeadingElement>(null)
  useLayoutEffect(() => title.current?.focus(), [ts])
  const messages = [...(parent ? [parent] : []), ...replies(snapshot, me.id, { channel: channel.id, ts })]
  return html`<aside class="thread" aria-label="Thread" onKeyDown=${(event: KeyboardEvent) => {
    if (event.key === 'Escape' && !event.defaultPrevented) go({ thread: null })
  }}>
    <header class="bar"><h2 ref=${title} tabindex="-1">Thread</h2>
      <button type="button" class="button icon" aria-label="Close thread" onClick=${() => go({ thread: null })}>✕</button>
    </header>
    <${List} key=${ts} messages=${messages} label="Messages of the thread" inThread
      empty=${html`<p class="empty">This message was deleted.</p>`} />
    <${Composer} key=${`composer ${ts}`} label="Reply" commands=${[]} send=${(text: string) =>
      act({ do: 'say', channel: channel.id, text, thread_ts: ts })} />
  </aside>`
}

type ListProps = {
  readonly messages: readonly WireMessage[]
  readonly label: string
  readonly inThread?: boolean
  readonly empty: VNode
}

/** How near to its end (px) a list counts as read to the end. */
const near = 48

function List({ messages, label, inThread, empty }: ListProps): VNode {
  const { snapshot } = useWorkspace()
  const box = useRef<HTMLDivElement>(null)
  const inner = useRef<HTMLDivElement>(null)
  // A thread is read from its top, a channel from its end.
  const atEnd = useRef(!inThread)
  const last = messages.at(-1)?.ts ?? ''
  const [seen, setSeen] = useState(last)
  const toEnd = () => {
    const list = box.current
    if (list) list.scrollTop = list.scrollHeight
  }
  // Stays at the end whatever grows: a new message, a picture, the window of a phone's keyboard.
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(() => atEnd.current && toEnd())
    if (inner.current) watcher.observe(inner.current)
    if (box.current) watcher.observe(box.current)
    return () => watcher.disconnect()
  }, [])
  useLayoutEffect(() => {
    if (!atEnd.current) return
    toEnd()
    setSeen(last)
  }, [last])
  return html`<div class="list-frame">
    <div ref=${box} class="messages" role="log" aria-live="off" aria-label=${label} tabindex="0" onScroll=${() => {
      const list = box.current
      if (!list) return
      atEnd.current = list.scrollHeight - list.scrollTop - list.clientHeight < near
      if (atEnd.current) setSeen(last)
    }}>
      <div ref=${inner} class="inner">
      ${messages.length === 0 && empty}
      ${messages.map((message, index) => {
        const before = messages[index - 1]
        const day = dayName(message.ts, snapshot.now)
        const newDay = !inThread && (!before || dayName(before.ts, snapshot.now) !== day)
        return h(
          Fragment,
          { key: message.ts },
          newDay && html`<div class="day" role="separator"><span>${day}</span></div>`,
          html`<${Message} message=${message} inThread=${inThread} follows=${!newDay && follows(before, message)} />`,
          inThread &&
            index === 0 &&
            messages.length > 1 &&
            html`<div class="day"><span>${messages.length - 1} ${messages.length === 2 ? 'reply' : 'replies'}</span></div>`,
        )
      })}
      </div>
    </div>
    ${last > seen && !atEnd.current && html`<button type="button" class="newer" onClick=${toEnd}>New messages ↓</button>`}
  </div>`
}

/** Cards of the app are always headed: their time matters. */
const follows = (before: WireMessage | undefined, message: WireMessage): boolean =>
  Boolean(before) &&
  before?.user === message.user &&
  !message.bot_id &&
  !message.only &&
  !before.only &&
  Number(message.ts) - Number(before.ts) < 300
