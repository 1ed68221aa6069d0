// From what an API server (or the network) answered to a ClusterError: its kind, its own words, and for a
// conflict of field managers who owns which field. Pure; wire.ts calls it.
import { ClusterError } from '../../core/cluster.ts'

type Cause = { reason?: string; message?: string; field?: string }
type Status = { message?: string; reason?: string; details?: { causes?: Cause[] } }

/** The ClusterError for an HTTP answer of 400 or more; `body` is a Status or whatever a proxy sent. */
export function errorOfStatus(status: number, body: string): ClusterError {
  const parsed = parseStatus(body)
  const causes = parsed.details?.causes ?? []
  const conflicts = causes.filter(cause => cause.reason === 'FieldManagerConflict')
  const message = (parsed.message || body.slice(0, 300) || `HTTP ${status}`).slice(0, 2000)
  return new ClusterError(kindOf(status, parsed.reason, conflicts.length > 0), message, {
    status,
    fields: [...new Set(conflicts.map(cause => cause.field ?? '').filter(Boolean))],
    managers: [...new Set(conflicts.map(cause => managerOf(cause.message ?? '')).filter(Boolean))],
  })
}

function parseStatus(body: string): Status {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Status) : {}
  } catch {
    // Not a Status: a proxy's page; its text becomes the message.
    return {}
  }
}

function kindOf(status: number, reason: string | undefined, conflict: boolean): ClusterError['kind'] {
  if (status === 409) {
    if (conflict) return 'field_conflict'
    return reason === 'AlreadyExists' ? 'already_exists' : 'stale'
  }
  if (status === 401) return 'unauthorized'
  if (status === 403) return 'forbidden'
  if (status === 404) return 'not_found'
  if (status === 410) return 'gone'
  if (status === 429) return 'too_many_requests'
  return status >= 500 ? 'unavailable' : 'invalid'
}

/** `conflict with "kubectl" using apps/v1` names the manager in quotes. */
const managerOf = (message: string): string => /conflict with "([^"]+)"/.exec(message)?.[1] ?? ''

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses connections: is its API server running?',
  ENOTFOUND: 'has a host name that does not resolve',
  EAI_AGAIN: 'has a host name that cannot be resolved now',
  EHOSTUNREACH: 'is not reachable from here',
  ENETUNREACH: 'is not reachable from here',
  ECONNRESET: 'closed the connection',
  EPIPE: 'closed the connection',
  ETIMEDOUT: 'does not answer in time',
}
const tlsCodes =
  /^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|CERT_|ERR_TLS|ERR_SSL|EPROTO|HOSTNAME_MISMATCH|INVALID_CA)/

/** The ClusterError for a request that got no whole answer. */
export function errorOfNetwork(cause: unknown, cluster: string, server: URL): ClusterError {
  if (cause instanceof ClusterError) return cause
  const error = cause as NodeJS.ErrnoException & { errors?: NodeJS.ErrnoException[] }
  // A host with several addresses fails with all of their errors together.
  const code = error.code ?? error.errors?.[0]?.code ?? ''
  const how = tlsCodes.test(code)
    ? `has a certificate that is not accepted (${code}): check the certificate authority in the kubeconfig`
    : (words[code] ?? `does not answer (${error.message || code})`)
  return new ClusterError('unavailable', `cluster ${cluster} at ${server.host} ${how}`, { cause })
}

/** The texts of `Warning` headers: `299 - "text"`, several to a header. */
export function warningsOf(headers: readonly string[]): string[] {
  return headers
    .flatMap(header => [...header.matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)])
    .map(match => (match[1] ?? '').replace(/\\(.)/g, '$1'))
}
