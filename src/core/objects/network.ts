// How an app is reached: its Service, the headless Service of a stateful app, its Ingresses.
// None of them changes with the revision, so an image update writes none of them.
import type { V1HTTPIngressPath, V1Ingress, V1IngressRule, V1Service } from '@kubernetes/client-node'
import type { AppSpec } from '../app.ts'
import { sha256 } from '../hash.ts'
import type { Adopted } from '../workload.ts'
import { podSelectorLabels, serviceSelector } from './adopted.ts'
import { ownLabels } from './labels.ts'

type Input = {
  readonly app: string
  readonly environment: string
  readonly namespace: string
  readonly spec: AppSpec
  readonly adopted?: Adopted
}
type IngressEntry = AppSpec['ingress'][number]

export const headlessName = (app: string): string => `${app}-headless`

const meta = (input: Input, name: string) => ({
  name,
  namespace: input.namespace,
  labels: ownLabels(input),
})

/** Pods that were there before an adoption do not have gkube's names of ports: the number fits old and new ones. */
const servicePorts = ({ spec, adopted }: Input) =>
  spec.ports.map(port => ({
    name: port.name,
    port: port.service ?? port.port,
    targetPort: adopted ? port.port : port.name,
    protocol: port.protocol,
  }))

export const service = (input: Input): V1Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta(input, input.app),
  spec: {
    type: 'ClusterIP',
    clusterIP: input.adopted?.service?.headless ? 'None' : undefined,
    selector: serviceSelector(input),
    ports: servicePorts(input),
  },
})

/** Gives each pod of a StatefulSet a name; pods find each other before they are ready. */
export const headlessService = (input: Input): V1Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta(input, headlessName(input.app)),
  spec: {
    type: 'ClusterIP',
    clusterIP: 'None',
    publishNotReadyAddresses: true,
    selector: podSelectorLabels(input),
    ports: input.spec.ports.length > 0 ? servicePorts(input) : undefined,
  },
})

/** The port an ingress entry means: by name, by the Service's number, then by the container's; else the first. */
export function ingressPort(spec: AppSpec, ref: IngressEntry['port']): AppSpec['ports'][number] | undefined {
  if (ref === undefined) return spec.ports[0]
  return (
    spec.ports.find(port => port.name === ref) ??
    spec.ports.find(port => (port.service ?? port.port) === ref) ??
    spec.ports.find(port => port.port === ref)
  )
}

/**
 * Class and annotations hold for a whole Ingress, so entries that share them share one. The first is named like
 * the app; the others by what tells them apart, so that their names do not depend on their order.
 */
export function ingresses(input: Input): V1Ingress[] {
  const groups = new Map<string, IngressEntry[]>()
  for (const entry of input.spec.ingress) {
    const key = sha256({ class: entry.class ?? null, annotations: entry.annotations ?? {} })
    groups.set(key, [...(groups.get(key) ?? []), entry])
  }
  return [...groups].map(([key, entries], index) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      ...meta(input, index === 0 ? input.app : `${input.app}-${key.slice(0, 8)}`),
      annotations: entries[0]?.annotations,
    },
    spec: { ingressClassName: entries[0]?.class, rules: rules(input.spec, entries), tls: tls(entries) },
  }))
}

function rules(spec: AppSpec, entries: readonly IngressEntry[]): V1IngressRule[] {
  const byHost = new Map<string, V1HTTPIngressPath[]>()
  for (const entry of entries) {
    const name = ingressPort(spec, entry.port)?.name
    const backend = { service: { name: spec.app, port: { name } } }
    byHost.set(entry.host, [
      ...(byHost.get(entry.host) ?? []),
      { path: entry.path, pathType: 'Prefix', backend },
    ])
  }
  return [...byHost].map(([host, paths]) => ({ host, http: { paths } }))
}

function tls(entries: readonly IngressEntry[]) {
  const hosts = new Map<string, Set<string>>()
  for (const { tlsSecret, host } of entries)
    if (tlsSecret) hosts.set(tlsSecret, (hosts.get(tlsSecret) ?? new Set()).add(host))
  return hosts.size > 0
    ? [...hosts].map(([secretName, names]) => ({ secretName, hosts: [...names] }))
    : undefined
}
