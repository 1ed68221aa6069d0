// The etcd3 client, tuned, and the one way to call it: a deadline for each attempt, retries with jitter
// inside a total deadline, readable errors. Measured defaults of etcd3 wait 7 s and more for a dead leader.
// What the calls say stands in reads.ts, commit.ts, feed.ts and lease.ts.
import { setTimeout as sleep } from 'node:timers/promises'
import { ConsecutiveBreaker, circuitBreaker, handleWhen, isBrokenCircuitError, noop } from 'cockatiel'
import { Etcd3 } from 'etcd3'
import { UserError } from '../../errors.ts'
import { letGoOfEndedStreams } from './ended-streams.ts'
import { CallTimeout, isMemberTrouble, judge, readable } from './errors.ts'

export type EtcdConfig = {
  /** Such as `http://127.0.0.1:2379`; all with TLS or none. */
  readonly endpoints: readonly string[]
  readonly username?: string
  readonly password?: string
  readonly tls?: {
    /** PEM; default: the system's authorities. */
    readonly ca?: Buffer | string
    readonly cert?: Buffer | string
    readonly key?: Buffer | string
    /** The name in etcd's certificate when it is not the endpoint's. */
    readonly serverName?: string
  }
  /** The total time of a call, retries included, in milliseconds; default 2000. */
  readonly callTimeoutMs?: number
  /** Where gkube's keys live; default `/gkube/v1/`. */
  readonly root?: string
}

export type Log = {
  info(facts: object, text: string): void
  warn(facts: object, text: string): void
}

/** Requests sent to etcd since the start, attempts included. */
export type Counts = {
  transactions: number
  ranges: number
  grants: number
  revokes: number
  keepalives: number
  watches: number
}

type Attempt = {
  readonly options: { readonly deadline: number }
  /** An earlier attempt of this call may have happened. */
  readonly uncertain: boolean
}

export type Client = ReturnType<typeof etcdClient>

/** Connects lazily. UserError `bad_input` for a configuration that cannot work. */
export function etcdClient(config: EtcdConfig, clock: () => number) {
  const totalMs = config.callTimeoutMs ?? 2000
  // Short enough for a second and a third attempt elsewhere when a member or a connection hangs (p99: 3 ms).
  const attemptMs = totalMs * 0.4
  letGoOfEndedStreams()
  const etcd = new Etcd3(etcdOptions(config, attemptMs))
  const counts: Counts = { transactions: 0, ranges: 0, grants: 0, revokes: 0, keepalives: 0, watches: 0 }
  let newest = 0n
  let lastTrouble: unknown

  /**
   * Runs `attempt` until it succeeds, is refused, or the total time is over. Throws a UserError, or what
   * `unknown` makes of the cause when an attempt (or, with `uncertain`, an earlier call) may have happened.
   */
  async function call<T>(
    kind: keyof Counts,
    attempt: (attempt: Attempt) => Promise<T>,
    { unknown, uncertain = false }: { unknown?: (cause: unknown) => Error; uncertain?: boolean } = {},
  ): Promise<T> {
    const end = clock() + totalMs
    const fail = (error: unknown, retry: boolean) => {
      if (uncertain && unknown) return unknown(error)
      // An open circuit breaker says nothing about why.
      return readable(retry ? (lastTrouble ?? error) : error, config.endpoints, totalMs)
    }
    for (let n = 0; ; n++) {
      const left = end - clock()
      counts[kind]++
      try {
        const options = { deadline: Date.now() + Math.min(attemptMs, left) }
        return await limited(attempt({ options, uncertain }), left + 100)
      } catch (error) {
        const { retry, mayHaveHappened } = judge(error)
        if (!isBrokenCircuitError(error)) lastTrouble = error
        uncertain ||= mayHaveHappened
        const pause = backoff(n)
        if (!retry || clock() + pause + leastMs >= end) throw fail(error, retry)
        await sleep(pause)
      }
    }
  }

  return {
    etcd,
    counts,
    call,
    attemptMs,
    /** The newest revision this client has heard of, or 0. */
    newest: () => newest,
    /** Notes the revision of an answer and hands it back. */
    heard(header: { revision: string }): string {
      const revision = BigInt(header.revision)
      if (revision > newest) newest = revision
      return header.revision
    },
  }
}

