// Clicks and dialogs as people use them: the stand-in workspace sends signed requests to a real replica, with etcd and
// a cluster behind it. Who may and who may not, twice, late, at once; what each of them is told.
import { beforeAll, describe, expect, it } from 'vitest'
import type { Deploy } from '../../src/core/deploy.ts'
import { environmentSchema } from '../../src/core/environment.ts'
import type { Message, Reply, View } from '../../src/sandbox/slack/control.ts'
import { problemsOf } from '../../src/sandbox/slack/validate.ts'
import { actionIds, optionIds } from '../../src/surfaces/slack/action-ids.ts'
import { admin, ask, outcome, type Stack, ship, startStack, webApp } from '../support/stack.ts'
import { renderer } from '../surfaces/slack/messages/sample.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({
    slack: 'http',
    speed: 40,
    environments,
    config: {
      people: {
        ana: {
          name: 'ana',
          slack: 'U0ANA',
          grants: [{ role: 'deployer', environments: ['staging', 'production'] }],
        },
        cho: {
          name: 'cho',
          slack: 'U0CHO',
          grants: [
            { role: 'operator', environments: [...places] },
            { role: 'approver', environments: ['live'] },
          ],
        },
      },
      groups: {
        'release-managers': {
          slack: 'S0RELEASE',
          grants: [
            { role: 'deployer', environments: [...places] },
            { role: 'approver', environments: [...places] },
          ],
        },
      },
    },
  })
  await stack.core.applyApp(admin, webApp({ replicas: 1, environments: everywhere }), { dryRun: false })
  await stack.core.applyApp(
    admin,
    webApp({ app: 'api', replicas: 1, jobs: ['shop/api'], environments: everywhere }),
    {
      dryRun: false,
    },
  )
  await Promise.all([
    ship(stack.core, { revision: '1.4.1' }),
    ship(stack.core, { app: 'api', revision: '7' }),
  ])
})
const environments = {
  staging: { createNamespace: true, channel: 'C0STAGING' },
  production: {
    createNamespace: true,
    channel: 'C0PRODUCTION',
    protected: true,
    approvals: { required: 1, expiry: '30m' },
    breakGlass: ['cho'],
  },
  // Two have to say yes, and why.
  live: {
    createNamespace: true,
    channel: 'C0PRODUCTION',
    approvals: { required: 2, reason: true, requesterCounts: true },
  },
}
const places = ['staging', 'production', 'live'] as const
const everywhere = { staging: {}, production: {}, live: {} }

/** What stands in a message or a view, blocks and all, as one text. */
function textOf(message: unknown): string {
  const texts: string[] = []
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk)
    else if (value !== null && typeof value === 'object')
      for (const [key, inner] of Object.entries(value))
        if (key === 'text' && typeof inner === 'string') texts.push(inner)
        else walk(inner)
  }
  walk(message)
  return texts.join('\n')
}

/** What Slack would refuse in a view, without what the workspace adds to it. */
function problemsIn(view: View | undefined): string[] {
  if (!view) return ['there is none']
  const own = ['type', 'title', 'submit', 'close', 'blocks', 'callback_id', 'private_metadata']
  const sent = Object.entries(view).filter(
    ([key, value]) => own.includes(key) && value !== '' && value !== null,
  )
  return problemsOf(view.type, Object.fromEntries(sent))
}

const control = () => stack.slack.control
const has = (message: Message | View, action: string): boolean =>
  JSON.stringify(message.blocks ?? []).includes(`"action_id":"${action}"`)

/** Asks in Slack and waits until it waits for approval. */
async function asked(person: string, text: string): Promise<Deploy> {
  const reply = await control().as(person).command('production', `/gkube ${text}`)
  expect(textOf(reply.body)).toMatch(/got it|asked/)
  const [, app = '', environment = ''] = /deploy (\S+) \S+ to (\S+)/.exec(text) ?? []
  const [deploy] = await stack.core.history(admin, { app, environment, limit: 1 })
  if (!deploy) throw new Error('nothing was asked for')
  await expect.poll(() => phaseOf(deploy.id), { interval: 20 }).toBe('awaiting_approval')
  return deploy
}

