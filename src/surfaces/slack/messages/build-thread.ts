// The thread of a build: an input that waits, a first failure with the end of its console, back to normal, and where a
// person may deploy it. What is worth waking up for is shown in the channel too, unless the message itself was posted
// there at that moment. Entries that ask are edited when they are answered. Pure.
import { type Build, isOver, type PendingInput } from '../../../core/builds/build.ts'
import { type Actor, isTerminal } from '../../../core/deploy.ts'
import { sha256 } from '../../../core/hash.ts'
import { hidden, looksSecret } from '../../../core/mask.ts'
import type { BuildMessageFacts, ThreadEntry } from '../../../core/messages.ts'
import { redactText } from '../../../core/redact.ts'
import { actions, type Block, section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { cut, joined, link, type Mrkdwn, md, nothing, prose } from '../blocks/mrkdwn.ts'
import { type Environments, inputButtons, offerButton } from './build-buttons.ts'
import { deployed, failedTests, newestDeploys, openOffers, placeWords, tellingLine } from './build-lines.ts'
import {
  askerOf,
  authorsLine,
  buildHeadline,
  hasFailed,
  linkedBuild,
  plainBuild,
  testWords,
} from './build-words.ts'
import { clockTime, nameOf, revisionOf, shortRevision } from './names.ts'
import { entry, line } from './thread-entry.ts'

type Options = {
  readonly mention: (actor: Actor) => string
  readonly environments: Environments
}

export const buildThread = (facts: BuildMessageFacts, options: Options): readonly ThreadEntry[] => [
  ...inputs(facts, options),
  ...failure(facts, options),
  ...backToNormal(facts),
  ...loudOffers(facts, options),
  ...notStarted(facts, options),
]

/** Posted in the channel when it had ended: whoever looks there has seen it just now. */
const isFresh = ({ build, events, inThread }: BuildMessageFacts): boolean =>
  (events === 'changes' || events === 'failures') && !inThread && build.inputs.length === 0

function inputs({ build, now }: BuildMessageFacts, options: Options): ThreadEntry[] {
  return build.inputs.map(input => {
    const waits = !input.over && input.answer === null && !isOver(build.phase)
    const words = waits ? asks(build, input, options) : answered(build, input, now)
    const blocks: Block[] = [section(words), ...(waits ? actions(inputButtons(build, input)) : [])]
    const state = waits ? 'waits for an answer' : 'was answered'
    return entry(
      `input-${sha256(input.id).slice(0, 12)}-${input.askedAt}`,
      fitted(`${plainBuild(build)} ${state}: ${cut(input.message, 300)}`, blocks),
      // Who has to answer hears of it in the channel; that it is answered is said in its place.
      { broadcast: waits, edit: waits ? 'too' : 'only' },
    )
  })
}

function asks(build: Build, input: PendingInput, options: Options): Mrkdwn {
  const who = askerOf(build, options.mention)
  const only = input.submitters.slice(0, 5).join(', ')
  return joined(
    [
      md`${joined([who, md`${linkedBuild(build)} asks:`])} ${prose(input.message, 1000)}`,
      only === '' ? nothing : md`Jenkins takes the answer of ${only} only.`,
    ],
    '\n',
  )
}

function answered(build: Build, input: PendingInput, now: number): Mrkdwn {
  const question = md`${linkedBuild(build)} asked: ${prose(input.message, 1000)}`
  const { answer } = input
  if (!answer)
    return joined([question, md`It is not asked any more: answered in Jenkins, or the build ended.`], '\n')
  const said = answer.decision === 'abort' ? 'Abort' : input.proceed || 'Proceed'
  const by = md`*${cut(said, 100)}*, by ${nameOf(answer.by)} at ${clockTime(answer.at, now)}`
  const where = build.url ? link(build.url, 'in Jenkins') : md`in Jenkins`
  const became =
    answer.state === 'refused'
      ? md`. Jenkins refused it; it can be answered ${where}.`
      : answer.state === 'wanted'
        ? md`; Jenkins is being told.`
        : md`.`
  const values = Object.entries(answer.parameters)
    .slice(0, 10)
    .map(([name, value]) =>
      redactText(`${cut(name, 60)}=${looksSecret(name, value) ? hidden : cut(value, 100)}`),
    )
    .join(', ')
  return joined([question, md`${by}${became}`, md`${values}`, prose(answer.note, 500)], '\n')
}

const failedTestsShown = 15

/** First failure: who may know why, what fails, and the end of the console. Repeats are quiet: the console only. */
function failure(facts: BuildMessageFacts, { mention }: Options): ThreadEntry[] {
  const { build, console, now } = facts
  if (!hasFailed(build)) return []
  const lines = console?.lines ?? []
  const telling = tellingLine(lines)
  const files = consoleFile(build, lines)
  const isRepeat = build.turn === 'still_failing'
  if (isRepeat || isFresh(facts)) {
    if (files.length === 0) return []
    const words = joined([md`The end of its console:`, telling])
    return [entry('console', line(`The end of the console of ${plainBuild(build)}`, words), { files })]
  }
  const asker = askerOf(build, mention)
  const by = joined([asker, authorsLine(build, 'loud', asker)], ', ')
  const { headline, text } = buildHeadline({ build, now }, { by, tests: testWords(build) })
  const words = joined([headline, failedTests(build, failedTestsShown), telling], '\n')
  return [entry('failed', line(text, words), { broadcast: true, files })]
}

const consoleFile = (build: Build, lines: readonly string[]): ThreadEntry['files'] =>
  lines.every(line => line.trim() === '')
    ? []
    : [
        {
          name: `${build.job.replaceAll(/[^\w.-]+/g, '-').slice(-80)}-${build.number ?? build.id}-console.txt`,
          title: `The end of the console of ${plainBuild(build)}`,
          content: `${redactText(lines.join('\n'))}\n`,
        },
      ]

/** An edit is seen by nobody: it is said, where the message was there before. */
function backToNormal(facts: BuildMessageFacts): ThreadEntry[] {
  const { build, now } = facts
  if (build.phase !== 'finished' || build.turn !== 'back_to_normal' || isFresh(facts)) return []
  const { headline, text } = buildHeadline({ build, now })
  return [entry('back-to-normal', line(text, headline), { broadcast: true })]
}

/** `production can have 1.4.2 [Deploy to production]`; what became of it in its place once somebody took it. */
function loudOffers(facts: BuildMessageFacts, { environments }: Options): ThreadEntry[] {
  const { build } = facts
  const open = isFresh(facts) ? [] : openOffers(build).filter(offer => offer.loud)
  const offered = open.map(offer => {
    const place = placeWords(build, offer)
    const words = md`*${place}* can have ${revisionOf(offer.revision)} of ${linkedBuild(build)}`
    const text = `${place} can have ${shortRevision(offer.revision)} of ${plainBuild(build)}`
    const blocks = [section(words), ...actions([offerButton(build, offer, environments)])]
    return entry(offerKey(offer), fitted(text, blocks), { broadcast: true, edit: 'too' })
  })
  const taken = newestDeploys(build)
    .filter(one => !open.some(offer => offerKey(offer) === offerKey(one)))
    .map(one => {
      const place = placeWords(build, one)
      const became = isTerminal(one.phase)
        ? deployed(one.phase, revisionOf(one.revision))
        : md`${revisionOf(one.revision)} is being deployed`
      const words = md`*${place}*: ${became}, of ${linkedBuild(build)}`
      const text = `${place}: ${shortRevision(one.revision)} of ${plainBuild(build)} was asked for`
      return entry(offerKey(one), line(text, words), { edit: 'only' })
    })
  return [...offered, ...taken]
}

const offerKey = ({ environment, app }: { readonly environment: string; readonly app: string }): string =>
  `offer-${environment}_${app}`

/** Who asked for it does not look again: they are told. */
function notStarted({ build, now }: BuildMessageFacts, { mention }: Options): ThreadEntry[] {
  if (build.phase !== 'not_started' || build.joined !== null || !build.askedBy) return []
  const { headline, text } = buildHeadline({ build, now })
  const words = joined([joined([askerOf(build, mention), headline], ': '), prose(build.note, 1000)], '\n')
  return [entry('not-started', line(text, words))]
}
