// What people decide about a deploy that exists: cancel it, approve it, deny it; and what becomes of it when the command
// that followed it is stopped. Before the claim they write the record themselves, by compare-and-swap; after it they
// leave an intent for the owner.
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import { type Intent, intentSchema } from '../coordination.ts'
import type { AbortOutcome, Caller, Core } from '../core.ts'
import { type Actor, type Deploy, deploySchema, isSameActor, isTerminal } from '../deploy.ts'
import { IllegalEvent, LostRace } from '../ledger.ts'
import { able, demand } from '../policy.ts'
import { decode, put, type Stored, unchanged } from '../records.ts'
import { ago } from '../times.ts'
import type { DeployEvent } from '../transition.ts'
import { type Deps, environmentNamed } from './deps.ts'
import { cancelRefusal, voteRefusal } from './why-not.ts'

/** Owners and people write at the same time; each lost race reads again. */
const mostRaces = 10

/** The deploy of that id; UserError `not_found`. */
export async function deployNamed(deps: Pick<Deps, 'kv' | 'keys'>, id: string): Promise<Stored<Deploy>> {
  const entry = /^[a-z0-9]{1,40}$/.test(id) ? await deps.kv.get(deps.keys.deploy(id)) : null
  if (!entry) throw new UserError('not_found', `There is no deploy ${id}. See: gkube history <app>`)
  return decode(deploySchema, entry)
}

export function decisions(deps: Deps): Pick<Core, 'cancel' | 'abort' | 'vote' | 'mayVote'> {
  return {
    async cancel(caller, id, { reason, ifWaiting = false, onCancel }) {
      await demandCancel(deps, caller, id)
      const by = caller.actor
      return racing(deps, id, async stored => {
        const refusal = cancelRefusal(stored.value, { by, ifWaiting, now: deps.clock.now() })
        if (refusal) throw refusal
        return stop(deps, stored, { by, reason, onCancel })
      })
    },
    async abort(caller, id, { reason }) {
      await demandCancel(deps, caller, id)
      return racing(deps, id, async stored => {
        const { phase } = stored.value
        const says = (outcome: AbortOutcome, deploy = stored.value) => ({ deploy, outcome })
        if (isTerminal(phase)) return says('ended')
        if (phase === 'rolling_back') return says('continues')
        if (phase === 'running' && (await onAbort(deps, stored.value)) === 'continue')
          return says('continues')
        const deploy = await stop(deps, stored, { by: caller.actor, reason, again: true })
        return says(isTerminal(deploy.phase) ? 'cancelled' : 'cancelling', deploy)
      })
    },
    async vote(caller, id, { decision, reason, hash }) {
      const first = await deployNamed(deps, id)
      const environment = environmentNamed(deps, first.value.environment)
      const attempt = async (stored: Stored<Deploy>) => {
        const refusal = voteRefusalFor(deps, caller, stored.value, { decision, hash })
        if (refusal) throw refusal
        if (environment.approvals.reason && decision === 'approve' && !reason.trim())
          throw new UserError(
            'bad_input',
            `An approval in ${environment.name} needs a reason: say why it may go.`,
          )
        const by = caller.actor
        const at = deps.clock.now()
        const vote = { by, decision, reason, at, hash: stored.value.prepared?.hash ?? '' }
        return advance(deps, stored, { event: { kind: 'vote', vote }, by, detail: reason })
      }
      return racing(deps, id, attempt, first)
    },
    async mayVote(caller, id, vote) {
      const { value: deploy } = await deployNamed(deps, id)
      const refusal = voteRefusalFor(deps, caller, deploy, vote)
      if (refusal) throw refusal
    },
  }
}

/** Who asked for it may stop it, and who may cancel there. */
async function demandCancel(deps: Deps, caller: Caller, id: string): Promise<void> {
  const { value: deploy } = await deployNamed(deps, id)
  if (isSameActor(deploy.requestedBy, caller.actor)) return
  const { app, environment } = deploy
  demand(caller, 'cancel', { app, environment: environmentNamed(deps, environment) }, deps.people)
}

type Wish = {
  readonly by: Actor
  readonly reason: string
  readonly onCancel?: Intent['onCancel']
}

