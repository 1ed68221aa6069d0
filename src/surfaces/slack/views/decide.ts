// The dialogs of people who decide: approve with a comment, deny, override, cancel. Each says what it is about in the
// words of the message; what comes back is judged by the core (actions/decide.ts). Pure.
import type { ModalView } from '@slack/types'
import { type Deploy, wayBack } from '../../../core/deploy.ts'
import { artifactText, titleOf } from '../../../core/words.ts'
import { viewIds } from '../action-ids.ts'
import { type Block, context, section } from '../blocks/elements.ts'
import { joined, md, nothing } from '../blocks/mrkdwn.ts'
import type { Meta } from './meta.ts'
import { choiceField, modal, textField } from './parts.ts'

/** The one field of these dialogs; also the block its errors are told at. */
export const reasonField = 'reason'
/** Of the dialog that cancels what runs. */
export const onCancelField = 'on_cancel'

const aboutOf = (deploy: Deploy) => {
  const where = deploy.prepared
    ? md` (cluster ${deploy.prepared.cluster}, namespace ${deploy.prepared.namespace})`
    : nothing
  return md`*${titleOf(deploy)}* in *${deploy.environment}*${where}, asked for by ${deploy.requestedBy.name}`
}

const pinned = (deploy: Deploy) => {
  if (!deploy.prepared?.image) return nothing
  const { image, digest, artifact } = deploy.prepared
  const about = digest
    ? md`Image ${image.split('@')[0] ?? image}, pinned to ${digest.slice(0, 19)}…`
    : md`Image ${image}: the tag is not pinned to a digest.`
  return artifact ? joined([md`Code: ${artifactText(artifact)}`, about], ' · ') : about
}

/** Which deploy, and what of it would run: the decision binds it. */
const shownIn = ({ id, prepared }: Deploy): Meta => ({
  deploy: id,
  ...(prepared ? { hash: prepared.hash } : {}),
})

export const approveDialog = (deploy: Deploy, options: { readonly reasonNeeded: boolean }): ModalView =>
  modal({
    title: 'Approve',
    callback: viewIds.approve,
    submit: 'Approve',
    meta: shownIn(deploy),
    blocks: [
      section(aboutOf(deploy)),
      ...context(pinned(deploy)),
      textField({
        block: reasonField,
        action: reasonField,
        label: options.reasonNeeded ? 'Reason' : 'Comment',
        hint: 'Everyone sees it in the thread.',
        lines: true,
        optional: !options.reasonNeeded,
      }),
    ],
  })

export const denyDialog = (deploy: Deploy): ModalView =>
  modal({
    title: 'Deny',
    callback: viewIds.deny,
    submit: 'Deny',
    meta: { deploy: deploy.id },
    blocks: [
      section(aboutOf(deploy)),
      textField({
        block: reasonField,
        action: reasonField,
        label: 'Why not?',
        hint: 'Everyone sees it in the thread, first of all who asked.',
        lines: true,
      }),
    ],
  })

export const overrideDialog = (deploy: Deploy): ModalView =>
  modal({
    title: 'Override',
    callback: viewIds.override,
    submit: 'Override and start',
    meta: shownIn(deploy),
    blocks: [
      section(
        joined(
          [
            md`:warning: *Break-glass.* This starts ${aboutOf(deploy)}, without the approvals it needs and through a freeze.`,
            md`It is told to everyone in the channel and written to the audit, with your name and your reason.`,
          ],
          '\n',
        ),
      ),
      textField({
        block: reasonField,
        action: reasonField,
        label: 'Why can it not wait?',
        lines: true,
      }),
    ],
  })

export const cancelDialog = (deploy: Deploy): ModalView =>
  modal({
    title: 'Cancel a deploy',
    callback: viewIds.cancel,
    submit: 'Cancel the deploy',
    close: 'Let it run',
    meta: { deploy: deploy.id },
    blocks: [
      section(aboutOf(deploy)),
      ...effect(deploy),
      textField({ block: reasonField, action: reasonField, label: 'Why?', lines: true }),
    ],
  })

/** What becomes of what runs: as the environment says, unless the person chooses otherwise. */
function effect(deploy: Deploy): Block[] {
  const { kind, prepared } = deploy
  const stays = 'things stay as they are then: some pods may be new, some old'
  if (!prepared || wayBack(deploy) === null || kind === 'delete')
    return [section(md`It is running. Once it stops, ${stays}.`)]
  return [
    section(md`It is running. Migrations are not undone.`),
    choiceField({
      block: onCancelField,
      action: onCancelField,
      label: 'Once it stops',
      options: [
        { value: 'rollback', text: 'Go back to what worked last' },
        { value: 'hold', text: 'Leave it as it is then' },
      ],
      initial: prepared.onCancel,
    }),
  ]
}
