// Everything about Jenkins builds that Bolt is told: clicks on their messages, their two dialogs, the searches in these.
// What a handler does is in actions/builds.ts and actions/build-dialog.ts; ids are in action-ids.ts.
import type {
  App,
  BlockAction,
  BlockButtonAction,
  BlockSuggestion,
  ExternalSelectAction,
  SlackViewMiddlewareArgs,
  ViewSubmitAction,
} from '@slack/bolt'
import { messagesId } from '../../core/builds/records.ts'
import { buildActionIds, buildOptionIds, buildViewIds } from './action-ids.ts'
import { buildDialogChanged, buildDialogSubmitted } from './actions/build-dialog.ts'
import { abort, again, deploy, inputSubmitted, log, openInput, proceed, stop } from './actions/builds.ts'
import { clickOf } from './actions/click.ts'
import type { Clicked } from './actions/decide.ts'
import { pointToReal } from './actions/point-to-real.ts'
import type { Submission } from './actions/submit.ts'
import type { SlackCaller, SlackDeps } from './deps.ts'
import { matching, optionsOf } from './options.ts'
import { choiceOption, searchedName } from './views/build-fields.ts'
import { metaOf } from './views/meta.ts'
import type { Option } from './views/parts.ts'

const clicks: Readonly<Record<keyof typeof buildActionIds, (at: Clicked) => Promise<void>>> = {
  proceed,
  input: openInput,
  abort,
  stop,
  log,
  deploy,
  again,
}

const dialogs: Readonly<Record<keyof typeof buildViewIds, (at: Submission) => Promise<void>>> = {
  build: buildDialogSubmitted,
  input: inputSubmitted,
}

/** Slack wants each id once in a row of buttons: several of one kind are numbered. */
const numbered = (id: string): RegExp => new RegExp(`^${id}(:\\d+)?$`)
const choices = new RegExp(`^${buildOptionIds.choice}:`)

export function registerBuilds(bolt: App, deps: SlackDeps): void {
  for (const [name, handler] of Object.entries(clicks))
    bolt.action<BlockButtonAction>(
      numbered(buildActionIds[name as keyof typeof buildActionIds]),
      deps.guarded(`build ${name}`, async ({ body, action, ack }, call) => {
        const click = clickOf(body, action)
        try {
          await handler({ deps, click, call, ack: () => ack() })
        } finally {
          const [build = ''] = click.value.split('/')
          const id = messagesId(build, click.message?.channel ?? '')
          await pointToReal(deps, { click, call, id })
        }
        await ack()
      }),
    )
  for (const [name, handler] of Object.entries(dialogs))
    bolt.view<ViewSubmitAction>(
      { callback_id: buildViewIds[name as keyof typeof buildViewIds], type: 'view_submission' },
      deps.guarded<SlackViewMiddlewareArgs<ViewSubmitAction>>(
        `dialog ${name}`,
        async ({ body, view, ack }, call) =>
          handler({ deps, call, view, user: body.user.id, ack: response => ack(response) }),
      ),
    )
  bolt.action<BlockAction<ExternalSelectAction>>(
    buildOptionIds.job,
    deps.guarded('build dialog changed', async ({ body, action, ack }, call) => {
      await ack()
      const at = Math.round(Number(action.action_ts) * 1000) || 0
      if (body.view) await buildDialogChanged(deps, { view: body.view, call, at })
    }),
  )
  // Chosen: it is read when the dialog is submitted.
  bolt.action(choices, async ({ ack }) => ack())
  const search = (
    id: string | RegExp,
    find: (caller: SlackCaller, body: BlockSuggestion) => Promise<Option[]>,
  ) =>
    bolt.options<'block_suggestion'>(
      id,
      deps.guarded('search for a build', async ({ body, ack }, call) =>
        ack({ options: optionsOf(await find(await call.caller(), body)) }),
      ),
    )
  search(buildOptionIds.job, async (caller, { value }) =>
    (await deps.core.jobs(caller, value.trim().slice(0, 200))).map(({ job, apps }) => ({
      value: job,
      ...(apps.length > 0 ? { about: apps.join(', ') } : {}),
    })),
  )
  search(choices, async (caller, body) => {
    const all = await choicesOf(deps, caller, body)
    return matching(all, body.value.trim().slice(0, 200), { near: false }).map(choiceOption)
  })
}

/** What a dialog shows of it is cut: the choices are read again. */
async function choicesOf(
  deps: SlackDeps,
  caller: SlackCaller,
  body: BlockSuggestion,
): Promise<readonly string[]> {
  if (!body.view) return []
  const { job, build, input } = metaOf(body.view)
  const name = searchedName(body.action_id)
  const parameters =
    job !== undefined
      ? (await deps.core.job(caller, job)).parameters
      : (await deps.core.showBuild(caller, build ?? '')).inputs.find(one => one.id === input)?.parameters
  return parameters?.find(one => one.name === name)?.choices ?? []
}