/**
 * The message of a deploy as it is now, posted to this person alone (or a channel): the notifier's own message would do (and does in
 * `messageOf`), but Slack takes an update a second, and these tests are many.
 */
async function card(to: string, { id }: Deploy): Promise<{ channel: string; ts: string }> {
  const facts = await stack.core.showDeploy(admin, id)
  const name = facts.deploy.environment
  const config = (environments as Record<string, object>)[name]
  const environment = { ...environmentSchema.parse(config), name }
  const message = renderer.main({ ...facts, environment, now: Date.now() })
  return post(to.startsWith('C') ? to : control().as(to).person.id, message)
}

/** As the app posts, without the notifier. */
async function post(channel: string, message: object): Promise<{ channel: string; ts: string }> {
  const answer = await fetch(`${stack.slack.api}chat.postMessage`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stack.slack.botToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ channel, ...message }),
  })
  return (await answer.json()) as { channel: string; ts: string }
}

/** The notifier's message of a deploy, once it has that button. */
async function messageOf(deploy: Deploy, action?: string): Promise<{ channel: string; ts: string }> {
  const { channel, ts } = await control().until(
    () =>
      ['staging', 'production']
        .flatMap(name => control().messages(name))
        .find(
          message => (!action || has(message, action)) && JSON.stringify(message.blocks).includes(deploy.id),
        ),
    { what: `a message of ${deploy.app} ${deploy.revision} with ${action ?? 'anything'}`, timeoutMs: 15_000 },
  )
  return { channel, ts }
}

/** Does it, and answers what that person was then told for their eyes only. */
async function told(person: string, act: () => Promise<Reply>): Promise<string> {
  const before = control().ephemerals(person).length
  const reply = await act()
  expect(reply.outcome).toBe('ok')
  expect(reply.ms).toBeLessThan(3000)
  const message = await control().until(() => control().ephemerals(person)[before], {
    what: `an answer to ${person}`,
  })
  expect(problemsOf('message', message)).toEqual([])
  return textOf(message)
}
type Target = Deploy | { channel: string; ts: string }
const placeOf = (person: string, target: Target) => ('ts' in target ? target : card(person, target))
const click = (person: string, target: Target, action: string) => async () =>
  control()
    .as(person)
    .click(await placeOf(person, target), action)

/** Clicks what opens a dialog. */
async function opened(person: string, target: Target, action: string): Promise<View> {
  const reply = await click(person, target, action)()
  expect(reply.outcome).toBe('ok')
  return control().until(() => {
    const view = control().view(person)
    return view && !/One moment/.test(textOf(view)) ? view : undefined
  })
}
const phaseOf = async (id: string): Promise<string> => (await stack.core.showDeploy(admin, id)).deploy.phase
const idle = () =>
  expect.poll(() => stack.core.openDeploys(admin), { timeout: 20_000, interval: 50 }).toEqual([])

describe('after a failure', () => {
  it('retries what was rolled back, and a copy of its message points to the real one', async () => {
    const failed = await ship(stack.core, { app: 'api', revision: '9-crash' })
    expect(failed.phase).toBe('rolled_back')
    // As a replica leaves it that dies between posting and recording.
    const real = await messageOf(failed)
    const at = await card('C0STAGING', failed)
    const before = control().ephemerals('cho').length
    await control().as('cho').click(at, actionIds.retry)
    const texts = await control().until(() => {
      const all = control().ephemerals('cho').slice(before).map(textOf)
      return all.length === 2 ? all : undefined
    })
    expect(real.ts).not.toBe(at.ts)
    expect(texts[0]).toMatch(/api.*9-crash.*got it/s)
    expect(texts[1]).toMatch(/copy of this message.*C0STAGING/s)
    await idle()
    const history = await stack.core.history(admin, { app: 'api', environment: 'staging', limit: 2 })
    expect(history.map(one => [one.kind, one.revision])).toEqual([
      ['deploy', '9-crash'],
      ['deploy', '9-crash'],
    ])
  })
})

