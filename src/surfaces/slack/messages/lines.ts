// The lines below the first one: who asked, where it came from, exactly what would run, its steps, why it failed. Pure.
import { type Deploy, type Progress, type Step, wayBack } from '../../../core/deploy.ts'
import type { MessageFacts, Planned } from '../../../core/messages.ts'
import { artifactName, isCounted, progressOf, stepMark, stepTitle, took } from '../../../core/words.ts'
import { code, joined, link, type Mrkdwn, md, nothing, prose } from '../blocks/mrkdwn.ts'
import { slackCommands } from '../blocks/slack-commands.ts'
import { clockTime, nameOf, namesOf, revisionOf } from './names.ts'
import { readyOf } from './state.ts'

export type Options = {
  readonly links: { readonly compare: string | null }
  /** The slash command, with its slash. */
  readonly command: string
}

/** `asked by @ana, approved by @ben · shop/web #214 · compare` */
export function whoLine({ deploy }: MessageFacts, options: Options): Mrkdwn {
  const approvers =
    deploy.approval?.votes.filter(vote => vote.decision === 'approve').map(vote => vote.by) ?? []
  const build = buildLink(deploy)
  // What a build began by itself is said once.
  const isBuild = deploy.requestedBy.id === `jenkins:${deploy.source.job}`
  const asked = isBuild ? md`by build ${build}` : md`asked by ${nameOf(deploy.requestedBy)}`
  return joined(
    [
      approvers.length > 0 ? md`${asked}, approved by ${namesOf(approvers)}` : asked,
      isBuild ? nothing : build,
      compareLink(deploy, options.links.compare),
      deploy.source.note ? md`“${deploy.source.note.slice(0, 300)}”` : nothing,
    ],
    ' · ',
  )
}

/** The build it came from: linked where Jenkins told its address. */
export function buildLink({ source }: Pick<Deploy, 'source'>): Mrkdwn {
  const { job, build, url } = source
  const words = [job ?? (build === null ? '' : 'build'), build === null ? '' : `#${build}`]
    .filter(Boolean)
    .join(' ')
  if (url) return link(url, words || 'source')
  return words ? md`${words}` : nothing
}

/** What lies between the old and the new revision, in the code host's words. */
export function compareLink({ app, revision, prepared }: Deploy, template: string | null): Mrkdwn {
  const from = prepared?.base.revision
  if (!template || !from || !revision || from === revision) return nothing
  const url = template.replace(/\{(app|from|to)\}/g, (_, name: 'app' | 'from' | 'to') =>
    encodeURIComponent({ app, from, to: revision }[name]),
  )
  return link(url, 'commits')
}

/** What exactly would run and where: image and digest, cluster, until when it can be approved. */
export function whatLine({ deploy, now }: MessageFacts): Mrkdwn {
  const { prepared, approval, phase } = deploy
  if (!prepared) return nothing
  const { image, digest, artifact, cluster, namespace } = prepared
  const waits = phase === 'awaiting_approval' && approval
  const reference = md`image ${code(image.split('@')[0] ?? '', 120)}`
  const pinned = digest ? md`${reference} ${code(digest, 22)}` : md`${reference}, the tag is not pinned`
  return joined(
    [
      // What changes from one revision to the next: the image of code stays.
      artifact
        ? md`code ${code(artifactName(artifact.url), 80)} ${code(`sha256:${artifact.sha256}`, 22)}`
        : nothing,
      image === '' ? nothing : pinned,
      md`cluster ${cluster}, namespace ${namespace}`,
      waits ? md`expires ${clockTime(approval.expiresAt, now)}` : nothing,
    ],
    ' · ',
  )
}

const mostCommits = 5

/** `*7 commits* by ana, ben since 1.4.1: Fix the cart; …`; nothing where they are not known. */
export function commitsLine({ deploy, planned }: Pick<MessageFacts, 'deploy' | 'planned'>): Mrkdwn {
  const { commits } = planned ?? {}
  const from = deploy.prepared?.base.revision
  if (!commits || !from) return nothing
  const { list, total, all } = commits
  const authors = [...new Set(list.map(one => one.author))]
  const by = authors.length > 3 ? `${authors.slice(0, 3).join(', ')} and others` : authors.join(', ')
  const count = `${all ? '' : 'at least '}${total} ${total === 1 ? 'commit' : 'commits'}`
  const said = joined(
    list.slice(0, mostCommits).map(one => prose(one.message, 100)),
    '; ',
  )
  const more = total > mostCommits ? `; and ${total - mostCommits} more` : ''
  return md`*${count}* by ${by} since ${revisionOf(from)}: ${said}${more}`
}

const mostChanges = 8
const mostNotes = 5

