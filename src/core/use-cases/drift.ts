// Which objects of a workload are not as the record says. What the shared watches know decides; only an object whose
// generation or version is another one is read, and what was found is kept until the object changes again.
import { type Cluster, ClusterError, type KubeObject, refOf } from '../cluster.ts'
import { type Drift, driftOf, missing, replaced } from '../drift.ts'
import type { Environment } from '../environment.ts'
import type { FrozenSpecs } from '../frozen.ts'
import { sameObject } from '../inventory.ts'
import { render } from '../objects.ts'
import { scaledAt } from '../steps/conflict.ts'
import { seenOf } from '../steps/written.ts'
import type { InventoryItem, Workload } from '../workload.ts'

export type DriftDeps = {
  readonly specs: Pick<FrozenSpecs, 'get'>
  readonly environment: (name: string) => Environment | undefined
}

/** Answers by object and version: most differences (a claim that was bound) are none, again and again. */
const mostKept = 5_000

export type Drifts = (cluster: Cluster, workload: Workload) => Promise<Drift[]>

export function drifts(deps: DriftDeps): Drifts {
  const known = new Map<string, Drift | null>()
  const keep = (key: string, found: Drift | null): Drift | null => {
    known.set(key, found)
    const oldest = known.keys().next().value
    if (known.size > mostKept && oldest !== undefined) known.delete(oldest)
    return found
  }
  return async (cluster, workload) => {
    const items = workload.inventory.filter(item => item.uid !== '')
    const peeked = await Promise.all(items.map(item => cluster.peek(item)))
    const doubtful = items.filter((item, i) => !isAsRecorded(item, peeked[i] ?? null))
    if (doubtful.length === 0) return []
    const wanted = await renderedBy(deps, cluster, workload)
    const found = await Promise.all(
      doubtful.map(async item => {
        const live = await cluster.get(item)
        if (!live) return missing(item)
        if (live.metadata.uid !== item.uid) return replaced(item)
        const rendered = wanted.find(object => sameObject(refOf(object), item))
        // One that was written half is written again next time anyway: that it is there is all that is known.
        if (!rendered || item.hash === '' || isAsRecorded(item, live)) return null
        const key = `${item.uid}@${live.metadata.resourceVersion}/${workload.deploy}`
        return known.has(key) ? (known.get(key) ?? null) : keep(key, await lookInto(cluster, live, rendered))
      }),
    )
    return found.filter(drift => drift !== null)
  }
}

const isAsRecorded = (item: InventoryItem, live: KubeObject | null): boolean =>
  live !== null && live.metadata.uid === item.uid && (item.hash === '' || seenOf(live) === item.seen)

async function lookInto(cluster: Cluster, live: KubeObject, rendered: KubeObject): Promise<Drift | null> {
  const found = driftOf(live, rendered)
  const timeless = found?.fields.some(field => field.at === null && field.path === '.spec.replicas')
  return found && timeless ? withTime(found, await scaledAt(cluster, live)) : found
}

const withTime = (drift: Drift, at: number | null): Drift => ({
  ...drift,
  fields: drift.fields.map(field =>
    field.path === '.spec.replicas' && field.manager ? { ...field, at: field.at ?? at } : field,
  ),
})

async function renderedBy(deps: DriftDeps, cluster: Cluster, workload: Workload): Promise<KubeObject[]> {
  const environment = deps.environment(workload.environment)
  const frozen = await deps.specs.get(workload.spec)
  if (!environment || !frozen) return []
  const { minor } = await cluster.server()
  return render({
    frozen,
    environment: {
      name: environment.name,
      cluster: workload.cluster,
      namespace: workload.namespace,
      createNamespace: environment.createNamespace,
    },
    overrides: workload.overrides,
    serverMinor: minor,
  })
}

/** The same for people who look: a cluster that does not answer is not drift, and is said elsewhere. */
export async function driftIfKnown(drifts: Drifts, cluster: Cluster, workload: Workload): Promise<Drift[]> {
  try {
    return await drifts(cluster, workload)
  } catch (error) {
    if (error instanceof ClusterError) return []
    throw error
  }
}
