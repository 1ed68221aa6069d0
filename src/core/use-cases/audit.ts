// Looking at the audit: a list, an export of all, and the proof that nothing sealed was changed. Whoever has the right
// `audit` for an app in an environment sees its entries; what is of no environment is seen by who has it everywhere.
import { UserError } from '../../errors.ts'
import { auditedEnvironments, linesOf } from '../audit/reading.ts'
import type { AuditEntry, AuditLine, AuditQuery, AuditVerbs } from '../audit/verbs.ts'
import { verifyEnvironment } from '../audit/verify.ts'
import { noEnvironment } from '../audit.ts'
import type { Caller } from '../core.ts'
import { covers, demand, may, type Place } from '../policy.ts'
import { unknownName } from '../suggest.ts'
import type { Deps } from './deps.ts'

/** Entries that are looked through for one list: whoever wants all takes an export. */
const mostScanned = 20_000

export function audit(deps: Pick<Deps, 'kv' | 'keys' | 'environments' | 'people' | 'log'>): AuditVerbs {
  /** One that is not configured any more, and `-`, are of those who may everywhere. */
  const placeOf = (environment: string): Place['environment'] => deps.environments.get(environment) ?? 'all'

  /** UserError where the caller may look nowhere, or not there. */
  async function placesOf(caller: Caller, { environment, app }: AuditQuery): Promise<string[]> {
    const asked = app === undefined ? {} : { app }
    if (environment === undefined) {
      demand(caller, 'audit', asked, deps.people)
      const all = await auditedEnvironments(deps)
      return all.filter(name => may(caller, 'audit', { ...asked, environment: placeOf(name) }))
    }
    demand(caller, 'audit', { ...asked, environment: placeOf(environment) }, deps.people)
    const known = environment === noEnvironment || deps.environments.has(environment)
    if (known || (await auditedEnvironments(deps)).includes(environment)) return [environment]
    throw new UserError('not_found', unknownName('environment', environment, [...deps.environments.keys()]))
  }

  /** What one grant after the other lets through, worked out once for each app and environment. */
  function sees(caller: Caller): (line: AuditLine) => boolean {
    const known = new Map<string, boolean>()
    return line => {
      const app = ('app' in line ? line.app : null) ?? '*'
      const key = `${line.environment} ${app}`
      const before = known.get(key)
      if (before !== undefined) return before
      const place = { app, environment: placeOf(line.environment) }
      const seen = caller.grants.some(grant => covers(grant, 'audit', place))
      known.set(key, seen)
      return seen
    }
  }

  return {
    async audit(caller, query) {
      const places = await placesOf(caller, query)
      const seen = sees(caller)
      const wanted = matcher(query)
      const entries: AuditEntry[] = []
      let scanned = 0
      for await (const line of linesOf(deps, places, { ...query, reverse: true })) {
        if (++scanned > mostScanned) return { entries, more: true }
        if (!('action' in line)) {
          deps.log('an entry of the audit was left out of the list', line)
          continue
        }
        if (!wanted(line) || !seen(line)) continue
        if (entries.length === query.limit) return { entries, more: true }
        entries.push(line)
      }
      return { entries, more: false }
    },
    async *exportAudit(caller, query, signal) {
      const places = await placesOf(caller, query)
      const seen = sees(caller)
      const wanted = matcher(query)
      for await (const line of linesOf(deps, places, query)) {
        if (signal.aborted) return
        if (wanted(line) && seen(line)) yield line
      }
    },
    async *verifyAudit(caller, { environment, head }, signal) {
      if (head !== undefined && environment === undefined)
        throw new UserError(
          'bad_input',
          'A hash is of one environment: gkube audit verify <environment> --head <hash>',
        )
      for (const place of await placesOf(caller, { environment }))
        yield await verifyEnvironment(deps, place, { head, signal })
    },
  }
}

/** By what is asked for besides place and time; what cannot be read is let through where nothing is asked of it. */
function matcher({ app, who, action, since, until }: AuditQuery): (line: AuditLine) => boolean {
  const name = who?.toLowerCase()
  return line => {
    if (!('action' in line)) return app === undefined && who === undefined && action === undefined
    // Ids have the time of their writer's clock, and so have entries: both are asked, for an id may be made up.
    if (since !== undefined && line.at < since) return false
    if (until !== undefined && line.at > until) return false
    if (app !== undefined && line.app !== app) return false
    if (action !== undefined && line.action !== action) return false
    return (
      name === undefined ||
      [line.by.id, line.by.name, line.by.person].some(one => one?.toLowerCase() === name)
    )
  }
}
