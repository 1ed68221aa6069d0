// A deploy in lines, for logs and Jenkins: one when something changes, a heartbeat when nothing does. No colours, no
// times of its own (Jenkins adds them), nothing redrawn. The other view is live-view.ts.
import type { Deploy, Phase, Progress, Step } from '../../core/deploy.ts'
import {
  isCounted,
  isOver,
  isWaiting,
  phaseText,
  progressOf,
  progressText,
  stepDoing,
  stepMark,
  stepTitle,
  titleOf,
  took,
} from '../../core/words.ts'
import type { Seen, View } from './follow.ts'
import { clean } from './terminal-text.ts'

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
    if (text === told || text === '') return
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
      const { deploy, progress, diagnosis } = seen
      tellState(seen, before)
      tellSteps(seen)
      if (progress && progress !== before?.progress && !isOver(deploy.phase))
        once(progressLine(progress, deploy))
      if (diagnosis && !before?.diagnosis) line(`why: ${diagnosis.cause.message}`)
    },
    end: () => clearInterval(timer),
  }

  function tellState({ deploy, lost, waiting }: Seen, before: Seen | undefined): void {
    const { phase } = deploy
    if (!before)
      line(`${titleOf(deploy)} · ${deploy.environment} · asked by ${deploy.requestedBy.name} · ${deploy.id}`)
    if (lost !== (before?.lost ?? false)) line(lost ? 'connection lost, trying again' : 'connected again')
    if ((before?.deploy.phase ?? 'requested') !== phase && worthALine(phase)) line(phaseText(phase))
    if (waiting && isWaiting(phase)) once(waiting)
  }
}

/** Before the first facts there is nothing to count. */
const progressLine = (progress: Progress, { steps }: Deploy): string => {
  const step = steps.find(one => one.state === 'running')
  const said = step ? progressOf({ ...step, message: '' }, progress) : progressText(progress.message)
  // Of the pods that are awaited; what comes after the rollout keeps the numbers and is not about them.
  const count = step && isCounted(step, progress) ? `${progress.ready}/${progress.wanted} ready` : ''
  return [count, said].filter(Boolean).join(' · ')
}

/** Its turn usually comes at once; that it waits, and why, is said by `waiting` and the heartbeat. */
const worthALine = (phase: Phase): boolean => phase !== 'ready' && !isOver(phase)

const doing = ({ deploy, progress, waiting }: Seen): string => {
  if (isWaiting(deploy.phase)) return waiting ?? phaseText(deploy.phase)
  const step = deploy.steps.find(one => one.state === 'running')
  const ready = step && isCounted(step, progress) ? `, ${progress.ready}/${progress.wanted} ready` : ''
  return `${step ? stepDoing(step) : phaseText(deploy.phase)}${ready}`
}

function stepText(step: Step, { deploy }: Seen, now: number): string {
  const time =
    step.endedAt !== null && step.startedAt !== null ? ` ${took(step.endedAt - step.startedAt)}` : ''
  const message = step.message ? `: ${step.message}` : ''
  const over =
    step.state === 'running' && isOver(deploy.phase) ? ` (after ${took(now - (step.startedAt ?? now))})` : ''
  return `${stepMark[step.state]} ${stepTitle(step)}${time}${message}${over}`
}
