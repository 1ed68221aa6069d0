// Whether what would run is still what was approved. The claim compares the records it was planned from; this compares
// what this very replica renders: another version of gkube, another configuration or another server draws otherwise.
import type { Cluster } from './cluster.ts'
import type { Deploy } from './deploy.ts'
import type { Environment } from './environment.ts'
import type { FrozenSpecs } from './frozen.ts'
import { approvalHash } from './hash.ts'
import { render } from './objects.ts'

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
  const hash = approvalHash({
    deploy: deploy.id,
    spec: prepared.spec,
    revision: frozen.revision,
    image: frozen.image,
    digest: frozen.digest,
    artifact: null,
    environment: environment.name,
    cluster: prepared.cluster,
    namespace: prepared.namespace,
    requester: deploy.requestedBy.id,
    base: prepared.base.revision,
    objects,
  })
  return hash === prepared.hash
}
