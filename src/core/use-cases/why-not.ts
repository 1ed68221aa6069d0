// Pure: why a person's decision about a deploy does not count, in words for that person: who was first, how long ago,
// what it does now. decide.ts and override.ts ask before they
// write; waiting.ts shows it beside each request.
import { UserError } from '../../errors.ts'
import { type Actor, type Deploy, isSameActor, isTerminal, type Phase } from '../deploy.ts'
import { ago } from '../times.ts'

type Asked = {
  readonly deploy: Deploy
  readonly by: Actor
  readonly decision: 'approve' | 'deny'
  /** What the person was shown; left out: what would run now. */
  readonly hash?: string | undefined
  readonly now: number
  /** Who else may approve there. */
  readonly others: readonly string[]
}

/** What a deploy does now, as the end of a sentence: `it is rolling out`. */
export function nowWords({ phase, cause, plan }: Pick<Deploy, 'phase' | 'cause' | 'plan'>): string {
  if (phase === 'succeeded') return plan === 'delete' ? 'it is deleted' : 'it is live'
  if (phase === 'failed' && cause) return `it failed: ${cause.message.replace(/\.$/, '')}`
  return words[phase]
}

const words: Readonly<Record<Phase, string>> = {
  requested: 'it is being prepared',
  preparing: 'it is being prepared',
  awaiting_approval: 'it waits for approval',
  ready: 'it waits for its turn',
  running: 'it is rolling out',
  rolling_back: 'it failed and is being rolled back',
  succeeded: 'it is live',
  failed: 'it failed',
  rolled_back: 'it failed and was rolled back',
  rollback_failed: 'it failed, and so did going back',
  cancelled: 'it was cancelled',
  denied: 'it was denied',
  expired: 'it expired',
  superseded: 'a newer deploy took its place',
}

/** Why this vote does not count; null: it does. */
export function voteRefusal(asked: Asked): UserError | null {
  const { deploy } = asked
  if (deploy.phase === 'requested' || deploy.phase === 'preparing')
    return conflict(
      deploy.prepared
        ? 'What would run has just changed, so it is being prepared again. Look at it again in a moment.'
        : 'It is still being prepared. Try again in a moment.',
    )
  return deploy.phase === 'awaiting_approval' ? openRefusal(asked) : lateRefusal(asked)
}

const conflict = (message: string, details: Record<string, unknown> = {}) =>
  new UserError('conflict', message, { details })

/** While it asks. */
function openRefusal({ deploy, by, decision, hash, now, others }: Asked): UserError | null {
  const { approval, prepared, requestedBy, app, environment } = deploy
  if (!approval || !prepared) return conflict('It asks for no approval.')
  if (now >= approval.expiresAt)
    return conflict(`The request expired ${ago(approval.expiresAt, now)}. ${askAgain(deploy)}`)
  const changed = changedSinceShown(deploy, hash)
  if (changed) return changed
  const mine = approval.votes.find(vote => isSameActor(vote.by, by) && vote.decision === decision)
  if (mine) {
    const left = approval.required - approval.votes.filter(vote => vote.decision === 'approve').length
    return conflict(
      `You approved it already, ${ago(mine.at, now)}; it waits for ${left} more ${left === 1 ? 'approval' : 'approvals'}.`,
    )
  }
  if (decision === 'approve' && isSameActor(by, requestedBy) && !approval.requesterCounts) {
    const who = others.length > 0 ? ` Who may: ${others.join(', ')}.` : ''
    return new UserError(
      'forbidden',
      `You asked for it yourself: who asks may not approve it in ${environment}.${who}`,
      { details: { action: 'approve', app, environment } },
    )
  }
  return null
}

/** Why something that was decided by what was shown (`hash`) does not count; null: that is what would run now. */
export function changedSinceShown(
  { prepared, app, revision, environment }: Deploy,
  hash: string | undefined,
): UserError | null {
  if (hash === undefined || hash === prepared?.hash) return null
  return conflict(
    `What would run has changed since it was shown to you, so nothing was decided. Look at ${app} ${revision} for ${environment} again and decide anew.`,
    { hash: prepared?.hash },
  )
}

