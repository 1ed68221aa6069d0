// The first line of a deploy's message: one emoji for its state, what it is about, how it stands. The same in one plain
// line for notifications and clients without blocks. Pure; the rest of the message is main.ts.
import type { Deploy } from '../../../core/deploy.ts'
import type { MessageFacts } from '../../../core/messages.ts'
import { stepDoing, took } from '../../../core/words.ts'
import { joined, type Mrkdwn, md, nothing, oneLine } from '../blocks/mrkdwn.ts'
import { slackCommands } from '../blocks/slack-commands.ts'
import { revisionOf, shortRevision } from './names.ts'

/** What the state looks like. Only these: emoji mark state and nothing else. */
const emoji = {
  waiting: ':hourglass_flowing_sand:',
  running: ':arrows_counterclockwise:',
  done: ':white_check_mark:',
  failed: ':x:',
  back: ':leftwards_arrow_with_hook:',
  ended: ':no_entry:',
  held: ':double_vertical_bar:',
} as const

export type State = {
  readonly headline: Mrkdwn
  /** `web 1.4.2 → production: failed, exit code 1`: plain words, not escaped. */
  readonly text: string
}

/** What would change, without the environment: `*web* 1.4.1 → 1.4.2`, `*web* scale to 3`. */
export function titled(deploy: Deploy): Mrkdwn {
  const { app, kind, revision, params, prepared } = deploy
  const name = md`*${app}*`
  switch (kind) {
    case 'scale':
      return md`${name} scale to ${params.replicas ?? '?'}`
    case 'restart':
      return md`${name} restart`
    case 'delete':
      return md`${name} delete`
    case 'adopt':
      return md`${name} adopts ${params.adopt?.kind ?? ''} ${params.adopt?.name ?? ''}`
    default: {
      const before = prepared?.base.revision
      const from = before && before !== revision ? md`${revisionOf(before)} →` : nothing
      return joined([name, kind === 'deploy' ? nothing : md`${kind}`, from, revisionOf(revision)])
    }
  }
}

/** The same in plain words, without what ran before: `web 1.4.2`. */
export function plainTitle({ app, kind, revision, params }: Deploy): string {
  if (kind === 'scale') return `${app} scale to ${params.replicas ?? '?'}`
  return [app, kind === 'deploy' ? '' : kind, shortRevision(revision)].filter(Boolean).join(' ')
}

/** What a person holds it by, as the core's words begin; null: nothing, or its turn in line. */
export function heldBy({
  deploy,
  waiting,
}: Pick<MessageFacts, 'deploy' | 'waiting'>): 'lock' | 'freeze' | null {
  if (deploy.phase !== 'ready' || waiting === null) return null
  const [, word] = /^(?:Everything|\S+|\S+ in \S+) is (locked by|frozen) /.exec(waiting) ?? []
  return word === undefined ? null : word === 'frozen' ? 'freeze' : 'lock'
}

/** How many approvals it still needs. */
export function approvalsLeft({ approval }: Deploy): number {
  const given = approval?.votes.filter(vote => vote.decision === 'approve').length ?? 0
  return Math.max(0, (approval?.required ?? 0) - given)
}

/** The first line and the plain text for where the deploy stands; `command` is the slash command, with its slash. */
export function stateOf(facts: MessageFacts, command: string): State {
  const { deploy } = facts
  const { mark, words, ended } = standing(facts)
  const where = md`*${deploy.environment}*`
  const headline = ended ?? joined([titled(deploy), where, md`${words}`], ' · ')
  return {
    headline: { mrkdwn: `${emoji[mark]} ${headline.mrkdwn}` },
    text: `${plainTitle(deploy)} → ${deploy.environment}: ${slackCommands(plainEnd(facts, words), command, deploy.environment)}`,
  }
}

type Standing = {
  readonly mark: keyof typeof emoji
  readonly words: string
  /** The whole headline where it is a sentence of its own. */
  readonly ended?: Mrkdwn
}

function standing(facts: MessageFacts): Standing {
  const { deploy, planned } = facts
  switch (deploy.phase) {
    case 'requested':
    case 'preparing': {
      const again = (planned?.voided.length ?? 0) > 0
      return { mark: 'waiting', words: again ? 'what would run changed, preparing again' : 'preparing' }
    }
    case 'awaiting_approval': {
      const all = deploy.approval?.required ?? 1
      const words = `waiting for ${approvalsLeft(deploy)} of ${all} ${all === 1 ? 'approval' : 'approvals'}`
      return { mark: 'waiting', words }
    }
    case 'ready':
      if (heldBy(facts)) return { mark: 'held', words: heldBy(facts) === 'lock' ? 'locked' : 'frozen' }
      return { mark: 'waiting', words: facts.waiting ? 'waiting in line' : 'about to start' }
    case 'running':
      return { mark: 'running', words: `${doing(facts)}, ${took(elapsed(facts))}` }
    case 'rolling_back': {
      const why = deploy.cancelledBy ? 'cancelled' : 'failed'
      return { mark: 'back', words: `${why}, rolling back${backTo(deploy)}, ${took(elapsed(facts))}` }
    }
    default:
      return ending(facts)
  }
}

