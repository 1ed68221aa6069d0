// Reads what an adoption is about: the workload, what points to it, what gkube would write over, and why it must not.
// Nothing is written. preview.ts shows the differences; prepare.ts settles it; steps/adopt.ts does it.

import { readable } from '../changes/diff.ts'
import { type Cluster, ClusterError, type KubeObject, nameOf, refOf } from '../cluster.ts'
import type { AdoptParams, Taken } from '../deploy.ts'
import type { Environment } from '../environment.ts'
import { sha256 } from '../hash.ts'
import { immutableChanges } from '../immutable.ts'
import { isOwn, managedEntries, ownersOf } from '../managed-fields.ts'
import { managedBy, ownership } from '../objects/labels.ts'
import { type Fields, fieldsOf, listOf, podsIn } from '../objects/pod-templates.ts'
import type { Adopted, Frozen, Workload } from '../workload.ts'
import { foreignRefusals, movesWith } from './foreign.ts'
import { type Around, aboutWorkload, adoptedOf } from './found.ts'

export type Survey = {
  readonly live: KubeObject
  readonly adopted: Adopted
  readonly around: Around
}

const apiVersions = {
  Deployment: 'apps/v1',
  StatefulSet: 'apps/v1',
  ReplicationController: 'v1',
} as const satisfies Record<AdoptParams['kind'], string>

/** The workload that is named and what stands around it; null where there is none of that name. */
export async function survey(
  cluster: Cluster,
  place: { readonly app: string; readonly namespace: string },
  asked: AdoptParams,
): Promise<Survey | null> {
  const { namespace } = place
  const live = await cluster.get({
    apiVersion: apiVersions[asked.kind],
    kind: asked.kind,
    namespace,
    name: asked.name,
  })
  if (!live) return null
  const list = (apiVersion: string, kind: string) => cluster.list({ apiVersion, kind, namespace })
  const [services, budgets, autoscalers] = await Promise.all([
    list('v1', 'Service'),
    list('policy/v1', 'PodDisruptionBudget'),
    list('autoscaling/v2', 'HorizontalPodAutoscaler'),
  ])
  const around = aboutWorkload(live, { services, budgets, autoscalers })
  const { replaceByDeployment } = asked
  return { live, around, adopted: adoptedOf(live, around, { app: place.app, replaceByDeployment }) }
}

/** Workloads of that kind in the namespace, for whoever mistyped one. */
export async function namesOf(
  cluster: Cluster,
  namespace: string,
  kind: AdoptParams['kind'],
): Promise<string[]> {
  const found = await cluster.list({ apiVersion: apiVersions[kind], kind, namespace, limit: 50 })
  return found.map(one => one.metadata.name)
}

/** Rendered objects beside what is there; a Namespace is never taken over. */
export async function liveOf(
  cluster: Cluster,
  objects: readonly KubeObject[],
): Promise<{ readonly wanted: KubeObject; readonly live: KubeObject | null }[]> {
  const written = objects.filter(object => object.kind !== 'Namespace')
  return Promise.all(written.map(async wanted => ({ wanted, live: await cluster.get(refOf(wanted)) })))
}

/** What is taken over of what is there; the controller that a Deployment replaces too. */
export function takenOf(
  { live, adopted }: Survey,
  pairs: Awaited<ReturnType<typeof liveOf>>,
  frozen: Frozen,
): KubeObject[] {
  const there = pairs.flatMap(pair => (pair.live && !isOurs(pair.live, frozen) ? [pair.live] : []))
  const replaces = live.kind === 'ReplicationController' && adopted.kind === 'Deployment'
  return replaces ? [live, ...there] : there
}

function isOurs(live: KubeObject, whose: { app: string; environment: string }): boolean {
  const { labels = {} } = live.metadata
  return Object.entries(ownership(whose)).every(([key, value]) => labels[key] === value)
}

/** As it is kept in the record: changed content is another thing than what was shown. */
export const takenItem = (live: KubeObject, frozen: Frozen): Taken => ({
  apiVersion: live.apiVersion,
  kind: live.kind,
  namespace: live.metadata.namespace ?? '',
  name: live.metadata.name,
  uid: live.metadata.uid ?? '',
  content: contentOf(live, frozen),
})

/** Hash of all that a person is shown of an object. An autoscaler may go on with its work. */
export function contentOf(live: KubeObject, frozen: Pick<Frozen, 'spec'>): string {
  const { spec, ...rest } = readable(live)
  const { replicas: _, ...others } = fieldsOf(spec)
  return sha256({ ...rest, spec: frozen.spec.autoscale ? others : spec })
}

type Facts = {
  readonly survey: Survey
  readonly taken: readonly KubeObject[]
  readonly pairs: Awaited<ReturnType<typeof liveOf>>
  readonly frozen: Frozen
  readonly asked: AdoptParams
  readonly environment: Environment
  readonly namespace: string
  readonly workload: Workload | null
  /** What the app's record was adopted into before. */
  readonly before: Adopted | undefined
}

