// Whether a request is Slack's: the signature over the raw body, compared in constant time, and a time within five
// minutes of ours in both directions (a request from the future could be replayed until its time has come).
import { createHmac, timingSafeEqual } from 'node:crypto'

const windowSeconds = 300

/** Null: it is. Else why not, for the log; the caller is told nothing of it. `now` in milliseconds. */
export function signatureProblem(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Uint8Array,
  { secret, now }: { readonly secret: string; readonly now: number },
): string | null {
  const time = headers['x-slack-request-timestamp']
  const signature = headers['x-slack-signature']
  if (typeof time !== 'string' || !/^\d{1,12}$/.test(time)) return 'no time'
  if (typeof signature !== 'string' || !/^v0=[0-9a-f]{64}$/.test(signature)) return 'no signature'
  // The window last: what has no valid signature learns nothing about our clock.
  const expected = createHmac('sha256', secret).update(`v0:${time}:`).update(body).digest()
  if (!timingSafeEqual(expected, Buffer.from(signature.slice(3), 'hex'))) return 'wrong signature'
  const skew = Math.floor(now / 1000) - Number(time)
  if (Math.abs(skew) > windowSeconds) return skew > 0 ? `${skew} s old` : `${-skew} s in the future`
  return null
}
