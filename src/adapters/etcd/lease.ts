// Leases whose loss is known in time: etcd3's own reports it after two times the TTL. Time counts from when the
// last answered keepalive was SENT, so that we stop before etcd gives the keys to somebody else.
// Also the shared lease of dedup keys, which nobody keeps alive.
import { setTimeout as sleep } from 'node:timers/promises'
import type { IDuplexStream, ILeaseKeepAliveRequest, ILeaseKeepAliveResponse } from 'etcd3'
import type { Lease } from '../../core/kv.ts'
import { backoff, type Client, type Log } from './client.ts'
import { isLeaseGone } from './errors.ts'

type Stream = IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>

/** Grants a lease; `sentAt` is when its successful attempt was sent, on `clock`. */
async function grant(client: Client, ttlSeconds: number, clock: () => number) {
  let sentAt = 0
  const answer = await client.call('grants', ({ options }) => {
    sentAt = clock()
    return client.etcd.leaseClient.leaseGrant({ TTL: ttlSeconds }, options)
  })
  client.heard(answer.header)
  // etcd may grant more than was asked for (its own least TTL); the answer is what holds.
  return { id: answer.ID, ttlMs: Number(answer.TTL) * 1000, sentAt }
}

/** Grants a lease of its own and keeps it alive until it is revoked, lost, or `closed` aborts. */
export async function etcdLease(
  client: Client,
  ttlSeconds: number,
  { clock, log, closed }: { clock: () => number; log: Log; closed: AbortSignal },
): Promise<Lease> {
  const granted = await grant(client, ttlSeconds, clock)
  const { id, ttlMs } = granted
  let renewedAt = granted.sentAt
  const lost = new AbortController()
  const remaining = () => (lost.signal.aborted ? 0 : renewedAt + ttlMs - clock())
  const lose = (reason: string) => {
    if (lost.signal.aborted) return
    clearTimeout(expiry)
    closed.removeEventListener('abort', onClose)
    lost.abort(new Error(`lease ${id}: ${reason}`))
  }
  const onClose = () => lose('the store was closed')
  const onExpiry = () => {
    if (remaining() <= 0) return lose('its time ran out')
    expiry = setTimeout(onExpiry, remaining() + 1)
    return undefined
  }
  let expiry = setTimeout(onExpiry, ttlMs)
  closed.addEventListener('abort', onClose)

  /** One stream: a keepalive every third of the TTL, one at a time, until the stream or the lease ends. */
  async function keepAlive(): Promise<void> {
    const stream = (await client.etcd.leaseClient.leaseKeepAlive()) as Stream
    const answers = answersOf(stream, lost.signal)
    try {
      while (!lost.signal.aborted) {
        const sentAt = clock()
        client.counts.keepalives++
        stream.write({ ID: id })
        const { TTL } = await answers.next(Math.min(client.attemptMs, ttlMs / 3))
        if (Number(TTL) <= 0) return lose('etcd says it is gone')
        renewedAt = sentAt
        await sleep(ttlMs / 3, undefined, { signal: lost.signal })
      }
    } finally {
      // As in watch-stream.ts: without end() the cancel makes etcd3 connect anew.
      if (lost.signal.aborted) stream.end()
      stream.cancel()
    }
  }

  async function run(): Promise<void> {
    for (let failures = 0; !lost.signal.aborted; failures++) {
      const before = renewedAt
      try {
        await keepAlive()
      } catch (error) {
        if (lost.signal.aborted) return
        if (isLeaseGone(error)) return lose('etcd says it is gone')
        if (renewedAt !== before) failures = 0
        log.warn({ err: error, lease: id, remainingMs: Math.round(remaining()) }, 'a keepalive failed')
        await sleep(backoff(failures), undefined, { signal: lost.signal }).catch(() => undefined)
      }
    }
  }
  void run()

  return {
    id,
    remaining,
    lost: lost.signal,
    async revoke() {
      lose('revoked')
      await client
        .call('revokes', ({ options }) => client.etcd.leaseClient.leaseRevoke({ ID: id }, options))
        .catch(error => {
          if (!isLeaseGone(error.cause)) throw error // gone is what was wanted
        })
    },
  }
}

/** The answers of a stream, one at a time; fails when none comes in time, the stream ends or `signal` aborts. */
function answersOf(stream: Stream, signal: AbortSignal) {
  let settle: { resolve(answer: ILeaseKeepAliveResponse): void; reject(error: unknown): void } | undefined
  let failed: unknown
  const fail = (error: unknown) => {
    failed ??= error
    settle?.reject(error)
  }
  stream.on('data', answer => settle?.resolve(answer))
  stream.on('error', fail)
  stream.on('end', () => fail(new Error('etcd ended the keepalive stream')))
  signal.addEventListener('abort', () => fail(signal.reason), { once: true })
  return {
    async next(ms: number): Promise<ILeaseKeepAliveResponse> {
      if (failed) throw failed
      const timer = setTimeout(() => fail(new Error(`no answer to a keepalive within ${ms} ms`)), ms)
      return new Promise<ILeaseKeepAliveResponse>((resolve, reject) => {
        settle = { resolve, reject }
      }).finally(() => clearTimeout(timer))
    },
  }
}

/**
 * One lease for all dedup keys of a while: granted at first use for `ttlSeconds + rotateEverySeconds`, replaced
 * after `rotateEverySeconds`. So what is attached to it lives at least `ttlSeconds`, without keepalives.
 */
export function rotatingLease(
  client: Client,
  options: { ttlSeconds: number; rotateEverySeconds?: number; clock: () => number },
) {
  const { ttlSeconds, rotateEverySeconds = ttlSeconds, clock } = options
  let current: { lease: Promise<string>; until: number } | undefined

  return {
    /** The lease id of now. */
    current(): Promise<string> {
      if (current && clock() < current.until) return current.lease
      const lease = grant(client, ttlSeconds + rotateEverySeconds, clock).then(({ id }) => id)
      const mine = { lease, until: clock() + rotateEverySeconds * 1000 }
      current = mine
      lease.catch(() => {
        if (current === mine) current = undefined // the next caller tries again; this one gets the error
      })
      return lease
    },
    /** etcd does not know it any more (its data was wiped or restored). */
    forget(): void {
      current = undefined
    },
  }
}