describe('approve', () => {
  it('the requester, the wrong person, the right one, again, and late', async () => {
    const deploy = await asked('ana', 'deploy web 1.4.1 to production')
    const at = await messageOf(deploy, actionIds.approve)
    expect(await told('ana', click('ana', at, actionIds.approve))).toMatch(
      /asked for it yourself|may not approve/,
    )
    expect(await told('cho', click('cho', at, actionIds.approve))).toMatch(
      /cho may not approve web in production.*release-managers/s,
    )
    expect(await told('eve', click('eve', at, actionIds.approve))).toMatch(/eve may not/)
    expect(await phaseOf(deploy.id)).toBe('awaiting_approval')

    expect(await told('ben', click('ben', at, actionIds.approve))).toMatch(/You approved .*1\.4\.1/)
    expect((await outcome(stack.core, deploy.id)).deploy).toMatchObject({
      phase: 'succeeded',
      approval: { votes: [{ by: { id: 'slack:U0BEN' }, decision: 'approve' }] },
    })
  })

  it('a click on what is decided already says by whom, and nothing else happens', async () => {
    const deploy = await asked('ana', 'deploy web 1.4.2 to production')
    const seen = control().as('ben')
    const at = await card('ben', deploy)
    // Two clicks before either is answered.
    const answers = [told('ben', () => seen.click(at, actionIds.approve)), seen.click(at, actionIds.approve)]
    await Promise.all(answers)
    const { deploy: done } = await outcome(stack.core, deploy.id)
    expect(done.approval?.votes).toHaveLength(1)
    expect(done.phase).toBe('succeeded')
    const texts = control().ephemerals('ben').slice(-2).map(textOf)
    expect(texts.some(text => /You approved/.test(text))).toBe(true)
  })

  it('with a comment: the dialog says what it is about, the reason is kept', async () => {
    const deploy = await asked('ana', 'deploy web 1.4.3 to production')
    const view = await opened('ben', deploy, actionIds.approveWith)
    expect(problemsIn(view)).toEqual([])
    expect(textOf(view)).toMatch(/1\.4\.2 → 1\.4\.3.*production/)
    const reply = await control().as('ben').submit({ reason: 'tested <!channel> & fine' })
    expect(reply).toMatchObject({ outcome: 'ok' })
    expect(control().view('ben')).toBeUndefined()
    const { deploy: done } = await outcome(stack.core, deploy.id)
    expect(done.approval?.votes).toMatchObject([{ reason: 'tested <!channel> & fine', decision: 'approve' }])
  })

  it('where two must say why: a click opens the dialog, two people at once both count', async () => {
    const reply = await control().as('ben').command('production', '/gkube deploy web 1.4.1 to live')
    expect(reply.outcome).toBe('ok')
    const [deploy] = await stack.core.history(admin, { app: 'web', environment: 'live', limit: 1 })
    if (!deploy) throw new Error('nothing was asked for')
    await expect.poll(() => phaseOf(deploy.id), { interval: 20 }).toBe('awaiting_approval')
    // As a message has it that was posted before the operators asked for reasons.
    const old = await post('U0BEN', {
      text: 'old',
      blocks: [
        {
          type: 'actions',
          elements: [
            {
              type: 'button',
              action_id: actionIds.approve,
              value: deploy.id,
              text: { type: 'plain_text', text: 'Approve' },
            },
          ],
        },
      ],
    })
    await Promise.all([opened('ben', old, actionIds.approve), opened('cho', deploy, actionIds.approveWith)])
    const empty = await control().as('ben').submit({})
    expect(empty.outcome).toBe('invalid')
    await Promise.all([
      control().as('ben').submit({ reason: 'looked at it' }),
      control().as('cho').submit({ reason: 'so did I' }),
    ])
    const { deploy: done } = await outcome(stack.core, deploy.id)
    expect(done.approval?.votes.map(vote => vote.by.id).toSorted()).toEqual(['slack:U0BEN', 'slack:U0CHO'])
  })
})

