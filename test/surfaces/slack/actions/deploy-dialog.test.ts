// The deploy dialog beside a workspace that keeps hashes as Slack does: the newest choice wins in whatever order things
// arrive, a preview never covers a newer one, and what goes wrong is said in the dialog.
import { describe, expect, it } from 'vitest'
import type { Core, Plan } from '../../../../src/core/core.ts'
import { UserError } from '../../../../src/errors.ts'
import { problemsOf } from '../../../../src/sandbox/slack/validate.ts'
import {
  deployDialogChanged,
  deployDialogSubmitted,
  openDeployDialog,
} from '../../../../src/surfaces/slack/actions/deploy-dialog.ts'
import type { Call, SlackDeps } from '../../../../src/surfaces/slack/deps.ts'
import type { Submitted } from '../../../../src/surfaces/slack/views/state.ts'
import { ana, deploy, now, production, staging, textsOf } from '../messages/sample.ts'

type Shown = { id: string; hash: number; view: { blocks: readonly object[]; private_metadata: string } }

const planOf = (revision: string): Plan => ({
  app: 'web',
  environment: 'staging',
  kind: 'update',
  from: '1.4.1',
  revision,
  image: `shop/web:${revision}`,
  digest: null,
  steps: ['apply'],
  objects: [],
  changes: [`image 1.4.1 → ${revision}`],
  notes: [],
  refusals: [],
})

function world(core: Partial<Core> = {}) {
  const views = new Map<string, Shown>()
  const put = (id: string, view: object) => {
    expect(problemsOf('modal', view)).toEqual([])
    const hash = (views.get(id)?.hash ?? 0) + 1
    views.set(id, { id, hash, view: view as Shown['view'] })
    return { id, hash: String(hash) }
  }
  const deps = {
    core: { plan: async () => planOf('1.4.2'), locks: async () => [], freezes: async () => [], ...core },
    workspace: {
      openView: async (_: string, view: object) => put(`V${views.size}-${Math.random()}`, view),
      updateView: async (target: { id: string; hash?: string }, view: object) => {
        const there = views.get(target.id)
        if (!there) throw new UserError('unavailable', 'Slack did not tell (views.update: not_found).')
        if (target.hash !== undefined && target.hash !== String(there.hash))
          throw new UserError('unavailable', 'Slack did not tell (views.update: hash_conflict).')
        return put(target.id, view)
      },
      isMember: async () => true,
      ephemeral: async (_: string, __: string, message: object) => void said.push(textsOf(message).join()),
    },
    config: { command: '/gkube' },
    environments: new Map([
      ['staging', staging],
      ['production', production],
    ]),
    clock: { now: () => now },
    log: { error() {}, warn() {}, info() {}, debug() {} },
  } as unknown as SlackDeps
  const said: string[] = []
  const call = {
    id: 'e',
    requestId: '7f3a',
    left: () => 2400,
    caller: async () => ({ actor: ana, grants: [], unsure: null }),
  } as unknown as Call
  const open = async (given: Record<string, string> = {}): Promise<Shown> => {
    await openDeployDialog(deps, { trigger: 't', call, channel: 'C0STAGING', given })
    const [last] = [...views.values()].slice(-1)
    if (!last) throw new Error('nothing was opened')
    return last
  }
  const text = (id: string) => textsOf(views.get(id)?.view).join('\n')
  return { deps, call, views, open, text, said }
}

/** What Slack sends of a view with this chosen. */
function chosen(
  shown: Shown,
  given: { app?: string; environment?: string; revision?: string },
  block?: string,
): Submitted {
  const values: Record<string, Record<string, { selected_option: { value: string } }>> = {}
  const pick = (id: string, name: string, value: string | undefined) => {
    if (value) values[id] = { [name]: { selected_option: { value } } }
  }
  pick('app', 'gkube:app', given.app)
  pick('environment', 'gkube:environment', given.environment)
  pick(block ?? `revision:${given.app ?? ''}`, 'gkube:revision', given.revision)
  return {
    id: shown.id,
    hash: String(shown.hash),
    callback_id: 'gkube:deploy',
    private_metadata: shown.view.private_metadata,
    state: { values },
  }
}
const web = { app: 'web', environment: 'staging', revision: '1.4.2' }