/** Everything that stands in the way, one sentence each. */
export function adoptionRefusals(facts: Facts): string[] {
  const { survey: found, taken, pairs, frozen, asked } = facts
  const whose = { app: frozen.app, environment: frozen.environment }
  const objects = taken.includes(found.live) ? taken : [found.live, ...taken]
  const own = objects.filter(object => !(isOurs(object, whose) && facts.workload))
  const immutable = pairs.flatMap(({ wanted, live }) => (live ? immutableChanges(live, wanted) : []))
  return [
    ...recordRefusals(facts),
    ...controllerRefusals(facts),
    ...kindRefusals(facts),
    ...own.flatMap(object => foreignRefusals(object, asked, whose)),
    ...autoscalerRefusals(facts),
    ...serviceRefusals(facts),
    ...labelRefusals(found.adopted),
    ...immutable,
  ]
}

function recordRefusals({ workload, before, asked, frozen }: Facts): string[] {
  if (!workload) return []
  const again = before?.kind === asked.kind && before.name === asked.name
  const unfinished = workload.state === 'creating' && before !== undefined
  const replacing = asked.replaceByDeployment && before?.kind === 'Deployment' && before.name === frozen.app
  if (unfinished && (again || replacing)) return []
  if (again && asked.replaceByDeployment) return []
  const what = before ? `${before.kind} ${before.name}` : 'a workload of its own'
  return [
    `${frozen.app} has ${what} in ${frozen.environment} already. An app has one workload there: adopt for another app, or delete that one first (gkube delete ${frozen.app} -E ${frozen.environment}).`,
  ]
}

function kindRefusals({ asked, frozen, pairs }: Facts): string[] {
  const { kind } = frozen.spec
  const { app } = frozen
  if (asked.replaceByDeployment && asked.kind !== 'ReplicationController')
    return [
      `--replace-by-deployment is for a ReplicationController; ${asked.name} is a ${asked.kind}. Leave it out.`,
    ]
  if (kind === 'manifests') {
    const named = pairs.some(
      ({ wanted }) => wanted.kind === asked.kind && wanted.metadata.name === asked.name,
    )
    return named
      ? []
      : [
          `The manifests of ${app} hold no ${asked.kind} ${asked.name}. Put it in as it shall be, then adopt it.`,
        ]
  }
  if (asked.kind === 'ReplicationController' && !asked.replaceByDeployment) return []
  const fits = asked.kind === 'StatefulSet' ? kind === 'stateful' : kind === 'service' || kind === 'worker'
  const wanted = asked.kind === 'StatefulSet' ? 'stateful' : 'service or worker'
  return fits
    ? []
    : [
        `${app} is of kind ${kind}, and ${asked.name} is a ${asked.kind}: an app that adopts it is of kind ${wanted}.`,
      ]
}

/** Kinds beyond the usual ones are the operators' to allow: `gkube rbac` gives the right with it. */
function controllerRefusals({ asked, environment, survey: found }: Facts): string[] {
  if (asked.kind !== 'ReplicationController') return []
  const allowed = environment.allow.kinds.some(kind => kind.split('.')[0] === asked.kind)
  const moves = movesWith(asked)
  const entries = managedEntries(found.live).filter(entry => !isOwn(entry) && !moves(entry))
  const holders = ownersOf(entries, '.spec.replicas').map(entry => entry.manager)
  return [
    ...(allowed
      ? []
      : [
          `${nameOf(found.live)}: not allowed in ${environment.name}. An operator can allow it: add ReplicationController to environments.${environment.name}.allow.kinds in gkube.yaml, and give gkube the right (gkube rbac ${environment.name}).`,
        ]),
    ...holders.map(
      holder =>
        `${nameOf(found.live)}: .spec.replicas belongs to ${holder}, which would set it again. To take it over: --take-from ${holder}`,
    ),
  ]
}

/** Two autoscalers of one workload, or one beside a fixed number, pull against each other. */
function autoscalerRefusals({ survey: found, pairs, frozen }: Facts): string[] {
  const own = pairs.find(({ wanted }) => wanted.kind === 'HorizontalPodAutoscaler')
  const others = found.around.autoscalers.filter(one => one.metadata.name !== own?.wanted.metadata.name)
  return others.map(one =>
    frozen.spec.autoscale
      ? `${nameOf(one)} scales it already, beside the autoscaler of the app. Delete it, so that there is one.`
      : `${nameOf(one)} scales it, and the app has a fixed number of replicas. Give the app \`autoscale\`, or delete that autoscaler.`,
  )
}

/** Who comes from outside must not be cut off on the way. */
function serviceRefusals({ pairs, frozen }: Facts): string[] {
  return pairs.flatMap(({ wanted, live }) => {
    const [now, then] = [fieldsOf(live?.spec).type, fieldsOf(wanted.spec).type]
    if (wanted.kind !== 'Service' || !live || now === then) return []
    return [
      `${nameOf(live)} is of type ${String(now)}, and the Service of the app is a ${String(then)}, which would cut off whoever comes by it. Patch spec.type in the app, where the operators allow that, or adopt by an app of another name: then this Service is left as it is (ports of ${frozen.app} make a Service ${frozen.app}).`,
    ]
  })
}

