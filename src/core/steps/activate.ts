// The step activate (code.activate: reload): a Job switches `current` on the volume, then the app's command runs in each
// pod and what the pod reads there is held against what was published. `reactivate` is the same way back. Repeated after
// a crash: the link is a rename, and the command must bear to run twice.
import { ClusterError, type KubeObject } from '../cluster.ts'
import { releaseOf } from '../code/releases.ts'
import { isRelease, markerPath, reloads } from '../code/reloading.ts'
import type { Diagnosis, HookResult } from '../deploy.ts'
import { watchedOf } from '../inventory.ts'
import { activateContainers, activateJob, activateTimeout } from '../objects/activate-job.ts'
import { ownership } from '../objects/labels.ts'
import { fieldsOf, listOf } from '../objects/pod-templates.ts'
import { redactText } from '../redact.ts'
import { Fenced } from '../replica.ts'
import { oneLine } from '../rollout/words.ts'
import { attempt, dropJob, jobRef, makeRoom, removeJob, startJob } from './hook-job.ts'
import { resultOf } from './hook-result.ts'
import { waitForEnd } from './job-end.ts'
import { wait } from './rollout.ts'
import { failed, type StepBody, type StepContext, type StepOutcome } from './step.ts'

type Step = 'activate' | 'reactivate'

/** For one command in one pod. */
const commandMs = 60_000
/** Another mount may be told that the link is gone, or see the old one, for a moment after a rename. */
const seenWithinMs = 30_000
/** Pods that are told at the same time. */
const atOnce = 8
const mostOutput = 4_000

export const activate =
  (step: Step): StepBody =>
  async context => {
    const { frozen } = context
    if (!reloads(frozen.spec) || releaseOf(frozen) === null)
      return { kind: 'done', message: 'its pods mount their release' }
    const switched = await switchCurrent(context, step)
    if (switched) return switched
    const pods = await podsOf(context)
    const refusal = await reloadAll(context, pods)
    if (refusal) return refusal
    // A pod that fell over is seen here, before anybody calls it live.
    const outcome = await wait(context, { startedAt: context.now() })
    if (outcome.kind !== 'done') return outcome
    const count = pods.length === 1 ? '1 pod' : `${pods.length} pods`
    return { ...outcome, message: `current is ${releaseOf(frozen)}, ${count} reloaded` }
  }

/** The Job, once: null where `current` is switched. */
async function switchCurrent(context: StepContext, step: Step): Promise<StepOutcome | null> {
  if (context.cancelled.aborted) return cancelled(context, step)
  const known = (await context.hooks.read()).find(one => one.step === step)
  if (known) return conclude(context, known)
  const { frozen, code } = context
  const { artifact } = frozen
  if (!artifact || !code?.image)
    return failed('not_supported', 'No code can be switched here any more: publish.image is not set.')
  const room = await makeRoom(context, step)
  if (room === 'cancelled') return cancelled(context, step)
  if (room.kind === 'refused') return failed(room.reason, room.message)
  const side = { image: code.image, url: code.url, hosts: code.hosts, maxBytes: code.maxBytes }
  const started = await startJob(context, {
    pods: room.pods,
    render: input => activateJob({ ...input, attempt, artifact, code: side, step }),
  })
  if (started.kind === 'refused') return failed(started.reason, started.message)
  const { text: timeout, startWithin } = activateTimeout
  const end = await waitForEnd(context, { step, timeout, startWithin, uid: started.uid })
  if (end === 'cancelled') return cancelled(context, step)
  const { result, diagnosis } = await resultOf(context, {
    step,
    timeout,
    containers: activateContainers,
    end,
  })
  const short: HookResult = { ...result, lines: [] }
  await context.hooks.write(short, diagnosis)
  return conclude(context, short)
}

async function conclude(context: StepContext, { step, cause }: HookResult): Promise<StepOutcome | null> {
  await removeJob(context, jobRef(context, step))
  return cause ? failed(cause.reason, cause.message) : null
}

async function cancelled(context: StepContext, step: Step): Promise<StepOutcome> {
  await dropJob(context, jobRef(context, step))
  return { kind: 'cancelled' }
}

/** Pods that run now: one that comes later begins with what `current` is by then. */
async function podsOf({ cluster, workload, frozen }: StepContext): Promise<KubeObject[]> {
  const scope = watchedOf(workload, frozen)
  const labels = scope?.podLabels ?? ownership(workload)
  const found = await cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace: workload.namespace, labels })
  const isJobs = (pod: KubeObject) => listOf(pod.metadata.ownerReferences).some(owner => owner.kind === 'Job')
  return found.filter(
    pod =>
      pod.metadata.deletionTimestamp === undefined &&
      fieldsOf(pod.status).phase === 'Running' &&
      !isJobs(pod),
  )
}

