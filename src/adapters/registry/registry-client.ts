// From a tag to the digest it stands for now, by the Registry HTTP API v2: HEAD of the manifest, or the hash of its
// body where the registry gives no digest. One deadline for all of it, one retry. References are read in
// reference.ts, a single exchange is transport.ts, what an answer means is answers.ts. The core decides what an unpinned image means.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Busy, busy, isBusy, isOldFormat, json, judge, type Resolution } from './answers.ts'
import { type Challenge, parseChallenge } from './challenge.ts'
import { digestShape, parseReference, type Reference, registryName } from './reference.ts'
import { type Answer, check, exchange, type Fetch, TransportError } from './transport.ts'

export type Credential = {
  /** As image references name it: `docker.io`, `registry.example.com:5000`. */
  readonly host: string
  readonly username: string | null
  readonly password: string | null
  /** http instead of https; loopback only. */
  readonly insecure: boolean
}

export type RegistryOptions = {
  readonly credentials: readonly Credential[]
  /** For one `resolve`, everything included; default 5000. */
  readonly timeoutMs?: number
  /** How long a resolved tag may be answered from memory; default 0: never. */
  readonly cacheSeconds?: number
  /** The pause before the one retry, before jitter; default 300. */
  readonly retryMs?: number
  readonly fetch?: Fetch
}

const accept = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

