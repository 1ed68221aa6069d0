// Checks the chain of one environment against what lies in etcd, page by page: each seal follows from the one before, each
// entry is as it was sealed, none is gone except by retention, none stands between sealed ones unsealed. What is after
// the last seal is counted only. What this can prove and what not is in docs/audit.md.
import { type Seal, sealSchema } from '../coordination.ts'
import type { Keys } from '../keys.ts'
import { type Entry, type Kv, newer, type Revision } from '../kv.ts'
import { lineOf } from './reading.ts'
import { retentionAction, throughSeal } from './retention.ts'
import { inOrder, leafHash, leavesHold, sealHash } from './seal.ts'
import type { AuditReport, Break } from './verbs.ts'

type Side = { readonly kv: Pick<Kv, 'get' | 'getMany' | 'list'>; readonly keys: Keys }

/** Breaks that are told one by one. */
const mostBreaks = 10
const pageSeals = 10
const pageKeys = 500

type Findings = {
  readonly breaks: Break[]
  /** Breaks that are not told one by one. */
  more: number
  broken(key: string, what: Break['what'], message: string): void
  /** Of the removals whose entries were found: the last seal that they took. */
  vouched: number
  /** Each entry that was read. */
  lookAt(entry: Entry): void
}

export async function verifyEnvironment(
  side: Side,
  environment: string,
  { head, signal }: { head?: string | undefined; signal: AbortSignal },
): Promise<AuditReport> {
  const { kv, keys } = side
  const findings = createFindings(side)
  const newest = await kv.list(keys.sealsIn(environment), { limit: 1, reverse: true })
  const chain = await walk(side, environment, { last: newest.entries[0]?.key, head, signal, findings })
  const { before, gone, anchor } = chain
  const until = before?.to ?? null
  const rest = await scan(side, environment, { until, signal, lookAt: findings.lookAt })
  if (until !== null && rest.within > chain.present)
    for (const key of await strangers(side, environment, { until, last: newest.entries[0]?.key, signal }))
      findings.broken(key, 'added', 'it is older than the last seal, and no seal holds it')
  if (gone.seals > 0 && findings.vouched < gone.seals)
    findings.broken(
      keys.seal(environment, gone.seals),
      'missing',
      'entries up to this seal are gone, and no entry of the audit says that retention removed them',
    )
  if (head !== undefined && anchor === null)
    findings.broken(
      keys.sealsIn(environment),
      'forged',
      `no seal has the hash ${head}: the chain was made anew or cut, or the hash is of another environment`,
    )
  return {
    environment,
    sealed: chain.sealed,
    seals: chain.seals,
    gone: gone.seals > 0 ? gone : null,
    tail: { entries: rest.tail, since: rest.since },
    head: before && { n: before.n, hash: before.hash, at: before.at },
    anchor,
    breaks: findings.breaks,
    more: findings.more,
  }
}

function createFindings(side: Pick<Side, 'keys'>): Findings {
  const findings: Findings = {
    breaks: [],
    more: 0,
    vouched: 0,
    broken(key, what, message) {
      if (findings.breaks.length < mostBreaks) findings.breaks.push({ key, what, message })
      else findings.more++
    },
    lookAt(entry) {
      if (!entry.value.includes(`"${retentionAction}"`)) return
      const line = lineOf(side, entry)
      if ('action' in line && line.action === retentionAction)
        findings.vouched = Math.max(findings.vouched, throughSeal(line.detail) ?? 0)
    },
  }
  return findings
}

type Chain = {
  before: Seal | null
  seals: number
  /** Entries that are as they were sealed, and those that are there at all in their place. */
  sealed: number
  present: number
  anchor: number | null
  gone: { seals: number; entries: number; until: number }
}

