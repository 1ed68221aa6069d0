// A deploy in lines, for logs and Jenkins: one when something changes, a heartbeat when nothing does. No colours, no
// times of its own (Jenkins adds them), nothing redrawn. The other view is live-view.ts.
import type { Step } from '../../core/deploy.ts'
import type { Seen, View } from './follow.ts'
import { clean } from './terminal-text.ts'
import { isOver, isWaiting, phaseText, stepMark, titleOf, took } from './words.ts'

/** `say` writes one line; `now` is in milliseconds. A line at least every `heartbeatMs`. */
export function plainView(options: {
  say: (line: string) => void
  now: () => number
  heartbeatMs: number
}): View {
  const { say, now, heartbeatMs } = options
  const begun = now()
  let last: Seen | undefined
  let steps = new Map<string, string>()
  let told = ''
  const timer = setInterval(() => {
    if (last) line(`still ${last.lost ? 'waiting for the server' : doing(last)}, ${took(now() - begun)}`)
  }, heartbeatMs)
  const line = (text: string) => {
    say(`gkube: ${clean(text)}`)
    timer.refresh()
  }
  const once = (text: string) => {
    if (text === told) return
    told = text
    line(text)
  }
  const tellSteps = (seen: Seen) => {
    const fresh = new Map(seen.deploy.steps.map(step => [step.name, step.state]))
    for (const step of seen.deploy.steps)
      if (step.state !== 'pending' && steps.get(step.name) !== step.state) line(stepText(step, seen, now()))
    steps = fresh
  }
  return {
    update: seen => {
      const before = last
      last = { ...seen }
      const { deploy } = seen
      if (!before)
        line(
          `${titleOf(deploy)} · ${deploy.environment} · asked by ${deploy.requestedBy.name} · ${deploy.id}`,
        )
      if (seen.lost !== (before?.lost ?? false))
        line(seen.lost ? 'connection lost, trying again' : 'connected again')
      if (before && before.deploy.phase !== deploy.phase && !isOver(deploy.phase))
        line(phaseText(deploy.phase))
      if (seen.waiting && isWaiting(deploy.phase)) once(seen.waiting)
      tellSteps(seen)
      const { progress } = seen
      if (progress && progress !== before?.progress && !isOver(deploy.phase))
        once([`${progress.ready}/${progress.wanted} ready`, progress.message].filter(Boolean).join(' · '))
      if (seen.diagnosis && !before?.diagnosis) line(`why: ${seen.diagnosis.cause.message}`)
    },
    end: () => clearInterval(timer),
  }
}

const doing = ({ deploy, progress, waiting }: Seen): string => {
  if (isWaiting(deploy.phase)) return waiting ?? phaseText(deploy.phase)
  const step = deploy.steps.find(one => one.state === 'running')
  const ready =
    step && ['rollout', 'recover'].includes(step.name) && progress
      ? `, ${progress.ready}/${progress.wanted} ready`
      : ''
  return `${step ? `at ${step.name}` : phaseText(deploy.phase)}${ready}`
}

function stepText(step: Step, { deploy }: Seen, now: number): string {
  const time =
    step.endedAt !== null && step.startedAt !== null ? ` ${took(step.endedAt - step.startedAt)}` : ''
  const message = step.message ? `: ${step.message}` : ''
  const over =
    step.state === 'running' && isOver(deploy.phase) ? ` (after ${took(now - (step.startedAt ?? now))})` : ''
  return `${stepMark[step.state]} ${step.name}${time}${message}${over}`
}
