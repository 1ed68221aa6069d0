// The one message of a deploy: the state in its first line, then what matters in that state, then the buttons that fit
// it. It mentions nobody: an edit pings no one, and a post should not. What is worth waking up for is thread.ts.
import { isTerminal } from '../../../core/deploy.ts'
import type { MessageFacts, Rendered } from '../../../core/messages.ts'
import { actions, type Block, context, section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { joined, type Mrkdwn, md, nothing, prose } from '../blocks/mrkdwn.ts'
import { slackCommands } from '../blocks/slack-commands.ts'
import { buttonsOf, shownId } from './buttons.ts'
import {
  changesLines,
  commitsLine,
  failureLines,
  type Options,
  overrideLine,
  progressLine,
  stepsLine,
  whatLine,
  whoLine,
} from './lines.ts'
import { nameOf, revisionOf } from './names.ts'
import { stateOf } from './state.ts'

export function mainMessage(facts: MessageFacts, options: Options): Rendered {
  const { headline, text } = stateOf(facts, options.command)
  return fitted(text, [
    section(headline),
    ...said(overrideLine(facts.deploy)),
    ...body(facts, options),
    ...actions(buttonsOf(facts), shownId(facts.deploy)),
  ])
}

/** A section, where there is something to say. */
const said = (text: Mrkdwn): Block[] => (text.mrkdwn === '' ? [] : [section(text)])

function body(facts: MessageFacts, options: Options): Block[] {
  const { deploy, planned } = facts
  const at = { command: options.command, environment: deploy.environment, inThread: true }
  const who = whoLine(facts, options)
  switch (deploy.phase) {
    case 'requested':
    case 'preparing':
      return context(who)
    case 'awaiting_approval':
      return [
        ...context(who, whatLine(facts)),
        ...said(changesLines(planned, at)),
        ...said(commitsLine(facts)),
      ]
    case 'ready':
      return [
        ...said(prose(slackCommands(waitingWords(facts), at.command, at.environment), 1000)),
        ...context(who, whatLine(facts)),
      ]
    case 'running':
      return [...said(stepsLine(facts)), ...context(progressLine(facts)), ...context(who)]
    case 'rolling_back':
      return [
        ...said(failureLines(facts, options.command)),
        ...said(stepsLine(facts)),
        ...context(progressLine(facts)),
        ...context(who),
      ]
    case 'succeeded':
      return context(joined([was(facts), who], ' · '))
    case 'failed':
    case 'rolled_back':
    case 'rollback_failed':
      return [...said(failureLines(facts, options.command)), ...context(who)]
    default:
      return [...said(whyEnded(facts)), ...context(who)]
  }
}

/** What it waits for, without the words that the first line has. */
const waitingWords = ({ waiting }: MessageFacts): string =>
  (waiting ?? '').replace(/^waiting(: | (?=behind))/, '').replace(/^behind/, 'Behind')

function was({ deploy }: MessageFacts): Mrkdwn {
  const before = deploy.prepared?.base.revision
  return before && before !== deploy.revision ? md`was ${revisionOf(before)}` : nothing
}

/** Cancelled, denied, expired, superseded: by whom and why. */
function whyEnded({ deploy }: MessageFacts): Mrkdwn {
  if (!isTerminal(deploy.phase)) return nothing
  const denied = deploy.approval?.votes.findLast(vote => vote.decision === 'deny')
  if (deploy.phase === 'denied' && denied)
    return denied.reason ? md`${nameOf(denied.by)}: “${denied.reason}”` : md`by ${nameOf(denied.by)}`
  if (deploy.phase === 'cancelled' && deploy.startedAt !== null && !deploy.rollback)
    return md`What had begun stays as it is.`
  return nothing
}
