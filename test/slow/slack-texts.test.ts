// 10,000 generated texts typed as `/gkube …` against a whole replica, by signed requests: never a 500, never silence, and
// never a fault of ours. The parser alone is in test/core/command.test.ts.
import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import { commandNames } from '../../src/core/command/grammar.ts'
import { admin, type Stack, ship, startStack, webApp } from '../support/stack.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ slack: 'http', speed: 40 })
  await stack.core.applyApp(admin, webApp(), { dryRun: false })
  await ship(stack.core, { revision: '1.4.1' })
  // What happens to be a deploy is stored and waits.
  for (const environment of ['staging', 'production'])
    await stack.core.lock(admin, { environment, reason: 'tests', expiresIn: '1h', steal: false })
})

let typed = 0
async function send(text: string): Promise<{ status: number; body: string }> {
  const body = new URLSearchParams({
    command: '/gkube',
    text,
    user_id: typed % 2 ? 'U0ANA' : 'U0CHO',
    user_name: 'ana',
    team_id: 'T0SANDBOX',
    channel_id: 'C0STAGING',
    trigger_id: `1.${typed++}.x`,
  }).toString()
  const time = String(Math.floor(Date.now() / 1000))
  const mac = createHmac('sha256', stack.slack.signingSecret).update(`v0:${time}:${body}`).digest('hex')
  const answer = await fetch(`${stack.server.url}/slack/events`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-slack-request-timestamp': time,
      'x-slack-signature': `v0=${mac}`,
    },
    body,
  })
  return { status: answer.status, body: await answer.text() }
}

it('whatever is typed is answered', async () => {
  const words = fc.constantFrom(
    ...commandNames, 'web', 'staging', 'production', '1.4.1', '1.4.2', 'to', 'in', 'from', 'for', '2h', 'because', '--env',
    '--reason', '--app', '3', '99999999999999999999', '<@U0ANA|ana>', '<!channel>', '&amp;', '“x”', '`', '\u0000', '\u202e', '💥',
    '%s', '__proto__', 'constructor', '<', '>', '../x',
  ) // biome-ignore format: a list
  const texts = fc.sample(
    fc.oneof(
      fc.array(words, { maxLength: 8 }).map(list => list.join(' ')),
      fc.string({ unit: 'binary', maxLength: 60 }),
    ),
    10_000,
  )
  const kinds = { answered: 0, dialog: 0 }
  for (let i = 0; i < texts.length; i += 25)
    await Promise.all(
      texts.slice(i, i + 25).map(async text => {
        const { status, body } = await send(text)
        expect({ text, status }).toEqual({ text, status: 200 })
        expect(body, text).not.toMatch(/went wrong|not your doing/i)
        kinds[body === '' ? 'dialog' : 'answered']++
      }),
    )
  // Without words a dialog was opened, or the answer followed.
  expect(kinds.answered).toBeGreaterThan(7_000)
}, 300_000)
