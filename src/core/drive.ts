// Drives one owned deploy through its steps to its end. Each step's end and the next one's begin are one transaction
// that only the owner can commit; every write to the cluster checks first that this replica still is the owner.

import type { Owned } from './claim.ts'
import { backoff, type Clock } from './clock.ts'
import { type Cluster, ClusterError } from './cluster.ts'
import { type Intent, intentSchema } from './coordination.ts'
import { type Deploy, type Diagnosis, isTerminal, type Progress, type Step, type StepName } from './deploy.ts'
import type { Environment } from './environment.ts'
import type { FrozenSpecs } from './frozen.ts'
import type { Keys } from './keys.ts'
import type { Kv, Lease, Write } from './kv.ts'
import type { Ledger, More } from './ledger.ts'
import { put, read, remove, type Stored, unchanged } from './records.ts'
import { assertHeld, Fenced } from './replica.ts'
import { apply, restore } from './steps/apply.ts'
import { environment as environmentStep } from './steps/environment.ts'
import { record } from './steps/record.ts'
import { remove as removeStep } from './steps/remove.ts'
import { recover, rollout } from './steps/rollout.ts'
import { failed, type StepBody, type StepContext, type StepOutcome } from './steps/step.ts'
import type { DeployEvent } from './transition.ts'
import { type Workload, workloadSchema } from './workload.ts'

/** A cluster that does not answer is asked again for this long before the step fails. */
const clusterPatienceMs = 120_000
const progressEveryMs = 2_000

const bodies: Partial<Record<StepName, StepBody>> = {
  environment: environmentStep,
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
  let workload = await read(
    deps.kv,
    workloadSchema,
    deps.keys.workload(stored.value.environment, stored.value.app),
  )
  while (!isTerminal(stored.value.phase)) {
    assertHeld(signals.lease)
    if (!workload) throw new Error(`deploy ${stored.value.id} has lost its workload record`)
    const context = await situation(deps, { stored, owned, signals, takenOver, workload: workload.value })
    const outcome = await attempt(deps, bodies[running(stored.value).name], context, signals)
    assertHeld(signals.lease)
    stored = await conclude(deps, { stored, workload, owned, outcome })
    deps.learned(stored)
    if (outcome.workload) workload = { ...workload, value: outcome.workload, modRevision: stored.modRevision }
    takenOver = false
  }
  return stored.value
}

function running(deploy: Deploy): Step {
  const step = deploy.steps.find(candidate => candidate.state === 'running')
  if (!step) throw new Error(`deploy ${deploy.id} is ${deploy.phase} without a running step`)
  return step
}

async function situation(
  deps: DriveDeps,
  at: { stored: Stored<Deploy>; owned: Owned; signals: DriveSignals; takenOver: boolean; workload: Workload },
): Promise<StepContext> {
  const { owned, signals, takenOver, workload } = at
  const deploy = at.stored.value
  const environment = deps.environment(deploy.environment)
  const cluster = deps.cluster(deploy.prepared?.cluster ?? '')
  if (!environment || !cluster) throw new Error(`deploy ${deploy.id} has lost its environment or cluster`)
  const ahead = deploy.prepared?.spec ?? ''
  const back = deploy.phase === 'rolling_back' ? deploy.rollback?.spec : undefined
  const frozen = await deps.specs.get(back ?? ahead)
  if (!frozen) throw new Error(`deploy ${deploy.id} has lost its frozen spec`)
  // Going back, what was just applied is what there is to leave.
  const before = back ? ahead : deploy.prepared?.base.spec
  // A rollback is not cancelled.
  const cancelled = back ? never : signals.cancelled
  return {
    deploy,
    workload,
    frozen,
    base: before ? await deps.specs.get(before) : null,
    environment,
    cluster: fencedCluster(cluster, signals),
    startedAt: running(deploy).startedAt ?? deps.clock.now(),
    now: deps.clock.now,
    sleep: (ms, wake) =>
      deps.clock.sleep(ms, AbortSignal.any([signals.stopped, cancelled, ...(wake ? [wake] : [])])),
    cancelled,
    stopped: signals.stopped,
    takenOver,
    progress: progressWriter(deps, owned, deploy.id),
  }
}

const never = new AbortController().signal

/** Writes pass only while this replica surely is the owner; reads always. */
function fencedCluster(cluster: Cluster, { lease, stopped }: DriveSignals): Cluster {
  const guard =
    <A extends readonly unknown[], R>(write: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (stopped.aborted) throw new Fenced('it is shutting down')
      assertHeld(lease)
      return write(...args)
    }
  return {
    ...cluster,
    create: guard(cluster.create),
    apply: guard(cluster.apply),
    stamp: guard(cluster.stamp),
    remove: guard(cluster.remove),
  }
}

