// `gkube run`: a one-off Job with the app's image, environment and volumes. `gkube exec`: a command in a pod that
// runs, where the operators allow it. Both are audited before they start, and when they have ended.
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import { type Cluster, ClusterError, type KubeObject, refOf } from '../cluster.ts'
import type { Core, RunEvent } from '../core.ts'
import { runJob } from '../objects/jobs.ts'
import { demand } from '../policy.ts'
import { newId } from '../records.ts'
import { redactText as redact } from '../redact.ts'
import { seconds } from '../units.ts'
import { type Deps, environmentNamed } from './deps.ts'
import { podNamed, podsOf, workloadNamed } from './look.ts'

const podWithinMs = 120_000
/** A person watches this one Job: asked more and more rarely. */
const pauses = { first: 100, most: 2_000 }

type JobStatus = {
  readonly succeeded?: number
  readonly failed?: number
  readonly conditions?: readonly { type: string; status: string; message?: string }[]
}
type PodState = {
  readonly phase?: string
  readonly containerStatuses?: readonly {
    state?: {
      waiting?: { reason?: string; message?: string }
      terminated?: { exitCode: number; reason?: string }
    }
  }[]
}

export function run(deps: Deps): Pick<Core, 'run' | 'exec'> {
  const { kv, keys, clock } = deps
  const tellAudit = async (entry: Parameters<typeof auditPut>[2]) => {
    const write = auditPut(keys, clock.now(), entry)
    await kv.commit({ compares: [{ kind: 'absent', key: write.key }], writes: [write] })
  }
  /** What ran has run: that its end could not be written down is no failure of it. */
  const tellEnd = (entry: Omit<Parameters<typeof auditPut>[2], 'outcome'>) =>
    tellAudit({ ...entry, outcome: 'ended' }).catch(error =>
      deps.log(`the end of ${entry.action} was not written to the audit`, error),
    )
  return {
    async *run(caller, { app, environment, command, timeout }, signal) {
      const env = environmentNamed(deps, environment)
      demand(caller, 'run', { app, environment: env }, deps.people)
      const { workload, cluster } = await workloadNamed(deps, caller, { app, environment })
      const frozen = await deps.specs.get(workload.good?.spec ?? workload.spec)
      if (!frozen)
        throw new UserError('conflict', `The snapshot of ${app} is not kept any more. Deploy it again first.`)
      const { minor } = await cluster.server()
      const id = newId(clock.now())
      const job = runJob({
        frozen,
        namespace: workload.namespace,
        id,
        command,
        timeout: seconds(timeout),
        beside: frozen.spec.storage.some(volume => volume.access === 'RWO'),
        imagePullSecrets: [],
        serverMinor: minor,
      })
      await tellAudit({
        by: caller.actor,
        action: 'run',
        outcome: 'started',
        app,
        environment,
        detail: command.join(' '),
      })
      const { object } = await create(cluster, job)
      let ended = 'not followed to its end'
      try {
        for await (const event of followJob(deps, cluster, object, signal)) {
          if (event.kind === 'ended') ended = endText(event)
          yield event
        }
      } finally {
        await tellEnd({ by: caller.actor, action: 'run', app, environment, detail: ended })
        // Recorded and shown: the Job and its pod are not needed any more, whoever hung up.
        await cluster
          .remove(refOf(object), { uid: object.metadata.uid, propagation: 'Background' })
          .catch(error => deps.log(`Job ${object.metadata.name} was left behind`, error))
      }
    },
    async *exec(caller, { app, environment, pod, container, command }, signal) {
      const env = environmentNamed(deps, environment)
      demand(caller, 'exec', { app, environment: env }, deps.people)
      if (!env.exec) {
        throw new UserError(
          'forbidden',
          `exec is off in ${environment}. An operator can allow it: environments.${environment}.exec in gkube.yaml. A one-off Job always works: gkube run ${app} --environment ${environment} -- …`,
        )
      }
      const { workload, cluster } = await workloadNamed(deps, caller, { app, environment })
      const pods = await podsOf(deps, cluster, workload)
      const target = pod
        ? podNamed(pods, pod, app)
        : pods.find(candidate => candidate.ready && !candidate.terminating)
      if (!target) throw new UserError('not_found', `${app} has no ready pod in ${environment}.`)
      await tellAudit({
        by: caller.actor,
        action: 'exec',
        outcome: 'started',
        app,
        environment,
        detail: `${target.name}: ${command.join(' ')}`,
      })
      yield { kind: 'started', job: '', pod: target.name }
      const queue: RunEvent[] = []
      let wake = new AbortController()
      let ended = false
      const output = (text: string, stream: 'stdout' | 'stderr') => {
        queue.push({ kind: 'output', text, stream })
        wake.abort()
      }
      const finished = cluster
        .exec(workload.namespace, target.name, { container, command, signal, output })
        .finally(() => {
          ended = true
          wake.abort()
        })
      // Awaited below; without this a failure while output is drained would be unhandled.
      finished.catch(() => {})
      while (!ended || queue.length > 0) {
        for (let event = queue.shift(); event; event = queue.shift()) yield event
        if (ended) break
        await clock.sleep(60_000, wake.signal)
        wake = new AbortController()
      }
      const end = { kind: 'ended' as const, exitCode: await finished, message: '' }
      const detail = `${target.name}: ${endText(end)}`
      await tellEnd({ by: caller.actor, action: 'exec', app, environment, detail })
      yield end
    },
  }
}

