// The page's side of the workspace's control: the snapshot, kept fresh by server-sent events, and acts of a person.
// The other half is ../../control-http.ts; what both say is in ../../control.ts.
import type { Act, Change, Reply, Snapshot } from '../../control.ts'
import { shared } from './shared.ts'

export type Connection = 'connecting' | 'open' | 'lost'

/** What `act` answers: Slack's reply, or what went wrong on the way, in `shown`. */
export type Answer = Partial<Reply> & { readonly outcome: Reply['outcome']; readonly shown?: string }

const retryMs = 1500
const pauseMs = 60

/** Follows the workspace until the page goes; each new snapshot shares what did not change with the one before. */
export function follow(told: (snapshot: Snapshot) => void, state: (connection: Connection) => void): void {
  let held: Snapshot | null = null
  let asking = false
  let stale = false
  const ask = async (): Promise<void> => {
    stale = true
    if (asking) return
    asking = true
    while (stale) {
      stale = false
      try {
        const response = await fetch('/control/state', { signal: AbortSignal.timeout(10_000) })
        if (!response.ok) throw new Error(`state: ${response.status}`)
        held = shared(held, (await response.json()) as Snapshot)
        told(held)
        state('open')
        // Changes come in bursts: one look a frame or so is enough.
        await new Promise(done => setTimeout(done, pauseMs))
      } catch {
        state('lost') // shown as a banner; the stream's next opening asks again
      }
    }
    asking = false
  }
  const listen = (): void => {
    const events = new EventSource('/control/events')
    events.onopen = () => void ask()
    events.onmessage = event => {
      const change = JSON.parse(event.data) as Change
      if (change.what !== 'call') void ask()
    }
    events.onerror = () => {
      state('lost')
      events.close()
      setTimeout(listen, retryMs)
    }
  }
  listen()
}

/** Does something as a person; never throws. */
export async function act(what: Act): Promise<Answer> {
  const body = await post(what)
  if (body.outcome) return body as Answer
  if (body.ok === false) return { outcome: 'failed', shown: String(body.error ?? 'It did not work.') }
  return { ...body, outcome: 'ok' }
}

/** The options that the app offers for `query`. */
export async function searched(
  what: Act & { do: 'options' },
): Promise<readonly unknown[] | { readonly failed: string }> {
  const body = await post(what)
  return Array.isArray(body.options)
    ? body.options
    : { failed: String(body.error ?? body.shown ?? 'No answer.') }
}

async function post(what: Act): Promise<Record<string, unknown>> {
  try {
    const response = await fetch('/control/act', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(what),
      signal: AbortSignal.timeout(15_000),
    })
    return (await response.json()) as Record<string, unknown>
  } catch {
    return { outcome: 'unreachable', shown: 'The sandbox does not answer. Does `npm start` still run?' }
  }
}
