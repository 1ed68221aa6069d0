// Commands about Jenkins builds: start one, list them, stop one, and which channel hears of them. All may be repeated:
// a build has the envelope's key, and the same wish or subscription of one person again is the same.
import type { Build } from '../../../core/builds/build.ts'
import { subscribeInput } from '../../../core/builds/verbs.ts'
import { buildState, buildTitle, isBuildOver } from '../../../core/builds/words.ts'
import type { Command } from '../../../core/command.ts'
import type { Rendered } from '../../../core/messages.ts'
import { UserError } from '../../../errors.ts'
import { openBuildDialog } from '../actions/build-dialog.ts'
import { inTimeFor, settle } from '../actions/settle.ts'
import { isMemberSoon, sharedChannel } from '../actions/told.ts'
import {
  askedAnswer,
  buildsAnswer,
  said,
  slowAnswer,
  stoppedAnswer,
  subscribedWords,
  subscriptionsAnswer,
} from '../answers/builds.ts'
import { unconfirmedAnswer } from '../answers/refusal.ts'
import type { Asked } from './asked.ts'

export type BuildCommand = Extract<
  Command,
  { kind: 'build' | 'builds' | 'stop-build' | 'subscribe' | 'unsubscribe' | 'subscriptions' }
>

const listed = 20
/** Builds of a job among which a number is looked for. */
const mostSearched = 200

export async function aboutBuilds(at: Asked, command: BuildCommand): Promise<void> {
  if (command.kind === 'build') return build(at, command)
  const answer = await settle(() => answerOf(at, command), {
    late: () => at.say(unconfirmedAnswer(null)),
    deadline: inTimeFor(at.call),
  })
  await at.say(answer)
}

async function build(at: Asked, { job, parameters }: Extract<Command, { kind: 'build' }>): Promise<void> {
  const { deps, call, caller, trigger } = at
  if (job === null) {
    await openBuildDialog(deps, { trigger, call, channel: at.channel, job: null, values: {} })
    return at.acknowledge()
  }
  const channel = sharedChannel(at.channel)
  const member = channel === null ? Promise.resolve(false) : isMemberSoon(deps, channel)
  const input = { job, parameters: { ...parameters }, idempotencyKey: `slack:${call.id}` }
  const { build, repeated } = await settle(() => deps.core.build(caller, input, { channel }), {
    late: () => at.say(slowAnswer),
    deadline: inTimeFor(call),
  })
  await at.say(askedAnswer(build, { repeated, channel: (await member) ? channel : null }))
}

async function answerOf(at: Asked, command: Exclude<BuildCommand, { kind: 'build' }>): Promise<Rendered> {
  const { deps, caller, answerAt } = at
  const { core } = deps
  switch (command.kind) {
    case 'builds': {
      const { job, app } = command
      const query = { ...(job === null ? {} : { job }), ...(app === null ? {} : { app }), limit: listed }
      return buildsAnswer(await core.builds(caller, query), { ...answerAt, of: job ?? app })
    }
    case 'stop-build': {
      const found = await meant(at, command)
      const build = await core.stopBuild(caller, found.id, { reason: command.reason ?? '' })
      return stoppedAnswer(build)
    }
    case 'subscribe': {
      const input = subscribeInput.parse({
        channel: channelOf(at),
        app: command.app ?? '*',
        ...(command.events ? { events: command.events } : {}),
      })
      const words = subscribedWords(await core.subscribe(caller, input))
      const able = await isMemberSoon(deps, input.channel)
      return said(
        `This channel is told of ${words} from now on.${able ? '' : ' Invite gkube to it, so that it can.'}`,
      )
    }
    case 'unsubscribe': {
      const app = command.app ?? '*'
      const channel = channelOf(at)
      const { was } = await core.unsubscribe(caller, { channel, app })
      const what = app === '*' ? 'all apps' : app
      if (was) return said(`This channel is not told of builds of ${what} any more.`)
      const rest = (await core.subscriptions(caller, { channel })).map(subscribedWords)
      const others = rest.length > 0 ? `It is to ${rest.slice(0, 20).join('; ')}.` : 'It is to none.'
      return said(`This channel was not subscribed to builds of ${what}. ${others}`)
    }
    case 'subscriptions':
      return subscriptionsAnswer(await core.subscriptions(caller, { channel: channelOf(at) }), answerAt)
  }
}

/** A direct message has no team that would hear of it. */
function channelOf({ channel }: Asked): string {
  const shared = subscribeInput.shape.channel.safeParse(channel)
  if (shared.success) return shared.data
  throw new UserError(
    'bad_input',
    'Type it in the channel that shall hear of the builds: here nobody else does.',
  )
}

/** The one that runs or waits, or the one of that number. */
async function meant(
  { deps, caller }: Asked,
  { job, number }: { readonly job: string; readonly number: number | null },
): Promise<Build> {
  const builds = await deps.core.builds(caller, { job, limit: mostSearched })
  if (number !== null) {
    const found = builds.find(one => one.number === number)
    if (found) return found
    throw new UserError('not_found', `gkube knows no build ${job} #${number}. See: gkube builds ${job}`)
  }
  const open = builds.filter(one => !isBuildOver(one.phase))
  const [only, ...more] = open
  if (!only) throw new UserError('not_found', `Nothing of ${job} runs or waits, so there is nothing to stop.`)
  if (more.length === 0) return only
  const list = open.map(one => `${buildTitle(one)} (${buildState(one)})`).slice(0, 10)
  throw new UserError(
    'conflict',
    `${open.length} builds of ${job} run or wait: ${list.join(', ')}. Say which: gkube stop-build ${job} ${open.find(one => one.number)?.number ?? 214}`,
  )
}
