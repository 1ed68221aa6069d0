// The other dialogs, opened and submitted: decisions with a reason, delete, scale, lock and freeze. Nothing of what a
// dialog remembered is believed beyond the ids: the core reads and judges again.
import { z } from 'zod'
import { freezeInput, lockInput, type RequestInput, requestInput } from '../../../core/core.ts'
import type { Deploy } from '../../../core/deploy.ts'
import { sha256 } from '../../../core/hash.ts'
import type { Rendered } from '../../../core/messages.ts'
import { objectName } from '../../../core/units.ts'
import type { Workload } from '../../../core/workload.ts'
import { UserError } from '../../../errors.ts'
import { acceptedAnswer } from '../answers/accepted.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { md } from '../blocks/mrkdwn.ts'
import type { Call, SlackCaller, SlackDeps } from '../deps.ts'
import { changeFields, deleteDialog, scaleDialog } from '../views/change.ts'
import { onCancelField, reasonField } from '../views/decide.ts'
import { type HoldPlace, heldWords, holdDialog, holdFields } from '../views/hold.ts'
import { type Meta, metaOf } from '../views/meta.ts'
import { fieldOf, rawOf } from '../views/state.ts'
import { cancelledAnswer, overriddenAnswer, votedAnswer } from './decide.ts'
import { openSoon } from './soon.ts'
import { FieldErrors, type Submission, submitted } from './submit.ts'
import { sharedChannel, toldIn } from './told.ts'

type Opening = {
  readonly trigger: string
  readonly call: Pick<Call, 'caller' | 'requestId'>
  /** Where it was asked; null: App Home. */
  readonly channel: string | null
}
type Place = { readonly app: string; readonly environment: string }

/** Asks for the app's name, and for names of volumes. */
export async function openDeleteDialog(deps: SlackDeps, at: Opening & Place): Promise<void> {
  await openSoon(deps, { ...at, title: 'Delete' }, async () =>
    deleteDialog((await running(deps, at)).workload, at.channel),
  )
}

/** Asks how many pods. */
export async function openScaleDialog(deps: SlackDeps, at: Opening & Place): Promise<void> {
  await openSoon(deps, { ...at, title: 'Scale' }, async () =>
    scaleDialog({ ...(await running(deps, at)), channel: at.channel }),
  )
}

/** Asks why and for how long. */
export async function openHoldDialog(
  deps: SlackDeps,
  at: Opening & { readonly hold: 'lock' | 'freeze'; readonly place: HoldPlace },
): Promise<void> {
  await deps.workspace.openView(at.trigger, holdDialog(at.hold, at.place, at.channel))
}

async function running(
  deps: SlackDeps,
  { call, app, environment }: Opening & Place,
): Promise<{ workload: Workload; wanted: number | null }> {
  const [found] = await deps.core.status(await call.caller(), { app, environment })
  if (!found) throw new UserError('not_found', `${app} does not run in ${environment}.`)
  return { workload: found.workload, wanted: found.wanted }
}

export const approveSubmitted = (at: Submission): Promise<void> =>
  decision(
    at,
    'Approve',
    ({ id, reason, meta }, caller) =>
      at.deps.core.vote(caller, id, {
        decision: 'approve',
        reason,
        ...shownTo(meta),
      }),
    votedAnswer,
  )

export const denySubmitted = (at: Submission): Promise<void> =>
  decision(
    at,
    'Deny',
    ({ id, reason }, caller) => at.deps.core.vote(caller, id, { decision: 'deny', reason: needed(reason) }),
    votedAnswer,
  )

export const overrideSubmitted = (at: Submission): Promise<void> =>
  decision(
    at,
    'Override',
    ({ id, reason, meta }, caller) =>
      at.deps.core.override(caller, id, { reason: needed(reason), ...shownTo(meta) }),
    overriddenAnswer,
  )

export const cancelSubmitted = (at: Submission): Promise<void> =>
  decision(
    at,
    'Cancel a deploy',
    ({ id, reason }, caller) => {
      const chosen = fieldOf(at.view, onCancelField)
      const onCancel = chosen === 'rollback' || chosen === 'hold' ? chosen : undefined
      return at.deps.core.cancel(caller, id, { reason: needed(reason), onCancel })
    },
    cancelledAnswer,
  )

type Decided = { readonly id: string; readonly reason: string; readonly meta: Meta }

/** What the dialog was opened for: nothing else is decided by it. */
const shownTo = ({ hash }: Meta): { readonly hash?: string } => (hash ? { hash } : {})

function needed(reason: string): string {
  if (reason) return reason
  throw new FieldErrors({ [reasonField]: 'Say why, in a few words.' })
}

