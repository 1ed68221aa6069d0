// Between Slack and gkube anything may come twice, late, forged or while something is down: what is true stays true,
// and nobody is left without an answer.
import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { startTestEtcd } from '../support/etcd.ts'
import type { Stack } from '../support/stack.ts'
import { admin, ship, startStack, webApp } from '../support/stack.ts'

const withApp = async (options: Parameters<typeof startStack>[0]): Promise<Stack> => {
  const stack = await startStack(options)
  await stack.core.applyApp(admin, webApp(), { dryRun: false })
  // Names are known, as they are on a replica that has run for a while.
  await stack.slack.control.as('ana').command('staging', '/gkube status')
  return stack
}
const deploysOf = (stack: Stack) => stack.core.history(admin, { app: 'web', limit: 100 })
const text = (value: unknown) => JSON.stringify(value)

/** A request as Slack signs it; `over` breaks it. */
async function send(
  stack: Stack,
  body: string,
  over: { time?: number; secret?: string; headers?: Record<string, string>; method?: string } = {},
): Promise<Response> {
  const time = String(over.time ?? Math.floor(Date.now() / 1000))
  const mac = createHmac('sha256', over.secret ?? stack.slack.signingSecret)
    .update(`v0:${time}:${body}`)
    .digest('hex')
  const method = over.method ?? 'POST'
  return fetch(`${stack.server.url}/slack/events`, {
    method,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-slack-request-timestamp': time,
      'x-slack-signature': `v0=${mac}`,
      ...over.headers,
    },
    ...(method === 'POST' ? { body } : {}),
  })
}
const form = (fields: Record<string, string>) => new URLSearchParams(fields).toString()
const commandOf = (line: string, more: Record<string, string> = {}) =>
  form({
    command: '/gkube',
    text: line,
    user_id: 'U0ANA',
    user_name: 'ana',
    team_id: 'T0SANDBOX',
    channel_id: 'C0STAGING',
    trigger_id: `1.2.${Math.random()}`,
    ...more,
  })
const now = () => Math.floor(Date.now() / 1000)

