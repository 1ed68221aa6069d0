// The dialogs of changes that need more than a click: delete (the app's name and each volume's, typed) and scale (a
// number). Pure; actions/modals.ts opens them and hands what comes back to the core.
import type { ModalView } from '@slack/types'
import type { StorageRow } from '../../../core/volumes/verbs.ts'
import { placeText, storageCells } from '../../../core/volumes/words.ts'
import type { Workload } from '../../../core/workload.ts'
import { viewIds } from '../action-ids.ts'
import { section } from '../blocks/elements.ts'
import { code, joined, md, nothing } from '../blocks/mrkdwn.ts'
import { modal, numberField, textField } from './parts.ts'

export const changeFields = {
  name: 'name',
  claims: 'claims',
  replicas: 'replicas',
  title: 'title',
} as const

/** Names of the volumes that gkube made for it. */
const claimsOf = (workload: Workload): string[] =>
  workload.inventory.filter(item => item.kind === 'PersistentVolumeClaim').map(item => item.name)

const placeOf = ({ environment, cluster, namespace }: Workload) =>
  md`*${environment}* (cluster ${cluster}, namespace ${namespace})`

/** `channel`: where it was asked. */
export function deleteDialog(workload: Workload, channel: string | null): ModalView {
  const { app, environment } = workload
  const claims = claimsOf(workload)
  const volumes =
    claims.length > 0
      ? md`Its volumes stay unless you name them below: ${joined(
          claims.slice(0, 20).map(name => code(name)),
          ', ',
        )}.`
      : nothing
  return modal({
    title: 'Delete',
    callback: viewIds.delete,
    submit: 'Delete',
    meta: { app, environment, ...(channel ? { channel } : {}) },
    blocks: [
      section(
        joined(
          [
            md`:warning: This deletes *${app}* from ${placeOf(workload)}: its pods, its Service and all else that gkube wrote there.`,
            volumes,
          ],
          '\n',
        ),
      ),
      textField({
        block: changeFields.name,
        action: changeFields.name,
        label: `Type ${app} to delete it`,
        placeholder: app,
        most: 60,
      }),
      textField({
        block: changeFields.claims,
        action: changeFields.claims,
        label: 'Volume claims to delete with their data',
        hint: 'One name a line. Leave it empty to keep them all. Data on a pool stays until you delete its storage: it has a command of its own, delete-volume.',
        lines: true,
        most: 3000,
        optional: true,
      }),
    ],
  })
}

export const scaleDialog = (at: {
  readonly workload: Workload
  readonly wanted: number | null
  readonly channel: string | null
}): ModalView => {
  const { app, environment, overrides } = at.workload
  const now = overrides.replicas ?? at.wanted
  return modal({
    title: 'Scale',
    callback: viewIds.scale,
    submit: 'Scale',
    meta: { app, environment, ...(at.channel ? { channel: at.channel } : {}) },
    blocks: [
      section(
        now === null
          ? md`How many pods should *${app}* have in ${placeOf(at.workload)}?`
          : md`How many pods should *${app}* have in ${placeOf(at.workload)}? It has ${now} now.`,
      ),
      numberField({
        block: changeFields.replicas,
        action: changeFields.replicas,
        label: 'Pods',
        min: 0,
        max: 10_000,
        ...(now === null ? {} : { initial: now }),
      }),
    ],
  })
}

/** Asks for the whole name of storage that nobody uses any more; `row` has a title. */
export function volumeDialog(
  row: StorageRow & { readonly title: string },
  channel: string | null,
): ModalView {
  const { app, environment, storage, title } = row
  const [, , , volume = '', size = '', used = ''] = storageCells(row)
  return modal({
    title: 'Delete storage',
    callback: viewIds.deleteVolume,
    submit: 'Delete',
    meta: { app, environment, storage, ...(channel ? { channel } : {}) },
    blocks: [
      section(
        joined(
          [
            md`:warning: This deletes ${code(placeText(row))} *with all its data*: ${used === '-' ? size : `${used} of ${size}`}, on volume ${code(volume)}. Nothing brings it back.`,
            md`It is refused while *${app}* runs in *${environment}*.`,
          ],
          '\n',
        ),
      ),
      textField({
        block: changeFields.title,
        action: changeFields.title,
        label: `Type ${title} to delete it`,
        placeholder: title,
        most: 300,
      }),
    ],
  })
}
