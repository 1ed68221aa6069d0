// One container of a pod: environment, probes, ports, resources, how it stops and what it may do.
// pod.ts puts containers together; the allowlist looks at the result, whoever wrote it.
import type {
  V1Container,
  V1EnvFromSource,
  V1EnvVar,
  V1Probe,
  V1SecurityContext,
} from '@kubernetes/client-node'
import type { AppSpec, Container, EnvFrom, EnvMap, Probe, Resources } from '../app.ts'
import { seconds } from '../units.ts'

type Ports = readonly { readonly name: string; readonly port: number; readonly protocol?: string }[]

const reference = /\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)/g

/**
 * Environment variables by name, so that the order of the keys never makes pods restart; only what `$(NAME)`
 * refers to comes first, because Kubernetes fills in nothing but earlier variables.
 */
export function renderEnv(env: EnvMap): V1EnvVar[] {
  const done = new Map<string, V1EnvVar>()
  const visiting = new Set<string>()
  const visit = (name: string): void => {
    const value = env[name]
    if (value === undefined || done.has(name) || visiting.has(name)) return
    visiting.add(name)
    for (const [, referred = ''] of String(value).matchAll(reference)) visit(referred)
    done.set(name, envVar(name, value))
  }
  for (const name of Object.keys(env).sort()) visit(name)
  return [...done.values()]
}

function envVar(name: string, value: EnvMap[string]): V1EnvVar {
  if (typeof value !== 'object') return { name, value: String(value) }
  if ('field' in value) return { name, valueFrom: { fieldRef: { fieldPath: value.field } } }
  const { key, optional } = value
  return 'secret' in value
    ? { name, valueFrom: { secretKeyRef: { name: value.secret, key, optional } } }
    : { name, valueFrom: { configMapKeyRef: { name: value.configMap, key, optional } } }
}

export const renderEnvFrom = (sources: EnvFrom): V1EnvFromSource[] =>
  sources.map(source => ({
    prefix: source.prefix,
    ...('secret' in source
      ? { secretRef: { name: source.secret, optional: source.optional } }
      : { configMapRef: { name: source.configMap, optional: source.optional } }),
  }))

export const renderResources = (resources: Resources) => {
  const texts = (list: Resources['requests']) =>
    list && Object.fromEntries(Object.entries(list).map(([name, amount]) => [name, String(amount)]))
  return { requests: texts(resources.requests), limits: texts(resources.limits) }
}

/** A probe; without a port of its own it asks the first port of the container. */
export function renderProbe(probe: Probe, ports: Ports): V1Probe {
  const first = ports[0]
  const wait = (text: string | undefined) => (text === undefined ? undefined : seconds(text))
  const { http, tcp, exec, grpc } = probe
  return {
    ...(http && {
      httpGet: {
        path: http.path,
        port: http.port ?? first?.name ?? 0,
        httpHeaders: http.headers && Object.entries(http.headers).map(([name, value]) => ({ name, value })),
      },
    }),
    ...(tcp && { tcpSocket: { port: tcp.port ?? first?.name ?? 0 } }),
    ...(exec && { exec: { command: exec } }),
    ...(grpc && { grpc: { port: grpc.port ?? first?.port ?? 0, service: grpc.service } }),
    initialDelaySeconds: wait(probe.initialDelay),
    periodSeconds: wait(probe.period),
    timeoutSeconds: wait(probe.timeout),
    failureThreshold: probe.failures,
    successThreshold: probe.successes,
  }
}

/**
 * The probes of the app's container. A service without a readiness probe is asked for its first TCP port; there
 * is no default liveness probe: restarting pods that are only slow makes an overload worse.
 */
export function renderProbes(probes: AppSpec['probes'], ports: Ports, fallback: boolean) {
  const tcp = ports.find(port => (port.protocol ?? 'TCP') === 'TCP')
  const byDefault = fallback && tcp ? { tcpSocket: { port: tcp.name }, periodSeconds: 5 } : undefined
  return {
    startupProbe: probes.startup && renderProbe(probes.startup, ports),
    readinessProbe: probes.readiness ? renderProbe(probes.readiness, ports) : byDefault,
    livenessProbe: probes.liveness && renderProbe(probes.liveness, ports),
  }
}

/**
 * Waits before TERM so that load balancers stop sending first; only where something can be sent to. Kubernetes
 * 1.30 sleeps by itself. Before, `sleep` has to be in the image: where it is not, the hook fails, an event says
 * so and the container stops at once, as it would without a hook. So it can only help.
 */
export function renderLifecycle(
  drain: number,
  hasPorts: boolean,
  serverMinor: number,
): V1Container['lifecycle'] {
  if (!hasPorts || drain === 0) return undefined
  return serverMinor >= 30
    ? { preStop: { sleep: { seconds: drain } } }
    : { preStop: { exec: { command: ['sleep', String(drain)] } } }
}

/** What a container may do: the restricted Pod Security Standard, or nothing beyond the pod's own settings. */
export function renderSecurity(security: AppSpec['security']): V1SecurityContext | undefined {
  const readOnly = security.readOnlyRoot ? { readOnlyRootFilesystem: true } : undefined
  if (security.profile === 'baseline') return readOnly
  return { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, ...readOnly }
}

// Asked for where a sidecar says nothing: a quota may demand requests, and an autoscaler counts in shares of them.
const sidecarResources: Resources = { requests: { cpu: '10m', memory: '32Mi' } }

/** A sidecar; `native` ones are init containers that never end (1.29), so they outlive the app's container. */
export function renderSidecar(
  sidecar: Container,
  spec: AppSpec,
  fill: { readonly image: (text: string) => string; readonly serverMinor: number },
): V1Container & { name: string } {
  const ports = sidecar.ports ?? []
  const native = isNative(sidecar, fill.serverMinor)
  return {
    name: sidecar.name,
    image: fill.image(sidecar.image),
    restartPolicy: native ? 'Always' : undefined,
    command: sidecar.command,
    args: sidecar.args,
    ports: some(ports.map(port => ({ name: port.name, containerPort: port.port }))),
    env: some(renderEnv(sidecar.env ?? {})),
    envFrom: some(renderEnvFrom(sidecar.envFrom ?? [])),
    resources: renderResources(sidecar.resources ?? sidecarResources),
    ...renderProbes(sidecar.probes ?? {}, ports, false),
    lifecycle: native
      ? undefined
      : renderLifecycle(seconds(spec.rollout.drain), ports.length > 0, fill.serverMinor),
    securityContext: renderSecurity(spec.security),
    volumeMounts: some(
      (sidecar.mounts ?? []).map(mount => ({
        name: mount.name,
        mountPath: mount.path,
        readOnly: mount.readOnly || undefined,
      })),
    ),
  }
}

/** An API server before 1.29 drops `restartPolicy` of an init container, which would then block the pod for ever. */
export const isNative = (sidecar: Container, serverMinor: number): boolean =>
  sidecar.native && serverMinor >= 29

/** A list, or nothing where it is empty: what is not rendered is not owned. */
export const some = <T>(list: readonly T[]): T[] | undefined => (list.length > 0 ? [...list] : undefined)
