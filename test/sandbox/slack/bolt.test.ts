// The real Bolt app against the stand-in Slack, over signed HTTP and over Socket Mode: what people do, what the app
// hears, what people see of its answers.
import type { App } from '@slack/bolt'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { SandboxSlack } from '../../../src/sandbox/slack/control.ts'
import { startSlack } from '../../../src/sandbox/slack/slack.ts'
import { boltApp, buttonMessage, modal, type TestApp } from './bolt-app.ts'

type Json = Record<string, unknown>

describe.each(['http', 'socket'] as const)('Bolt by %s', mode => {
  let slack: SandboxSlack
  let bolt: TestApp
  /** What the app heard, by kind. */
  let heard: { kind: string; body: Json }[] = []
  /** What the handlers do in this test. */
  let answer: { submit?: Json; ack?: string | Json; home?: Json } = {}

  const register = (app: App) => {
    const hear = (kind: string, body: unknown) => heard.push({ kind, body: body as Json })
    app.command('/gkube', async ({ command, ack, body, client }) => {
      hear('command', body)
      if (command.text === 'form')
        await client.views.open({ trigger_id: body.trigger_id, view: modal('Deploy') })
      await ack((answer.ack ?? '') as string)
    })
    app.action('approve', async ({ ack, body, respond }) => {
      hear('click', body)
      await ack()
      await respond({ text: 'Approved by you', replace_original: false, response_type: 'ephemeral' })
    })
    app.action('pick', async ({ ack, body }) => {
      hear('pick', body)
      await ack()
    })
    app.options('app', async ({ ack, options }) => {
      const found = ['web', 'worker'].filter(name => name.startsWith(options.value))
      await ack({ options: found.map(value => ({ text: { type: 'plain_text', text: value }, value })) })
    })
    app.view('deploy', async ({ ack, body }) => {
      hear('submit', body)
      await ack(answer.submit as never)
    })
    app.view({ type: 'view_closed', callback_id: 'deploy' }, async ({ ack, body }) => {
      hear('closed', body)
      await ack()
    })
    app.event('app_home_opened', async ({ event, client }) => {
      hear('home', event)
      await client.views.publish({
        user_id: event.user,
        view: {
          type: 'home',
          blocks: [{ type: 'section', text: { type: 'mrkdwn', text: '*Running*: none' } }],
        },
      })
    })
  }

  beforeAll(async () => {
    slack = await startSlack({ rates: 'off' })
    bolt = await boltApp(slack, mode, register)
  })
  afterAll(async () => {
    await bolt.stop()
    await slack.stop()
  })
  beforeEach(() => {
    heard = []
    answer = {}
  })

  const until = <T>(what: string, look: () => T | undefined | null | false) =>
    slack.control.until(look, { what })
  const ana = () => slack.control.as('ana')
  const openForm = async () => {
    await ana().command('staging', '/gkube form')
    return until('the form', () => slack.control.view('ana'))
  }

  test('a command arrives with people and channels escaped, its answer is for one person', async () => {
    answer = { ack: 'On it' }
    const text = '/gkube deploy web  to production @ben #general @release-managers a<b https://e.com/?a=1&b=2'
    const reply = await ana().command('staging', text)
    expect(reply).toMatchObject({ outcome: 'ok', kind: 'slash_commands' })
    expect(heard[0]?.body).toMatchObject({
      command: '/gkube',
      user_id: 'U0ANA',
      channel_id: 'C0STAGING',
      text: 'deploy web  to production <@U0BEN|ben> <#C0GENERAL|general> <!subteam^S0RELEASE|@release-managers> a&lt;b <https://e.com/?a=1&amp;b=2>',
    })
    expect(slack.control.ephemerals('ana', 'staging').at(-1)).toMatchObject({ text: 'On it', only: 'U0ANA' })
    expect(slack.control.ephemerals('ben')).toEqual([])
  })

  test('what is not a command is refused by Slack', async () => {
    const reply = await ana().command('staging', '/gcube list')
    expect(reply).toMatchObject({ outcome: 'invalid', shown: expect.stringContaining('not a valid command') })
    expect(heard).toEqual([])
  })

  test('a click carries its value, its message and a response_url; the answer leaves the message', async () => {
    const { ts = '' } = await bolt.app.client.chat.postMessage({
      channel: 'C0PRODUCTION',
      ...buttonMessage('Deploy web?'),
    })
    const reply = await slack.control.as('ben').click({ channel: 'production', ts }, 'approve')
    expect(reply.outcome).toBe('ok')
    expect(heard[0]?.body).toMatchObject({
      type: 'block_actions',
      user: { id: 'U0BEN' },
      container: { type: 'message', message_ts: ts, channel_id: 'C0PRODUCTION', is_ephemeral: false },
      message: { ts, text: 'Deploy web?' },
      actions: [{ action_id: 'approve', block_id: 'decide', value: '42', type: 'button' }],
    })
    await until('the answer', () =>
      slack.control.ephemerals('ben').find(one => one.text === 'Approved by you'),
    )
    expect(slack.control.messages('production').at(-1)?.text).toBe('Deploy web?')
    await expect(slack.control.as('ben').click({ channel: 'production', ts }, 'deny')).rejects.toThrow(
      'approve, pick',
    )
  })

  test('a select tells what was chosen, and the next payload still knows it', async () => {
    const { ts = '' } = await bolt.app.client.chat.postMessage({
      channel: 'C0STAGING',
      ...buttonMessage('Which?'),
    })
    const place = { channel: 'staging', ts }
    await ana().select(place, 'pick', '2')
    expect(heard[0]?.body).toMatchObject({
      actions: [{ type: 'static_select', selected_option: { value: '2' } }],
    })
    await ana().click(place, 'approve')
    expect(heard[1]?.body).toMatchObject({
      state: { values: { decide: { pick: { selected_option: { value: '2' } } } } },
    })
    await expect(ana().select(place, 'pick', '3')).rejects.toThrow('offers no option 3, only: 1, 2')
  })

  test('a form: search on the server, required fields, errors of the app, then done', async () => {
    await openForm()
    expect(await ana().submit({ reason: 'why' })).toMatchObject({
      outcome: 'invalid',
      errors: { app: 'Please complete this required field.' },
    })
    expect((await ana().options('modal', 'app', 'w')).map(one => one.value)).toEqual(['web', 'worker'])
    await expect(ana().options('modal', 'app', '')).rejects.toThrow('from 1 characters on')
    expect(await ana().submit({ app: 'web', reason: 'much too long' })).toMatchObject({
      outcome: 'invalid',
      errors: { reason: 'Please enter no more than 10 characters.' },
    })
    answer = { submit: { response_action: 'errors', errors: { app: 'web is locked' } } }
    expect(await ana().submit({ app: 'web', reason: 'fix' })).toMatchObject({
      outcome: 'ok',
      errors: { app: 'web is locked' },
    })
    expect(slack.control.view('ana')?.title).toMatchObject({ text: 'Deploy' })
    answer = {}
    expect((await ana().submit()).errors).toBeUndefined()
    expect(slack.control.view('ana')).toBeUndefined()
    expect(heard.filter(one => one.kind === 'submit').at(-1)?.body).toMatchObject({
      view: {
        state: {
          values: {
            app: { app: { selected_option: { value: 'web' } } },
            reason: { reason: { value: 'fix' } },
          },
        },
      },
    })
  })

  test.each([
    ['push', { response_action: 'push', view: modal('Sure?') }, ['Deploy', 'Sure?']],
    ['update', { response_action: 'update', view: modal('Running') }, ['Running']],
    ['clear', { response_action: 'clear' }, []],
  ])('a form answered with %s', async (_name, submit, titles) => {
    await openForm()
    await ana().options('modal', 'app', 'web')
    answer = { submit }
    await ana().submit({ app: 'web' })
    expect(slack.control.views('ana').map(view => (view.title as { text: string }).text)).toEqual(titles)
    if (titles.length > 0) await ana().close(true)
  })

  test.each([
    ['errors for a block that is not there', { response_action: 'errors', errors: { nope: 'no' } }],
    [
      'a view that Slack does not take',
      { response_action: 'update', view: modal('A title of more than 24 letters') },
    ],
  ])('an answer with %s is trouble, and the form stays', async (_name, submit) => {
    await openForm()
    await ana().options('modal', 'app', 'web')
    answer = { submit }
    const reply = await ana().submit({ app: 'web' })
    expect(reply).toMatchObject({
      outcome: 'failed',
      shown: expect.stringContaining('We had some trouble connecting'),
    })
    expect(slack.control.view('ana')?.title).toMatchObject({ text: 'Deploy' })
    await ana().close()
  })

  test('closing a form is told to the app where it asked for it', async () => {
    const opened = await openForm()
    expect(await ana().close()).toBeUndefined()
    await ana().command('staging', '/gkube form')
    const view = await until('another form', () => slack.control.view('ana'))
    expect(view.id).not.toBe(opened.id)
    await bolt.app.client.views.update({ view_id: view.id, view: modal('Deploy', { notify_on_close: true }) })
    expect(await ana().close()).toMatchObject({ kind: 'view_closed', outcome: 'ok' })
    expect(heard.at(-1)).toMatchObject({ kind: 'closed', body: { is_cleared: false, view: { id: view.id } } })
    const late = bolt.app.client.views.update({ view_id: view.id, view: modal('Late') })
    await expect(late).rejects.toMatchObject({ data: { error: 'not_found' } })
  })

  test('App Home is published when it is opened', async () => {
    expect(await slack.control.as('cho').openHome()).toMatchObject({ kind: 'event', outcome: 'ok' })
    const view = await until('the Home tab', () => slack.control.home('cho'))
    expect(view.blocks[0]).toMatchObject({ type: 'section' })
    await slack.control.as('cho').openHome()
    await until('a new version of it', () => slack.control.home('cho')?.hash !== view.hash)
    expect(heard.at(-1)?.body).toMatchObject({ tab: 'home', user: 'U0CHO', view: { id: view.id } })
  })
})
