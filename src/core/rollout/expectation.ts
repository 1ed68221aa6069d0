// From a frozen spec and what was written for it to what its rollout must reach. Pure.
import type { AppSpec } from '../app.ts'
import type { Expectation } from '../rollout.ts'
import { seconds } from '../units.ts'
import type { Frozen, InventoryItem } from '../workload.ts'

type Input = {
  readonly frozen: Pick<Frozen, 'app' | 'spec' | 'adopted'>
  /** The workload to wait for, as rendered. */
  readonly workload: { readonly kind: string; readonly name: string }
  readonly startedAt: number
  readonly inventory: readonly InventoryItem[]
}

/** The expectation of an app's rollout; times and numbers are the app's own (`rollout:`). */
export function expectationFor({ frozen, workload, startedAt, inventory }: Input): Expectation {
  const { app, spec, adopted } = frozen
  const written = inventory.find(item => item.kind === workload.kind && item.name === workload.name)
  const { rollout } = spec
  return {
    kind: workload.kind,
    name: workload.name,
    // `g12`: the inventory keeps the generation right after the write.
    generation: written?.seen.startsWith('g') ? Number(written.seen.slice(1)) : 0,
    // gkube writes no Service for a ReplicationController.
    servicePorts: adopted?.kind === 'ReplicationController' ? [] : servicePorts(app, spec, workload),
    progressSeconds: seconds(rollout.progress),
    limitSeconds: seconds(rollout.limit),
    stableSeconds: seconds(rollout.stable),
    crashes: rollout.crashes,
    startedAt,
  }
}

type Port = Expectation['servicePorts'][number]

function servicePorts(app: string, spec: AppSpec, workload: Input['workload']): Port[] {
  if (spec.kind === 'manifests') return givenPorts(spec.manifests, workload)
  return spec.ports.map(port => ({ service: app, port: port.name }))
}

// biome-ignore lint/suspicious/noExplicitAny: manifests are JSON as a team wrote them
type Json = any

/** Ports of the given Services that select the workload's pods. */
function givenPorts(manifests: readonly Json[], workload: Input['workload']): Port[] {
  const target = manifests.find(
    object => object.kind === workload.kind && object.metadata?.name === workload.name,
  )
  const labels = target?.spec?.template?.metadata?.labels ?? {}
  return manifests
    .filter(object => object.kind === 'Service')
    .flatMap(service => {
      const selector = Object.entries(service.spec?.selector ?? {})
      const selects = selector.length > 0 && selector.every(([key, value]) => labels[key] === value)
      if (!selects) return []
      return (service.spec.ports ?? []).map((port: Json) => ({
        service: String(service.metadata.name),
        port: String(port.name ?? ''),
      }))
    })
}
