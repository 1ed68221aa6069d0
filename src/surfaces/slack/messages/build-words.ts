// How a build stands, in one line: its mark, its name with a link, the result with its time, where it comes from. The
// same in plain words for notifications and for answers. Pure; the rest of the message is build.ts.
import { type Build, isOver, type PendingInput } from '../../../core/builds/build.ts'
import { took } from '../../../core/words.ts'
import { cut, joined, link, type Mrkdwn, md, nothing } from '../blocks/mrkdwn.ts'
import { nameOf } from './names.ts'

/** As on the message of a deploy: what the state looks like. */
const emoji = {
  waiting: ':hourglass_flowing_sand:',
  running: ':arrows_counterclockwise:',
  done: ':white_check_mark:',
  failed: ':x:',
  ended: ':no_entry:',
} as const

type Facts = { readonly build: Build; readonly now: number }

/** `shop/web #214`, `shop/web`: not escaped. */
export const plainBuild = ({ job, number }: Pick<Build, 'job' | 'number'>): string =>
  [cut(job, 120), number === null ? '' : `#${number}`].filter(Boolean).join(' ')

/** The same, with a link where its address is known. */
export const linkedBuild = (build: Build): Mrkdwn => {
  const words = plainBuild(build)
  return md`*${build.url ? link(build.url, words) : words}*`
}

/** The input that waits for somebody now. */
export const asked = ({ phase, inputs }: Build): PendingInput | undefined =>
  isOver(phase) ? undefined : inputs.find(input => !input.over && input.answer === null)

/** It ended as a failure of the code or its tests: not aborted, not left out. */
export const hasFailed = ({ phase, result }: Pick<Build, 'phase' | 'result'>): boolean =>
  phase === 'finished' && (result === 'FAILURE' || result === 'UNSTABLE')

type Standing = { readonly mark: keyof typeof emoji; readonly words: string }

/** The first line, and the plain text beside the blocks; `by`: whose changes, `tests`: how they went. */
export function buildHeadline(
  facts: Facts,
  { by = nothing, tests = '' }: { readonly by?: Mrkdwn; readonly tests?: string } = {},
): { readonly headline: Mrkdwn; readonly text: string } {
  const { build } = facts
  const { mark, words } = standing(facts)
  const branch = build.branch === null ? nothing : md`${cut(build.branch, 80)}`
  const line = joined([md`${linkedBuild(build)} ${words}`, branch, by, md`${tests}`], ' · ')
  return {
    headline: { mrkdwn: `${emoji[mark]} ${line.mrkdwn}` },
    text: `${plainBuild(build)}: ${[words, tests].filter(Boolean).join(', ')}`,
  }
}

function standing({ build, now }: Facts): Standing {
  switch (build.phase) {
    case 'asked':
      return { mark: 'waiting', words: 'is about to be asked of Jenkins' }
    case 'queued':
      return { mark: 'waiting', words: 'waits in Jenkins’ queue' }
    case 'running':
    case 'finishing':
      return going({ build, now })
    case 'finished':
      return finished(build)
    case 'cancelled':
      return {
        mark: 'ended',
        words: `was taken out of the queue${build.stop ? ` by ${build.stop.by.name}` : ''}`,
      }
    case 'not_started':
      return build.joined
        ? { mark: 'ended', words: 'joined a build that waited in the queue already' }
        : { mark: 'failed', words: 'was not started' }
    case 'lost':
      return { mark: 'ended', words: 'is not known to Jenkins any more' }
  }
}

function going({ build, now }: Facts): Standing {
  const input = asked(build)
  if (input) return { mark: 'waiting', words: `waits for an answer: ${cut(input.message, 120)}` }
  if (build.phase === 'finishing') {
    const ended = build.result === null ? 'is finishing' : resultWords(build)
    return {
      mark: 'running',
      words: build.result !== null && !build.verified ? `${ended}, not confirmed yet` : ended,
    }
  }
  const elapsed = took(Math.max(0, now - (build.startedAt ?? now)))
  const what = build.stop?.state === 'wanted' || build.stop?.state === 'sent' ? 'is being stopped' : 'runs'
  return { mark: 'running', words: `${what}, ${elapsed}${usual(build)}` }
}

