// Pure: (deploy, event, now) → deploy + effects. The only place where a phase or a step changes; events that
// are illegal in a phase are refused, terminal phases never change. ledger.ts writes the outcome to etcd.
import {
  type Actor,
  type Cause,
  type Deploy,
  isSameActor,
  isTerminal,
  type Phase,
  type Step,
  type StepName,
} from './deploy.ts'

type Prepared = NonNullable<Deploy['prepared']>
type Vote = NonNullable<Deploy['approval']>['votes'][number]

export type DeployEvent =
  | { readonly kind: 'prepare' }
  | {
      readonly kind: 'prepared'
      readonly plan: NonNullable<Deploy['plan']>
      readonly revision: string
      readonly prepared: Prepared
      readonly steps: readonly StepName[]
      /** What the app calls its hooks. */
      readonly titles?: Partial<Readonly<Record<StepName, string>>>
      /** Null: no approval asked. */
      readonly approval: {
        readonly required: number
        readonly requesterCounts: boolean
        readonly expiresAt: number
      } | null
    }
  /** Preparing found that it must not or cannot run: nothing was written. */
  | { readonly kind: 'refuse'; readonly cause: Cause }
  /** What the plan was made from has changed: plan again; votes for anything else are void then. */
  | { readonly kind: 'replan' }
  | { readonly kind: 'vote'; readonly vote: Vote }
  /** Break-glass: who may is checked before (use-cases/override.ts). */
  | { readonly kind: 'override'; readonly by: Actor; readonly reason: string }
  | { readonly kind: 'expire' }
  | { readonly kind: 'supersede'; readonly by: string }
  | { readonly kind: 'claim'; readonly epoch: number; readonly slot: number }
  | { readonly kind: 'take_over'; readonly epoch: number }
  | { readonly kind: 'step_done'; readonly message: string }
  | {
      readonly kind: 'step_failed'
      readonly cause: Cause
      readonly message: string
      /** True when this deploy wrote nothing to the cluster, so that there is nothing to roll back. */
      readonly clean: boolean
      /** The known-good snapshot; null on a first create. */
      readonly good: { readonly spec: string; readonly revision: string } | null
    }
  /** By the owner while it runs, by the cancelling use case before. */
  | {
      readonly kind: 'cancel'
      readonly by: Actor
      /** Asked for by the person; left out: as it was prepared, from the environment. */
      readonly onCancel?: 'rollback' | 'hold' | undefined
      readonly clean: boolean
      readonly good: { readonly spec: string; readonly revision: string } | null
    }
  /** An operator frees it by force. */
  | { readonly kind: 'release'; readonly by: Actor; readonly message: string }

/** What must be written in the same transaction as the new record. */
/** `lock`: the app there, until a person unlocks it. */
export type Effect = 'enqueue' | 'dequeue' | 'activate' | 'deactivate' | 'disown' | 'close' | 'lock'

export type Transition =
  | { readonly kind: 'moved'; readonly deploy: Deploy; readonly effects: readonly Effect[] }
  | { readonly kind: 'refused'; readonly why: string }

/** Which events each phase takes; everything else is refused. */
const legal: Readonly<Record<Phase, readonly DeployEvent['kind'][]>> = {
  requested: ['prepare', 'cancel', 'refuse', 'release'],
  preparing: ['prepare', 'prepared', 'refuse', 'cancel', 'release'],
  awaiting_approval: ['vote', 'override', 'expire', 'cancel', 'replan', 'release'],
  ready: ['claim', 'override', 'supersede', 'cancel', 'replan', 'release'],
  running: ['step_done', 'step_failed', 'take_over', 'cancel', 'release'],
  rolling_back: ['step_done', 'step_failed', 'take_over', 'release'],
  succeeded: [],
  failed: [],
  rolled_back: [],
  rollback_failed: [],
  cancelled: [],
  denied: [],
  expired: [],
  superseded: [],
}

/** Moves a deploy by one event; `now` is epoch milliseconds of the replica that writes. */
export function transition(deploy: Deploy, event: DeployEvent, now: number): Transition {
  if (!legal[deploy.phase].includes(event.kind)) {
    return refused(`a deploy that is ${words(deploy.phase)} takes no ${event.kind}`)
  }
  switch (event.kind) {
    case 'prepare':
      return moved({ ...deploy, phase: 'preparing' })
    case 'prepared':
      return prepared(deploy, event, now)
    case 'refuse':
      return ended(deploy, 'failed', event.cause, now, ['disown'])
    case 'replan':
      // What was prepared and decided stays until it is prepared again: only then is it known what is void.
      return moved({ ...deploy, phase: 'preparing', readyAt: null, dueAt: null }, ['dequeue'])
    case 'vote':
      return voted(deploy, event.vote, now)
    case 'override':
      return overridden(deploy, event, now)
    case 'expire':
      if (deploy.dueAt === null || now < deploy.dueAt) return refused('it has not expired yet')
      return ended(deploy, 'expired', { reason: 'expired', message: 'Nobody approved it in time.' }, now)
    case 'supersede':
      if (deploy.kind === 'rollback') return refused('a rollback is never superseded')
      return ended({ ...deploy, supersededBy: event.by }, 'superseded', superseded(event.by), now, [
        'dequeue',
      ])
    case 'claim':
      return claimed(deploy, event, now)
    case 'take_over':
      if (event.epoch <= deploy.epoch) return refused('the epoch of a take-over must be higher')
      return moved({ ...deploy, epoch: event.epoch }, ['activate'])
    case 'step_done':
      return stepDone(deploy, event.message, now)
    case 'step_failed':
      return stepFailed(deploy, event, now)
    case 'cancel':
      return cancelled(deploy, event, now)
    case 'release':
      return ended(deploy, 'failed', { reason: 'released', message: event.message }, now, [
        'disown',
        'dequeue',
      ])
  }
}