/** The message of the deploy shows what came of it: the dialog just closes, and says it only where it stayed open. */
async function decision(
  at: Submission,
  title: string,
  work: (decided: Decided, caller: SlackCaller) => Promise<Deploy>,
  answer: (deploy: Deploy) => Rendered,
): Promise<void> {
  const meta = metaOf(at.view)
  const id = meta.deploy ?? ''
  const reason = fieldOf(at.view, reasonField) ?? ''
  await submitted(at, {
    title,
    channel: null,
    closes: true,
    blockFor: () => reasonField,
    work: caller => work({ id, reason, meta }, caller),
    done: async deploy => answer(deploy),
  })
}

export async function deleteSubmitted(at: Submission): Promise<void> {
  const { view } = at
  const { app = '', environment = '' } = metaOf(view)
  const claims = (fieldOf(view, changeFields.claims) ?? '').split(/[\s,]+/).filter(Boolean)
  await asked(at, 'Delete', changeFields.claims, () => {
    if (fieldOf(view, changeFields.name) !== app)
      throw new FieldErrors({ [changeFields.name]: `That is not ${app}. Type its name to delete it.` })
    const wrong = claims.find(name => !objectName.safeParse(name).success)
    if (wrong)
      throw new FieldErrors({
        [changeFields.claims]: `${wrong.slice(0, 60)} is not a volume's name. One a line.`,
      })
    return { kind: 'delete', app, environment, claims }
  })
}

export async function scaleSubmitted(at: Submission): Promise<void> {
  const { view } = at
  const { app = '', environment = '' } = metaOf(view)
  await asked(at, 'Scale', changeFields.replicas, () => {
    const replicas = z.coerce
      .number()
      .int()
      .min(0)
      .max(10_000)
      .safeParse(fieldOf(view, changeFields.replicas))
    if (!replicas.success || fieldOf(view, changeFields.replicas) === null)
      throw new FieldErrors({ [changeFields.replicas]: 'A whole number from 0 to 10000.' })
    return { kind: 'scale', app, environment, replicas: replicas.data }
  })
}

/** A request from a dialog: the same dialog with the same content is the same request. */
async function asked(
  at: Submission,
  title: string,
  block: string,
  inputOf: () => Partial<RequestInput>,
): Promise<void> {
  const { deps, view } = at
  const channel = metaOf(view).channel ?? null
  await submitted(at, {
    title,
    channel,
    blockFor: () => block,
    work: caller => {
      const input = inputOf()
      const key = `view:${view.id}:${sha256(input).slice(0, 32)}`
      const parsed = requestInput.safeParse({ ...input, idempotencyKey: key })
      if (!parsed.success)
        throw new UserError('bad_input', 'This dialog is of another version of gkube. Open it again.')
      return deps.core.request(caller, parsed.data, { channel: sharedChannel(channel) })
    },
    done: async ({ deploy, repeated }) =>
      acceptedAnswer(deploy, { repeated, channel: await toldIn(deps, deploy, channel) }),
  })
}

export async function holdSubmitted(at: Submission): Promise<void> {
  const { deps, view } = at
  const { app, environment, hold = 'lock', channel = null } = metaOf(view)
  const place: HoldPlace = { ...(app ? { app } : {}), ...(environment ? { environment } : {}) }
  const reason = fieldOf(view, holdFields.reason) ?? ''
  const span = fieldOf(view, holdFields.until) ?? ''
  const wrong = () => new FieldErrors({ [holdFields.until]: 'Choose how long.' })
  await submitted(at, {
    title: hold === 'lock' ? 'Lock' : 'Freeze',
    channel,
    // What somebody else has locked can be taken over here.
    blockFor: error => (error.kind === 'held' && hold === 'lock' ? holdFields.steal : holdFields.reason),
    work: async caller => {
      if (!reason) throw new FieldErrors({ [holdFields.reason]: 'Say why, in a few words.' })
      if (hold === 'lock') {
        const input = lockInput.safeParse({
          ...place,
          reason,
          expiresIn: span,
          steal: rawOf(view, holdFields.steal) === 'true',
        })
        if (!input.success) throw wrong()
        await deps.core.lock(caller, input.data)
      } else {
        const input = freezeInput.safeParse({ environment, reason, endsIn: span })
        if (!input.success) throw wrong()
        await deps.core.freeze(caller, input.data)
      }
    },
    done: async () => {
      const text =
        hold === 'lock' ? `You locked ${heldWords(place)}: ${reason}` : `You froze ${environment}: ${reason}`
      return fitted(text, [section(md`${text}`)])
    },
  })
}
