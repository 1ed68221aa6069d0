// The message of a Jenkins build in one channel: how it stands in its first line, what fails, what becomes of its
// deploys, and the buttons that fit. It mentions people on a first failure only. Its thread is build-thread.ts.
import { isOver } from '../../../core/builds/build.ts'
import type { BuildMessageFacts, Rendered } from '../../../core/messages.ts'
import { actions, type Block, context, section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { joined, type Mrkdwn, md, nothing, prose } from '../blocks/mrkdwn.ts'
import { buildButtons, type Environments, offerButtons } from './build-buttons.ts'
import { deployLines, failedTests, originLine, pagesLine, stagesLine, timeBar } from './build-lines.ts'
import { authorsLine, buildHeadline, hasFailed, testWords } from './build-words.ts'
import { nameOf } from './names.ts'

const mostTests = 5

export function buildMessage(
  facts: BuildMessageFacts,
  { environments }: { readonly environments: Environments },
): Rendered {
  const { build, now } = facts
  const failed = hasFailed(build)
  const by = authorsLine(build, failed && build.turn !== 'still_failing' ? 'loud' : 'calm')
  const { headline, text } = buildHeadline({ build, now }, { by, tests: testWords(build) })
  const going = build.phase === 'running' || build.phase === 'finishing'
  const [offer, ...offers] = offerButtons(build, environments)
  return fitted(text, [
    section(headline),
    ...(failed ? said(failedTests(build, mostTests)) : []),
    ...(going ? said(stagesLine(build)) : []),
    ...(going ? context(timeBar(build, now)) : []),
    ...said(deployLines(build)),
    ...said(note(facts)),
    ...context(joined([originLine(build), pagesLine(build)], ' · ')),
    // An action is once in a row: the next places have rows of their own.
    ...offers.flatMap(one => actions([one])),
    ...actions([...(offer ? [offer] : []), ...buildButtons(build)]),
  ])
}

/** A section, where there is something to say. */
const said = (text: Mrkdwn): Block[] => (text.mrkdwn === '' ? [] : [section(text)])

/** What the state alone does not say: why it was not started, who stops it. */
function note({ build }: BuildMessageFacts): Mrkdwn {
  const { stop, phase } = build
  const stopping =
    stop === null || isOver(phase)
      ? nothing
      : stop.state === 'refused'
        ? md`${nameOf(stop.by)} wanted to stop it; Jenkins refused that.`
        : md`${nameOf(stop.by)} stops it.`
  return joined([stopping, prose(build.note, 1000)], '\n')
}
