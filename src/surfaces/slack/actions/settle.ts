// Durable, then ack: what a click or a dialog starts is stored before Slack hears that it was received. When etcd
// takes longer than Slack waits, the person is told that it is not confirmed, and the truth as soon as it is known.
import { setTimeout as wait } from 'node:timers/promises'
import { backoff } from '../../../core/clock.ts'
import { OutcomeUnknown } from '../../../core/kv.ts'
import { UserError } from '../../../errors.ts'
import { unconfirmedAnswer } from '../answers/refusal.ts'
import type { Call } from '../deps.ts'

/** DESIGN.md: one deadline for the interactive path; Slack gives up after 3 s. */
export const deadlineMs = 2_000
/** How long an unknown outcome is looked into before it is given up as a failure. */
const lookForMs = 10 * 60_000

/**
 * Runs `work` to its end. `late` is called once when the deadline passed or etcd did not say how it ended: it acks and
 * says so; that it could not is no reason to stop. `work` is run again while its outcome is unknown, so it must be idempotent: a request with a key, a vote.
 * Answers or throws what it came to.
 */
export async function settle<T>(
  work: () => Promise<T>,
  options: {
    readonly late: () => Promise<void>
    readonly deadline?: number
    readonly signal?: AbortSignal
    readonly now?: () => number
  },
): Promise<T> {
  const { late, deadline = deadlineMs, signal, now = Date.now } = options
  const begun = now()
  let told = false
  let unknown = false
  const tellOnce = async (): Promise<void> => {
    if (told) return
    told = true
    // Whoever cannot be told now (late has logged why) is told how it ended all the same.
    await late().catch(() => undefined)
  }
  for (let attempt = 0; ; attempt++) {
    try {
      return await inTime(work(), { ms: told ? 0 : deadline - (now() - begun), late: tellOnce })
    } catch (error) {
      unknown ||= error instanceof OutcomeUnknown
      // Once it may have happened, a store that is down says nothing about it.
      const open =
        error instanceof OutcomeUnknown ||
        (unknown && error instanceof UserError && error.kind === 'unavailable')
      if (!open || signal?.aborted || now() - begun > lookForMs) throw error
      await tellOnce()
      await wait(backoff(attempt, { base: 250, most: 5_000, random: Math.random }), undefined, { signal })
    }
  }
}

/** The same for a click: its ack is empty, so what is not known yet is told beside it. `id`: of the deploy. */
export const settleClick = <T>(
  { call, ack }: { readonly call: Pick<Call, 'left' | 'tell'>; readonly ack: () => Promise<void> },
  id: string | null,
  work: () => Promise<T>,
): Promise<T> =>
  settle(work, {
    deadline: inTimeFor(call),
    late: async () => {
      await ack()
      await call.tell(unconfirmedAnswer(id))
    },
  })

/** Asking who called may have taken some of the time. */
export const inTimeFor = (call: Pick<Call, 'left'>): number => Math.min(deadlineMs, call.left() - 200)

/** The work's own outcome; `late` once on the way where it takes longer than `ms` (0: it was called already). */
async function inTime<T>(
  work: Promise<T>,
  { ms, late }: { readonly ms: number; readonly late: () => Promise<void> },
): Promise<T> {
  const { promise: passed, resolve } = Promise.withResolvers<'late'>()
  // Not of node:timers/promises: that it is ended early, as it mostly is, would be an error with its stack each time.
  const timer = setTimeout(resolve, Math.max(0, ms), 'late')
  try {
    const first = await Promise.race([work.then(() => 'done' as const), passed])
    if (first === 'late') await late()
    return await work
  } finally {
    clearTimeout(timer)
  }
}
