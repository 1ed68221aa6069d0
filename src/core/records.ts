// Pairs an etcd entry with its schema. A value that does not parse is reported by key and never overwritten:
// every commit compares what was read, and nothing is read from it. Keys are built in keys.ts.
import { randomBytes, randomUUID } from 'node:crypto'
import { ulid } from 'ulid'
import type { z } from 'zod'
import { UserError } from '../errors.ts'
import type { Compare, Entry, Kv, Revision, Write } from './kv.ts'

/** A record as read: its value and what a compare-and-swap needs. */
export type Stored<T> = {
  readonly key: string
  readonly value: T
  readonly modRevision: Revision
  readonly createRevision: Revision
}

/** A record in etcd that this version cannot read. */
export class UnreadableRecord extends UserError {
  readonly key: string
  constructor(key: string, why: string) {
    super(
      'conflict',
      `The record ${key} cannot be read by this version of gkube (${why}). It is left as it is. ` +
        'Run the newest gkube, or let an operator free it: gkube release <app> --environment <env> --force --reason …',
      { details: { key } },
    )
    this.name = 'UnreadableRecord'
    this.key = key
  }
}

/** What was parsed last, by key: one change of the feed is read by the view, the notifier and whoever follows. */
const parsedBefore = new Map<string, { schema: unknown; value: string; stored: Stored<unknown> }>()
const mostParsed = 1_000
const longestParsed = 16_384

/** Parses an entry; throws UnreadableRecord. The same entry may give the same object again: nobody changes it. */
export function decode<T>(schema: z.ZodType<T>, entry: Entry): Stored<T> {
  const before = parsedBefore.get(entry.key)
  // By its bytes, not by its revision: an etcd that was restored counts revisions again.
  if (
    before?.schema === schema &&
    before.value === entry.value &&
    before.stored.modRevision === entry.modRevision &&
    before.stored.createRevision === entry.createRevision
  ) {
    // What is asked for again and again (an app) outlives what comes once (its deploys).
    parsedBefore.delete(entry.key)
    parsedBefore.set(entry.key, before)
    // Made by this very schema.
    return before.stored as Stored<T>
  }
  const stored = parse(schema, entry)
  if (entry.value.length > longestParsed) return stored
  parsedBefore.delete(entry.key)
  parsedBefore.set(entry.key, { schema, value: entry.value, stored })
  const oldest = parsedBefore.keys().next().value
  if (parsedBefore.size > mostParsed && oldest !== undefined) parsedBefore.delete(oldest)
  return stored
}

function parse<T>(schema: z.ZodType<T>, entry: Entry): Stored<T> {
  let json: unknown
  try {
    json = JSON.parse(entry.value)
  } catch {
    throw new UnreadableRecord(entry.key, 'not JSON')
  }
  const parsed = schema.safeParse(withoutWriteId(json))
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new UnreadableRecord(
      entry.key,
      `${issue?.path.join('.') || 'value'}: ${issue?.message ?? 'invalid'}`,
    )
  }
  return {
    key: entry.key,
    value: parsed.data,
    modRevision: entry.modRevision,
    createRevision: entry.createRevision,
  }
}

/** The token of the write is not part of the record. */
function withoutWriteId(json: unknown): unknown {
  if (typeof json !== 'object' || json === null || !('writeId' in json)) return json
  const { writeId: _, ...record } = json
  return record
}

/** Parses what can be parsed and hands the rest to `unreadable`. */
export function decodeAll<T>(
  schema: z.ZodType<T>,
  entries: Iterable<Entry>,
  unreadable: (error: UnreadableRecord) => void,
): Stored<T>[] {
  const records: Stored<T>[] = []
  for (const entry of entries) {
    try {
      records.push(decode(schema, entry))
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
      unreadable(error)
    }
  }
  return records
}

/** Reads one record; null if there is none. */
export async function read<T>(
  kv: Pick<Kv, 'get'>,
  schema: z.ZodType<T>,
  key: string,
): Promise<Stored<T> | null> {
  const entry = await kv.get(key)
  return entry ? decode(schema, entry) : null
}

/** A put of a record. The `writeId` makes its bytes unique, so that an unknown outcome is resolved by reading. */
export const put = (key: string, value: object, lease?: string): Write => ({
  kind: 'put',
  key,
  value: JSON.stringify({ ...value, writeId: randomUUID() }),
  ...(lease ? { lease } : {}),
})

export const remove = (key: string): Write => ({ kind: 'delete', key })

/** The compare that a record is still as it was read; null: still absent. */
export const unchanged = (key: string, stored: { readonly modRevision: Revision } | null): Compare =>
  stored ? { kind: 'unchanged', key, modRevision: stored.modRevision } : { kind: 'absent', key }

/** An id that sorts by time and is safe in object names and URLs. Order is never taken from it. */
export const newId = (now: number): string => ulid(now, random).toLowerCase()

/** ulid asks for a number a letter: a call of the system each is what most of its time goes to. */
let pool = Buffer.alloc(0)
let used = 0
function random(): number {
  if (used === pool.length) {
    pool = randomBytes(1024)
    used = 0
  }
  return (pool[used++] ?? 0) / 256
}
