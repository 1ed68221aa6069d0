// What every handler reads of a request: its body, its write options, the object it is about.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { parse as parseYaml } from 'yaml'
import type { Json } from './object.ts'
import type { PatchType, Registry, WriteOptions } from './registry.ts'
import type { Route } from './route.ts'
import { badRequest, StatusError } from './status-error.ts'
import type { Store } from './store.ts'
import type { watchHub } from './watch.ts'

export type Request = {
  readonly route: Route
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly response: ServerResponse
  /** Written as `Warning:` headers. */
  readonly warnings: string[]
}

export type Answer = { readonly status: number; readonly body: Json } | undefined

export type Deps = {
  readonly store: Store
  readonly registry: Registry
  readonly watches: ReturnType<typeof watchHub>
}

export const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
}

export function target(route: Route) {
  return { kind: route.kind, namespace: route.namespace, name: route.name ?? '' }
}

export function parse({ body, headers }: Pick<Request, 'body' | 'headers'>): Json {
  const type = headers['content-type'] ?? 'application/json'
  if (/protobuf/.test(type)) {
    throw new StatusError(
      415,
      'UnsupportedMediaType',
      'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml',
    )
  }
  try {
    return /yaml/.test(type) && !body.trimStart().startsWith('{') ? parseYaml(body) : JSON.parse(body || '{}')
  } catch (error) {
    throw badRequest(`error decoding the request body: ${(error as Error).message}`)
  }
}

export function writeOptions({ query, headers, route, warnings }: Request): WriteOptions {
  const dryRun = query.getAll('dryRun')
  if (dryRun.some(value => value !== 'All')) {
    const message = `Unsupported value: ${JSON.stringify(dryRun)}: supported values: "All"`
    const kind = { create: 'CreateOptions', patch: 'PatchOptions' }[route.verb as string] ?? 'UpdateOptions'
    const causes = [{ reason: 'FieldValueNotSupported', message, field: 'dryRun' }]
    throw new StatusError(422, 'Invalid', `${kind}.meta.k8s.io "" is invalid: dryRun: ${message}`, {
      details: { group: 'meta.k8s.io', kind, causes },
    })
  }
  return {
    manager: query.get('fieldManager') || (headers['user-agent'] ?? 'unknown').split('/')[0] || 'unknown',
    dryRun: dryRun.length > 0,
    subresource: route.subresource,
    force: query.get('force') === 'true',
    warnings,
  }
}
