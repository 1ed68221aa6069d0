// What tests may do to the stand-in cluster: make the next requests fail or wait, and count all of them.
// A fault matches by verb, resource and name, and wears off after `times` requests. Served in http.ts.
import type { Route, Verb } from './route.ts'
import { StatusError } from './status-error.ts'

export type Fault = {
  readonly verb?: Verb
  /** Plural, with its subresource if any: `deployments`, `pods/log`. */
  readonly resource?: string
  readonly name?: string
  readonly namespace?: string
  /** How many requests it hits; default 1. */
  readonly times?: number
  /** Answer this status (429 and 503 with Retry-After when `retryAfter` is given, in seconds). */
  readonly status?: number
  readonly retryAfter?: number
  /** Wait before anything else, in ms. */
  readonly latency?: number
  /** Cut the connection without an answer: before the request is worked on, or after it was. */
  readonly reset?: 'before' | 'after'
}

const reasons: Readonly<Record<number, [string, string]>> = {
  401: ['Unauthorized', 'Unauthorized'],
  403: ['Forbidden', 'forbidden: injected by a test'],
  409: ['Conflict', 'Operation cannot be fulfilled: injected by a test'],
  410: ['Expired', 'too old resource version: injected by a test'],
  429: ['TooManyRequests', 'the server has received too many requests and has asked us to try again later'],
  500: ['InternalError', 'Internal error occurred: injected by a test'],
  503: ['ServiceUnavailable', 'the server is currently unable to handle the request'],
  504: ['Timeout', 'Timeout: request did not complete within the allotted timeout'],
}

export type Faults = ReturnType<typeof faultBox>

export function faultBox() {
  let waiting: { fault: Fault; left: number }[] = []
  let counts: Record<string, number> = {}

  const resourceOf = (route: Route) =>
    route.subresource ? `${route.kind.plural}/${route.subresource}` : route.kind.plural

  const hits = (fault: Fault, route: Route) =>
    (!fault.verb || fault.verb === route.verb) &&
    (!fault.resource || fault.resource === resourceOf(route)) &&
    (!fault.name || fault.name === route.name) &&
    (!fault.namespace || fault.namespace === route.namespace)

  return {
    add: (fault: Fault) => void waiting.push({ fault, left: fault.times ?? 1 }),
    clear: () => {
      waiting = []
    },
    /** Requests since the start or the last reset, by `verb resource`, such as `patch deployments`. */
    counts: (): Readonly<Record<string, number>> => ({ ...counts }),
    resetCounts: () => {
      counts = {}
    },
    count(route: Route) {
      const key = `${route.verb} ${resourceOf(route)}`
      counts[key] = (counts[key] ?? 0) + 1
    },
    /** The fault that hits this request, used up by one. */
    take(route: Route): Fault | undefined {
      const found = waiting.find(one => one.left > 0 && hits(one.fault, route))
      if (!found) return undefined
      found.left--
      waiting = waiting.filter(one => one.left > 0)
      return found.fault
    },
  }
}

/** The answer that a fault asks for. */
export function faultError(fault: Fault): StatusError | undefined {
  if (!fault.status) return undefined
  const [reason, message] = reasons[fault.status] ?? ['', `injected by a test: ${fault.status}`]
  return new StatusError(fault.status, reason, message, { retryAfter: fault.retryAfter })
}
