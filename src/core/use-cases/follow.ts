// One deploy as people follow it: its record, its progress, why it waits, why it failed. A watcher sees each change
// once, can come back with the revision it saw last, and is done when the deploy is.

import { whatHolds } from '../claim.ts'
import type { Core, DeployEvent } from '../core.ts'
import { type Deploy, deploySchema, diagnosisSchema, isTerminal, progressSchema } from '../deploy.ts'
import type { Change, Entry, Revision } from '../kv.ts'
import { demand } from '../policy.ts'
import { decode, read } from '../records.ts'
import { deployNamed } from './decide.ts'
import { type Deps, environmentNamed } from './deps.ts'
import { lockWords } from './locks.ts'

/** Why it waits may change without a change of the deploy itself. */
const lookAgainMs = 2_000

export function follow(deps: Deps): Pick<Core, 'showDeploy' | 'watchDeploy'> {
  const { kv, keys } = deps
  return {
    async showDeploy(caller, id) {
      const { value: deploy } = await deployNamed(deps, id)
      demand(caller, 'view', { app: deploy.app }, deps.people)
      const [progress, diagnosis] = await Promise.all([
        read(kv, progressSchema, keys.progress(id)),
        read(kv, diagnosisSchema, keys.diagnosis(id)),
      ])
      return {
        deploy,
        progress: progress?.value ?? null,
        diagnosis: diagnosis?.value ?? null,
        waiting: waitingWords(deps, deploy),
      }
    },
    async *watchDeploy(caller, id, { after, signal }) {
      const first = await deployNamed(deps, id)
      demand(caller, 'view', { app: first.value.app }, deps.people)
      const events: DeployEvent[] = []
      let wake = new AbortController()
      let again = false
      const tell = (change: Change) => {
        if (change.kind === 'delete') return
        const event = eventOf(deps, id, change.entry)
        if (!event) return
        events.push(event)
        wake.abort()
      }
      const reset = () => {
        again = true
        wake.abort()
      }
      const unsubscribe = kv.subscribe(
        keys.root,
        { change: tell, reset },
        { from: after ?? first.modRevision },
      )
      let latest: Deploy = first.value
      let waiting: string | null = null
      if (!after) events.push({ kind: 'deploy', revision: first.modRevision, deploy: first.value })
      else if (isTerminal(latest.phase))
        events.push({ kind: 'deploy', revision: first.modRevision, deploy: latest })
      try {
        while (!signal.aborted) {
          if (again) {
            again = false
            const now = await deployNamed(deps, id)
            events.push({ kind: 'deploy', revision: now.modRevision, deploy: now.value })
          }
          for (let event = events.shift(); event; event = events.shift()) {
            if (event.kind === 'deploy') latest = event.deploy
            if (event.kind === 'deploy' && isTerminal(latest.phase)) {
              const why = await read(kv, diagnosisSchema, keys.diagnosis(id))
              if (why) yield { kind: 'diagnosis', revision: event.revision, diagnosis: why.value }
              yield event
              return
            }
            if (event.kind !== 'diagnosis') yield event
          }
          const words = waitingWords(deps, latest)
          if (words && words !== waiting)
            yield { kind: 'waiting', revision: first.modRevision, message: words }
          waiting = words
          if (events.length > 0) continue
          await deps.clock.sleep(lookAgainMs, AbortSignal.any([signal, wake.signal]))
          wake = new AbortController()
        }
      } finally {
        unsubscribe()
      }
    },
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

/** What a deploy waits for, in one sentence; null when it does not wait. */
export function waitingWords(deps: Deps, deploy: Deploy): string | null {
  if (deploy.phase === 'awaiting_approval' && deploy.approval) {
    const given = deploy.approval.votes.filter(vote => vote.decision === 'approve').length
    return `waiting for ${deploy.approval.required - given} of ${deploy.approval.required} approvals`
  }
  if (deploy.phase !== 'ready') return null
  const held = whatHolds(deps, deploy, environmentNamed(deps, deploy.environment))
  switch (held?.kind) {
    case undefined:
      return null
    case 'lock':
      return lockWords(held.lock)
    case 'slots':
      return `waiting: ${deploy.environment} runs as many deploys at once as it may`
    case 'active': {
      const ahead = deps.view.live.deploys.get(held.deploy)?.value
      return ahead
        ? `waiting behind ${ahead.kind} ${ahead.revision} (${ahead.requestedBy.name}, ${ahead.phase.replaceAll('_', ' ')})`
        : 'waiting behind another deploy'
    }
  }
}
