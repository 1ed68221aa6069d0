// What a deploy changes, in the words of a person: `image 1.4.1 → 1.4.2`, `env LOG_LEVEL info → debug`. Pure;
// compares rendered objects with rendered objects (what the server fills in would only be noise here).
// changes/diff.ts has the whole diff, changes/lines.ts finds where two values differ.
import { diffLines } from 'diff'
import { readable } from './changes/diff.ts'
import { type Difference, differences, line } from './changes/lines.ts'
import type { KubeObject } from './cluster.ts'
import { appLabel, restartedAnnotation, versionLabel } from './objects/labels.ts'
import { type Fields, fieldsOf, isFields, listOf, podsIn } from './objects/pod-templates.ts'
import { releasePath } from './objects/volumes.ts'

const runners = ['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Job', 'Pod']

/** Short lines, the workload's first; `from` null is an app that does not run yet. */
export function changes(from: readonly KubeObject[] | null, to: readonly KubeObject[]): string[] {
  const old = [...(from ?? [])]
  const pairs = workloadsFirst(to).map(wanted => ({ wanted, live: takeCounterpart(old, wanted) }))
  return [
    ...pairs.flatMap(({ wanted, live }) => {
      if (!live) return isFiles(wanted) && from ? [] : [`+ ${title(wanted)}`]
      return objectChanges(live, wanted)
    }),
    ...(from ? fileChanges(from, to) : []),
    ...old.filter(object => !isFiles(object)).map(object => `- ${title(object)}`),
  ]
}

const workloadsFirst = (objects: readonly KubeObject[]): KubeObject[] => [
  ...objects.filter(object => runners.includes(object.kind)),
  ...objects.filter(object => !runners.includes(object.kind)),
]

/** By kind and name, in whatever namespace: two environments are compared too. */
function takeCounterpart(objects: KubeObject[], wanted: KubeObject): KubeObject | null {
  const at = objects.findIndex(
    object => object.kind === wanted.kind && object.metadata.name === wanted.metadata.name,
  )
  return at < 0 ? null : (objects.splice(at, 1)[0] ?? null)
}