describe('at once', () => {
  it('two people approve: one did, the other hears who; an envelope that comes twice is one click', async () => {
    const deploy = await asked('cho', 'deploy api 7 to production')
    control().setGroup('S0RELEASE', { users: ['U0BEN', 'U0ANA'] })
    try {
      const before = { ana: control().ephemerals('ana').length, ben: control().ephemerals('ben').length }
      const [bens, anas] = await Promise.all([card('ben', deploy), card('ana', deploy)])
      control().repeatNext('block_actions')
      await Promise.all([
        control().as('ben').click(bens, actionIds.approve),
        control().as('ana').click(anas, actionIds.approve),
      ])
      const { deploy: done } = await outcome(stack.core, deploy.id)
      expect(done.approval?.votes).toHaveLength(1)
      const texts = await control().until(() => {
        const all = [
          ...control().ephemerals('ana').slice(before.ana),
          ...control().ephemerals('ben').slice(before.ben),
        ]
        return all.length >= 2 ? all.map(textOf) : undefined
      })
      // Whose groups were looked up before is not an approver yet.
      expect(texts.filter(text => /You approved/.test(text))).toHaveLength(1)
      expect(texts.filter(text => /Already approved by @|may not approve/.test(text))).toHaveLength(1)
      expect(texts).toHaveLength(2)
    } finally {
      control().setGroup('S0RELEASE', { users: ['U0BEN'] })
    }
  })
})

describe('deny', () => {
  it('asks why; who comes later hears that it was denied', async () => {
    const deploy = await asked('ana', 'deploy web 1.4.4 to production')
    expect(await told('cho', click('cho', deploy, actionIds.deny))).toMatch(/may not approve/)
    const view = await opened('ben', deploy, actionIds.deny)
    expect(problemsIn(view)).toEqual([])
    // Another replica, or somebody else, is faster while ben types.
    await control().as('ben').submit({ reason: 'not on a Friday' })
    expect((await outcome(stack.core, deploy.id)).deploy).toMatchObject({
      phase: 'denied',
      approval: { votes: [{ decision: 'deny', reason: 'not on a Friday' }] },
    })
  })

  it('too late: the dialog is replaced by what happened', async () => {
    const deploy = await asked('ana', 'deploy web 1.4.5 to production')
    await opened('ben', deploy, actionIds.deny)
    await stack.core.cancel(admin, deploy.id, { reason: 'never mind' })
    const reply = await control().as('ben').submit({ reason: 'no' })
    expect(reply.outcome).toBe('ok')
    expect(textOf(control().view('ben'))).toMatch(/Already cancelled by @ana/)
    await control().as('ben').close(true)
  })
})

describe('override', () => {
  it('only who is named, with a reason', async () => {
    const deploy = await asked('ana', 'deploy web 1.4.6 to production')
    expect(await told('ben', click('ben', deploy, actionIds.override))).toMatch(/ben may not override.*@cho/s)
    const view = await opened('cho', deploy, actionIds.override)
    expect(problemsIn(view)).toEqual([])
    expect((await control().as('cho').submit({ reason: '   ' })).errors).toBeDefined()
    expect(await phaseOf(deploy.id)).toBe('awaiting_approval')
    await control().as('cho').submit({ reason: 'customers cannot pay' })
    expect((await outcome(stack.core, deploy.id)).deploy).toMatchObject({
      phase: 'succeeded',
      overridden: { by: { id: 'slack:U0CHO' }, reason: 'customers cannot pay' },
    })
  })
})

describe('cancel', () => {
  it('what waits is cancelled by the click, by who asked', async () => {
    const deploy = await asked('ana', 'deploy web 1.4.7 to production')
    expect(await told('eve', click('eve', deploy, actionIds.cancel))).toMatch(/eve may not/)
    expect(await told('ana', click('ana', deploy, actionIds.cancel))).toMatch(/You cancelled/)
    expect((await outcome(stack.core, deploy.id)).deploy).toMatchObject({ phase: 'cancelled' })
  })

  it('what runs asks why', async () => {
    // An image that is never ready keeps it running.
    await stack.core.applyApp(
      admin,
      webApp({
        app: 'slow',
        jobs: ['shop/slow'],
        environments: everywhere,
        rollout: { stable: '10m', progress: '20m', limit: '30m' },
      }),
      { dryRun: false },
    )
    const { deploy } = await stack.core.request(admin, ask({ app: 'slow', revision: '1' }))
    await expect.poll(() => phaseOf(deploy.id), { timeout: 10_000 }).toBe('running')
    const view = await opened('cho', deploy, actionIds.cancel)
    expect(problemsIn(view)).toEqual([])
    expect(textOf(view)).toMatch(/It is running/)
    await control().as('cho').submit({ reason: 'wrong one' })
    expect((await outcome(stack.core, deploy.id)).deploy).toMatchObject({ phase: 'cancelled' })
  })
})