/** Ends what nobody owns; its owner hears of it otherwise. `again`: that it was asked for already is no conflict. */
async function stop(
  deps: Deps,
  stored: Stored<Deploy>,
  { again = false, ...wish }: Wish & { readonly again?: boolean },
): Promise<Deploy> {
  const { by, reason } = wish
  const { phase } = stored.value
  if (phase === 'requested' || phase === 'awaiting_approval' || phase === 'ready') {
    const event = { kind: 'cancel' as const, by, clean: true, good: null }
    return advance(deps, stored, { event, by, detail: reason })
  }
  const first = await leaveIntent(deps, stored, wish)
  if (first && !again)
    throw new UserError(
      'conflict',
      `@${first.by.name} asked to cancel it already, ${ago(first.at, deps.clock.now())}; it stops as soon as it can.`,
    )
  return stored.value
}

/** As the spec that runs says it. Half a deletion is left to nobody. */
async function onAbort({ specs }: Deps, { kind, prepared }: Deploy): Promise<'rollback' | 'continue'> {
  if (kind === 'delete' || !prepared) return 'continue'
  return (await specs.get(prepared.spec))?.spec.onAbort ?? 'continue'
}

/** Why this caller's vote would not count now: no right, or what why-not.ts says; null: it would. */
export function voteRefusalFor(
  deps: Pick<Deps, 'environments' | 'people' | 'clock'>,
  caller: Caller,
  deploy: Deploy,
  vote: { decision: 'approve' | 'deny'; hash?: string | undefined },
): UserError | null {
  const environment = deps.environments.get(deploy.environment)
  if (!environment)
    return new UserError('conflict', `Environment ${deploy.environment} is not configured any more.`)
  const place = { app: deploy.app, environment }
  try {
    demand(caller, 'approve', place, deps.people)
  } catch (error) {
    if (error instanceof UserError) return error
    throw error
  }
  const others = able('approve', place, deps.people).filter(name => name !== `@${caller.actor.name}`)
  return voteRefusal({ deploy, by: caller.actor, ...vote, now: deps.clock.now(), others })
}

/** Tries again where someone else wrote first (`first`: as it was just read); an event that is not legal any more is a conflict in words. */
export async function racing<T>(
  deps: Deps,
  id: string,
  attempt: (stored: Stored<Deploy>) => Promise<T>,
  first: Stored<Deploy> | null = null,
): Promise<T> {
  for (let races = 0; ; races++) {
    try {
      return await attempt((races === 0 && first) || (await deployNamed(deps, id)))
    } catch (error) {
      if (error instanceof IllegalEvent) throw new UserError('conflict', `Not now: ${error.message}.`)
      if (!(error instanceof LostRace)) throw error
      if (races >= mostRaces)
        throw new UserError(
          'conflict',
          'Others decide about it at the same moment. Look at it and try again.',
        )
    }
  }
}

/** One transition by a person, with its audit entry. */
export async function advance(
  deps: Deps,
  stored: Stored<Deploy>,
  { event, by, detail }: { event: DeployEvent; by: Actor; detail: string },
): Promise<Deploy> {
  const next = await deps.ledger.advance(stored, event, { by, detail })
  deps.view.learn(next)
  return next.value
}

/**
 * Only in a phase that has an owner: an intent that nobody reads must not be left. The one of somebody else before; who
 * asks again may have changed their mind about what becomes of what runs.
 */
async function leaveIntent(
  deps: Deps,
  stored: Stored<Deploy>,
  { by, reason, onCancel }: Wish,
): Promise<Intent | null> {
  const { kv, keys, clock } = deps
  const deploy = stored.value
  const key = keys.intent(deploy.id, 'cancel')
  const at = clock.now()
  const intent: Intent = { schema: 1, kind: 'cancel', by, reason, at, ...(onCancel ? { onCancel } : {}) }
  const audit = auditPut(keys, at, {
    by,
    action: 'cancel',
    outcome: 'asked',
    app: deploy.app,
    environment: deploy.environment,
    deploy: deploy.id,
    detail: [reason, onCancel ? `(${onCancel})` : ''].filter(Boolean).join(' '),
  })
  const write = (before: Stored<Intent> | null) =>
    kv.commit({
      compares: [unchanged(stored.key, stored), unchanged(key, before)],
      writes: [put(key, intent), audit],
    })
  const result = await write(null)
  if (result.committed) return null
  const asked = result.seen.get(key)
  if (!asked) throw new LostRace([stored.key])
  const first = decode(intentSchema, asked)
  if (first.value.by.id !== by.id) return first.value
  if (onCancel === undefined || onCancel === first.value.onCancel) return null
  if (!(await write(first)).committed) throw new LostRace([key])
  return null
}
