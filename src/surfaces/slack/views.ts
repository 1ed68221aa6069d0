// Every dialog that is submitted, and the pickers inside of the deploy dialog: which handler has it. The views are
// drawn in views/, opened and read in actions/; ids are in action-ids.ts.
import type {
  App,
  BlockAction,
  ExternalSelectAction,
  SlackViewMiddlewareArgs,
  ViewSubmitAction,
} from '@slack/bolt'
import { optionIds, viewIds } from './action-ids.ts'
import { deployDialogChanged, deployDialogSubmitted } from './actions/deploy-dialog.ts'
import {
  approveSubmitted,
  cancelSubmitted,
  deleteSubmitted,
  denySubmitted,
  holdSubmitted,
  overrideSubmitted,
  scaleSubmitted,
} from './actions/modals.ts'
import type { Submission } from './actions/submit.ts'
import { deleteVolumeSubmitted } from './actions/volumes.ts'
import type { SlackDeps } from './deps.ts'

const handlers: Readonly<Record<keyof typeof viewIds, (at: Submission) => Promise<void>>> = {
  deploy: deployDialogSubmitted,
  approve: approveSubmitted,
  deny: denySubmitted,
  override: overrideSubmitted,
  cancel: cancelSubmitted,
  delete: deleteSubmitted,
  scale: scaleSubmitted,
  lock: holdSubmitted,
  deleteVolume: deleteVolumeSubmitted,
}

export function registerViews(bolt: App, deps: SlackDeps): void {
  for (const [name, handler] of Object.entries(handlers)) {
    bolt.view<ViewSubmitAction>(
      { callback_id: viewIds[name as keyof typeof viewIds], type: 'view_submission' },
      deps.guarded<SlackViewMiddlewareArgs<ViewSubmitAction>>(
        `dialog ${name}`,
        async ({ body, view, ack }, call) =>
          handler({ deps, call, view, user: body.user.id, ack: response => ack(response) }),
      ),
    )
  }
  for (const id of Object.values(optionIds)) {
    bolt.action<BlockAction<ExternalSelectAction>>(
      id,
      deps.guarded('deploy dialog changed', async ({ body, action, ack }, call) => {
        await ack()
        if (!body.view) return
        const at = Math.round(Number(action.action_ts) * 1000) || 0
        await deployDialogChanged(deps, { view: body.view, call, at })
      }),
    )
  }
}