/** Null: each pod took it. */
async function reloadAll(context: StepContext, pods: readonly KubeObject[]): Promise<StepOutcome | null> {
  let told = 0
  for (let i = 0; i < pods.length; i += atOnce) {
    if (context.stopped.aborted) throw new Fenced('it is shutting down')
    if (context.cancelled.aborted) return { kind: 'cancelled' }
    const answers = await Promise.all(pods.slice(i, i + atOnce).map(pod => reloadOne(context, pod)))
    const refusal = answers.find(answer => answer !== null)
    if (refusal) return refusal
    told += answers.length
    context.progress({ ready: 0, wanted: 0, message: `${told} of ${pods.length} pods reloaded` })
  }
  return null
}

async function reloadOne(context: StepContext, pod: KubeObject): Promise<StepOutcome | null> {
  const { code } = context.frozen.spec
  const { name, uid } = pod.metadata
  const until = context.now() + seenWithinMs
  for (let pause = 200; ; pause = Math.min(2_000, pause * 2)) {
    const read = await inPod(context, name, ['cat', markerPath(code?.mount ?? '')])
    if (read.code === 0 && isRelease(read.text, context.frozen)) break
    if (await isGone(context, name, uid)) return null
    if (context.now() > until)
      return unseen(context, `${name} does not see the new release: ${lastLine(read.text)}`)
    if (context.stopped.aborted) throw new Fenced('it is shutting down')
    if (context.cancelled.aborted) return { kind: 'cancelled' }
    await context.sleep(pause)
  }
  const ran = await inPod(context, name, code?.reload ?? [])
  if (ran.code === 0 || (await isGone(context, name, uid))) return null
  const why =
    ran.code === null ? `took longer than ${commandMs / 1000} s` : `ended with exit code ${ran.code}`
  return unseen(context, `the reload command in ${name} ${why}: ${lastLine(ran.text)}`, ran.text)
}

/** How a command ended; `code` null: it did not. Where the pod cannot be asked, that is its text. */
async function inPod(
  { cluster, workload, frozen, sleep }: StepContext,
  pod: string,
  command: readonly string[],
): Promise<{ readonly code: number | null; readonly text: string }> {
  let text = ''
  const [late, ended] = [new AbortController(), new AbortController()]
  void sleep(commandMs, ended.signal).then(() => late.abort())
  try {
    const code = await cluster.exec(workload.namespace, pod, {
      container: frozen.app,
      command,
      signal: late.signal,
      output: part => {
        text = `${text}${part}`.slice(-mostOutput)
      },
    })
    return { code: late.signal.aborted ? null : code, text }
  } catch (error) {
    if (late.signal.aborted) return { code: null, text }
    if (!(error instanceof ClusterError) || error.kind === 'unavailable') throw error
    return { code: 1, text: error.message }
  } finally {
    ended.abort()
  }
}

async function isGone({ cluster, workload }: StepContext, name: string, uid = ''): Promise<boolean> {
  const ref = { apiVersion: 'v1', kind: 'Pod', namespace: workload.namespace, name }
  const live = await cluster.get(ref)
  return !live || live.metadata.uid !== uid || live.metadata.deletionTimestamp !== undefined
}

const lastLine = (text: string): string => oneLine(text.trim().split('\n').at(-1) ?? '') || 'it said nothing'

function unseen({ deploy, frozen, now }: StepContext, words: string, log = ''): StepOutcome {
  const message = `activate failed: ${words}`
  const lines = redactText(log).trimEnd()
  const diagnosis: Diagnosis = {
    cause: { reason: 'activate_failed', message: redactText(message).slice(0, 1000) },
    seen: [],
    tries: [
      `run it in a pod by hand: \`gkube exec ${deploy.app} -E ${deploy.environment} -- ${(frozen.spec.code?.reload ?? []).join(' ')}\``,
      'the command must bear to run twice, and its image needs `cat`',
    ],
    events: [],
    log: lines
      ? {
          pod: frozen.app,
          container: frozen.app,
          previous: false,
          lines: lines
            .split('\n')
            .slice(-20)
            .map(line => line.slice(0, 500)),
        }
      : null,
    at: now(),
  }
  return failed('activate_failed', message, { diagnosis })
}
