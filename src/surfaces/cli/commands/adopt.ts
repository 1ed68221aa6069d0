// `gkube adopt`: what taking over a workload would change, then a question, then the deploy that does it. The question
// is answered for exactly what was shown: the server refuses it where anything has changed since.
import type { AdoptionPlan } from '../../../core/adoption/verbs.ts'
import { ago } from '../../../core/words.ts'
import { UserError } from '../../../errors.ts'
import { type Cli, exitCodes } from '../cli.ts'
import { type FollowOptions, requestDeploy } from '../deploying.ts'
import { clean } from '../terminal-text.ts'
import { printObjects } from './apps.ts'
import { placeOf } from './look.ts'
import { sourceOf, typed } from './requests.ts'

type Options = FollowOptions & {
  environment?: string
  workload: string
  revision?: string
  forceFrom?: string[]
  takeFrom?: string[]
  replaceByDeployment?: boolean
  confirm?: string
  yes?: boolean
  note?: string
}

export async function adopt(
  cli: Cli,
  [app = '']: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  const { out } = cli
  const path = `${placeOf(cli, app, options)}/adopt`
  const body = {
    workload: options.workload,
    ...(options.revision ? { revision: options.revision } : {}),
    forceFrom: options.forceFrom ?? [],
    takeFrom: options.takeFrom ?? [],
    replaceByDeployment: options.replaceByDeployment ?? false,
  }
  const plan = await cli
    .client()
    .ask<AdoptionPlan>('POST', `${path}/plan`, { body, repeatable: true, timeoutMs: 60_000 })
  const sure = options.yes ?? false
  if (!out.json) printAdoption(cli, plan)
  if (out.json && (!sure || plan.refusals.length > 0)) out.data(plan)
  if (plan.refusals.length > 0) return exitCodes.usage
  if (out.json && !sure) return exitCodes.ok
  if (options.confirm !== undefined && options.confirm !== plan.hash)
    throw new UserError(
      'conflict',
      `This is not the plan ${options.confirm} any more. Look at it again and confirm ${plan.hash}.`,
    )
  const question = `Take over ${plan.workload} as ${app} in ${plan.environment}? Type the name of the app to confirm: `
  if (!sure && !(await typed(cli, app, question))) {
    out.warn('gkube: nothing was changed.')
    return exitCodes.usage
  }
  const { revision } = plan
  const request = { ...body, revision, confirm: plan.hash, source: sourceOf(cli, options.note) }
  return requestDeploy(cli, request, options, path)
}

function printAdoption({ out, now }: Cli, plan: AdoptionPlan): void {
  out.say(
    out.paint('bold', clean(`${plan.app} ${plan.revision} · ${plan.environment} · adopts ${plan.workload}`)),
  )
  out.say(clean(`steps: ${plan.steps.join(' → ')}`))
  out.say(clean(`image: ${plan.image}`))
  if (plan.found.length > 0) out.say('found:')
  out.table(plan.found.map(one => [`  ${one.object}`, one.becomes]))
  if (plan.managers.length > 0) out.say('who wrote it:')
  out.table(
    plan.managers.map(one => [
      `  ${one.object}`,
      one.manager,
      one.fields === 1 ? '1 field' : `${one.fields} fields`,
      one.at === null ? '' : ago(one.at, now()),
      one.moves ? "becomes gkube's" : 'stays',
    ]),
  )
  printObjects(out, plan)
}
