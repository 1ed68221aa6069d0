// Follows one deploy to its end: live events, a lost connection taken up where it was, a deploy that outlives its
// follower. Draws nothing itself (live-view.ts, plain-view.ts); what a signal does to a deploy is deploying.ts.
import { setTimeout as delay } from 'node:timers/promises'
import type { Deploy, Diagnosis, Progress } from '../../core/deploy.ts'
import { isOver } from '../../core/words.ts'
import { UserError } from '../../errors.ts'
import type { Cli } from './cli.ts'
import { ApiError, backoff, type Client, mayPass } from './client.ts'
import { millisecondsIn } from './duration.ts'

/** What is known of a deploy while it is followed. */
export type Seen = {
  deploy: Deploy
  progress: Progress | null
  diagnosis: Diagnosis | null
  /** What it waits for, in words. */
  waiting: string | null
  /** The server does not answer at the moment. */
  lost: boolean
}

export type View = {
  /** Something changed. */
  update(seen: Seen): void
  /** Nothing more comes: put the terminal back in order. */
  end(): void
}

/** Until the deploy ends. Rejects with the reason of `signal`, or UserError `unavailable` after `patienceMs` of silence. */
export async function follow(
  client: Client,
  start: Deploy,
  options: { view: View; signal: AbortSignal; patienceMs: number },
): Promise<Seen> {
  const { view, signal, patienceMs } = options
  const seen: Seen = { deploy: start, progress: null, diagnosis: null, waiting: null, lost: false }
  let after: string | undefined
  let lostAt = performance.now()
  let attempt = 0
  view.update(seen)
  while (!isOver(seen.deploy.phase)) {
    const heard = await listen()
    if (isOver(seen.deploy.phase)) break
    // The stream ended early: the server stops, or the network did. The deploy goes on without us.
    lostAt = heard ? performance.now() : lostAt
    attempt = heard ? 1 : attempt + 1
    if (performance.now() - lostAt > patienceMs) throw gone(start.id, patienceMs)
    seen.lost = attempt > 1
    if (seen.lost) view.update(seen)
    await delay(backoff(attempt), undefined, { signal })
  }
  return completed(client, seen, signal)

  /** One connection, from where the last one ended; whether anything came. */
  async function listen(): Promise<boolean> {
    let heard = false
    try {
      const headers = after ? { 'last-event-id': after } : undefined
      for await (const event of client.events('GET', `/v1/deploys/${start.id}/events`, { headers, signal })) {
        heard = true
        after = event.id ?? after
        take(seen, event)
        view.update(seen)
        if (isOver(seen.deploy.phase)) return true
      }
      // It ended without an end: whatever the reason, the record says how things stand.
      Object.assign(seen, await stateOf(client, start.id, signal))
    } catch (error) {
      if (signal.aborted || !mayPass(error)) throw error
    }
    return heard
  }
}

const gone = (id: string, patienceMs: number): UserError =>
  new UserError(
    'unavailable',
    `The server has not answered for ${Math.round(patienceMs / 1000)} s. The deploy lives on; later: gkube follow ${id}`,
  )

function take(seen: Seen, event: { event: string; data: string }): void {
  const data = JSON.parse(event.data)
  seen.lost = false
  if (event.event === 'deploy') {
    seen.deploy = data
    // Words about waiting hold until the next record.
    seen.waiting = null
  } else if (event.event === 'progress') seen.progress = data
  else if (event.event === 'diagnosis') seen.diagnosis = data
  else if (event.event === 'waiting') seen.waiting = data.message
  else if (event.event === 'error') throw new ApiError(statusOf(data.error?.kind), data.error ?? {})
}

const statusOf = (kind: unknown): number => (kind === 'unavailable' || kind === 'internal' ? 503 : 400)

const stateOf = (client: Client, id: string, signal: AbortSignal) =>
  client.ask<{ deploy: Deploy; diagnosis: Diagnosis | null }>('GET', `/v1/deploys/${id}`, {
    signal,
    timeoutMs: 5_000,
    repeatable: false,
  })

/** The last record with its diagnosis. What the stream told is enough where the server is gone by then. */
async function completed(client: Client, seen: Seen, signal: AbortSignal): Promise<Seen> {
  // The stream tells the diagnosis before the end, and a success has none.
  if (seen.deploy.phase === 'succeeded' || seen.diagnosis) return { ...seen, lost: false }
  try {
    const { deploy, diagnosis } = await stateOf(client, seen.deploy.id, signal)
    return { ...seen, deploy, diagnosis: diagnosis ?? seen.diagnosis, lost: false }
  } catch (error) {
    if (signal.aborted) throw error
    return seen
  }
}

/** How long a lost server is waited for: GKUBE_RECONNECT such as 10m, 90s; default 10 minutes. */
export const patienceOf = (cli: Cli): number =>
  millisecondsIn(cli.io.env.GKUBE_RECONNECT || '10m', 'GKUBE_RECONNECT')
