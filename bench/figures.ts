// What a benchmark comes to: figures, each with its aim and its baseline from the same run, and the table of them.
// Only arithmetic and text; the measuring is in the other files of this folder.

export type Unit = 'ms' | 'MB' | 'requests' | 'transactions' | 'modules'

/** `above`: no more than this above the baseline; `times`: no more than so many times the baseline. */
export type Aim = { readonly at?: 'p99' } & (
  | { readonly kind: 'most'; readonly limit: number }
  | { readonly kind: 'above'; readonly limit: number }
  | { readonly kind: 'times'; readonly limit: number }
  | { readonly kind: 'baseline' }
)

export type Figure = {
  readonly what: string
  readonly unit: Unit
  readonly values: readonly number[]
  /** Null where the baseline cannot be measured here; `what` then says why in the notes. */
  readonly baseline: { readonly what: string; readonly values: readonly number[] } | null
  /** Judged by the median unless it says p99. Null: shown to explain another figure. */
  readonly aim: Aim | null
  /** What it is made of, such as requests by verb and resource. */
  readonly detail?: Readonly<Record<string, number>>
}

export type Judged = {
  readonly what: string
  readonly unit: Unit
  readonly samples: number
  readonly aim: string
  readonly p50: number
  readonly p99: number
  readonly baseline: { readonly what: string; readonly p50: number; readonly p99: number } | null
  readonly ratio: number | null
  readonly verdict: 'ok' | 'over' | ''
  readonly detail?: Readonly<Record<string, number>>
}

/** The value that `share` of the values do not exceed (nearest rank). Throws without values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (value === undefined) throw new Error('nothing was measured')
  return value
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

export function judge(figure: Figure): Judged {
  const { what, unit, values, baseline, aim, detail } = figure
  const p50 = median(values)
  const beside = baseline && {
    what: baseline.what,
    p50: median(baseline.values),
    p99: quantile(baseline.values, 0.99),
  }
  const p99 = quantile(values, 0.99)
  const judged = aim?.at ?? 'p50'
  const limit = limitOf(aim, beside?.[judged] ?? null)
  const value = judged === 'p99' ? p99 : p50
  return {
    what,
    unit,
    samples: values.length,
    aim: aimWords(aim, unit),
    p50,
    p99,
    baseline: beside,
    ratio: beside && beside.p50 > 0 ? p50 / beside.p50 : null,
    verdict: limit === null ? '' : value <= limit ? 'ok' : 'over',
    ...(detail ? { detail } : {}),
  }
}

function limitOf(aim: Aim | null, baseline: number | null): number | null {
  if (aim?.kind === 'most') return aim.limit
  if (!aim || baseline === null) return null
  if (aim.kind === 'times') return baseline * aim.limit
  return aim.kind === 'above' ? baseline + aim.limit : baseline
}

function aimWords(aim: Aim | null, unit: Unit): string {
  if (!aim) return '-'
  const what = aim.at ? `${aim.at} ` : ''
  if (aim.kind === 'baseline') return `${what}≤ baseline`
  if (aim.kind === 'times') return `${what}≤ ${aim.limit} × baseline`
  const limit = `${aim.limit}${isCount(unit) ? '' : ` ${unit}`}`
  return aim.kind === 'most' ? `${what}≤ ${limit}` : `${what}≤ baseline + ${limit}`
}

const isCount = (unit: Unit): boolean => unit === 'requests' || unit === 'transactions' || unit === 'modules'

const heads = ['measured', 'unit', 'n', 'aim', 'p50', 'p99', 'baseline', 'p50', 'p99', 'ratio', '']
const numbers = new Set([2, 4, 5, 7, 8, 9])

/** The aligned table, with the detail of each figure below it. */
export function table(judged: readonly Judged[]): string {
  const rows = judged.map(row => [
    row.what,
    row.unit,
    String(row.samples),
    row.aim,
    short(row.p50),
    short(row.p99),
    row.baseline?.what ?? '-',
    row.baseline ? short(row.baseline.p50) : '-',
    row.baseline ? short(row.baseline.p99) : '-',
    row.ratio === null ? '-' : `${row.ratio.toFixed(2)}×`,
    row.verdict,
  ])
  const widths = heads.map((head, i) => Math.max(head.length, ...rows.map(row => (row[i] ?? '').length)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (numbers.has(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()
  const details = judged.flatMap(row =>
    row.detail
      ? [
          '',
          `${row.what}:`,
          ...Object.entries(row.detail).map(([name, count]) => `  ${short(count).padStart(6)}  ${name}`),
        ]
      : [],
  )
  return [line(heads), line(widths.map(width => '-'.repeat(width))), ...rows.map(line), ...details].join('\n')
}

const short = (value: number): string =>
  Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 10 ? 2 : 1)
