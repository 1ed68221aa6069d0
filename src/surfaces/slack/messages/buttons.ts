// The buttons that fit a deploy's state. A value is an id and nothing else; who clicks is judged by the core again.
// Red is for what hits production, goes back, deletes or overrides: in the dialog that asks once more.
import type { Button, ConfirmationDialog } from '@slack/types'
import { type Deploy, isTerminal, wayBack } from '../../../core/deploy.ts'
import type { Environment } from '../../../core/environment.ts'
import type { MessageFacts } from '../../../core/messages.ts'
import { titleOf } from '../../../core/words.ts'
import { actionIds } from '../action-ids.ts'
import { button, confirmation } from '../blocks/elements.ts'
import { cut } from '../blocks/mrkdwn.ts'
import { shortRevision } from './names.ts'
import { heldBy } from './state.ts'

/** An environment that is not configured any more is treated with the same care. */
const isProtected = (environment: Environment | null): boolean => environment?.protected ?? true

/** `production (cluster eu-1, namespace shop)`. */
const placeOf = ({ environment, prepared }: Deploy): string =>
  prepared ? `${environment} (cluster ${prepared.cluster}, namespace ${prepared.namespace})` : environment

const short = (revision: string): string => cut(shortRevision(revision), 40)

type Facts = Pick<MessageFacts, 'deploy' | 'environment'> &
  Partial<Pick<MessageFacts, 'waiting' | 'inThread'>>

/** For the message of a deploy, in the order of use. */
export function buttonsOf(facts: Facts): Button[] {
  const { deploy } = facts
  switch (deploy.phase) {
    case 'requested':
    case 'preparing':
      return [cancel(deploy, 'Cancel')]
    case 'awaiting_approval':
      // In a thread of others it is asked in an entry that the channel sees, too: those buttons are enough.
      return [...(facts.inThread ? [] : approvalButtons(facts)), cancel(deploy, 'Cancel')]
    case 'ready': {
      const held = heldBy({ deploy, waiting: facts.waiting ?? null })
      return [
        ...(held === 'freeze' ? overrides(facts) : []),
        ...(held === 'lock' ? [unlock(facts)] : []),
        cancel(deploy, 'Cancel'),
      ]
    }
    case 'running':
      return [cancel(deploy, 'Cancel…')]
    case 'succeeded':
      return deploy.kind === 'delete' ? [] : [...rollbacks(facts), logs(deploy), restart(facts)]
    case 'failed':
    case 'rolled_back':
    case 'rollback_failed':
    case 'cancelled':
      return afterFailure(facts)
    case 'expired':
      return [retry(facts, 'Ask again…')]
    default:
      return []
  }
}

const shownPrefix = 'shown:'

/** The id of a row of approval buttons: it says what was shown, so that a click cannot approve something newer. */
export const shownId = ({ id, phase, prepared }: Deploy): string | undefined =>
  phase === 'awaiting_approval' && prepared ? `${shownPrefix}${id}:${prepared.hash}` : undefined

/** The hash of what was shown beside a button; undefined where its row says nothing. */
export const shownHash = (blockId: string | undefined): string | undefined =>
  blockId?.startsWith(shownPrefix) ? blockId.slice(blockId.lastIndexOf(':') + 1) : undefined

/** Approve, approve with a comment, deny, override: also in direct messages, answers and App Home. */
export function approvalButtons(
  facts: Facts,
  { override = true }: { readonly override?: boolean } = {},
): Button[] {
  const { deploy, environment } = facts
  const needsReason = environment?.approvals.reason ?? false
  return [
    ...(needsReason ? [] : [approve(facts)]),
    button({
      text: needsReason ? 'Approve…' : 'Approve with comment…',
      action: actionIds.approveWith,
      value: deploy.id,
      ...(needsReason ? { style: 'primary' as const } : {}),
    }),
    button({ text: 'Deny…', action: actionIds.deny, value: deploy.id }),
    ...(override ? overrides(facts) : []),
  ]
}

const approve = ({ deploy, environment }: Facts): Button =>
  button({
    text: 'Approve',
    action: actionIds.approve,
    value: deploy.id,
    style: 'primary',
    ...(isProtected(environment)
      ? {
          confirm: confirmation({
            title: `Approve for ${deploy.environment}?`,
            text: `${cut(titleOf(deploy), 130)} in ${placeOf(deploy)}. With the last approval it starts.`,
            yes: 'Approve',
            danger: true,
          }),
        }
      : {}),
  })

/** `environment/app/storage`. Its dialog asks for the name. */
export const deleteVolumeButton = (value: string): Button =>
  button({ text: 'Delete…', action: actionIds.deleteVolume, value, style: 'danger' })

/** Only where somebody is named who may; its dialog asks for the reason. */
const overrides = ({ deploy, environment }: Facts): Button[] =>
  environment && environment.breakGlass.length > 0
    ? [button({ text: 'Override…', action: actionIds.override, value: deploy.id, style: 'danger' })]
    : []

