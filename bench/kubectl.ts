// kubectl as the baseline: the same Deployment under another name, updated by `kubectl apply` and awaited by
// `kubectl rollout status`, with its discovery cache warm.
import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { image, type Rig } from './rig.ts'

export const kubectlName = 'by-kubectl'

export type Kubectl = {
  /** Applies the revision and waits until the rollout is complete. */
  update(revision: string): Promise<void>
}

/** Copies what gkube deployed into a Deployment of kubectl's own; null where kubectl is not installed. */
export async function kubectlBaseline(rig: Rig): Promise<Kubectl | null> {
  if (spawnSync('kubectl', ['version', '--client'], { stdio: 'ignore' }).status !== 0) return null
  const { namespace } = rig
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/web`
  const { spec } = (await (await fetch(rig.cluster.url + path)).json()) as { spec: DeploymentSpec }
  const labels = { app: kubectlName }
  const manifest = (revision: string) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: kubectlName, namespace },
    spec: {
      ...spec,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...spec.template.spec,
          containers: spec.template.spec.containers.map(one => ({ ...one, image: image(revision) })),
        },
      },
    },
  })
  const file = join(rig.folder, 'kubectl', 'deployment.json')
  const common = [`--kubeconfig=${rig.kubeconfig}`, `--cache-dir=${join(rig.folder, 'kubectl', 'cache')}`]
  const update = async (revision: string) => {
    writeFileSync(file, JSON.stringify(manifest(revision)))
    await run([...common, 'apply', '-f', file])
    await run([...common, 'rollout', 'status', `deployment/${kubectlName}`, '-n', namespace, '--timeout=60s'])
  }
  await update('0.0.1')
  return { update }
}

type DeploymentSpec = { template: { spec: { containers: { image: string }[] } } }

async function run(args: readonly string[]): Promise<void> {
  const child = spawn('kubectl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', chunk => {
    said += chunk
  })
  const code = await new Promise(resolve => child.once('close', resolve))
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} failed: ${said}`)
}