function prepared(
  deploy: Deploy,
  event: Extract<DeployEvent, { kind: 'prepared' }>,
  now: number,
): Transition {
  if (event.steps.length === 0) return refused('a plan needs at least one step')
  const { hash } = event.prepared
  const same = deploy.prepared?.hash === hash
  const settled: Deploy = {
    ...deploy,
    plan: event.plan,
    revision: event.revision,
    prepared: event.prepared,
    steps: event.steps.map(name => pending(name, event.titles?.[name])),
    // Decided for something else: void.
    overridden: deploy.overridden?.hash === hash ? deploy.overridden : null,
  }
  if (!event.approval || event.approval.required === 0)
    return moved({ ...settled, phase: 'ready', approval: null, readyAt: now }, ['disown', 'enqueue'])
  const votes = (deploy.approval?.votes ?? []).filter(vote => vote.hash === hash)
  const approval = {
    ...event.approval,
    votes,
    // Nothing changed for those who decide, so they get no more time either.
    expiresAt: same && deploy.approval ? deploy.approval.expiresAt : event.approval.expiresAt,
  }
  const decided = settled.overridden !== null || given(votes) >= approval.required
  if (decided)
    return moved({ ...settled, phase: 'ready', approval, readyAt: now, dueAt: null }, ['disown', 'enqueue'])
  return moved({ ...settled, phase: 'awaiting_approval', approval, dueAt: approval.expiresAt }, ['disown'])
}

const given = (votes: readonly Vote[]): number => votes.filter(vote => vote.decision === 'approve').length

/** From waiting for approval to ready without the votes; where it is ready, so that no freeze holds it. */
function overridden(
  deploy: Deploy,
  { by, reason }: Extract<DeployEvent, { kind: 'override' }>,
  now: number,
): Transition {
  if (deploy.overridden) return refused(`${deploy.overridden.by.name} has already overridden it`)
  if (!deploy.prepared) return refused('it was not prepared')
  const next: Deploy = { ...deploy, overridden: { by, reason, at: now, hash: deploy.prepared.hash } }
  if (deploy.phase === 'ready') return moved(next)
  if (deploy.approval && now >= deploy.approval.expiresAt) return refused('the request has expired')
  return moved({ ...next, phase: 'ready', readyAt: now, dueAt: null }, ['enqueue'])
}

function voted(deploy: Deploy, vote: Vote, now: number): Transition {
  const approval = deploy.approval
  if (!approval || !deploy.prepared) return refused('it asks for no approval')
  if (now >= approval.expiresAt) return refused('the request has expired')
  if (vote.hash !== deploy.prepared.hash) return refused('what would run has changed since')
  if (approval.votes.some(v => isSameActor(v.by, vote.by) && v.decision === vote.decision)) {
    return refused(`${vote.by.name} has already decided`)
  }
  const own = isSameActor(vote.by, deploy.requestedBy)
  if (vote.decision === 'approve' && own && !approval.requesterCounts) {
    return refused('who asks may not approve it here')
  }
  const votes = [...approval.votes, vote]
  const next: Deploy = { ...deploy, approval: { ...approval, votes } }
  if (vote.decision === 'deny') {
    const message = `Denied by ${vote.by.name}${vote.reason ? `: ${vote.reason}` : ''}.`
    return ended(next, 'denied', { reason: 'denied', message }, now)
  }
  if (given(votes) < approval.required) return moved(next)
  return moved({ ...next, phase: 'ready', readyAt: now, dueAt: null }, ['enqueue'])
}

function claimed(deploy: Deploy, event: Extract<DeployEvent, { kind: 'claim' }>, now: number): Transition {
  if (event.epoch <= deploy.epoch) return refused('the epoch of a claim must be higher')
  const [first, ...rest] = deploy.steps
  if (!first || !deploy.prepared) return refused('it was not prepared')
  return moved(
    {
      ...deploy,
      phase: 'running',
      epoch: event.epoch,
      slot: event.slot,
      startedAt: deploy.startedAt ?? now,
      steps: [begun(first, now), ...rest],
    },
    ['dequeue', 'activate'],
  )
}

