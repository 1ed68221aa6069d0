// Durations and quantities as people write them in YAML, and names as Kubernetes allows them.
// Kept as strings in records (what was written is what is shown); turned into numbers where they are used.
import { z } from 'zod'

/** `90s`, `10m`, `1h30m`, `0s`: a duration of whole seconds. */
export const duration = z
  .string()
  .regex(/^(?=\d)(\d+h)?(\d+m)?(\d+s)?$/, 'a duration such as 30s, 10m or 1h30m')
  .meta({ description: 'A duration such as 30s, 10m or 1h30m', examples: ['10m'] })

/** Seconds in a `duration`. */
export function seconds(text: string): number {
  const [, hours, minutes, secs] = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text) ?? []
  return Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(secs ?? 0)
}

/** A Kubernetes quantity (100m, 1.5, 128Mi). */
export const quantity = z.union([
  z
    .string()
    .regex(/^\d+(\.\d+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/, 'a quantity such as 100m, 0.5, 128Mi or 10Gi'),
  z.number().nonnegative(),
])

/** RFC 1123 label: names of apps, environments, containers, volumes (Kubernetes limit: 63). */
export const label = (most = 63) =>
  z
    .string()
    .max(most)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'lower-case letters, digits and dashes, such as web or web-2')

/** A name of an object that lives in Kubernetes (RFC 1123 subdomain, 253). */
export const objectName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'a Kubernetes object name such as web-config')

/** A Jenkins job's full path: folders and branch jobs, `shop/web` or `shop/web/feature%2Flogin`. */
export const jobPath = z
  .string()
  .min(1)
  .max(500)
  .regex(/^[^/\s](?:[^\n\r\t]*[^/\s])?$/, 'a Jenkins job path such as shop/web')
  // It becomes part of a key, encoded: half a character cannot be.
  .refine(path => path.isWellFormed(), 'a Jenkins job path such as shop/web')

/** A revision: a tag, a commit or a build number. No shell or mrkdwn characters: it becomes part of an image reference. */
export const revision = z
  .string()
  .min(1)
  .max(128)
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/,
    'letters, digits, dots, dashes and underscores, such as 1.4.2 or 3fa9c1e',
  )

const binary = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 } as const
const decimal = { m: 1e-3, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 } as const

/** The number a quantity stands for: cores for CPU, bytes for memory and storage. */
export function amount(text: string | number): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(String(text)) ?? []
  const factor = { ...binary, ...decimal }[unit as keyof typeof binary] ?? 1
  return Number(digits ?? Number.NaN) * factor
}

/** A moment as records and messages have it: `2025-11-23 17:26:03 UTC`. */
export const timeText = (ms: number): string =>
  Number.isFinite(ms) ? `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC` : 'an unknown time'
