// One deploy as people follow it: its record, its progress, why it waits, why it failed. A watcher sees each change
// once, can come back with the revision it saw last, and is done when the deploy is.

import type { Core, DeployEvent } from '../core.ts'
import { type Deploy, deploySchema, diagnosisSchema, isTerminal, progressSchema } from '../deploy.ts'
import type { Change, Entry, Revision } from '../kv.ts'
import { plannedSchema } from '../messages.ts'
import { decode, read, type Stored } from '../records.ts'
import { deployNamed } from './decide.ts'
import type { Deps } from './deps.ts'
import { isNamed } from './override.ts'
import { demandLook } from './sight.ts'
import { waitingWords } from './waiting-words.ts'

/** Why it waits may change without a change of the deploy itself. */
const lookAgainMs = 2_000

export function follow(deps: Deps): Pick<Core, 'showDeploy' | 'watchDeploy'> {
  const { kv, keys } = deps
  return {
    async showDeploy(caller, id) {
      const { value: deploy } = await deployNamed(deps, id)
      if (!isNamed(deps, caller, deploy)) demandLook(deps, caller, deploy)
      const [progress, diagnosis, planned] = await Promise.all([
        read(kv, progressSchema, keys.progress(id)),
        read(kv, diagnosisSchema, keys.diagnosis(id)),
        read(kv, plannedSchema, keys.planned(id)),
      ])
      return {
        deploy,
        progress: progress?.value ?? null,
        diagnosis: diagnosis?.value ?? null,
        waiting: waitingWords(deps, deploy),
        planned: planned?.value ?? null,
      }
    },
    async *watchDeploy(caller, id, { after, signal }) {
      const first = await deployNamed(deps, id)
      demandLook(deps, caller, first.value)
      const box = inbox(deps, id, after ?? first.modRevision)
      // Who comes back gets what is new, and the end in any case.
      if (!after || isTerminal(first.value.phase)) box.add(deployEvent(first))
      let latest: Deploy = first.value
      let waiting: string | null = null
      try {
        while (!signal.aborted) {
          if (box.missed()) box.add(deployEvent(await deployNamed(deps, id)))
          latest = yield* passOn(deps, box, latest)
          if (isTerminal(latest.phase)) return
          const words = waitingWords(deps, latest)
          if (words && words !== waiting)
            yield { kind: 'waiting', revision: first.modRevision, message: words }
          waiting = words
          await box.next(signal)
        }
      } finally {
        box.close()
      }
    },
  }
}

type DeployChange = Extract<DeployEvent, { kind: 'deploy' }>

const deployEvent = ({ modRevision, value }: Stored<Deploy>): DeployChange => ({
  kind: 'deploy',
  revision: modRevision,
  deploy: value,
})

/** What came, up to the end of the deploy, which is told with why it failed; returns the deploy as it is now. */
async function* passOn(
  { kv, keys }: Deps,
  box: Pick<ReturnType<typeof inbox>, 'take'>,
  before: Deploy,
): AsyncGenerator<DeployEvent, Deploy> {
  let latest = before
  for (let event = box.take(); event; event = box.take()) {
    if (event.kind === 'diagnosis') continue
    if (event.kind === 'deploy') latest = event.deploy
    const ends = event.kind === 'deploy' && isTerminal(event.deploy.phase)
    const why = ends ? await read(kv, diagnosisSchema, keys.diagnosis(latest.id)) : null
    if (why) yield { kind: 'diagnosis', revision: event.revision, diagnosis: why.value }
    yield event
    if (ends) break
  }
  return latest
}

/** What the feed says of one deploy from a revision on, until it is closed. */
function inbox(deps: Deps, id: string, from: Revision) {
  const events: DeployEvent[] = []
  let wake = new AbortController()
  let gap = false
  const change = (one: Change) => {
    const event = one.kind === 'put' ? eventOf(deps, id, one.entry) : null
    if (!event) return
    events.push(event)
    wake.abort()
  }
  const reset = () => {
    gap = true
    wake.abort()
  }
  const unsubscribe = deps.kv.subscribe(deps.keys.root, { change, reset }, { from })
  return {
    add: (event: DeployEvent) => void events.push(event),
    take: () => events.shift(),
    /** Changes may have been missed since it was last asked. */
    missed() {
      const was = gap
      gap = false
      return was
    },
    /** Waits for more, or until it is time to look again at what it waits for. */
    async next(signal: AbortSignal) {
      if (events.length === 0 && !gap)
        await deps.clock.sleep(lookAgainMs, AbortSignal.any([signal, wake.signal]))
      wake = new AbortController()
    },
    close: unsubscribe,
  }
}

function eventOf(deps: Deps, id: string, entry: Entry): DeployEvent | null {
  const { keys } = deps
  const revision: Revision = entry.modRevision
  try {
    switch (entry.key) {
      case keys.deploy(id):
        return { kind: 'deploy', revision, deploy: decode(deploySchema, entry).value }
      case keys.progress(id):
        return { kind: 'progress', revision, progress: decode(progressSchema, entry).value }
      case keys.diagnosis(id):
        return { kind: 'diagnosis', revision, diagnosis: decode(diagnosisSchema, entry).value }
      default:
        return null
    }
  } catch (error) {
    deps.log(`a change of ${entry.key} was left out`, error)
    return null
  }
}
