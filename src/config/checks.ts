// What only shows across keys of gkube.yaml: an environment's cluster exists, a member is a person, names fit.
// Turns the parsed sections into what the Config holds; each mistake is reported, none is thrown.
import type { ClusterConfig, Person } from '../config.ts'
import { type Environment, environmentSchema, type Grant, namespaceOf } from '../core/environment.ts'
import { type Path, valueAt } from '../core/problems.ts'
import { suggest } from '../core/suggest.ts'
import { label } from '../core/units.ts'
import type { Report } from './problems.ts'
import type { ParsedConfig } from './schema.ts'
import type { Registry } from './secrets.ts'

/** A name that must be one of some others. */
function checkName(path: Path, name: string, known: readonly string[], what: string, report: Report): void {
  if (known.includes(name)) return
  const meant = suggest(name, known)
  report({
    path,
    seen: name,
    expected: `${what}: ${known.join(', ') || 'none is defined'}`,
    ...(meant ? { hint: `did you mean ${meant}?` } : {}),
  })
}

export function clusterOf(
  name: string,
  cluster: ParsedConfig['clusters'][string],
  report: Report,
): ClusterConfig {
  const { inCluster = false, kubeconfig, context, watch = 'namespace' } = cluster ?? {}
  if (inCluster && (kubeconfig !== undefined || context !== undefined))
    report({
      path: ['clusters', name, kubeconfig !== undefined ? 'kubeconfig' : 'context'],
      seen: kubeconfig ?? context,
      expected: 'either inCluster: true, or kubeconfig and context',
    })
  return { inCluster, kubeconfig: kubeconfig ?? null, context: context ?? null, watch }
}

/** Each environment with the defaults below it. `data` is as written: a parsed one has every default filled in. */
export function environmentsOf(
  data: unknown,
  known: { readonly clusters: readonly string[]; readonly pools: readonly string[] },
  report: Report,
): Record<string, Environment> {
  const defaults = valueAt(data, ['defaults']) ?? {}
  const written = (valueAt(data, ['environments']) ?? {}) as Record<string, unknown>
  return Object.fromEntries(
    Object.entries(written).map(([name, own]) => {
      const environment = { ...environmentSchema.parse(merge(defaults, own ?? {})), name }
      const at = (key: string): Path => {
        const path = ['environments', name, key]
        return valueAt(data, path) !== undefined ? path : ['defaults', key]
      }
      checkName(at('cluster'), environment.cluster, known.clusters, 'a key of `clusters`', report)
      if (environment.pool !== undefined)
        checkName(at('pool'), environment.pool, known.pools, 'a key of `pools`', report)
      checkNamespace(environment, at('namespace'), report)
      return [name, environment]
    }),
  )
}

function checkNamespace(environment: Environment, path: Path, report: Report): void {
  const template = environment.namespace
  const rest = template.replaceAll('{app}', '').replaceAll('{environment}', '')
  if (/[{}]/.test(rest)) {
    report({ path, seen: template, expected: 'no placeholder but {app} and {environment}' })
  } else if (!label().safeParse(namespaceOf(environment, 'a')).success) {
    report({
      path,
      seen: template,
      expected:
        'a namespace: lower-case letters, digits and dashes, 63 at most, with {app} and {environment} filled in',
    })
  }
}

/** Maps merge, lists and values are replaced. */
function merge(below: unknown, above: unknown): unknown {
  if (!isMap(below) || !isMap(above)) return above
  const merged: Record<string, unknown> = { ...below }
  for (const [key, value] of Object.entries(above))
    merged[key] = key in below ? merge(below[key], value) : value
  return merged
}
const isMap = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

