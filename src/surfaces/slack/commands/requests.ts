// Commands that ask for a deploy of some kind. Durable, then ack: the answer is the ack, and it says so only when the
// request is stored. Where etcd does not tell in time, that is said, and the truth as soon as it is known.
import type { Command } from '../../../core/command.ts'
import { type RequestInput, requestInput } from '../../../core/core.ts'
import { openDeployDialog } from '../actions/deploy-dialog.ts'
import { openScaleDialog } from '../actions/modals.ts'
import { inTimeFor, settle } from '../actions/settle.ts'
import { sharedChannel } from '../actions/told.ts'
import { acceptedAnswer } from '../answers/accepted.ts'
import { unconfirmedAnswer } from '../answers/refusal.ts'
import type { Asked } from './asked.ts'

type Request = Extract<Command, { kind: 'deploy' | 'promote' | 'rollback' | 'scale' | 'restart' }>

export async function ask(at: Asked, command: Request): Promise<void> {
  const { deps, call, caller, trigger } = at
  if (command.kind === 'deploy' && !(command.app && command.revision && command.environment)) {
    // Its trigger is good for 3 s: the dialog first, the ack after it.
    const { app, environment, revision } = command
    await openDeployDialog(deps, {
      trigger,
      call,
      channel: at.channel,
      given: { app, environment, revision },
    })
    return at.acknowledge()
  }
  if (command.kind === 'scale' && command.replicas === null) {
    const { app, environment } = command
    await openScaleDialog(deps, { trigger, call, channel: at.channel, app, environment })
    return at.acknowledge()
  }
  const input = inputOf(command, call.id)
  const channel = sharedChannel(at.channel)
  const member = channel === null ? Promise.resolve(false) : isMember(at, channel)
  const { deploy, repeated } = await settle(() => deps.core.request(caller, input, { channel }), {
    late: () => at.say(unconfirmedAnswer(null)),
    deadline: inTimeFor(call),
  })
  const own = deps.environments.get(deploy.environment)?.channel ?? null
  await at.say(acceptedAnswer(deploy, { repeated, channel: (await member) ? channel : own }))
}

function inputOf(command: Request, id: string): RequestInput {
  const source = { note: command.reason ?? '' }
  const common = { app: command.app ?? '', idempotencyKey: `slack:${id}`, source }
  switch (command.kind) {
    case 'deploy': {
      const { environment, revision } = command
      return requestInput.parse({ ...common, kind: 'deploy', environment, revision })
    }
    case 'promote':
      return requestInput.parse({ ...common, kind: 'deploy', environment: command.to, from: command.from })
    case 'rollback': {
      const { environment, revision } = command
      return requestInput.parse({ ...common, kind: 'rollback', environment, revision: revision ?? undefined })
    }
    case 'scale': {
      const { environment, replicas } = command
      return requestInput.parse({ ...common, kind: 'scale', environment, replicas: replicas ?? undefined })
    }
    case 'restart':
      return requestInput.parse({ ...common, kind: 'restart', environment: command.environment })
  }
}

/** Where to look for the message is only said where it is known quickly; the notifier finds its channel by itself. */
async function isMember({ deps }: Asked, channel: string): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>()
  const timer = setTimeout(resolve, 400, false)
  try {
    return await Promise.race([deps.workspace.isMember(channel).catch(() => false), late])
  } finally {
    clearTimeout(timer)
  }
}
