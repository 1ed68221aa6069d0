// Every click on a button: which handler has it. Home's own button (refresh) is home-updates.ts's, dialogs that come
// back are views.ts's. Each handler reads the state again and lets the core judge; ids are in action-ids.ts.
import { setTimeout as wait } from 'node:timers/promises'
import type { App, BlockButtonAction } from '@slack/bolt'
import { actionIds } from './action-ids.ts'
import { restart, retry, rollback } from './actions/again.ts'
import { type Click, clickOf, placeOf } from './actions/click.ts'
import { approve, approveWith, type Clicked, cancel, deny, override } from './actions/decide.ts'
import { openDeployDialog } from './actions/deploy-dialog.ts'
import { unfreeze, unlock } from './actions/hold.ts'
import { orphanAnswer } from './actions/orphan.ts'
import { diff, logs } from './actions/show.ts'
import type { Call, SlackDeps } from './deps.ts'

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
}

/** Their value is something else than a deploy's id. */
const byDeploy: ReadonlySet<string> = new Set(
  Object.keys(handlers).filter(name => !['unlock', 'unfreeze', 'deploy'].includes(name)),
)

/** A refusal is told after this. */
const pointWithinMs = 300

/** Nothing is lost where it fails: the click itself is answered. */
async function pointToReal(deps: SlackDeps, click: Click, call: Call): Promise<void> {
  if (!click.message?.thread) return
  const stop = new AbortController()
  const limit = wait(pointWithinMs, null, { signal: stop.signal }).catch(() => null)
  try {
    const answer = orphanAnswer(click, await Promise.race([deps.posted(click.value), limit]))
    if (answer) await call.tell(answer)
  } catch (error) {
    deps.log.warn({ err: error, deploy: click.value }, 'a click could not be compared with what was posted')
  } finally {
    stop.abort()
  }
}

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
          if (byDeploy.has(name)) await pointToReal(deps, click, call)
        }
        await ack()
      }),
    )
  }
  // The browser follows it; Slack only wants to know that we heard.
  bolt.action(actionIds.link, async ({ ack }) => ack())
}
