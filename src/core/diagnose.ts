// Fetches the evidence of a failed rollout (events and one container's log) and has diagnosis.ts explain it.
// What cannot be read is named in the diagnosis instead of failing it.
import { type Cluster, ClusterError, type EventFacts, type Observed } from './cluster.ts'
import type { Diagnosis } from './deploy.ts'
import { diagnosis, type Evidence, type LogTarget, logTarget } from './diagnosis.ts'
import { newPods, newReplicaSet } from './rollout/new-pods.ts'
import { oneLine } from './rollout/words.ts'
import type { Expectation, Verdict } from './rollout.ts'

type Input = {
  readonly cluster: Pick<Cluster, 'events' | 'logs'>
  readonly namespace: string
  readonly app: string
  readonly observed: Observed | null
  readonly verdict: Verdict
  readonly expected: Pick<Expectation, 'name' | 'startedAt'>
}

/** One pod of each trouble is enough to read events of. */
const mostPods = 2
const logBytes = 64 * 1024
const logLines = 60

/** Gathers and explains; takes as long as the slower of two reads. */
export async function gatherDiagnosis(input: Input, now: number): Promise<Diagnosis> {
  const { app, observed, verdict, expected } = input
  const [events, log] = await Promise.all([readEvents(input), readLog(input)])
  const unread = [events, log].flatMap(result => ('failure' in result ? [result.failure] : []))
  const evidence: Evidence = {
    app,
    observed,
    verdict,
    events: 'value' in events ? events.value : [],
    log: 'value' in log ? log.value : null,
    startedAt: expected.startedAt,
    unread,
  }
  return diagnosis(evidence, now)
}

type Result<T> = { readonly value: T } | { readonly failure: string }

async function readEvents({ cluster, namespace, observed, expected }: Input): Promise<Result<EventFacts[]>> {
  try {
    return { value: await cluster.events(namespace, namesOf(observed, expected.name)) }
  } catch (error) {
    return unreadable('events', error)
  }
}

function namesOf(observed: Observed | null, name: string): string[] {
  if (!observed) return [name]
  const pods = newPods(observed)
  const troubled = [...pods.filter(pod => !pod.ready), ...pods.filter(pod => pod.ready)]
  const set = newReplicaSet(observed)
  const claim = observed.claims.find(one => one.phase !== 'Bound')
  return [
    name,
    ...(set ? [set.name] : []),
    ...troubled.slice(0, mostPods).map(pod => pod.name),
    ...(claim ? [claim.name] : []),
  ]
}

async function readLog(input: Input): Promise<Result<Evidence['log']>> {
  const target = logTarget(input.observed)
  if (!target) return { value: null }
  try {
    return { value: { ...target, text: await tail(input, target) } }
  } catch (error) {
    // The run before may have left no log on the node: the current one is better than none.
    if (target.previous && error instanceof ClusterError && error.kind === 'invalid')
      return readCurrent(input, { ...target, previous: false })
    return unreadable(`log of ${target.pod}`, error)
  }
}

async function readCurrent(input: Input, target: LogTarget): Promise<Result<Evidence['log']>> {
  try {
    return { value: { ...target, text: await tail(input, target) } }
  } catch (error) {
    return unreadable(`log of ${target.pod}`, error)
  }
}

const tail = ({ cluster, namespace }: Input, { pod, container, previous }: LogTarget): Promise<string> =>
  cluster.logs(namespace, pod, { container, previous, tailLines: logLines, limitBytes: logBytes })

function unreadable(what: string, error: unknown): { failure: string } {
  if (!(error instanceof ClusterError)) throw error
  return { failure: `the ${what} could not be read: ${oneLine(error.message)}` }
}
