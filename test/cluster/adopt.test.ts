// Adoption and drift on a real control plane, with no more rights than `gkube rbac` prints. The stories, which the
// stand-in tells too: test/support/adopt-stories.ts and drift-stories.ts.
import { readFileSync } from 'node:fs'
import { describe } from 'vitest'
import { adoptStories, controllerStories } from '../support/adopt-stories.ts'
import { driftStories, type Ground } from '../support/drift-stories.ts'
import { played, startRealStack } from './real-stack.ts'

const allow = { kinds: ['ReplicationController'] }

async function groundOf(staging: object = {}): Promise<Ground> {
  const stack = await startRealStack({ staging, production: {} })
  const cluster = stack.server.clusters.get('default')
  if (!cluster) throw new Error('the stack has no cluster')
  const kubeconfig = readFileSync(process.env.GKUBE_TEST_KUBECONFIG ?? '', 'utf8')
  return { core: stack.core, cluster, wire: stack.wire, kubeconfig, namespace: stack.namespace }
}

describe.runIf(played)('beside other managers', () => {
  adoptStories(() => groundOf())
  controllerStories(() => groundOf({ allow }))
  driftStories(() => groundOf())
})
