// Where two values differ, one short line each: `path old → new`, `+ path new`, `- path`. Lists of named things are
// compared by name. Knows nothing of kinds; changes.ts says which paths have better words.
import { hidden, looksSecret } from '../mask.ts'
import { type Fields, isFields } from '../objects/pod-templates.ts'
import { redactText } from '../redact.ts'

/** One difference; `path` ends at the topmost field that only one side has. */
export type Difference = { readonly path: readonly string[]; readonly from: unknown; readonly to: unknown }

/** What tells the items of a list apart, most telling first. */
const identities = [
  // Two mounts may be of one volume.
  'mountPath',
  'name',
  'containerPort',
  'port',
  'host',
  'ip',
  'topologyKey',
  'secretName',
  'path',
]

/** The name under which an item of a list is compared. */
function identity(items: readonly unknown[]): ((item: Fields) => string) | null {
  if (items.length === 0 || !items.every(isFields)) return null
  const named = identities.find(key => items.every(item => isFields(item) && item[key] !== undefined))
  return named === undefined ? null : item => String(item[named])
}

function byName(list: readonly unknown[], name: ((item: Fields) => string) | null): Map<string, unknown> {
  return new Map(list.map((item, i) => [name && isFields(item) ? name(item) : String(i), item]))
}

/** The parts of a map or a list under their names; null for anything that has no parts. */
function parts(value: unknown, other: unknown): Map<string, unknown> | null {
  if (isFields(value)) return new Map(Object.entries(value))
  if (!Array.isArray(value)) return null
  const all = [...value, ...(Array.isArray(other) ? other : [])]
  // A list of plain values (args, hosts) reads better whole.
  if (!all.some(isFields)) return null
  return byName(value, identity(all))
}

/** All differences, in the order of the fields. */
export function differences(from: unknown, to: unknown, path: readonly string[] = []): Difference[] {
  const [old, next] = [parts(from, to), parts(to, from)]
  if (!old || !next) return JSON.stringify(from) === JSON.stringify(to) ? [] : [{ path, from, to }]
  const names = new Set([...old.keys(), ...next.keys()])
  return [...names].flatMap(name => differences(old.get(name), next.get(name), [...path, name]))
}

const longest = 60

/** A value on one line: short, and hidden where its name or its look says that it is secret. */
export function shown(name: string, value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'none')
  if (typeof value === 'string' && looksSecret(name, value)) return hidden
  const line = redactText(text).replaceAll('\n', '\\n')
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line
}

/** `label old → new` with `+` and `-` where one side has nothing. */
export function line(label: string, name: string, from: unknown, to: unknown): string {
  if (from === undefined) return `+ ${label} ${shown(name, to)}`.trimEnd()
  if (to === undefined) return `- ${label}`
  const [old, next] = [shown(name, from), shown(name, to)]
  return old === next
    ? `${label} changed${old.includes(hidden) ? ` ${hidden}` : ''}`
    : `${label} ${old} → ${next}`
}
