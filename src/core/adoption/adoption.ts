// An adoption as it is planned: from what is there and what is asked to what would be taken over, and why not. The
// same for the person who looks (use-cases/adopt.ts) and for preparing (prepare.ts): the hash tells that both saw
// the same.
import type { Cluster, KubeObject } from '../cluster.ts'
import type { AdoptParams, Taken } from '../deploy.ts'
import type { Environment } from '../environment.ts'
import { sha256, withoutOwnMarks } from '../hash.ts'
import { fieldsOf, podsIn } from '../objects/pod-templates.ts'
import type { Stored } from '../records.ts'
import { type Adopted, type Frozen, noOverrides, type Overrides, type Workload } from '../workload.ts'
import { adoptionNotes, adoptionRefusals, liveOf, type Survey, survey, takenItem, takenOf } from './survey.ts'

/** What is there, before anything is rendered into it. */
export type Beginning = {
  readonly survey: Survey
  /** Null: given manifests say all themselves. */
  readonly adopted: Adopted | null
  /** How many pods run now: an adoption scales nothing. */
  readonly overrides: Overrides
}

export type Adoption = Beginning & {
  readonly asked: AdoptParams
  readonly pairs: Awaited<ReturnType<typeof liveOf>>
  readonly takenObjects: readonly KubeObject[]
  readonly taken: readonly Taken[]
  readonly refusals: readonly string[]
  readonly notes: readonly string[]
  /** sha256 of all that is shown and decided. */
  readonly hash: string
}

type Place = { readonly cluster: Cluster; readonly namespace: string; readonly app: string }

/** Reads the workload; null where there is none of that name. */
export async function beginAdoption(
  { cluster, ...place }: Place,
  asked: AdoptParams,
  given: { readonly spec: Frozen['spec']; readonly workload: Workload | null },
): Promise<Beginning | null> {
  const found = await survey(cluster, place, asked)
  if (!found) return null
  const { spec, workload } = given
  const adopted = spec.kind === 'manifests' ? null : found.adopted
  return { survey: found, adopted, overrides: overridesFor(found, spec, workload) }
}

function overridesFor({ live, adopted }: Survey, spec: Frozen['spec'], workload: Workload | null): Overrides {
  const { replicas = 1 } = fieldsOf(live.spec)
  const now = workload?.overrides.replicas ?? (typeof replicas === 'number' ? replicas : 1)
  if (adopted.kind === 'ReplicationController') return { ...noOverrides, replicas: now }
  return spec.autoscale || spec.replicas === now ? noOverrides : { ...noOverrides, replicas: now }
}

const mostTaken = 12

/** What would be taken over of what is there, and why not. */
export async function finishAdoption(
  beginning: Beginning,
  asked: AdoptParams,
  facts: {
    readonly cluster: Cluster
    readonly environment: Environment
    readonly namespace: string
    readonly frozen: Frozen
    readonly objects: readonly KubeObject[]
    readonly workload: Stored<Workload> | null
    /** What ran before, where the app has a record already. */
    readonly base: Frozen | null
  },
): Promise<Adoption> {
  const { cluster, environment, namespace, frozen, objects } = facts
  const pairs = await liveOf(cluster, objects)
  const takenObjects = takenOf(beginning.survey, pairs, frozen)
  const all = {
    ...{ environment, namespace, frozen, asked, pairs },
    workload: facts.workload?.value ?? null,
    before: facts.base?.adopted,
    taken: takenObjects,
    survey: beginning.survey,
  }
  const taken = takenObjects.map(live => takenItem(live, frozen))
  const tooMany =
    taken.length > mostTaken
      ? [
          `${taken.length} objects would be taken over, and ${mostTaken} is the most. Adopt in parts: fewer manifests first.`,
        ]
      : []
  const refusals = [...adoptionRefusals(all), ...tooMany]
  const { confirm: _, ...params } = asked
  const shown = {
    params,
    frozen,
    objects: objects.map(withoutOwnMarks),
    taken,
    overrides: beginning.overrides,
  }
  return {
    ...beginning,
    asked,
    pairs,
    takenObjects,
    taken,
    refusals,
    notes: adoptionNotes(all),
    hash: sha256(shown),
  }
}

/** The image of the first container, which is what people call the revision of a workload. */
export function imageOf(live: KubeObject): string {
  const [container] = podsIn(live).flatMap(pod =>
    Array.isArray(pod.spec.containers) ? pod.spec.containers : [],
  )
  return String(fieldsOf(container).image ?? '')
}

/** The revision that an image names, by the app's own pattern or by its tag; null where neither says. */
export function revisionIn(image: string, pattern: string | undefined): string | null {
  const [reference = ''] = image.split('@')
  const [head = '', tail = ''] = (pattern ?? '').split('{revision}')
  const fits = pattern?.includes('{revision}') && reference.startsWith(head) && reference.endsWith(tail)
  const named = fits ? reference.slice(head.length, reference.length - tail.length) : ''
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(named) ? named : null
}
