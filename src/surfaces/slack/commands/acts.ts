// Commands that change something at once: cancel, lock, freeze and their opposites. They have no idempotency key in the
// core, so the envelope is claimed first: of several replicas that get it, one acts. Delete asks for typed names.
import type { Command } from '../../../core/command.ts'
import { type Caller, freezeInput, lockInput, unfreezeInput, unlockInput } from '../../../core/core.ts'
import type { Deploy } from '../../../core/deploy.ts'
import type { Rendered } from '../../../core/messages.ts'
import { freezeWords } from '../../../core/use-cases/freezes.ts'
import { lockWords } from '../../../core/use-cases/locks.ts'
import { titleOf } from '../../../core/words.ts'
import { UserError } from '../../../errors.ts'
import { openDeleteDialog, openHoldDialog } from '../actions/modals.ts'
import { inTimeFor, settle } from '../actions/settle.ts'
import { openVolumeDialog } from '../actions/volumes.ts'
import { unconfirmedAnswer } from '../answers/refusal.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { prose } from '../blocks/mrkdwn.ts'
import { slackCommands } from '../blocks/slack-commands.ts'
import type { Asked } from './asked.ts'

type Act = Extract<
  Command,
  { kind: 'cancel' | 'delete' | 'delete-volume' | 'lock' | 'unlock' | 'freeze' | 'unfreeze' }
>

export async function actOn(at: Asked, command: Act): Promise<void> {
  const { deps, call } = at
  const opening = { trigger: at.trigger, call, channel: at.channel }
  if (command.kind === 'delete') {
    const { app, environment } = command
    await openDeleteDialog(deps, { ...opening, app, environment })
    return at.acknowledge()
  }
  if (command.kind === 'delete-volume') {
    const { app, environment, storage } = command
    await openVolumeDialog(deps, { ...opening, app, environment, storage })
    return at.acknowledge()
  }
  if ((command.kind === 'lock' || command.kind === 'freeze') && command.reason === null) {
    await openHoldDialog(deps, { ...opening, hold: command.kind, place: placeOf(command) })
    return at.acknowledge()
  }
  const done = await settle(async () => ((await deps.claim(call.id)) ? words(at, command) : null), {
    late: () => at.say(unconfirmedAnswer(null)),
    deadline: inTimeFor(call),
  })
  // Another replica has it, and says so.
  if (done === null) return at.acknowledge()
  await at.say(sentence(at, done))
}

const sentence = ({ answerAt }: Asked, text: string): Rendered => {
  const words = slackCommands(text, answerAt.command)
  return fitted(words, [section(prose(words, 2400))])
}

/** Does it and says what was done. */
async function words(
  { deps, caller }: Asked,
  command: Exclude<Act, { kind: 'delete' | 'delete-volume' }>,
): Promise<string> {
  const { core } = deps
  const reason = command.reason ?? ''
  switch (command.kind) {
    case 'cancel': {
      const id = command.id ?? (await openDeploy(deps.core, caller, command)).id
      const deploy = await core.cancel(caller, id, { reason })
      const ended = deploy.endedAt !== null ? 'is cancelled' : 'is being cancelled'
      return `${titleOf(deploy)} → ${deploy.environment} ${ended}.`
    }
    case 'lock': {
      const { duration } = command
      const lock = await core.lock(
        caller,
        lockInput.parse({ ...placeOf(command), reason, ...(duration ? { expiresIn: duration } : {}) }),
      )
      return lockWords(lock)
    }
    case 'unlock':
      await core.unlock(caller, unlockInput.parse({ ...placeOf(command), reason }))
      return `${placeWords(command)} is not locked any more. What waited for it goes on.`
    case 'freeze': {
      const { environment, duration } = command
      const freeze = await core.freeze(
        caller,
        freezeInput.parse({ environment, reason, ...(duration ? { endsIn: duration } : {}) }),
      )
      return freezeWords(freeze, {
        environment: deps.environments.get(environment) ?? { breakGlass: [] },
        people: [],
        now: deps.clock.now(),
      })
    }
    case 'unfreeze':
      await core.unfreeze(caller, unfreezeInput.parse({ environment: command.environment, reason }))
      return `${command.environment} is not frozen any more. What waited for it goes on.`
  }
}

type Place = { readonly app: string | null; readonly environment: string | null }
const placeOf = ({ app, environment }: Partial<Place>) => ({
  ...(app ? { app } : {}),
  ...(environment ? { environment } : {}),
})
const placeWords = ({ app, environment }: Place): string =>
  [app, environment].filter(Boolean).join(' in ') || 'Everything'

/** The one deploy that runs or waits there. */
async function openDeploy(
  core: Asked['deps']['core'],
  caller: Caller,
  { app, environment }: Place,
): Promise<Deploy> {
  const open = (await core.openDeploys(caller)).filter(
    deploy => deploy.app === app && deploy.environment === environment,
  )
  const [only, ...more] = open
  if (!only)
    throw new UserError(
      'not_found',
      `Nothing of ${app} runs or waits in ${environment}, so there is nothing to cancel.`,
    )
  if (more.length === 0) return only
  const list = open.map(
    deploy => `${titleOf(deploy)} (${deploy.phase.replaceAll('_', ' ')}): \`gkube cancel ${deploy.id}\``,
  )
  throw new UserError(
    'conflict',
    `${open.length} deploys of ${app} run or wait in ${environment}. Say which:\n${list.join('\n')}`,
  )
}
