// The build dialog: a job is chosen, its parameters are read from Jenkins and shown below, submitting asks for the build.
// The views are pure (views/build-dialog.ts); jobs and long lists of choices are searched by options-builds.ts.
import { setTimeout as wait } from 'node:timers/promises'
import { sha256 } from '../../../core/hash.ts'
import { UserError } from '../../../errors.ts'
import { buildOptionIds } from '../action-ids.ts'
import { askedAnswer, slowAnswer } from '../answers/builds.ts'
import { md, prose } from '../blocks/mrkdwn.ts'
import { slackCommands } from '../blocks/slack-commands.ts'
import type { Call, SlackCaller, SlackDeps } from '../deps.ts'
import { toldError } from '../told-errors.ts'
import { type Below, buildDialog, jobBlock } from '../views/build-dialog.ts'
import { blockOfParameter, parametersOf } from '../views/build-fields.ts'
import { metaOf } from '../views/meta.ts'
import { fieldOf, type Submitted } from '../views/state.ts'
import { ifRaced, newest } from './changing.ts'
import { openSoon } from './soon.ts'
import { FieldErrors, type Submission, submitted } from './submit.ts'
import { isMemberSoon, sharedChannel } from './told.ts'

/** Quicker than that no word of waiting is shown. */
const blinkMs = 400

type Opening = {
  readonly trigger: string
  readonly call: Pick<Call, 'caller' | 'requestId'>
  /** Where it was asked. */
  readonly channel: string | null
  readonly job: string | null
  /** Filled in instead of the defaults. */
  readonly values: Readonly<Record<string, string>>
}

export async function openBuildDialog(deps: SlackDeps, at: Opening): Promise<void> {
  const { trigger, call, channel, job, values } = at
  if (job === null) {
    await deps.workspace.openView(trigger, buildDialog({ job, channel, values, below: { kind: 'nothing' } }))
    return
  }
  await openSoon(deps, { trigger, title: 'Build', call }, async () => {
    const { parameters, url } = await deps.core.job(await call.caller(), job)
    return buildDialog({ job, channel, values, below: { kind: 'parameters', parameters, url } })
  })
}

const jobOf = (view: Submitted): string | null =>
  fieldOf(view, buildOptionIds.job) ?? metaOf(view).job ?? null

/** Another job was chosen: `at` is when, in ms, by Slack's clock. */
export async function buildDialogChanged(
  deps: SlackDeps,
  { view, call, at }: { view: Submitted; call: Pick<Call, 'caller'>; at: number },
): Promise<void> {
  const { channel = null, job: shown } = metaOf(view)
  const job = jobOf(view)
  if (job === null || job === shown || !newest(view.id, at)) return
  const draw = (below: Below) => buildDialog({ job, channel, values: {}, below })
  const read = below(deps, await call.caller(), job)
  const stop = new AbortController()
  const slow = wait(blinkMs, null, { signal: stop.signal }).catch(() => null)
  let target: { readonly id: string; readonly hash?: string } = { id: view.id, hash: view.hash }
  const put = (below: Below) =>
    deps.workspace
      .updateView(target, draw(below))
      .catch(
        ifRaced(() => (newest(view.id, at) ? deps.workspace.updateView({ id: view.id }, draw(below)) : null)),
      )
  try {
    if ((await Promise.race([read, slow])) === null) {
      const waiting = await put({
        kind: 'words',
        words: md`:hourglass_flowing_sand: Reading the parameters…`,
      })
      if (!waiting) return
      target = waiting
    }
  } finally {
    stop.abort()
  }
  const found = await read
  if (newest(view.id, at)) await put(found)
}

/** Never throws: what is wrong stands in the dialog. */
async function below(deps: SlackDeps, caller: SlackCaller, job: string): Promise<Below> {
  try {
    const { parameters, url, kind } = await deps.core.job(caller, job)
    if (kind === 'folder')
      return { kind: 'words', words: md`*${job}* is a folder. Search for a job in it: ${job}/` }
    return { kind: 'parameters', parameters, url }
  } catch (error) {
    const told = toldError(error)
    if (told instanceof UserError)
      return { kind: 'words', words: prose(slackCommands(told.message, deps.config.command)) }
    deps.log.error({ err: error, job }, 'the parameters of a job could not be read')
    return { kind: 'words', words: md`Its parameters could not be read; the log has why.` }
  }
}

/** The key is the dialog's and what was submitted: the same again is the same build, something else is another. */
export async function buildDialogSubmitted(at: Submission): Promise<void> {
  const { deps, view } = at
  const channel = metaOf(view).channel ?? null
  const job = jobOf(view)
  /** The field of each parameter, once they are known. */
  const blocks = new Map<string, string>()
  await submitted(at, {
    title: 'Build',
    channel,
    late: slowAnswer,
    blockFor: error => blocks.get(String(error.details.parameter)) ?? jobBlock,
    work: async caller => {
      if (job === null) throw new FieldErrors({ [jobBlock]: 'Choose a job.' })
      if (metaOf(view).job !== job)
        throw new FieldErrors({
          [jobBlock]: 'Its parameters are not shown yet. Wait a moment, then submit again.',
        })
      const { parameters: taken } = await deps.core.job(caller, job)
      for (const { name } of taken) blocks.set(name, blockOfParameter(view, taken, name) ?? jobBlock)
      const parameters = parametersOf(view, taken)
      const idempotencyKey = `view:${view.id}:${sha256({ job, parameters }).slice(0, 32)}`
      return deps.core.build(caller, { job, parameters, idempotencyKey }, { channel: sharedChannel(channel) })
    },
    done: async ({ build, repeated }) => {
      const shared = sharedChannel(channel)
      const isThere = shared !== null && (await isMemberSoon(deps, shared))
      return askedAnswer(build, { repeated, channel: isThere ? shared : null })
    },
  })
}
