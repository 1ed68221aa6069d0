// The storage of apps, as a table: the same words and order as `gkube volumes`. What nobody uses any more has a button
// that opens the dialog in which its name is typed.

import type { Rendered } from '../../../core/messages.ts'
import { redactText } from '../../../core/redact.ts'
import type { StorageRow } from '../../../core/volumes/verbs.ts'
import { bytesText, placeText, storageCells, storageHead, usedPercent } from '../../../core/volumes/words.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { code, joined, md } from '../blocks/mrkdwn.ts'
import { deleteVolumeButton } from '../messages/buttons.ts'
import type { At } from './at.ts'
import { table } from './table.ts'

/** Buttons at most; the others are deleted by the command. */
const mostUnused = 10
const nearlyFull = 85

export function volumesAnswer(
  rows: readonly StorageRow[],
  at: At & { readonly app?: string; readonly environment?: string },
): Rendered {
  if (rows.length === 0) {
    const where = at.environment ? ` in ${at.environment}` : ''
    const what = at.app ? `${at.app} has no storage${where}.` : `No app has storage${where}.`
    return fitted(what, [section(md`${what}`)])
  }
  const unused = rows.filter(row => row.state === 'unused' && row.title !== null)
  const head = summary(rows)
  return fitted(
    head,
    [
      section(md`${head}`),
      ...table([
        narrow(storageHead),
        ...worstFirst(rows).map(row => narrow(storageCells(row)).map(redactText)),
      ]),
      ...unused
        .slice(0, mostUnused)
        .map(row =>
          section(
            joined([
              code(placeText(row)),
              md`is not used any more${row.used === null ? '' : ` and holds ${bytesText(row.used)}`}.`,
            ]),
            deleteVolumeButton(placeText(row)),
          ),
        ),
    ],
    md`… and more. Of one app: ${code(`${at.command} volumes web`)}`,
  )
}

/** Without the name of the PersistentVolume: the command line has it, and here it would break each line in two. */
const narrow = (cells: readonly string[]): string[] => cells.filter((_, i) => storageHead[i] !== 'volume')

/** `4 volumes, 1 nearly full, 1 not well`: what wants a look. */
function summary(rows: readonly StorageRow[]): string {
  const full = rows.filter(row => (usedPercent(row) ?? 0) >= nearlyFull).length
  const ill = rows.filter(row => row.state === 'failed').length
  return [
    `${rows.length} ${rows.length === 1 ? 'volume' : 'volumes'}`,
    full > 0 ? `${full} above ${nearlyFull} %` : '',
    ill > 0 ? `${ill} not well` : '',
  ]
    .filter(Boolean)
    .join(', ')
}

const order = { failed: 0, warning: 1, unknown: 2, ok: 3, unused: 4 } as const
const worstFirst = (rows: readonly StorageRow[]): StorageRow[] =>
  rows.toSorted((a, b) => order[a.state] - order[b.state])
