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
  return wordsFor(object, error, live)
}

type Conflict = Pick<ClusterError, 'fields' | 'managers'>

/** The same without a read; `live` null where it is not known. */
export const wordsFor = (object: KubeObject, conflict: Conflict, live: KubeObject | null): string =>
  `${ownersText(object, conflict, live)} ${advice(conflict.fields, othersOf(live))}`

const othersOf = (live: KubeObject | null): ManagedEntry[] =>
  live ? managedEntries(live).filter(entry => !isOwn(entry)) : []

/** `Deployment shop/web: .spec.replicas belongs to kubectl (scale) since 2026-01-02 10:00:00 UTC.` */
export function ownersText(
  object: KubeObject,
  { fields, managers }: Conflict,
  live: KubeObject | null,
): string {
  const entries = othersOf(live)
  const owners = new Map<string, string[]>()
  for (const path of fields.slice(0, mostNamed)) {
    const who = ownerText(ownersOf(entries, path)[0], managers)
    owners.set(who, [...(owners.get(who) ?? []), path])
  }
  const named = [...owners].map(
    ([who, paths]) => `${paths.join(', ')} ${paths.length > 1 ? 'belong' : 'belongs'} to ${who}`,
  )
  const more = fields.length > mostNamed ? ` (and ${fields.length - mostNamed} fields more)` : ''
  const said = named.length > 0 ? named.join('; ') : `it belongs to ${managers.join(', ')}`
  return `${nameOf(object)}: ${said}${more}.`
}

function ownerText(owner: ManagedEntry | undefined, managers: readonly string[]): string {
  if (!owner) return managers.join(', ')
  const since = owner.time ? ` since ${timeText(Date.parse(owner.time))}` : ''
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