const cancel = (deploy: Deploy, text: string): Button =>
  button({ text, action: actionIds.cancel, value: deploy.id })

const logs = (deploy: Deploy): Button => button({ text: 'Logs', action: actionIds.logs, value: deploy.id })

const asks = (
  facts: Facts,
  options: { title: string; text: string; yes: string; danger?: boolean },
): ConfirmationDialog =>
  confirmation({ ...options, danger: options.danger ?? isProtected(facts.environment) })

function restart(facts: Facts): Button {
  const { deploy } = facts
  return button({
    text: 'Restart…',
    action: actionIds.restart,
    value: deploy.id,
    confirm: asks(facts, {
      title: `Restart ${deploy.app}?`,
      text: `Restart ${deploy.app} in ${placeOf(deploy)}? Its pods are replaced one after the other, the revision stays.`,
      yes: 'Restart',
    }),
  })
}

function retry(facts: Facts, text = 'Retry…'): Button {
  const { deploy } = facts
  return button({
    text,
    action: actionIds.retry,
    value: deploy.id,
    confirm: asks(facts, {
      title: 'Ask for it again?',
      text: `${cut(titleOf(deploy), 130)} in ${placeOf(deploy)}, as a new deploy${facts.environment?.approvals.required ? ' that needs approval' : ''}.`,
      yes: 'Ask again',
      danger: isProtected(facts.environment) || deploy.kind === 'delete' || deploy.kind === 'rollback',
    }),
  })
}

/** Where the last one changed what runs, and something worked before. */
function rollbacks(facts: Facts): Button[] {
  const { deploy } = facts
  const before = wayBack(deploy)
  const shipped = ['deploy', 'redeploy', 'rollback'].includes(deploy.kind)
  if (!shipped || before === null) return []
  const isSame = before === deploy.revision
  // The same revision with other settings, and it worked: that revision now means these settings.
  if (isSame && deploy.phase === 'succeeded') return []
  const from = isSame ? '' : ` from ${short(deploy.revision)}`
  return [
    button({
      text: `Roll back to ${short(before)}…`,
      action: actionIds.rollback,
      value: deploy.id,
      confirm: asks(facts, {
        title: `Roll back ${deploy.app}?`,
        text: `Roll back ${deploy.app} in ${placeOf(deploy)}${from} to ${short(before)}? Migrations are not undone.`,
        yes: 'Roll back',
        danger: true,
      }),
    }),
  ]
}

function afterFailure(facts: Facts): Button[] {
  const { deploy } = facts
  // It never reached the cluster: nothing to go back from, nothing to read.
  const ran = deploy.startedAt !== null
  const isBack = deploy.phase === 'rolled_back' || (deploy.phase === 'cancelled' && deploy.rollback !== null)
  return [
    retry(facts),
    ...(ran && !isBack ? rollbacks(facts) : []),
    ...(ran && deploy.kind !== 'delete' ? [logs(deploy)] : []),
    // Its rollback locked the app: nothing more goes there until somebody has looked.
    ...(deploy.locked ? [unlockOf(deploy)] : []),
  ]
}

/** The lock that holds it, as the core's words name it: of everything, of an environment, of an app there. */
function unlock({ deploy, waiting }: Facts): Button {
  const { environment } = deploy
  if (waiting?.startsWith('Everything is')) return unlockButton({ value: '/', what: 'everything' })
  if (waiting?.startsWith(`${environment} is`))
    return unlockButton({ value: `${environment}/`, what: environment })
  return unlockOf(deploy)
}

const unlockOf = ({ app, environment }: Deploy): Button =>
  unlockButton({ value: `${environment}/${app}`, what: `${app} in ${environment}` })

/** `value`: `environment/app`, `environment/` or `/`. */
export const unlockButton = ({ value, what }: { readonly value: string; readonly what: string }): Button =>
  button({
    text: 'Unlock…',
    action: actionIds.unlock,
    value,
    confirm: confirmation({
      title: 'Unlock?',
      text: `Unlock ${what}? What waits for it starts.`,
      yes: 'Unlock',
      danger: false,
    }),
  })

export const unfreezeButton = (environment: string): Button =>
  button({
    text: 'Unfreeze…',
    action: actionIds.unfreeze,
    value: environment,
    confirm: confirmation({
      title: 'End the freeze?',
      text: `End the freeze of ${environment}? What waits for it starts.`,
      yes: 'Unfreeze',
      danger: true,
    }),
  })

/** The whole diff, where there is no thread beside the buttons. */
export const diffButtons = ({ deploy, planned }: Pick<MessageFacts, 'deploy' | 'planned'>): Button[] =>
  planned && planned.diff !== '' ? [button({ text: 'Diff', action: actionIds.diff, value: deploy.id })] : []

/** What somebody may do with their own deploy from App Home. */
export const runningButton = (deploy: Deploy): Button | undefined =>
  isTerminal(deploy.phase) || deploy.phase === 'rolling_back'
    ? undefined
    : cancel(deploy, deploy.phase === 'running' ? 'Cancel…' : 'Cancel')