describe('again', () => {
  it('rolls back once for a double click, and not at all once something newer shipped', async () => {
    await idle()
    await ship(stack.core, { revision: '2.0.0' })
    const shipped = await ship(stack.core, { revision: '2.0.1' })
    const at = await card('ana', shipped)
    const ana = control().as('ana')
    const both = await Promise.all([ana.click(at, actionIds.rollback), ana.click(at, actionIds.rollback)])
    for (const reply of both) expect(reply.outcome).toBe('ok')
    await idle()
    const history = await stack.core.history(admin, { app: 'web', environment: 'staging', limit: 10 })
    expect(history.filter(one => one.kind === 'rollback')).toMatchObject([
      { revision: '2.0.0', phase: 'succeeded', requestedBy: { id: 'slack:U0ANA' } },
    ])
    // The message of 2.0.1 is still there, with its button; what runs is not its any more.
    await ship(stack.core, { revision: '2.0.2' })
    expect(await told('ana', click('ana', at, actionIds.rollback))).toMatch(
      /was changed .* by @ana \(it runs 2\.0\.2 now\)|asked for already/,
    )
    expect(
      (await stack.core.status(admin, { app: 'web', environment: 'staging' }))[0]?.workload.revision,
    ).toBe('2.0.2')
  })

  it('restarts once for a double click', async () => {
    await idle()
    const shipped = await ship(stack.core, { app: 'api', revision: '8' })
    const at = await card('ben', shipped)
    const ben = control().as('ben')
    await Promise.all([ben.click(at, actionIds.restart), ben.click(at, actionIds.restart)])
    await idle()
    const history = await stack.core.history(admin, { app: 'api', environment: 'staging', limit: 10 })
    expect(history.filter(one => one.kind === 'restart')).toMatchObject([{ phase: 'succeeded' }])
  })

  it('retries what failed: the same app, revision, environment and kind', async () => {
    await idle()
    const waiting = await asked('ana', 'deploy api 8 to production')
    await told('ana', click('ana', waiting, actionIds.cancel))
    expect(await told('ana', click('ana', waiting, actionIds.retry))).toMatch(/api 8.*production.*got it/s)
    const [again] = await stack.core.history(admin, { app: 'api', environment: 'production', limit: 1 })
    expect(again).toMatchObject({ kind: 'deploy', revision: '8', app: 'api' })
    expect(again?.id).not.toBe(waiting.id)
    await stack.core.cancel(admin, again?.id ?? '', { reason: '' })
    await idle()
  })
})

describe('look', () => {
  it('the log answers who clicked, or is a file in the thread', async () => {
    const past = await stack.core.history(admin, { app: 'api', environment: 'staging', limit: 9 })
    const shipped = past.find(one => one.revision === '8' && one.kind === 'deploy')
    if (!shipped) throw new Error('nothing was shipped')
    expect(await told('ana', click('ana', shipped, actionIds.logs))).toMatch(/api.*staging/)
    // A log that is not read at a glance.
    const command = ['sh', '-c', Array(60).fill('echo a line of the log that is there').join('\n')]
    const chatty = webApp({ app: 'chatty', replicas: 1, jobs: [], command, environments: everywhere })
    await stack.core.applyApp(admin, chatty, { dryRun: false })
    const long = await card('ana', await ship(stack.core, { app: 'chatty', revision: '1' }))
    expect(await told('ana', click('ana', long, actionIds.logs))).toMatch(
      /Log of chatty in staging: it is in the thread/,
    )
    const file = control().files().at(-1)
    expect(file?.content.toString()).toContain('a line of the log that is there')
    expect(
      control()
        .thread('@ana', long.ts)
        .some(one => one.files?.length),
    ).toBe(true)
  })
})

