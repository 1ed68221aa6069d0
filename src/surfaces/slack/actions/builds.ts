// Clicks on the message of a build: answer its input, stop it, read its console, deploy it, build it again. A value holds
// ids only; the build is read again and the core judges. Who comes late or twice hears who was first.

import type { Build, PendingInput } from '../../../core/builds/build.ts'
import { knownParameters } from '../../../core/builds/parameters.ts'
import { buildState, buildTitle } from '../../../core/builds/words.ts'
import { requestInput } from '../../../core/core.ts'
import { isSameActor } from '../../../core/deploy.ts'
import type { Rendered } from '../../../core/messages.ts'
import { ago } from '../../../core/times.ts'
import { answerRefusal } from '../../../core/use-cases/build-wishes.ts'
import { phaseText, titleOf } from '../../../core/words.ts'
import { UserError } from '../../../errors.ts'
import { acceptedAnswer } from '../answers/accepted.ts'
import { consoleAnswer, said, stoppedAnswer } from '../answers/builds.ts'
import { md } from '../blocks/mrkdwn.ts'
import { inputDialog } from '../views/build-dialog.ts'
import { blockOfParameter, parametersOf } from '../views/build-fields.ts'
import { metaOf } from '../views/meta.ts'
import { openBuildDialog } from './build-dialog.ts'
import { unreadable } from './click.ts'
import type { Clicked } from './decide.ts'
import { settleClick } from './settle.ts'
import { answerView, openSoon } from './soon.ts'
import { type Submission, submitted } from './submit.ts'
import { sharedChannel, toldIn } from './told.ts'

const logLines = 60

/** `build/rest`: the rest may hold slashes. */
function split(value: string): { build: string; rest: string } {
  const at = value.indexOf('/')
  if (at < 1 || at === value.length - 1) throw unreadable()
  return { build: value.slice(0, at), rest: value.slice(at + 1) }
}

export const proceed = (at: Clicked): Promise<void> => answer(at, 'proceed')
export const abort = (at: Clicked): Promise<void> => answer(at, 'abort')

async function answer(at: Clicked, decision: 'proceed' | 'abort'): Promise<void> {
  const { deps, click, call } = at
  const { build: id, rest: input } = split(click.value)
  const caller = await call.caller()
  const seen = await deps.core.showBuild(caller, id)
  const before = seen.inputs.find(one => one.id === input)
  // A message may be older than what is asked for now: a dialog has its fields.
  const asksMore = decision === 'proceed' && before !== undefined && before.parameters.length > 0
  if (asksMore && !answerRefusal(seen, before, deps.clock.now())) return openInput(at)
  const build = await settleClick(at, null, () =>
    deps.core.answerInput(caller, id, { input, decision, parameters: {} }),
  )
  await at.ack()
  const earlier = before?.answer && before.answer.state !== 'refused' ? before.answer : null
  await call.tell(
    earlier && isSameActor(earlier.by, caller.actor)
      ? said(`You answered that already: ${did(earlier.decision)} ${ago(earlier.at, deps.clock.now())}.`)
      : answeredAnswer(build, decision),
  )
}

const did = (decision: 'proceed' | 'abort'): string => (decision === 'proceed' ? 'proceeded' : 'aborted it')

const answeredAnswer = (build: Build, decision: 'proceed' | 'abort'): Rendered =>
  decision === 'proceed'
    ? said(`${buildTitle(build)} goes on: you let it proceed.`)
    : said(`${buildTitle(build)} is told to abort; its message shows how that ends.`)

/** The input asks for more than yes: its fields, in a dialog. */
export async function openInput(at: Clicked): Promise<void> {
  const { deps, click, call } = at
  const { build: id, rest: name } = split(click.value)
  await at.ack()
  await openSoon(deps, { trigger: click.trigger, title: 'Answer', call }, async () => {
    const build = await deps.core.showBuild(await call.caller(), id)
    const input = inputNamed(build, name)
    // Nobody should fill in fields for nothing.
    const refusal = answerRefusal(build, input, deps.clock.now())
    if (refusal) throw refusal
    return inputDialog(build, input)
  })
}

function inputNamed(build: Build, name: string): PendingInput {
  const input = build.inputs.find(one => one.id === name)
  if (input) return input
  throw new UserError('not_found', `${buildTitle(build)} does not ask that any more.`)
}

