// Drives one owned deploy through its steps to its end. Each step's end and the next one's begin are one transaction
// that only the owner can commit; every write to the cluster checks first that this replica still is the owner.

import { asAsked } from './cancelling.ts'
import type { Owned } from './claim.ts'
import { backoff, type Clock } from './clock.ts'
import { type Cluster, ClusterError, isTransient } from './cluster.ts'
import type { CodeSide } from './code/code-side.ts'
import {
  type Deploy,
  type Diagnosis,
  type HookLog,
  hookLogSchema,
  isTerminal,
  jobSteps,
  type Progress,
  type Step,
  type StepName,
} from './deploy.ts'
import type { Environment } from './environment.ts'
import type { FrozenSpecs } from './frozen.ts'
import type { Keys } from './keys.ts'
import type { Kv, Lease, Write } from './kv.ts'
import type { Ledger, More } from './ledger.ts'
import { put, read, remove, type Stored, unchanged } from './records.ts'
import { redactText } from './redact.ts'
import { assertHeld, Fenced } from './replica.ts'
import { activate } from './steps/activate.ts'
import { adopt } from './steps/adopt.ts'
import { apply, halfWritten, restore } from './steps/apply.ts'
import { cycle } from './steps/cycle.ts'
import { environment as environmentStep } from './steps/environment.ts'
import { handover } from './steps/handover.ts'
import { hook } from './steps/hook.ts'
import { publish } from './steps/publish.ts'
import { record } from './steps/record.ts'
import { remove as removeStep } from './steps/remove.ts'
import { recover, rollout } from './steps/rollout.ts'
import { snapshot } from './steps/snapshot.ts'
import { failed, type StepBody, type StepContext, type StepOutcome } from './steps/step.ts'
import { volume } from './steps/volume.ts'
import { PoolError } from './volumes/pool.ts'
import type { Pools } from './volumes/pool-side.ts'
import { type Frozen, type Workload, workloadSchema } from './workload.ts'

/** A cluster that does not answer is asked again for this long before the step fails. */
const clusterPatienceMs = 120_000
const progressEveryMs = 2_000

const bodies: Partial<Record<StepName, StepBody>> = {
  volume,
  environment: environmentStep,
  publish,
  snapshot,
  init: hook('init'),
  before: hook('before'),
  after: hook('after'),
  activate: activate('activate'),
  reactivate: activate('reactivate'),
  adopt,
  cycle,
  handover,
  apply,
  rollout,
  remove: removeStep,
  record,
  restore,
  recover,
}

export type DriveDeps = {
  readonly kv: Pick<Kv, 'get' | 'commit'>
  readonly keys: Keys
  readonly clock: Clock
  readonly random: () => number
  readonly ledger: Ledger
  readonly specs: FrozenSpecs
  readonly environment: (name: string) => Environment | undefined
  readonly cluster: (name: string) => Cluster | undefined
  /** Left out: no pool is configured. */
  readonly pools?: Pools
  /** Left out: no code can be published. */
  readonly code?: CodeSide
  /** Hears of each new state at once, before the feed brings it. */
  readonly learned: (stored: Stored<Deploy>) => void
  /** A failure that nobody foresaw, and retries. */
  readonly log: (message: string, error: unknown) => void
}

export type DriveSignals = {
  readonly lease: Lease
  /** The replica drains or lost its lease. */
  readonly stopped: AbortSignal
  /** A cancel intent was seen. */
  readonly cancelled: AbortSignal
}

/** Runs until the deploy ended. Throws Fenced, LostRace, or what etcd throws: then another owner goes on. */
export async function drive(deps: DriveDeps, owned: Owned, signals: DriveSignals): Promise<Deploy> {
  let stored = owned.stored
  let takenOver = owned.takenOver
  const key = deps.keys.workload(stored.value.environment, stored.value.app)
  let workload = await read(deps.kv, workloadSchema, key)
  while (!isTerminal(stored.value.phase)) {
    assertHeld(signals.lease)
    const at = { stored, workload, owned, signals, takenOver }
    const ended = await oneStep(deps, at)
    assertHeld(signals.lease)
    stored = await conclude(deps, at, ended)
    deps.learned(stored)
    if (workload && ended.workload)
      workload = { ...workload, value: ended.workload, modRevision: stored.modRevision }
    takenOver = false
  }
  return stored.value
}

