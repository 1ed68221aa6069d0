// What an answer of a registry means: a digest, no such image, or nothing that can be relied on. Pure.
// The messages name the image and the registry and are shown to people as they are.
import { createHash } from 'node:crypto'
import type { Reference } from './reference.ts'
import type { Answer } from './transport.ts'

export type Resolution =
  | { readonly kind: 'digest'; readonly digest: string }
  /** The registry says that there is no such image. */
  | { readonly kind: 'not_found'; readonly message: string }
  /** Not known: no answer, no right, or an answer that cannot be trusted. */
  | { readonly kind: 'unavailable'; readonly message: string }

export type Busy = { readonly kind: 'busy'; readonly message: string; readonly retryAfterMs?: number }

export const isBusy = (answer: Answer): boolean => answer.status === 429 || answer.status >= 500

export function busy(reference: Reference, answer: Answer): Busy {
  const message =
    answer.status === 429
      ? `${reference.registry} limits how often it may be asked (429)`
      : `${reference.registry} answers ${answer.status}`
  return { kind: 'busy', message, retryAfterMs: retryAfter(answer.headers.get('retry-after')) }
}

/** Milliseconds of a Retry-After header: seconds or a date; undefined when it says nothing. */
function retryAfter(header: string | null): number | undefined {
  if (!header) return undefined
  const seconds = Number(header)
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}

/** The digest is the hash of the manifest's bytes; one that the registry claims must be the same. */
function hashed(image: string, answer: Answer): Resolution {
  if (isOldFormat(answer))
    return {
      kind: 'unavailable',
      message: `${image} has a manifest of the old format (schema 1), which has no digest`,
    }
  if (!isManifest(answer.body))
    return { kind: 'unavailable', message: `the registry's answer for ${image} is no manifest` }
  const digest = `sha256:${createHash('sha256').update(answer.body).digest('hex')}`
  const claimed = answer.headers.get('docker-content-digest')
  if (claimed?.startsWith('sha256:') && claimed !== digest)
    return {
      kind: 'unavailable',
      message: `the manifest of ${image} is not what its digest says: ${claimed} is claimed, ${digest} came`,
    }
  return { kind: 'digest', digest }
}

export const isOldFormat = (answer: Answer): boolean =>
  /manifest\.v1\+/.test(answer.headers.get('content-type') ?? '')

const isManifest = (body: Uint8Array): boolean =>
  (json(body) as { schemaVersion?: unknown } | null)?.schemaVersion === 2

/** The first error code of a registry's error body, such as MANIFEST_UNKNOWN. */
function errorCode(body: Uint8Array): string | null {
  const code = (json(body) as { errors?: { code?: unknown }[] } | null)?.errors?.[0]?.code
  return typeof code === 'string' ? code : null
}

export function json(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'))
  } catch {
    // Not JSON: the callers say what that means for them.
    return null
  }
}

/** What the last answer says; `user` is who asked, null for nobody. */
export function judge(reference: Reference, answer: Answer, user: string | null): Resolution | Busy {
  const { registry, repository, tag } = reference
  const image = `${registry}/${repository}:${tag}`
  if (isBusy(answer)) return busy(reference, answer)
  if (answer.status === 200) return hashed(image, answer)
  if (answer.status === 404) {
    const code = errorCode(answer.body)
    if (code && missing.includes(code))
      return { kind: 'not_found', message: `${image} does not exist in the registry (${words(code)})` }
    const message = `${registry} does not answer like a registry (404 without a reason)`
    return { kind: 'unavailable', message }
  }
  if (answer.status === 401 || answer.status === 403) {
    const who = user
      ? `the user ${user}`
      : 'gkube, which has no credentials for it (registries in gkube.yaml),'
    const message = `${registry} does not let ${who} read ${repository}, or there is no such repository`
    return { kind: 'unavailable', message }
  }
  return { kind: 'unavailable', message: `${registry} answers ${answer.status} for ${repository}:${tag}` }
}

const missing = ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'NAME_INVALID', 'NOT_FOUND']
const words = (code: string): string => code.toLowerCase().replaceAll('_', ' ')
