// audit list, export, verify: who did what. An export goes to stdout as it comes and waits where nobody reads; a part of
// one never ends with 0.
import { once } from 'node:events'
import type { AuditEntry, AuditReport } from '../../../core/audit/verbs.ts'
import { ago } from '../../../core/words.ts'
import { UserError } from '../../../errors.ts'
import { type Cli, exitCodes } from '../cli.ts'
import { ApiError } from '../client.ts'
import type { Cell } from '../output.ts'
import { clean } from '../terminal-text.ts'

type Args = readonly (string | undefined)[]
type Filters = {
  environment?: string
  app?: string
  who?: string
  action?: string
  since?: string
  until?: string
}

export async function list(cli: Cli, _args: Args, options: Filters & { limit?: string }): Promise<number> {
  const query = { ...filters(cli, options), limit: options.limit }
  const answer = await cli
    .client()
    .ask<{ entries: AuditEntry[]; more: boolean }>('GET', '/v1/audit', { query, timeoutMs: 60_000 })
  const { entries, more } = answer
  if (cli.out.json) {
    cli.out.data(answer)
    return exitCodes.ok
  }
  if (entries.length === 0) cli.out.say('Nothing of that is in the audit')
  else cli.out.table(entries.map(row))
  if (more) cli.out.warn('gkube: there is more: --limit, --since, or all of it by `gkube audit export`')
  return exitCodes.ok
}

const row = (entry: AuditEntry): Cell[] => [
  new Date(entry.at).toISOString().slice(0, 19).replace('T', ' '),
  { text: entry.by.name, format: 'bold' },
  entry.by.via,
  entry.action.replaceAll('_', ' '),
  entry.outcome.replaceAll('_', ' '),
  [entry.app, entry.environment].filter(one => one && one !== '-').join(' in ') || '-',
  entry.detail.replaceAll(/\s+/g, ' ').slice(0, 120),
]

export async function exportAll(cli: Cli, _args: Args, options: Filters): Promise<number> {
  const { stdout } = cli.io
  const { closed } = cli.out
  const signal = AbortSignal.any([cli.io.signal, closed])
  let lines = 0
  try {
    const query = filters(cli, options)
    for await (const text of cli.client().text('GET', '/v1/audit/export', { query, signal })) {
      lines += text.split('\n').length - 1
      if (!stdout.write(text)) await once(stdout, 'drain', { signal })
    }
  } catch (error) {
    // `gkube audit export | head`: the reader has what it wants.
    if (closed.aborted) return exitCodes.ok
    throw error
  }
  cli.out.warn(`gkube: ${lines} ${lines === 1 ? 'entry' : 'entries'}`)
  return exitCodes.ok
}

function filters(cli: Cli, { since, until, ...rest }: Filters & { limit?: string }) {
  const { environment, app, who, action } = rest
  return { environment, app, who, action, since: timeOf(cli, since), until: timeOf(cli, until) }
}

const units = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const

/** So long ago, or a date; milliseconds since 1970. */
function timeOf(cli: Cli, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const [, amount, unit] = /^(\d{1,6})([dhms])$/.exec(text) ?? []
  if (amount !== undefined) return cli.now() - Number(amount) * units[unit as keyof typeof units] // the pattern has these four
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time))
    throw new UserError(
      'bad_input',
      `\`${text}\` is no time. For example: 7d, 12h, 2026-11-01, 2026-11-01T08:00Z`,
    )
  return time
}

export async function verify(cli: Cli, [environment]: Args, options: { head?: string }): Promise<number> {
  const query = { environment, head: options.head }
  const reports: AuditReport[] = []
  const stream = cli.client().events('GET', '/v1/audit/verify', { query, signal: cli.io.signal })
  for await (const { event, data } of stream) {
    if (event === 'error') throw refusal(data)
    if (event !== 'report') continue
    const report = JSON.parse(data) as AuditReport // the event of this route
    reports.push(report)
    if (!cli.out.json) say(cli, report)
  }
  if (cli.out.json) cli.out.data({ reports })
  else if (reports.length === 0) cli.out.say('There is no audit yet')
  return reports.some(report => report.breaks.length > 0) ? exitCodes.failed : exitCodes.ok
}

function say(cli: Cli, report: AuditReport): void {
  const { out } = cli
  const { environment, breaks, more, head, gone, tail, anchor } = report
  const place = out.paint('bold', clean(environment === '-' ? 'no environment' : environment))
  const found = breaks.length + more
  const state =
    found > 0 ? out.paint('red', `${found} ${found === 1 ? 'break' : 'breaks'}`) : out.paint('green', 'holds')
  out.say(`${place}: ${state}, ${report.sealed} entries as they were sealed, ${report.seals} seals`)
  for (const { key, what, message } of breaks) out.say(`  ${what}: ${clean(key)}: ${clean(message)}`)
  if (more > 0) out.say(`  and ${more} more`)
  if (gone)
    out.say(
      `  removed by retention: ${gone.entries} entries until ${new Date(gone.until).toISOString().slice(0, 10)} (${gone.seals} seals stay)`,
    )
  if (tail.entries > 0)
    out.say(
      `  not sealed yet: ${tail.entries}${tail.since === null ? '' : `, the oldest ${ago(tail.since, cli.now())}`}`,
    )
  if (anchor !== null) out.say(`  the hash that you gave is seal ${anchor}: nothing up to it was changed`)
  if (head) out.say(`  head: ${head.hash} (seal ${head.n})`)
}

const refusal = (data: string): ApiError => {
  const { error } = JSON.parse(data) as { error: { kind: string; message: string } } // event-stream.ts of the server
  return new ApiError(error.kind === 'unavailable' || error.kind === 'internal' ? 503 : 400, error)
}
