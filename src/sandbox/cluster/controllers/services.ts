// Services: Endpoints and an EndpointSlice of the pods that a Service selects; ready ones serve.
// Addresses lead nowhere: there is no network. One slice a Service, however many pods.
import { kindNamed } from '../kinds.ts'
import { type Json, type KubeObject, ownedBy, randomSuffix, same, timestamp } from '../object.ts'
import { selects } from '../selectors.ts'
import { type Context, type Controller, keyOf, splitKey } from './engine.ts'
import { isOver, isReady, podKind } from './pods.ts'

const serviceKind = kindNamed('Service')
const sliceKind = kindNamed('EndpointSlice')
const endpointsKind = kindNamed('Endpoints')

export function services({ store, registry }: Context): Controller {
  const options = { manager: 'kube-controller-manager' }

  async function writeSlice(service: KubeObject, pods: readonly KubeObject[]) {
    const { name, namespace } = service.metadata
    // The real controller copies the Service's labels to its slices, whatever selects them.
    const labels = {
      ...service.metadata.labels,
      'kubernetes.io/service-name': name,
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    }
    const wanted = {
      addressType: 'IPv4',
      endpoints: pods.map(pod => {
        const dying = Boolean(pod.metadata.deletionTimestamp)
        const serving = isReady(pod)
        return {
          addresses: [pod.status.podIP],
          conditions: {
            ready: (serving && !dying) || Boolean(service.spec.publishNotReadyAddresses),
            serving,
            terminating: dying,
          },
          nodeName: pod.spec.nodeName,
          targetRef: reference(pod),
        }
      }),
      ports: portsOf(service, pods[0]),
    }
    const found = store
      .list(sliceKind, namespace)
      .find(one => one.metadata.ownerReferences?.[0]?.uid === service.metadata.uid)
    if (found) {
      const target = { kind: sliceKind, namespace, name: found.metadata.name }
      await registry.mutate(
        target,
        draft => {
          Object.assign(draft, wanted)
          draft.metadata.labels = labels
        },
        options,
      )
      return
    }
    await registry.create(
      sliceKind,
      {
        metadata: { name: `${name}-${randomSuffix()}`, labels, ownerReferences: [ownedBy(service)] },
        ...wanted,
      },
      { ...options, namespace },
    )
  }

  async function writeEndpoints(service: KubeObject, pods: readonly KubeObject[]) {
    const { name, namespace } = service.metadata
    const living = pods.filter(pod => !pod.metadata.deletionTimestamp)
    const address = (pod: KubeObject) => ({
      ip: pod.status.podIP,
      nodeName: pod.spec.nodeName,
      targetRef: reference(pod),
    })
    const ready = living.filter(pod => isReady(pod) || service.spec.publishNotReadyAddresses).map(address)
    const others = living.filter(pod => !isReady(pod) && !service.spec.publishNotReadyAddresses).map(address)
    const subset = {
      ...(ready.length > 0 ? { addresses: ready } : {}),
      ...(others.length > 0 ? { notReadyAddresses: others } : {}),
      ports: portsOf(service, living[0]),
    }
    const subsets = living.length > 0 ? [subset] : undefined
    const target = { kind: endpointsKind, namespace, name }
    const found = store.get(endpointsKind, namespace, name)
    if (!found) {
      const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': timestamp() }
      await registry.create(
        endpointsKind,
        { metadata: { name, annotations }, ...(subsets ? { subsets } : {}) },
        { ...options, namespace },
      )
    } else if (!same(found.subsets, subsets)) {
      await registry.mutate(
        target,
        draft => {
          draft.subsets = subsets
        },
        options,
      )
    }
  }

  return {
    name: 'endpoints-controller',
    keys({ kind, object, previous }) {
      if (kind === serviceKind) return [keyOf(object)]
      if (kind !== podKind) return []
      const labels = [object.metadata.labels, previous?.metadata.labels]
      return store
        .list(serviceKind, object.metadata.namespace)
        .filter(
          ({ spec }) =>
            spec.selector && labels.some(one => one && selects({ matchLabels: spec.selector }, one)),
        )
        .map(keyOf)
    },
    async reconcile(key) {
      const { namespace, name } = splitKey(key)
      const service = store.get(serviceKind, namespace, name)
      if (!service) {
        if (store.get(endpointsKind, namespace, name))
          await registry.remove({ kind: endpointsKind, namespace, name })
        return undefined
      }
      if (!service.spec.selector || service.metadata.deletionTimestamp) return undefined
      const pods = store
        .list(podKind, namespace)
        .filter(
          pod =>
            pod.status?.podIP &&
            !isOver(pod) &&
            selects({ matchLabels: service.spec.selector }, pod.metadata.labels),
        )
        .sort((a, b) => a.metadata.name.localeCompare(b.metadata.name))
      await writeSlice(service, pods)
      await writeEndpoints(service, pods)
      return undefined
    },
  }
}

const reference = ({ metadata }: KubeObject) => ({
  kind: 'Pod',
  namespace: metadata.namespace,
  name: metadata.name,
  uid: metadata.uid,
})

/** Ports as numbers; a name is looked up in the pod. */
function portsOf(service: KubeObject, pod: KubeObject | undefined): Json[] {
  const named: Json[] = (pod?.spec.containers ?? []).flatMap((one: Json) => one.ports ?? [])
  return (service.spec.ports ?? []).flatMap((port: Json) => {
    const { targetPort } = port
    const number =
      typeof targetPort === 'number' ? targetPort : named.find(one => one.name === targetPort)?.containerPort
    return number
      ? [{ ...(port.name ? { name: port.name } : { name: '' }), port: number, protocol: port.protocol }]
      : []
  })
}