type At = {
  readonly stored: Stored<Deploy>
  readonly workload: Stored<Workload> | null
  readonly owned: Owned
  readonly signals: DriveSignals
  readonly takenOver: boolean
}

/** What a step came to, and what of it may be on the cluster. */
type Ended = { readonly outcome: StepOutcome; readonly wrote: boolean; readonly workload?: Workload }

function running(deploy: Deploy): Step {
  const step = deploy.steps.find(candidate => candidate.state === 'running')
  if (!step) throw new Error(`deploy ${deploy.id} is ${deploy.phase} without a running step`)
  return step
}

/** Runs the step that is due. What it needs and is gone for good ends the deploy: waiting would not bring it back. */
async function oneStep(deps: DriveDeps, at: At): Promise<Ended> {
  const deploy = at.stored.value
  const going = deploy.phase === 'rolling_back' ? deploy.rollback : deploy.prepared
  const frozen = await deps.specs.get(going?.spec ?? '')
  if (!at.workload || !frozen) {
    const what = at.workload ? 'snapshot' : 'workload record'
    const lost = failed('app_gone', `The ${what} that this deploy was made from is not there any more.`)
    return { outcome: lost, wrote: at.takenOver }
  }
  const { context, wrote } = await situation(deps, at, { workload: at.workload.value, frozen })
  const { name } = running(deploy)
  const outcome = await attempt(deps, bodies[name], context)
  if (outcome.kind === 'done') return { outcome, wrote: wrote(), workload: outcome.workload }
  const { workload: known } = outcome
  const half = known ?? (writing.includes(name) && wrote() ? await halfWritten(context) : undefined)
  return { outcome, wrote: wrote() && !isJob(name) && name !== 'volume', workload: half }
}

/** A Job changes nothing of what serves; it is deleted, and what it mounts is the next deploy's too. */
const isJob = (name: StepName): boolean => (jobSteps as readonly StepName[]).includes(name)

/** Steps that write what the deploy renders. */
const writing: readonly StepName[] = ['apply', 'restore']

async function situation(
  deps: DriveDeps,
  { stored, owned, signals, takenOver }: At,
  { workload, frozen }: { workload: Workload; frozen: Frozen },
): Promise<{ context: StepContext; wrote: () => boolean }> {
  const deploy = stored.value
  const environment = deps.environment(deploy.environment)
  const cluster = deps.cluster(deploy.prepared?.cluster ?? '')
  if (!environment || !cluster) throw new Error(`deploy ${deploy.id} has lost its environment or cluster`)
  const back = deploy.phase === 'rolling_back'
  // Going back, what was just applied is what there is to leave.
  const before = back ? deploy.prepared?.spec : deploy.prepared?.base.spec
  // A rollback is not cancelled.
  const cancelled = back ? never : signals.cancelled
  const step = running(deploy)
  const fenced = fencedCluster(cluster, signals)
  const context: StepContext = {
    deploy,
    workload,
    frozen,
    base: before ? await deps.specs.get(before) : null,
    spec: hash => orDrop(deps.specs.get(hash), 'give a spec'),
    environment,
    cluster: fenced.cluster,
    // By the clock of the owner before, a deadline could be over at once, or come minutes too late.
    startedAt: (takenOver ? null : step.startedAt) ?? deps.clock.now(),
    now: deps.clock.now,
    sleep: (ms, wake) =>
      deps.clock.sleep(ms, AbortSignal.any([signals.stopped, cancelled, ...(wake ? [wake] : [])])),
    cancelled,
    stopped: signals.stopped,
    takenOver,
    pools: fencedPools(deps.pools, signals),
    code: droppingCode(deps.code),
    progress: progressWriter(deps, owned, deploy.id),
    hooks: hookRecords(deps, owned, deploy.id),
  }
  // What the owner before wrote in this step is not known.
  return { context, wrote: () => fenced.wrote() || (takenOver && writing.includes(step.name)) }
}

const never = new AbortController().signal

