// One envelope of Slack's, from whichever mode, through Bolt: acked once and in time whatever its handler does, run
// once however often it is delivered to this replica, answered with help where nothing handles it. Receiving is
// receiver.ts and socket.ts, the handlers are in app.ts. Repeats on other replicas: claims.ts, idempotency keys.
import { createHash } from 'node:crypto'
import type { Log } from '../../log.ts'

export type Envelope = {
  readonly body: Record<string, unknown>
  readonly requestId: string
  /** How often Slack sent it before; 0: this is the first time. */
  readonly retry: number
  /** Throws where Slack cannot be told any more. */
  ack(payload?: unknown): Promise<void>
}
export type Deliver = (envelope: Envelope) => Promise<void>

/** What handlers learn about their envelope beside its body, as `context.gkube`. */
export type Delivery = {
  readonly id: string
  readonly requestId: string
  readonly acked: () => boolean
  /** Milliseconds until the ack must be out. */
  readonly left: () => number
}

/** Slack waits 3 s, and the way there and back is not ours. */
export const ackWithinMs = 2_300
const rememberMs = 10 * 60_000
const rememberMost = 5_000
/** What an ack said is kept for shorter than that it was sent: whoever repeats at once gets the same answer again. */
const answersMs = 60_000
const answersMost = 300

type Kind = 'command' | 'options' | 'action' | 'view' | 'event' | 'shortcut' | 'unknown'

export function createDelivery(options: {
  /** Bolt: resolves when all handlers have ended, which may be long after the ack. */
  readonly process: (event: {
    body: Record<string, unknown>
    ack: (payload?: unknown) => Promise<void>
    retryNum: number
    customProperties: { gkube: Delivery }
  }) => Promise<void>
  /** What is said where nothing handled it: the ack's payload for a command. */
  readonly unhandled: (kind: Kind, body: Record<string, unknown>, requestId: string) => unknown
  /** An ack with an answer came too late: says it otherwise. */
  readonly late: (body: Record<string, unknown>, payload: unknown) => Promise<void>
  readonly log: Log
}) {
  const { process, unhandled, late, log } = options
  const seen = new Map<string, { readonly at: number; acked: Promise<unknown> }>()
  /** Those whose ack said something, by when. */
  const answers = new Map<string, number>()
  const waiting = new Set<Promise<unknown>>()

  function remember(id: string, acked: Promise<unknown>): void {
    const now = performance.now()
    seen.set(id, { at: now, acked })
    for (const [old, { at }] of seen) {
      if (seen.size <= rememberMost && now - at < rememberMs) break
      seen.delete(old)
    }
  }

  function rememberAnswer(id: string): void {
    const now = performance.now()
    answers.set(id, now)
    for (const [old, at] of answers) {
      if (answers.size <= answersMost && now - at < answersMs) break
      answers.delete(old)
      const known = seen.get(old)
      if (known) known.acked = Promise.resolve()
    }
  }

  async function run(envelope: Envelope): Promise<void> {
    const { body, requestId } = envelope
    const kind = kindOf(body)
    const id = idOf(body)
    // The same question may be asked twice: a search in a select has no id.
    const before = kind === 'options' ? undefined : seen.get(id)
    if (before) {
      log.info({ requestId, kind, retry: envelope.retry }, 'an envelope came again and is not run again')
      return envelope.ack(await before.acked)
    }
    const begun = performance.now()
    const { promise: ackedWith, resolve: settled } = Promise.withResolvers<unknown>()
    if (kind !== 'options') remember(id, ackedWith)
    waiting.add(ackedWith)
    let acked = false
    const ack = async (payload?: unknown): Promise<void> => {
      if (acked) return
      acked = true
      clearTimeout(timer)
      settled(payload)
      if (payload && kind !== 'options') rememberAnswer(id)
      waiting.delete(ackedWith)
      try {
        await envelope.ack(payload)
      } catch (error) {
        log.warn({ requestId, kind, err: error }, 'Slack could not be told that an envelope was received')
        if (payload) await late(body, payload)
      }
    }
    const timer = setTimeout(() => {
      log.warn({ requestId, kind }, 'a handler takes long: acked before it ended')
      ack(kind === 'options' ? { options: [] } : undefined).catch(error =>
        log.error({ requestId, err: error }, 'an ack failed'),
      )
    }, ackWithinMs)
    const left = () => begun + ackWithinMs - performance.now()
    const delivery: Delivery = { id, requestId, acked: () => acked, left }
    try {
      await process({ body, ack, retryNum: envelope.retry, customProperties: { gkube: delivery } })
      if (acked) return
      log.warn({ requestId, kind, what: whatOf(body) }, 'nothing handles what Slack sent')
      await ack(unhandled(kind, body, requestId))
    } finally {
      await ack()
    }
  }

  return {
    /** Never throws. */
    deliver: (async envelope => {
      await run(envelope).catch(error =>
        log.error({ requestId: envelope.requestId, err: error }, 'an envelope of Slack could not be handled'),
      )
    }) satisfies Deliver,
    /** Resolves when everything that was received is acked. */
    idle: async (): Promise<void> => {
      while (waiting.size > 0) await Promise.all(waiting)
    },
  }
}

export function kindOf(body: Record<string, unknown>): Kind {
  if (body.event !== undefined) return 'event'
  if (body.command !== undefined) return 'command'
  if (body.type === 'block_suggestion') return 'options'
  if (body.type === 'block_actions') return 'action'
  if (body.type === 'view_submission' || body.type === 'view_closed') return 'view'
  if (body.type === 'shortcut' || body.type === 'message_action') return 'shortcut'
  return 'unknown'
}

/** The same for each delivery of the same thing, in both modes and on every replica; another click has another one. */
export function idOf(body: Record<string, unknown>): string {
  const given = body.event_id ?? body.trigger_id
  return typeof given === 'string' && given !== ''
    ? given
    : createHash('sha256').update(JSON.stringify(body)).digest('hex')
}

/** Names for the log: what was clicked, never what was typed. */
const whatOf = ({ command, callback_id, view, actions, event, type }: Record<string, unknown>): unknown =>
  command ??
  callback_id ??
  (view as { callback_id?: string } | undefined)?.callback_id ??
  (actions as { action_id?: string }[] | undefined)?.[0]?.action_id ??
  (event as { type?: string } | undefined)?.type ??
  type
