// views.*: modals by a trigger_id, new versions of them by id and hash, Home tabs by person.
import { type Args, needed, textOf } from '../arguments.ts'
import { SlackError } from '../slack-error.ts'
import { openOne, openView, pushView, replaceView, viewOf } from '../views.ts'
import type { Context, Method } from './method.ts'

function viewIn(args: Args): unknown {
  if (args.view === undefined)
    throw new SlackError('invalid_arguments', {
      response_metadata: { messages: ['[ERROR] missing required field: view'] },
    })
  return args.view
}

const sameHash = (args: Args, hash: string | undefined) => {
  const given = textOf(args, 'hash')
  if (given !== undefined && given !== hash) throw new SlackError('hash_conflict')
}

/** What is wrong with the view is said before the trigger is used up. */
function open(args: Args, { state, triggers }: Context) {
  const trigger = needed(args, 'trigger_id')
  viewOf(state, viewIn(args), 'modal')
  return { view: openView(state, triggers.take(trigger), args.view) }
}

function push(args: Args, { state, triggers }: Context) {
  const trigger = needed(args, 'trigger_id')
  viewOf(state, viewIn(args), 'modal')
  return { view: pushView(state, triggers.take(trigger), args.view) }
}

/** not_found where the person has closed it meanwhile. */
function update(args: Args, { state }: Context) {
  const id = textOf(args, 'view_id')
  const external = textOf(args, 'external_id')
  if (!id && !external) needed(args, 'view_id')
  const given = viewIn(args)
  viewOf(state, given, 'modal')
  const found = openOne(state, one => (id ? one.id === id : one.external_id === external))
  if (!found) throw new SlackError('not_found')
  sameHash(args, found.view.hash)
  return { view: replaceView(state, found.user, found.view, given) }
}

function publish(args: Args, { state }: Context) {
  const user = needed(args, 'user_id')
  const person = state.people.get(user)
  const old = state.homes.get(user)
  const view = viewOf(state, viewIn(args), 'home', old)
  if (!person || person.deleted) throw new SlackError('user_not_found')
  sameHash(args, old?.hash)
  state.setHome(user, view)
  return { view }
}

export const views: Readonly<Record<string, Method>> = {
  'views.open': { tier: 4, call: open },
  'views.push': { tier: 4, call: push },
  'views.update': { tier: 4, call: update },
  'views.publish': { tier: 4, call: publish },
}
