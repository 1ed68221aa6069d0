// Discovery: /version, /api, /apis, resource lists (plain and aggregated), and as much OpenAPI as kubectl
// needs to choose its way: which kinds can be patched and that the server validates fields. No schemas:
// `kubectl explain` has nothing to show. Built from the table in kinds.ts.
import { apiVersion, type Kind, kinds, reviews } from './kinds.ts'
import type { Json } from './object.ts'

export const version = {
  major: '1',
  minor: '33',
  gitVersion: 'v1.33.0+gkube-sandbox',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '2025-04-23T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: 'linux/amd64',
}

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const all = [...kinds, ...reviews]
const groupVersions = [...new Set(all.map(apiVersion))]
const groups = [...new Set(all.map(kind => kind.group))].filter(Boolean)

const subVerbs: Readonly<Record<string, string[]>> = {
  status: ['get', 'patch', 'update'],
  scale: ['get', 'patch', 'update'],
  log: ['get'],
  exec: ['create', 'get'],
  eviction: ['create'],
  token: ['create'],
}

const verbsOf = (kind: Kind) => (reviews.includes(kind) ? ['create'] : verbs)

const subKinds: Readonly<Record<string, { group: string; version: string; kind: string }>> = {
  scale: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  eviction: { group: 'policy', version: 'v1', kind: 'Eviction' },
  token: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
}

function resourceList(groupVersion: string): Json {
  const resources = all
    .filter(kind => apiVersion(kind) === groupVersion)
    .flatMap(kind => [
      {
        name: kind.plural,
        singularName: kind.kind.toLowerCase(),
        namespaced: kind.namespaced,
        kind: kind.kind,
        verbs: verbsOf(kind),
        ...(kind.short.length > 0 ? { shortNames: kind.short } : {}),
        ...(kind.all ? { categories: ['all'] } : {}),
      },
      ...kind.subresources.map(sub => ({
        name: `${kind.plural}/${sub}`,
        singularName: '',
        namespaced: kind.namespaced,
        kind: kind.kind,
        ...subKinds[sub],
        verbs: subVerbs[sub] ?? ['get'],
      })),
    ])
  return resources.length > 0 && { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources }
}

const apiGroup = (name: string): Json => {
  const versions = groupVersions
    .filter(one => one.startsWith(`${name}/`))
    .map(groupVersion => ({ groupVersion, version: groupVersion.split('/')[1] }))
  return { kind: 'APIGroup', apiVersion: 'v1', name, versions, preferredVersion: versions[0] }
}

function aggregated(which: readonly string[]): Json {
  const items = which.map(group => ({
    metadata: { name: group || undefined, creationTimestamp: null },
    versions: [...new Set(all.filter(kind => kind.group === group).map(kind => kind.version))].map(one => ({
      version: one,
      freshness: 'Current',
      resources: all.filter(kind => kind.group === group && kind.version === one).map(aggregatedResource),
    })),
  }))
  return { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items }
}

const aggregatedResource = (kind: Kind) => ({
  resource: kind.plural,
  responseKind: { group: kind.group, version: kind.version, kind: kind.kind },
  scope: kind.namespaced ? 'Namespaced' : 'Cluster',
  singularResource: kind.kind.toLowerCase(),
  verbs: verbsOf(kind),
  shortNames: kind.short,
  ...(kind.all ? { categories: ['all'] } : {}),
  subresources: kind.subresources.map(sub => ({
    subresource: sub,
    responseKind: subKinds[sub] ?? { group: kind.group, version: kind.version, kind: kind.kind },
    verbs: subVerbs[sub] ?? ['get'],
  })),
})

const openApiPath = (groupVersion: string) =>
  groupVersion.includes('/') ? `apis/${groupVersion}` : `api/${groupVersion}`

function openApi(groupVersion: string): Json {
  const paths: Record<string, Json> = {}
  const names = ['dryRun', 'fieldManager', 'fieldValidation', 'force']
  const parameters = names.map(name => ({
    name,
    in: 'query',
    schema: { type: name === 'force' ? 'boolean' : 'string', uniqueItems: true },
  }))
  for (const kind of kinds.filter(one => apiVersion(one) === groupVersion)) {
    const scope = kind.namespaced ? 'namespaces/{namespace}/' : ''
    const gvk = { group: kind.group, version: kind.version, kind: kind.kind }
    const operation = (action: string) => ({
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': gvk,
      parameters,
      responses: { 200: { description: 'OK' } },
    })
    const types = ['apply-patch+yaml', 'json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json']
    const content = Object.fromEntries(
      types.map(type => [`application/${type}`, { schema: { type: 'object' } }]),
    )
    paths[`/${openApiPath(groupVersion)}/${scope}${kind.plural}/{name}`] = {
      get: operation('get'),
      put: operation('put'),
      patch: { ...operation('patch'), requestBody: { content } },
    }
  }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: version.gitVersion },
    paths,
    components: { schemas: {} },
  }
}

// kubectl reads this as protobuf, and only for lists of objects. An empty document is valid and says: unknown.
const openApiV2 = { body: '', contentType: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf' }

/** What a non-resource path answers, or undefined. `accept` chooses the aggregated form. */
export function discover(path: string, accept: string): { body: Json; contentType?: string } | undefined {
  if (path === '/version' || path === '/version/') return { body: version }
  const wanted = /g=apidiscovery\.k8s\.io;v=v2;as=APIGroupDiscoveryList/.test(accept)
  const contentType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
  if (path === '/api' && wanted) return { body: aggregated(['']), contentType }
  if (path === '/apis' && wanted) return { body: aggregated(groups), contentType }
  if (path === '/api')
    return { body: { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] } }
  if (path === '/apis')
    return { body: { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(apiGroup) } }
  if (path === '/openapi/v2') return openApiV2
  if (path === '/openapi/v3') {
    const entries = groupVersions.map(one => [
      openApiPath(one),
      { serverRelativeURL: `/openapi/v3/${openApiPath(one)}?hash=1` },
    ])
    return { body: { paths: Object.fromEntries(entries) } }
  }
  const spec = groupVersions.find(one => path === `/openapi/v3/${openApiPath(one)}`)
  if (spec) return { body: openApi(spec) }
  const group = /^\/apis\/([^/]+)\/?$/.exec(path)?.[1]
  if (group && groups.includes(group)) return { body: apiGroup(group) }
  const list = /^\/(?:api\/(v1)|apis\/([^/]+\/[^/]+))\/?$/.exec(path)
  const resources = list && resourceList(list[1] ?? list[2] ?? '')
  return resources ? { body: resources } : undefined
}
