// What a failed etcd call means: may it have happened, is it worth another try, and what to tell people.
// gRPC's codes are too coarse and etcd3 drops them, so this file reads the messages of etcd 3.4+ and grpc-js.
import { isBrokenCircuitError } from 'cockatiel'
import {
  ClientClosedError,
  EtcdAuthenticationFailedError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCDeadlineExceededError,
  GRPCNotImplementedError,
  isRecoverableError,
} from 'etcd3'
import { UserError } from '../../errors.ts'

type Judgement = {
  /** Another attempt can succeed. */
  readonly retry: boolean
  /** The server may have done what was asked. */
  readonly mayHaveHappened: boolean
}

/** A call that outlived its total time although its own deadline should have ended it (a hanging login). */
export class CallTimeout extends Error {}

// Exactly these: `name resolution: 0.001s` also stands in the message of a call that was sent.
const neverSent =
  /No connection established|Waiting for LB pick|waiting for name resolution|Name resolution failed/
const refusedForNow = /too many requests|revision of auth store is old/

/** Judges an error of etcd3. When in doubt, it may have happened. */
export function judge(error: unknown): Judgement {
  if (!(error instanceof Error)) return { retry: false, mayHaveHappened: true }
  if (isBrokenCircuitError(error)) return { retry: true, mayHaveHappened: false }
  if (neverSent.test(error.message) || refusedForNow.test(error.message))
    return { retry: true, mayHaveHappened: false }
  if (isNoSpace(error)) return { retry: false, mayHaveHappened: false }
  if (error instanceof CallTimeout) return { retry: false, mayHaveHappened: true }
  return isRecoverableError(error)
    ? { retry: true, mayHaveHappened: true }
    : // etcd answered and refused, or the call was wrong: nothing was written.
      { retry: false, mayHaveHappened: false }
}

/** Trouble of this member or of the way to it, so that another endpoint is worth a try (the circuit breaker's question). */
export const isMemberTrouble = (error: Error): boolean =>
  isRecoverableError(error) && !isNoSpace(error) && !refusedForNow.test(error.message)

export const isNoSpace = (error: Error): boolean => /database space exceeded|NOSPACE/.test(error.message)
export const isCompacted = (error: unknown): boolean =>
  error instanceof Error && /revision has been compacted/.test(error.message)
export const isLeaseGone = (error: unknown): boolean => error instanceof EtcdLeaseInvalidError

/** What a person may see of a failed call; programming errors come back as they are. */
export function readable(error: unknown, endpoints: readonly string[], timeoutMs: number): unknown {
  if (!(error instanceof Error) || error instanceof UserError) return error
  const at = endpoints.join(', ')
  const fail = (text: string, why: string) =>
    new UserError('unavailable', text, { details: { dependency: 'etcd', endpoints, why }, cause: error })
  const { message } = error

  if (error instanceof ClientClosedError) return fail('The connection to etcd was closed.', 'closed')
  if (isNoSpace(error))
    return fail(
      `etcd at ${at} is full (NOSPACE) and takes no writes. An operator must compact and defragment it, or raise its quota, and then run: etcdctl alarm disarm`,
      'full',
    )
  if (error instanceof EtcdAuthenticationFailedError)
    return fail(
      `etcd at ${at} refused the username or password. Check etcd.username and etcd.password.`,
      'login',
    )
  if (/user name is empty/.test(message))
    return fail(`etcd at ${at} asks for a login. Set etcd.username and etcd.password.`, 'login')
  if (/authentication is not enabled/.test(message))
    return fail(
      `etcd at ${at} has no logins, but a username is configured. Remove etcd.username, or enable its auth.`,
      'login',
    )
  if (error instanceof EtcdPermissionDeniedError)
    return fail(
      `etcd at ${at} does not let this user read or write gkube's keys. Grant its role read and write below the root prefix.`,
      'permission',
    )
  if (isLeaseGone(error))
    return fail('The lease of this write ended before it; nothing was written. Try again.', 'lease')
  if (isCompacted(error)) return fail('etcd dropped the history this read needs. Try again.', 'compacted')
  const tls = tlsTrouble(message)
  if (tls) return fail(`The TLS connection to etcd at ${at} failed: ${tls}.`, 'tls')
  if (isBrokenCircuitError(error) || isRecoverableError(error) || error instanceof CallTimeout)
    return fail(`etcd does not answer at ${at}: ${whyNot(error, timeoutMs)}.`, 'down')
  if (error instanceof GRPCNotImplementedError)
    return fail(
      `What answers at ${at} is not etcd 3.4 or later. Check etcd.endpoints, and HTTP_PROXY and NO_PROXY.`,
      'not_etcd',
    )
  return error
}

function tlsTrouble(message: string): string | null {
  if (/certificate has expired/i.test(message)) return 'its certificate has expired'
  if (/altnames|does not match certificate/i.test(message))
    return 'its certificate is for another name. Set etcd.tls.serverName to the name in the certificate'
  if (/self.signed certificate|unable to (verify|get)|unknown ca/i.test(message))
    return 'its certificate is not from a trusted authority. Set etcd.tls.ca to the authority that signed it'
  if (/certificate required|bad certificate|handshake failure/i.test(message))
    return 'it asks for a client certificate that it trusts. Set etcd.tls.cert and etcd.tls.key'
  if (/wrong version number|packet length too long|EPROTO/i.test(message))
    return 'it does not speak TLS there. Use http:// in etcd.endpoints, or enable TLS on etcd'
  if (/before secure TLS connection/.test(message))
    return 'it closed the connection at once. If it has no TLS, use http:// in etcd.endpoints'
  return null
}

function whyNot(error: Error, timeoutMs: number): string {
  const { message } = error
  if (/ECONNREFUSED/.test(message)) return 'nothing listens there (connection refused)'
  if (/ENOTFOUND|EAI_AGAIN|Name resolution failed/.test(message)) return 'its name cannot be resolved'
  if (/EHOSTUNREACH|ENETUNREACH/.test(message)) return 'the network has no way to it'
  if (/no leader|leader changed|request timed out/.test(message)) return 'its cluster has no leader'
  if (error instanceof GRPCDeadlineExceededError || error instanceof CallTimeout)
    return `no answer within ${timeoutMs / 1000} s`
  if (/ECONNRESET|socket hang up|closed before|Connection dropped/i.test(message))
    return 'it closed the connection (if it wants TLS, use https:// in etcd.endpoints)'
  return 'its last calls failed'
}
