// The entry of a deploy's thread that asks for approval, with the whole difference. Where the deploy is told in the thread
// of a build nobody would see that it asks: then it is shown in the channel, with buttons, until it is decided.
import type { Deploy } from '../../../core/deploy.ts'
import type { MessageFacts, ThreadEntry } from '../../../core/messages.ts'
import { redactText } from '../../../core/redact.ts'
import { actions, type Block, section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { codeBlock, joined, type Mrkdwn, md, nothing } from '../blocks/mrkdwn.ts'
import { approvalButtons, shownId } from './buttons.ts'
import { changesLines, commitsLine, type Options } from './lines.ts'
import { clockTime, nameOf, namesOf } from './names.ts'
import { approvalsLeft, plainTitle, stateOf, titled } from './state.ts'
import { entry, line } from './thread-entry.ts'

/** Of what is approved: a request that was prepared again is another one. */
const keyOf = (deploy: Deploy): string => `request-${roundOf(deploy)}`
const roundOf = ({ prepared }: Deploy): string => prepared?.hash.slice(0, 8) ?? ''

export function requestEntries(
  facts: MessageFacts,
  { who, options }: { readonly who: Mrkdwn; readonly options: Options },
): ThreadEntry[] {
  const { deploy, now, inThread = false } = facts
  if (!deploy.approval) return []
  if (deploy.phase !== 'awaiting_approval') return inThread ? decided(deploy) : []
  const left = approvalsLeft(deploy)
  const until = clockTime(deploy.approval.expiresAt, now)
  const waits = `It waits for ${left} ${left === 1 ? 'approval' : 'approvals'}, until ${until}`
  const { blocks, files } = difference(facts)
  const plain = md`${who}: it waits for ${left} ${left === 1 ? 'approval' : 'approvals'}, until ${until}.`
  if (!inThread) return [entry(keyOf(deploy), fitted(waits, [section(plain), ...blocks]), { files })]
  const { headline, text } = stateOf(facts, options.command)
  const at = { command: options.command, environment: deploy.environment, inThread: true }
  const words = joined(
    [headline, md`asked by ${who}, until ${until}`, commitsLine(facts), changesLines(facts.planned, at)],
    '\n',
  )
  const buttons = actions(approvalButtons(facts), shownId(deploy))
  return [
    entry(keyOf(deploy), fitted(text, [section(words), ...buttons]), { broadcast: true, edit: 'too' }),
    ...(blocks.length > 0
      ? [entry(`diff-${roundOf(deploy)}`, fitted(`What ${plainTitle(deploy)} changes`, blocks), { files })]
      : []),
  ]
}

const inlineDiff = { letters: 2500, lines: 40 }

/** Short in the message, long as a file. */
function difference({ deploy, planned }: MessageFacts): {
  readonly blocks: readonly Block[]
  readonly files: ThreadEntry['files']
} {
  // An env value is judged by its name before; this is for what only its shape gives away.
  const diff = redactText(planned?.diff ?? '').trimEnd()
  if (diff === '') return { blocks: [], files: [] }
  if (diff.length <= inlineDiff.letters && diff.split('\n').length <= inlineDiff.lines)
    return { blocks: [section(codeBlock(diff))], files: [] }
  // Names are unique in a thread: a file that may have been uploaded is looked up by its name.
  const name = `${deploy.app}-${deploy.environment}-${roundOf(deploy)}.diff`
  const title = `What ${deploy.app} changes in ${deploy.environment}`
  return {
    blocks: [section(md`The full diff is in the file.`)],
    files: [{ name, title, content: `${diff}\n` }],
  }
}

/** In place of the buttons: what was decided. */
function decided(deploy: Deploy): ThreadEntry[] {
  if (deploy.phase === 'requested' || deploy.phase === 'preparing') return []
  const { plain, words } = decision(deploy)
  const text = `${plainTitle(deploy)} → ${deploy.environment}: ${plain}`
  const said = joined([md`${titled(deploy)} · *${deploy.environment}*`, words], ' · ')
  return [entry(keyOf(deploy), line(text, said), { edit: 'only' })]
}

function decision({ phase, approval, overridden }: Deploy): {
  readonly plain: string
  readonly words: Mrkdwn
} {
  const votes = approval?.votes ?? []
  const denied = votes.findLast(vote => vote.decision === 'deny')
  if (denied) return { plain: `denied by ${denied.by.name}`, words: md`denied by ${nameOf(denied.by)}` }
  if (overridden)
    return { plain: `overridden by ${overridden.by.name}`, words: md`overridden by ${nameOf(overridden.by)}` }
  const given = votes.filter(vote => vote.decision === 'approve').map(vote => vote.by)
  if (given.length >= (approval?.required ?? 1))
    return {
      plain: 'approved',
      words: joined([md`approved`, given.length > 0 ? md`by ${namesOf(given)}` : nothing]),
    }
  return { plain: phase, words: md`${phase}, not approved` }
}
