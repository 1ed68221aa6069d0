// `/gkube` as people use it: real signed requests from the stand-in workspace to a real replica, with etcd and cluster.
// What each command says, what it refuses, and that nothing is said before it is stored.
import { beforeAll, describe, expect, it } from 'vitest'
import { UserError } from '../../src/errors.ts'
import type { Reply } from '../../src/sandbox/slack/control.ts'
import { admin, type Stack, ship, startStack, webApp } from '../support/stack.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ slack: 'http', speed: 40 })
  await stack.core.applyApp(admin, webApp(), { dryRun: false })
  await ship(stack.core, { revision: '1.4.1' })
  await ship(stack.core, { revision: '1.4.2' })
  // What is asked for is stored and waits: nobody here waits for rollouts.
  for (const environment of ['staging', 'production'])
    await stack.core.lock(admin, { environment, reason: 'tests', expiresIn: '1h', steal: false })
})

/** What stands in an answer, blocks and all, as one text. */
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
async function type(person: string, text: string, channel = 'staging'): Promise<Reply & { text: string }> {
  const reply = await stack.slack.control.as(person).command(channel, `/gkube ${text}`.trim())
  return { ...reply, text: textOf(reply.body) }
}

describe('each command', () => {
  const answers: readonly (readonly [string, string, RegExp])[] = [
    ['ana', '', /deploy \[app\] \[revision\]/],
    ['ana', 'help', /rollback/],
    ['ana', 'help scale', /\/gkube scale web to 3 in staging/],
    ['ana', 'status', /web +staging +1\.4\.2/],
    ['ana', 'status web', /web +staging +1\.4\.2/],
    ['ana', 'list', /web/],
    ['ana', 'pods web in staging', /web.*in.*staging.*pods ready/],
    ['ana', 'logs web in staging', /web.*in.*staging/],
    ['ana', 'history web', /1\.4\.1/],
    ['ana', 'plan web 1.4.3 to staging', /1\.4\.2 → 1\.4\.3/],
    ['ana', 'approvals', /Nothing waits for approval/],
    ['ana', 'locks', /2 locks/],
    ['ana', 'whoami', /You are \*ana\*/],
    ['cho', 'whoami', /operator/],
    ['ben', 'promote web from staging to production', /production.*got it/],
    ['ana', 'deploy web 1.4.3 to staging', /web.*1\.4\.3.*staging.*got it/],
    ['ana', 'Deploy `web` to Staging 1.4.4', /1\.4\.4.*got it/],
    ['ana', 'restart web in staging', /staging.*got it/],
    ['ana', 'scale web 3 staging', /staging.*got it/],
    ['ana', 'rollback web in staging', /staging.*got it/],
    [
      'cho',
      'lock web in staging for 2h looking for a leak',
      /web in staging is locked by cho: looking for a leak/,
    ],
    ['cho', 'locks', /looking for a leak/],
    ['cho', 'unlock web in staging', /web in staging is not locked any more/],
    ['cho', 'freeze production for 3d end-of-year', /production is frozen until.*end-of-year/],
    ['cho', 'unfreeze production', /production is not frozen any more/],
  ]
  it.each(answers)('%s: /gkube %s', async (person, text, expected) => {
    const reply = await type(person, text)
    expect(reply.outcome).toBe('ok')
    expect(reply.text).toMatch(expected)
    expect(reply.ms).toBeLessThan(2500)
  })
})