describe('HTTP mode', async () => {
  const stack = await withApp({ slack: 'http' })
  const { control } = stack.slack

  const forged: readonly (readonly [string, number, () => Promise<Response>])[] = [
    ['a wrong secret', 401, () => send(stack, commandOf('help'), { secret: 'x' })],
    ['6 minutes old', 401, () => send(stack, commandOf('help'), { time: now() - 360 })],
    ['from the future', 401, () => send(stack, commandOf('help'), { time: now() + 360 })],
    ['no signature', 401, () => send(stack, commandOf('help'), { headers: { 'x-slack-signature': '' } })],
    [
      'a body that was changed',
      401,
      async () => {
        const good = commandOf('help')
        const mac = createHmac('sha256', stack.slack.signingSecret)
          .update(`v0:${now()}:${good}`)
          .digest('hex')
        return send(stack, `${good}&user_id=U0CHO`, { headers: { 'x-slack-signature': `v0=${mac}` } })
      },
    ],
    [
      'an unsigned ssl_check with a payload',
      401,
      () => send(stack, `${commandOf('list')}&ssl_check=1`, { secret: 'x' }),
    ],
    ['too large', 413, () => send(stack, commandOf('x'.repeat(1_200_000)))],
    ['another method', 405, () => send(stack, '', { method: 'GET' })],
    ['not a payload', 400, () => send(stack, 'payload=not-json')],
    [
      'JSON that is no object',
      400,
      () => send(stack, '[1]', { headers: { 'content-type': 'application/json' } }),
    ],
  ]
  it.each(forged)('refuses %s with %i and no words', async (_name, status, ask) => {
    const response = await ask()
    expect(response.status).toBe(status)
    expect(await response.text()).toBe('')
  })

  it('takes what is 4 minutes off in either direction', async () => {
    for (const time of [now() - 240, now() + 240])
      expect((await send(stack, commandOf('help'), { time })).status).toBe(200)
  })

  it('answers the challenge and the check of the certificate', async () => {
    const challenge = JSON.stringify({ type: 'url_verification', challenge: 'abc' })
    const response = await send(stack, challenge, { headers: { 'content-type': 'application/json' } })
    expect(await response.json()).toEqual({ challenge: 'abc' })
    expect((await send(stack, 'ssl_check=1')).status).toBe(200)
  })

  it('answers what it does not know, in time', async () => {
    const begun = performance.now()
    const other = await send(stack, commandOf('help', { command: '/other' }))
    expect(text(await other.json())).toMatch(/answers to `\/gkube`, not to `\/other`/)
    const user = { id: 'U0ANA' }
    const team = { id: 'T0SANDBOX' }
    const interactions: readonly (readonly [object, RegExp | ''])[] = [
      [
        {
          type: 'block_actions',
          user,
          team,
          trigger_id: '1',
          actions: [{ action_id: 'old', type: 'button' }],
        },
        '',
      ],
      [
        { type: 'view_submission', user, team, trigger_id: '2', view: { callback_id: 'old', type: 'modal' } },
        /another version/,
      ],
      [{ type: 'view_closed', user, team, view: { callback_id: 'old' } }, ''],
      [{ type: 'block_suggestion', user, team, action_id: 'old', value: 'x' }, /"options":\[\]/],
      [{ type: 'shortcut', user, team, trigger_id: '3', callback_id: 'old' }, ''],
      [
        {
          type: 'message_action',
          user,
          team,
          trigger_id: '4',
          callback_id: 'old',
          channel: { id: 'C0STAGING' },
        },
        '',
      ],
      [{ type: 'something_new', user, team }, ''],
    ]
    for (const [payload, expected] of interactions) {
      const response = await send(stack, form({ payload: JSON.stringify(payload) }))
      expect({ payload, status: response.status }).toEqual({ payload, status: 200 })
      const body = await response.text()
      if (expected === '') expect(body).toBe('')
      else expect(body).toMatch(expected)
    }
    expect(performance.now() - begun).toBeLessThan(2500)
  })

  it('the same envelope twice is one deploy, and both answers say the same', async () => {
    const before = (await deploysOf(stack)).length
    const body = commandOf('deploy web 3.0.0 to staging')
    const [one, two] = await Promise.all([send(stack, body), send(stack, body)])
    expect(await one.json()).toEqual(await two.json())
    const retried = await send(stack, body, { headers: { 'x-slack-retry-num': '1' } })
    expect(text(await retried.json())).toMatch(/3\.0\.0/)
    expect((await deploysOf(stack)).length).toBe(before + 1)
  })

  it('a repeated envelope on another replica is the same deploy', async () => {
    const other = await stack.replica()
    const before = (await deploysOf(stack)).length
    const body = commandOf('deploy web 3.0.1 to staging')
    const onOther = { ...stack, server: other }
    const [one, two] = await Promise.all([send(stack, body), send(onOther, body)])
    expect([one.status, two.status]).toEqual([200, 200])
    expect((await deploysOf(stack)).length).toBe(before + 1)
    // What has no key of its own is claimed: one of them says it, the other is silent.
    const lock = commandOf('lock web in staging testing', { user_id: 'U0CHO' })
    const answers = await Promise.all(
      [await send(stack, lock), await send(onOther, lock)].map(response => response.text()),
    )
    expect(answers.filter(answer => /is locked by cho/.test(answer))).toHaveLength(1)
    expect(answers.filter(answer => answer === '')).toHaveLength(1)
    await stack.core.unlock(admin, { app: 'web', environment: 'staging', reason: '' })
    await other.close()
  })

  it('who cannot be asked about gets only what is certain, and is told why', async () => {
    const fresh = await startStack({ slack: 'http', etcd: stack.etcd })
    await fresh.core.applyApp(admin, webApp(), { dryRun: false })
    fresh.slack.control.fault({ method: 'usergroups.users.list', times: 100, error: 'internal_error' })
    const reply = await fresh.slack.control
      .as('ben')
      .command('production', '/gkube deploy web 1.4.2 to production')
    expect(text(reply.body)).toMatch(/ben may not deploy web in production/)
    expect(text(reply.body)).toMatch(/Slack does not tell who is in @release-managers just now/)
    // Rights that are given by name hold without Slack.
    fresh.slack.control.fault({ method: 'users.info', times: 100, connection: 'never' })
    const cho = await fresh.slack.control
      .as('cho')
      .command('production', '/gkube freeze production 1h because of this')
    expect(text(cho.body)).toMatch(/production is frozen/)
    expect(cho.ms).toBeLessThan(2500)
  })

  it('an event that Slack sends again is not handled again', async () => {
    const event = { type: 'app_home_opened', user: 'U0CHO', tab: 'home', channel: 'D0', event_ts: '1.1' }
    const body = JSON.stringify({ type: 'event_callback', team_id: 'T0SANDBOX', event_id: 'Ev01', event })
    const json = { 'content-type': 'application/json' }
    const before = control.calls('views.publish').length
    expect((await send(stack, body, { headers: json })).status).toBe(200)
    await control.until(() => control.calls('views.publish').length > before)
    for (const retry of ['1', '2'])
      expect((await send(stack, body, { headers: { ...json, 'x-slack-retry-num': retry } })).status).toBe(200)
    await control.as('cho').command('staging', '/gkube help')
    expect(control.calls('views.publish').length).toBe(before + 1)
  })

  it('a dialog opens while its trigger is good, also where Slack is slow to tell who asks', async () => {
    const slow = await startStack({ slack: 'http', etcd: stack.etcd })
    slow.slack.control.fault({ method: 'users.info', delay: 2500, times: 10 })
    slow.slack.control.fault({ method: 'usergroups.users.list', delay: 2500, times: 10 })
    const reply = await slow.slack.control.as('ana').command('staging', '/gkube deploy web')
    expect(reply.outcome).toBe('ok')
    expect(slow.slack.control.view('ana')).toBeDefined()
  })

  it('a fault of ours has an id that stands in the log', async () => {
    const broken = await stack.replica()
    const core = broken.core as { -readonly [K in keyof typeof broken.core]: unknown }
    core.whoami = async () => {
      throw new Error('a fault of ours')
    }
    // The surface took its verbs from the same object.
    const response = await send({ ...stack, server: broken }, commandOf('whoami'))
    const [, id = 'none'] = /id `?([0-9a-f]{8,12})/.exec(text(await response.json())) ?? []
    expect(stack.log.join('\n')).toContain(id)
    expect(stack.log.join('\n')).toContain('a fault of ours')
    await broken.close()
  })

  it('an app whose answers are late hears by the response_url', async () => {
    const before = control.ephemerals('ana').length
    const reply = await control.as('ana').command('staging', '/gkube doctor')
    expect(reply.ms).toBeLessThan(2500)
    await control.until(() => reply.body || control.ephemerals('ana').length > before, { timeoutMs: 8000 })
  })
})

describe('etcd is down', async () => {
  const etcd = await startTestEtcd()
  const stack = await withApp({ slack: 'http', etcd })

  it('a deploy, a lock and a read say so within 2.5 s, and nothing was started', async () => {
    etcd.pause()
    try {
      const people = [
        ['ana', 'deploy web 1.4.2 to staging'],
        ['cho', 'lock web in staging testing'],
        ['ana', 'history web'],
      ] as const
      const replies = await Promise.all(
        people.map(([person, line]) => stack.slack.control.as(person).command('staging', `/gkube ${line}`)),
      )
      for (const reply of replies) {
        expect(reply.outcome).toBe('ok')
        expect(reply.ms).toBeLessThan(2500)
      }
      const shown = () =>
        text([
          replies.map(reply => reply.body),
          stack.slack.control.ephemerals('ana'),
          stack.slack.control.ephemerals('cho'),
        ])
      await expect.poll(shown, { timeout: 8000 }).toMatch(/etcd.*(does not answer|did not answer)/)
    } finally {
      etcd.resume()
    }
    await expect.poll(() => deploysOf(stack)).toEqual([])
  })

  it('gone altogether: a clear answer with an id', async () => {
    await etcd.stop()
    const reply = await stack.slack.control.as('ana').command('staging', '/gkube deploy web 1.4.2 to staging')
    expect(reply.outcome).toBe('ok')
    expect(reply.ms).toBeLessThan(2500)
    expect(text(reply.body)).toMatch(/etcd/)
    expect(text(reply.body)).toMatch(/nothing was started/)
    await etcd.start()
    await expect
      .poll(
        async () =>
          text(
            (await stack.slack.control.as('ana').command('staging', '/gkube deploy web 1.4.2 to staging'))
              .body,
          ),
        { timeout: 10_000 },
      )
      .toMatch(/got it/)
    expect(await deploysOf(stack)).toHaveLength(1)
  })
})

describe('Socket Mode', async () => {
  const stack = await withApp({ slack: 'socket' })
  const { control } = stack.slack

  it('answers like HTTP, and opens no endpoint of its own', async () => {
    const reply = await control.as('ana').command('staging', '/gkube deploy web 1.4.2 to staging')
    expect(text(reply.body)).toMatch(/got it/)
    expect((await fetch(`${stack.server.url}/slack/events`, { method: 'POST' })).status).toBe(404)
    const metrics = await (await fetch(`${stack.server.url}/metrics`)).text()
    expect(metrics).toMatch(/^gkube_slack_connected 1$/m)
  })

  it('the same envelope twice, to two replicas, is one deploy', async () => {
    const other = await stack.replica()
    await control.until(() => control.sockets.count() === 2)
    const before = (await deploysOf(stack)).length
    control.sockets.deliverTwice()
    const reply = await control.as('ana').command('staging', '/gkube deploy web 4.0.0 to staging')
    expect(text(reply.body)).toMatch(/4\.0\.0/)
    await expect.poll(async () => (await deploysOf(stack)).length).toBe(before + 1)
    await other.close()
    await control.until(() => control.sockets.count() === 1)
  })

  it('is there again at once when Slack asks for a new connection, and soon when it is cut', async () => {
    control.sockets.refresh()
    await expect.poll(() => control.sockets.count(), { timeout: 5000 }).toBe(1)
    expect(text((await control.as('ana').command('staging', '/gkube help')).body)).toMatch(/deploy/)
    const before = control.calls('apps.connections.open').length
    control.sockets.cut()
    await expect.poll(() => control.calls('apps.connections.open').length, { timeout: 5000 }).toBe(before + 1)
    await expect.poll(() => control.sockets.count(), { timeout: 5000 }).toBe(1)
    expect((await control.as('ana').command('staging', '/gkube help')).outcome).toBe('ok')
  })

  it('comes back after Slack was gone', async () => {
    control.offline()
    await expect.poll(() => control.sockets.count()).toBe(0)
    control.online()
    await expect.poll(() => control.sockets.count(), { timeout: 10_000 }).toBe(1)
    expect((await control.as('ana').command('staging', '/gkube help')).outcome).toBe('ok')
  })
})

describe('starting and stopping', () => {
  it('starts and deploys while Slack is down, and Bolt itself never calls it', async () => {
    const stack = await startStack({ slack: 'http', speed: 40 })
    const { control } = stack.slack
    await control.as('ana').command('staging', '/gkube help')
    expect(control.calls('auth.test').length).toBeLessThanOrEqual(1)
    control.offline()
    const second = await stack.replica()
    await second.core.applyApp(admin, webApp(), { dryRun: false })
    expect((await fetch(`${second.url}/readyz`)).status).toBe(200)
    expect((await ship(second.core, { revision: '1.0.0' })).phase).toBe('succeeded')
    await second.close()
  })

  it.each(['http', 'socket'] as const)(
    'a command that runs is answered before the process ends (%s)',
    async mode => {
      const stack = await startStack({ slack: mode })
      await stack.core.applyApp(admin, webApp(), { dryRun: false })
      const { control } = stack.slack
      // Who somebody is takes a moment to learn; their group is known at once.
      control.fault({ method: 'users.info', delay: 500, times: 10 })
      const running = control.as('ben').command('staging', '/gkube deploy web 1.4.2 to staging')
      await expect
        .poll(() => control.calls('usergroups.users.list').length, { interval: 10 })
        .toBeGreaterThan(0)
      await stack.server.close()
      const reply = await running
      expect(text(reply.body)).toMatch(/got it/)
      await expect.poll(() => control.sockets.count()).toBe(0)
    },
  )

  it('a Slack that hangs does not hold up the end', async () => {
    const stack = await withApp({ slack: 'http', speed: 40 })
    const { control } = stack.slack
    control.fault({ method: 'chat.postMessage', connection: 'never', times: 100 })
    await control.as('ana').command('staging', '/gkube deploy web 1.4.2 to staging')
    await expect.poll(() => control.calls('chat.postMessage').length, { timeout: 5000 }).toBeGreaterThan(0)
    const begun = performance.now()
    await stack.server.close()
    expect(performance.now() - begun).toBeLessThan(6_000)
  })
})