function ending(facts: MessageFacts): Standing {
  const { deploy } = facts
  const { environment, phase } = deploy
  const what = whatRan(deploy)
  const where = md`*${environment}*`
  const time = took(elapsed(facts))
  switch (phase) {
    case 'succeeded':
      return {
        mark: 'done',
        words: doneWords(facts),
        ended: joined([done(deploy), readyOf(facts), md`took ${time}`], ' · '),
      }
    case 'rolled_back':
      return {
        mark: 'back',
        words: `failed, rolled back${backTo(deploy)}`,
        ended: joined([md`${what} failed in ${where}, rolled back${to(deploy)}`, md`${time}`], ' · '),
      }
    case 'rollback_failed':
      return {
        mark: 'failed',
        words: `failed, and the rollback${backTo(deploy)} failed too`,
        ended: joined(
          [md`${what} failed in ${where}, and the rollback${to(deploy)} failed too`, md`${time}`],
          ' · ',
        ),
      }
    case 'cancelled': {
      const by = deploy.cancelledBy ? ` by ${deploy.cancelledBy.name}` : ''
      const undone = deploy.rollback ? `, rolled back${backTo(deploy)}` : ''
      return { mark: 'ended', words: `cancelled${by}${undone}` }
    }
    case 'denied':
      return { mark: 'ended', words: 'denied' }
    case 'expired':
      return { mark: 'ended', words: 'expired, nobody approved it in time' }
    case 'superseded':
      return { mark: 'ended', words: 'superseded by a newer one' }
    default:
      return {
        mark: 'failed',
        words: 'failed',
        ended: joined([md`${what} failed in ${where}`, md`${time}`], ' · '),
      }
  }
}

const doneWords = (facts: MessageFacts): string => {
  const { progress } = facts
  const ready = progress && progress.wanted > 0 ? `, ${progress.ready}/${progress.wanted} ready` : ''
  return facts.deploy.kind === 'delete' ? 'deleted' : `live${ready}`
}

/** A failure says why in the same line: a notification may be all that somebody sees. */
function plainEnd({ deploy, diagnosis }: MessageFacts, words: string): string {
  const cause = diagnosis?.cause.message ?? deploy.cause?.message ?? ''
  const isFailure = ['failed', 'rolled_back', 'rollback_failed', 'denied'].includes(deploy.phase)
  return isFailure && cause ? `${words}: ${oneLine(cause).slice(0, 300)}` : words
}

/** `*web* 1.4.2`, or what kind of change it was. */
const whatRan = (deploy: Deploy): Mrkdwn =>
  deploy.kind === 'deploy' || deploy.kind === 'redeploy'
    ? joined([md`*${deploy.app}*`, revisionOf(deploy.revision)])
    : titled(deploy)

function done(deploy: Deploy): Mrkdwn {
  const { app, kind, params, environment, revision } = deploy
  const where = md`*${environment}*`
  switch (kind) {
    case 'delete':
      return md`*${app}* is deleted from ${where}`
    case 'scale':
      return md`*${app}* runs ${params.replicas ?? '?'} times in ${where}`
    case 'restart':
      return md`*${app}* is restarted in ${where}`
    case 'adopt':
      return md`${params.adopt?.kind ?? 'It'} ${params.adopt?.name ?? ''} is *${app}*'s in ${where}`
    case 'rollback':
      return md`*${app}* is back to ${revisionOf(revision)} in ${where}`
    default:
      return md`*${app}* ${revisionOf(revision)} is live in ${where}`
  }
}

/** `6/6 ready`; nothing where no pods were counted. */
export const readyOf = ({ progress }: Pick<MessageFacts, 'progress'>): Mrkdwn =>
  progress && progress.wanted > 0 ? md`${progress.ready}/${progress.wanted} ready` : nothing

const to = ({ rollback }: Deploy): Mrkdwn => (rollback ? md` to ${revisionOf(rollback.revision)}` : nothing)
const backTo = ({ rollback }: Deploy): string => (rollback ? ` to ${shortRevision(rollback.revision)}` : '')

/** How long it ran; what waits for people does not count. */
export const elapsed = ({ deploy, now }: Pick<MessageFacts, 'deploy' | 'now'>): number =>
  (deploy.endedAt ?? now) - (deploy.startedAt ?? deploy.requestedAt)

/** `rolling out`, `publishing its code`, `at before`. */
function doing({ deploy }: MessageFacts): string {
  const step = deploy.steps.find(one => one.state === 'running')
  if (!step) return 'running'
  return stepDoing(step)
}
