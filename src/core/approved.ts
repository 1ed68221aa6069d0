// Whether what would run is still what was approved. The claim compares the records it was planned from; this compares
// what this very replica renders: another version of gkube, another configuration or another server draws otherwise.
import type { Cluster, KubeObject } from './cluster.ts'
import type { Deploy } from './deploy.ts'
import type { Environment } from './environment.ts'
import type { FrozenSpecs } from './frozen.ts'
import { approvalHash } from './hash.ts'
import { render } from './objects.ts'
import type { Frozen } from './workload.ts'

type ApprovedDeps = {
  readonly specs: Pick<FrozenSpecs, 'get'>
  readonly cluster: (name: string) => Cluster | undefined
}

/** True too where nobody was asked. False: plan it again, which asks again. */
export async function isAsApproved(
  deps: ApprovedDeps,
  deploy: Deploy,
  environment: Environment,
): Promise<boolean> {
  const { prepared, approval } = deploy
  if (!prepared || !approval || approval.required === 0) return true
  const [frozen, cluster] = [await deps.specs.get(prepared.spec), deps.cluster(prepared.cluster)]
  if (!frozen || !cluster) return false
  const { minor } = await cluster.server()
  const objects =
    deploy.kind === 'delete'
      ? []
      : render({
          frozen,
          environment: {
            name: environment.name,
            cluster: prepared.cluster,
            namespace: prepared.namespace,
            createNamespace: environment.createNamespace,
          },
          overrides: prepared.overrides,
          deploy: { id: deploy.id, epoch: 0 },
          serverMinor: minor,
        })
  const { spec, namespace, base } = prepared
  const at = { frozen, spec, cluster: prepared.cluster, namespace, base: base.revision, objects }
  return hashToApprove(deploy, at) === prepared.hash
}

/** What votes bind: put together here alone, for when it is shown and for when it is claimed. */
export function hashToApprove(
  deploy: Pick<Deploy, 'id' | 'environment' | 'requestedBy'>,
  at: {
    readonly frozen: Frozen
    readonly spec: string
    readonly cluster: string
    readonly namespace: string
    /** The revision that runs now; empty on a create. */
    readonly base: string
    readonly objects: readonly KubeObject[]
  },
): string {
  const { frozen, ...rest } = at
  return approvalHash({
    ...rest,
    deploy: deploy.id,
    revision: frozen.revision,
    image: frozen.image,
    digest: frozen.digest,
    artifact: frozen.artifact ?? null,
    environment: deploy.environment,
    requester: deploy.requestedBy.id,
  })
}