describe('the deploy dialog', () => {
  it('is filled in with searches, shows what would change, and asks', async () => {
    const ana = control().as('ana')
    await ana.command('staging', '/gkube deploy')
    expect(problemsIn(control().view('ana'))).toEqual([])
    expect(textOf(control().view('ana'))).toMatch(/Choose an app, an environment and a revision/)

    const apps = await ana.options('modal', optionIds.app, 'we')
    expect(apps.map(one => one.value)).toEqual(['web'])
    expect((await ana.options('modal', optionIds.app, 'wbe')).map(one => one.value)).toEqual(['web'])
    await ana.select('modal', optionIds.app, 'web')
    const where = await ana.options('modal', optionIds.environment, '')
    expect(where.map(one => one.value)).toEqual([...places])
    expect(JSON.stringify(where)).toMatch(/runs 2\.0\.2/)
    await ana.select('modal', optionIds.environment, 'staging')
    const known = await ana.options('modal', optionIds.revision, '')
    expect(known.map(one => one.value)).toContain('1.4.6')
    expect(JSON.stringify(known)).toMatch(/runs in staging/)
    const typed = await ana.options('modal', optionIds.revision, '3.0.0')
    expect(typed.map(one => one.value)).toEqual(['3.0.0'])
    expect(await ana.options('modal', optionIds.revision, 'no good!')).toEqual([])
    await ana.options('modal', optionIds.revision, '3.0.0')
    await ana.select('modal', optionIds.revision, '3.0.0')

    const view = await control().until(() => {
      const now = control().view('ana')
      return now && /2\.0\.2.*→.*3\.0\.0/.test(textOf(now)) ? now : undefined
    })
    expect(problemsIn(view)).toEqual([])
    expect(textOf(view)).toMatch(/image 2\.0\.2 → 3\.0\.0/)
    expect(textOf(view)).toMatch(/cluster default, namespace staging/)

    // Two submits of one dialog are one deploy.
    const reply = await ana.submit()
    expect(reply).toMatchObject({ outcome: 'ok' })
    expect(control().view('ana')).toBeUndefined()
    const [deploy] = await stack.core.history(admin, { app: 'web', environment: 'staging', limit: 1 })
    expect(deploy).toMatchObject({ revision: '3.0.0', requestedBy: { id: 'slack:U0ANA' } })
    expect(textOf(control().ephemerals('ana').at(-1))).toMatch(/3\.0\.0.*staging.*got it.*C0STAGING/s)
    await idle()
  })

  it('another app forgets the revision; errors stand at their field', async () => {
    const eve = control().as('eve')
    const cho = control().as('cho')
    await eve.command('production', '/gkube deploy')
    expect(await eve.options('modal', optionIds.app, '')).toEqual([])
    await eve.close(true)

    await cho.command('staging', '/gkube deploy web 3.0.0')
    await cho.options('modal', optionIds.environment, 'prod')
    await cho.select('modal', optionIds.environment, 'production')
    const asks = await control().until(() => {
      const now = control().view('cho')
      return now && /3\.0\.0.*production.*It would wait/s.test(textOf(now)) ? now : undefined
    })
    expect(JSON.stringify(asks.submit)).toContain('Ask for approval')
    await cho.options('modal', optionIds.app, 'api')
    await cho.select('modal', optionIds.app, 'api')
    await control().until(() => /Choose an app/.test(textOf(control().view('cho'))))
    const reply = await cho.submit()
    expect(reply.outcome).toBe('invalid')
    await cho.close(true)
  })

  it('who may not deploy there hears it in the dialog, with who may', async () => {
    const ana = control().as('ana')
    await ana.command('staging', '/gkube deploy web 3.0.0')
    const offered = await ana.options('modal', optionIds.environment, 'live')
    expect(JSON.stringify(offered)).toContain('you may not deploy there')
    await ana.select('modal', optionIds.environment, 'live')
    const reply = await ana.submit()
    expect(reply.outcome).toBe('ok')
    expect(textOf(control().view('ana'))).toMatch(/ana may not deploy web in live/)
    await ana.close(true)
  })
})