describe('the preview', () => {
  it('says what is missing, then what would change', async () => {
    const { open, text, deps, call } = world()
    const shown = await open({ app: 'web' })
    expect(text(shown.id)).toMatch(/Choose an app, an environment and a revision/)
    await deployDialogChanged(deps, { view: chosen(shown, web), call, at: now })
    expect(text(shown.id)).toMatch(/image 1\.4\.1 → 1\.4\.2/)
  })

  it('the newest choice wins, also when its plan is there first', async () => {
    const slow = Promise.withResolvers<Plan>()
    const { open, text, deps, call } = world({
      plan: async (_, { revision }) => (revision === '1.4.2' ? slow.promise : planOf(revision ?? '')),
    })
    const shown = await open()
    const first = deployDialogChanged(deps, { view: chosen(shown, web), call, at: now })
    await expect.poll(() => text(shown.id)).toMatch(/Working out/)
    // From the view as it was before the first answer: Slack refuses its hash once.
    await deployDialogChanged(deps, { view: chosen(shown, { ...web, revision: '1.5.0' }), call, at: now + 1 })
    slow.resolve(planOf('1.4.2'))
    await first
    expect(text(shown.id)).toMatch(/image 1\.4\.1 → 1\.5\.0/)
  })

  it('an older choice that arrives later changes nothing', async () => {
    const { open, text, deps, call } = world({ plan: async (_, { revision }) => planOf(revision ?? '') })
    const shown = await open()
    await deployDialogChanged(deps, { view: chosen(shown, { ...web, revision: '2.0.0' }), call, at: now + 5 })
    await deployDialogChanged(deps, { view: chosen(shown, web), call, at: now })
    expect(text(shown.id)).toMatch(/1\.4\.1 → 2\.0\.0/)
  })

  it('another app starts without a revision', async () => {
    const { open, text, deps, call, views } = world()
    const shown = await open()
    await deployDialogChanged(deps, {
      view: chosen(shown, { ...web, app: 'api' }, 'revision:web'),
      call,
      at: now,
    })
    expect(text(shown.id)).toMatch(/Choose an app/)
    expect(JSON.stringify(views.get(shown.id)?.view)).not.toContain('"value":"1.4.2"')
  })

  it('a dialog that was closed meanwhile is no failure', async () => {
    const { open, deps, call, views } = world()
    const shown = await open()
    views.clear()
    await deployDialogChanged(deps, { view: chosen(shown, web), call, at: now })
  })

  const failures: [string, () => Promise<Plan>, RegExp][] = [
    [
      'a refusal, in its words',
      () =>
        Promise.reject(new UserError('unavailable', 'Cluster eu-1 does not answer. Try again in a minute.')),
      /Cluster eu-1 does not answer/,
    ],
    ['a fault of ours', () => Promise.reject(new Error('boom')), /The preview could not be made/],
  ]
  it.each(failures)('%s', async (_, plan, expected) => {
    const { open, text, deps, call } = world({ plan })
    const shown = await open()
    await deployDialogChanged(deps, { view: chosen(shown, web), call, at: now })
    expect(text(shown.id)).toMatch(expected)
    expect(text(shown.id)).not.toMatch(/boom/)
  })
})

