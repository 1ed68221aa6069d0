// Every click on a button: which handler has it. Home's own button (refresh) is home-updates.ts's, dialogs that come
// back are views.ts's. Each handler reads the state again and lets the core judge; ids are in action-ids.ts.
import type { App, BlockButtonAction } from '@slack/bolt'
import { actionIds } from './action-ids.ts'
import { restart, retry, rollback } from './actions/again.ts'
import { clickOf, placeOf } from './actions/click.ts'
import { approve, approveWith, type Clicked, cancel, deny, override } from './actions/decide.ts'
import { openDeployDialog } from './actions/deploy-dialog.ts'
import { unfreeze, unlock } from './actions/hold.ts'
import { pointToReal } from './actions/point-to-real.ts'
import { diff, logs } from './actions/show.ts'
import { deleteVolume } from './actions/volumes.ts'
import type { SlackDeps } from './deps.ts'

async function deploy({ deps, click, call, ack }: Clicked): Promise<void> {
  const given = placeOf(click.value)
  await ack()
  const channel = click.message?.channel ?? null
  await openDeployDialog(deps, { trigger: click.trigger, call, channel, given })
}

const handlers: Readonly<
  Record<Exclude<keyof typeof actionIds, 'refresh' | 'link'>, (at: Clicked) => Promise<void>>
> = {
  approve,
  approveWith,
  deny,
  override,
  cancel,
  retry,
  rollback,
  restart,
  logs,
  diff,
  unlock,
  unfreeze,
  deploy,
  deleteVolume,
}

/** Their value is something else than a deploy's id. */
const byDeploy: ReadonlySet<string> = new Set(
  Object.keys(handlers).filter(name => !['unlock', 'unfreeze', 'deploy', 'deleteVolume'].includes(name)),
)

export function registerActions(bolt: App, deps: SlackDeps): void {
  for (const [name, handler] of Object.entries(handlers)) {
    bolt.action<BlockButtonAction>(
      actionIds[name as keyof typeof handlers],
      deps.guarded(name, async ({ body, action, ack }, call) => {
        const click = clickOf(body, action)
        try {
          await handler({ deps, click, call, ack: () => ack() })
        } finally {
          // After it: an answer that is late by a read would be late for nothing.
          if (byDeploy.has(name)) await pointToReal(deps, { click, call, id: click.value })
        }
        await ack()
      }),
    )
  }
  // The browser follows it; Slack only wants to know that we heard.
  bolt.action(actionIds.link, async ({ ack }) => ack())
}
