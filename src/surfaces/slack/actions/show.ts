// Clicks that only look: the last log lines and the whole diff. Short ones answer the person who clicked; long ones
// are a file in the message's thread, where everyone in the channel may read what everyone may see anyway.

import { logsInput } from '../../../core/core.ts'
import type { Rendered } from '../../../core/messages.ts'
import { redactText } from '../../../core/redact.ts'
import { titleOf } from '../../../core/words.ts'
import { UserError } from '../../../errors.ts'
import { logsAnswer, logsFile } from '../answers/logs.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { codeBlock, md } from '../blocks/mrkdwn.ts'
import type { Clicked } from './decide.ts'
import { answerView, openSoon } from './soon.ts'

/** Letters of it that are read at a glance. */
const short = 2_000
const tail = 200

type Shown = {
  readonly answer: Rendered
  /** Null: the answer has all of it. */
  readonly file: { readonly name: string; readonly title: string; readonly content: string } | null
}

export const logs = (at: Clicked): Promise<void> =>
  show(at, 'Logs', async () => {
    const { deps, click, call } = at
    const caller = await call.caller()
    const { app, environment } = (await deps.core.showDeploy(caller, click.value)).deploy
    const chunks = await deps.core.logs(caller, logsInput.parse({ app, environment, tail }))
    const place = { app, environment }
    const size = chunks.reduce((sum, chunk) => sum + chunk.text.length, 0)
    return {
      answer: logsAnswer(chunks, { now: deps.clock.now(), command: deps.config.command, ...place }),
      file: size > short ? logsFile(chunks, place) : null,
    }
  })

export const diff = (at: Clicked): Promise<void> =>
  show(at, 'Changes', async () => {
    const { deps, click, call } = at
    const { deploy, planned } = await deps.core.showDeploy(await call.caller(), click.value)
    const what = `${titleOf(deploy)} → ${deploy.environment}`
    if (!planned)
      throw new UserError('not_found', `No diff is kept of ${what}: it was not prepared, or ended long ago.`)
    const text = redactText(planned.diff).trim()
    if (!text)
      return { answer: fitted(`${what}: no diff`, [section(md`*${what}*: nothing changes.`)]), file: null }
    return {
      answer: fitted(`${what}: the diff`, [section(md`*${what}*`), section(codeBlock(text))]),
      file:
        text.length > short
          ? {
              name: `${deploy.app}-${deploy.environment}.diff`,
              title: `Changes of ${what}`,
              content: `${text}\n`,
            }
          : null,
    }
  })

/** Nothing is stored, so it is acked first: a cluster may take seconds to answer. */
async function show(
  { deps, click, call, ack }: Clicked,
  title: string,
  make: () => Promise<Shown>,
): Promise<void> {
  await ack()
  const { message, trigger } = click
  if (!message) {
    await openSoon(deps, { trigger, title, call }, async () => answerView(title, (await make()).answer))
    return
  }
  const { answer, file } = await make()
  if (!file || message.thread === null) return call.tell(answer)
  try {
    await deps.workspace.upload({ channel: message.channel, thread: message.thread, ...file })
  } catch (error) {
    // Not in the channel, or without the right to upload: what fits is better than nothing.
    deps.log.warn({ err: error, channel: message.channel }, 'a file could not be put into the thread')
    return call.tell(answer)
  }
  await call.tell(fitted(`${file.title}: in the thread`, [section(md`${file.title}: it is in the thread.`)]))
}
