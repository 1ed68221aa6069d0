// What `kubectl get` prints: the columns of the main kinds, as the server's Table.
// Pure; kinds without a row here show name and age.
import type { Kind } from './kinds.ts'
import type { Json, KubeObject } from './object.ts'
import { selectorText } from './selectors.ts'

type Column = readonly [name: string, value: (object: KubeObject) => Json, wide?: true]

const images = (object: KubeObject) =>
  containersOf(object)
    .map(one => one.image)
    .join(',')
const names = (object: KubeObject) =>
  containersOf(object)
    .map(one => one.name)
    .join(',')
const containersOf = (object: KubeObject): Json[] =>
  object.spec?.template?.spec?.containers ?? object.spec?.containers ?? []
const selector = (object: KubeObject) =>
  selectorText(
    object.spec.selector?.matchLabels ? object.spec.selector : { matchLabels: object.spec.selector },
  )
const none = (value: Json) => (value === undefined || value === null || value === '' ? '<none>' : value)

const workload: Column[] = [
  ['Containers', names, true],
  ['Images', images, true],
  ['Selector', selector, true],
]

const columns: Readonly<Record<string, readonly Column[]>> = {
  Pod: [
    [
      'Ready',
      ({ spec, status }) =>
        `${(status?.containerStatuses ?? []).filter((one: Json) => one.ready).length}/${spec.containers.length}`,
    ],
    ['Status', podStatus],
    [
      'Restarts',
      ({ status }) =>
        (status?.containerStatuses ?? []).reduce((sum: number, one: Json) => sum + one.restartCount, 0),
    ],
    ['Age', age],
    ['IP', ({ status }) => none(status?.podIP), true],
    ['Node', ({ spec }) => none(spec.nodeName), true],
    ['Nominated Node', () => '<none>', true],
    ['Readiness Gates', () => '<none>', true],
  ],
  Deployment: [
    ['Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas}`],
    ['Up-to-date', ({ status }) => status?.updatedReplicas ?? 0],
    ['Available', ({ status }) => status?.availableReplicas ?? 0],
    ['Age', age],
    ...workload,
  ],
  ReplicaSet: [
    ['Desired', ({ spec }) => spec.replicas],
    ['Current', ({ status }) => status?.replicas ?? 0],
    ['Ready', ({ status }) => status?.readyReplicas ?? 0],
    ['Age', age],
    ...workload,
  ],
  StatefulSet: [
    ['Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas}`],
    ['Age', age],
    ...workload.slice(0, 2),
  ],
  DaemonSet: [
    ['Desired', ({ status }) => status?.desiredNumberScheduled ?? 0],
    ['Current', ({ status }) => status?.currentNumberScheduled ?? 0],
    ['Ready', ({ status }) => status?.numberReady ?? 0],
    ['Up-to-date', ({ status }) => status?.updatedNumberScheduled ?? 0],
    ['Available', ({ status }) => status?.numberAvailable ?? 0],
    ['Age', age],
    ...workload,
  ],
  Job: [
    ['Status', jobStatus],
    ['Completions', ({ spec, status }) => `${status?.succeeded ?? 0}/${spec.completions ?? 1}`],
    [
      'Duration',
      ({ status }) =>
        status?.startTime
          ? duration(
              Date.parse(status.completionTime ?? new Date().toISOString()) - Date.parse(status.startTime),
            )
          : '',
    ],
    ['Age', age],
    ...workload,
  ],
  CronJob: [
    ['Schedule', ({ spec }) => spec.schedule],
    ['Timezone', ({ spec }) => none(spec.timeZone)],
    ['Suspend', ({ spec }) => spec.suspend],
    ['Active', ({ status }) => status?.active?.length ?? 0],
    ['Last Schedule', ({ status }) => (status?.lastScheduleTime ? since(status.lastScheduleTime) : '<none>')],
    ['Age', age],
  ],
  Service: [
    ['Type', ({ spec }) => spec.type],
    ['Cluster-IP', ({ spec }) => none(spec.clusterIP)],
    ['External-IP', ({ spec }) => (spec.type === 'LoadBalancer' ? '<pending>' : none(spec.externalName))],
    [
      'Port(s)',
      ({ spec }) =>
        none(
          (spec.ports ?? [])
            .map((port: Json) => `${port.port}${port.nodePort ? `:${port.nodePort}` : ''}/${port.protocol}`)
            .join(','),
        ),
    ],
    ['Age', age],
    ['Selector', selector, true],
  ],
  Node: [
    [
      'Status',
      ({ spec, status }) =>
        `${status?.conditions?.some((one: Json) => one.type === 'Ready' && one.status === 'True') ? 'Ready' : 'NotReady'}${spec?.unschedulable ? ',SchedulingDisabled' : ''}`,
    ],
    ['Roles', () => '<none>'],
    ['Age', age],
    ['Version', ({ status }) => status?.nodeInfo?.kubeletVersion],
    ['Internal-IP', ({ status }) => none(status?.addresses?.[0]?.address), true],
    ['OS-Image', ({ status }) => status?.nodeInfo?.osImage, true],
  ],
  Event: [
    ['Last Seen', object => since(object.lastTimestamp ?? object.metadata.creationTimestamp)],
    ['Type', object => object.type],
    ['Reason', object => object.reason],
    [
      'Object',
      object => `${String(object.involvedObject?.kind).toLowerCase()}/${object.involvedObject?.name}`,
    ],
    ['Message', object => object.message],
  ],
  Namespace: [
    ['Status', ({ status }) => status?.phase],
    ['Age', age],
  ],
  ConfigMap: [
    ['Data', ({ data, binaryData }) => Object.keys({ ...data, ...binaryData }).length],
    ['Age', age],
  ],
  Secret: [
    ['Type', ({ type }) => type],
    ['Data', ({ data }) => Object.keys(data ?? {}).length],
    ['Age', age],
  ],
  Endpoints: [
    [
      'Endpoints',
      ({ subsets }) =>
        none(
          (subsets ?? [])
            .flatMap((one: Json) =>
              (one.addresses ?? []).map((at: Json) => `${at.ip}:${one.ports?.[0]?.port}`),
            )
            .slice(0, 3)
            .join(','),
        ),
    ],
    ['Age', age],
  ],
  EndpointSlice: [
    ['AddressType', ({ addressType }) => addressType],
    ['Ports', ({ ports }) => none((ports ?? []).map((one: Json) => one.port).join(','))],
    [
      'Endpoints',
      ({ endpoints }) =>
        none(
          (endpoints ?? [])
            .flatMap((one: Json) => one.addresses)
            .slice(0, 3)
            .join(','),
        ),
    ],
    ['Age', age],
  ],
  PersistentVolumeClaim: [
    ['Status', ({ metadata, status }) => (metadata.deletionTimestamp ? 'Terminating' : status?.phase)],
    ['Volume', ({ spec }) => spec.volumeName ?? ''],
    ['Capacity', ({ status }) => status?.capacity?.storage ?? ''],
    ['Access Modes', ({ spec }) => modes(spec.accessModes)],
    ['StorageClass', ({ spec }) => spec.storageClassName ?? ''],
    ['Age', age],
  ],
  PersistentVolume: [
    ['Capacity', ({ spec }) => spec.capacity?.storage],
    ['Access Modes', ({ spec }) => modes(spec.accessModes)],
    ['Reclaim Policy', ({ spec }) => spec.persistentVolumeReclaimPolicy],
    ['Status', ({ status }) => status?.phase],
    ['Claim', ({ spec }) => (spec.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : '')],
    ['StorageClass', ({ spec }) => spec.storageClassName ?? ''],
    ['Age', age],
  ],
  StorageClass: [
    ['Provisioner', ({ provisioner }) => provisioner],
    ['ReclaimPolicy', ({ reclaimPolicy }) => reclaimPolicy],
    ['VolumeBindingMode', ({ volumeBindingMode }) => volumeBindingMode],
    ['Age', age],
  ],
  HorizontalPodAutoscaler: [
    ['Reference', ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`],
    ['MinPods', ({ spec }) => spec.minReplicas],
    ['MaxPods', ({ spec }) => spec.maxReplicas],
    ['Replicas', ({ status }) => status?.currentReplicas ?? 0],
    ['Age', age],
  ],
  PodDisruptionBudget: [
    ['Min Available', ({ spec }) => spec.minAvailable ?? 'N/A'],
    ['Max Unavailable', ({ spec }) => spec.maxUnavailable ?? 'N/A'],
    ['Allowed Disruptions', ({ status }) => status?.disruptionsAllowed ?? 0],
    ['Age', age],
  ],
  Ingress: [
    ['Class', ({ spec }) => none(spec.ingressClassName)],
    ['Hosts', ({ spec }) => (spec.rules ?? []).map((one: Json) => one.host ?? '*').join(',') || '*'],
    ['Address', () => ''],
    ['Ports', ({ spec }) => (spec.tls?.length ? '80, 443' : '80')],
    ['Age', age],
  ],
}

const shortModes: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
}
const modes = (list: readonly string[] = []) => list.map(mode => shortModes[mode] ?? mode).join(',')

/** The one word for a pod, as the API server prints it: `CrashLoopBackOff`, `Init:0/1`, `Running`. */
function podStatus({ metadata, spec, status }: KubeObject): string {
  if (metadata.deletionTimestamp) return 'Terminating'
  const inits: Json[] = status?.initContainerStatuses ?? []
  const at = inits.findIndex((one, i) => !isInitialized(one, spec.initContainers?.[i]))
  if (at >= 0) return `Init:${troubleOf(inits[at]) ?? `${at}/${inits.length}`}`
  if (status?.phase === 'Succeeded') return 'Completed'
  const troubles = (status?.containerStatuses ?? []).map(troubleOf).filter(Boolean)
  return troubles[0] ?? status?.phase ?? 'Unknown'
}

const isInitialized = ({ state, started }: Json, container: Json): boolean =>
  state?.terminated?.exitCode === 0 || (container?.restartPolicy === 'Always' && started)

/** Why a container does not run. */
function troubleOf({ state }: Json): string | undefined {
  const reason: string | undefined = state?.waiting?.reason
  if (reason) return reason === 'PodInitializing' && !state.waiting.message ? undefined : reason
  return state?.terminated ? (state.terminated.reason ?? 'Error') : undefined
}

function jobStatus({ spec, status }: KubeObject): string {
  const is = (type: string) =>
    status?.conditions?.some((one: Json) => one.type === type && one.status === 'True')
  return is('Complete') ? 'Complete' : is('Failed') ? 'Failed' : spec.suspend ? 'Suspended' : 'Running'
}

function age({ metadata }: KubeObject): string {
  return since(metadata.creationTimestamp)
}

const since = (time: string) => duration(Date.now() - Date.parse(time))

function duration(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000))
  if (s < 120) return `${s}s`
  if (s < 7200) return `${Math.floor(s / 60)}m`
  return s < 172_800 ? `${Math.floor(s / 3600)}h` : `${Math.floor(s / 86_400)}d`
}

/** Objects as a Table. */
export function tableOf(kind: Kind, objects: readonly KubeObject[], metadata: Json): Json {
  const own = columns[kind.kind] ?? [['Age', age] as Column]
  const of: readonly Column[] =
    kind.kind === 'Event' ? own : [['Name', object => object.metadata.name], ...own]
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: of.map(([name, , wide]) => ({
      name,
      type: 'string',
      format: name === 'Name' ? 'name' : '',
      description: '',
      priority: wide ? 1 : 0,
    })),
    rows: objects.map(object => ({
      cells: of.map(([, value]) => value(object) ?? ''),
      object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
    })),
  }
}
