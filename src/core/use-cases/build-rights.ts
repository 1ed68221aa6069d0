// Who may do what with a Jenkins job: whoever may do it to an app that the job feeds. A job that feeds no app is for
// those who run everything. Denials say who may.
import { UserError } from '../../errors.ts'
import type { Caller } from '../core.ts'
import type { Grant } from '../environment.ts'
import { type Action, covers, demand, everywhere, may, type Person } from '../policy.ts'

export type Job = { readonly job: string; readonly apps: readonly string[] }
type BuildAction = Extract<Action, 'view' | 'build' | 'answer_input'>

/** Operators and admins of everything: nothing of Jenkins is kept from them. */
const runsEverything = (grant: Grant): boolean =>
  (grant.role === 'operator' || grant.role === 'admin') && covers(grant, 'build', everywhere)

export const isOperator = (caller: Caller, job: Job): boolean =>
  caller.grants.some(
    grant =>
      (grant.role === 'operator' || grant.role === 'admin') &&
      (runsEverything(grant) || job.apps.some(app => covers(grant, 'build', { app }))),
  )

export const mayWith = (caller: Caller, action: BuildAction, { apps }: Job): boolean =>
  apps.some(app => may(caller, action, { app })) || caller.grants.some(runsEverything)

/** Throws UserError `forbidden`. `near`: what may have been meant, as a sentence. */
export function demandWith(
  caller: Caller,
  action: BuildAction,
  job: Job,
  { people, near = '' }: { readonly people: readonly Person[]; readonly near?: string },
): void {
  if (mayWith(caller, action, job)) return
  const [app] = job.apps
  if (app !== undefined) demand(caller, action, { app }, people)
  const names = people.filter(one => one.grants.some(runsEverything)).map(one => `@${one.name}`)
  const who =
    names.length > 0
      ? `Who may: ${names.slice(0, 10).join(', ')}.`
      : 'Ask an admin to add it to `jobs` of an app.'
  throw new UserError(
    'forbidden',
    `The Jenkins job ${job.job} feeds no app, so it is for operators of everything. ${near}${near ? ' ' : ''}${who}`,
    { details: { action, job: job.job } },
  )
}
