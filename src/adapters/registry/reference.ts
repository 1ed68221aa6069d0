// Image references as Docker reads them: `web`, `shop/web:1.4`, `localhost:5000/web@sha256:…`. Pure.
// Source of the rules: the grammar of distribution/reference. Who asks the registry is registry-client.ts.

export type Reference = {
  /** The registry as people and credentials name it: `docker.io`, `localhost:5000`. */
  readonly registry: string
  /** The host that speaks the API: Docker Hub's is another one than its name. */
  readonly host: string
  readonly repository: string
  readonly tag: string | null
  readonly digest: string | null
}

const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const repositoryShape = new RegExp(`^${component}(?:/${component})*$`)
const registryShape =
  /^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*)(?::[0-9]{1,5})?$/
const tagShape = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
export const digestShape = /^sha256:[0-9a-f]{64}$/

const hub = 'docker.io'

/** The parts of a reference; null when it is none. Without tag and digest the tag is `latest`. */
export function parseReference(text: string): Reference | null {
  const [named = '', digest = null, ...more] = text.split('@')
  if (more.length > 0 || (digest !== null && !digestShape.test(digest))) return null
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1)
  const tag = colon < 0 ? null : named.slice(colon + 1)
  if (tag !== null && !tagShape.test(tag)) return null
  const name = colon < 0 ? named : named.slice(0, colon)
  const { registry, path } = split(name)
  const repository = registry === hub && !path.includes('/') ? `library/${path}` : path
  if (!registryShape.test(registry) || !repositoryShape.test(repository) || name.length > 255) return null
  return {
    registry,
    host: registry === hub ? 'registry-1.docker.io' : registry,
    repository,
    tag: tag ?? (digest === null ? 'latest' : null),
    digest,
  }
}

/** The first part is a registry when it looks like a host: a dot, a port, `localhost`, or a capital letter. */
function split(name: string): { registry: string; path: string } {
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  const isHost = /[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase()
  if (!isHost) return { registry: hub, path: name }
  return { registry: registryName(first), path: name.slice(slash + 1) }
}

/** Docker Hub has several names; one for all. */
export const registryName = (host: string): string =>
  ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'].includes(host) ? hub : host
