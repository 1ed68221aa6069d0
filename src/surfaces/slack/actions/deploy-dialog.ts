// The deploy dialog: opened at once (its trigger lives 3 s), the preview filled in below while the person looks. Each
// choice asks for the plan anew, and the newest one wins; submitting asks for the deploy. The views are pure
// (views/deploy-dialog.ts, views/preview.ts), what can be chosen is searched by options.ts.
import { setTimeout as wait } from 'node:timers/promises'
import { type RequestInput, requestInput } from '../../../core/core.ts'
import { sha256 } from '../../../core/hash.ts'
import { heldBy } from '../../../core/queue.ts'
import { revision as revisionSchema } from '../../../core/units.ts'
import { freezeWords } from '../../../core/use-cases/freezes.ts'
import { lockWords } from '../../../core/use-cases/locks.ts'
import { UserError } from '../../../errors.ts'
import { optionIds } from '../action-ids.ts'
import { acceptedAnswer } from '../answers/accepted.ts'
import { slackCommands } from '../blocks/slack-commands.ts'
import type { Call, SlackCaller, SlackDeps } from '../deps.ts'
import { toldError } from '../told-errors.ts'
import { type Choice, choiceOf, deployDialog, revisionBlock } from '../views/deploy-dialog.ts'
import { type Meta, metaOf } from '../views/meta.ts'
import { type Preview, previewBlocks } from '../views/preview.ts'
import { blockOf, type Submitted } from '../views/state.ts'
import { ifRaced, newest } from './changing.ts'
import { FieldErrors, type Submission, submitted } from './submit.ts'
import { sharedChannel, toldIn } from './told.ts'

/** A person looks at the dialog meanwhile; a cluster that takes longer has something else to do. */
const previewMs = 8_000

type Opening = {
  readonly trigger: string
  readonly call: Pick<Call, 'caller'>
  /** Where it was asked; null: App Home. */
  readonly channel: string | null
  readonly given: Partial<Choice>
}

/** Opens it with what is known; resolves when its preview is there, if it can be made. */
export async function openDeployDialog(
  deps: SlackDeps,
  { trigger, call, channel, given }: Opening,
): Promise<void> {
  const choice = { app: null, environment: null, revision: null, ...given }
  const meta: Meta = channel ? { channel } : {}
  const preview = startOf(choice)
  const opened = await deps.workspace.openView(trigger, dialogOf(deps, { choice, meta, preview }))
  if (isComplete(choice)) await fill(deps, { call, choice, meta, target: opened })
}

/** Something else was chosen: `at` is when, in ms, by Slack's clock. */
export async function deployDialogChanged(
  deps: SlackDeps,
  { view, call, at }: { view: Submitted; call: Pick<Call, 'caller'>; at: number },
): Promise<void> {
  const meta = metaOf(view)
  const chosen = choiceOf(view)
  // Another app has other revisions.
  const choice = isOfAnotherApp(view, chosen) ? { ...chosen, revision: null } : chosen
  if (!newest(view.id, at)) return
  const next = dialogOf(deps, { choice, meta, preview: startOf(choice) })
  const target = await deps.workspace
    .updateView({ id: view.id, hash: view.hash }, next)
    .catch(ifRaced(() => (newest(view.id, at) ? deps.workspace.updateView({ id: view.id }, next) : null)))
  if (target && isComplete(choice)) await fill(deps, { call, choice, meta, target })
}

type Complete = { readonly [K in keyof Choice]: string }

const isComplete = (choice: Choice): choice is Complete =>
  choice.app !== null && choice.environment !== null && choice.revision !== null

const startOf = (choice: Choice): Preview =>
  isComplete(choice) ? { kind: 'working', choice } : { kind: 'incomplete' }

/** A field that was filled before any app was chosen stays. */
const isOfAnotherApp = (view: Submitted, { app }: Choice): boolean => {
  const block = blockOf(view, optionIds.revision)
  return block !== revisionBlock(app) && block !== revisionBlock(null)
}

function dialogOf(
  { environments }: SlackDeps,
  { choice, meta, preview }: { choice: Choice; meta: Meta; preview: Preview },
) {
  const required = environments.get(choice.environment ?? '')?.approvals.required ?? 0
  return deployDialog({ choice, meta, preview: previewBlocks(preview), asks: required > 0 })
}

type Filling = {
  readonly call: Pick<Call, 'caller'>
  readonly choice: Complete
  readonly meta: Meta
  readonly target: { readonly id: string; readonly hash: string }
}

