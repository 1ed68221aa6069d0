// The subresources that answer at once: scale, eviction, service account tokens; and access reviews.
// status goes through the ordinary verbs (handlers.ts); log and exec stream (pod-streams.ts, exec.ts).

import { apiVersion, kindNamed } from './kinds.ts'
import type { Json, KubeObject } from './object.ts'
import { type Answer, type Deps, parse, patchTypes, type Request, target, writeOptions } from './requests.ts'
import { selectorText, selects } from './selectors.ts'
import { StatusError } from './status-error.ts'

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
  // Zero is left out, as the real server does.
  spec: spec.replicas ? { replicas: spec.replicas } : {},
  status: {
    replicas: status?.replicas ?? 0,
    selector: selectorText(spec.selector?.matchLabels ? spec.selector : { matchLabels: spec.selector }),
  },
})

export async function scale(deps: Deps, request: Request): Promise<Answer> {
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

export async function evict(deps: Deps, request: Request): Promise<Answer> {
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

export function token(request: Request): Answer {
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
