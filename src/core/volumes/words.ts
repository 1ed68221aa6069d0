// The words about storage of every surface: sizes, how full, the row of a table. Pure; it loads nothing, so that the
// command line starts fast. What is in a row is core.ts's StorageRow.
import type { StorageRow } from './verbs.ts'

const steps = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `10 GiB`, `3.2 GiB`, `512 B`. */
export function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 'B']
  for (const step of steps) {
    // 1,023.96 would be written as 1024.0.
    if (value < 1023.95) break
    value /= 1024
    unit = step
  }
  return `${value >= 100 ? Math.round(value) : value.toFixed(1).replace(/\.0$/, '')} ${unit}`
}

/** In percent of what it may hold; null: not known. */
export function usedPercent({
  used,
  quota,
  size,
}: Pick<StorageRow, 'used' | 'quota' | 'size'>): number | null {
  const most = quota ?? size
  return used === null || most <= 0 ? null : Math.round((used / most) * 100)
}

/** `3.2 GiB (32 %)`; a dash where nobody counts. */
export function usedText(row: Pick<StorageRow, 'used' | 'quota' | 'size'>): string {
  const percent = usedPercent(row)
  return row.used === null || percent === null ? '-' : `${bytesText(row.used)} (${percent} %)`
}

/** What every command that deletes one takes: `production/web/data`. */
export const placeText = ({
  environment,
  app,
  storage,
}: Pick<StorageRow, 'environment' | 'app' | 'storage'>) => `${environment}/${app}/${storage}`

export const storageHead = ['environment', 'app', 'storage', 'volume', 'size', 'used', 'health'] as const

/** One row of the table, under `storageHead`. */
export const storageCells = (row: StorageRow): readonly string[] => [
  row.environment,
  row.app,
  row.storage,
  row.volume ?? 'none yet',
  bytesText(row.size),
  usedText(row),
  [row.state === 'unused' ? 'not used any more' : '', row.health].filter(Boolean).join(', '),
]

/** What was deleted, and what a person has left to do; one sentence each. */
export const deletedLines = ({
  deleted,
  left,
}: {
  readonly deleted: string
  readonly left: readonly string[]
}): readonly string[] => [
  `${deleted} is deleted with all that it held.`,
  ...(left.length > 0 ? [`Left on the servers, to be deleted there by hand: ${left.join(', ')}`] : []),
]
