// What people want of a build that runs: to stop it, and answers to its inputs. Fulfilled by the follower only; what is
// sent twice does no harm in Jenkins, and the record says what became of it.
import type { Build, PendingInput } from './build.ts'
import type { Desk, Item } from './desk.ts'
import { type Jenkins, JenkinsError } from './jenkins.ts'
import { notStopped, sending, tooLate } from './merge.ts'

/** Something that only the follower can do waits in it. */
export const hasWish = ({ stop, inputs }: Build): boolean =>
  stop?.state === 'wanted' || inputs.some(input => !input.over && input.answer?.state === 'wanted')

/** Does what is wanted now. Throws JenkinsError `unavailable` where it must be tried again. */
export async function grant(desk: Desk, item: Item, jenkins: Jenkins): Promise<void> {
  for (const input of item.stored.value.inputs)
    if (input.answer?.state === 'wanted') await answer(desk, item, jenkins, input)
  const { stop, job, number, queueId } = item.stored.value
  if (stop?.state !== 'wanted') return
  const call =
    number !== null
      ? () => jenkins.stop(job, number)
      : queueId !== null
        ? () => jenkins.cancelQueueItem(queueId)
        : null
  if (!call) return
  const said = await sent(desk, call)
  await desk.writer.change(item.id, build =>
    build.stop?.state === 'wanted'
      ? {
          ...build,
          stop: { ...build.stop, state: said === null ? 'sent' : 'refused' },
          note: said === null ? build.note : `${notStopped}${said}`.slice(0, 1000),
        }
      : null,
  )
}

async function answer(desk: Desk, item: Item, jenkins: Jenkins, { id: input }: PendingInput): Promise<void> {
  const { job, number } = item.stored.value
  if (number === null) return
  const before = item.stored.value.inputs.find(one => one.id === input && !one.over)?.answer
  if (before?.state !== 'wanted') return
  const again = before.note === sending
  if (!again) await desk.writer.change(item.id, build => withAnswer(build, input, { note: sending }))
  let settled = false
  const at = { job, number, input }
  const said = await sent(desk, async () => {
    settled =
      (await jenkins.answer(at, { decision: before.decision, parameters: before.parameters })) === 'settled'
  })
  const late = settled && !again
  await desk.writer.change(item.id, build =>
    withAnswer(build, input, {
      state: said !== null || late ? 'refused' : 'sent',
      note: (said ?? (late ? tooLate : '')).slice(0, 500),
    }),
  )
}

function withAnswer(
  build: Build,
  id: string,
  change: { readonly state?: 'sent' | 'refused'; readonly note: string },
): Build {
  return {
    ...build,
    inputs: build.inputs.map(input =>
      input.id === id && input.answer?.state === 'wanted'
        ? { ...input, answer: { ...input.answer, ...change } }
        : input,
    ),
  }
}

/** Null: Jenkins took it, or what it is about is gone. Else its words of refusal. */
async function sent(desk: Desk, call: () => Promise<void>): Promise<string | null> {
  try {
    await desk.line.ask(call)
    return null
  } catch (error) {
    if (!(error instanceof JenkinsError) || error.code === 'unavailable') throw error
    return error.code === 'not_found' ? null : error.message
  }
}
