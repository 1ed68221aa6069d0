// The reference: approvals, queue, locks and freezes of one environment as a tiny machine. What gkube does by itself
// (prepare, supersede, claim, finish) are steps that may happen at any moment, so commands that people give at the same
// time have a set of allowed outcomes: every order of them, with those steps anywhere in between. Pure.

export const people = {
  ana: ['deployer'],
  ben: ['deployer', 'approver'],
  cho: ['approver'],
  dan: ['operator'],
  fay: ['operator'],
  eve: ['viewer'],
  gkube: [],
} as const
export type Who = keyof typeof people
export type App = 'a' | 'b'
/** `all`: the environment, with every app in it. */
export type Scope = App | 'all'

type Phase = 'new' | 'awaiting' | 'ready' | 'running' | 'succeeded' | 'cancelled' | 'denied' | 'superseded'
type Item = {
  readonly app: App
  /** A rollback by a person: it asks for no approval, goes first, passes a freeze, and nothing takes its place. */
  readonly back: boolean
  readonly by: Who
  readonly revision: string
  readonly phase: Phase
  readonly approvedBy: readonly Who[]
  /** The revision that it was planned from. */
  readonly base: string | null
  /** What it was planned from has changed since. */
  readonly stale: boolean
  readonly cancelledBy: Who | null
}
export type Policy = { readonly required: number; readonly own: boolean; readonly keep: boolean }
export type State = {
  readonly items: readonly Item[]
  /** `gkube`: left behind by a rollback; whoever goes back passes it. */
  readonly locks: Readonly<Partial<Record<Scope, Who>>>
  readonly frozenBy: Who | null
  /** The revision that the record of each app names. */
  readonly live: Readonly<Partial<Record<App, string>>>
}
export const nothing: State = { items: [], locks: {}, frozenBy: null, live: {} }

export type Command =
  | {
      readonly kind: 'request' | 'rollback'
      readonly who: Who
      readonly app: App
      readonly revision: string
    }
  | { readonly kind: 'approve' | 'deny' | 'cancel'; readonly who: Who; readonly item: number }
  | { readonly kind: 'lock'; readonly who: Who; readonly scope: Scope; readonly steal: boolean }
  | { readonly kind: 'unlock'; readonly who: Who; readonly scope: Scope }
  | { readonly kind: 'freeze' | 'unfreeze'; readonly who: Who }
  /** What an automatic rollback leaves where no lock is. */
  | { readonly kind: 'leave'; readonly who: 'gkube'; readonly scope: App }
/** `ok`, or the kind of the UserError. */
export type Outcome = string

const has = (who: Who, ...roles: readonly string[]) => people[who].some(role => roles.includes(role))
const mayDeploy = (who: Who) => has(who, 'deployer', 'operator')
const mayLock = (who: Who) => has(who, 'operator')

const withItem = (state: State, at: number, change: Partial<Item>): State => ({
  ...state,
  items: state.items.map((item, i) => (i === at ? { ...item, ...change } : item)),
})

type Result = { readonly outcome: Outcome; readonly state: State }
const no = (outcome: Outcome, state: State): Result => ({ outcome, state })
const ok = (state: State): Result => ({ outcome: 'ok', state })

/** What one command may do to a state. */
function run(policy: Policy, state: State, command: Command): Result[] {
  const result = plainly(policy, state, command)
  const item = command.kind === 'approve' || command.kind === 'deny' ? state.items[command.item] : undefined
  // What it was planned from moves: it may be planned again at this moment, and cannot be voted on.
  return item && mayBePlannedAgain(state, item) && has(command.who, 'approver')
    ? [result, no('conflict', state)]
    : [result]
}

const runsNow = (state: State, app: App) =>
  state.items.some(item => item.app === app && item.phase === 'running')
const mayBePlannedAgain = (state: State, item: Item) =>
  item.phase === 'awaiting' && (item.stale || runsNow(state, item.app))

function plainly(policy: Policy, state: State, command: Command): Result {
  const { who } = command
  switch (command.kind) {
    case 'request':
    case 'rollback':
      return request(state, command)
    case 'approve':
    case 'deny':
      return vote(policy, state, command)
    case 'cancel':
      return cancel(state, command)
    case 'lock':
    case 'unlock':
      return lock(state, command)
    case 'leave':
      if (state.locks[command.scope]) return no('conflict', state)
      return ok({ ...state, locks: { ...state.locks, [command.scope]: 'gkube' } })
    case 'freeze':
      if (!mayLock(who)) return no('forbidden', state)
      if (state.frozenBy && state.frozenBy !== who) return no('held', state)
      return ok({ ...state, frozenBy: who })
    case 'unfreeze':
      if (!state.frozenBy) return no('not_found', state)
      if (state.frozenBy !== who && !mayLock(who)) return no('forbidden', state)
      return ok({ ...state, frozenBy: null })
  }
}

