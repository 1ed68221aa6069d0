// Clicks of people who decide about a deploy: approve, deny, override, cancel. The core judges each; a dialog is
// opened where words are needed. The message itself is changed by the notifier alone; who clicked is answered here.
import type { ModalView } from '@slack/types'
import type { Deploy } from '../../../core/deploy.ts'
import type { Rendered } from '../../../core/messages.ts'
import { cancelRefusal, changedSinceShown, overrideRefusal } from '../../../core/use-cases/why-not.ts'
import { phaseText, titleOf } from '../../../core/words.ts'
import { UserError } from '../../../errors.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { type Mrkdwn, md } from '../blocks/mrkdwn.ts'
import type { Call, SlackCaller, SlackDeps } from '../deps.ts'
import { approveDialog, cancelDialog, denyDialog, overrideDialog } from '../views/decide.ts'
import type { Click } from './click.ts'
import { settleClick } from './settle.ts'
import { openSoon } from './soon.ts'

export type Clicked = {
  readonly deps: SlackDeps
  readonly click: Click
  readonly call: Call
  /** Once it is durable, or cannot become so in time. */
  readonly ack: () => Promise<void>
}

export async function approve(at: Clicked): Promise<void> {
  const { deps, click, call, ack } = at
  const caller = await call.caller()
  try {
    const next = await settleClick(at, click.value, () =>
      deps.core.vote(caller, click.value, { decision: 'approve', reason: '', ...shownTo(click) }),
    )
    await ack()
    await call.tell(votedAnswer(next))
  } catch (error) {
    // All was judged but the reason: one click is not enough where an approval must give one.
    if (!(error instanceof UserError) || error.kind !== 'bad_input') throw error
    await approveWith(at)
  }
}

export const approveWith = (at: Clicked): Promise<void> =>
  dialog(at, 'Approve', async (caller, deploy) => {
    // Whoever may not should hear it before they type anything.
    await at.deps.core.mayVote(caller, deploy.id, { decision: 'approve' })
    // The dialog binds what is prepared when it opens, so that must be what stood beside the button.
    demandShown(at, deploy)
    const reasonNeeded = at.deps.environments.get(deploy.environment)?.approvals.reason ?? false
    return approveDialog(deploy, { reasonNeeded })
  })

export const deny = (at: Clicked): Promise<void> =>
  dialog(at, 'Deny', async (caller, deploy) => {
    await at.deps.core.mayVote(caller, deploy.id, { decision: 'deny' })
    return denyDialog(deploy)
  })

export const override = (at: Clicked): Promise<void> =>
  dialog(at, 'Override', async (caller, deploy) => {
    const { core } = at.deps
    const { environments } = await core.whoami(caller)
    const named = environments.find(one => one.environment === deploy.environment)?.breakGlass
    // Nobody should type a reason for nothing: without one, from someone not named, the core says who may.
    if (!named) await core.override(caller, deploy.id, { reason: '' })
    // Whether a freeze holds it is asked when it is submitted.
    const refusal = overrideRefusal(deploy, { by: caller.actor, frozen: true, now: at.deps.clock.now() })
    if (refusal) throw refusal
    demandShown(at, deploy)
    return overrideDialog(deploy)
  })

/** What only waits is cancelled by the click; what runs asks why. */
export async function cancel(at: Clicked): Promise<void> {
  const { deps, click, call, ack } = at
  const { core } = deps
  const caller = await call.caller()
  try {
    const next = await settleClick(at, click.value, () =>
      core.cancel(caller, click.value, { reason: '', ifWaiting: true }),
    )
    await ack()
    await call.tell(cancelledAnswer(next))
  } catch (error) {
    // Whether they may was judged first: a conflict is about the state.
    if (!(error instanceof UserError) || error.kind !== 'conflict') throw error
    if ((await core.showDeploy(caller, click.value)).deploy.phase !== 'running') throw error
    await dialog(at, 'Cancel a deploy', async ({ actor: by }, deploy) => {
      const refusal = cancelRefusal(deploy, { by, ifWaiting: false, now: deps.clock.now() })
      if (refusal) throw refusal
      return cancelDialog(deploy)
    })
  }
}

async function dialog(
  { deps, click, call, ack }: Clicked,
  title: string,
  make: (caller: SlackCaller, deploy: Deploy) => Promise<ModalView>,
): Promise<void> {
  await ack()
  await openSoon(deps, { trigger: click.trigger, title, call }, async () => {
    const caller = await call.caller()
    const { deploy } = await deps.core.showDeploy(caller, click.value)
    return make(caller, deploy)
  })
}

/** What the voter was shown, where the button says it. */
const shownTo = ({ shown }: Click): { readonly hash?: string } => (shown ? { hash: shown } : {})

/** Refuses where something else than what was shown beside the button would run now. */
function demandShown({ click }: Clicked, deploy: Deploy): void {
  const refusal = changedSinceShown(deploy, click.shown)
  if (refusal) throw refusal
}

const said = (deploy: Deploy, text: string, marked: Mrkdwn): Rendered =>
  fitted(`${titleOf(deploy)} → ${deploy.environment}: ${text}`, [section(marked)])

export function votedAnswer(deploy: Deploy): Rendered {
  const what = md`*${titleOf(deploy)}* → *${deploy.environment}*`
  if (deploy.phase === 'denied') return said(deploy, 'denied', md`You denied ${what}.`)
  const given = deploy.approval?.votes.filter(vote => vote.decision === 'approve').length ?? 0
  const missing = (deploy.approval?.required ?? 0) - given
  if (deploy.phase === 'awaiting_approval' && missing > 0)
    return said(
      deploy,
      `approved, ${missing} more needed`,
      md`You approved ${what}. It needs ${missing} more.`,
    )
  return said(deploy, 'approved', md`You approved ${what}. It is ${phaseText(deploy.phase)}.`)
}

export const overriddenAnswer = (deploy: Deploy): Rendered =>
  said(
    deploy,
    'overridden',
    md`You overrode approvals and freezes for *${titleOf(deploy)}* → *${deploy.environment}*. Everyone is told.`,
  )

export const cancelledAnswer = (deploy: Deploy): Rendered =>
  deploy.phase === 'cancelled'
    ? said(deploy, 'cancelled', md`You cancelled *${titleOf(deploy)}* → *${deploy.environment}*.`)
    : said(
        deploy,
        'stopping',
        md`*${titleOf(deploy)}* → *${deploy.environment}* is told to stop; its message shows how that ends.`,
      )