function stepDone(deploy: Deploy, message: string, now: number): Transition {
  const at = deploy.steps.findIndex(step => step.state === 'running')
  const current = deploy.steps[at]
  if (!current) return refused('no step is running')
  const next = deploy.steps[at + 1]
  const steps = deploy.steps.map((step, i) => {
    if (i === at) return { ...step, state: 'done' as const, endedAt: now, message }
    return i === at + 1 ? begun(step, now) : step
  })
  if (next) return moved({ ...deploy, steps })
  if (deploy.phase === 'running') {
    return ended({ ...deploy, steps }, 'succeeded', null, now, ['deactivate', 'disown'])
  }
  if (deploy.cancelledBy)
    return ended({ ...deploy, steps }, 'cancelled', deploy.cause, now, ['deactivate', 'disown'])
  return wentBack({ ...deploy, steps }, 'rolled_back', deploy.cause, now)
}

/** After a failure it may be that nothing more goes there until somebody has looked. */
function wentBack(
  deploy: Deploy,
  phase: 'rolled_back' | 'rollback_failed',
  cause: Cause | null,
  now: number,
): Transition {
  const locks = deploy.prepared?.afterRollback === 'lock'
  const effects: Effect[] = ['deactivate', 'disown', ...(locks ? (['lock'] as const) : [])]
  return ended(locks ? { ...deploy, locked: true } : deploy, phase, cause, now, effects)
}

function stepFailed(
  deploy: Deploy,
  event: Extract<DeployEvent, { kind: 'step_failed' }>,
  now: number,
): Transition {
  if (!deploy.steps.some(step => step.state === 'running')) return refused('no step is running')
  const next = { ...deploy, steps: failCurrent(deploy.steps, event.message, now) }
  if (deploy.phase === 'rolling_back') {
    return wentBack(next, 'rollback_failed', event.cause, now)
  }
  const wantsRollback = deploy.prepared?.onFailure === 'rollback' && deploy.kind !== 'delete'
  if (event.clean || !wantsRollback) return ended(next, 'failed', event.cause, now, ['deactivate', 'disown'])
  if (!event.good) {
    return ended(next, 'failed', event.cause, now, ['deactivate', 'disown'], 'no_known_good')
  }
  return startRollback({ ...next, cause: event.cause }, event.good, now)
}

function cancelled(deploy: Deploy, event: Extract<DeployEvent, { kind: 'cancel' }>, now: number): Transition {
  const cause: Cause = { reason: 'cancelled', message: `Cancelled by ${event.by.name}.` }
  const next: Deploy = { ...deploy, cancelledBy: event.by }
  if (deploy.phase !== 'running') return ended(next, 'cancelled', cause, now, ['dequeue', 'disown'])
  const stopped = { ...next, steps: failCurrent(deploy.steps, 'cancelled', now) }
  const wantsBack = (event.onCancel ?? deploy.prepared?.onCancel) === 'rollback' && deploy.kind !== 'delete'
  if (event.clean || !wantsBack || !event.good)
    return ended(stopped, 'cancelled', cause, now, ['deactivate', 'disown'])
  return startRollback({ ...stopped, cause }, event.good, now)
}

/** `rollback` is written before its first effect and only once: a rollback that fails never starts another. */
function startRollback(deploy: Deploy, good: { spec: string; revision: string }, now: number): Transition {
  if (deploy.rollback) return refused('it was rolled back already')
  const done = deploy.steps.filter(step => step.state !== 'pending')
  // `current` may have been switched already.
  const back = done.some(step => step.name === 'activate') ? [pending('reactivate')] : []
  return moved({
    ...deploy,
    phase: 'rolling_back',
    rollback: { attemptedAt: now, spec: good.spec, revision: good.revision },
    steps: [...done, begun(pending('restore'), now), ...back, pending('recover')],
  })
}

const moved = (deploy: Deploy, effects: readonly Effect[] = []): Transition => ({
  kind: 'moved',
  deploy,
  effects,
})
const refused = (why: string): Transition => ({ kind: 'refused', why })

function ended(
  deploy: Deploy,
  phase: Phase,
  cause: Cause | null,
  now: number,
  effects: readonly Effect[] = [],
  reason: Deploy['reason'] = cause?.reason ?? 'ok',
): Transition {
  if (!isTerminal(phase)) return refused(`${phase} is no end`)
  return moved({ ...deploy, phase, reason, cause, endedAt: now, dueAt: null }, [...effects, 'close'])
}

const pending = (name: StepName, title?: string): Step => ({
  name,
  ...(title ? { title } : {}),
  state: 'pending',
  startedAt: null,
  endedAt: null,
  message: '',
})
const begun = (step: Step, now: number): Step => ({ ...step, state: 'running', startedAt: now })
const failCurrent = (steps: readonly Step[], message: string, now: number): Step[] =>
  steps.map(step => (step.state === 'running' ? { ...step, state: 'failed', endedAt: now, message } : step))
const superseded = (by: string): Cause => ({
  reason: 'superseded',
  message: `A newer deploy took its place (${by}).`,
})
const words = (phase: Phase): string => phase.replaceAll('_', ' ')