/** An attempt with less time than this would rather fail by itself than succeed. */
const leastMs = 50

/** Full jitter: 20 writers that lost one connection must not come back in step. */
export const backoff = (n: number, mostMs = 500): number => Math.random() * Math.min(mostMs, 50 * 2 ** n)

async function limited<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CallTimeout('etcd call took too long')), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

function etcdOptions(config: EtcdConfig, attemptMs: number): ConstructorParameters<typeof Etcd3>[0] {
  const { endpoints, username, password, tls } = config
  const bad = (text: string) => new UserError('bad_input', text)
  if (endpoints.length === 0) throw bad('etcd.endpoints is empty. Example: http://127.0.0.1:2379')
  for (const endpoint of endpoints)
    if (!/^https?:\/\/[^/\s]+:\d+\/?$/.test(endpoint))
      throw bad(`etcd.endpoints: ${endpoint} is not an address such as http://127.0.0.1:2379`)
  const secure = endpoints.filter(endpoint => endpoint.startsWith('https:')).length
  if (secure !== 0 && secure !== endpoints.length)
    throw bad('etcd.endpoints mixes http and https. Use one of them for all endpoints.')
  if (tls && secure === 0) throw bad('etcd.tls is set, but etcd.endpoints are http://. Use https://')
  if ((tls?.cert === undefined) !== (tls?.key === undefined))
    throw bad('etcd.tls needs both cert and key, or neither.')
  if ((username === undefined) !== (password === undefined))
    throw bad('etcd needs both username and password, or neither.')
  if (username !== undefined && tls?.serverName)
    // etcd3 logs in on a connection of its own that does not know the other name.
    throw bad(
      'etcd.tls.serverName does not work with a username. Use an endpoint named as in its certificate.',
    )

  return {
    hosts: endpoints.map(endpoint => endpoint.replace(/\/$/, '')),
    ...(tls && { credentials: tlsCredentials(tls) }),
    ...(username !== undefined && password !== undefined && { auth: { username, password } }),
    // A deadline on a stream would end every watch and keepalive after that time.
    defaultCallOptions: context => (context.isStream ? {} : { deadline: Date.now() + attemptMs }),
    grpcOptions: {
      // etcd takes pings less than 5 s apart for abuse and ends the connection.
      'grpc.keepalive_time_ms': 6000,
      'grpc.keepalive_timeout_ms': 2000,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1000,
      // A client that etcd3 makes anew after a failure gets a new connection, not the hanging one.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': -1,
      ...(tls?.serverName && {
        'grpc.ssl_target_name_override': tls.serverName,
        'grpc.default_authority': tls.serverName,
      }),
    },
    faultHandling: {
      // Retries are in `call`: it must know which attempt may have happened.
      global: noop,
      // After one failure a member is left alone for a while: each attempt picks at random, and a call has
      // time for one hanging member only. With one endpoint it would just add that while to every cut.
      host: () =>
        endpoints.length === 1
          ? noop
          : circuitBreaker(handleWhen(isMemberTrouble), {
              halfOpenAfter: 500,
              breaker: new ConsecutiveBreaker(1),
            }),
    },
  }
}

function tlsCredentials(tls: NonNullable<EtcdConfig['tls']>) {
  const pem = (value: Buffer | string | undefined) => (value === undefined ? undefined : Buffer.from(value))
  return {
    // Without it grpc-js takes the system's authorities; etcd3's type does not know that.
    rootCertificate: pem(tls.ca) as Buffer,
    privateKey: pem(tls.key),
    certChain: pem(tls.cert),
  }
}