/** When it does not ask any more: what came of it, and by whom. */
function lateRefusal({ deploy, by, now }: Asked): UserError {
  const { approval, overridden, phase } = deploy
  const denied = approval?.votes.find(vote => vote.decision === 'deny')
  if (denied) {
    const reason = denied.reason ? `: ${denied.reason}` : ''
    const who = isSameActor(denied.by, by) ? 'You denied it already,' : `Already denied by @${denied.by.name}`
    return conflict(`${who} ${ago(denied.at, now)}${reason}. ${askAgain(deploy)}`)
  }
  if (phase === 'expired')
    return conflict(
      `The request expired ${ago(deploy.endedAt ?? now, now)}: nobody approved it in time. ${askAgain(deploy)}`,
    )
  if (phase === 'superseded')
    return conflict(`A newer deploy of ${deploy.app} took its place ${ago(deploy.endedAt ?? now, now)}.`)
  if (phase === 'cancelled' && deploy.startedAt === null) return conflict(cancelledWords(deploy, by, now))
  const last = approval?.votes.findLast(vote => vote.decision === 'approve')
  const mine = approval?.votes.find(vote => isSameActor(vote.by, by))
  if (mine) return conflict(`You approved it already, ${ago(mine.at, now)}; ${nowWords(deploy)}.`)
  if (overridden)
    return conflict(
      `@${overridden.by.name} overrode the approval ${ago(overridden.at, now)}; ${nowWords(deploy)}.`,
    )
  if (last) return conflict(`Already approved by @${last.by.name} ${ago(last.at, now)}; ${nowWords(deploy)}.`)
  return conflict(`It asks for no approval; ${nowWords(deploy)}.`)
}

/** Why it cannot be cancelled; null: it can. */
export function cancelRefusal(
  deploy: Deploy,
  { by, ifWaiting, now }: { by: Actor; ifWaiting: boolean; now: number },
): UserError | null {
  const { phase } = deploy
  if (phase === 'cancelled') return conflict(cancelledWords(deploy, by, now))
  if (isTerminal(phase))
    return conflict(`It ended already, ${ago(deploy.endedAt ?? now, now)}: ${nowWords(deploy)}.`)
  if (phase === 'rolling_back')
    return conflict('It is being rolled back already; a rollback is not cancelled.')
  if (ifWaiting && phase === 'running') return conflict('It runs already.')
  return null
}

/** Why it cannot be overridden; null: it can. `frozen`: a freeze holds it now. */
export function overrideRefusal(
  deploy: Deploy,
  { by, frozen, now }: { by: Actor; frozen: boolean; now: number },
): UserError | null {
  const { phase, overridden, approval } = deploy
  if (overridden && phase !== 'preparing') {
    const who = isSameActor(overridden.by, by)
      ? 'You overrode it already'
      : `@${overridden.by.name} overrode it`
    return conflict(`${who}, ${ago(overridden.at, now)}; ${nowWords(deploy)}.`)
  }
  if (isTerminal(phase)) return conflict(`It is over: ${nowWords(deploy)}.`)
  if (phase === 'requested' || phase === 'preparing')
    return conflict('It is still being prepared. Try again in a moment.')
  if (phase === 'awaiting_approval' && approval && now >= approval.expiresAt)
    return conflict(`The request expired ${ago(approval.expiresAt, now)}. ${askAgain(deploy)}`)
  if (phase === 'awaiting_approval' || (phase === 'ready' && frozen)) return null
  return conflict(`Neither an approval nor a freeze is in its way: ${nowWords(deploy)}.`)
}

function cancelledWords({ cancelledBy, endedAt }: Deploy, by: Actor, now: number): string {
  const at = ago(endedAt ?? now, now)
  if (!cancelledBy) return `Already cancelled ${at}.`
  return cancelledBy.id === by.id
    ? `You cancelled it already, ${at}.`
    : `Already cancelled by @${cancelledBy.name} ${at}.`
}

/** In words that hold on every surface. */
const askAgain = ({ app, revision, environment, kind }: Deploy): string =>
  kind === 'deploy'
    ? `Ask again: deploy ${app} ${revision} to ${environment}.`
    : `Ask again for the ${kind} of ${app} in ${environment}.`
