// Reads the audit page by page, whole environments or from a time on, and several environments merged by time. Never
// more than a page of each is held. Ids begin with the time of the replica that wrote them, so keys sort by time.
import { encodeTime } from 'ulid'
import { auditSchema } from '../coordination.ts'
import type { Keys } from '../keys.ts'
import type { Entry, Kv } from '../kv.ts'
import type { AuditLine } from './verbs.ts'

type Side = { readonly kv: Pick<Kv, 'list'>; readonly keys: Keys }
type Range = {
  readonly since?: number | undefined
  readonly until?: number | undefined
  /** Newest first. */
  readonly reverse?: boolean
}

const pageSize = 200

/** The last time that an id can have: 48 bits. */
const lastTime = 2 ** 48 - 1
/** Where ids of that time begin. */
const idAt = (time: number): string => encodeTime(Math.min(time, lastTime), 10).toLowerCase()

/** Every environment that has entries or seals, `-` among them, also one that is not configured any more. */
export async function auditedEnvironments({ kv, keys }: Side): Promise<string[]> {
  const found = new Set<string>()
  for (const prefix of [keys.audits, keys.seals])
    for (let after: string | undefined; ; ) {
      const { entries } = await kv.list(prefix, {
        limit: 1,
        keysOnly: true,
        ...(after === undefined ? {} : { after }),
      })
      const name = entries[0]?.key.slice(prefix.length).split('/', 1)[0]
      if (!name) break
      found.add(name)
      // After all ids: they are letters and digits.
      after = `${prefix}${name}/~`
    }
  return [...found].toSorted()
}

/** The entries of one environment by time. */
async function* entriesOf({ kv, keys }: Side, environment: string, range: Range): AsyncGenerator<Entry> {
  const { since, until, reverse = false } = range
  const prefix = keys.auditIn(environment)
  const low = since === undefined ? undefined : prefix + idAt(since)
  const high = until === undefined ? undefined : prefix + idAt(until + 1)
  let after = reverse ? high : low
  for (;;) {
    const { entries } = await kv.list(prefix, {
      limit: pageSize,
      reverse,
      ...(after === undefined ? {} : { after }),
    })
    for (const entry of entries) {
      if (reverse ? low !== undefined && entry.key < low : high !== undefined && entry.key >= high) return
      yield entry
    }
    after = entries.at(-1)?.key
    if (entries.length < pageSize) return
  }
}

/** As people see it. */
export function lineOf({ keys }: Pick<Side, 'keys'>, { key, value, createRevision }: Entry): AuditLine {
  const [environment = '', id = ''] = key.slice(keys.audits.length).split('/')
  const parsed = auditSchema.safeParse(jsonOf(value))
  if (parsed.success) return { ...parsed.data, id, revision: createRevision }
  const issue = parsed.error.issues[0]
  const unreadable = `${issue?.path.join('.') || 'value'}: ${issue?.message ?? 'invalid'}`
  return { id, revision: createRevision, environment, unreadable }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** The entries of several environments as one, by time. */
export async function* linesOf(
  side: Side,
  environments: readonly string[],
  range: Range,
): AsyncGenerator<AuditLine> {
  const heads: Head[] = []
  try {
    for (const environment of environments) {
      const rest = entriesOf(side, environment, range)
      const { value, done } = await rest.next()
      if (!done) heads.push({ rest, entry: value })
    }
    for (let head = nextOf(heads, range); head; head = nextOf(heads, range)) {
      yield lineOf(side, head.entry)
      const { value, done } = await head.rest.next()
      if (done) heads.splice(heads.indexOf(head), 1)
      else head.entry = value
    }
  } finally {
    for (const { rest } of heads) await rest.return(undefined)
  }
}

type Head = { readonly rest: AsyncGenerator<Entry>; entry: Entry }

/** The first by its id; in reverse, the last. */
function nextOf(heads: readonly Head[], { reverse = false }: Range): Head | undefined {
  const idOf = ({ entry: { key } }: Head) => key.slice(key.lastIndexOf('/') + 1)
  return heads.reduce<Head | undefined>((first, head) => {
    if (!first) return head
    const before = idOf(head) < idOf(first)
    return before !== reverse ? head : first
  }, undefined)
}
