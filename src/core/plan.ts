// Pure: what a deploy will do, as named steps. The etcd lookup decides: a job that has no workload is created,
// one that has is updated. Steps an app does not need are left out.
import type { AppSpec } from './app.ts'
import { reloads } from './code/reloading.ts'
import { type Deploy, type HookStep, hookSteps, type Kind, type StepName } from './deploy.ts'
import { type Adopted, noOverrides, type Overrides, type Workload } from './workload.ts'

export type PlanFacts = {
  readonly kind: Kind
  readonly spec: AppSpec
  /** What etcd holds for this app and environment. */
  readonly workload: Pick<Workload, 'state' | 'initialisedAt'> | null
  /** Storage has to be made on a pool, or to grow there. */
  readonly pool: boolean
  /** Storage lies on a pool that makes snapshots. */
  readonly snapshots?: boolean
  /** What the app is rendered into, where it is not gkube's own. */
  readonly adopted?: Adopted
  /** `init` runs though the environment is initialised. */
  readonly again?: boolean
  /** A ReplicationController becomes a Deployment. */
  readonly replaces?: boolean
  /** The release of code is on the volume. */
  readonly published?: boolean
  /** What runs now has code with activate: reload, so `current` is there and read. */
  readonly reloads?: boolean
}

/** create while nothing has ever served, update after. */
export function planKind(facts: Pick<PlanFacts, 'kind' | 'workload'>): NonNullable<Deploy['plan']> {
  if (facts.kind === 'delete') return 'delete'
  return facts.workload?.state === 'ready' ? 'update' : 'create'
}

/** What the app calls its hooks, by their steps. */
export const hookTitles = ({ hooks }: Pick<AppSpec, 'hooks'>): Partial<Record<HookStep, string>> =>
  Object.fromEntries(hookSteps.flatMap(step => (hooks[step]?.name ? [[step, hooks[step].name]] : [])))

/** Once for an environment, unless somebody asks for it again. What is adopted is initialised. */
const initialises = ({ kind, spec, workload, again }: PlanFacts): boolean =>
  spec.hooks.init !== undefined && kind !== 'adopt' && (again === true || !workload?.initialisedAt)

/** What is known to be there is not fetched again, unless somebody asks for this very revision. */
const publishes = ({ kind, spec, published, reloads: before }: PlanFacts): StepName[] =>
  spec.code && (kind === 'deploy' || !published || (reloads(spec) && !before)) ? ['publish'] : []

/** Where nothing reads `current` yet, publish switches it before the first pod starts. */
const activates = ({ kind, spec, reloads: before }: PlanFacts): StepName[] =>
  reloads(spec) && before && kind !== 'adopt' ? ['activate'] : []

/** What `before` does to data is never undone by a rollback. */
const snapshotFirst: readonly StepName[] = ['snapshot', 'before']
const beforeOnly: readonly StepName[] = ['before']

/** The steps in order (DESIGN: create and update paths). */
export function planSteps(facts: PlanFacts): StepName[] {
  const { kind, spec } = facts
  if (kind === 'delete') return ['remove', 'record']
  const tail: StepName[] = ['apply', 'rollout']
  const isController = facts.adopted?.kind === 'ReplicationController'
  if (isController) {
    if (kind === 'restart') return ['apply', 'cycle', 'record']
    return kind === 'adopt' ? ['adopt', ...tail, 'record'] : [...tail, 'record']
  }
  if (kind === 'scale' || kind === 'restart') return [...tail, 'record']
  const code = publishes(facts)
  const switches = activates(facts)
  if (kind === 'rollback') return [...code, ...tail, ...switches, 'record']
  const steps: StepName[] = []
  // What is adopted is there already, with its namespace and its data.
  const adopts = kind === 'adopt'
  if (facts.pool) steps.push('volume')
  const creates = planKind(facts) === 'create'
  if (creates && !adopts) steps.push('environment')
  steps.push(...code)
  if (initialises(facts)) steps.push('init')
  if (spec.hooks.before) steps.push(...(facts.snapshots && !creates ? snapshotFirst : beforeOnly))
  if (adopts) steps.push('adopt')
  steps.push(...tail)
  if (facts.replaces) steps.push('handover')
  steps.push(...switches)
  if (spec.hooks.after) steps.push('after')
  return [...steps, 'record']
}

/**
 * What people set by hand, after this deploy. A scale stays until the app's own `replicas` change; where an
 * autoscaler runs, scale edits its bounds.
 */
export function planOverrides(input: {
  readonly kind: Kind
  readonly replicas: number | null
  /** ISO time of a restart. */
  readonly restartAt: string
  readonly spec: AppSpec
  /** The spec that runs now, null on a create. */
  readonly base: AppSpec | null
  readonly current: Overrides | null
  /** An adopted ReplicationController. */
  readonly isController?: boolean
}): Overrides {
  const current = input.current ?? noOverrides
  if (input.kind === 'restart') return { ...current, restartedAt: input.restartAt }
  if (input.kind === 'scale' && input.replicas !== null) {
    // An autoscaler of the app is not rendered for a ReplicationController.
    const autoscale = input.isController ? undefined : input.spec.autoscale
    if (!autoscale) return { ...current, replicas: input.replicas, min: null, max: null }
    const min = Math.max(1, input.replicas)
    return { ...current, replicas: null, min, max: Math.max(autoscale.max, min) }
  }
  if (input.kind === 'scale' || input.kind === 'delete' || !input.base) return current
  const sameScale =
    input.base.replicas === input.spec.replicas &&
    JSON.stringify(input.base.autoscale) === JSON.stringify(input.spec.autoscale)
  return sameScale ? current : { ...current, replicas: null, min: null, max: null }
}