const endText = ({ exitCode, message }: Extract<RunEvent, { kind: 'ended' }>): string =>
  `exit code ${exitCode} ${message}`.trim()

async function create(cluster: Cluster, job: KubeObject) {
  try {
    return await cluster.create(job)
  } catch (error) {
    if (error instanceof ClusterError && error.kind !== 'unavailable')
      throw new UserError('conflict', `The Job was refused: ${error.message}`)
    throw error
  }
}

async function* followJob(
  deps: Deps,
  cluster: Cluster,
  job: KubeObject,
  signal: AbortSignal,
): AsyncGenerator<RunEvent> {
  const namespace = job.metadata.namespace ?? ''
  const pod = await podOf(deps, cluster, job, signal)
  if (!pod) return yield { kind: 'ended', exitCode: 1, message: await whyNoPod(cluster, namespace, job) }
  yield { kind: 'started', job: job.metadata.name, pod: pod.metadata.name }
  // Lines without their ends; `exec` passes on what the process wrote.
  for await (const text of cluster.followLogs(namespace, pod.metadata.name, { signal }))
    yield { kind: 'output', text: `${redact(text)}\n`, stream: 'stdout' }
  for (let pause = pauses.first; !signal.aborted; pause = Math.min(pauses.most, pause * 2)) {
    const now = await cluster.get(refOf(pod))
    const terminated = (now?.status as PodState | undefined)?.containerStatuses?.[0]?.state?.terminated
    if (terminated)
      return yield { kind: 'ended', exitCode: terminated.exitCode, message: terminated.reason ?? '' }
    const status = (await cluster.get(refOf(job)))?.status as JobStatus | undefined
    const failed = status?.conditions?.find(
      condition => condition.type === 'Failed' && condition.status === 'True',
    )
    if (failed || !now)
      return yield { kind: 'ended', exitCode: 1, message: failed?.message ?? 'the pod is gone' }
    await deps.clock.sleep(pause, signal)
  }
  yield { kind: 'ended', exitCode: 143, message: 'stopped' }
}

/** The Job's pod once it started or ended; null if it cannot. */
async function podOf(
  deps: Deps,
  cluster: Cluster,
  job: KubeObject,
  signal: AbortSignal,
): Promise<KubeObject | null> {
  const until = deps.clock.now() + podWithinMs
  const query = {
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: job.metadata.namespace,
    labels: { 'job-name': job.metadata.name },
  }
  for (
    let pause = pauses.first;
    deps.clock.now() < until && !signal.aborted;
    pause = Math.min(pauses.most, pause * 2)
  ) {
    const [pod] = await cluster.list(query)
    const state = pod?.status as PodState | undefined
    if (pod && (state?.phase === 'Running' || state?.phase === 'Succeeded' || state?.phase === 'Failed'))
      return pod
    const waiting = state?.containerStatuses?.[0]?.state?.waiting?.reason ?? ''
    if (/BackOff|^Err|Invalid|ConfigError/.test(waiting)) return null
    await deps.clock.sleep(pause, signal)
  }
  return null
}

async function whyNoPod(cluster: Cluster, namespace: string, job: KubeObject): Promise<string> {
  const labels = { 'job-name': job.metadata.name }
  const [pod] = await cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace, labels })
  const events = await cluster.events(namespace, [job.metadata.name, ...(pod ? [pod.metadata.name] : [])])
  const last = events.filter(event => event.type === 'Warning').at(-1)
  return last ? `${last.reason}: ${last.message}` : 'its pod did not start in time'
}
