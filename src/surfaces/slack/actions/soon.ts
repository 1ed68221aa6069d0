// A view that needs something read: its trigger lives 3 s, so where that takes longer than a blink a loading view is
// opened first and filled in later. What goes wrong by then is told in the view, because it covers everything else.
import { setTimeout as wait } from 'node:timers/promises'
import type { ModalView } from '@slack/types'
import type { Rendered } from '../../../core/messages.ts'
import { UserError } from '../../../errors.ts'
import { faultAnswer, refusalAnswer } from '../answers/refusal.ts'
import type { Block } from '../blocks/elements.ts'
import type { Call, SlackDeps } from '../deps.ts'
import { toldError } from '../told-errors.ts'
import { loadingView, modal } from '../views/parts.ts'

/** Quick enough to go without a loading view. */
const blinkMs = 400

/** An answer as a view, for where there is no message to answer at. */
export const answerView = (title: string, answer: Rendered): ModalView =>
  // The renderers answer blocks of Block Kit; the core's type of them is opaque.
  modal({ title, blocks: answer.blocks as readonly Block[] })

type Soon = {
  readonly trigger: string
  readonly title: string
  readonly call: Pick<Call, 'requestId' | 'caller'>
}

/**
 * Opens what `make` answers. Throws what `make` throws while nothing is open yet. Answers the view's id and hash, or
 * null when the view shows why there is nothing to show.
 */
export async function openSoon(
  deps: Pick<SlackDeps, 'workspace' | 'config' | 'log'>,
  { trigger, title, call }: Soon,
  make: () => Promise<ModalView>,
): Promise<{ readonly id: string; readonly hash: string } | null> {
  const { workspace } = deps
  const stop = new AbortController()
  const made = make()
  try {
    const slow = wait(blinkMs, null, { signal: stop.signal }).catch(() => null)
    const first = await Promise.race([made, slow])
    if (first) return await workspace.openView(trigger, first)
  } finally {
    stop.abort()
  }
  const [opened, view] = await Promise.allSettled([workspace.openView(trigger, loadingView(title)), made])
  if (opened.status === 'rejected') throw opened.reason
  if (view.status === 'fulfilled') return workspace.updateView(opened.value, view.value)
  await workspace.updateView(opened.value, answerView(title, await failureAnswer(deps, call, view.reason)))
  return null
}

/** What went wrong as an answer; what is not the person's doing is logged with its cause. */
export async function failureAnswer(
  deps: Pick<SlackDeps, 'config' | 'log'>,
  call: Pick<Call, 'requestId' | 'caller'>,
  error: unknown,
): Promise<Rendered> {
  const { requestId } = call
  const told = toldError(error)
  if (told !== error || !(told instanceof UserError))
    deps.log.error({ err: error, requestId }, 'a view could not be filled')
  if (!(told instanceof UserError)) return faultAnswer(requestId)
  // They may be allowed more than Slack told us.
  const more = told.kind === 'forbidden' ? (await call.caller()).unsure : null
  return refusalAnswer(told, { requestId, command: deps.config.command, more })
}