/** Labels by which gkube finds its objects cannot be pinned to something else. */
function labelRefusals(adopted: Adopted): string[] {
  return Object.keys(adopted.labels)
    .filter(key => key === managedBy || key.startsWith('gkube.dev/'))
    .map(
      key =>
        `The selector of ${adopted.kind} ${adopted.name}, or of a Service in front of it, asks for the label ${key}, which gkube sets itself. Change the Service, or make the workload new: gkube deploy.`,
    )
}

/** Things to know before it is confirmed. */
export function adoptionNotes(facts: Pick<Facts, 'survey' | 'frozen' | 'asked' | 'pairs'>): string[] {
  const { survey: found, frozen, asked } = facts
  const { live, around } = found
  if (asked.kind === 'ReplicationController' && !asked.replaceByDeployment)
    return [
      `${nameOf(live)} is shown, scaled and restarted; its template stays as it is. A deploy needs --replace-by-deployment first.`,
    ]
  const names = frozen.spec.ports.map(port => port.name)
  const lost = around.services
    .filter(service => service.metadata.name !== frozen.app)
    .flatMap(service =>
      listOf(fieldsOf(service.spec).ports)
        .filter(port => typeof port.targetPort === 'string' && !names.includes(port.targetPort))
        .map(
          port =>
            `${nameOf(service)} sends to the port named ${String(port.targetPort)}, which the new pods will not have: name a port of the app so, or it loses them.`,
        ),
    )
  const volumes = listOf(found.adopted.fixed.volumeClaimTemplates).map(one =>
    String(fieldsOf(one.metadata).name),
  )
  const unused = volumes.filter(name => !frozen.spec.storage.some(storage => storage.name === name))
  return [
    ...containersLeft(facts),
    ...lost,
    ...unused.map(
      name =>
        `The app does not mount the volume ${name} of its pods: add \`storage\` with that name, or its data is not seen any more.`,
    ),
  ]
}

/** Containers that stay beside the app's, because nobody named whom they are taken from. */
function containersLeft({ pairs, asked }: Pick<Facts, 'pairs' | 'asked'>): string[] {
  const moves = movesWith(asked)
  return pairs.flatMap(({ wanted, live }) => {
    const names = podsIn(wanted).flatMap(pod => listOf(pod.spec.containers).map(one => String(one.name)))
    if (!live || names.length === 0) return []
    const theirs = managedEntries(live).filter(entry => !isOwn(entry) && !moves(entry))
    return listOf(fieldsOf(fieldsOf(fieldsOf(live.spec).template).spec).containers)
      .map(one => String(one.name))
      .filter(name => !names.includes(name))
      .flatMap(name => {
        const path = `.spec.template.spec.containers[name=${JSON.stringify(name)}]`
        const [owner] = ownersOf(theirs, path)
        return owner
          ? [
              `The container ${name} stays beside the app's: it belongs to ${owner.manager}. To take it over: --take-from ${owner.manager}`,
            ]
          : []
      })
  })
}

/** ConfigMaps and Secrets that its pods read, which stay as they are. */
export function readByPods(live: KubeObject): string[] {
  const names = new Set<string>()
  const walk = (value: unknown, key: string): void => {
    if (Array.isArray(value)) for (const item of value) walk(item, key)
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return
    const fields = value as Fields
    if (key.startsWith('configMap') && typeof fields.name === 'string') names.add(`ConfigMap ${fields.name}`)
    if (/^secret(Ref|KeyRef)?$/.test(key)) {
      const name = fields.secretName ?? fields.name
      if (typeof name === 'string') names.add(`Secret ${name}`)
    }
    for (const [inner, child] of Object.entries(fields)) walk(child, inner)
  }
  for (const pod of podsIn(live)) walk(pod.spec, '')
  return [...names].sort()
}

/** Its pods, newest last; null where they may not be listed. */
export async function podsOfWorkload(
  cluster: Cluster,
  { live, adopted }: Survey,
): Promise<KubeObject[] | null> {
  const namespace = live.metadata.namespace
  const labels = adopted.kind === live.kind ? adopted.labels : {}
  try {
    const pods = await cluster.list({
      apiVersion: 'v1',
      kind: 'Pod',
      namespace,
      labels: onlyPinned(live, labels),
    })
    return pods.toSorted((a, b) =>
      String(a.metadata.creationTimestamp).localeCompare(String(b.metadata.creationTimestamp)),
    )
  } catch (error) {
    if (error instanceof ClusterError && error.kind === 'forbidden') return null
    throw error
  }
}

/** The labels of its selector that have one value: what a list can ask for. */
function onlyPinned(live: KubeObject, fallback: Readonly<Record<string, string>>): Record<string, string> {
  const selector = fieldsOf(fieldsOf(live.spec).selector)
  const plain = live.kind === 'ReplicationController' ? selector : fieldsOf(selector.matchLabels)
  const texts = Object.entries(plain).flatMap(([key, value]) =>
    typeof value === 'string' ? [[key, value]] : [],
  )
  return texts.length > 0 ? Object.fromEntries(texts) : { ...fallback }
}
