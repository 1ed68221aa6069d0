// One function a verb: from a routed request to its answer, on top of registry.ts and watch.ts.
// Subresources of pods that stream (log, exec) are in pod-streams.ts; http.ts calls all of this.

import type { DeleteOptions } from './deletion.ts'
import { apiVersion } from './kinds.ts'
import type { Json, KubeObject } from './object.ts'
import { type Answer, type Deps, parse, patchTypes, type Request, target, writeOptions } from './requests.ts'
import type { Route } from './route.ts'
import { fieldSelector, labelSelector } from './selectors.ts'
import { badRequest, conflict, expired, notFound, qualified, StatusError } from './status-error.ts'
import { evict, scale, token } from './subresources.ts'
import { tableOf } from './table.ts'

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
      const put = (live: KubeObject) => {
        const { uid } = body.metadata ?? {}
        if (!uid || uid === live.metadata.uid) return body
        const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`
        throw conflict(route.kind, live.metadata.name, why)
      }
      const object = await deps.registry.replace(target(route), put, writeOptions(request))
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
    throw new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', { details: {} })
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
  throw badRequest('invalid continue token: continue key is not valid')
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
  if (!/^\d*$/.test(resourceVersion)) {
    const why = `strconv.ParseUint: parsing "${resourceVersion}": invalid syntax`
    throw new StatusError(500, '', `resourceVersion: Invalid value: "${resourceVersion}": ${why}`)
  }
  // As the real server does, which then finds that an event is no list: 200, and never anything more.
  if (/^[^,]*as=PartialObjectMetadataList/.test(request.headers.accept ?? '')) {
    response.writeHead(200, { 'content-type': 'application/json' }).end()
    return undefined
  }
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

/** 404 for a path that names nothing. */
export const unknownPath = (route?: Route) =>
  route
    ? notFound(route.kind, route.name ?? qualified(route.kind))
    : new StatusError(404, 'NotFound', 'the server could not find the requested resource', { details: {} })
