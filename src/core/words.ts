// The words of every surface: times, phases, steps, what became of a deploy. Pure; the command line and the messages
// in Slack say the same in the same order. It loads nothing, so that the command line starts fast.
import type { Deploy, JobStep, Phase, Progress, Step } from './deploy.ts'
import type { Artifact } from './workload.ts'

/** `12 s`, `1 m 48 s`, `2 h 5 m`: how long something took. */
export function took(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} m ${String(seconds % 60).padStart(2, '0')} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} m`
}

/** `just now`, `12 s ago`, `5 min ago`, `2 h ago`, `3 d ago`; clocks differ, so the future is now. */
export function ago(at: number, now: number): string {
  const seconds = Math.floor((now - at) / 1000)
  if (seconds < 5) return 'just now'
  return `${span(seconds)} ago`
}

/** `in 28 min`, for what is still to come. */
export const until = (at: number, now: number): string =>
  at <= now ? 'now' : `in ${span(Math.ceil((at - now) / 1000))}`

function span(seconds: number): string {
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}

const terminal = [
  'succeeded',
  'failed',
  'rolled_back',
  'rollback_failed',
  'cancelled',
  'denied',
  'expired',
  'superseded',
]

/** As deploy.ts has it; repeated here because that file would load zod. A test compares the two. */
export const isOver = (phase: Phase): boolean => terminal.includes(phase)

/** Nothing runs yet: it can be cancelled without a trace on the cluster. */
export const isWaiting = (phase: Phase): boolean =>
  ['requested', 'preparing', 'awaiting_approval', 'ready'].includes(phase)

const phaseWords: Readonly<Record<Phase, string>> = {
  requested: 'requested',
  preparing: 'preparing',
  awaiting_approval: 'waiting for approval',
  ready: 'waiting for its turn',
  running: 'running',
  rolling_back: 'rolling back',
  succeeded: 'succeeded',
  failed: 'failed',
  rolled_back: 'failed, rolled back',
  rollback_failed: 'failed, and so did the rollback',
  cancelled: 'cancelled',
  denied: 'denied',
  expired: 'expired',
  superseded: 'superseded',
}
export const phaseText = (phase: Phase): string => phaseWords[phase] ?? phase

export const stepMark: Readonly<Record<Step['state'], string>> = {
  pending: '·',
  running: '▸',
  done: '✓',
  failed: '✗',
}

/** `before (migrate)`: a hook by its step and what the app calls it. */
export const hookTitle = (step: JobStep, name?: string | null): string => (name ? `${step} (${name})` : step)

/** `rollout`, `before (migrate)`. */
export const stepTitle = ({ name, title }: Pick<Step, 'name' | 'title'>): string =>
  title ? `${name} (${title})` : name

const doingWords: Readonly<Record<string, string>> = {
  volume: 'preparing its volume',
  snapshot: 'making a snapshot of its volume',
  environment: 'preparing its environment',
  publish: 'publishing its code',
  activate: 'switching to its new code',
  reactivate: 'switching back to the code before',
  rollout: 'rolling out',
}

/** What goes on while a step runs: `rolling out`, `publishing its code`, `at before (migrate)`. */
export const stepDoing = (step: Pick<Step, 'name' | 'title'>): string =>
  doingWords[step.name] ?? `at ${stepTitle(step)}`

/** What the containers of a publish Job are called there (objects/publish-job.ts). */
const publishWords: Readonly<Record<string, string>> = {
  fetch: 'getting and unpacking the artifact',
  update: 'running the code update',
  finish: 'finishing the release',
}

const counted: readonly string[] = ['rollout', 'recover', 'cycle']

/** Pods are counted in this step, and somebody has counted them. */
export const isCounted = (step: Pick<Step, 'name'>, progress: Progress | null): progress is Progress =>
  progress !== null && progress.wanted > 0 && counted.includes(step.name)

/** What the running step says of itself, without the count: `unpacked 1,204 files`. What an earlier one said is over. */
export function progressOf(step: Step | undefined, progress: Progress | null): string {
  const message = step?.message ?? ''
  if (!step || !progress) return message
  const { at, wanted } = progress
  const isCount = wanted > 0 && counted.includes(step.name)
  const isEarlier = !isCount && step.startedAt !== null && at < step.startedAt
  if (isEarlier) return message
  const said = progressText(progress.message)
  return (step.name === 'publish' ? publishWords[said] : undefined) || said || message
}

/** `site-1.4.2.tgz (sha256 0b77e3f1c9d2…)`; one that was uploaded has no name. */
export const artifactText = ({ url, sha256 }: Artifact): string =>
  `${artifactName(url)} (sha256 ${sha256.slice(0, 12)}…)`

/** The last part of its address. */
export const artifactName = (url: string | null): string =>
  url === null ? 'uploaded artifact' : (/([^/?#]+)\/*(?:[?#].*)?$/.exec(url)?.[1] ?? url)

/** `▰▰▰▰▱▱ 4/6 ready`; no bar for more pods than fit. */
export function bar(ready: number, wanted: number): string {
  const count = `${ready}/${wanted} ready`
  if (wanted < 1 || wanted > 20) return count
  const full = Math.min(wanted, Math.max(0, ready))
  return `${'▰'.repeat(full)}${'▱'.repeat(wanted - full)} ${count}`
}

/** What a rollout says about itself, without the count that stands before it anyway. */
export const progressText = (message: string): string => message.replace(/^Ready: \d+\/\d+(, |$)/, '')

/** `web 1.4.1 → 1.4.2`, `web scale to 3`: what is asked for. */
export function titleOf(deploy: Deploy): string {
  const { app, kind, revision, params, prepared } = deploy
  if (kind === 'scale') return `${app} scale to ${params.replicas ?? '?'}`
  if (kind === 'restart') return `${app} restart`
  if (kind === 'delete') return `${app} delete`
  if (kind === 'adopt')
    return `${app} adopts ${params.adopt?.kind ?? ''} ${params.adopt?.name ?? ''}`.trimEnd()
  const before = prepared?.base.revision
  const change = before && before !== revision ? `${before} → ${revision}` : revision
  return `${app} ${kind === 'deploy' ? '' : `${kind} `}${change}`.trim()
}

/** How it ended, in one sentence without its cause. */
export function endingOf(deploy: Deploy): string {
  const { app, environment, revision, phase, kind, params, rollback } = deploy
  const what = revision ? `${app} ${revision}` : app
  switch (phase) {
    case 'succeeded':
      if (kind === 'delete') return `${app} is deleted from ${environment}`
      if (kind === 'scale') return `${app} runs ${params.replicas ?? '?'} times in ${environment}`
      if (kind === 'adopt')
        return `${params.adopt?.kind ?? 'It'} ${params.adopt?.name ?? ''} is ${app}'s in ${environment}`
      if (kind === 'restart') return `${app} is restarted in ${environment}`
      return `${what} is live in ${environment}`
    case 'rolled_back':
      return `${what} failed in ${environment}, rolled back${rollback ? ` to ${rollback.revision}` : ''}`
    case 'rollback_failed':
      return `${what} failed in ${environment}, and the rollback${rollback ? ` to ${rollback.revision}` : ''} failed too`
    case 'cancelled':
      return `${what} → ${environment} was cancelled${deploy.cancelledBy ? ` by ${deploy.cancelledBy.name}` : ''}`
    case 'denied':
      return `${what} → ${environment} was denied`
    case 'expired':
      return `${what} → ${environment} expired: nobody approved it in time`
    case 'superseded':
      return `${what} → ${environment} was superseded by a newer one`
    default:
      return `${what} ${phaseText(phase)} in ${environment}`
  }
}

/** Milliseconds from the request to the end (or `now`). */
export const lasted = (deploy: Deploy, now: number): number => (deploy.endedAt ?? now) - deploy.requestedAt

/** The last line: for eyes and for grep. */
export const resultLine = (deploy: Deploy, now: number): string =>
  `gkube: RESULT ${deploy.phase} ${deploy.app} ${deploy.revision || '-'} ${deploy.environment} ${Math.max(0, Math.round(lasted(deploy, now) / 1000))}s`