/** At most one write every 2 s; a lost one is no loss. */
function progressWriter(deps: DriveDeps, owned: Owned, id: string): StepContext['progress'] {
  let last = 0
  let before = ''
  return progress => {
    const now = deps.clock.now()
    const text = JSON.stringify(progress)
    if (text === before || now - last < progressEveryMs) return
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

/** Runs a step; a cluster that does not answer is asked again with back-off until its patience ends. */
async function attempt(
  deps: DriveDeps,
  body: StepBody | undefined,
  context: StepContext,
  signals: DriveSignals,
): Promise<StepOutcome> {
  const name = running(context.deploy).name
  if (!body) return failed('not_supported', `This version of gkube has no ${name} step.`, { clean: true })
  const since = deps.clock.now()
  for (let tries = 0; ; tries++) {
    if (signals.stopped.aborted) throw new Fenced('it is shutting down')
    if (context.cancelled.aborted) return { kind: 'cancelled', clean: false }
    try {
      return await body(context)
    } catch (error) {
      if (error instanceof Fenced) throw error
      const transient =
        error instanceof ClusterError && ['unavailable', 'too_many_requests', 'gone'].includes(error.kind)
      if (!transient) {
        deps.log(`step ${name} of ${context.deploy.id} broke`, error)
        if (error instanceof ClusterError) return failed('forbidden', error.message)
        return failed(
          'internal',
          `gkube itself failed in step ${name} (deploy ${context.deploy.id}); its log says why.`,
        )
      }
      const waited = deps.clock.now() - since
      context.progress({
        ready: 0,
        wanted: 0,
        message: `the cluster does not answer (${error.message}), trying again`,
      })
      if (waited > clusterPatienceMs) {
        return failed(
          'cluster_unavailable',
          `The cluster did not answer for ${Math.round(waited / 1000)} s: ${error.message}`,
        )
      }
      await context.sleep(backoff(tries, { base: 200, most: 5_000, random: deps.random }))
    }
  }
}

type Conclusion = {
  readonly stored: Stored<Deploy>
  readonly workload: Stored<Workload>
  readonly owned: Owned
  readonly outcome: StepOutcome
}

/** Writes what the step came to: the deploy's next state and the workload in one transaction. */
async function conclude(
  deps: DriveDeps,
  { stored, workload, owned, outcome }: Conclusion,
): Promise<Stored<Deploy>> {
  const deploy = stored.value
  const { keys } = deps
  const good = knownGood(deploy, workload.value)
  const applied = deploy.steps.some(step => step.name === 'apply' && step.state === 'done')
  const writes: Write[] = []
  if (outcome.kind === 'done' && outcome.removeWorkload) writes.push(remove(workload.key))
  else if (outcome.workload) writes.push(put(workload.key, outcome.workload))
  const more: More = {
    owner: owned.ownership,
    compares: [unchanged(workload.key, workload)],
    writes,
  }
  switch (outcome.kind) {
    case 'done':
      return deps.ledger.advance(stored, { kind: 'step_done', message: outcome.message }, more)
    case 'failed': {
      const clean = outcome.clean && !applied
      const event: DeployEvent = {
        kind: 'step_failed',
        cause: outcome.cause,
        message: outcome.message,
        clean,
        good,
      }
      if (outcome.diagnosis)
        writes.push(put(keys.diagnosis(deploy.id), outcome.diagnosis satisfies Diagnosis))
      return deps.ledger.advance(stored, event, more)
    }
    case 'cancelled': {
      const intent = await cancelIntent(deps, deploy.id)
      const by = intent?.by ?? { id: 'gkube', name: 'gkube', via: 'gkube' as const }
      const clean = outcome.clean && !applied
      return deps.ledger.advance(
        stored,
        { kind: 'cancel', by, clean, good },
        { ...more, by, detail: intent?.reason },
      )
    }
  }
}

async function cancelIntent(deps: DriveDeps, id: string): Promise<Intent | null> {
  return (await read(deps.kv, intentSchema, deps.keys.intent(id, 'cancel')))?.value ?? null
}

/** Where a rollback goes: what last succeeded. */
const knownGood = (deploy: Deploy, workload: Workload): { spec: string; revision: string } | null =>
  workload.good && deploy.phase === 'running'
    ? { spec: workload.good.spec, revision: workload.good.revision }
    : null
