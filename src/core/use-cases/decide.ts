// What people decide about a deploy that exists: cancel it, approve it, deny it. Before the claim they write the
// record themselves, by compare-and-swap; after it they leave an intent for the owner.
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import type { Intent } from '../coordination.ts'
import type { Core } from '../core.ts'
import { type Actor, type Deploy, deploySchema, isTerminal } from '../deploy.ts'
import { IllegalEvent, LostRace } from '../ledger.ts'
import { demand } from '../policy.ts'
import { decode, put, type Stored, unchanged } from '../records.ts'
import type { DeployEvent } from '../transition.ts'
import { type Deps, environmentNamed } from './deps.ts'

/** Owners and people write at the same time; each lost race reads again. */
const mostRaces = 10

/** The deploy of that id; UserError `not_found`. */
export async function deployNamed(deps: Pick<Deps, 'kv' | 'keys'>, id: string): Promise<Stored<Deploy>> {
  const entry = /^[a-z0-9]{1,40}$/.test(id) ? await deps.kv.get(deps.keys.deploy(id)) : null
  if (!entry) throw new UserError('not_found', `There is no deploy ${id}. See: gkube history <app>`)
  return decode(deploySchema, entry)
}

export function decisions(deps: Deps): Pick<Core, 'cancel' | 'vote'> {
  return {
    async cancel(caller, id, { reason, ifWaiting = false }) {
      const first = await deployNamed(deps, id)
      const { app, environment } = first.value
      const own = first.value.requestedBy.id === caller.actor.id
      if (!own)
        demand(caller, 'cancel', { app, environment: environmentNamed(deps, environment) }, deps.people)
      return racing(deps, id, async stored => {
        const deploy = stored.value
        if (isTerminal(deploy.phase))
          throw new UserError('conflict', `It has ended already: ${deploy.phase.replaceAll('_', ' ')}.`)
        if (deploy.phase === 'rolling_back')
          throw new UserError('conflict', 'It is being rolled back already; a rollback is not cancelled.')
        const waits =
          deploy.phase === 'requested' || deploy.phase === 'awaiting_approval' || deploy.phase === 'ready'
        if (waits)
          return advance(
            deps,
            stored,
            { kind: 'cancel', by: caller.actor, clean: true, good: null },
            caller.actor,
            reason,
          )
        if (ifWaiting && deploy.phase === 'running') throw new UserError('conflict', 'It runs already.')
        await leaveIntent(deps, stored, caller.actor, reason)
        return deploy
      })
    },
    async vote(caller, id, { decision, reason }) {
      const first = await deployNamed(deps, id)
      const environment = environmentNamed(deps, first.value.environment)
      demand(caller, 'approve', { app: first.value.app, environment }, deps.people)
      if (environment.approvals.reason && decision === 'approve' && !reason) {
        throw new UserError('bad_input', `An approval in ${environment.name} needs a reason: --reason "…"`)
      }
      return racing(deps, id, async stored => {
        const deploy = stored.value
        if (deploy.phase !== 'awaiting_approval') {
          throw new UserError(
            'conflict',
            `It asks for no approval now: it is ${deploy.phase.replaceAll('_', ' ')}.`,
          )
        }
        const vote = {
          by: caller.actor,
          decision,
          reason,
          at: deps.clock.now(),
          hash: deploy.prepared?.hash ?? '',
        }
        return advance(deps, stored, { kind: 'vote', vote }, caller.actor, reason)
      })
    },
  }
}

async function racing(
  deps: Deps,
  id: string,
  attempt: (stored: Stored<Deploy>) => Promise<Deploy>,
): Promise<Deploy> {
  for (let races = 0; ; races++) {
    try {
      return await attempt(await deployNamed(deps, id))
    } catch (error) {
      if (error instanceof IllegalEvent) throw new UserError('conflict', `Not now: ${error.message}.`)
      if (!(error instanceof LostRace) || races >= mostRaces) throw error
    }
  }
}

async function advance(
  deps: Deps,
  stored: Stored<Deploy>,
  event: DeployEvent,
  by: Actor,
  detail: string,
): Promise<Deploy> {
  const next = await deps.ledger.advance(stored, event, { by, detail })
  deps.view.learn(next)
  return next.value
}

/** Only in a phase that has an owner: an intent that nobody reads must not be left. */
async function leaveIntent(deps: Deps, stored: Stored<Deploy>, by: Actor, reason: string): Promise<void> {
  const { kv, keys, clock } = deps
  const deploy = stored.value
  const key = keys.intent(deploy.id, 'cancel')
  const intent: Intent = { schema: 1, kind: 'cancel', by, reason, at: clock.now() }
  const audit = auditPut(keys, clock.now(), {
    by,
    action: 'cancel',
    outcome: 'asked',
    app: deploy.app,
    environment: deploy.environment,
    deploy: deploy.id,
    detail: reason,
  })
  const result = await kv.commit({
    compares: [unchanged(stored.key, stored), { kind: 'absent', key }],
    writes: [put(key, intent), audit],
  })
  if (!result.committed && !result.seen.has(key)) throw new LostRace([stored.key])
}