/** `*Changes*: image 1.4.1 → 1.4.2; env LOG_LEVEL info → debug`, and what there is to know. */
export function changesLines(
  planned: Planned | null,
  at: { readonly command: string; readonly environment: string; readonly inThread: boolean },
): Mrkdwn {
  if (!planned) return nothing
  const { changes, notes, since, voided, diff } = planned
  const list = (lines: readonly string[], most: number) => {
    const said = joined(
      lines.slice(0, most).map(line => prose(line, 200)),
      '; ',
    )
    return lines.length > most ? md`${said}; and ${lines.length - most} more` : said
  }
  const full = diff === '' || !at.inThread ? nothing : md` (full diff in the thread)`
  return joined(
    [
      changes.length > 0 ? md`*Changes*: ${list(changes, mostChanges)}${full}` : md`*Changes*: none${full}`,
      ...notes
        .slice(0, mostNotes)
        .map(note => md`*Note*: ${prose(slackCommands(note, at.command, at.environment), 300)}`),
      notes.length > mostNotes ? md`*Note*: and ${notes.length - mostNotes} more` : nothing,
      since.length > 0 ? md`*Since the last request*: ${list(since, mostChanges)}` : nothing,
      voided.length > 0 ? md`The votes of ${voided.slice(0, 5).join(', ')} are void.` : nothing,
    ],
    '\n',
  )
}

/** One wide space: plain ones in a row become one on some screens. */
const stepGap = '\u2003'

/** `✓ before 8 s   ✓ apply   ▸ rollout ▰▰▰▰▱▱ 4/6 ready   · after` */
export function stepsLine({ deploy, progress }: MessageFacts): Mrkdwn {
  return joined(
    deploy.steps.map(step => stepWords(step, step.state === 'running' ? progress : null)),
    stepGap,
  )
}

function stepWords(step: Step, progress: Progress | null): Mrkdwn {
  const time = step.endedAt !== null && step.startedAt !== null ? took(step.endedAt - step.startedAt) : ''
  return joined([
    md`${stepMark[step.state]} ${stepTitle(step)}`,
    isCounted(step, progress) ? md`${bar(progress.ready, progress.wanted)}` : nothing,
    md`${time}`,
  ])
}

const cells = 12

/** `▰▰▰▰▱▱ 4/6 ready`: a cell a pod, or twelve for more pods than that; full only when all are ready. */
export function bar(ready: number, wanted: number): string {
  const width = Math.min(wanted, cells)
  const full = Math.min(width, Math.max(0, Math.floor((ready * width) / wanted)))
  return `${'▰'.repeat(full)}${'▱'.repeat(width - full)} ${ready}/${wanted} ready`
}

/** What the rollout or the running step says beside its numbers. */
export function progressLine({ deploy, progress }: MessageFacts): Mrkdwn {
  const step = deploy.steps.find(one => one.state === 'running')
  return prose(progressOf(step, progress), 300)
}

/** Why it failed, what serves now, and the line of the log that says most. */
export function failureLines(facts: MessageFacts, command: string): Mrkdwn {
  const { deploy, diagnosis } = facts
  const cause = diagnosis?.cause.message ?? deploy.cause?.message ?? ''
  const failed = deploy.steps.find(step => step.state === 'failed')
  const at = { command, environment: deploy.environment }
  return joined(
    [
      prose(
        slackCommands(
          cause || `It failed${failed ? ` at ${stepTitle(failed)}` : ''}.`,
          at.command,
          at.environment,
        ),
        1000,
      ),
      serving(facts),
      leftAsItIs(deploy),
      deploy.locked
        ? md`*${deploy.app}* in *${deploy.environment}* is locked until somebody unlocks it.`
        : nothing,
      evidence(diagnosis, cause),
    ],
    '\n',
  )
}

/** Where policy leaves a failed one for people to look at, or asks them. */
function leftAsItIs(deploy: Deploy): Mrkdwn {
  const { phase, prepared, steps } = deploy
  const wrote = steps.some(({ name, state }) => name === 'apply' && state !== 'pending')
  if (phase !== 'failed' || !wrote || !prepared || wayBack(deploy) === null) return nothing
  if (prepared.onFailure === 'hold') return md`It is left as it is, to be looked at.`
  return prepared.onFailure === 'ask' ? md`It is left as it is: roll it back, or mend it?` : nothing
}

/** `1.4.1` is serving, 6/6 ready. */
function serving(facts: MessageFacts): Mrkdwn {
  const { deploy } = facts
  if (deploy.phase !== 'rolled_back' || !deploy.rollback) return nothing
  return md`${joined([md`${revisionOf(deploy.rollback.revision)} is serving`, readyOf(facts)], ', ')}.`
}

function evidence(diagnosis: MessageFacts['diagnosis'], cause: string): Mrkdwn {
  if (!diagnosis) return nothing
  const telling = tellingLine(diagnosis, cause)
  return telling.mrkdwn === ''
    ? md`Last lines and events are in the thread.`
    : md`${telling} (last lines and events in the thread)`
}

/** The last line that speaks of an error, else the last one; none where the cause has its words already. */
export function tellingLine(diagnosis: MessageFacts['diagnosis'], cause = ''): Mrkdwn {
  const lines = diagnosis?.log?.lines.filter(line => line.trim() !== '') ?? []
  const telling = lines.findLast(line =>
    /error|exception|fatal|panic|refused|denied|cannot|failed/i.test(line),
  )
  const line = telling ?? lines.at(-1) ?? ''
  const words = line.replace(/^gkube: /, '').trim()
  return words !== '' && cause.includes(words) ? nothing : code(line, 300)
}

/** Loud: who went past approvals and freezes, and why. */
export const overrideLine = ({ overridden }: Deploy): Mrkdwn =>
  overridden
    ? md`*OVERRIDDEN* by ${nameOf(overridden.by)}, without the approvals it needs or through a freeze: “${overridden.reason}”`
    : nothing
