// `gkube release --force`: an operator frees what a person must free. The epoch is raised, so that whoever still
// writes is refused; records that do not parse are moved to quarantine, never dropped.

import type { z } from 'zod'
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import { activeSchema } from '../coordination.ts'
import type { Core } from '../core.ts'
import { deploySchema, isTerminal } from '../deploy.ts'
import type { Compare, Entry, Write } from '../kv.ts'
import { demand } from '../policy.ts'
import { decode, newId, put, remove, type Stored, UnreadableRecord } from '../records.ts'
import { transition } from '../transition.ts'
import { workloadSchema } from '../workload.ts'
import { type Deps, environmentNamed } from './deps.ts'

export function release(deps: Deps): Core['release'] {
  const { kv, keys, clock } = deps
  return async (caller, { app, environment, reason }) => {
    const env = environmentNamed(deps, environment)
    demand(caller, 'release', { app, environment: env }, deps.people)
    if (!reason.trim()) throw new UserError('bad_input', 'Say why: --reason "…"')
    const now = clock.now()
    const history = await kv.list(keys.history(environment, app), { keysOnly: true })
    const ids = history.entries.map(entry => entry.key.slice(keys.history(environment, app).length))
    const entries = await readAll(deps, [
      keys.active(environment, app),
      keys.workload(environment, app),
      ...ids.map(keys.deploy),
    ])
    const slots = await kv.list(keys.slots(environment))
    const compares: Compare[] = []
    const writes: Write[] = []
    const released: string[] = []
    const quarantine = (entry: Entry) => {
      released.push(entry.key)
      compares.push({ kind: 'unchanged', key: entry.key, modRevision: entry.modRevision })
      writes.push(
        put(keys.quarantine(environment, app, newId(now)), {
          schema: 1,
          key: entry.key,
          value: entry.value,
          reason,
          at: now,
        }),
      )
      if (entry.key !== keys.active(environment, app)) writes.push(remove(entry.key))
    }
    const workload = entries.get(keys.workload(environment, app))
    if (workload && !parse(workloadSchema, workload)) quarantine(workload)
    for (const id of ids) {
      const entry = entries.get(keys.deploy(id))
      if (!entry) continue
      const stored = parse(deploySchema, entry)
      if (stored && isTerminal(stored.value.phase)) continue
      if (!stored) quarantine(entry)
      else {
        const moved = transition(
          stored.value,
          { kind: 'release', by: caller.actor, message: `Released by ${caller.actor.name}: ${reason}` },
          now,
        )
        if (moved.kind !== 'moved') continue
        compares.push({ kind: 'unchanged', key: entry.key, modRevision: entry.modRevision })
        writes.push(put(entry.key, moved.deploy))
        released.push(entry.key)
      }
      writes.push(
        ...traces(deps, environment, app, id),
        ...slots.entries.filter(slot => slot.value.includes(`"${id}"`)).map(slot => remove(slot.key)),
      )
    }
    const activeEntry = entries.get(keys.active(environment, app))
    const active = activeEntry ? parse(activeSchema, activeEntry) : null
    if (activeEntry && !active) quarantine(activeEntry)
    else if (activeEntry)
      compares.push({ kind: 'unchanged', key: activeEntry.key, modRevision: activeEntry.modRevision })
    if (released.length === 0 && !active?.value.deploy) {
      throw new UserError(
        'not_found',
        `Nothing of ${app} in ${environment} is stuck: every record can be read and every deploy has ended.`,
      )
    }
    // An epoch that cannot be read is replaced by one that is surely higher: no team deploys once a millisecond.
    const epoch = active ? active.value.epoch + 1 : now
    writes.push(put(keys.active(environment, app), { schema: 1, epoch, deploy: null }))
    writes.push(
      auditPut(keys, now, {
        by: caller.actor,
        action: 'release',
        outcome: 'released',
        app,
        environment,
        detail: `${reason} (${released.length} records)`,
      }),
    )
    if (compares.length === 0) compares.push({ kind: 'absent', key: keys.active(environment, app) })
    const result = await kv.commit({ compares, writes })
    if (!result.committed)
      throw new UserError(
        'conflict',
        'Something moved at the same moment. Look again: gkube status, then try again.',
      )
    return { released }
  }
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
