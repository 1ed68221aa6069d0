// Keeps what a hook of Jenkins told, before it is answered: one transaction writes the inbox entry and the mark that it
// was told. What comes of it is the follower's (core/builds/); what a hook looks like is surfaces/http/hooks/.
import { UserError } from '../../errors.ts'
import type { BuildEvent, InboxEntry } from '../builds/event.ts'
import type { BuildVerbs } from '../builds/verbs.ts'
import { sha256 } from '../hash.ts'
import type { CommitResult } from '../kv.ts'
import { newId, put } from '../records.ts'
import type { Deps } from './deps.ts'

/** How long the same news is told for a repeat. */
const dedupSeconds = 24 * 3600

/** Throws UserError `forbidden` or `unavailable`, or OutcomeUnknown; the same event again is safe after each. */
export function receiveBuild(deps: Pick<Deps, 'kv' | 'keys' | 'clock'>): BuildVerbs['receiveBuild'] {
  const { kv, keys, clock } = deps

  async function keep(hook: string, event: BuildEvent): Promise<CommitResult> {
    const now = clock.now()
    const seen = keys.seen('jenkins', newsHash(event))
    const id = newId(now)
    const inbox = keys.inboxEntry(id)
    const entry: InboxEntry = { schema: 1, hook, event, at: now }
    return kv.commit({
      compares: [
        { kind: 'absent', key: seen },
        { kind: 'absent', key: inbox },
      ],
      writes: [put(seen, { schema: 1, inbox: id }, await kv.sharedLease(dedupSeconds)), put(inbox, entry)],
    })
  }

  return async (hook, event) => {
    if (!mayTellOf(hook.jobs, event.job))
      throw new UserError(
        'forbidden',
        `The hook ${hook.name} may not tell of ${event.job}, only of ${hook.jobs.join(', ')}. ` +
          `An operator can add it to jenkins.hooks.${hook.name}.jobs in gkube.yaml.`,
        { details: { job: event.job, jobs: hook.jobs } },
      )
    const result = await keep(hook.name, event).catch(error => {
      // The shared lease was lost with etcd's data: nothing was written, and there is a new one at once. Nobody
      // sends a hook again because we ask for it.
      if (error instanceof UserError && error.details.why === 'lease') return keep(hook.name, event)
      throw error
    })
    return { repeated: !result.committed }
  }
}

/**
 * Whether a hook with these jobs may tell of that one: `*` is all, `shop/*` all below the folder, else the very path.
 * A path that climbs out of its folder is below none.
 */
export function mayTellOf(jobs: readonly string[], job: string): boolean {
  if (job.split('/').some(name => name === '' || name === '.' || name === '..')) return false
  return jobs.some(scope =>
    scope === '*' ? true : scope.endsWith('/*') ? job.startsWith(scope.slice(0, -1)) : scope === job,
  )
}

/**
 * What makes it news. Not only job, number, phase and result: the `notifyEndpoints` step tells of a phase again once
 * the commit or the tests are known, and that must not be lost. The start is left out: that step counts it anew each time.
 */
const newsHash = ({ startedAt: _, ...news }: BuildEvent): string => sha256(news)