describe('what is refused says what to do', () => {
  it('once all of that is cancelled', idle)
  const refusals: readonly (readonly [string, string, RegExp])[] = [
    ['ana', 'depoly web', /`depoly` is not a command\. Did you mean `deploy`\? All commands: `\/gkube help`/],
    [
      'ana',
      'deploy wbe 1.4.2 to staging',
      /`wbe` is not an app\. Did you mean `web`\? All apps: `\/gkube list`/,
    ],
    ['ana', 'deploy web 1.4.2 to prodution', /Did you mean `production`/],
    ['ana', 'restart web', /Say where: staging, production\. Type: `\/gkube restart web in production`/],
    ['ana', 'deploy web 1.4.9 to production', /ana may not deploy web in production.*@release-managers/],
    ['ana', 'lock web in staging testing', /ana may not lock web in staging/],
    ['ana', 'cancel web in staging', /Nothing of web runs or waits in staging/],
    [
      'ben',
      'rollback web in production',
      /web does not run in production\. Deploy it first: `?\/gkube deploy web/,
    ],
    ['eve', 'status', /eve may not look at anything here yet/],
    ['eve', 'whoami', /You may do nothing here yet/],
    ['ana', 'deploy web <!channel> to staging', /is not a revision/],
  ]
  it.each(refusals)('%s: /gkube %s', async (person, text, expected) => {
    const reply = await type(person, text, person === 'eve' ? 'production' : 'staging')
    expect(reply.outcome).toBe('ok')
    expect(reply.text).toMatch(expected)
    expect(reply.text).not.toMatch(/<!channel>/)
  })
})

/** Cancels all that waits; what was superseded meanwhile has ended by itself. */
async function idle(): Promise<void> {
  for (const { id } of await stack.core.openDeploys(admin))
    await stack.core.cancel(admin, id, { reason: 'test' }).catch(error => {
      if (!(error instanceof UserError && error.kind === 'conflict')) throw error
    })
  await expect.poll(() => stack.core.openDeploys(admin), { timeout: 20_000, interval: 100 }).toEqual([])
}

describe('where it was asked', () => {
  it('a channel with the bot: the message of the deploy goes there', async () => {
    const reply = await type('ben', 'deploy web 1.5.0 to production', 'staging')
    expect(reply.text).toContain('<#C0STAGING>')
    const [deploy] = await stack.core.history(admin, { app: 'web', environment: 'production', limit: 1 })
    expect(deploy?.requestedBy).toEqual({ id: 'slack:U0BEN', name: 'ben', via: 'slack' })
    await stack.slack.control.until(
      () => stack.slack.control.messages('staging').some(one => /1\.5\.0/.test(one.text)),
      { timeoutMs: 10_000 },
    )
  })
  it('a channel without it: to the channel of the environment', async () => {
    const reply = await type('ben', 'deploy web 1.5.1 to production', 'general')
    expect(reply.text).toContain('<#C0PRODUCTION>')
  })
  it('a direct message: to the channel of the environment', async () => {
    const reply = await type('ben', 'deploy web 1.5.2 to production', '@ben')
    expect(reply.text).toContain('<#C0PRODUCTION>')
  })
})

describe('dialogs', () => {
  const dialogs: readonly (readonly [string, string, RegExp])[] = [
    ['ana', 'deploy', /Deploy/],
    ['ana', 'deploy web', /Deploy/],
    ['ana', 'plan web', /Deploy/],
    ['cho', 'delete web in staging', /Delete/],
    ['ana', 'scale web in staging', /Scale/],
    ['cho', 'lock production', /Lock/],
    ['cho', 'freeze production', /Freeze/],
  ]
  it.each(dialogs)('%s: /gkube %s', async (person, text, title) => {
    const { control } = stack.slack
    const reply = await type(person, text)
    expect(reply).toMatchObject({ outcome: 'ok', body: '' })
    expect(textOf(control.view(person)?.title)).toMatch(title)
    await control.as(person).close(true)
  })
})

describe('cancel', () => {
  it('names the one that is open, and asks which where there are several', async () => {
    await idle()
    await type('ana', 'deploy web 2.0.0 to staging')
    await type('ana', 'restart web in staging')
    const open = await stack.core.openDeploys(admin)
    expect(open).toHaveLength(2)
    const both = await type('ana', 'cancel web in staging wrong one')
    for (const { id } of open) expect(both.text).toContain(`/gkube cancel ${id}`)
    const first = open[0]
    const one = await type('ana', `cancel ${first?.id} wrong one`)
    expect(one.text).toMatch(/is cancelled|is being cancelled/)
    await expect.poll(() => stack.core.openDeploys(admin)).toHaveLength(1)
    expect((await type('ana', 'cancel web in staging')).text).toMatch(/is cancelled|is being cancelled/)
  })
})

describe('doctor', () => {
  it('looks at Slack too, and may take longer than the ack', async () => {
    const { control } = stack.slack
    const before = control.ephemerals('cho').length
    const reply = await type('cho', 'doctor')
    expect(reply.outcome).toBe('ok')
    const text =
      reply.text ||
      textOf(await control.until(() => control.ephemerals('cho').slice(before).at(-1), { timeoutMs: 8000 }))
    expect(text).toMatch(/checks/)
    expect(text).toMatch(/slack/)
  })
})

describe('a name that was registered a moment ago', () => {
  it('is known although names are kept for some seconds', async () => {
    await type('ana', 'status')
    await stack.core.applyApp(admin, webApp({ app: 'brand-new', jobs: ['shop/brand-new'] }), {
      dryRun: false,
    })
    const reply = await type('ana', 'deploy brand-new 1.0.0 to staging')
    expect(reply.text).toMatch(/brand-new.*got it/)
  })
})
