// Around every handler: it is tracked for the drain, it knows who called, and whatever it throws reaches the person by
// the way that is still open (the ack, a response_url, a message only they see, a small view) and, where it is our
// fault, the log. Nobody is left in silence.
import { setTimeout as wait } from 'node:timers/promises'
import type { Rendered } from '../../core/messages.ts'
import { UserError } from '../../errors.ts'
import { errorId } from '../../log.ts'
import { answerView } from './actions/soon.ts'
import { faultAnswer, refusalAnswer } from './answers/refusal.ts'
import { ackWithinMs, type Delivery, idOf, kindOf } from './deliver.ts'
import type { Call, Guarded, SlackCaller, SlackDeps } from './deps.ts'
import { toldError } from './told-errors.ts'

type Given = Pick<SlackDeps, 'callers' | 'workspace' | 'config' | 'log' | 'track'>

/** What is read of any payload, beside what its handler reads. All of it is signed by Slack. */
type Payload = {
  readonly user_id?: string
  readonly user?: { readonly id?: string } | string
  readonly event?: { readonly user?: string }
  readonly channel_id?: string
  readonly channel?: { readonly id?: string }
  readonly container?: { readonly channel_id?: string; readonly thread_ts?: string }
  readonly response_url?: string
  readonly trigger_id?: string
  readonly type?: string
}
type Args = {
  readonly body: object
  readonly ack?: (payload?: unknown) => Promise<void>
  readonly context?: { readonly gkube?: Delivery }
}

export function guardedBy(deps: Given): Guarded {
  return (name, handler) => async given => {
    // Every listener of Bolt's has these; which of them depends on its kind.
    const args = given as unknown as Args
    const call = callOf(deps, args)
    try {
      await deps.track(`slack ${name}`, () => handler(given, call))
    } catch (error) {
      await tellFailure(deps, { name, args, call, error })
    }
  }
}

type SeenCall = Call & { readonly asked: () => SlackCaller | null }

function callOf(deps: Given, { body, context }: Args): SeenCall {
  const payload = body as Payload
  const delivery = context?.gkube
  const user = userOf(payload)
  const begun = performance.now()
  let asked: Promise<SlackCaller> | undefined
  let caller: SlackCaller | null = null
  return {
    id: delivery?.id ?? idOf({ ...body }),
    user,
    requestId: delivery?.requestId ?? errorId(),
    caller: () => {
      asked ??= deps.callers.of(user).then(found => {
        caller = found
        return found
      })
      return asked
    },
    asked: () => caller,
    channel: channelOf(payload),
    acked: () => delivery?.acked() ?? true,
    left: () => delivery?.left() ?? begun + ackWithinMs - performance.now(),
    tell: telling(deps, payload, user),
  }
}

const userOf = ({ user_id, user, event }: Payload): string =>
  user_id ?? (typeof user === 'string' ? user : user?.id) ?? event?.user ?? ''

const channelOf = ({ channel_id, channel, container }: Payload): string | null =>
  channel_id ?? channel?.id ?? container?.channel_id ?? null

/** What was to be told could not be: whatever it is about was done or refused by then. */
class Untold extends Error {}

type Way = (message: Rendered) => Promise<unknown>

/** By the first way that the payload offers and Slack takes; once more after a moment. Throws Untold when none does. */
function telling(deps: Given, payload: Payload, user: string): Call['tell'] {
  const ways = waysOf(deps, payload, user)
  return async message => {
    if (ways.length === 0) throw new Untold('the payload offers no way to answer')
    if (await toldBy(deps, ways, message)) return
    await wait(againMs)
    if (!(await toldBy(deps, ways, message))) throw new Untold('no way to answer is open')
  }
}

const againMs = 1_000

async function toldBy({ log }: Given, ways: readonly Way[], message: Rendered): Promise<boolean> {
  for (const way of ways) {
    try {
      await way(message)
      return true
    } catch (error) {
      log.warn({ err: error }, 'an answer did not reach its person; trying another way')
    }
  }
  return false
}

function waysOf({ workspace }: Given, payload: Payload, user: string): Way[] {
  const { response_url: url, trigger_id: trigger, container } = payload
  const channel = channelOf(payload)
  const thread = container?.thread_ts ? { thread: container.thread_ts } : {}
  return [
    ...(url ? [(message: Rendered) => workspace.respond(url, message)] : []),
    ...(channel ? [(message: Rendered) => workspace.ephemeral(channel, user, message, thread)] : []),
    ...(trigger && !url ? [oneView(workspace, trigger)] : []),
  ]
}

/** A trigger opens one view, once: what is told later stands in the same one. */
function oneView(workspace: Given['workspace'], trigger: string): Way {
  let opened: { readonly id: string } | null = null
  return async message => {
    const view = answerView('gkube', message)
    if (opened) await workspace.updateView({ id: opened.id }, view)
    else opened = await workspace.openView(trigger, view)
  }
}

type Failed = { readonly name: string; readonly args: Args; readonly call: SeenCall; readonly error: unknown }

async function tellFailure(deps: Given, { name, args, call, error }: Failed): Promise<void> {
  const { requestId } = call
  const { log } = deps
  if (error instanceof Untold) {
    // It was done: to say now that it failed would be wrong.
    log.error({ requestId, name, user: call.user, err: error }, 'an answer did not reach its person')
    return
  }
  const expected = error instanceof UserError && error.kind !== 'unavailable'
  const facts = { requestId, name, user: call.user, err: error }
  if (expected)
    log.info({ requestId, name, user: call.user, kind: (error as UserError).kind }, 'refused in Slack')
  else log.error(facts, 'a handler of Slack failed')
  const message = failureWords(deps, call, error)
  try {
    if (await toldByAck(args, call, message)) return
    await call.tell(message)
  } catch (lost) {
    log.error({ requestId, err: lost }, 'a failure could not be told to its person')
  }
}

export function failureWords(
  { config }: Pick<Given, 'config'>,
  call: Pick<SeenCall, 'requestId' | 'asked'>,
  error: unknown,
): Rendered {
  const { requestId } = call
  const told = toldError(error)
  if (!(told instanceof UserError)) return faultAnswer(requestId)
  const more = told.kind === 'forbidden' ? (call.asked()?.unsure ?? null) : null
  return refusalAnswer(told, { requestId, command: config.command, more })
}

/** True where the ack itself is the answer. */
async function toldByAck({ body, ack }: Args, call: Call, message: Rendered): Promise<boolean> {
  if (!ack || call.acked()) return false
  switch (kindOf({ ...body })) {
    case 'command':
      await ack({ ...message, response_type: 'ephemeral' })
      return true
    case 'view': {
      const submitted = (body as Payload).type === 'view_submission'
      await ack(submitted ? { response_action: 'update', view: answerView('gkube', message) } : undefined)
      return true
    }
    case 'options':
      await ack({ options: [] })
      return true
    default:
      await ack()
      return false
  }
}