export function checkPeople(parsed: ParsedConfig, environments: readonly string[], report: Report): void {
  checkGrants(['everyone'], parsed.everyone, environments, report)
  checkGrants(['slack', 'members'], parsed.slack?.members ?? [], environments, report)
  for (const [name, person] of Object.entries(parsed.people))
    checkGrants(['people', name, 'grants'], person.grants, environments, report)
  const people = Object.keys(parsed.people)
  for (const [name, group] of Object.entries(parsed.groups)) {
    checkGrants(['groups', name, 'grants'], group.grants, environments, report)
    for (const [i, member] of group.members.entries())
      checkName(['groups', name, 'members', i], member, people, 'a key of `people`', report)
  }
  for (const [i, environment] of Object.entries(parsed.environments))
    checkBreakGlass(['environments', i], environment?.breakGlass ?? [], people, report)
  checkBreakGlass(['defaults'], parsed.defaults.breakGlass, people, report)
  checkOneOwner(parsed.people, 'slack', report)
  checkOneOwner(parsed.people, 'email', report)
}

function checkBreakGlass(
  path: Path,
  names: readonly string[],
  people: readonly string[],
  report: Report,
): void {
  for (const [i, name] of names.entries())
    checkName([...path, 'breakGlass', i], name, people, 'a key of `people`', report)
}

function checkGrants(
  path: Path,
  grants: readonly Grant[],
  environments: readonly string[],
  report: Report,
): void {
  for (const [i, grant] of grants.entries())
    for (const [j, name] of grant.environments.entries())
      if (name !== '*')
        checkName([...path, i, 'environments', j], name, environments, 'an environment, or *', report)
}

function checkOneOwner(people: ParsedConfig['people'], key: 'slack' | 'email', report: Report): void {
  const owners = new Map<string, string>()
  for (const [name, person] of Object.entries(people)) {
    const value = person[key]?.toLowerCase()
    if (value === undefined) continue
    const owner = owners.get(value)
    if (owner)
      report({ path: ['people', name, key], seen: person[key], expected: `another one: ${owner} has it too` })
    owners.set(value, owner ?? name)
  }
}

/** People with all their grants: their own, their groups' and everyone's. */
export function peopleOf(parsed: ParsedConfig): Record<string, Person> {
  return Object.fromEntries(
    Object.entries(parsed.people).map(([id, person]) => [
      id,
      {
        id,
        name: person.name ?? id,
        email: person.email ?? null,
        slack: person.slack ?? null,
        jenkins: person.jenkins ?? id,
        grants: [
          ...person.grants,
          ...Object.values(parsed.groups).flatMap(group => (group.members.includes(id) ? group.grants : [])),
          ...parsed.everyone,
        ],
      },
    ]),
  )
}

export function checkEtcd(etcd: ParsedConfig['etcd'], hasPassword: boolean, report: Report): void {
  const secure = etcd.endpoints.map(endpoint => endpoint.startsWith('https:'))
  if (new Set(secure).size > 1)
    report({ path: ['etcd', 'endpoints'], seen: etcd.endpoints, expected: 'all https or all http' })
  if (etcd.tls && !secure.includes(true))
    report({
      path: ['etcd', 'endpoints'],
      seen: etcd.endpoints,
      expected: 'https, because etcd.tls is given',
    })
  const asks = etcd.passwordFile !== undefined || etcd.passwordEnv !== undefined || hasPassword
  if (etcd.username !== undefined && !asks)
    report({
      path: ['etcd', 'username'],
      seen: etcd.username,
      expected: 'a password with it: etcd.passwordFile, etcd.passwordEnv or GKUBE_ETCD_PASSWORD',
    })
  if (etcd.username === undefined && asks)
    report({ path: ['etcd', 'username'], expected: 'the user that the password belongs to' })
}

export function checkBootstrap(token: string | undefined, report: Report): void {
  if (token !== undefined && token.length < 32)
    report({
      path: ['tokens', 'bootstrap'],
      seen: token,
      expected: `32 characters or more, not ${token.length}; make one with: openssl rand -hex 32`,
    })
}

/** The registries, each host once. */
export function uniqueHosts(registries: readonly Registry[], report: Report): readonly Registry[] {
  const seen = new Set<string>()
  for (const { host } of registries) {
    if (seen.has(host))
      report({ path: ['registries'], seen: host, expected: 'each host once, dockerConfig files included' })
    seen.add(host)
  }
  return registries
}
