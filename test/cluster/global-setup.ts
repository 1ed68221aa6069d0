// What the cluster suites run on: the real control plane of harness.ts, built when it is not in the cache, or the
// cluster that GKUBE_TEST_KUBECONFIG names. GKUBE_TEST_KUBERNETES=1.35 takes an older minor. Tests find it by
// GKUBE_TEST_KUBECONFIG; with our own control plane GKUBE_TEST_ETCD is there too, and images play (stages.ts).
import { binaries, kubelet } from './build.ts'
import { startControlPlane } from './harness.ts'
import { cannotRunNode } from './kubelet/node.ts'
import { playedNodes } from './played-nodes.ts'

const say = (line: string) => void process.stdout.write(`cluster: ${line}\n`)

export async function setup(): Promise<(() => Promise<void>) | undefined> {
  const named = process.env.GKUBE_TEST_KUBECONFIG
  if (named) {
    say(`the one of ${named}; what needs fake nodes is skipped`)
    return undefined
  }
  const built = await binaries(say, process.env.GKUBE_TEST_KUBERNETES)
  // Not within the time of a test: with Go's caches gone it takes minutes.
  if (!cannotRunNode()) await kubelet(built, say)
  const plane = await startControlPlane(built, playedNodes(3))
  const { etcd, kwok } = built.versions
  const build = built.builtIn > 0 ? `built in ${built.builtIn} s` : 'built before'
  say(
    `Kubernetes ${plane.version}, etcd ${etcd}, kwok ${kwok}: ${build}, ready in ${(plane.readyMs / 1000).toFixed(1)} s`,
  )
  process.env.GKUBE_TEST_KUBECONFIG = plane.kubeconfig
  process.env.GKUBE_TEST_ETCD = plane.etcd
  return () => plane.stop()
}