export async function inputSubmitted(at: Submission): Promise<void> {
  const { deps, view } = at
  const { build: id = '', input = '' } = metaOf(view)
  const blocks = new Map<string, string>()
  const [first = 'input'] = Object.keys(view.state.values)
  await submitted(at, {
    title: 'Answer',
    channel: null,
    closes: true,
    blockFor: error => blocks.get(String(error.details.parameter)) ?? first,
    work: async caller => {
      const { parameters: taken } = inputNamed(await deps.core.showBuild(caller, id), input)
      for (const { name } of taken) blocks.set(name, blockOfParameter(view, taken, name) ?? first)
      const parameters = parametersOf(view, taken)
      return deps.core.answerInput(caller, id, { input, decision: 'proceed', parameters })
    },
    done: async build => answeredAnswer(build, 'proceed'),
  })
}

export async function stop(at: Clicked): Promise<void> {
  const { deps, click, call } = at
  const caller = await call.caller()
  const { stop: before } = await deps.core.showBuild(caller, click.value)
  const build = await settleClick(at, null, () => deps.core.stopBuild(caller, click.value, { reason: '' }))
  await at.ack()
  const again = before && before.state !== 'refused' && isSameActor(before.by, caller.actor)
  await call.tell(
    again
      ? said(
          `You told ${buildTitle(build)} to stop ${ago(before.at, deps.clock.now())} (${buildState(build)}).`,
        )
      : stoppedAnswer(build),
  )
}

/** Nothing is stored, so it is acked first: Jenkins may take seconds to answer. */
export async function log({ deps, click, call, ack }: Clicked): Promise<void> {
  await ack()
  const make = async (): Promise<Rendered> => {
    const caller = await call.caller()
    const build = await deps.core.showBuild(caller, click.value)
    return consoleAnswer(build, await deps.core.buildLog(caller, click.value, { lines: logLines }))
  }
  if (click.message) return call.tell(await make())
  await openSoon(deps, { trigger: click.trigger, title: 'Console', call }, async () =>
    answerView('Console', await make()),
  )
}

/** A person says so: also where a newer build was asked for. One build is deployed once to a place, whoever clicks. */
export async function deploy(at: Clicked): Promise<void> {
  const { deps, click, call } = at
  const { build: id, rest } = split(click.value)
  const [environment = '', app = '', ...more] = rest.split('/')
  if (!environment || !app || more.length > 0) throw unreadable()
  const caller = await call.caller()
  const build = await deps.core.showBuild(caller, id)
  const offer = build.offers.find(one => one.environment === environment && one.app === app)
  const before = build.deploys.find(one => one.environment === environment && one.app === app)
  const revision = offer?.revision ?? before?.revision
  if (revision === undefined || build.number === null)
    throw new UserError(
      'conflict',
      `${buildTitle(build)} (${buildState(build)}) is not offered for ${environment} (any more). Deploy it by its revision: gkube deploy ${app} <revision> --environment ${environment}`,
    )
  const channel = sharedChannel(click.message?.channel ?? null)
  const input = requestInput.parse({
    kind: 'deploy',
    app,
    environment,
    revision,
    olderBuild: true,
    idempotencyKey: `click:build:${id}:${environment}:${app}`,
    source: {
      job: build.job,
      build: build.number,
      url: build.url,
      commit: build.commit,
      branch: build.branch,
    },
  })
  const { deploy, repeated } = await settleClick(at, null, () =>
    deps.core.request(caller, input, { channel }),
  )
  await at.ack()
  if (!repeated) {
    const where = await toldIn(deps, deploy, channel)
    return call.tell(acceptedAnswer(deploy, { repeated, channel: where }))
  }
  const own = isSameActor(deploy.requestedBy, caller.actor)
  const who = own ? 'You asked for that already' : `@${deploy.requestedBy.name} was first`
  const when = `asked ${ago(deploy.requestedAt, deps.clock.now())}`
  const what = `${titleOf(deploy)} → ${deploy.environment}`
  await call.tell(
    said(
      `${what}: ${who}.`,
      md`${who}: *${titleOf(deploy)}* → *${deploy.environment}* was ${when}; it is ${phaseText(deploy.phase)}.`,
    ),
  )
}

/** The same job, with the same parameters filled in. */
export async function again({ deps, click, call, ack }: Clicked): Promise<void> {
  await ack()
  const { job, parameters: values } = await deps.core.showBuild(await call.caller(), click.value)
  const channel = click.message?.channel ?? null
  await openBuildDialog(deps, {
    trigger: click.trigger,
    call,
    channel,
    job,
    values: knownParameters(values),
  })
}
