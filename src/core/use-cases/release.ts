// `gkube release --force`: an operator frees what a person must free. The epoch is raised, so that whoever still
// writes is refused; records that do not parse are moved to quarantine, never dropped.

import type { z } from 'zod'
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import { type Active, activeSchema, freezeSchema } from '../coordination.ts'
import { type Caller, type Core, lockSchema } from '../core.ts'
import { type Actor, deploySchema, isTerminal } from '../deploy.ts'
import type { Environment } from '../environment.ts'
import type { Compare, Entry, Write } from '../kv.ts'
import { demand, may } from '../policy.ts'
import { decode, newId, put, remove, type Stored, UnreadableRecord, unchanged } from '../records.ts'
import { transition } from '../transition.ts'
import { workloadSchema } from '../workload.ts'
import { type Deps, environmentNamed } from './deps.ts'

/** Deploys freed in one transaction; etcd takes 128 operations. */
const batch = 15

type Place = { readonly app: string; readonly environment: string }
type Asked = Place & { readonly by: Actor; readonly reason: string; readonly now: number }

/** What is done to one record, in the transaction of its batch. */
type Part = {
  readonly key: string
  readonly compares: readonly Compare[]
  readonly writes: readonly Write[]
}

/** A record that holds what waits, and what it must be. */
type Holding = readonly [key: string, schema: z.ZodType]

export function release(deps: Deps): Core['release'] {
  const { keys } = deps
  return async (caller, { app, environment, reason }) => {
    const env = environmentNamed(deps, environment)
    demand(caller, 'release', { app, environment: env }, deps.people)
    if (!reason.trim()) throw new UserError('bad_input', 'Say why: --reason "…"')
    const asked: Asked = { app, environment, by: caller.actor, reason, now: deps.clock.now() }
    const found = await survey(deps, asked, heldWidely(deps, caller, env))
    const { active, slots } = found
    if (found.parts.length === 0 && slots.length === 0 && !active.holds)
      throw new UserError(
        'not_found',
        `Nothing of ${app} in ${environment} is stuck: every record can be read and every deploy has ended.`,
      )
    for (let at = 0; at < found.parts.length; at += batch)
      await write(deps, found.parts.slice(at, at + batch))
    const released = [...found.parts.map(part => part.key), ...(active.part ? [active.part.key] : [])]
    const audit = auditPut(keys, asked.now, {
      by: caller.actor,
      action: 'release',
      outcome: 'released',
      app,
      environment,
      detail: `${reason} (${released.length} records)`,
    })
    // Last: what stopped half-way is found again, because `active` still holds.
    await write(deps, [active.raise, ...(active.part ? [active.part] : [])], [...slots.map(remove), audit])
    return { released }
  }
}

/** Locks and freezes of more than the app: nobody could end one that cannot be read. By who may release all that it holds. */
function heldWidely({ keys, environments }: Deps, caller: Caller, at: Environment): Holding[] {
  const mayAll = (environment: Environment) => may(caller, 'release', { app: '*', environment })
  const here: Holding[] = [
    [keys.lockEnv(at.name), lockSchema],
    [keys.freeze(at.name), freezeSchema],
  ]
  return [
    ...(mayAll(at) ? here : []),
    ...([...environments.values()].every(mayAll) ? [[keys.lockAll, lockSchema] as const] : []),
  ]
}

/** All that is stuck, as what would be done to it. */
async function survey(deps: Deps, asked: Asked, widely: readonly Holding[]) {
  const { kv, keys } = deps
  const { app, environment } = asked
  const prefix = keys.history(environment, app)
  const history = await kv.list(prefix, { keysOnly: true })
  const ids = history.entries.map(entry => entry.key.slice(prefix.length))
  const activeKey = keys.active(environment, app)
  const holding: readonly Holding[] = [
    [keys.workload(environment, app), workloadSchema],
    [keys.lockApp(environment, app), lockSchema],
    ...widely,
  ]
  const entries = await readAll(deps, [activeKey, ...holding.map(([key]) => key), ...ids.map(keys.deploy)])
  const broken = holding.flatMap(([key, schema]) => {
    const entry = entries.get(key)
    return entry && !parse(schema, entry) ? [quarantined(deps, asked, entry)] : []
  })
  const deploys = ids.flatMap(id => {
    const entry = entries.get(keys.deploy(id))
    return (entry && freed(deps, asked, { id, entry })) ?? []
  })
  const { entries: slots } = await kv.list(keys.slots(environment))
  return {
    parts: [...broken, ...deploys],
    active: raised(deps, asked, entries.get(activeKey)),
    slots: slots.filter(({ value }) => ids.some(id => value.includes(`"${id}"`))).map(slot => slot.key),
  }
}