/** From the first seal to the last one of when it was begun. */
async function walk(
  side: Side,
  environment: string,
  at: { last: string | undefined; head: string | undefined; signal: AbortSignal; findings: Findings },
): Promise<Chain> {
  const { keys } = side
  const { broken } = at.findings
  const chain: Chain = {
    before: null,
    seals: 0,
    sealed: 0,
    present: 0,
    anchor: null,
    gone: { seals: 0, entries: 0, until: 0 },
  }
  let next = 1
  for await (const entry of sealEntries(side, environment, at.last)) {
    at.signal.throwIfAborted()
    const seal = sealOf(entry)
    if (!seal || entry.key !== keys.seal(environment, seal.n) || seal.environment !== environment) {
      broken(entry.key, 'forged', 'it is no seal that this version of gkube has written')
      next++
      continue
    }
    if (seal.n !== next) broken(keys.seal(environment, next), 'missing', 'this seal is not there')
    const why = forgery(seal, seal.n === next ? chain.before : null)
    if (why) broken(entry.key, 'forged', why)
    else if (at.head === seal.hash) chain.anchor = seal.n
    next = seal.n + 1
    chain.seals++
    chain.before = seal
    await checkRange(side, environment, { seal, chain, findings: at.findings })
  }
  return chain
}

/** The entries of one seal, against what lies in etcd. */
async function checkRange(
  side: Side,
  environment: string,
  { seal, chain, findings }: { seal: Seal; chain: Chain; findings: Findings },
): Promise<void> {
  const { keys } = side
  const found = seal.entries && (await entriesOf(side, environment, seal))
  if (!found) {
    const followsWhole = chain.gone.seals < chain.seals - 1
    if (followsWhole && !(await isGone(side, environment, seal.n - 1)))
      findings.broken(
        keys.seal(environment, seal.n),
        'missing',
        'its entries are gone, but older ones are not: no retention does that',
      )
    chain.gone = { seals: seal.n, entries: chain.gone.entries + seal.count, until: seal.at }
    return
  }
  for (const [id, revision, hash] of seal.entries ?? []) {
    const key = keys.audit(environment, id)
    const there = found.get(key)
    if (there) findings.lookAt(there)
    if (there && !newer(there.createRevision, seal.to)) chain.present++
    const wrong = differs(there, { key, revision, hash })
    if (wrong) findings.broken(key, wrong.what, wrong.message)
    else chain.sealed++
  }
}

/** Retention removes the oldest first: it may have begun after those were found whole. */
async function isGone({ kv, keys }: Side, environment: string, n: number): Promise<boolean> {
  const seal = await kv.get(keys.seal(environment, n))
  return seal !== null && sealOf(seal)?.entries === null
}

/** The seals in their order, up to the one that was the last when it was begun. */
async function* sealEntries(
  { kv, keys }: Side,
  environment: string,
  last: string | undefined,
): AsyncGenerator<Entry> {
  if (last === undefined) return
  for (let after: string | undefined; ; ) {
    const page = await kv.list(keys.sealsIn(environment), {
      limit: pageSeals,
      ...(after === undefined ? {} : { after }),
    })
    for (const entry of page.entries) {
      if (entry.key > last) return
      yield entry
    }
    after = page.entries.at(-1)?.key
    if (page.entries.length < pageSeals) return
  }
}

function sealOf({ value }: Pick<Entry, 'value'>): Seal | null {
  try {
    return sealSchema.parse(JSON.parse(value))
  } catch {
    return null
  }
}

/** Why a seal is not one, in words; null: it is. */
function forgery(seal: Seal, before: Seal | null): string | null {
  if (seal.hash !== sealHash(seal)) return 'its hash is not that of its content'
  if (seal.n === 1 && seal.previous !== '') return 'it is the first, but names one before it'
  if (before && seal.previous !== before.hash) return `it does not follow from seal ${before.n}`
  if (before && !newer(seal.from, before.to)) return `it begins before the end of seal ${before.n}`
  if (!leavesHold(seal)) return 'its list of entries is not the one that was sealed'
  const leaves = (seal.entries ?? []).map(([id, createRevision]) => ({ id, createRevision }))
  const unordered = leaves.some((leaf, at) => at > 0 && inOrder(leaves[at - 1] ?? leaf, leaf) >= 0)
  return unordered ? 'its entries are not in the order of their creation' : null
}

