// The step publish: a Job puts the code on the app's volume as a release of its own (objects/publish-job.ts), and nothing
// that serves is touched. What came of it is kept before the Job is deleted, so whoever takes over never publishes again
// what was published. publish-result.ts explains a failure.

import { ClusterError, type KubeObject } from '../cluster.ts'
import { codeStorage, isPublished, mounted, releaseOf, releasesFor, remembered } from '../code/releases.ts'
import { readsCurrent, reloads } from '../code/reloading.ts'
import type { Cause, HookResult } from '../deploy.ts'
import type { JobInput } from '../objects/jobs.ts'
import { ownership } from '../objects/labels.ts'
import { type PublishInput, publishJob, publishTimeout, tokenSecret } from '../objects/publish-job.ts'
import type { Workload } from '../workload.ts'
import { attempt, dropJob, jobRef, makeRoom, removeJob, startJob } from './hook-job.ts'
import { waitForEnd } from './job-end.ts'
import { publishResult } from './publish-result.ts'
import { done, failed, type StepContext, type StepOutcome } from './step.ts'

const step = 'publish'
/** The token is used when the Job begins; a node may have to be found first. */
const tokenSeconds = publishTimeout.seconds

export async function publish(context: StepContext): Promise<StepOutcome> {
  const name = releaseOf(context.frozen)
  if (name === null) return done('the app has no code')
  if (context.cancelled.aborted) return cancelled(context)
  const known = (await context.hooks.read()).find(one => one.step === step)
  if (known) return conclude(context, known)
  const room = await makeRoom(context, step)
  if (room === 'cancelled') return cancelled(context)
  if (room.kind === 'refused') return failed(room.reason, room.message)
  const started = await begin(context, room.pods)
  const { workload } = started
  if (started.kind === 'refused') return { ...failed(started.reason, started.message), workload }
  const { text: timeout, startWithin } = publishTimeout
  const end = await waitForEnd(context, { step, timeout, startWithin, uid: started.uid })
  if (end === 'cancelled') return { ...(await cancelled(context)), workload }
  const { result, diagnosis } = await publishResult(context, end)
  await context.hooks.write(result, diagnosis)
  return conclude(context, result, workload)
}

/** Releases of what runs and of what was good; null: one of these cannot be read, so nothing may be removed. */
async function needed({ workload, base, spec }: StepContext): Promise<string[] | null> {
  const specs = [workload.spec, workload.good?.spec].filter(one => one !== undefined && one !== '')
  const found = await Promise.all([...new Set(specs)].map(one => spec(one ?? '')))
  if (found.includes(null)) return null
  return [base, ...found].flatMap(one => (one && releaseOf(one)) ?? [])
}

async function begin(context: StepContext, pods: readonly KubeObject[]): ReturnType<typeof startJob> {
  const { frozen, code, base, workload } = context
  const { artifact } = frozen
  if (!artifact || !code?.image)
    return refused('not_supported', 'No code can be published here any more: publish.image is not set.')
  const referred = await needed(context)
  const all = referred && [
    ...(workload.releases ?? []),
    ...referred,
    ...mounted([...pods, ...(await templates(context))]),
  ]
  const isHere = base && codeStorage(base) === codeStorage(frozen) && isPublished(base, workload)
  const previous = isHere ? releaseOf(base) : null
  const side = { image: code.image, url: code.url, hosts: code.hosts, maxBytes: code.maxBytes }
  const inputOf = (input: JobInput): PublishInput => {
    const keep = all ? [...new Set(all)] : []
    // Before the first pod that reads `current`; else that is the step activate's.
    const switches = reloads(frozen.spec) && !readsCurrent(workload, { base, frozen })
    return { ...input, attempt, artifact, code: side, previous, keep, switches }
  }
  let secret: ((token: string, jobUid: string) => KubeObject) | undefined
  const started = await startJob(context, {
    pods,
    render: input => {
      secret = (token, jobUid) => tokenSecret({ ...input, attempt }, token, jobUid)
      return publishJob(inputOf(input))
    },
  })
  if (started.kind === 'refused' || artifact.url !== null || !secret) return started
  const ticket = await code.ticket({
    sha256: artifact.sha256,
    deploy: context.deploy.id,
    ttlSeconds: tokenSeconds,
  })
  const refusal = await giveToken(context, secret(ticket, started.uid))
  return refusal ? { ...refusal, workload: started.workload } : started
}

const refused = (reason: Cause['reason'], message: string) => ({ kind: 'refused' as const, reason, message })

/** What pods are made from, kept for a rollback of Kubernetes' own, too. */
async function templates({ cluster, workload }: StepContext): Promise<KubeObject[]> {
  const query = { apiVersion: 'apps/v1', namespace: workload.namespace, labels: ownership(workload) }
  const lists = ['ReplicaSet', 'ControllerRevision'].map(kind => cluster.list({ ...query, kind }))
  return (await Promise.all(lists)).flat()
}

/** The Job's pod waits for it. After a take-over it may be there already: gkube cannot look, it only ever makes one. */
async function giveToken(context: StepContext, secret: KubeObject) {
  try {
    await context.cluster.create(secret)
    return null
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    if (error.kind === 'already_exists') return null
    if (error.kind !== 'forbidden') throw error
    await dropJob(context, jobRef(context, step))
    return refused(
      'forbidden',
      `gkube may not make the Secret that holds the token of the upload: ${error.message}. \`gkube rbac ${context.environment.name}\` prints the right that is missing.`,
    )
  }
}

/** What a recorded result comes to; its Job is not needed any more. */
async function conclude(
  context: StepContext,
  { cause }: HookResult,
  written: Workload | undefined = undefined,
): Promise<StepOutcome> {
  const left = await removeJob(context, jobRef(context, step))
  if (cause) return { ...failed(cause.reason, cause.message), workload: written }
  const workload = written ?? context.workload
  const known = releasesFor(context.frozen, workload)
  const keep = context.frozen.spec.code?.keep ?? 2
  const kept = (await needed(context)) ?? known
  return done(left, {
    ...workload,
    releases: remembered(known, releaseOf(context.frozen) ?? '', { needed: kept, keep }),
    releasesOn: codeStorage(context.frozen),
  })
}

async function cancelled(context: StepContext): Promise<Extract<StepOutcome, { kind: 'cancelled' }>> {
  await dropJob(context, jobRef(context, step))
  return { kind: 'cancelled' }
}
