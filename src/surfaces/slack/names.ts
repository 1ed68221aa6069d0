// Names of apps for the parser's suggestions and for selects: kept for some seconds, so that a command costs no read
// of all apps, and the last known ones while etcd does not answer.
import type { Caller, Core } from '../../core/core.ts'
import { may } from '../../core/policy.ts'

/** Reads what each caller may see is cut from; it never acts. */
const reader: Caller = {
  actor: { id: 'gkube', name: 'gkube', via: 'gkube' },
  grants: [{ role: 'viewer', apps: ['*'], environments: ['*'] }],
}

const freshMs = 5_000
/** Nobody waits longer for names: a command without suggestions is better than none. */
const withinMs = 300

export type AppNames = {
  /** Those the caller may see; null: not known now. `fresh`: read again first. */
  seenBy(caller: Caller, options?: { readonly fresh?: boolean }): Promise<readonly string[] | null>
}

export function appNames(options: {
  readonly core: Pick<Core, 'listNames'>
  readonly now: () => number
}): AppNames {
  const { core, now } = options
  let last: { readonly at: number; readonly apps: readonly string[] } | null = null
  let reading: Promise<void> | null = null

  const read = (): Promise<void> => {
    reading ??= core
      .listNames(reader)
      .then(
        apps => {
          last = { at: now(), apps }
        },
        // Whoever needs the store hears from it; here the last names do.
        () => undefined,
      )
      .finally(() => {
        reading = null
      })
    return reading
  }

  return {
    async seenBy(caller, { fresh = false } = {}) {
      const age = last ? now() - last.at : Number.POSITIVE_INFINITY
      if (fresh || age > freshMs) {
        const reading = read()
        // Old names do for now, unless fresh ones are wanted.
        if (!last || fresh) await soon(reading)
      }
      return last ? last.apps.filter(app => may(caller, 'view', { app })) : null
    },
  }
}

async function soon(work: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, withinMs)
  await Promise.race([work, promise])
  clearTimeout(timer)
}
