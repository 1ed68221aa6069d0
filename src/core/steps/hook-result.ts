// What came of a hook's Job: its result with the last lines of its log, and on failure why. A failure is explained as one
// of a rollout is (diagnosis.ts). What a log says is redacted here, before it is kept.
import { ClusterError, type Observed } from '../cluster.ts'
import { type Cause, type Diagnosis, type HookResult, type JobStep, mostHookBytes } from '../deploy.ts'
import { gatherDiagnosis } from '../diagnose.ts'
import { redactText } from '../redact.ts'
import { inWords, oneLine } from '../rollout/words.ts'
import { hookTitle } from '../words.ts'
import type { JobEnd } from './job-end.ts'
import type { StepContext } from './step.ts'

/** What ended: `timeout` such as 10m; `containers`: those whose logs tell what it did, in their order. */
export type Ended = {
  readonly step: JobStep
  readonly name?: string
  readonly timeout: string
  readonly containers?: readonly string[]
  readonly end: JobEnd
}

const kept = { lines: 20, length: 300 }
/** More than is kept: what shows that a line is part of a secret may stand before it. */
const read = { lines: 100, bytes: 64 * 1024 }

export async function resultOf(
  context: StepContext,
  ended: Ended,
): Promise<{ result: HookResult; diagnosis?: Diagnosis }> {
  const { startedAt } = context
  const { step, name, end } = ended
  const result = { step, name: name ?? null, startedAt }
  if (end.kind === 'over' && end.verdict.status === 'ready') {
    const lines = linesOf(await logOf(context, ended))
    return { result: { ...result, endedAt: context.now(), cause: null, lines } }
  }
  const cause = causeOf(ended)
  const { cluster, workload } = context
  const diagnosis = await gatherDiagnosis(
    {
      cluster,
      namespace: workload.namespace,
      app: workload.app,
      observed: alive(end.observed),
      verdict: { ...end.verdict, cause },
      expected: end.expected,
    },
    context.now(),
  )
  // The diagnosis has the log: it is told once.
  return { result: { ...result, endedAt: context.now(), cause: diagnosis.cause, lines: [] }, diagnosis }
}

/** A pod of a Job that is late is on its way out, and yet it is the one to look at. */
const alive = (observed: Observed | null): Observed | null =>
  observed && { ...observed, pods: observed.pods.map(pod => ({ ...pod, terminating: false })) }

function causeOf({ step, name, timeout, end }: Ended): Cause {
  const { kind, observed, verdict, problem } = end
  const title = hookTitle(step, name)
  if (kind === 'gone')
    return { reason: 'job_failed', message: `${title}: somebody deleted its Job while it ran.` }
  const { cause, probable } = verdict
  const exit = exitOf(step, observed)
  const late = cause?.reason === 'deadline' || (cause?.reason === 'job_failed' && !exit && isLate(observed))
  if (late) {
    if (!observed)
      return {
        reason: 'cluster_unavailable',
        message: `Nothing is known of ${title} (${problem ?? 'no answer'}).`,
      }
    const containers = observed.pods.flatMap(pod => pod.containers)
    // A sidecar alone does nothing of it.
    const own = containers.filter(one => step === 'publish' || !one.init)
    const ran = own.some(one => one.state !== 'waiting' || one.exit !== null)
    if (!ran) {
      const late = `${title} did not start within ${end.startWithin ?? timeout}.`
      // Where the pods say nothing, the diagnosis adds what events say: a volume that is not there.
      if (!probable || probable.reason === 'not_ready') return { reason: 'deadline', message: late }
      return { ...probable, message: `${late} ${probable.message}`.slice(0, 1000) }
    }
    return { reason: 'job_failed', message: `${title} took longer than ${timeout}.` }
  }
  if (cause && cause.reason !== 'job_failed')
    return { ...cause, message: `${title}: ${cause.message}`.slice(0, 1000) }
  if (!exit) {
    const condition = observed?.workload?.conditions.find(one => one.type === 'Failed')
    const why = oneLine(condition?.message || condition?.reason || 'its Job says no reason')
    return { reason: 'job_failed', message: `${title} failed: ${why}.` }
  }
  const { code, startedAt, finishedAt } = exit
  const where = exit.container === step ? exit.pod : `${exit.pod}, container ${exit.container}`
  return {
    reason: 'job_failed',
    message: `${title} failed: exit code ${code} after ${inWords(finishedAt - startedAt)} (${where}).`,
  }
}

/** How its container ended, else another one of its pods: a sidecar is stopped after it, so its own exit says little. */
export function exitOf(step: JobStep, observed: Observed | null) {
  const exits = (observed?.pods ?? []).flatMap(pod =>
    pod.containers.flatMap(({ name, exit }) =>
      exit && exit.code !== 0 ? [{ ...exit, container: name, pod: pod.name }] : [],
    ),
  )
  return exits.find(one => one.container === step) ?? exits[0]
}

const isLate = (observed: Observed | null): boolean =>
  observed?.workload?.conditions.some(one => one.type === 'Failed' && one.reason === 'DeadlineExceeded') ===
  true

async function logOf(context: StepContext, { step, containers = [step], end }: Ended): Promise<string> {
  const { observed } = end
  const pod = observed?.pods.find(one => one.phase === 'Succeeded') ?? observed?.pods[0]
  if (!pod) return ''
  const texts = containers.map(async container => {
    try {
      const options = { container, tailLines: read.lines, limitBytes: read.bytes }
      return await context.cluster.logs(context.workload.namespace, pod.name, options)
    } catch (error) {
      // It worked; its log is only to be looked at.
      if (!(error instanceof ClusterError)) throw error
      return `(the log of ${pod.name} could not be read: ${oneLine(error.message)})`
    }
  })
  const all = (await Promise.all(texts)).map(text => text.trimEnd())
  return all.filter(text => text !== '').join('\n')
}

/** The last lines without what looks like a secret, within their share of the record. */
function linesOf(text: string): string[] {
  const plain = redactText(text).trimEnd()
  if (plain === '') return []
  let lines = plain
    .split('\n')
    .slice(-kept.lines)
    .map(line => line.slice(0, kept.length))
  while (Buffer.byteLength(JSON.stringify(lines)) > mostHookBytes) lines = lines.slice(1)
  return lines
}
