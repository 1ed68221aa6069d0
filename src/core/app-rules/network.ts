// Rules about how an app is reached: ports, probes that ask them, ingresses that send to them.
import type { AppSpec, Probe } from '../app.ts'
import { ingressPort } from '../objects/network.ts'
import type { Path, Problem } from '../problems.ts'
import { seconds } from '../units.ts'
import { repeated, say, when } from './say.ts'

export function portRules(spec: AppSpec): Problem[] {
  const all = [
    ...spec.ports.map((port, i) => ({ ...port, path: ['ports', i] as Path })),
    ...spec.sidecars.flatMap((sidecar, s) =>
      (sidecar.ports ?? []).map((port, i) => ({
        ...port,
        protocol: 'TCP',
        service: undefined,
        path: ['sidecars', s, 'ports', i] as Path,
      })),
    ),
  ]
  const services = spec.ports.map((port, i) => ({ ...port, path: ['ports', i] as Path }))
  return [
    ...repeated(
      all,
      port => port.name,
      (port, at) => say([...port.path, 'name'], `${port.name} is already the name of ${at}`),
    ),
    ...repeated(
      all,
      port => `${port.port}/${port.protocol}`,
      (port, at) => say([...port.path, 'port'], `${port.port} is already taken by ${at}`),
    ),
    ...repeated(
      services,
      port => `${port.service ?? port.port}/${port.protocol}`,
      (port, at) =>
        say(
          [...port.path, port.service === undefined ? 'port' : 'service'],
          `the Service would have port ${port.service ?? port.port} twice, see ${at}`,
        ),
    ),
    ...all.flatMap(port =>
      when(
        !/[a-z]/.test(port.name) || port.name.includes('--'),
        [...port.path, 'name'],
        'needs a letter and no double dash, such as http',
      ),
    ),
    ...when(
      /^\d/.test(spec.app) && (spec.ports.length > 0 || spec.kind === 'stateful'),
      ['app'],
      'must begin with a letter, because its Service has the same name',
    ),
  ]
}

export function probeRules(spec: AppSpec): Problem[] {
  const containers = [
    { path: [] as Path, probes: spec.probes, ports: spec.ports },
    ...spec.sidecars.map((sidecar, i) => ({
      path: ['sidecars', i] as Path,
      probes: sidecar.probes ?? {},
      ports: sidecar.ports ?? [],
    })),
  ]
  return containers.flatMap(({ path, probes, ports }) =>
    (['startup', 'readiness', 'liveness'] as const).flatMap(name => {
      const probe = probes[name]
      return probe ? oneProbe([...path, 'probes', name], name, probe, ports) : []
    }),
  )
}

function oneProbe(
  path: Path,
  name: string,
  probe: Probe,
  ports: readonly { name: string; port: number }[],
): Problem[] {
  const asked = probe.http ?? probe.tcp ?? probe.grpc
  const kind = probe.http ? 'http' : probe.tcp ? 'tcp' : 'grpc'
  const names = ports.map(port => port.name).join(', ') || 'none'
  return [
    ...when(
      asked && asked.port === undefined && ports.length === 0,
      [...path, kind, 'port'],
      'is missing, and there is no port to take instead',
    ),
    ...when(
      typeof asked?.port === 'string' && !ports.some(port => port.name === asked.port),
      [...path, kind, 'port'],
      `${asked?.port} is not one of its ports: ${names}`,
    ),
    ...when(
      name !== 'readiness' && (probe.successes ?? 1) !== 1,
      [...path, 'successes'],
      `must be 1 for a ${name} probe (Kubernetes takes nothing else)`,
    ),
    ...when(
      probe.period !== undefined && seconds(probe.period) < 1,
      [...path, 'period'],
      'must be at least 1s',
    ),
    ...when(
      probe.timeout !== undefined && seconds(probe.timeout) < 1,
      [...path, 'timeout'],
      'must be at least 1s',
    ),
  ]
}

const host = /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$/

export function ingressRules(spec: AppSpec): Problem[] {
  const { ingress, ports } = spec
  const names = ports.map(port => port.name).join(', ')
  return [
    ...when(
      ingress.length > 0 && ports.length === 0 && canServe(spec.kind),
      ['ports'],
      'is missing: ingress needs a port to send to; for example [{ name: http, port: 8080 }]',
    ),
    ...ingress.flatMap((entry, i) => [
      ...when(
        !host.test(entry.host),
        ['ingress', i, 'host'],
        `${JSON.stringify(entry.host)} is not a host name such as web.example.com`,
      ),
      ...when(
        ports.length > 0 && !ingressPort(spec, entry.port),
        ['ingress', i, 'port'],
        `${entry.port} is not one of the ports: ${names}`,
      ),
      ...when(
        ingressPort(spec, entry.port)?.protocol === 'UDP',
        ['ingress', i, 'port'],
        'an ingress speaks HTTP, so its port must be TCP',
      ),
    ]),
    ...repeated(
      ingress.map((entry, i) => ({ address: `${entry.host}${entry.path}`, path: ['ingress', i] as Path })),
      one => one.address,
      (one, earlier) => say([...one.path, 'path'], `the same host and path as ${earlier}`),
    ),
  ]
}

/** Kinds whose pods can be reached. */
export const canServe = (kind: AppSpec['kind']): boolean => ['service', 'worker', 'stateful'].includes(kind)