/** A deploy that has not ended is ended; one that cannot be read is moved away; null where nothing is to be done. */
function freed(deps: Deps, asked: Asked, { id, entry }: { id: string; entry: Entry }): Part[] | null {
  const left = traces(deps, asked.environment, asked.app, id)
  const stored = parse(deploySchema, entry)
  if (!stored) {
    const part = quarantined(deps, asked, entry)
    return [{ ...part, writes: [...part.writes, ...left, releasedEntry(deps, asked, id, 'quarantined')] }]
  }
  if (isTerminal(stored.value.phase)) return null
  const message = `Released by ${asked.by.name}: ${asked.reason}`.slice(0, 1000)
  const moved = transition(stored.value, { kind: 'release', by: asked.by, message }, asked.now)
  if (moved.kind !== 'moved') return null
  return [
    {
      key: entry.key,
      compares: [unchanged(entry.key, entry)],
      writes: [put(entry.key, moved.deploy), ...left, releasedEntry(deps, asked, id, moved.deploy.phase)],
    },
  ]
}

/** Each deploy that is freed has an entry of its own, as every end of one has. */
function releasedEntry({ keys }: Deps, asked: Asked, deploy: string, outcome: string): Write {
  const { by, app, environment, reason, now } = asked
  return auditPut(keys, now, { by, action: 'release', outcome, app, environment, deploy, detail: reason })
}

/** Moved, never dropped: a newer gkube may read it. */
function quarantined({ keys }: Deps, { app, environment, reason, now }: Asked, entry: Entry): Part {
  const { key, value } = entry
  const copy = { schema: 1, key, value, reason, at: now }
  return {
    key,
    compares: [unchanged(key, entry)],
    writes: [put(keys.quarantine(environment, app, newId(now)), copy), remove(key)],
  }
}

/** `active` with a higher epoch and nobody on it. One that cannot be read is replaced, and kept in quarantine. */
function raised(deps: Deps, asked: Asked, entry: Entry | undefined) {
  const key = deps.keys.active(asked.environment, asked.app)
  const active = entry ? parse(activeSchema, entry) : null
  const [copy] = entry && !active ? quarantined(deps, asked, entry).writes : []
  const epoch = (active ? active.value.epoch : entry ? epochIn(entry.value, asked.now) : 0) + 1
  const raise: Part = {
    key,
    compares: [unchanged(key, entry ?? null)],
    writes: [put(key, { schema: 1, epoch, deploy: null } satisfies Active)],
  }
  const part: Part | null = copy ? { key, compares: [], writes: [copy] } : null
  return { raise, part, holds: Boolean(copy) || Boolean(active?.value.deploy) }
}

/** A newer schema still names it; else one that is surely higher: no team deploys once a millisecond. */
const epochIn = (unreadable: string, now: number): number =>
  Number(/"epoch":\s*(\d{1,15})\b/.exec(unreadable)?.[1] ?? now)

async function write({ kv }: Deps, parts: readonly Part[], more: readonly Write[] = []): Promise<void> {
  const { committed } = await kv.commit({
    compares: parts.flatMap(part => part.compares),
    writes: [...parts.flatMap(part => part.writes), ...more],
  })
  if (!committed)
    throw new UserError(
      'conflict',
      'Something moved at the same moment. Look again: gkube status, then try again.',
    )
}

const traces = ({ keys }: Pick<Deps, 'keys'>, env: string, app: string, id: string): Write[] => [
  remove(keys.openEntry(id)),
  remove(keys.queueEntry(env, app, id)),
  remove(keys.owner(id)),
  remove(keys.intent(id, 'cancel')),
]

async function readAll(deps: Deps, keys: readonly string[]): Promise<Map<string, Entry>> {
  const found = new Map<string, Entry>()
  for (let at = 0; at < keys.length; at += 100)
    for (const [key, entry] of await deps.kv.getMany(keys.slice(at, at + 100))) found.set(key, entry)
  return found
}

/** The record, or null where it does not parse. */
function parse<T>(schema: z.ZodType<T>, entry: Entry): Stored<T> | null {
  try {
    return decode(schema, entry)
  } catch (error) {
    if (error instanceof UnreadableRecord) return null
    throw error
  }
}