function request(
  state: State,
  { kind, who, app, revision }: Extract<Command, { kind: 'request' | 'rollback' }>,
): Result {
  if (!mayDeploy(who)) return no('forbidden', state)
  const back = kind === 'rollback'
  const worked = state.items.some(
    item => item.app === app && item.revision === revision && item.phase === 'succeeded',
  )
  if (back && !worked) return no('not_found', state)
  const item: Item = {
    app,
    back,
    by: who,
    revision,
    phase: 'new',
    approvedBy: [],
    base: null,
    stale: false,
    cancelledBy: null,
  }
  return ok({ ...state, items: [...state.items, item] })
}

function lock(state: State, command: Extract<Command, { kind: 'lock' | 'unlock' }>): Result {
  const { who, scope } = command
  const { [scope]: owner, ...others } = state.locks
  if (command.kind === 'unlock') {
    if (!owner) return no('not_found', state)
    return owner === who || mayLock(who) ? ok({ ...state, locks: others }) : no('forbidden', state)
  }
  if (!mayLock(who)) return no('forbidden', state)
  if (owner && owner !== who && !command.steal) return no('held', state)
  return ok({ ...state, locks: { ...others, [scope]: who } })
}

function vote(
  policy: Policy,
  state: State,
  { kind, who, item: at }: Extract<Command, { kind: 'approve' | 'deny' | 'cancel' }>,
): Result {
  const item = state.items[at]
  if (!item) throw new Error('a command names an item that is there')
  if (!has(who, 'approver')) return no('forbidden', state)
  if (item.phase !== 'awaiting') return no('conflict', state)
  if (kind === 'deny') return ok(withItem(state, at, { phase: 'denied' }))
  if (item.approvedBy.includes(who)) return no('conflict', state)
  if (item.by === who && !policy.own) return no('forbidden', state)
  const approvedBy = [...item.approvedBy, who]
  const phase = approvedBy.length >= policy.required ? 'ready' : 'awaiting'
  return ok(withItem(state, at, { approvedBy, phase }))
}

function cancel(state: State, { who, item: at }: { who: Who; item: number }): Result {
  const item = state.items[at]
  if (!item) throw new Error('a command names an item that is there')
  if (item.by !== who && !mayDeploy(who)) return no('forbidden', state)
  switch (item.phase) {
    case 'awaiting':
    case 'ready':
      return ok(withItem(state, at, { phase: 'cancelled', cancelledBy: who }))
    case 'new':
    case 'running':
      // Its owner is told. Another one asked before: that is said.
      if (item.cancelledBy && item.cancelledBy !== who) return no('conflict', state)
      return ok(withItem(state, at, { cancelledBy: who }))
    default:
      return no('conflict', state)
  }
}

/** What gkube may do next by itself: each way is one state. None: it waits for people. */
function moves(policy: Policy, state: State): State[] {
  const again = (['a', 'b'] as const).flatMap(app => plannedAgain(policy, state, app))
  const others = state.items.flatMap((item, at) => {
    if (item.phase === 'new') return prepared(policy, state, at)
    if (item.phase === 'running') return finished(state, at)
    return item.phase === 'ready' ? fromReady(policy, state, at) : []
  })
  return [...again, ...others]
}

/** All that wait for approval at once: none of them concerns another. */
function plannedAgain(policy: Policy, state: State, app: App): State[] {
  const isDue = (item: Item) => item.app === app && item.phase === 'awaiting' && item.stale
  if (runsNow(state, app) || !state.items.some(isDue)) return []
  return [{ ...state, items: state.items.map(item => (isDue(item) ? planned(policy, state, item) : item)) }]
}

function planned(policy: Policy, state: State, item: Item): Item {
  const base = state.live[item.app] ?? null
  // Votes are for what would run: another base is another thing.
  const approvedBy = item.base === base ? item.approvedBy : []
  const phase = item.back || approvedBy.length >= policy.required ? 'ready' : 'awaiting'
  return { ...item, phase, base, approvedBy, stale: false }
}

function prepared(policy: Policy, state: State, at: number): State[] {
  const item = itemAt(state, at)
  return [withItem(state, at, item.cancelledBy ? { phase: 'cancelled' } : planned(policy, state, item))]
}

