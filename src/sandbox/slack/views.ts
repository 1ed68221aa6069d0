// Views as Slack keeps them: what the app sent, with ids, a hash that changes with each version, and their state.
// Used by views.* (methods/views.ts) and by what an app answers to a submission (acting.ts).
import { createHash } from 'node:crypto'
import type { View } from './control.ts'
import { valuesOf } from './form.ts'
import { withIds } from './messages.ts'
import { refusedFor, SlackError } from './slack-error.ts'
import type { State } from './state.ts'
import { problemsOfView } from './validate.ts'

/** Slack shows three modals on top of each other, no more. */
const stackLimit = 3

type Parent = { readonly id: string; readonly root: string }

/** Throws invalid_arguments with what is wrong, or view_too_large. `old`: the view that this is a new version of. */
export function viewOf(
  state: State,
  given: unknown,
  kind: 'modal' | 'home',
  old?: View,
  parent?: Parent,
): View {
  const problems = problemsOfView(given)
  if (problems.some(problem => problem.startsWith('view is '))) throw new SlackError('view_too_large')
  if (problems.length > 0) throw refusedFor('invalid_arguments', problems)
  const raw = given as { type: string; blocks: unknown[] } & Record<string, unknown> // the validator has seen it
  if (raw.type !== kind)
    throw refusedFor('invalid_arguments', [`must be a ${kind} [json-pointer:/view/type]`])
  const blocks = withIds(raw.blocks)
  const id = old?.id ?? state.newId('V')
  const body = {
    callback_id: '',
    private_metadata: '',
    external_id: '',
    ...(kind === 'modal' ? { submit: null, close: null, clear_on_close: false, notify_on_close: false } : {}),
    ...raw,
    id,
    type: kind,
    blocks,
    team_id: state.team.id,
    app_id: state.app.id,
    bot_id: state.app.bot,
    app_installed_team_id: state.team.id,
    state: { values: valuesOf(blocks, old?.state.values as never) },
    root_view_id: old?.root_view_id ?? parent?.root ?? id,
    previous_view_id: old?.previous_view_id ?? parent?.id ?? null,
  }
  const stamp = createHash('sha1').update(`${state.nextTs()}${id}`).digest('hex').slice(0, 8)
  return { ...body, hash: `${Math.floor(Date.now() / 1000)}.${stamp}` }
}

export function openView(state: State, user: string, given: unknown): View {
  const view = viewOf(state, given, 'modal')
  notTwice(state, view)
  state.setStack(user, [view])
  return view
}

export function pushView(state: State, user: string, given: unknown): View {
  const stack = state.stackOf(user)
  const top = stack.at(-1)
  if (!top) throw new SlackError('not_found')
  if (stack.length >= stackLimit) throw new SlackError('push_limit_reached')
  const view = viewOf(state, given, 'modal', undefined, { id: top.id, root: top.root_view_id })
  notTwice(state, view)
  state.setStack(user, [...stack, view])
  return view
}

/** Puts a new version in the place of a view that is still open. */
export function replaceView(state: State, user: string, old: View, given: unknown): View {
  const view = viewOf(state, given, 'modal', old)
  state.setStack(
    user,
    state.stackOf(user).map(one => (one.id === old.id ? view : one)),
  )
  return view
}

/** The open view by its id or the app's own id, and whose it is. */
export function openOne(
  state: State,
  match: (view: View) => boolean,
): { user: string; view: View } | undefined {
  for (const [user, stack] of state.stacks) {
    const view = stack.find(match)
    if (view) return { user, view }
  }
  return undefined
}

function notTwice(state: State, view: View) {
  if (view.external_id && openOne(state, one => one.external_id === view.external_id))
    throw new SlackError('duplicate_external_id')
}
