// Starts the page and holds it together: the snapshot, where one is (in the address, so that reload and Back work),
// dialogs and toasts. Everything else is drawn by the parts.
import { h, render, type VNode } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Person, Snapshot } from '../../control.ts'
import type { Confirm, Sheet } from './block-kit.ts'
import { Channel, Thread } from './channel.ts'
import { act, type Connection, follow } from './control-client.ts'
import { ConfirmDialog, FileDialog } from './dialogs.ts'
import { AppHome } from './home.ts'
import { html } from './html.ts'
import { Avatar, authorOf } from './message.ts'
import { Modal } from './modal.ts'
import { Sidebar } from './sidebar.ts'
import { channelsOf, directOf, type Route, timeline, type Workspace, WorkspaceContext } from './workspace.ts'

const toastMs = 8000

function routeNow(): Route {
  const [, me = '', at = '', thread] = decodeURIComponent(location.hash.slice(1)).split('/')
  return { me, at, thread: thread || null }
}

function App(): VNode {
  const [snapshot, setSnapshot] = useState<Snapshot | null>(null)
  const [connection, setConnection] = useState<Connection>('connecting')
  const [route, setRoute] = useState(routeNow)
  useEffect(() => {
    follow(setSnapshot, setConnection)
    addEventListener('hashchange', () => setRoute(routeNow()))
  }, [])
  if (!snapshot) return html`<p class="starting" role="status">Opening the workspace …</p>`
  return html`<${Page} snapshot=${snapshot} connection=${connection} route=${route} />`
}

type PageProps = { readonly snapshot: Snapshot; readonly connection: Connection; readonly route: Route }

function Page({ snapshot, connection, route: wanted }: PageProps): VNode {
  const [asked, setAsked] = useState<{ confirm: Confirm; answer: (yes: boolean) => void } | null>(null)
  const [file, setFile] = useState<{ id: string; title: string } | null>(null)
  const [toast, setToast] = useState('')
  const [menu, setMenu] = useState(false)
  const me = snapshot.people.find(one => one.name === wanted.me || one.id === wanted.me) ?? snapshot.people[0]
  if (!me) return html`<p class="starting">Nobody is in this workspace.</p>`
  const { route, channel, direct } = placeOf(snapshot, me, wanted)
  const go = (next: Partial<Route>) => {
    const to = { ...route, ...next }
    location.hash = `#/${to.me}/${to.at}${to.thread ? `/${to.thread}` : ''}`
  }
  const workspace: Workspace = {
    snapshot,
    me,
    route,
    go,
    act: async (deed, quiet) => {
      const answer = await act({ ...deed, as: me.name })
      if (!quiet && answer.outcome !== 'ok') setToast(answer.shown ?? 'That did not work.')
      return answer
    },
    ask: confirm =>
      new Promise(resolve =>
        setAsked({
          confirm,
          answer: yes => {
            setAsked(null)
            resolve(yes)
          },
        }),
      ),
    openFile: setFile,
  }
  useEffect(() => {
    const timer = toast ? setTimeout(() => setToast(''), toastMs) : undefined
    return () => clearTimeout(timer)
  }, [toast])
  const view = snapshot.views[me.id]?.at(-1) as unknown as Sheet | undefined // checked on its way in
  const inApp = !channel || channel === direct
  const title = inApp ? snapshot.app.name : `#${channel?.name}`
  useEffect(() => {
    document.title = `${title} (${me.name}) · Sandbox workspace`
  }, [title, me.name])
  return html`<${WorkspaceContext} value=${workspace}>
    <div class="page" data-thread=${route.thread ? '' : null}>
      <a class="skip" href="#main" onClick=${skip}>Skip to the conversation</a>
      <${Sidebar} open=${menu} onClose=${() => setMenu(false)} />
      ${menu && html`<div class="shade" onClick=${() => setMenu(false)}></div>`}
      <main id="main" tabindex="-1" inert=${menu}>
        <header class="bar">
          <button type="button" class="button icon menu" aria-label="Channels and people" aria-expanded=${menu}
            onClick=${() => setMenu(true)}><${Avatar} ...${authorOf(me.id, workspace)} /></button>
          <h1>${title}</h1>
          ${inApp && direct && html`<${Tabs} at=${route.at} direct=${direct.id} me=${me.name} />`}
          <span class="state" role="status">${connection === 'lost' ? 'Connection lost, trying again …' : ''}</span>
        </header>
        ${inApp ? html`<${AppHome} />` : html`<${Channel} channel=${channel} />`}
      </main>
      ${route.thread && channel && html`<${Thread} channel=${channel} ts=${route.thread} />`}
    </div>
    ${view && html`<${Modal} key=${view.id} view=${view} />`}
    ${file && html`<${FileDialog} key=${file.id} file=${file} onClose=${() => setFile(null)} />`}
    ${asked && html`<${ConfirmDialog} confirm=${asked.confirm} onAnswer=${asked.answer} />`}
    <${Announcer} snapshot=${snapshot} me=${me.id} channel=${channel?.id ?? ''} />
    ${
      toast &&
      html`<div class="toast" role="alert"><span>${toast}</span>
      <button type="button" class="button icon" aria-label="Dismiss" onClick=${() => setToast('')}>✕</button></div>`
    }
  <//>`
}

/** Where one can be: what `me` does not see leads to the first channel. */
function placeOf(snapshot: Snapshot, me: Person, wanted: Route) {
  const channels = channelsOf(snapshot, me)
  const direct = directOf(snapshot, me)
  const all = direct ? [...channels, direct] : channels
  const known = wanted.at === 'home' || all.some(one => one.id === wanted.at)
  const route = { ...wanted, me: me.name, at: known ? wanted.at : (channels[0]?.id ?? 'home') }
  return { route, channel: all.find(one => one.id === route.at), direct }
}

function Tabs(props: { readonly at: string; readonly direct: string; readonly me: string }): VNode {
  const tab = (at: string, name: string) =>
    html`<a href=${`#/${props.me}/${at}`} aria-current=${props.at === at ? 'page' : null}>${name}</a>`
  return html`<nav class="tabs" aria-label="Tabs of the app">${tab('home', 'Home')}${tab(props.direct, 'Messages')}</nav>`
}

/** Says new messages of the open channel to a screen reader, by their plain text. */
function Announcer(props: {
  readonly snapshot: Snapshot
  readonly me: string
  readonly channel: string
}): VNode {
  const { snapshot, me, channel } = props
  const last = useMemo(() => timeline(snapshot, me, channel).at(-1), [snapshot, me, channel])
  const first = useRef({ channel: '', ts: '' })
  if (first.current.channel !== `${me} ${channel}`)
    first.current = { channel: `${me} ${channel}`, ts: last?.ts ?? '' }
  const isNew = last && last.ts > first.current.ts && last.user !== me
  const words = isNew ? `${authorOf(last.user, { snapshot }).name}: ${last.text}` : ''
  return html`<div class="hidden" role="status" aria-live="polite">${words}</div>`
}

/** The address holds the place: a jump inside the page moves the focus instead. */
function skip(event: Event): void {
  event.preventDefault()
  document.getElementById('main')?.focus()
}

const root = document.getElementById('page')
if (root) render(h(App, null), root)
