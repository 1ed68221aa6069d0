// After a click on a message: whether it is a copy that does not change any more, and where the real one is (orphan.ts).
import type { Call, SlackDeps } from '../deps.ts'
import type { Click } from './click.ts'
import { orphanAnswer } from './orphan.ts'

/** A refusal is told after this. */
const pointWithinMs = 300

/** `id`: of the messages that the button stands on. Nothing is lost where it fails: the click itself is answered. */
export async function pointToReal(
  deps: Pick<SlackDeps, 'posted' | 'log'>,
  { click, call, id }: { readonly click: Click; readonly call: Call; readonly id: string },
): Promise<void> {
  if (!click.message?.thread) return
  const { promise: late, resolve } = Promise.withResolvers<null>()
  const timer = setTimeout(resolve, pointWithinMs, null)
  try {
    const answer = orphanAnswer(click, await Promise.race([deps.posted(id), late]))
    if (answer) await call.tell(answer)
  } catch (error) {
    deps.log.warn({ err: error, id }, 'a click could not be compared with what was posted')
  } finally {
    clearTimeout(timer)
  }
}
