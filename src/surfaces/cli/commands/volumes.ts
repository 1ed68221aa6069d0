// volumes: the storage of apps as a table, and volumes delete, which deletes one with its data where its app does not run
// any more: its name is typed, on the terminal or as --type.
import type { StorageRow } from '../../../core/volumes/verbs.ts'
import {
  deletedLines,
  placeText,
  storageCells,
  storageHead,
  usedPercent,
} from '../../../core/volumes/words.ts'
import { UserError } from '../../../errors.ts'
import { type Cli, exitCodes } from '../cli.ts'
import type { Cell } from '../output.ts'
import { clean } from '../terminal-text.ts'
import { typed } from './requests.ts'

type Args = readonly (string | undefined)[]

export async function volumes(
  cli: Cli,
  [app]: Args,
  { environment }: { environment?: string },
): Promise<number> {
  const { volumes } = await cli
    .client()
    .ask<{ volumes: StorageRow[] }>('GET', '/v1/volumes', { query: { app, environment } })
  if (cli.out.json) cli.out.data(volumes)
  else if (volumes.length === 0)
    cli.out.say(
      `${app ?? 'No app'} ${app ? 'has no storage' : 'has storage'}${environment ? ` in ${environment}` : ''}`,
    )
  else
    cli.out.table([storageHead.map(text => ({ text, format: 'dim' })), ...volumes.map(row => cellsOf(row))])
  return exitCodes.ok
}

const colors = { ok: 'green', warning: 'yellow', failed: 'red', unknown: 'dim', unused: 'dim' } as const

function cellsOf(row: StorageRow): Cell[] {
  const [environment = '', app = '', storage = '', volume = '', size = '', used = '', health = ''] =
    storageCells(row)
  const full = (usedPercent(row) ?? 0) >= 85
  return [
    environment,
    { text: app, format: 'bold' },
    storage,
    volume,
    size,
    full ? { text: used, format: 'yellow' } : used,
    { text: health, format: colors[row.state] },
  ]
}

/** `gkube volumes delete production/web/data`: nothing is guessed, and nothing is deleted without its name. */
export async function remove(cli: Cli, [which = '']: Args, options: { type?: string }): Promise<number> {
  const [environment, app, storage, ...more] = which.split('/')
  if (!environment || !app || !storage || more.length > 0)
    throw new UserError(
      'bad_input',
      `Which one? As environment/app/storage, for example: gkube volumes delete production/web/data`,
    )
  const title = options.type ?? (await asked(cli, { environment, app, storage }))
  if (title === null) {
    cli.out.warn('gkube: nothing was deleted.')
    return exitCodes.usage
  }
  const path = ['/v1/volumes', environment, app, storage].map((part, i) =>
    i === 0 ? part : encodeURIComponent(part),
  )
  const answer = await cli
    .client()
    .ask<{ deleted: string; left: string[] }>('DELETE', path.join('/'), { query: { typed: title } })
  if (cli.out.json) cli.out.data(answer)
  else for (const line of deletedLines(answer)) cli.out.say(clean(line))
  return exitCodes.ok
}

/** Its title where a person typed that; null where something else. */
async function asked(
  cli: Cli,
  at: Pick<StorageRow, 'environment' | 'app' | 'storage'>,
): Promise<string | null> {
  const { app, environment } = at
  const { volumes } = await cli
    .client()
    .ask<{ volumes: StorageRow[] }>('GET', '/v1/volumes', { query: { app, environment } })
  const row = volumes.find(one => one.storage === at.storage)
  const title = row?.title
  if (!title)
    throw new UserError(
      'not_found',
      `${placeText(at)} is not storage on a pool. What there is: gkube volumes ${app} -E ${environment}`,
    )
  if (!cli.io.stdin.isTTY)
    throw new UserError(
      'bad_input',
      `There is no terminal to ask on. If you are sure: gkube volumes delete ${placeText(at)} --type ${title}`,
    )
  const [, , , , size, used] = storageCells(row)
  const question = `Delete ${title} with ALL ITS DATA (${used === '-' ? size : `${used} of ${size}`})? Type its name to confirm: `
  return (await typed(cli, title, question)) ? title : null
}