/** A client for all registries; it holds tokens and, if asked to, resolved tags, both bounded. */
export function registryClient(options: RegistryOptions) {
  const { credentials, timeoutMs = 5000, cacheSeconds = 0, retryMs = 300, fetch = globalThis.fetch } = options
  const byRegistry = new Map(credentials.map(one => [registryName(one.host), one]))
  const authorizations = bounded<string>(1000)
  const resolved = bounded<string>(1000)
  const asking = new Map<string, Promise<Resolution>>()

  /** The digest of an image reference. Never throws for what a registry does; repeats at the same time ask once. */
  async function resolve(reference: string): Promise<Resolution> {
    const known = resolved.get(reference)
    if (known) return { kind: 'digest', digest: known }
    const answer = asking.get(reference) ?? ask(reference).finally(() => asking.delete(reference))
    asking.set(reference, answer)
    return answer
  }

  async function ask(text: string): Promise<Resolution> {
    const reference = parseReference(text)
    if (!reference) return { kind: 'not_found', message: `${text} is not an image reference` }
    if (reference.digest) return { kind: 'digest', digest: reference.digest }
    const signal = AbortSignal.timeout(timeoutMs)
    const end = Date.now() + timeoutMs
    try {
      const answer = await withRetry(() => manifest(reference, signal), end)
      if (answer.kind === 'digest' && cacheSeconds > 0)
        resolved.set(text, answer.digest, Date.now() + cacheSeconds * 1000)
      return answer
    } catch (error) {
      if (error instanceof TransportError) return { kind: 'unavailable', message: error.message }
      throw error
    }
  }

  /** One retry, jittered, where it may help and time is left. Retry-After is obeyed, or nothing is tried. */
  async function withRetry(attempt: () => Promise<Resolution | Busy>, end: number): Promise<Resolution> {
    const first = await attempt().catch((error: unknown): Busy => {
      if (error instanceof TransportError && error.retry) return { kind: 'busy', message: error.message }
      throw error
    })
    if (first.kind !== 'busy') return first
    const pause = first.retryAfterMs ?? retryMs * (0.5 + Math.random())
    if (Date.now() + pause >= end) return { kind: 'unavailable', message: first.message }
    await sleep(pause)
    const second = await attempt()
    return second.kind === 'busy' ? { kind: 'unavailable', message: second.message } : second
  }

  async function manifest(reference: Reference, signal: AbortSignal): Promise<Resolution | Busy> {
    const user = byRegistry.get(reference.registry)?.username ?? null
    const head = await authorized(reference, 'HEAD', signal)
    const digest = head.headers.get('docker-content-digest')
    if (head.status === 200 && digest !== null && digestShape.test(digest) && !isOldFormat(head))
      return { kind: 'digest', digest }
    if (isBusy(head)) return busy(reference, head)
    // 200 without a digest, 404 (HEAD cannot say what is missing), 405: the body tells.
    const mayTell = [200, 400, 404, 405].includes(head.status)
    return judge(reference, mayTell ? await authorized(reference, 'GET', signal) : head, user)
  }

  /** Sends a request, answering a challenge once. */
  async function authorized(
    reference: Reference,
    method: 'GET' | 'HEAD',
    signal: AbortSignal,
  ): Promise<Answer> {
    const insecure = byRegistry.get(reference.registry)?.insecure ?? false
    const url = new URL(
      `${insecure ? 'http' : 'https'}://${reference.host}/v2/${reference.repository}/manifests/${reference.tag}`,
    )
    const key = `${reference.registry}/${reference.repository}`
    const send = (authorization: string | undefined) =>
      exchange(fetch, url, { method, headers: { accept }, authorization, signal, insecure })
    const answer = await send(authorizations.get(key))
    if (answer.status !== 401) return answer
    authorizations.delete(key)
    const challenge = parseChallenge(answer.headers.get('www-authenticate'))
    // Another host's challenge (after a redirect) is none of ours to answer.
    if (!challenge || answer.url.origin !== url.origin) return answer
    const granted = await authorize(reference, challenge, url, signal)
    if (!granted) return answer
    authorizations.set(key, granted.authorization, granted.until)
    return send(granted.authorization)
  }

  async function authorize(reference: Reference, challenge: Challenge, url: URL, signal: AbortSignal) {
    const credential = byRegistry.get(reference.registry)
    const { username, password } = credential ?? {}
    const basic =
      username && password ? `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` : undefined
    if (challenge.scheme === 'basic')
      return basic ? { authorization: basic, until: Number.POSITIVE_INFINITY } : undefined
    const realm = URL.parse(challenge.realm, url.href)
    if (!realm)
      throw new TransportError(`${reference.registry} names a token server that is no address`, false)
    check(realm, url, credential?.insecure ?? false)
    if (challenge.service) realm.searchParams.set('service', challenge.service)
    realm.searchParams.set('scope', challenge.scope ?? `repository:${reference.repository}:pull`)
    return token(reference, realm, basic, signal)
  }

  async function token(
    reference: Reference,
    realm: URL,
    authorization: string | undefined,
    signal: AbortSignal,
  ) {
    const insecure = byRegistry.get(reference.registry)?.insecure ?? false
    const sentAt = Date.now()
    const answer = await exchange(fetch, realm, {
      method: 'GET',
      headers: {},
      authorization,
      signal,
      insecure,
    })
    if (isBusy(answer))
      throw new TransportError(`the token server ${realm.host} answers ${answer.status}`, true)
    if (answer.status !== 200) return undefined
    const body = json(answer.body) as { token?: unknown; access_token?: unknown; expires_in?: unknown } | null
    const text = body?.token ?? body?.access_token
    if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text))
      throw new TransportError(`the token server ${realm.host} gave no token`, false)
    // The specification's default is 60 s; a token must not end on its way.
    const seconds = typeof body?.expires_in === 'number' ? body.expires_in : 60
    return { authorization: `Bearer ${text}`, until: sentAt + Math.max(0, seconds - 10) * 1000 }
  }

  return { resolve }
}

/** A map that forgets what is over, and the oldest when it is full. */
function bounded<T>(most: number) {
  const entries = new Map<string, { value: T; until: number }>()
  return {
    get(key: string): T | undefined {
      const entry = entries.get(key)
      if (entry && entry.until > Date.now()) return entry.value
      entries.delete(key)
      return undefined
    },
    set(key: string, value: T, until: number): void {
      entries.delete(key)
      const [oldest] = entries.keys()
      if (entries.size >= most && oldest !== undefined) entries.delete(oldest)
      entries.set(key, { value, until })
    },
    delete: (key: string): void => void entries.delete(key),
  }
}
