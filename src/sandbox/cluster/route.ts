// From a request line to what it asks for: verb, kind, namespace, name, subresource. Pure.
// The bodies behind it are in handlers.ts; what is not a resource (discovery, version) in discovery.ts.
import { findKind, type Kind } from './kinds.ts'

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

export type Route = {
  readonly verb: Verb
  readonly kind: Kind
  readonly namespace?: string
  readonly name?: string
  readonly subresource?: string
}

/** The route, or undefined for a path that names no known resource. */
export function routeOf(method: string, path: string, query: URLSearchParams): Route | undefined {
  const parts = path.split('/').filter(Boolean).map(decodeURIComponent)
  const core = parts[0] === 'api'
  if (!core && parts[0] !== 'apis') return undefined
  const group = core ? '' : (parts[1] ?? '')
  const version = core ? parts[1] : parts[2]
  const rest = parts.slice(core ? 2 : 3)
  const scoped =
    rest[0] === 'namespaces' && rest.length > 2 && !['status', 'finalize'].includes(rest[2] ?? '')
  const namespace = scoped ? rest[1] : undefined
  const [plural = '', name, subresource, extra] = scoped ? rest.slice(2) : rest
  const kind = findKind(group, plural)
  if (!kind || kind.version !== version || extra !== undefined) return undefined
  if (namespace && !kind.namespaced) return undefined
  // A namespaced object is only addressed within its namespace.
  if (kind.namespaced && !namespace && name !== undefined) return undefined
  if (subresource && !['finalize', ...kind.subresources].includes(subresource)) return undefined
  const verb = verbOf(method, name !== undefined, query)
  return verb && { verb, kind, namespace, name, subresource }
}

function verbOf(method: string, named: boolean, query: URLSearchParams): Verb | undefined {
  switch (method) {
    case 'GET':
      if (named) return 'get'
      return ['1', 'true'].includes(query.get('watch') ?? '') ? 'watch' : 'list'
    case 'POST':
      return 'create'
    case 'PUT':
      return named ? 'update' : undefined
    case 'PATCH':
      return named ? 'patch' : undefined
    case 'DELETE':
      return named ? 'delete' : 'deletecollection'
    default:
      return undefined
  }
}