function fromReady(policy: Policy, state: State, at: number): State[] {
  const item = itemAt(state, at)
  const same = state.items.flatMap((other, i) => (other.app === item.app ? [{ ...other, i }] : []))
  const ready = same.filter(other => other.phase === 'ready')
  const ordinary = ready.filter(other => !other.back)
  if (!policy.keep && !item.back && ordinary.some(other => other.i > at))
    return [withItem(state, at, { phase: 'superseded' })]
  const othersGo = !policy.keep && ordinary.length > 1
  const isFirst = item.back
    ? !ready.some(other => other.back && other.i < at)
    : !ready.some(other => other.back) &&
      !same.some(other => other.i < at && ['new', 'ready'].includes(other.phase))
  const runs = runsNow(state, item.app)
  const mine = state.locks[item.app]
  const locked = state.locks.all ?? (item.back && mine === 'gkube' ? null : mine)
  const held = locked ?? (item.back ? null : state.frozenBy)
  // One that is frozen keeps its place and blocks nobody; all are frozen alike here.
  if (othersGo || !isFirst || runs || held) return []
  if (item.stale) return [withItem(state, at, { phase: 'new' })]
  const claimed = withItem(state, at, { phase: 'running' })
  if (state.live[item.app] !== undefined) return [claimed]
  // A create: its record is there from now on.
  return [changedUnder(claimed, item.app, item.revision, at)]
}

function finished(state: State, at: number): State[] {
  const item = itemAt(state, at)
  const live = item.revision
  const succeeded = changedUnder(withItem(state, at, { phase: 'succeeded' }), item.app, live, at)
  if (!item.cancelledBy) return [succeeded]
  const before = item.base ?? live
  const back = changedUnder(withItem(state, at, { phase: 'cancelled' }), item.app, before, at)
  return [succeeded, back]
}

/** The record of an app was written: what waits was planned from an older one. */
const changedUnder = (state: State, app: App, revision: string, by: number): State => ({
  ...state,
  live: { ...state.live, [app]: revision },
  items: state.items.map((item, i) =>
    i !== by && item.app === app && ['awaiting', 'ready'].includes(item.phase)
      ? { ...item, stale: true }
      : item,
  ),
})

function itemAt(state: State, at: number): Item {
  const item = state.items[at]
  if (!item) throw new Error(`there is no item ${at}`)
  return item
}

const keyOf = (state: State): string => JSON.stringify(state)

/** Every state that gkube may come to by itself from these, and they. */
function reachable(policy: Policy, states: Iterable<State>): State[] {
  const seen = new Map<string, State>()
  const left = [...states]
  for (let state = left.pop(); state; state = left.pop()) {
    const key = keyOf(state)
    if (seen.has(key)) continue
    seen.set(key, state)
    left.push(...moves(policy, state))
  }
  return [...seen.values()]
}

/** It waits for people: there is nothing that gkube does by itself. */
export const isSettled = (policy: Policy, state: State): boolean => moves(policy, state).length === 0

/**
 * The states that are possible after these commands were given at the same time and answered so, and from then on; none:
 * no order of them explains the answers.
 */
export function explained(
  policy: Policy,
  states: readonly State[],
  given: readonly { readonly command: Command; readonly outcome: Outcome }[],
): State[] {
  const all = (1 << given.length) - 1
  const seen = new Set<string>()
  const ends: State[] = []
  const left = states.map(state => ({ state, done: 0 }))
  for (let at = left.pop(); at; at = left.pop()) {
    const { state, done } = at
    const key = `${done} ${keyOf(state)}`
    if (seen.has(key)) continue
    seen.add(key)
    if (done === all) ends.push(state)
    else for (const next of moves(policy, state)) left.push({ state: next, done })
    for (const [i, one] of given.entries()) {
      if (done & (1 << i)) continue
      for (const result of run(policy, state, one.command))
        if (result.outcome === one.outcome) left.push({ state: result.state, done: done | (1 << i) })
      // Two of them met on one key, and this one was told so: it did nothing.
      const met =
        one.outcome === 'conflict' && given.some((other, j) => j !== i && meet(one.command, other.command))
      if (met) left.push({ state, done: done | (1 << i) })
    }
  }
  return reachable(policy, ends)
}

/** Locks and freezes do not read again for a person whose key somebody else has just written. */
function meet(one: Command, other: Command): boolean {
  const keyOfLock = (command: Command) => {
    if (command.kind === 'lock' || command.kind === 'unlock' || command.kind === 'leave') return command.scope
    return command.kind === 'freeze' || command.kind === 'unfreeze' ? 'freeze' : null
  }
  return keyOfLock(one) !== null && keyOfLock(one) === keyOfLock(other)
}

/** What can be seen from outside, in one text. */
export const seenOf = (state: State): string =>
  JSON.stringify({
    items: state.items.map(({ app, back, revision, phase, approvedBy }) =>
      phase === 'awaiting'
        ? `${app} ${revision} ${phase} ${[...approvedBy].sort()}`.trim()
        : `${app}${back ? '<' : ''} ${revision} ${phase}`,
    ),
    locks: (['a', 'all', 'b'] as const).map(scope => state.locks[scope] ?? null),
    frozen: state.frozenBy,
    live: [state.live.a ?? null, state.live.b ?? null],
  })
