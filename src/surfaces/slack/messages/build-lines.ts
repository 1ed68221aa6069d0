// The lines below the first one of a build's message: its stages, the tests that fail, what becomes of its deploys, who
// asked for it. Pure; build.ts puts them in order.
import type { Build, Stage } from '../../../core/builds/build.ts'
import { isTerminal, type Phase } from '../../../core/deploy.ts'
import { hidden, looksSecret } from '../../../core/mask.ts'
import { redactText } from '../../../core/redact.ts'
import { took } from '../../../core/words.ts'
import { code, cut, joined, link, type Mrkdwn, md, nothing, prose } from '../blocks/mrkdwn.ts'
import { nameOf, revisionOf } from './names.ts'

const stageMarks: Readonly<Record<Stage['state'], string>> = {
  waiting: '·',
  running: '▸',
  paused: '‖',
  success: '✓',
  unstable: '!',
  failed: '✗',
  aborted: '–',
}

/** One wide space: plain ones in a row become one on some screens. */
const stageGap = '\u2003'
const mostStages = 12

/** `✓ Checkout 4 s   ▸ Test   · Publish`: those around where it is, where there are many. */
export function stagesLine({ stages }: Pick<Build, 'stages'>): Mrkdwn {
  if (!stages || stages.length === 0) return nothing
  const at = stages.findIndex(({ state }) => state !== 'success')
  const last = at === -1 ? stages.length - 1 : at
  const from = Math.max(0, Math.min(last - 5, stages.length - mostStages))
  const shown = stages.slice(from, from + mostStages)
  const after = stages.length - from - shown.length
  return joined(
    [
      from > 0 ? md`✓ ${from} before` : nothing,
      ...shown.map(({ name, state, ms }) =>
        joined([
          md`${stageMarks[state]} ${cut(name, 40)}`,
          // That of a running one would change with every look.
          state !== 'running' && state !== 'paused' && ms >= 1000 ? md`${took(ms)}` : nothing,
        ]),
      ),
      after > 0 ? md`and ${after} more` : nothing,
    ],
    stageGap,
  )
}

const cells = 12

/** `▰▰▰▰▱▱▱▱▱▱▱▱ 33 %` of the usual time; never full before it ended. */
export function timeBar({ phase, startedAt, usualMs }: Build, now: number): Mrkdwn {
  if (phase !== 'running' || startedAt === null || !usualMs || usualMs <= 0) return nothing
  const part = Math.min(0.99, Math.max(0, (now - startedAt) / usualMs))
  const full = Math.floor(part * cells)
  return md`${'▰'.repeat(full)}${'▱'.repeat(cells - full)} ${Math.floor(part * 100)} % of the usual time`
}

/** The tests that fail, by name. */
export function failedTests({ tests }: Pick<Build, 'tests'>, most: number): Mrkdwn {
  if (!tests || tests.failed === 0 || tests.names.length === 0) return nothing
  const shown = tests.names.slice(0, most)
  const more = Math.max(tests.failed, tests.names.length) - shown.length
  return joined(
    [
      md`*Failed tests*:`,
      ...shown.map(name => md`• ${code(name, 150)}`),
      more > 0 ? md`• and ${more} more` : nothing,
    ],
    '\n',
  )
}

/** The last line of a console that speaks of an error, else the last one. */
export function tellingLine(lines: readonly string[]): Mrkdwn {
  const said = lines.filter(line => line.trim() !== '' && !/^Finished: [A-Z]+$/.test(line.trim()))
  const telling = said.findLast(line =>
    /error|exception|fatal|panic|refused|denied|cannot|failed/i.test(line),
  )
  return code(redactText(telling ?? said.at(-1) ?? ''), 300)
}

/** `staging`, and the app where the build feeds several. */
export function placeWords(
  build: Pick<Build, 'deploys' | 'offers'>,
  { app, environment }: { readonly app: string; readonly environment: string },
): string {
  const apps = new Set([...build.deploys, ...build.offers].map(one => one.app))
  return apps.size > 1 ? `${app} in ${environment}` : environment
}

/** The newest one of each place. */
export const newestDeploys = ({ deploys }: Pick<Build, 'deploys'>): Build['deploys'] => [
  ...new Map(deploys.map(one => [`${one.environment}/${one.app}`, one] as const)).values(),
]

/** What became of it in each place, newest deploy of each; and what waits for somebody to say so. */
export function deployLines(build: Build): Mrkdwn {
  const alone = build.told.length <= 1
  return joined(
    [
      ...newestDeploys(build).map(one => {
        const thread = alone && !isTerminal(one.phase) ? ' ↓ in the thread' : ''
        return md`${placeWords(build, one)}: ${deployed(one.phase, revisionOf(one.revision))}${thread}`
      }),
      ...openOffers(build)
        .filter(offer => offer.loud)
        .map(offer => md`${placeWords(build, offer)} can have ${revisionOf(offer.revision)}`),
    ],
    '\n',
  )
}

/** Offers that nobody took yet, or that came to nothing. */
export const openOffers = ({ phase, result, offers, deploys }: Build): Build['offers'] =>
  phase !== 'finished' || result !== 'SUCCESS'
    ? []
    : offers.filter(
        ({ app, environment }) =>
          !deploys.some(
            one =>
              one.app === app &&
              one.environment === environment &&
              (!isTerminal(one.phase) || one.phase === 'succeeded'),
          ),
      )

/** What became of a revision: `1.4.2 is live`. */
export function deployed(phase: Phase, what: Mrkdwn): Mrkdwn {
  switch (phase) {
    case 'requested':
    case 'preparing':
      return md`preparing ${what}`
    case 'awaiting_approval':
      return md`${what} waits for approval`
    case 'ready':
      return md`${what} waits in line`
    case 'running':
      return md`deploying ${what}`
    case 'rolling_back':
      return md`${what} failed, rolling back`
    case 'succeeded':
      return md`${what} is live`
    case 'rolled_back':
      return md`${what} failed, rolled back`
    case 'rollback_failed':
      return md`${what} failed, and so did the rollback`
    case 'superseded':
      return md`${what} was superseded by a newer one`
    case 'expired':
      return md`${what} expired, nobody approved it in time`
    default:
      return md`${what} ${phase}`
  }
}

/** `asked by @ana · BRANCH=main · a1b2c3d`: who, with what. */
export function originLine(build: Build): Mrkdwn {
  const { askedBy, startedBy, cause, parameters, commit } = build
  const who = askedBy
    ? md`asked by ${nameOf(askedBy)}`
    : startedBy
      ? md`started by ${nameOf({ id: '', name: startedBy.name })}`
      : prose(cause, 120)
  const values = Object.entries(parameters)
    .slice(0, 4)
    .map(([name, value]) =>
      redactText(`${cut(name, 40)}=${looksSecret(name, value) ? hidden : cut(value, 60)}`),
    )
  return joined([who, ...values.map(value => code(value, 110)), code(commit?.slice(0, 10) ?? '')], ' · ')
}

/** `console · tests`: its pages in Jenkins, once it is a build there. */
export function pagesLine({ url, number, tests }: Build): Mrkdwn {
  if (url === null || number === null) return nothing
  const base = url.endsWith('/') ? url : `${url}/`
  return joined(
    [link(`${base}console`, 'console'), tests ? link(`${base}testReport/`, 'tests') : nothing],
    ' · ',
  )
}