function finished(build: Build): Standing {
  const words = resultWords(build)
  const time =
    build.durationMs === null
      ? ''
      : `${build.result === 'SUCCESS' ? ' in' : ' after'} ${took(build.durationMs)}`
  const said = `${words}${time}${build.result === 'SUCCESS' ? usual(build) : ''}`
  // Jenkins never confirmed what a hook told.
  if (build.toldAt !== null) return { mark: 'ended', words: `${said}, never confirmed` }
  if (build.result === 'SUCCESS')
    return { mark: 'done', words: build.turn === 'back_to_normal' ? `${said}: back to normal` : said }
  return { mark: hasFailed(build) ? 'failed' : 'ended', words: `${said}${since(build)}` }
}

const since = ({ turn, failingSince, number }: Build): string =>
  turn === 'still_failing' && failingSince !== null && failingSince !== number
    ? `, failing since #${failingSince}`
    : ''

function resultWords({ result, stop, turn }: Build): string {
  switch (result) {
    case 'SUCCESS':
      return 'passed'
    case 'UNSTABLE':
      return turn === 'still_failing' ? 'is still unstable' : 'is unstable'
    case 'FAILURE':
      return turn === 'still_failing' ? 'failed again' : 'failed'
    case 'ABORTED':
      return stop && stop.state !== 'refused' ? `was stopped by ${stop.by.name}` : 'was aborted'
    case 'NOT_BUILT':
      return 'was not built'
    default:
      return 'ended, Jenkins does not say how'
  }
}

/** ` (usual 3 m 10 s)`; nothing where Jenkins has no idea. */
const usual = ({ usualMs }: Build): string => (usualMs && usualMs > 0 ? ` (usual ${took(usualMs)})` : '')

/** `412 tests`, `3 of 412 tests fail`; nothing where there is no report. */
export function testWords({ tests }: Pick<Build, 'tests'>): string {
  if (!tests || tests.total === 0) return ''
  const noun = tests.total === 1 ? 'test' : 'tests'
  return tests.failed > 0 ? `${tests.failed} of ${tests.total} ${noun} fail` : `${tests.total} ${noun}`
}

/** Somebody of Slack, by a mention that pings them; null: not of Slack. */
const pinged = (slack: string | null): Mrkdwn | null =>
  slack !== null && /^[UW][A-Z0-9]{2,}$/.test(slack) ? { mrkdwn: `<@${slack}>` } : null

type Author = { readonly name: string; readonly slack: string | null }

const authorsOf = ({ changes }: Pick<Build, 'changes'>): readonly Author[] => [
  ...new Map(
    changes.map(({ author, slack }) => [slack ?? author, { name: author, slack }] as const),
  ).values(),
]

const mostNames = { calm: 1, loud: 4 }

/** `ana +2`: whose changes; on a failure the first ones are mentioned where they are known in Slack, but `besides`. */
export function authorsLine(build: Build, how: keyof typeof mostNames, besides: Mrkdwn = nothing): Mrkdwn {
  const authors = authorsOf(build).filter(
    ({ slack }) => slack === null || pinged(slack)?.mrkdwn !== besides.mrkdwn,
  )
  const shown = authors.slice(0, mostNames[how])
  const more = authors.length - shown.length
  const names = shown.map(
    ({ name, slack }) => (how === 'loud' && pinged(slack)) || nameOf({ id: '', name: cut(name, 60) }),
  )
  return joined([joined(names, ', '), more > 0 ? md`+${more}` : nothing])
}

/** Who asked for it, mentioned: by gkube, else by Jenkins; nothing where nobody of Slack did. */
export const askerOf = (
  { askedBy, startedBy }: Pick<Build, 'askedBy' | 'startedBy'>,
  mention: (actor: NonNullable<Build['askedBy']>) => string,
): Mrkdwn => (askedBy ? { mrkdwn: mention(askedBy) } : (pinged(startedBy?.slack ?? null) ?? nothing))
