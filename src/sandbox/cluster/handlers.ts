// One function a verb: from a routed request to its answer, on top of registry.ts and watch.ts.
// Subresources of pods that stream (log, exec) are in pod-streams.ts; http.ts calls all of this.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { parse as parseYaml } from 'yaml'
import { apiVersion, kindNamed } from './kinds.ts'
import type { Json, KubeObject } from './object.ts'
import type { DeleteOptions, PatchType, Registry, WriteOptions } from './registry.ts'
import type { Route } from './route.ts'
import { fieldSelector, labelSelector, selectorText, selects } from './selectors.ts'
import { badRequest, expired, notFound, qualified, StatusError } from './status-error.ts'
import type { Store } from './store.ts'
import { tableOf } from './table.ts'
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

type Deps = {
  readonly store: Store
  readonly registry: Registry
  readonly watches: ReturnType<typeof watchHub>
}

const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
}

/** Answers a request for a kept kind; undefined when it was streamed. */
export async function handle(deps: Deps, request: Request): Promise<Answer> {
  const { route } = request
  if (route.subresource === 'scale') return scale(deps, request)
  if (route.subresource === 'eviction') return evict(deps, request)
  if (route.subresource === 'token') return token(request)
  switch (route.verb) {
    case 'get':
      return shaped(request, deps.registry.get(target(route)))
    case 'list':
      return list(deps, request)
    case 'watch':
      return watch(deps, request)
    case 'create':
      return create(deps, request)
    case 'update': {
      const body = parse(request)
      const object = await deps.registry.replace(target(route), () => body, writeOptions(request))
      return shaped(request, object)
    }
    case 'patch':
      return patch(deps, request)
    case 'delete':
      return remove(deps, request)
    case 'deletecollection':
      return removeAll(deps, request)
  }
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

function writeOptions({ query, headers, route, warnings }: Request): WriteOptions {
  const dryRun = query.getAll('dryRun')
  if (dryRun.some(value => value !== 'All')) {
    throw new StatusError(
      422,
      'Invalid',
      `Invalid value: "${dryRun}": dryRun: Unsupported value: "${dryRun}": supported values: "All"`,
    )
  }
  return {
    manager: query.get('fieldManager') || (headers['user-agent'] ?? 'unknown').split('/')[0] || 'unknown',
    dryRun: dryRun.length > 0,
    subresource: route.subresource,
    force: query.get('force') === 'true',
    warnings,
  }
}

async function create(deps: Deps, request: Request): Promise<Answer> {
  const { route } = request
  if (route.name !== undefined)
    throw new StatusError(
      405,
      'MethodNotAllowed',
      'the server does not allow this method on the requested resource',
    )
  const draft = parse(request)
  const object = await deps.registry.create(
    route.kind,
    { ...draft, metadata: draft.metadata ?? {} },
    {
      ...writeOptions(request),
      namespace: route.kind.namespaced
        ? (route.namespace ?? draft.metadata?.namespace ?? 'default')
        : undefined,
    },
  )
  return shaped(request, object, 201)
}

async function patch(deps: Deps, request: Request): Promise<Answer> {
  const { route, headers, query } = request
  const type = patchTypes[(headers['content-type'] ?? '').split(';')[0]?.trim() ?? '']
  if (!type) {
    throw new StatusError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${Object.keys(patchTypes).join(', ')}`,
    )
  }
  if (type === 'apply' && !query.get('fieldManager')) {
    const causes = [
      {
        reason: 'FieldValueRequired',
        message: 'Required value: is required for apply patch',
        field: 'fieldManager',
      },
    ]
    throw new StatusError(
      422,
      'Invalid',
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      {
        details: { group: 'meta.k8s.io', kind: 'PatchOptions', causes },
      },
    )
  }
  const { object, created } = await deps.registry.patch(
    target(route),
    type,
    parse(request),
    writeOptions(request),
  )
  return shaped(request, object, created ? 201 : 200)
}

function deleteOptions(request: Request): DeleteOptions {
  const { query } = request
  const body = parse(request)
  const grace = body.gracePeriodSeconds ?? query.get('gracePeriodSeconds') ?? undefined
  const orphan = body.orphanDependents ?? query.get('orphanDependents') ?? undefined
  const legacy = orphan === undefined ? undefined : String(orphan) === 'true' ? 'Orphan' : 'Background'
  return {
    dryRun: (body.dryRun ?? query.getAll('dryRun')).length > 0,
    propagationPolicy: body.propagationPolicy ?? query.get('propagationPolicy') ?? legacy,
    preconditions: body.preconditions,
    ...(grace === undefined ? {} : { gracePeriodSeconds: Number(grace) }),
  }
}

async function remove(deps: Deps, request: Request): Promise<Answer> {
  const { kind } = request.route
  const options = deleteOptions(request)
  if (kind.orphans && !options.propagationPolicy && kind.kind === 'Job') {
    request.warnings.push(
      'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
    )
  }
  const { object, asObject } = await deps.registry.remove(target(request.route), options)
  if (asObject) return shaped(request, object)
  const { name, uid } = object.metadata
  const details = { name, ...(kind.group ? { group: kind.group } : {}), kind: kind.plural, uid }
  return { status: 200, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details } }
}

async function removeAll(deps: Deps, request: Request): Promise<Answer> {
  const { kind } = request.route
  const options = deleteOptions(request)
  const found = select(request, deps.store.list(kind, request.route.namespace))
  for (const { metadata } of found) {
    await deps.registry
      .remove({ kind, namespace: metadata.namespace, name: metadata.name }, options)
      .catch(error => {
        if (error instanceof StatusError && error.code === 404) return
        throw error
      })
  }
  return { status: 200, body: listOf(request, found, { resourceVersion: String(deps.store.revision()) }) }
}

function select({ route, query }: Request, objects: KubeObject[]): KubeObject[] {
  const labels = labelSelector(query.get('labelSelector'))
  const fields = fieldSelector(route.kind, query.get('fieldSelector'))
  return objects.filter(object => labels(object) && fields(object))
}

const order = ({ metadata }: KubeObject) => `${metadata.namespace ?? ''}/${metadata.name}`
const byKey = (a: KubeObject, b: KubeObject) => (order(a) < order(b) ? -1 : 1)

const tooOld =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.'

async function list(deps: Deps, request: Request): Promise<Answer> {
  const { route, query } = request
  const limit = Number(query.get('limit') ?? 0)
  const token = query.get('continue')
  const from = token ? readToken(token) : undefined
  if (from && from.rv < deps.store.oldest()) throw expired(tooOld)
  let found: KubeObject[]
  if (from) {
    const then = await deps.store.listAt(route.kind, from.rv).catch(() => {
      throw expired(tooOld)
    })
    found = then.filter(object => !route.namespace || object.metadata.namespace === route.namespace)
  } else found = deps.store.list(route.kind, route.namespace)
  const revision = from?.rv ?? deps.store.revision()
  const rest = select(request, found)
    .sort(byKey)
    .filter(object => !from || order(object) > from.start)
  const page = limit > 0 ? rest.slice(0, limit) : rest
  const last = page.at(-1)
  const more = last && page.length < rest.length
  const filtered = query.get('labelSelector') || query.get('fieldSelector')
  const meta = {
    resourceVersion: String(revision),
    ...(more ? { continue: writeToken({ rv: revision, start: order(last) }) } : {}),
    ...(more && !filtered ? { remainingItemCount: rest.length - page.length } : {}),
  }
  return { status: 200, body: listOf(request, page, meta) }
}

const writeToken = (token: { rv: number; start: string }) =>
  Buffer.from(JSON.stringify(token)).toString('base64url')

function readToken(text: string): { rv: number; start: string } {
  try {
    const { rv, start } = JSON.parse(Buffer.from(text, 'base64url').toString())
    if (Number.isInteger(rv) && typeof start === 'string') return { rv, start }
  } catch {
    // Said below.
  }
  throw badRequest('continue key is not valid: illegal base64 data')
}

function watch(deps: Deps, request: Request): Answer {
  const { route, query, response } = request
  if (query.get('sendInitialEvents') === 'true') {
    const why = 'sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled'
    throw new StatusError(
      422,
      'Invalid',
      `ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: ${why}`,
      {
        details: {
          group: 'meta.k8s.io',
          kind: 'ListOptions',
          causes: [
            { reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field: 'sendInitialEvents' },
          ],
        },
      },
    )
  }
  const labels = labelSelector(query.get('labelSelector'))
  const fields = fieldSelector(route.kind, query.get('fieldSelector'))
  const resourceVersion = query.get('resourceVersion') ?? ''
  if (!/^\d*$/.test(resourceVersion)) throw badRequest(`invalid resource version: ${resourceVersion}`)
  const seconds = Number(query.get('timeoutSeconds') ?? 0) || 1800 + Math.random() * 1800
  deps.watches.open(
    {
      kind: route.kind,
      namespace: route.namespace,
      matches: object => labels(object) && fields(object),
      resourceVersion,
      bookmarks: query.get('allowWatchBookmarks') === 'true',
      timeoutMs: seconds * 1000,
      shape: object => shape(request, object),
    },
    response,
  )
  return undefined
}

type Form = 'object' | 'table' | 'metadata'

function formOf({ headers }: Request): Form {
  for (const part of (headers.accept ?? '').split(',')) {
    if (/as=Table/.test(part)) return 'table'
    if (/as=PartialObjectMetadata/.test(part)) return 'metadata'
    if (/^\s*(application\/json|\*\/\*)\s*(;q=.*)?$/.test(part)) return 'object'
  }
  return 'object'
}

const partial = (object: KubeObject) => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata: object.metadata,
})

function shape(request: Request, object: KubeObject): Json {
  const form = formOf(request)
  if (form === 'table')
    return tableOf(request.route.kind, [object], { resourceVersion: object.metadata.resourceVersion })
  return form === 'metadata' ? partial(object) : object
}

function shaped(request: Request, object: KubeObject, status = 200): Answer {
  return { status, body: shape(request, object) }
}

function listOf(request: Request, items: KubeObject[], metadata: Json): Json {
  const { kind } = request.route
  const form = formOf(request)
  if (form === 'table') return tableOf(kind, items, metadata)
  if (form === 'metadata')
    return {
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata,
      items: items.map(partial),
    }
  return { kind: `${kind.kind}List`, apiVersion: apiVersion(kind), metadata, items }
}

const scaleOf = ({ metadata, spec, status }: KubeObject): Json => ({
  kind: 'Scale',
  apiVersion: 'autoscaling/v1',
  metadata: {
    name: metadata.name,
    namespace: metadata.namespace,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    creationTimestamp: metadata.creationTimestamp,
  },
  spec: { replicas: spec.replicas },
  status: {
    replicas: status?.replicas ?? 0,
    selector: selectorText(spec.selector?.matchLabels ? spec.selector : { matchLabels: spec.selector }),
  },
})

async function scale(deps: Deps, request: Request): Promise<Answer> {
  const { route } = request
  if (route.verb === 'get') return { status: 200, body: scaleOf(deps.registry.get(target(route))) }
  const body = parse(request)
  const type = route.verb === 'patch' ? patchTypes[request.headers['content-type'] ?? ''] : undefined
  const json = type === 'json' ? body.find((op: Json) => op.path === '/spec/replicas')?.value : undefined
  const replicas = json ?? body.spec?.replicas ?? (route.verb === 'update' ? 0 : undefined)
  const resourceVersion = body.metadata?.resourceVersion ?? ''
  const object = await deps.registry.replace(
    target(route),
    live => ({
      ...live,
      metadata: { ...live.metadata, resourceVersion },
      spec: { ...live.spec, replicas: replicas ?? live.spec.replicas },
    }),
    writeOptions(request),
  )
  return { status: 200, body: scaleOf(object) }
}

async function evict(deps: Deps, request: Request): Promise<Answer> {
  const pod = deps.registry.get(target(request.route))
  const budgets = deps.store
    .list(kindNamed('PodDisruptionBudget'), pod.metadata.namespace)
    .filter(one => selects(one.spec.selector, pod.metadata.labels))
  const spent = budgets.find(one => !(one.status?.disruptionsAllowed > 0))
  if (spent) {
    const { currentHealthy = 0, desiredHealthy = 0 } = spent.status ?? {}
    const name = spent.metadata.name
    const cause = `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`
    throw new StatusError(
      429,
      'TooManyRequests',
      "Cannot evict pod as it would violate the pod's disruption budget.",
      {
        details: { causes: [{ reason: 'DisruptionBudget', message: cause }] },
      },
    )
  }
  const options = parse(request).deleteOptions ?? {}
  await deps.registry.remove(target(request.route), options)
  return {
    status: 201,
    body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 },
  }
}

function token(request: Request): Answer {
  const seconds = parse(request).spec?.expirationSeconds ?? 3600
  const expirationTimestamp = new Date(Date.now() + seconds * 1000).toISOString()
  const made = Buffer.from(
    `${request.route.namespace}:${request.route.name}:${expirationTimestamp}`,
  ).toString('base64url')
  return {
    status: 201,
    body: {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: {},
      spec: {},
      status: { token: made, expirationTimestamp },
    },
  }
}

/** Access reviews are always allowed: the stand-in has no authorization. */
export function review(request: Request): Answer {
  const body = parse(request)
  const rules = {
    resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
    nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
    incomplete: false,
  }
  const { kind } = request.route
  const status = kind.kind === 'SelfSubjectRulesReview' ? rules : { allowed: true }
  return { status: 201, body: { ...body, kind: kind.kind, apiVersion: apiVersion(kind), status } }
}

/** 404 for a path that names nothing. */
export const unknownPath = (route?: Route) =>
  route
    ? notFound(route.kind, route.name ?? qualified(route.kind))
    : new StatusError(404, 'NotFound', 'the server could not find the requested resource', { details: {} })
