// Commands that only look. The answer is the ack where it is there quickly; else the ack goes first and the answer
// follows. Whoever may not look is told so by the core.
import { helpOf, helpOfAll } from '../../../core/command/help.ts'
import type { Command } from '../../../core/command.ts'
import { logsInput, planInput } from '../../../core/core.ts'
import type { Rendered } from '../../../core/messages.ts'
import { UserError } from '../../../errors.ts'
import { openDeployDialog } from '../actions/deploy-dialog.ts'
import { approvalsAnswer } from '../answers/approvals.ts'
import { appsAnswer } from '../answers/apps.ts'
import { doctorAnswer } from '../answers/doctor.ts'
import { helpAnswer } from '../answers/help.ts'
import { historyAnswer } from '../answers/history.ts'
import { locksAnswer } from '../answers/locks.ts'
import { logsAnswer } from '../answers/logs.ts'
import { planAnswer } from '../answers/plan.ts'
import { podsAnswer } from '../answers/pods.ts'
import { statusAnswer } from '../answers/status.ts'
import { volumesAnswer } from '../answers/volumes.ts'
import { whoamiAnswer } from '../answers/whoami.ts'
import type { Asked } from './asked.ts'
import type { BuildCommand } from './builds.ts'

type Look = Exclude<
  Command,
  {
    kind:
      | 'deploy'
      | 'promote'
      | 'rollback'
      | 'scale'
      | 'restart'
      | 'cancel'
      | 'delete'
      | 'delete-volume'
      | 'lock'
      | 'unlock'
      | 'freeze'
      | 'unfreeze'
      | BuildCommand['kind']
  }
>

/** Longer, and the ack goes first: Slack's clock began before ours. */
const quickMs = 1_200
const historyLength = 20

export async function lookAt(at: Asked, command: Look): Promise<void> {
  if (command.kind === 'plan' && !(command.app && command.revision && command.environment)) {
    const { app, environment, revision } = command
    const { deps, call, trigger, channel } = at
    await openDeployDialog(deps, { trigger, call, channel, given: { app, environment, revision } })
    return at.acknowledge()
  }
  const answer = answerOf(at, command)
  if ((await quick(answer)) === 'slow') await at.acknowledge()
  await at.say(await answer)
}

async function quick(answer: Promise<unknown>): Promise<'quick' | 'slow'> {
  const { promise: late, resolve } = Promise.withResolvers<'slow'>()
  const timer = setTimeout(resolve, quickMs, 'slow')
  try {
    return await Promise.race([answer.then(() => 'quick' as const), late])
  } finally {
    clearTimeout(timer)
  }
}

async function answerOf({ deps, caller, answerAt }: Asked, command: Look): Promise<Rendered> {
  const { core } = deps
  // The core leaves out what may not be seen; an empty list would say that there is nothing.
  if (caller.grants.length === 0 && command.kind !== 'help' && command.kind !== 'whoami')
    throw new UserError(
      'forbidden',
      `${caller.actor.name} may not look at anything here yet. \`gkube whoami\` says why and whom to ask.`,
    )
  switch (command.kind) {
    case 'status': {
      const query = placeOf(command)
      return statusAnswer(await core.status(caller, query), { ...answerAt, ...query })
    }
    case 'volumes': {
      const query = placeOf(command)
      return volumesAnswer(await core.volumes(caller, query), { ...answerAt, ...query })
    }
    case 'list':
      return appsAnswer(await core.listApps(caller), answerAt)
    case 'pods': {
      const { app, environment } = command
      return podsAnswer(await core.pods(caller, { app, environment }), { ...answerAt, app, environment })
    }
    case 'logs': {
      const { app, environment, previous, pod, tail } = command
      const input = { app, environment, previous, ...(pod ? { pod } : {}), tail: tail ?? 50 }
      return logsAnswer(await core.logs(caller, logsInput.parse(input)), { ...answerAt, app, environment })
    }
    case 'history': {
      const query = { app: command.app, ...(command.environment ? { environment: command.environment } : {}) }
      const deploys = await core.history(caller, { ...query, limit: historyLength })
      return historyAnswer(deploys, { ...answerAt, ...query })
    }
    case 'plan': {
      const { app, revision, environment } = command
      return planAnswer(await core.plan(caller, planInput.parse({ app, revision, environment })), answerAt)
    }
    case 'locks': {
      const [locks, freezes] = await Promise.all([core.locks(caller), core.freezes(caller)])
      return locksAnswer(locks, freezes, answerAt)
    }
    case 'approvals':
      return approvalsAnswer(await core.approvals(caller), { ...answerAt, environments: deps.environments })
    case 'whoami':
      return whoamiAnswer(await core.whoami(caller), answerAt)
    case 'doctor':
      return doctorAnswer(await core.doctor(caller), answerAt)
    case 'help':
      return helpAnswer(command.command === null ? helpOfAll() : [helpOf(command.command)], answerAt)
  }
}

const placeOf = ({ app, environment }: { app: string | null; environment: string | null }) => ({
  ...(app === null ? {} : { app }),
  ...(environment === null ? {} : { environment }),
})
