// Pure: what those who approve are shown (`planned/<id>`), within its 32 KiB and without secrets; and what changed
// since an earlier request for approval, in words. prepare.ts writes it with the record.
import { changes as describeChanges } from './changes.ts'
import type { KubeObject } from './cluster.ts'
import type { Deploy } from './deploy.ts'
import type { Planned } from './messages.ts'
import type { Preview } from './preview.ts'
import { redactText } from './redact.ts'

export const mostPlannedBytes = 32 * 1024
const most = { changes: 100, notes: 50, since: 20, voided: 20, line: 500 } as const
const cutMark = '\n… (cut: the whole diff does not fit here)\n'

type Settled = NonNullable<Deploy['prepared']>

/** What was shown before, and whose decisions were for that. */
export type Earlier = { readonly since: readonly string[]; readonly voided: readonly string[] }
export const nothingEarlier: Earlier = { since: [], voided: [] }

/** The record, cut to its size: the diff first, then the longest lists. */
export function plannedOf(
  preview: Preview,
  {
    deploy,
    onPools,
    earlier,
    commits,
    now,
  }: {
    deploy: Pick<Deploy, 'kind' | 'params'>
    /** Claims whose data lies on a pool. */
    onPools?: readonly string[]
    earlier: Earlier
    commits?: Planned['commits']
    now: number
  },
): Planned {
  const warnings = preview.objects.flatMap(({ object, warnings }) =>
    warnings.map(warning => `${object}: ${warning}`),
  )
  const planned: Planned = {
    schema: 1,
    changes: lines(preview.changes, most.changes),
    notes: lines([...preview.notes, ...ofDelete(deploy, onPools ?? []), ...warnings], most.notes),
    diff: redactText(preview.objects.flatMap(({ diff }) => diff || []).join('\n')),
    since: lines(earlier.since, most.since),
    voided: [...new Set(earlier.voided)].slice(0, most.voided),
    ...(commits ? { commits } : {}),
    at: now,
  }
  return withinSize(planned)
}

function ofDelete({ kind, params }: Pick<Deploy, 'kind' | 'params'>, onPools: readonly string[]): string[] {
  if (kind !== 'delete') return []
  if (params.claims.length === 0) return ['volume claims are kept']
  const stay = params.claims.filter(name => onPools.includes(name))
  const go = params.claims.filter(name => !stay.includes(name))
  return [
    ...(go.length > 0 ? [`data is deleted: volume claims ${go.join(', ')}`] : []),
    ...(stay.length > 0
      ? [
          `claims ${stay.join(', ')} are deleted, and their data stays on its pool until it is deleted by its own name: gkube volumes delete`,
        ]
      : []),
  ]
}

/** Without doubles, each on one line and not too long; what is left out is counted. */
function lines(all: readonly string[], limit: number): string[] {
  const clean = [...new Set(all.map(line => cut(redactText(line).replaceAll(/\s*\n\s*/g, ' '), most.line)))]
  if (clean.length <= limit) return clean
  return [...clean.slice(0, limit - 1), `… and ${clean.length - limit + 1} more`]
}

const cut = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 1)}…`

/** Room for the id of the write, which records.ts adds. */
const spare = 64
const bytesOf = (value: object): number => Buffer.byteLength(JSON.stringify(value)) + spare

function withinSize(planned: Planned): Planned {
  if (bytesOf(planned) <= mostPlannedBytes) return planned
  const short = (list: readonly string[]) =>
    lines(
      list.map(line => cut(line, 120)),
      30,
    )
  const bare: Planned = { ...planned, diff: '' }
  const rest =
    bytesOf(bare) <= mostPlannedBytes / 2
      ? bare
      : { ...bare, changes: short(bare.changes), notes: short(bare.notes), since: short(bare.since) }
  // Halving finds the longest beginning that fits: escapes make bytes of JSON unlike characters.
  let [fits, tooMuch] = [0, planned.diff.length + 1]
  while (tooMuch - fits > 1) {
    const half = Math.floor((fits + tooMuch) / 2)
    const diff = planned.diff.slice(0, half) + cutMark
    if (bytesOf({ ...rest, diff }) <= mostPlannedBytes) fits = half
    else tooMuch = half
  }
  const whole = planned.diff.slice(0, fits)
  const end = whole.lastIndexOf('\n')
  return { ...rest, diff: `${end > 0 ? whole.slice(0, end) : whole}${cutMark}` }
}

/** Why what would run is not what was asked approval for; both as rendered, where the earlier spec is still kept. */
export function sinceWords(
  at: Pick<Deploy, 'app' | 'environment' | 'revision'>,
  before: { readonly settled: Settled; readonly objects: readonly KubeObject[] | null },
  after: { readonly settled: Settled; readonly objects: readonly KubeObject[] },
): string[] {
  const { app, environment } = at
  const [old, next] = [before.settled, after.settled]
  const words: string[] = []
  if (old.base.revision !== next.base.revision) {
    const runs = (revision: string) => revision || 'nothing'
    words.push(
      `${app} in ${environment} runs ${runs(next.base.revision)} now, not ${runs(old.base.revision)} any more`,
    )
  }
  if (old.digest !== next.digest)
    words.push(`image ${at.revision} is another one now: ${short(old.digest)} → ${short(next.digest)}`)
  const [code, newCode] = [old.artifact?.sha256, next.artifact?.sha256]
  if (code !== newCode)
    words.push(`the code of ${at.revision} is another one now: ${shortHash(code)} → ${shortHash(newCode)}`)
  const moved = old.cluster !== next.cluster || old.namespace !== next.namespace
  if (moved)
    words.push(`it would run in ${next.cluster}/${next.namespace}, not in ${old.cluster}/${old.namespace}`)
  if (before.objects) words.push(...describeChanges(before.objects, after.objects))
  else if (old.spec !== next.spec) words.push(`the spec of ${app} was changed`)
  return words.length > 0 ? words : ['what gkube would write to the cluster is not the same any more']
}

const short = (digest: string | null): string =>
  digest ? digest.slice(0, 'sha256:'.length + 12) : 'not pinned'

const shortHash = (sha256: string | undefined): string => sha256?.slice(0, 12) ?? 'none'

/** What became void: whoever approved or overrode something else than `hash`. */
export function voidedBy(deploy: Pick<Deploy, 'approval' | 'overridden'>, hash: string): string[] {
  const votes = (deploy.approval?.votes ?? []).filter(vote => vote.hash !== hash)
  const over = deploy.overridden && deploy.overridden.hash !== hash ? [deploy.overridden.by.name] : []
  return [...new Set([...votes.map(vote => vote.by.name), ...over])]
}
