// cancel, approve, deny, override, approvals, follow, pods delete, release: one decision about one deploy or workload.
import type { ApprovalRequest, Status } from '../../../core/core.ts'
import type { Deploy } from '../../../core/deploy.ts'
import { isOver, phaseText, titleOf, until } from '../../../core/words.ts'
import { UserError } from '../../../errors.ts'
import { type Cli, exitCodes } from '../cli.ts'
import type { Client } from '../client.ts'
import { followDeploy } from '../deploying.ts'
import { clean } from '../terminal-text.ts'
import { placeOf } from './look.ts'

type Args = readonly (string | undefined)[]
type Of = { environment?: string; reason?: string }

type CancelOptions = Of & { rollback?: boolean; hold?: boolean }

export async function cancel(cli: Cli, [which = '']: Args, options: CancelOptions): Promise<number> {
  const client = cli.client()
  const id = await idOf(client, which, options.environment)
  const onCancel = options.rollback ? 'rollback' : options.hold ? 'hold' : undefined
  const body = { reason: options.reason ?? '', ...(onCancel ? { onCancel } : {}) }
  const { deploy } = await client.ask<{ deploy: Deploy }>('POST', `/v1/deploys/${id}/cancel`, { body })
  if (cli.out.json) cli.out.data(deploy)
  else {
    const what = `${clean(titleOf(deploy))} → ${deploy.environment}`
    cli.out.say(
      isOver(deploy.phase)
        ? `${what}: ${phaseText(deploy.phase)}`
        : `${what}: it is being cancelled (gkube follow ${deploy.id})`,
    )
  }
  return exitCodes.ok
}

export const vote =
  (decision: 'approve' | 'deny') =>
  async (cli: Cli, [which = '']: Args, options: Of): Promise<number> => {
    const client = cli.client()
    const id = await idOf(client, which, options.environment)
    const body = { decision, reason: options.reason ?? '' }
    const { deploy } = await client.ask<{ deploy: Deploy }>('POST', `/v1/deploys/${id}/vote`, { body })
    if (cli.out.json) cli.out.data(deploy)
    else
      cli.out.say(
        `${clean(titleOf(deploy))} → ${deploy.environment}: ${decision === 'approve' ? 'approved' : 'denied'}, ${phaseText(deploy.phase)}`,
      )
    return exitCodes.ok
  }

/** Break-glass: only with a reason, which everybody sees. */
export async function override(cli: Cli, [which = '']: Args, options: Of): Promise<number> {
  if (!options.reason)
    throw new UserError('bad_input', 'Why? It is shown to everybody and kept: --reason "site is down"')
  const client = cli.client()
  const id = await idOf(client, which, options.environment)
  const body = { reason: options.reason }
  const { deploy } = await client.ask<{ deploy: Deploy }>('POST', `/v1/deploys/${id}/override`, { body })
  if (cli.out.json) cli.out.data(deploy)
  else
    cli.out.say(`${clean(titleOf(deploy))} → ${deploy.environment}: overridden, ${phaseText(deploy.phase)}`)
  return exitCodes.ok
}

export async function approvals(cli: Cli): Promise<number> {
  const { approvals } = await cli.client().ask<{ approvals: ApprovalRequest[] }>('GET', '/v1/approvals')
  if (cli.out.json) cli.out.data(approvals)
  else if (approvals.length === 0) cli.out.say('Nothing waits for approval')
  else
    cli.out.table(
      approvals.map(({ deploy, refusal }) => [
        { text: titleOf(deploy), format: 'bold' },
        deploy.environment,
        deploy.requestedBy.name,
        `expires ${until(deploy.approval?.expiresAt ?? cli.now(), cli.now())}`,
        refusal ?? `gkube approve ${deploy.id}`,
      ]),
    )
  return exitCodes.ok
}

/** Looks on: leaving it never touches the deploy. */
export async function follow(cli: Cli, [which = '']: Args, options: Of): Promise<number> {
  const client = cli.client()
  const id = await idOf(client, which, options.environment)
  const { deploy } = await client.ask<{ deploy: Deploy }>('GET', `/v1/deploys/${id}`)
  return followDeploy(cli, client, deploy, { leaveIt: true })
}

/** A deploy by its id, or the one that an app has under way. */
async function idOf(client: Client, which: string, environment: string | undefined): Promise<string> {
  if (/^[0-7][0-9a-hjkmnp-tv-z]{25}$/i.test(which)) return which
  const { status } = await client.ask<{ status: Status[] }>('GET', '/v1/status', {
    query: { app: which, environment },
  })
  const current = status.flatMap(one =>
    one.current ? [{ ...one.current, environment: one.workload.environment }] : [],
  )
  const [only, ...more] = current
  if (only && more.length === 0) return only.id
  if (only)
    throw new UserError(
      'bad_input',
      `${which} has several deploys under way: ${current.map(one => `${one.id} (${one.environment})`).join(', ')}. Name one, or add -E.`,
    )
  // A first deploy has no workload yet, and history knows it.
  const { deploys } = await client.ask<{ deploys: Deploy[] }>('GET', '/v1/deploys', {
    query: { app: which, environment, limit: 20 },
  })
  const open = deploys.filter(deploy => !isOver(deploy.phase))
  if (open[0] && open.length === 1) return open[0].id
  throw new UserError('not_found', `${which} has no deploy under way. What was: gkube history ${which}`)
}

export async function deletePod(cli: Cli, [app, pod = '']: Args, options: Of): Promise<number> {
  await cli.client().ask('DELETE', `${placeOf(cli, app, options)}/pods/${encodeURIComponent(pod)}`)
  if (cli.out.json) cli.out.data({ pod, outcome: 'deleted' })
  else cli.out.say(`${pod} is being deleted; ${app} gets a new one`)
  return exitCodes.ok
}

/** For operators: frees what is stuck. */
export async function release(cli: Cli, [app]: Args, options: Of & { force?: boolean }): Promise<number> {
  if (!options.force || !options.reason)
    throw new UserError(
      'bad_input',
      `This takes a running deploy away from its owner and puts records that cannot be read aside. If that is what you want: gkube release ${app} -E ${options.environment ?? 'production'} --force --reason "why"`,
    )
  const { released } = await cli
    .client()
    .ask<{ released: string[] }>('POST', `${placeOf(cli, app, options)}/release`, {
      body: { reason: options.reason },
    })
  if (cli.out.json) cli.out.data({ released })
  else if (released.length === 0) cli.out.say('Nothing was stuck')
  else for (const one of released) cli.out.say(`released ${clean(one)}`)
  return exitCodes.ok
}