describe('delete', () => {
  it('asks for the name, typed', async () => {
    const cho = control().as('cho')
    await cho.command('staging', '/gkube delete api in staging')
    const view = await control().until(() => {
      const now = control().view('cho')
      return now && /Type api to delete it/.test(textOf(now)) ? now : undefined
    })
    expect(problemsIn(view)).toEqual([])
    expect(textOf(view)).toMatch(/cluster default, namespace staging/)
    const wrong = await cho.submit({ name: 'web' })
    expect(Object.values(wrong.errors ?? {}).join()).toMatch(/That is not api/)
    const done = await cho.submit({ name: 'api' })
    expect(done.errors).toBeUndefined()
    await idle()
    expect(await stack.core.status(admin, { environment: 'staging' })).not.toContainEqual(
      expect.objectContaining({ workload: expect.objectContaining({ app: 'api' }) }),
    )
  })
})

describe('hold', () => {
  it('freezes and unfreezes, locks and unlocks', async () => {
    const cho = control().as('cho')
    await cho.command('production', '/gkube freeze production')
    expect(problemsIn(control().view('cho'))).toEqual([])
    await cho.submit({ reason: 'end of year', until: '24h' })
    expect(await stack.core.freezes(admin)).toMatchObject([
      { environment: 'production', reason: 'end of year' },
    ])
    await cho.openHome()
    const home = await control().until(() => {
      const now = control().home('cho')
      return now && has(now, actionIds.unfreeze) ? now : undefined
    })
    expect(problemsIn(home)).toEqual([])
    await cho.click('home', actionIds.unfreeze)
    expect(await stack.core.freezes(admin)).toEqual([])
    expect(textOf(control().view('cho'))).toMatch(/The freeze of production has ended/)
    await cho.close(true)

    await cho.command('staging', '/gkube lock web in staging')
    await cho.submit({ reason: 'looking for a leak', until: '1h' })
    expect(await stack.core.locks(admin)).toMatchObject([{ app: 'web', environment: 'staging' }])
    const { deploy } = await stack.core.request(admin, ask({ revision: '3.1.0' }))
    const waits = async () => (await stack.core.showDeploy(admin, deploy.id)).waiting
    await expect.poll(waits, { interval: 20 }).toMatch(/web in staging is locked by cho/)
    expect(await told('cho', click('cho', deploy, actionIds.unlock))).toMatch(/You unlocked web in staging/)
    expect((await outcome(stack.core, deploy.id)).deploy.phase).toBe('succeeded')
  })
})

describe('App Home', () => {
  it('opens, changes after a deploy, and its buttons act', async () => {
    const ben = control().as('ben')
    expect((await ben.openHome()).outcome).toBe('ok')
    const first = await control().until(() => control().home('ben'))
    expect(problemsIn(first)).toEqual([])
    expect(textOf(first)).toMatch(/web/)
    const deploy = await asked('ana', 'deploy web 4.0.0 to production')
    await control().until(() => {
      const now = control().home('ben')
      return now && has(now, actionIds.approve) && /4\.0\.0/.test(textOf(now))
    })
    expect((await ben.click('home', actionIds.approve)).outcome).toBe('ok')
    expect((await outcome(stack.core, deploy.id)).deploy.phase).toBe('succeeded')
    await control().until(
      () => {
        const now = control().home('ben')
        return now && !has(now, actionIds.approve) && /4\.0\.0/.test(textOf(now))
      },
      { timeoutMs: 10_000 },
    )
    await ben.close(true)

    // Its own buttons: the dialog, and the same again.
    const calls = control().calls('views.publish').length
    await ben.click('home', actionIds.refresh)
    await control().until(() => control().calls('views.publish').length > calls)
    await ben.click('home', actionIds.deploy)
    await control().until(() => control().view('ben')?.callback_id === 'gkube:deploy')
    await ben.close(true)
  })
})
