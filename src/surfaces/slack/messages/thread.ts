// The thread of a deploy: one entry for each thing worth waking up for, none for each step. Keys are stable, so that an
// entry is posted once; what is said of a moment is only asked for while that moment lasts. Who asked is mentioned on
// waiting and failure. Only what ended badly is shown in the channel too, and an override, which must be loud.
import type { Actor, Deploy } from '../../../core/deploy.ts'
import type { MessageFacts, ThreadEntry } from '../../../core/messages.ts'
import { timeText } from '../../../core/units.ts'
import { hookTitle, stepTitle, took } from '../../../core/words.ts'
import { type Block, section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { codeBlock, joined, type Mrkdwn, md, prose } from '../blocks/mrkdwn.ts'
import { slackCommands } from '../blocks/slack-commands.ts'
import { type Options, overrideLine } from './lines.ts'
import { nameOf, revisionOf, shortRevision } from './names.ts'
import { requestEntries } from './request-entry.ts'
import { heldBy, stateOf } from './state.ts'
import { entry, line } from './thread-entry.ts'

type ThreadOptions = Options & { readonly mention: (actor: Actor) => string }

/** Milliseconds in line after which its turn is news. */
const longWait = 60_000
/** What holds it for less than this is not worth a word. */
const shortHold = 10_000

export function threadEntries(facts: MessageFacts, options: ThreadOptions): readonly ThreadEntry[] {
  const who: Mrkdwn = { mrkdwn: options.mention(facts.deploy.requestedBy) }
  return [
    ...voided(facts, who),
    ...requestEntries(facts, { who, options }),
    ...votes(facts.deploy, who),
    ...override(facts),
    ...held(facts, { who, options }),
    ...turn(facts, who),
    ...hooks(facts),
    ...cause(facts, options),
    ...goingBack(facts),
    ...ended(facts, { who, options }),
  ]
}

function voided({ deploy, planned }: MessageFacts, who: Mrkdwn): ThreadEntry[] {
  if (!planned || planned.voided.length === 0) return []
  // Where nothing asks for approval it was a break-glass: a freeze holds it again.
  const heldAgain = deploy.phase === 'ready' && deploy.approval === null && deploy.overridden === null
  if (deploy.phase !== 'preparing' && deploy.phase !== 'awaiting_approval' && !heldAgain) return []
  const names = planned.voided.slice(0, 5).join(', ')
  const since = joined(
    planned.since.slice(0, 10).map(one => md`• ${prose(one, 200)}`),
    '\n',
  )
  return [
    entry(
      `voided-${planned.at}`,
      line(
        `What would run changed: ${heldAgain ? `what ${names} decided is` : `the votes of ${names} are`} void`,
        joined(
          [
            heldAgain
              ? md`${who}: what would run changed, so what ${names} decided is void. What held it holds it again.`
              : md`${who}: what would run changed, so the votes of ${names} are void. It asks for approval again.`,
            since,
          ],
          '\n',
        ),
      ),
    ),
  ]
}

/** Who approved or denied, and what they said. */
function votes(deploy: Deploy, who: Mrkdwn): ThreadEntry[] {
  const { approval } = deploy
  if (!approval) return []
  return approval.votes.map(({ by, decision, reason, hash }, i) => {
    const said = reason ? `: ${reason}` : ''
    const quoted = reason ? md`: “${reason}”` : md`.`
    const key = `vote-${by.id
      .replace(/^slack:/, '')
      .replace(/[^\w-]/g, '_')
      .slice(0, 60)}-${decision}-${hash.slice(0, 8)}-${i}`
    if (decision === 'deny')
      return entry(key, line(`Denied by ${by.name}${said}`, md`${who}: ${nameOf(by)} denied it${quoted}`))
    const given = approval.votes.slice(0, i + 1).filter(vote => vote.decision === 'approve').length
    const count = approval.required > 1 ? ` (${given} of ${approval.required})` : ''
    return entry(
      key,
      line(`Approved by ${by.name}${count}${said}`, md`${nameOf(by)} approved it${count}${quoted}`),
    )
  })
}

function override({ deploy }: MessageFacts): ThreadEntry[] {
  const { overridden } = deploy
  if (!overridden) return []
  const what = `${deploy.app} ${shortRevision(deploy.revision)} → ${deploy.environment}`
  const text = `OVERRIDDEN by ${overridden.by.name}: ${what}: ${overridden.reason}`
  const words = joined(
    [overrideLine(deploy), md`*${deploy.app}* ${revisionOf(deploy.revision)} → *${deploy.environment}*`],
    '\n',
  )
  // Asked for in a quiet corner, it is heard where the others are all the same.
  // What was overridden for something else is void: the next one is told as loudly.
  const key = `override-${overridden.at}`
  return [{ ...entry(key, line(text, words), { broadcast: true }), loud: true }]
}

/** A person holds it: somebody can do something about that. */
function held(facts: MessageFacts, { who, options }: { who: Mrkdwn; options: ThreadOptions }): ThreadEntry[] {
  const { deploy, now, waiting } = facts
  const by = heldBy(facts)
  if (!by || !waiting || now - (deploy.readyAt ?? now) < shortHold) return []
  const words = slackCommands(waiting, options.command, deploy.environment)
  return [entry(`held-by-${by}`, line(`Held: ${words}`, md`${who}: it is held. ${prose(words)}`))]
}

function turn({ deploy }: MessageFacts, who: Mrkdwn): ThreadEntry[] {
  const { readyAt, startedAt } = deploy
  if (deploy.phase !== 'running' || readyAt === null || startedAt === null) return []
  const waited = startedAt - readyAt
  if (waited < longWait) return []
  const words = `it runs now, after ${took(waited)} in line`
  return [entry('your-turn', line(`Your turn: ${words}`, md`${who}: your turn, ${words}.`))]
}

const inlineLines = 6

/** What a hook said that went well; of one that failed the cause tells. */
function hooks({ deploy, hooks: all = [] }: MessageFacts): ThreadEntry[] {
  return all
    .filter(one => one.cause === null)
    .map(({ step, name, startedAt, endedAt, lines }) => {
      const title = hookTitle(step, name)
      const text = `${title} done in ${took(endedAt - startedAt)}`
      const shown = shownLines(lines)
      const file = `${deploy.app}-${deploy.environment}-${step}.log.txt`
      return entry(
        `hook-${step}`,
        fitted(text, [
          section(md`${text}${shown.all ? '' : ', its last lines:'}`),
          ...(lines.length > 0 ? [section(codeBlock(shown.text))] : []),
        ]),
        {
          files: shown.all
            ? []
            : [{ name: file, title: `Log of ${title}`, content: `${lines.join('\n')}\n` }],
        },
      )
    })
}

/** What fits a message: all of a short log, the last lines of a long one. */
function shownLines(lines: readonly string[]): { text: string; all: boolean } {
  const text = lines.join('\n')
  if (lines.length <= inlineLines && text.length <= 2000) return { text, all: true }
  const last = lines.slice(-inlineLines).map(one => one.slice(-400))
  return { text: last.join('\n'), all: false }
}

/** Why, seen, try; then the evidence: short inline, long as files. */
function cause({ deploy, diagnosis }: MessageFacts, options: ThreadOptions): ThreadEntry[] {
  if (!diagnosis) return []
  const at = { command: options.command, environment: deploy.environment }
  const words = joined(
    [
      md`*Why*: ${prose(slackCommands(diagnosis.cause.message, at.command, at.environment))}`,
      ...list('Seen', diagnosis.seen),
      ...list(
        'Try',
        diagnosis.tries.map(one => slackCommands(one, at.command, at.environment)),
      ),
    ],
    '\n',
  )
  const log = logPart(deploy, diagnosis.log)
  const events = eventsFile(deploy, diagnosis.events)
  return [
    entry('cause', fitted(`Why: ${diagnosis.cause.message}`, [section(words), ...log.blocks]), {
      files: [...log.files, ...events],
    }),
  ]
}

const list = (name: string, lines: readonly string[]): Mrkdwn[] => {
  const [first, ...more] = lines.slice(0, 8)
  if (first === undefined) return []
  return [md`*${name}*: ${prose(first, 500)}`, ...more.map(one => md`• ${prose(one, 300)}`)]
}

type Log = NonNullable<MessageFacts['diagnosis']>['log']

function logPart(deploy: Deploy, log: Log): { blocks: Block[]; files: ThreadEntry['files'][number][] } {
  if (!log || log.lines.length === 0) return { blocks: [], files: [] }
  const title = `${log.previous ? 'The crashed run of' : 'Log of'} ${log.pod}, container ${log.container}`
  const shown = shownLines(log.lines)
  const content = `${log.lines.join('\n')}\n`
  return {
    blocks: [section(md`${title}${shown.all ? ':' : ', its last lines:'}`), section(codeBlock(shown.text))],
    files: shown.all ? [] : [{ name: `${deploy.app}-${deploy.environment}-failure.log.txt`, title, content }],
  }
}

/** Events are for those who dig: a file, unless there are none. */
function eventsFile(
  deploy: Deploy,
  events: NonNullable<MessageFacts['diagnosis']>['events'],
): ThreadEntry['files'][number][] {
  if (events.length === 0) return []
  const lines = events.map(({ at, type, reason, object, count, message }) =>
    [timeText(at), type, reason, object, count > 1 ? `${count}×` : '', message].filter(Boolean).join('  '),
  )
  return [
    {
      name: `${deploy.app}-${deploy.environment}-failure.events.txt`,
      title: `Events about ${deploy.app} in ${deploy.environment}`,
      content: `${lines.join('\n')}\n`,
    },
  ]
}

function goingBack({ deploy }: MessageFacts): ThreadEntry[] {
  const { rollback } = deploy
  if (deploy.phase !== 'rolling_back' || !rollback) return []
  const ran = deploy.steps.find(step => step.name === 'before' && step.state === 'done')
  const stays = ran ? ` ${stepTitle(ran)} ran: migrations are not undone.` : ''
  return [
    entry(
      'rolling-back',
      line(
        `Rolling back to ${shortRevision(rollback.revision)}.${stays}`,
        md`Rolling back to ${revisionOf(rollback.revision)}.${stays}`,
      ),
    ),
  ]
}

const failures = ['failed', 'rolled_back', 'rollback_failed']

/** How it ended, where it ended badly or otherwise than who asked expects. */
function ended(
  facts: MessageFacts,
  { who, options }: { who: Mrkdwn; options: ThreadOptions },
): ThreadEntry[] {
  const { deploy, diagnosis } = facts
  const { headline, text } = stateOf(facts, options.command)
  if (failures.includes(deploy.phase)) {
    const at = { command: options.command, environment: deploy.environment }
    const why = slackCommands(
      diagnosis?.cause.message ?? deploy.cause?.message ?? '',
      at.command,
      at.environment,
    )
    const words = joined([joined([headline, who], ' · '), prose(why)], '\n')
    return [entry('ended', line(text, words), { broadcast: true })]
  }
  if (deploy.phase === 'expired') return [entry('ended', line(text, md`${who}: nobody approved it in time.`))]
  const { cancelledBy } = deploy
  if (deploy.phase === 'cancelled' && cancelledBy && cancelledBy.id !== deploy.requestedBy.id)
    return [entry('ended', line(text, md`${who}: ${nameOf(cancelledBy)} cancelled it.`))]
  return []
}
