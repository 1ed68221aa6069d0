// What comes back from the dialogs that cancel and lock: the person's choice reaches the core, and what somebody else has
// locked can be taken over in the same dialog.
import { expect, it } from 'vitest'
import type { Core, Lock } from '../../../../src/core/core.ts'
import { UserError } from '../../../../src/errors.ts'
import { cancelSubmitted, holdSubmitted } from '../../../../src/surfaces/slack/actions/modals.ts'
import type { Call, SlackDeps } from '../../../../src/surfaces/slack/deps.ts'
import { ana, deploy, now } from '../messages/sample.ts'

type Fields = Readonly<Record<string, string | boolean>>

/** As Slack sends it: a choice, a ticked box, a text. */
const stateOf = (fields: Fields) => ({
  values: Object.fromEntries(
    Object.entries(fields).map(([id, value]) => [
      id,
      {
        [id]:
          typeof value === 'boolean'
            ? { selected_options: value ? [{ value: 'true' }] : [] }
            : id === 'reason'
              ? { value }
              : { selected_option: { value } },
      },
    ]),
  ),
})

async function submit(
  handler: typeof cancelSubmitted,
  core: Partial<Core>,
  { fields, meta }: { fields: Fields; meta: object },
) {
  const acks: unknown[] = []
  const deps = {
    core,
    config: { command: '/gkube' },
    workspace: { isMember: async () => true, ephemeral: async () => undefined },
    clock: { now: () => now },
    log: { error() {}, warn() {}, info() {}, debug() {} },
  } as unknown as SlackDeps
  const call = {
    id: 'e',
    requestId: '7f3a',
    left: () => 2400,
    caller: async () => ({ actor: ana, grants: [], unsure: null }),
  } as unknown as Call
  await handler({
    deps,
    call,
    user: 'U0ANA',
    view: {
      id: 'V1',
      hash: '1',
      callback_id: '',
      private_metadata: JSON.stringify(meta),
      state: stateOf(fields),
    },
    ack: async response => void acks.push(response),
  })
  return acks
}

it.each([
  ['rollback', 'rollback'],
  ['hold', 'hold'],
  // A dialog of before, or of what has nothing to go back to.
  [null, undefined],
  ['everything', undefined],
])('cancel with the choice %s', async (chosen, onCancel) => {
  const seen: unknown[] = []
  const cancel: Core['cancel'] = async (_, id, input) => {
    seen.push([id, input])
    return deploy({ phase: 'running' })
  }
  const fields = { reason: 'wrong one', ...(chosen ? { on_cancel: chosen } : {}) }
  await submit(cancelSubmitted, { cancel }, { fields, meta: { deploy: 'd1' } })
  expect(seen).toEqual([['d1', { reason: 'wrong one', onCancel }]])
})

it.each([
  [false, /"steal":"web in production is locked by ben: debugging/],
  [true, /You locked web in production: shop is down/],
])('a lock that somebody else has, with the box ticked: %s', async (steal, answer) => {
  const lock: Core['lock'] = async (_, input) => {
    if (!input.steal)
      throw new UserError('held', 'web in production is locked by ben: debugging. To take it over: --steal.')
    return {} as Lock
  }
  const acks = await submit(
    holdSubmitted,
    { lock },
    {
      fields: { reason: 'shop is down', until: '4h', steal },
      meta: { hold: 'lock', app: 'web', environment: 'production' },
    },
  )
  expect(JSON.stringify(acks)).toMatch(answer)
})