describe('submitting', () => {
  type Ack = { response_action?: string; errors?: Record<string, string>; view?: object } | undefined
  async function submit(core: Partial<Core>, given: Parameters<typeof chosen>[1], block?: string) {
    const at = world(core)
    const view = chosen(await at.open(), given, block)
    const acks: Ack[] = []
    await deployDialogSubmitted({
      deps: at.deps,
      call: at.call,
      view,
      user: 'U0ANA',
      ack: async response => void acks.push(response as Ack),
    })
    expect(acks).toHaveLength(1)
    return { ...at, view, ack: acks[0] }
  }
  const request = async () => ({ deploy: deploy(web), repeated: false })

  it('is stored, then acked, then said where it was asked', async () => {
    const { ack, said } = await submit({ request }, web)
    expect(ack).toBeUndefined()
    expect(said.join()).toMatch(/got it/)
  })

  it('the same dialog with the same content has the same key, another content another one', async () => {
    const keys: (string | undefined)[] = []
    const core: Partial<Core> = {
      request: async (_, input) => {
        keys.push(input.idempotencyKey)
        return request()
      },
    }
    const { deps, call, view } = await submit(core, web)
    const again = { deps, call, user: 'U0ANA', ack: async () => undefined }
    await deployDialogSubmitted({ ...again, view })
    await deployDialogSubmitted({
      ...again,
      view: {
        ...view,
        state: chosen(
          { id: 'x', hash: 1, view: { blocks: [], private_metadata: '' } },
          { ...web, revision: '9' },
        ).state,
      },
    })
    expect(keys).toHaveLength(3)
    expect(keys[1]).toBe(keys[0])
    expect(keys[2]).not.toBe(keys[0])
  })

  const errors: [string, Parameters<typeof chosen>[1], Partial<Core>, RegExp][] = [
    ['nothing chosen', {}, {}, /"gkube:app":"Choose an app\."/],
    ['no revision', { app: 'web', environment: 'staging' }, {}, /Choose a revision/],
    ['a revision that is none', { ...web, revision: '<!channel>' }, {}, /A revision is letters/],
    [
      'etcd is down: the dialog stays, to be submitted again',
      web,
      {
        request: () =>
          Promise.reject(new UserError('unavailable', 'etcd does not answer, so nothing was started.')),
      },
      /"environment":"etcd does not answer/,
    ],
    [
      'no such revision',
      web,
      {
        request: () =>
          Promise.reject(new UserError('bad_input', 'The revision 1.4.2 is not in the registry.')),
      },
      /"revision:web":"The revision/,
    ],
  ]
  it.each(errors)('an error at its field: %s', async (_, given, core, expected) => {
    const { ack } = await submit(core, given)
    expect(ack?.response_action).toBe('errors')
    expect(JSON.stringify(ack?.errors)).toMatch(expected)
  })

  it('a revision of another app is not taken', async () => {
    const { ack } = await submit({ request }, { ...web, app: 'api' }, 'revision:web')
    expect(JSON.stringify(ack?.errors)).toMatch(/chosen for another app/)
  })

  it('who may not is told in the place of the dialog', async () => {
    const forbidden = () =>
      Promise.reject(new UserError('forbidden', 'ana may not deploy web in staging. Who may: @ben.'))
    const { ack } = await submit({ request: forbidden }, web)
    expect(ack?.response_action).toBe('update')
    expect(textsOf(ack?.view).join()).toMatch(/Who may: @ben/)
    expect(problemsOf('modal', ack?.view)).toEqual([])
  })

  it('not known in time: says so, then the truth in the same dialog', async () => {
    const slow = Promise.withResolvers<{ deploy: ReturnType<typeof deploy>; repeated: boolean }>()
    const at = world({ request: () => slow.promise })
    const shown = await at.open()
    const acks: Ack[] = []
    const done = deployDialogSubmitted({
      deps: at.deps,
      call: { ...at.call, left: () => 210 },
      view: chosen(shown, web),
      user: 'U0ANA',
      ack: async response => void acks.push(response as Ack),
    })
    await expect.poll(() => acks.length).toBe(1)
    expect(acks[0]?.response_action).toBe('update')
    expect(textsOf(acks[0]?.view).join()).toMatch(/Not confirmed, checking/)
    slow.resolve({ deploy: deploy(web), repeated: false })
    await done
    expect(at.text(shown.id)).toMatch(/got it/)
  })

  it('not known in time and closed by then: the truth is said where it was asked', async () => {
    const slow = Promise.withResolvers<{ deploy: ReturnType<typeof deploy>; repeated: boolean }>()
    const at = world({ request: () => slow.promise })
    const view = chosen(await at.open(), web)
    const acks: Ack[] = []
    const done = deployDialogSubmitted({
      deps: at.deps,
      call: { ...at.call, left: () => 210 },
      view,
      user: 'U0ANA',
      ack: async response => void acks.push(response as Ack),
    })
    await expect.poll(() => acks.length).toBe(1)
    at.views.clear()
    slow.reject(new UserError('conflict', 'web was changed by someone else.'))
    await done
    expect(at.said.join()).toMatch(/changed by someone else/)
  })
})
