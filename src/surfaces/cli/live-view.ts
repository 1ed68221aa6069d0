// A deploy on a terminal: one block that is redrawn in place while it runs, and left standing at the end.
// Lines are clipped to the window, so that going up again by their number is right. Logs get plain-view.ts.
import type { Step } from '../../core/deploy.ts'
import {
  bar,
  isCounted,
  isOver,
  isWaiting,
  phaseText,
  progressOf,
  stepDoing,
  stepMark,
  stepTitle,
  titleOf,
  took,
} from '../../core/words.ts'
import type { Seen, View } from './follow.ts'
import type { Output } from './output.ts'
import { clean, clip } from './terminal-text.ts'

const redrawMs = 200
const hideCursor = '\u001b[?25l'
const showCursor = '\u001b[?25h'

export function liveView(out: Output, now: () => number): View {
  const begun = now()
  let seen: Seen | undefined
  let drawn = 0
  const draw = () => {
    if (!seen) return
    const lines = linesOf(seen, { elapsed: now() - begun, columns: out.columns, paint: out.paint })
    const up = drawn > 0 ? `\u001b[${drawn}A` : hideCursor
    out.raw(`${up}\r\u001b[0J${lines.join('\n')}\n`)
    drawn = lines.length
  }
  const timer = setInterval(draw, redrawMs)
  // Whatever ends the process, the cursor comes back.
  const restore = () => {
    if (drawn > 0) out.raw(showCursor)
    drawn = 0
  }
  process.once('exit', restore)
  return {
    update: next => {
      seen = { ...next }
      draw()
    },
    end: () => {
      clearInterval(timer)
      process.off('exit', restore)
      restore()
    },
  }
}

type Drawing = { elapsed: number; columns: number; paint: Output['paint'] }

function linesOf(seen: Seen, { elapsed, columns, paint }: Drawing): string[] {
  const { deploy, progress, waiting, diagnosis, lost } = seen
  const cut = (text: string) => clip(clean(text), columns - 1)
  const state = lost ? 'connection lost, trying again' : (doing(seen) ?? phaseText(deploy.phase))
  const head = cut(
    `${titleOf(deploy)} · ${deploy.environment} · ${state}${isOver(deploy.phase) ? '' : `, ${took(elapsed)}`}`,
  )
  const lines = [paint('bold', head)]
  if (waiting && isWaiting(deploy.phase)) lines.push(cut(`  ${waiting}`))
  for (const step of deploy.steps) {
    const text = cut(
      `  ${stepMark[step.state]} ${stepWords(step, step.state === 'running' ? progress : null)}`,
    )
    lines.push(paint(colors[step.state], text))
  }
  if (diagnosis) lines.push(paint('red', cut(`  ${diagnosis.cause.message}`)))
  return lines
}

const colors = { pending: 'dim', running: 'cyan', done: 'green', failed: 'red' } as const

const doing = ({ deploy }: Seen): string | null => {
  if (deploy.phase !== 'running') return null
  const step = deploy.steps.find(one => one.state === 'running')
  return step ? stepDoing(step) : null
}

function stepWords(step: Step, progress: Seen['progress']): string {
  const time = step.endedAt !== null && step.startedAt !== null ? took(step.endedAt - step.startedAt) : ''
  const ready = isCounted(step, progress) ? bar(progress.ready, progress.wanted) : ''
  const message = step.message || (step.state === 'running' ? progressOf(step, progress) : '')
  return [stepTitle(step), ready, time, message].filter(Boolean).join(' ')
}
