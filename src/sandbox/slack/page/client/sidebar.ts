// The way around: who acts, channels, the app. A drawer on a phone. What is unread is kept in this browser only.
import type { VNode } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { html } from './html.ts'
import { Avatar, authorOf } from './message.ts'
import { channelsOf, directOf, timeline, useWorkspace } from './workspace.ts'

export function Sidebar(props: { readonly open: boolean; readonly onClose: () => void }): VNode {
  const workspace = useWorkspace()
  const { snapshot, me, route, go } = workspace
  const direct = directOf(snapshot, me)
  const people = snapshot.people.filter(person => !person.bot && !person.deleted)
  const nav = useRef<HTMLElement>(null)
  useEffect(() => {
    if (props.open) nav.current?.querySelector<HTMLElement>('[aria-current], a')?.focus()
  }, [props.open])
  return html`<nav ref=${nav} class="sidebar" aria-label="Workspace" data-open=${props.open ? '' : null}
    onKeyDown=${(event: KeyboardEvent) => event.key === 'Escape' && props.onClose()}>
    <div class="team"><span class="mark" aria-hidden="true"></span><div><b>Sandbox workspace</b>
      <small>A stand-in on this machine</small></div></div>
    <fieldset class="people"><legend>Act as</legend>
      ${people.map(
        person => html`<label key=${person.id} class=${person.id === me.id ? 'person on' : 'person'}>
          <input type="radio" name="person" checked=${person.id === me.id}
            onChange=${() => go({ me: person.name, thread: null })} />
          <${Avatar} ...${authorOf(person.id, workspace)} />
          <span><b>${person.name}</b><small>${person.title}</small></span>
        </label>`,
      )}
    </fieldset>
    <h2>Channels</h2>
    <ul>
      ${channelsOf(snapshot, me).map(
        channel =>
          html`<${Way} key=${channel.id} at=${channel.id} mark="#" name=${channel.name} onGo=${props.onClose} />`,
      )}
    </ul>
    <h2>Apps</h2>
    <ul>
      <${Way} at="home" mark="⌂" name=${`${snapshot.app.name} Home`} onGo=${props.onClose} />
      ${direct && html`<${Way} at=${direct.id} mark="✉" name=${`${snapshot.app.name} messages`} onGo=${props.onClose} />`}
    </ul>
    <p class="about">${
      snapshot.app.connected
        ? html`<span class="dot on"></span>${snapshot.app.name} is connected`
        : html`<span class="dot"></span>${snapshot.app.name} is not connected`
    }<br />Nothing here leaves this machine. ${route.me === 'eve' ? 'Eve is a guest: she may see little.' : ''}</p>
  </nav>`
}

type WayProps = {
  readonly at: string
  readonly mark: string
  readonly name: string
  readonly onGo: () => void
}

function Way({ at, mark, name, onGo }: WayProps): VNode {
  const { snapshot, me, route } = useWorkspace()
  const here = route.at === at
  const messages = at === 'home' ? [] : timeline(snapshot, me.id, at)
  const last = messages.at(-1)?.ts ?? ''
  const key = `read ${me.id} ${at}`
  useEffect(() => {
    if (here && last) localStorage.setItem(key, last)
  }, [here, last, key])
  const read = localStorage.getItem(key) ?? ''
  const count = here ? 0 : messages.filter(message => message.ts > read && message.user !== me.id).length
  return html`<li><a href=${`#/${me.name}/${at}`} class=${count > 0 ? 'way unread' : 'way'} aria-current=${here ? 'page' : null}
    onClick=${onGo}><span class="sign" aria-hidden="true">${mark}</span><span class="name">${name}</span>
    ${count > 0 && html`<span class="count">${count}<span class="hidden"> unread</span></span>`}</a></li>`
}
