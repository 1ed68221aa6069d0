// A field that somebody else owns, in words: which field, who, since when, and what can be done. The API server's
// refusal says who and what; since when stands in the object itself.
import { ClusterError, type KubeObject, nameOf, refOf } from '../cluster.ts'
import { managerText } from '../drift.ts'
import { isOwn, type ManagedEntry, managedEntries, ownersOf } from '../managed-fields.ts'
import { timeText } from '../units.ts'
import type { StepContext } from './step.ts'

const mostNamed = 6

/** Why gkube may not write `object`. One more read, which only a refused write costs. */
export async function conflictWords(
  { cluster }: Pick<StepContext, 'cluster'>,
  object: KubeObject,
  error: ClusterError,
): Promise<string> {
  const live = await cluster.get(refOf(object)).catch(cause => {
    // The refusal is known already; only its time is not.
    if (cause instanceof ClusterError) return null
    throw cause
  })
  const scale = live && error.fields.includes('.spec.replicas') ? await scaledAt(cluster, live) : null
  return wordsFor(object, error, live, scale)
}

/**
 * When an object was last scaled, by its events: the API server writes no time beside who scaled it. Null where
 * nothing is known any more (events live for an hour), or they may not be read.
 */
export async function scaledAt(
  cluster: Pick<StepContext['cluster'], 'events'>,
  object: KubeObject,
): Promise<number | null> {
  const { name, namespace = '' } = object.metadata
  try {
    const events = await cluster.events(namespace, [name])
    const scaled = events.filter(
      event => event.object === `${object.kind} ${name}` && scaling.includes(event.reason),
    )
    return scaled.at(-1)?.lastAt ?? null
  } catch (error) {
    if (error instanceof ClusterError) return null
    throw error
  }
}
const scaling = ['ScalingReplicaSet', 'SuccessfulCreate', 'SuccessfulDelete']

type Conflict = Pick<ClusterError, 'fields' | 'managers'>

/** The same without a read; `live` null where it is not known. */
export const wordsFor = (
  object: KubeObject,
  conflict: Conflict,
  live: KubeObject | null,
  scale: number | null = null,
): string => `${ownersText(object, conflict, live, scale)} ${advice(conflict.fields, othersOf(live))}`

const othersOf = (live: KubeObject | null): ManagedEntry[] =>
  live ? managedEntries(live).filter(entry => !isOwn(entry)) : []

/** `Deployment shop/web: .spec.replicas belongs to kubectl (scale) since 2026-01-02 10:00:00 UTC.` */
export function ownersText(
  object: KubeObject,
  { fields, managers }: Conflict,
  live: KubeObject | null,
  scale: number | null = null,
): string {
  const entries = othersOf(live)
  const owners = new Map<string, string[]>()
  for (const path of fields.slice(0, mostNamed)) {
    const who = ownerText(ownersOf(entries, path)[0], managers, path === '.spec.replicas' ? scale : null)
    owners.set(who, [...(owners.get(who) ?? []), path])
  }
  const named = [...owners].map(
    ([who, paths]) => `${paths.join(', ')} ${paths.length > 1 ? 'belong' : 'belongs'} to ${who}`,
  )
  const more = fields.length > mostNamed ? ` (and ${fields.length - mostNamed} fields more)` : ''
  const said = named.length > 0 ? named.join('; ') : `it belongs to ${managers.join(', ')}`
  return `${nameOf(object)}: ${said}${more}.`
}

function ownerText(
  owner: ManagedEntry | undefined,
  managers: readonly string[],
  otherwise: number | null,
): string {
  if (!owner) return managers.join(', ')
  const at = owner.time ? Date.parse(owner.time) : otherwise
  const since = at === null ? '' : ` since ${timeText(at)}`
  return `${managerText(owner)}${since}`
}

function advice(fields: readonly string[], entries: readonly ManagedEntry[]): string {
  const force = 'deploy again with --force to take it over.'
  if (fields.length !== 1 || fields[0] !== '.spec.replicas') return `Take it out of the app, or ${force}`
  const [owner] = ownersOf(entries, '.spec.replicas')
  return owner?.manager === 'kube-controller-manager'
    ? `An autoscaler sets it: give the app \`autoscale\`, or delete that autoscaler, then ${force}`
    : `Scale by gkube scale; to go back to the app's own number, ${force}`
}
