// Storage that is deleted with its data: the dialog that asks for its whole name, opened by a command or a button, and
// submitted. What is typed goes to the core, which judges it again.
import type { StorageRow } from '../../../core/volumes/verbs.ts'
import { deletedLines, placeText } from '../../../core/volumes/words.ts'
import { UserError } from '../../../errors.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { prose } from '../blocks/mrkdwn.ts'
import type { Call, SlackDeps } from '../deps.ts'
import { changeFields, volumeDialog } from '../views/change.ts'
import { metaOf } from '../views/meta.ts'
import { fieldOf } from '../views/state.ts'
import { unreadable } from './click.ts'
import type { Clicked } from './decide.ts'
import { openSoon } from './soon.ts'
import { FieldErrors, type Submission, submitted } from './submit.ts'

type Place = Pick<StorageRow, 'environment' | 'app' | 'storage'>
type Opening = {
  readonly trigger: string
  readonly call: Pick<Call, 'caller' | 'requestId'>
  readonly channel: string | null
}

/** Shows what would be lost, and asks for its name. */
export async function openVolumeDialog(deps: SlackDeps, at: Opening & Place): Promise<void> {
  const { app, environment, storage } = at
  await openSoon(deps, { ...at, title: 'Delete storage' }, async () => {
    const rows = await deps.core.volumes(await at.call.caller(), { app, environment })
    const row = rows.find(one => one.storage === storage)
    if (!row?.title)
      throw new UserError(
        'not_found',
        `${placeText(at)} is not storage on a pool. What there is: \`gkube volumes ${app}\``,
      )
    return volumeDialog({ ...row, title: row.title }, at.channel)
  })
}

/** The button beside storage that nobody uses any more. */
export async function deleteVolume({ deps, click, call, ack }: Clicked): Promise<void> {
  const [environment, app, storage, ...more] = click.value.split('/')
  if (!environment || !app || !storage || more.length > 0) throw unreadable()
  await ack()
  const channel = click.message?.channel ?? null
  await openVolumeDialog(deps, { trigger: click.trigger, call, channel, environment, app, storage })
}

export async function deleteVolumeSubmitted(at: Submission): Promise<void> {
  const { deps, view } = at
  const { app = '', environment = '', storage = '', channel = null } = metaOf(view)
  await submitted(at, {
    title: 'Delete storage',
    channel,
    blockFor: () => changeFields.title,
    work: caller => {
      const typed = fieldOf(view, changeFields.title)
      if (!typed) throw new FieldErrors({ [changeFields.title]: 'Type its name to delete it.' })
      return deps.core.deleteVolume(caller, { app, environment, storage, typed })
    },
    done: async answer => {
      const lines = deletedLines(answer)
      return fitted(
        lines.join(' '),
        lines.map(line => section(prose(line, 2400))),
      )
    },
    late: fitted('Deleting it takes a while; you will hear here how it ended.', [
      section(prose('Deleting it takes a while. You will hear here how it ended; do not ask again before.')),
    ]),
  })
}
