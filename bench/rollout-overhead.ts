// What gkube adds to a rollout, by its API and by its command: the whole time of an update, less the time that the cluster itself took from the write
// of the Deployment until it was complete. Beside it, kubectl's for the same change in the same cluster, in turns.
import type { Figure } from './figures.ts'
import { byHttp } from './first-write.ts'
import { type Kubectl, kubectlName } from './kubectl.ts'
import { monotonic } from './monotonic.ts'
import { gkube, timeToEnd } from './processes.ts'
import { appName, environment, type Rig, token } from './rig.ts'

export async function rolloutOverhead(rig: Rig, kubectl: Kubectl | null, rounds: number): Promise<Figure[]> {
  const byApi: number[] = []
  const byCommand: number[] = []
  const byKubectl: number[] = []
  const rollouts: number[] = []
  for (let i = 0; i < rounds; i++) {
    const own = await overhead(rig, { agent: 'gkube', deployment: appName }, async () => {
      await rig.ended(await byHttp(rig, `3.${i}.0`))
    })
    byApi.push(own.overhead)
    rollouts.push(own.rollout)
    const command = [gkube, 'deploy', appName, `3.${i}.1`, '--environment', environment]
    const env = { GKUBE_URL: rig.server.url, GKUBE_TOKEN: token }
    const commanded = await overhead(rig, { agent: 'gkube', deployment: appName }, async () => {
      await timeToEnd(command, { env, cwd: rig.folder })
    })
    byCommand.push(commanded.overhead)
    if (!kubectl) continue
    const of = { agent: 'kubectl', deployment: kubectlName }
    byKubectl.push((await overhead(rig, of, () => kubectl.update(`3.${i}.0`))).overhead)
  }
  const baseline = kubectl && { what: 'kubectl apply + rollout status', values: byKubectl }
  const aim = { kind: 'baseline' } as const
  return [
    { what: 'overhead above the rollout, API', unit: 'ms', values: byApi, baseline, aim },
    { what: 'overhead above the rollout, gkube deploy', unit: 'ms', values: byCommand, baseline, aim },
    { what: 'the rollout itself (stand-in)', unit: 'ms', values: rollouts, baseline: null, aim: null },
  ]
}

async function overhead(
  rig: Rig,
  of: { readonly agent: string; readonly deployment: string },
  update: () => Promise<void>,
): Promise<{ overhead: number; rollout: number }> {
  await rig.cluster.take()
  const before = monotonic()
  await update()
  const total = monotonic() - before
  const { requests, complete } = await rig.cluster.take()
  const written = requests.find(
    seen => seen.agent === of.agent && seen.isWrite && /^(patch|update) deployments$/.test(seen.what),
  )
  if (!written)
    throw new Error(`${of.agent} wrote no Deployment: ${requests.map(seen => seen.what).join(', ')}`)
  const done = complete.find(one => one.name === of.deployment && one.at > written.at)
  if (!done) throw new Error(`${of.deployment} was never complete`)
  const rollout = done.at - written.at
  return { overhead: total - rollout, rollout }
}
