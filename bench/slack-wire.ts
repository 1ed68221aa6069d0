// Signed requests as Slack sends them, at a steady rate, whatever the answers take (open loop): a slow answer does not
// slow the next request down, so that the times are those a person sees.
import { createHmac, randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { monotonic } from './monotonic.ts'

export type Target = { readonly port: number; readonly signingSecret: string }
export type Load = {
  /** Milliseconds of each request, from when it was due to the whole answer. */
  readonly times: readonly number[]
  /** Answers by HTTP status; 0: no answer. */
  readonly statuses: Readonly<Record<number, number>>
  readonly perSecond: number
  /** Some answers, to see that they are what was meant. */
  readonly samples: readonly string[]
}

/** `count` requests at `rate` a second; `body` gives the form of the n-th. */
export async function load(
  target: Target,
  { rate, count, body }: { rate: number; count: number; body: (n: number) => Record<string, string> },
): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const times: number[] = []
  const statuses: Record<number, number> = {}
  const samples: string[] = []
  const began = monotonic()
  const sent: Promise<void>[] = []
  for (let n = 0; n < count; n++) {
    const due = began + (n * 1000) / rate
    const early = due - monotonic()
    if (early > 1) await delay(early)
    sent.push(
      post(target, agent, body(n)).then(({ status, text }) => {
        times.push(monotonic() - due)
        statuses[status] = (statuses[status] ?? 0) + 1
        if (n % Math.ceil(count / 3) === 0) samples.push(text)
      }),
    )
  }
  await Promise.all(sent)
  agent.destroy()
  return { times, statuses, samples, perSecond: (count * 1000) / (monotonic() - began) }
}

function post(
  { port, signingSecret }: Target,
  agent: Agent,
  form: Record<string, string>,
): Promise<{ status: number; text: string }> {
  const body = new URLSearchParams(form).toString()
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signature = `v0=${createHmac('sha256', signingSecret).update(`v0:${timestamp}:${body}`).digest('hex')}`
  return new Promise(resolve => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        agent,
        method: 'POST',
        path: '/slack/events',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': Buffer.byteLength(body),
          'x-slack-request-timestamp': timestamp,
          'x-slack-signature': signature,
        },
      },
      answer => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (part: string) => {
          text += part
        })
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }))
      },
    )
    outgoing.setTimeout(10_000, () => outgoing.destroy(new Error('no answer in 10 s')))
    outgoing.on('error', () => resolve({ status: 0, text: '' }))
    outgoing.end(body)
  })
}

type From = {
  readonly user: string
  readonly channel: string
  readonly team: string
  readonly respond: string
}

const triggerId = () => `${Date.now()}.${randomBytes(6).toString('hex')}`

/** A slash command as Slack posts it. */
export const slashCommand = (
  text: string,
  { user, channel, team, respond }: From,
): Record<string, string> => ({
  command: '/gkube',
  text,
  team_id: team,
  team_domain: 'bench',
  channel_id: channel,
  channel_name: 'bench',
  user_id: user,
  user_name: user.toLowerCase(),
  api_app_id: 'A0BENCH',
  is_enterprise_install: 'false',
  trigger_id: triggerId(),
  response_url: respond,
})

/** A click on a button of a message. */
export const click = (
  actionId: string,
  value: string,
  { user, channel, team, respond }: From,
): Record<string, string> => ({
  payload: JSON.stringify({
    type: 'block_actions',
    api_app_id: 'A0BENCH',
    team: { id: team, domain: 'bench' },
    user: { id: user, username: user.toLowerCase(), name: user.toLowerCase(), team_id: team },
    channel: { id: channel, name: 'bench' },
    container: { type: 'message', message_ts: '1.000001', channel_id: channel, is_ephemeral: false },
    message: { type: 'message', ts: '1.000001', text: 'bench', blocks: [] },
    trigger_id: triggerId(),
    response_url: respond,
    actions: [
      {
        type: 'button',
        action_id: actionId,
        block_id: 'bench',
        text: { type: 'plain_text', text: 'x' },
        value,
        action_ts: String(Date.now() / 1000),
      },
    ],
  }),
})