/** Where etcd does not answer the work is dropped, and taken up again by whoever can. */
const orDrop = <T>(work: Promise<T>, what: string): Promise<T> =>
  work.catch(error => {
    throw error instanceof Fenced ? error : new Fenced(`etcd did not ${what}: ${error}`)
  })

const droppingCode = (code: CodeSide | undefined): CodeSide | null =>
  code ? { ...code, ticket: input => orDrop(code.ticket(input), 'take a token') } : null

/** What the hooks came to. */
function hookRecords(deps: DriveDeps, owned: Owned, id: string): StepContext['hooks'] {
  const key = deps.keys.hookLog(id)
  const known = async () => (await read(deps.kv, hookLogSchema, key))?.value.hooks ?? []
  return {
    read: () => orDrop(known(), 'say what a hook came to'),
    write: (result, diagnosis) =>
      orDrop(
        known().then(async before => {
          const hooks = [...before.filter(one => one.step !== result.step), result]
          const { committed } = await deps.kv.commit({
            compares: [
              { kind: 'created', key: deps.keys.owner(id), createRevision: owned.ownership.createRevision },
            ],
            writes: [
              put(key, { schema: 1, hooks } satisfies HookLog),
              ...(diagnosis ? [put(deps.keys.diagnosis(id), diagnosis)] : []),
            ],
            repeatable: true,
          })
          if (!committed) throw new Fenced('it is not the owner any more')
        }),
        'take what a hook came to',
      ),
  }
}

/** As for a cluster. What a pool is asked to make can be asked again, and never makes less: no epoch is needed there. */
const fencedPools =
  (pools: Pools | undefined, { lease, stopped }: DriveSignals): Pools =>
  name => {
    const side = pools?.(name)
    if (!side) return undefined
    const guard =
      <A extends readonly unknown[], R>(change: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        if (stopped.aborted) throw new Fenced('it is shutting down')
        assertHeld(lease)
        return change(...args)
      }
    const { ensure, grow, snapshot, remove } = side.pool
    return {
      ...side,
      pool: {
        ...side.pool,
        ensure: guard(ensure),
        grow: guard(grow),
        snapshot: guard(snapshot),
        remove: guard(remove),
      },
    }
  }

/** Writes pass only while this replica surely is the owner; reads always. `wrote`: one of them may have happened. */
function fencedCluster(cluster: Cluster, { lease, stopped }: DriveSignals) {
  let wrote = false
  const guard =
    <A extends readonly unknown[], R>(write: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (stopped.aborted) throw new Fenced('it is shutting down')
      assertHeld(lease)
      try {
        const result = await write(...args)
        wrote = true
        return result
      } catch (error) {
        // Only an answer of the server says that nothing happened.
        wrote ||= !(error instanceof ClusterError) || error.kind === 'unavailable'
        throw error
      }
    }
  const fenced: Cluster = {
    ...cluster,
    create: guard(cluster.create),
    apply: guard(cluster.apply),
    stamp: guard(cluster.stamp),
    patch: guard(cluster.patch),
    remove: guard(cluster.remove),
    exec: guard(cluster.exec),
  }
  return { cluster: fenced, wrote: () => wrote }
}

/** At most one write every 2 s, and one when all is ready: the message of a deploy ends with it. A lost one is no loss. */
function progressWriter(deps: DriveDeps, owned: Owned, id: string): StepContext['progress'] {
  let last = 0
  let before = ''
  let wasAll = false
  return progress => {
    const now = deps.clock.now()
    const text = JSON.stringify(progress)
    const isAll = progress.wanted > 0 && progress.ready >= progress.wanted
    const arrived = isAll && !wasAll
    wasAll = isAll
    if (text === before || (!arrived && now - last < progressEveryMs)) return
    before = text
    last = now
    const value: Progress = { ...progress, message: progress.message.slice(0, 500), at: now }
    const compares = [
      { kind: 'created' as const, key: deps.keys.owner(id), createRevision: owned.ownership.createRevision },
    ]
    deps.kv
      .commit({ compares, writes: [put(deps.keys.progress(id), value)], repeatable: true })
      .catch(error => deps.log(`progress of ${id} was not written`, error))
  }
}

