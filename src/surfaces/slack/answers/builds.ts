// Answers about Jenkins builds: one was asked for, the last ones as a table, what a channel is subscribed to, the last
// lines of a console. The message of a build itself is the notifier's.
import type { Build, Subscription } from '../../../core/builds/build.ts'
import { buildBy, buildState, buildTitle, buildTook } from '../../../core/builds/words.ts'
import type { Rendered } from '../../../core/messages.ts'
import { ago } from '../../../core/words.ts'
import { context, section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { code, codeBlock, joined, type Mrkdwn, md, nothing } from '../blocks/mrkdwn.ts'
import type { At } from './at.ts'
import { table } from './table.ts'

/** Letters of console that are read at a glance. */
const mostLog = 2_800

export const said = (text: string, marked: Mrkdwn = md`${text}`): Rendered => fitted(text, [section(marked)])

/** `channel`: id of the channel where its message appears; null: it is told nowhere. */
export function askedAnswer(
  build: Build,
  at: { readonly repeated: boolean; readonly channel: string | null },
): Rendered {
  const state = at.repeated ? `that was asked for already (${buildState(build)}).` : 'got it.'
  const where =
    at.channel !== null && /^[CGD][A-Z0-9]{2,}$/.test(at.channel)
      ? { mrkdwn: ` Follow it in <#${at.channel}>.` }
      : md` No channel shows it: invite gkube to this one.`
  return said(`${buildTitle(build)}: ${state}`, md`*${buildTitle(build)}*: ${state}${where}`)
}

/** Jenkins is asked what the job takes before anything is stored; that may take longer than Slack waits. */
export const slowAnswer = said(
  'Jenkins takes its time. You will hear here whether the build was taken; do not ask again before.',
)

export function buildsAnswer(builds: readonly Build[], at: At & { readonly of: string | null }): Rendered {
  const of = at.of === null ? '' : ` of ${at.of}`
  if (builds.length === 0)
    return said(
      `No builds${of} are known yet.`,
      md`No builds${of} are known yet. ${code(`${at.command} build ${at.of?.includes('/') ? at.of : 'shop/web'}`)}`,
    )
  return fitted(
    `The last ${builds.length} builds${of}`,
    table(builds.map(build => row(build, at.now))),
    md`… and more. All of them: ${code('gkube builds --limit 100')} on the command line.`,
  )
}

const row = (build: Build, now: number): string[] => [
  buildTitle(build),
  buildState(build),
  buildTook(build, now),
  ago(build.endedAt ?? build.startedAt ?? build.seenAt, now),
  build.branch ?? '-',
  buildBy(build),
  build.deploys.map(one => `${one.environment} ${one.revision}`).join(', '),
]

const eventWords: Readonly<Record<Subscription['events'], string>> = {
  all: 'all builds',
  changes: 'failures and back to normal',
  failures: 'failures',
}
export const subscribedWords = ({ app, events }: Pick<Subscription, 'app' | 'events'>): string =>
  `${eventWords[events]} of ${app === '*' ? 'all apps' : app}`

export function subscriptionsAnswer(list: readonly Subscription[], at: At): Rendered {
  if (list.length === 0)
    return said(
      'This channel is subscribed to no builds.',
      md`This channel is subscribed to no builds. ${code(`${at.command} subscribe web`)} tells it of failures and back to normal, ${code(`${at.command} subscribe web all`)} of all builds.`,
    )
  return fitted(`This channel is told of ${list.map(subscribedWords).join('; ')}`, [
    section(
      joined(
        list
          .slice(0, 40)
          .map(one => md`• ${subscribedWords(one)} · by ${one.by.name}, ${ago(one.at, at.now)}`),
        '\n',
      ),
    ),
    ...(list.length > 40 ? context(md`… and ${list.length - 40} more.`) : []),
  ])
}

/** The end of the console, by whole lines. */
export function consoleAnswer(build: Build, lines: readonly string[]): Rendered {
  const title = buildTitle(build)
  const kept: string[] = []
  let size = 0
  for (const line of lines.toReversed()) {
    size += line.length + 1 + 4 * (line.match(/[&<>]/g)?.length ?? 0)
    if (size > mostLog && kept.length > 0) break
    kept.unshift(line)
  }
  if (kept.join('').trim() === '')
    return said(`${title}: the console is empty`, md`*${title}*: the console is empty so far.`)
  return fitted(`${title}: the last ${kept.length} lines`, [
    ...context(md`*${title}* · ${buildState(build)} · the last ${kept.length} lines`),
    section(codeBlock(kept.join('\n'))),
    ...(kept.length < lines.length || build.url ? context(fullLog(build)) : []),
  ])
}

const fullLog = ({ url }: Build): Mrkdwn => (url ? md`All of it is in Jenkins: ${url}console` : nothing)

/** What to say once a build was told to stop; also after a click. */
export function stoppedAnswer(build: Build): Rendered {
  const how = build.number === null ? 'is taken out of the queue' : 'is told to stop'
  return said(`${buildTitle(build)} ${how}; its message shows how that ends.`)
}
