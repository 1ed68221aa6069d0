// What a deploy waits for, in one sentence: approvals, a lock, a freeze, those before it, a free slot. From this
// replica's view: what really decides is the claim (claim.ts).
import { frozenNow, whatHolds } from '../claim.ts'
import type { Deploy, Phase } from '../deploy.ts'
import { newer } from '../kv.ts'
import type { Stored } from '../records.ts'
import type { Deps } from './deps.ts'
import { freezeWords } from './freezes.ts'
import { lockWords } from './locks.ts'

type Given = Pick<Deps, 'keys' | 'view' | 'clock' | 'environments' | 'people'>

/** Null when it does not wait. */
export function waitingWords(deps: Given, deploy: Deploy): string | null {
  const { phase, approval } = deploy
  if (phase === 'awaiting_approval' && approval) {
    const given = approval.votes.filter(vote => vote.decision === 'approve').length
    const { required } = approval
    return `waiting for ${required - given} of ${required} ${required === 1 ? 'approval' : 'approvals'}`
  }
  if (phase !== 'ready') return null
  const environment = deps.environments.get(deploy.environment)
  if (!environment) return `waiting: ${deploy.environment} is not configured on this replica`
  const held = whatHolds(deps, deploy, environment)
  switch (held?.kind) {
    case 'lock':
      return lockWords(held.lock)
    case 'freeze':
      return freezeWords(held.freeze, { environment, people: deps.people, now: deps.clock.now() })
    case 'unreadable':
      return unreadableWords(deps, held.key, deploy)
    case 'slots':
      return `waiting: ${deploy.environment} runs as many deploys at once as it may`
    default:
      return lineWords(ahead(deps, deploy)) ?? (held ? 'waiting behind another deploy' : null)
  }
}

/** Not what it says, but who can do something about it. */
export const unreadableWords = (
  { keys }: Pick<Deps, 'keys'>,
  key: string,
  { app, environment }: Pick<Deploy, 'app' | 'environment'>,
): string =>
  `waiting: this version of gkube cannot read ${key.slice(keys.root.length)}. A newer replica goes on with it, or an operator frees it: gkube release ${app} --environment ${environment} --force --reason …`

const ordinals = ['first', 'second', 'third'] as const

/** `second in line, behind 1.4.2 (@ana, rolling out)`; of many it names the nearest. */
function lineWords(before: readonly Deploy[]): string | null {
  const last = before.at(-1)
  if (!last) return null
  const place = ordinals[before.length] ?? `${before.length + 1}th`
  const what = last.kind === 'deploy' ? last.revision : `the ${last.kind} of ${last.revision}`
  return `${place} in line, behind ${what} (@${last.requestedBy.name}, ${doing[last.phase] ?? 'waiting'})`
}

const doing: Partial<Record<Phase, string>> = {
  requested: 'being prepared',
  preparing: 'being prepared',
  running: 'rolling out',
  rolling_back: 'rolling back',
}

/** What runs for the app there, then what goes before this deploy, in that order (queue.ts decides it). */
function ahead(deps: Given, deploy: Deploy): Deploy[] {
  const { deploys } = deps.view.live
  const mine = deploys.get(deploy.id)
  const others = [...deploys.values()].filter(
    ({ value }) =>
      value.id !== deploy.id && value.app === deploy.app && value.environment === deploy.environment,
  )
  const running = others.filter(({ value }) => value.phase === 'running' || value.phase === 'rolling_back')
  const comes = others.filter(({ value }) => ['requested', 'preparing', 'ready'].includes(value.phase))
  const goesFirst = ({ kind, phase }: Deploy) => kind === 'rollback' && phase === 'ready'
  const before = comes.filter(other => {
    // What a freeze holds keeps its place and blocks nobody.
    if (!mine || frozenNow(deps, other.value, deps.environments.get(other.value.environment))) return false
    if (goesFirst(other.value) !== goesFirst(deploy)) return goesFirst(other.value)
    return newer(mine.createRevision, other.createRevision)
  })
  const inOrder = (a: Stored<Deploy>, b: Stored<Deploy>) =>
    Number(goesFirst(b.value)) - Number(goesFirst(a.value)) ||
    (newer(a.createRevision, b.createRevision) ? 1 : -1)
  return [...running, ...before.toSorted(inOrder)].map(stored => stored.value)
}
