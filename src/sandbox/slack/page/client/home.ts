// The app's own place: its Home tab, as it published it for this person, and its direct messages.
import type { VNode } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import type { Sheet } from './block-kit.ts'
import { Blocks } from './blocks.ts'
import { Channel } from './channel.ts'
import { html } from './html.ts'
import { plainSurface, SurfaceContext } from './surface.ts'
import { directOf, useWorkspace } from './workspace.ts'

export function AppHome(): VNode {
  const { snapshot, me, route, act } = useWorkspace()
  const direct = directOf(snapshot, me)
  const onMessages = route.at !== 'home'
  // Slack tells the app each time somebody looks.
  useEffect(() => {
    void act({ do: onMessages ? 'messages' : 'home' }, true)
  }, [me.id, onMessages])
  if (onMessages && direct) return html`<${Channel} channel=${direct} />`
  // As the app published it; checked on its way in.
  const view = snapshot.homes[me.id] as unknown as Sheet | undefined
  return html`<div class="home" tabindex="0" role="region" aria-label=${`Home of ${snapshot.app.name}`}>
    <div class="home-page">${view ? html`<${Published} key=${me.id} blocks=${view.blocks} />` : html`<${Waiting} />`}</div>
  </div>`
}

function Published({ blocks }: Pick<Sheet, 'blocks'>): VNode {
  const surface = useMemo(() => plainSurface('home'), [])
  return html`<${SurfaceContext} value=${surface}><${Blocks} blocks=${blocks} /><//>`
}

function Waiting(): VNode {
  const { snapshot } = useWorkspace()
  return html`<div class="empty" role="status"><b>${snapshot.app.name}</b><br />
    ${snapshot.app.connected ? 'Getting your Home …' : 'The app is not connected. It shows itself here once it is.'}</div>`
}