/** How a person calls an object: an Ingress by its hosts, a claim with its size. */
export function title(object: KubeObject): string {
  const { kind, metadata } = object
  const spec = fieldsOf(object.spec)
  const named = `${kind} ${metadata.name}`
  switch (kind) {
    case 'Ingress': {
      const hosts = listOf(spec.rules).flatMap(rule => (typeof rule.host === 'string' ? [rule.host] : []))
      return hosts.length > 0 ? `Ingress ${hosts.join(', ')}` : named
    }
    case 'PersistentVolumeClaim':
      return `${named} ${fieldsOf(fieldsOf(spec.resources).requests).storage ?? ''}`.trimEnd()
    case 'HorizontalPodAutoscaler':
      return `${named} ${spec.minReplicas ?? 1}–${spec.maxReplicas}`
    case 'CronJob':
      return `${named} (${spec.schedule})`
    case 'Service': {
      const ports = listOf(spec.ports).map(port => String(port.port))
      return spec.clusterIP === 'None' || ports.length === 0 ? named : `${named}:${ports.join(',')}`
    }
    case 'Deployment':
    case 'StatefulSet': {
      const images = listOf(fieldsOf(fieldsOf(spec.template).spec).containers).map(one => String(one.image))
      const replicas = typeof spec.replicas === 'number' ? `, ${count(spec.replicas, 'replica')}` : ''
      return images[0] ? `${named} (image ${tagOf(images[0])}${replicas})` : named
    }
    default:
      return named
  }
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`

function objectChanges(live: KubeObject, wanted: KubeObject): string[] {
  const isRunner = runners.includes(wanted.kind)
  const podPaths = podsIn(wanted).map(pod => pod.path)
  const found = differences(comparable(live), comparable(wanted))
  const lines = found.flatMap(one => lineOf(one, podPaths, wanted.metadata.name))
  const prefix = isRunner ? '' : `${wanted.kind} ${wanted.metadata.name}: `
  return [...new Set(lines.sort((a, b) => a.order - b.order).map(({ text }) => `${prefix}${text}`))]
}

/**
 * An object as it is compared: without what changes with every revision or is said better elsewhere; variables by
 * name, apart from those that only name a secret (a name may be shown, a value that looks secret may not).
 */
function comparable(object: KubeObject): unknown {
  const { apiVersion: _, ...rest } = readable(object)
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.filter(item => !isFilesVolume(item)).map(strip)
    if (!isFields(value)) return value
    const kept = Object.entries(value).filter(([key]) => key !== versionLabel && key !== 'namespace')
    const stripped = Object.fromEntries(
      kept.map(([key, child]) => [key, strip(child)]).filter(([, child]) => !isEmptyList(child)),
    )
    return 'image' in value && 'name' in value ? { ...stripped, ...flatContainer(value) } : stripped
  }
  return strip(rest)
}

const filesVolume = 'gkube-files'
const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0
const isFilesVolume = (value: unknown): boolean => fieldsOf(value).name === filesVolume

function flatContainer(container: Fields): Fields {
  const variables = listOf(container.env).map(one => [String(one.name), one] as const)
  const { requests, limits } = fieldsOf(container.resources)
  return {
    env: Object.fromEntries(
      variables.flatMap(([name, one]) => ('valueFrom' in one ? [] : [[name, one.value ?? '']])),
    ),
    envRef: Object.fromEntries(
      variables.flatMap(([name, one]) =>
        'valueFrom' in one ? [[name, reference(fieldsOf(one.valueFrom))]] : [],
      ),
    ),
    resources: { requests: fieldsOf(requests), limits: fieldsOf(limits) },
  }
}

function reference(source: Fields): string {
  const [kind, ref] = Object.entries(source)[0] ?? ['', {}]
  const { name, key, fieldPath } = fieldsOf(ref)
  if (kind === 'fieldRef') return `from ${fieldPath}`
  return `from ${kind === 'secretKeyRef' ? 'secret' : 'configMap'} ${name}/${key}`
}

type Line = { readonly order: number; readonly text: string }

/** Images first, then variables, then resources: what people look for. */
function lineOf(one: Difference, pods: readonly string[], name: string): Line[] {
  const path = one.path.join('.')
  const pod = pods.find(prefix => path.startsWith(`${prefix}.`))
  if (pod !== undefined) return podLine(one, one.path.slice(pod.split('.').length), name)
  if (path.endsWith(`annotations.${restartedAnnotation}`)) return [{ order: 3, text: 'restart' }]
  if (one.path.at(-1) === 'annotations' && restartedAnnotation in fieldsOf(one.to))
    return [{ order: 3, text: 'restart' }]
  if (path === 'spec.replicas') return [{ order: 3, text: replicasLine(one) }]
  const label = one.path[0] === 'spec' ? one.path.slice(1).join('.') : path
  return [{ order: 4, text: line(label, one.path.at(-1) ?? '', one.from, one.to) }]
}

function replicasLine({ from, to }: Difference): string {
  if (to === undefined) return `replicas ${from} → autoscaled`
  if (from === undefined) return `replicas autoscaled → ${to}`
  return `replicas ${from} → ${to}`
}

const resourceName = (path: readonly string[]): string =>
  `${path[1]} ${path[0] === 'limits' ? 'limit' : 'request'}`

function podLine(one: Difference, path: readonly string[], app: string): Line[] {
  const [list, container = '', field, ...rest] = path
  // Said by fileChanges, line by line.
  if (fieldsOf(one.from ?? one.to).name === filesVolume) return []
  if (list !== 'containers' && list !== 'initContainers')
    return [{ order: 4, text: line(path.join('.'), path.at(-1) ?? '', one.from, one.to) }]
  const who = container === app ? '' : `${container} `
  const { from, to } = one
  if (field === undefined) return [{ order: 4, text: containerLine(container, one) }]
  if (field === 'image') return [{ order: 0, text: `${who}image ${imageChange(String(from), String(to))}` }]
  const last = rest.at(-1) ?? ''
  if (field === 'env') return [{ order: 1, text: line(`${who}env ${last}`, last, from, to) }]
  // Only where a value comes from: never secret itself.
  if (field === 'envRef') return [{ order: 1, text: line(`${who}env ${last}`, '', from, to) }]
  if (field === 'resources')
    return [{ order: 2, text: `${who}${resourceName(rest)} ${from ?? 'none'} → ${to ?? 'none'}` }]
  if (field === 'volumeMounts' && last === 'subPath' && isRelease(from ?? to) && isRelease(to ?? from))
    return [{ order: 0, text: `${who}code ${releaseIn(from)} → ${releaseIn(to)}` }]
  const label = `${who}${[field, ...rest].join('.')}`
  return [{ order: 4, text: line(label, rest.at(-1) ?? field, from, to) }]
}

const releases = releasePath('')
const isRelease = (path: unknown): boolean => String(path).startsWith(releases)
/** Revision and the beginning of its artifact's SHA-256: enough to tell two apart. */
const releaseIn = (path: unknown): string =>
  path === undefined ? 'none' : String(path).slice(releases.length)

const containerLine = (name: string, { from, to }: Difference): string =>
  from === undefined
    ? `+ container ${name} (image ${tagOf(String(fieldsOf(to).image))})`
    : `- container ${name}`

/** The digest's first characters are enough to tell two apart. */
const shortDigest = (image: string): string => image.replace(/@sha256:([0-9a-f]{12})[0-9a-f]*/, '@sha256:$1…')

function splitImage(image: string): { repository: string; tag: string; digest: string } {
  const [reference = '', digest = ''] = image.split('@')
  const colon = reference.lastIndexOf(':')
  const hasTag = colon > reference.lastIndexOf('/')
  return {
    repository: hasTag ? reference.slice(0, colon) : reference,
    tag: hasTag ? reference.slice(colon + 1) : '',
    digest,
  }
}

const tagOf = (image: string): string => {
  const { tag, digest, repository } = splitImage(image)
  return tag || (digest ? shortDigest(`@${digest}`).slice(1) : repository)
}

function imageChange(from: string, to: string): string {
  const [old, next] = [splitImage(from), splitImage(to)]
  if (old.repository !== next.repository) return `${shortDigest(from)} → ${shortDigest(to)}`
  if (old.tag !== next.tag) return `${tagOf(from)} → ${tagOf(to)}`
  // The same tag, moved to other content, or pinned only now.
  const digestOf = ({ digest }: { digest: string }) =>
    digest ? shortDigest(`@${digest}`).slice(1) : 'not pinned'
  return `${next.tag} ${digestOf(old)} → ${digestOf(next)}`.trimStart()
}

const isFiles = (object: KubeObject): boolean =>
  object.kind === 'ConfigMap' &&
  object.immutable === true &&
  object.metadata.name.startsWith(`${object.metadata.labels?.[appLabel]}-`)

/** Files by the path they are mounted at: their ConfigMap has another name with every content. */
function filesIn(objects: readonly KubeObject[]): Map<string, string> {
  const data: Fields = Object.assign({}, ...objects.filter(isFiles).map(object => fieldsOf(object.data)))
  const mounts = objects
    .flatMap(podsIn)
    .flatMap(pod => listOf(pod.spec.containers))
    .flatMap(container => listOf(container.volumeMounts))
    .filter(mount => mount.name === filesVolume)
  return new Map(mounts.map(mount => [String(mount.mountPath), String(data[String(mount.subPath)] ?? '')]))
}

function fileChanges(from: readonly KubeObject[], to: readonly KubeObject[]): string[] {
  const [old, next] = [filesIn(from), filesIn(to)]
  const paths = [...new Set([...old.keys(), ...next.keys()])].sort()
  return paths.flatMap(path => {
    const [before, after] = [old.get(path), next.get(path)]
    if (before === after) return []
    if (before === undefined) return [`+ file ${path}`]
    if (after === undefined) return [`- file ${path}`]
    const parts = diffLines(before, after)
    const lines = (which: 'added' | 'removed') =>
      parts.filter(part => part[which]).reduce((sum, part) => sum + (part.count ?? 0), 0)
    return [`file ${path} changed (+${lines('added')} −${lines('removed')} lines)`]
  })
}
