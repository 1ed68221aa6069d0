// Clicks that ask for another deploy: retry, roll back, restart. Each is a request like any other, with a key that
// makes a double click one of them (click.ts) and, where it matters, refused once something newer shipped.
import { type RequestInput, requestInput } from '../../../core/core.ts'
import { type Deploy, isTerminal, wayBack } from '../../../core/deploy.ts'
import { UserError } from '../../../errors.ts'
import { acceptedAnswer } from '../answers/accepted.ts'
import type { SlackCaller } from '../deps.ts'
import { deleteDialog } from '../views/change.ts'
import { clickKey } from './click.ts'
import type { Clicked } from './decide.ts'
import { settleClick } from './settle.ts'
import { openSoon } from './soon.ts'
import { sharedChannel, toldIn } from './told.ts'

type Wanted = Partial<RequestInput> & Pick<RequestInput, 'kind'>

/** The same app, revision, environment and kind once more. */
export async function retry(at: Clicked): Promise<void> {
  const deploy = await deployOf(at)
  if (!isTerminal(deploy.phase))
    throw new UserError(
      'conflict',
      'It has not ended yet, so there is nothing to retry. Its message shows where it is.',
    )
  if (deploy.kind === 'delete') return deleteAgain(at, deploy)
  if (deploy.kind === 'adopt')
    throw new UserError(
      'bad_input',
      `An adoption is looked at before it is asked for again: gkube adopt ${deploy.app} -E ${deploy.environment}`,
    )
  const { kind, revision, params } = deploy
  const shipped = kind === 'deploy' || kind === 'rollback'
  await ask(at, 'retry', deploy, {
    kind,
    // An old revision must not come back by a click on an old message.
    ...(shipped ? { revision, basedOn: deploy.id } : {}),
    ...(kind === 'scale' && params.replicas !== null ? { replicas: params.replicas } : {}),
    replace: params.replace,
    force: params.force,
    source: deploy.source,
  })
}

/** Back to what worked before this deploy, as its button says; refused where a later one changed it. */
export async function rollback(at: Clicked): Promise<void> {
  const deploy = await deployOf(at)
  const before = wayBack(deploy)
  if (before === deploy.revision && deploy.phase === 'succeeded')
    throw new UserError(
      'conflict',
      `It changed settings of ${deploy.app} ${deploy.revision} and not its revision, so no earlier revision undoes it. Change the settings back and deploy it again.`,
    )
  await ask(at, 'rollback', deploy, {
    kind: 'rollback',
    basedOn: deploy.id,
    // Else the last one that worked, which the core knows.
    ...(before && before !== deploy.revision ? { revision: before } : {}),
  })
}

export async function restart(at: Clicked): Promise<void> {
  await ask(at, 'restart', await deployOf(at), { kind: 'restart' })
}

async function deployOf({ deps, click, call }: Clicked): Promise<Deploy> {
  const { deploy } = await deps.core.showDeploy(await call.caller(), click.value)
  return deploy
}

async function ask(at: Clicked, action: string, deploy: Deploy, wanted: Wanted): Promise<void> {
  const { deps, click, call, ack } = at
  const caller: SlackCaller = await call.caller()
  const channel = sharedChannel(click.message?.channel ?? null)
  const key = await clickKey(deps.core, caller, { action, click, call, deploy })
  const { app, environment } = deploy
  const input = requestInput.parse({ app, environment, ...wanted, idempotencyKey: key })
  const { deploy: asked, repeated } = await settleClick(at, null, () =>
    deps.core.request(caller, input, { channel }),
  )
  await ack()
  await call.tell(acceptedAnswer(asked, { repeated, channel: await toldIn(deps, asked, channel) }))
}

/** Names are typed each time something is deleted. */
async function deleteAgain({ deps, click, call, ack }: Clicked, deploy: Deploy): Promise<void> {
  await ack()
  await openSoon(deps, { trigger: click.trigger, title: 'Delete', call }, async () => {
    const { app, environment } = deploy
    const [status] = await deps.core.status(await call.caller(), { app, environment })
    if (!status) throw new UserError('not_found', `${app} does not run in ${environment} any more.`)
    return deleteDialog(status.workload, click.message?.channel ?? null)
  })
}
