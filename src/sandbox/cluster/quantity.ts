// Kubernetes quantities (`250m`, `1.5Gi`): to a number and back, and sums of what pods ask for.
// Numbers are exact enough for comparing; nothing here is stored.
import type { Json } from './object.ts'

const units: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
}

const form = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTP]|[KMGTP]i)?)$/

/** The number, or undefined for what is not a quantity. */
export function parseQuantity(text: Json): number | undefined {
  const match = form.exec(String(text ?? ''))
  if (!match) return undefined
  const [, digits = '', exponent = '', unit = ''] = match
  return Number(`${digits}${exponent}`) * (units[unit] ?? 1)
}

export const quantity = (text: Json): number => parseQuantity(text) ?? 0

/** A number as people write it for this resource. */
export function formatQuantity(value: number, resource: string): string {
  if (resource.endsWith('cpu'))
    return Number.isInteger(value) ? String(value) : `${Math.round(value * 1000)}m`
  for (const unit of ['Gi', 'Mi', 'Ki']) {
    const size = units[unit] ?? 1
    if (value >= size && value % size === 0) return `${value / size}${unit}`
  }
  return String(value)
}

/** What a pod asks for of a resource: its containers and sidecars, or its largest init container. */
export function podResource(spec: Json, resource: string, of: 'requests' | 'limits'): number {
  const one = (container: Json) => {
    const { requests, limits } = container.resources ?? {}
    return quantity((of === 'limits' ? limits : { ...limits, ...requests })?.[resource])
  }
  const sum = (list: Json[]) => list.reduce((total, container) => total + one(container), 0)
  const inits: Json[] = spec.initContainers ?? []
  const sidecars = inits.filter(container => container.restartPolicy === 'Always')
  const largest = Math.max(0, ...inits.filter(container => container.restartPolicy !== 'Always').map(one))
  return Math.max(sum(spec.containers ?? []) + sum(sidecars), largest)
}

const decimal = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P']
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi']

/** A quantity in the server's own form: no fraction, the largest unit of its family that divides it. */
export function canonicalQuantity(text: Json): Json {
  const value = parseQuantity(text)
  if (value === undefined || value === 0) return value === 0 ? '0' : text
  const families = /i$/.test(String(text)) ? [binary, decimal] : [decimal]
  for (const family of families) {
    const step = family === binary ? 1024 : 1000
    for (let i = family.length - 1; i >= 0; i--) {
      const size = step ** (i - family.indexOf(''))
      const digits = Math.round((value / size) * 1e6) / 1e6
      if (Number.isInteger(digits) && digits !== 0) return `${digits}${family[i]}`
    }
  }
  return text
}

/** Guaranteed, Burstable or BestEffort. */
export function qosClass(spec: Json): string {
  const containers: Json[] = [...spec.containers, ...(spec.initContainers ?? [])]
  const amounts = containers.flatMap(({ resources = {} }) =>
    ['cpu', 'memory'].map(of => [
      quantity(resources.requests?.[of] ?? resources.limits?.[of]),
      quantity(resources.limits?.[of]),
    ]),
  )
  if (amounts.every(([asked, limit]) => !asked && !limit)) return 'BestEffort'
  return amounts.every(([asked, limit]) => limit && asked === limit) ? 'Guaranteed' : 'Burstable'
}