const isOverSoon = (error: unknown): error is ClusterError | PoolError =>
  isTransient(error) || (error instanceof PoolError && error.code === 'unavailable')

const askedOf = (error: ClusterError | PoolError): string =>
  error instanceof PoolError ? 'the pool' : 'the cluster'

/** Runs a step; a cluster that does not answer is asked again with back-off until its patience ends. */
async function attempt(
  deps: DriveDeps,
  body: StepBody | undefined,
  context: StepContext,
): Promise<StepOutcome> {
  const { name } = running(context.deploy)
  if (!body) return failed('not_supported', `This version of gkube has no ${name} step.`)
  const since = deps.clock.now()
  for (let tries = 0; ; tries++) {
    if (context.stopped.aborted) throw new Fenced('it is shutting down')
    // It has a Job to delete first.
    if (context.cancelled.aborted && !isJob(name)) return { kind: 'cancelled' }
    try {
      return await body(context)
    } catch (error) {
      if (error instanceof Fenced) throw error
      if (!isOverSoon(error)) return broken(deps, context, error)
      const waited = deps.clock.now() - since
      if (waited > clusterPatienceMs) return unreachable(waited, error)
      const message = `${askedOf(error)} does not answer (${redactText(error.message)}), trying again`
      context.progress({ ready: 0, wanted: 0, message })
      await context.sleep(backoff(tries, { base: 200, most: 5_000, random: deps.random }))
    }
  }
}

const unreachable = (waited: number, error: ClusterError | PoolError): StepOutcome =>
  error instanceof PoolError
    ? failed(
        'volume_failed',
        `The pool could not be used for ${Math.round(waited / 1000)} s: ${error.message}`,
      )
    : failed(
        'cluster_unavailable',
        `The cluster did not answer for ${Math.round(waited / 1000)} s: ${error.message}`,
      )

/** Trying again does not help: a refusal of the cluster, or a mistake of ours. */
function broken(deps: DriveDeps, { deploy }: StepContext, error: unknown): StepOutcome {
  const { name } = running(deploy)
  deps.log(`step ${name} of ${deploy.id} broke`, error)
  if (error instanceof ClusterError) return failed('forbidden', error.message)
  if (error instanceof PoolError) return failed('volume_failed', error.message)
  return failed('internal', `gkube itself failed in step ${name} (deploy ${deploy.id}); its log says why.`)
}

/** Writes what the step came to: the deploy's next state and the workload in one transaction. */
async function conclude(deps: DriveDeps, at: At, ended: Ended): Promise<Stored<Deploy>> {
  const { stored, workload, owned } = at
  const { outcome } = ended
  const deploy = stored.value
  const key = deps.keys.workload(deploy.environment, deploy.app)
  const writes: Write[] = []
  if (outcome.kind === 'done' && outcome.removeWorkload) writes.push(remove(key))
  else if (ended.workload) writes.push(put(key, workloadSchema.parse(ended.workload)))
  const more: More = { owner: owned.ownership, compares: [unchanged(key, workload)], writes }
  if (outcome.kind === 'done')
    return deps.ledger.advance(stored, { kind: 'step_done', message: outcome.message }, more)
  const good = workload ? knownGood(deploy, workload.value) : null
  const applied = deploy.steps.some(step => step.name === 'apply' && step.state === 'done')
  const harmless = outcome.kind === 'failed' && outcome.harmless === true
  const clean = harmless || (!ended.wrote && !applied)
  if (outcome.kind === 'failed') {
    const { cause, message, diagnosis } = outcome
    if (diagnosis) writes.push(put(deps.keys.diagnosis(deploy.id), diagnosis satisfies Diagnosis))
    return deps.ledger.advance(stored, { kind: 'step_failed', cause, message, clean, good }, more)
  }
  return asAsked(deps, stored, { clean, good, more })
}

/** Where a rollback goes: what last succeeded. */
const knownGood = (deploy: Deploy, workload: Workload): { spec: string; revision: string } | null =>
  workload.good && deploy.phase === 'running'
    ? { spec: workload.good.spec, revision: workload.good.revision }
    : null