/** With the hash of the view that says it is working on it: whoever changed it since has a preview of their own. */
async function fill(deps: SlackDeps, { call, choice, meta, target }: Filling): Promise<void> {
  const preview = await previewOf(deps, await call.caller(), choice)
  await deps.workspace
    .updateView(target, dialogOf(deps, { choice, meta, preview }))
    .catch(ifRaced(() => null))
}

async function previewOf(deps: SlackDeps, caller: SlackCaller, choice: Complete): Promise<Preview> {
  const environment = deps.environments.get(choice.environment)
  if (!environment) return { kind: 'none', text: `There is no environment ${choice.environment}.` }
  const slow: Preview = {
    kind: 'none',
    text: `The cluster did not answer within ${previewMs / 1000} s, so there is no preview. You can ask for it all the same: it is checked again before anything is written.`,
  }
  const stop = new AbortController()
  const limit = wait(previewMs, slow, { signal: stop.signal }).catch(() => slow)
  const made = (async (): Promise<Preview> => {
    try {
      const [plan, held] = await Promise.all([deps.core.plan(caller, choice), holds(deps, caller, choice)])
      return { kind: 'plan', plan, environment, held }
    } catch (error) {
      const told = toldError(error)
      if (told instanceof UserError)
        return { kind: 'none', text: slackCommands(told.message, deps.config.command) }
      deps.log.error({ err: error, ...choice }, 'a preview could not be made')
      return {
        kind: 'none',
        text: 'The preview could not be made; the log has why. You can ask for it all the same.',
      }
    }
  })()
  try {
    return await Promise.race([made, limit])
  } finally {
    stop.abort()
  }
}

/** What would keep it from starting at once. */
async function holds(deps: SlackDeps, caller: SlackCaller, choice: Complete): Promise<string[]> {
  const now = deps.clock.now()
  const [locks, freezes] = await Promise.all([deps.core.locks(caller), deps.core.freezes(caller)])
  const lock = heldBy(locks, choice, now)
  const freeze = freezes.find(one => one.environment === choice.environment)
  return [
    ...(lock ? [lockWords(lock)] : []),
    ...(freeze ? [freezeWords(freeze, { environment: { breakGlass: [] }, people: [], now })] : []),
  ]
}

/** The key is the dialog's and what was submitted: the same again is the same request, something else is another. */
export async function deployDialogSubmitted(at: Submission): Promise<void> {
  const { deps, view } = at
  const channel = metaOf(view).channel ?? null
  await submitted(at, {
    title: 'Deploy',
    channel,
    blockFor: error => blockFor(view, error),
    work: caller => deps.core.request(caller, inputOf(view), { channel: sharedChannel(channel) }),
    done: async ({ deploy, repeated }) =>
      acceptedAnswer(deploy, { repeated, channel: await toldIn(deps, deploy, channel) }),
  })
}

function inputOf(view: Submitted): RequestInput {
  const chosen = choiceOf(view)
  const block = (id: string) => blockOf(view, id) ?? id
  const errors: Record<string, string> = {}
  if (!chosen.app) errors[block(optionIds.app)] = 'Choose an app.'
  if (!chosen.environment) errors[block(optionIds.environment)] = 'Choose an environment.'
  if (!chosen.revision) errors[block(optionIds.revision)] = 'Choose a revision, or type one.'
  else if (isOfAnotherApp(view, chosen))
    errors[block(optionIds.revision)] = `That was chosen for another app. Choose a revision of ${chosen.app}.`
  else if (!revisionSchema.safeParse(chosen.revision).success)
    errors[block(optionIds.revision)] =
      'A revision is letters, digits, dots, dashes and underscores, such as 1.4.2.'
  if (Object.keys(errors).length > 0) throw new FieldErrors(errors)
  const parsed = requestInput.safeParse({
    kind: 'deploy',
    ...chosen,
    idempotencyKey: `view:${view.id}:${sha256(JSON.stringify(chosen)).slice(0, 32)}`,
  })
  if (parsed.success) return parsed.data
  throw new FieldErrors({ [block(optionIds.app)]: 'That is no app and environment. Choose them again.' })
}

/** The field that the error is about, as far as the core says it. */
function blockFor(view: Submitted, { kind, message }: UserError): string {
  const id =
    kind === 'held' || kind === 'unavailable'
      ? optionIds.environment
      : /revision/i.test(message)
        ? optionIds.revision
        : optionIds.app
  return blockOf(view, id) ?? id
}