/** What it sealed, as it is now; null: retention has just removed it. */
async function entriesOf(
  { kv, keys }: Side,
  environment: string,
  seal: Seal,
): Promise<ReadonlyMap<string, Entry> | null> {
  const wanted = (seal.entries ?? []).map(([id]) => keys.audit(environment, id))
  const found = new Map<string, Entry>()
  for (let at = 0; at < wanted.length; at += 100)
    for (const [key, entry] of await kv.getMany(wanted.slice(at, at + 100))) found.set(key, entry)
  if (found.size === new Set(wanted).size) return found
  const again = await kv.get(keys.seal(environment, seal.n))
  return again && sealOf(again)?.entries === null ? null : found
}

type Leaf = { readonly key: string; readonly revision: Revision; readonly hash: string }

function differs(there: Entry | undefined, leaf: Leaf): Pick<Break, 'what' | 'message'> | null {
  if (!there) return { what: 'missing', message: 'it was sealed and is not there any more' }
  if (leafHash(there) === leaf.hash) return null
  if (there.createRevision === leaf.revision)
    return { what: 'changed', message: 'its content is not the one that was sealed' }
  const same = leafHash({ ...there, createRevision: leaf.revision }) === leaf.hash
  return same
    ? { what: 'reordered', message: 'it was deleted and written again later, with the same content' }
    : { what: 'changed', message: 'it was deleted and written again, with other content' }
}

/** Pages through the keys: how many are up to the last seal, and what comes after it. */
async function scan(
  { kv, keys }: Side,
  environment: string,
  at: { until: Revision | null; signal: AbortSignal; lookAt: (entry: Entry) => void },
): Promise<{ within: number; tail: number; since: number | null }> {
  const result = { within: 0, tail: 0, since: null as number | null }
  for await (const page of keyPages({ kv, keys }, environment, at.signal)) {
    const isTail = ({ createRevision }: Entry) => at.until === null || newer(createRevision, at.until)
    const unsealed = page.filter(isTail).map(({ key }) => key)
    result.within += page.length - unsealed.length
    result.tail += unsealed.length
    for (let from = 0; from < unsealed.length; from += 100)
      for (const entry of (await kv.getMany(unsealed.slice(from, from + 100))).values()) {
        at.lookAt(entry)
        const line = lineOf({ keys }, entry)
        if ('at' in line) result.since = Math.min(result.since ?? line.at, line.at)
      }
  }
  return result
}

async function* keyPages(
  { kv, keys }: Pick<Side, 'keys'> & { readonly kv: Pick<Kv, 'list'> },
  environment: string,
  signal: AbortSignal,
): AsyncGenerator<Entry[]> {
  for (let after: string | undefined; ; ) {
    signal.throwIfAborted()
    const { entries } = await kv.list(keys.auditIn(environment), {
      limit: pageKeys,
      keysOnly: true,
      ...(after === undefined ? {} : { after }),
    })
    yield entries
    after = entries.at(-1)?.key
    if (entries.length < pageKeys) return
  }
}

/** Keys up to the last seal that stand in none. Only here all ids are held at once: something is wrong by then. */
async function strangers(
  side: Side,
  environment: string,
  { until, last, signal }: { until: Revision; last: string | undefined; signal: AbortSignal },
): Promise<string[]> {
  const known = new Set<string>()
  for await (const entry of sealEntries(side, environment, last))
    for (const [id] of sealOf(entry)?.entries ?? []) known.add(side.keys.audit(environment, id))
  const found: string[] = []
  for await (const page of keyPages(side, environment, signal))
    for (const { key, createRevision } of page)
      if (!newer(createRevision, until) && !known.has(key)) found.push(key)
  return found
}
