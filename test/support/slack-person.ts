// People in front of a workspace that sends nothing itself: what they type and click reaches gkube as Slack sends it,
// signed, and what gkube answers to them alone (response_url) comes in here. The workspaces are slack-side.ts.
import { createHmac, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text as textIn } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { expect } from 'vitest'
import type { SlackMessage, SlackSide } from './slack-side.ts'

type Json = Readonly<Record<string, unknown>>
export type SlackView = Json & {
  readonly id: string
  readonly hash: string
  readonly blocks: readonly Json[]
}

/** What gkube answers at once, and what it then says to this person alone. */
export type Said = {
  readonly body: unknown
  readonly text: string
  /** The first word that comes later. */
  later(): Promise<string>
}

/** Looks until what it sees is it; throws with what it saw last. (`expect.poll` does not know concurrent tests.) */
export async function eventually<T>(
  look: () => Promise<T> | T,
  isIt: (seen: T) => boolean,
  what: string,
): Promise<T> {
  const limit = performance.now() + 40_000
  for (;;) {
    const seen = await look()
    if (isIt(seen)) return seen
    if (performance.now() > limit)
      throw new Error(`not seen: ${what}; at last: ${JSON.stringify(seen)?.slice(0, 2000)}`)
    await wait(40)
  }
}

/** What stands in a message, an answer or a view, blocks and all, as one text. */
export function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).filter(Boolean).join('\n')
  if (value === null || typeof value !== 'object') return ''
  return Object.entries(value)
    .map(([key, inner]) => (key === 'text' && typeof inner === 'string' ? inner : textOf(inner)))
    .filter(Boolean)
    .join('\n')
}

/** All blocks and elements below `value` that have this action id; `carries`: with this value. */
export function elementsOf(value: unknown, action: string, carries?: string): Json[] {
  if (Array.isArray(value)) return value.flatMap(one => elementsOf(one, action, carries))
  if (value === null || typeof value !== 'object') return []
  const own = value as Json
  const isIt = own.action_id === action && (carries === undefined || own.value === carries)
  return [...(isIt ? [own] : []), ...Object.values(own).flatMap(one => elementsOf(one, action, carries))]
}

export type Folk = Awaited<ReturnType<typeof startFolk>>

/** `url`: gkube's own; everybody is known by the name they have in the side, or by an id. */
export async function startFolk(side: SlackSide, options: { readonly url: string; readonly secret: string }) {
  const inbox = new Map<string, string[]>()
  const server = createServer(async (request, response) => {
    const url = request.url ?? ''
    const message = JSON.parse(await textIn(request)) as { blocks?: unknown; text?: string }
    inbox.set(url, [...(inbox.get(url) ?? []), textOf(message.blocks) || (message.text ?? '')])
    response.end('ok')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  let mailboxes = 0
  const idOf = (who: string): string => side.people[who] ?? who

  async function send(who: string, body: string, type: string, mailbox = ''): Promise<Said> {
    const time = String(Math.floor(Date.now() / 1000))
    const mac = createHmac('sha256', options.secret).update(`v0:${time}:${body}`).digest('hex')
    const begun = performance.now()
    const response = await fetch(`${options.url}/slack/events`, {
      method: 'POST',
      headers: {
        'content-type': type,
        'x-slack-request-timestamp': time,
        'x-slack-signature': `v0=${mac}`,
      },
      body,
    })
    const text = await response.text()
    expect(response.status).toBe(200)
    expect(performance.now() - begun).toBeLessThan(3000)
    const answer: unknown = text.startsWith('{') ? JSON.parse(text) : text
    return {
      body: answer,
      text: textOf(answer),
      later: async () =>
        (
          await eventually(
            () => inbox.get(mailbox),
            heard => heard !== undefined,
            `an answer to ${who}`,
          )
        )?.[0] ?? '',
    }
  }
  const form = 'application/x-www-form-urlencoded'
  const interaction = (who: string, payload: Json, mailbox?: string) =>
    send(who, new URLSearchParams({ payload: JSON.stringify(payload) }).toString(), form, mailbox)
  const mailboxOf = () => `/${++mailboxes}`
  const responseUrl = (mailbox: string) => `http://127.0.0.1:${port}${mailbox}`
  const common = (who: string) => ({
    user: { id: idOf(who), username: who, name: who, team_id: side.team },
    team: { id: side.team, domain: 'test' },
    api_app_id: 'A0GKUBE',
    token: 'not-used',
    is_enterprise_install: false,
  })
  const triggerOf = (who: string) =>
    // Whom the workspace does not know cannot be given one.
    side.people[who] ? side.trigger(idOf(who)) : Promise.resolve(`1.1.${randomUUID()}`)

  async function act(
    who: string,
    at: { action: string; value?: string; in: Json; where: Json; answerable: boolean },
  ) {
    const block = (at.in.blocks as readonly Json[] | undefined)?.find(
      one => elementsOf(one, at.action, at.value).length > 0,
    )
    const [element] = elementsOf(block, at.action, at.value)
    if (!block || !element) throw new Error(`no ${at.action} in: ${textOf(at.in)}`)
    const mailbox = mailboxOf()
    const { confirm: _, ...clicked } = element
    return interaction(
      who,
      {
        type: 'block_actions',
        ...common(who),
        ...at.where,
        trigger_id: await triggerOf(who),
        ...(at.answerable ? { response_url: responseUrl(mailbox) } : {}),
        actions: [{ ...clicked, block_id: block.block_id, action_ts: (Date.now() / 1000).toFixed(6) }],
      },
      mailbox,
    )
  }

  return {
    /** `/gkube …` in a channel by name. */
    async command(who: string, channel: string, text: string): Promise<Said> {
      const mailbox = mailboxOf()
      const fields = {
        token: 'not-used',
        team_id: side.team,
        team_domain: 'test',
        channel_id: side.channels[channel] ?? channel,
        channel_name: channel,
        user_id: idOf(who),
        user_name: who,
        command: '/gkube',
        text,
        api_app_id: 'A0GKUBE',
        is_enterprise_install: 'false',
        response_url: responseUrl(mailbox),
        trigger_id: await triggerOf(who),
      }
      return send(who, new URLSearchParams(fields).toString(), form, mailbox)
    },
    /** A button of a message, as the person saw it. */
    click: (who: string, message: SlackMessage, at: { channel: string; action: string }): Promise<Said> =>
      act(who, {
        action: at.action,
        in: message,
        answerable: true,
        where: {
          container: { type: 'message', message_ts: message.ts, channel_id: at.channel, is_ephemeral: false },
          channel: { id: at.channel, name: 'channel' },
          message,
        },
      }),
    /** A button of App Home; `value` where there are several. */
    clickHome: (who: string, view: SlackView, at: { action: string; value: string }): Promise<Said> =>
      act(who, {
        ...at,
        in: view,
        answerable: false,
        where: { container: { type: 'view', view_id: view.id }, view },
      }),
    openHome: (who: string): Promise<Said> =>
      send(
        who,
        JSON.stringify({
          type: 'event_callback',
          team_id: side.team,
          api_app_id: 'A0GKUBE',
          event_id: `Ev${randomUUID()}`,
          event_time: Math.floor(Date.now() / 1000),
          event: { type: 'app_home_opened', user: idOf(who), tab: 'home', channel: 'D0', event_ts: '1.1' },
        }),
        'application/json',
      ),
    /** What a search field of a dialog offers, as values. */
    async options(who: string, view: SlackView, at: { action: string; query: string }): Promise<string[]> {
      const payload = { container: { type: 'view', view_id: view.id }, view, action_id: at.action }
      const { body } = await interaction(who, {
        type: 'block_suggestion',
        ...common(who),
        ...payload,
        value: at.query,
      })
      return (body as { options: readonly { value: string }[] }).options.map(one => one.value)
    },
    /** Chooses in a search field; `view` holds the choice in its state. */
    choose: (who: string, view: SlackView, action: string): Promise<Said> =>
      act(who, {
        action,
        in: view,
        answerable: false,
        where: { container: { type: 'view', view_id: view.id }, view },
      }),
    async submit(who: string, view: SlackView): Promise<Said> {
      const trigger_id = await triggerOf(who)
      return interaction(who, {
        type: 'view_submission',
        ...common(who),
        trigger_id,
        view,
        response_urls: [],
      })
    },
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The view as the person's client sends it back: with what stands in its fields, by action id. */
export function filled(view: SlackView, fields: Readonly<Record<string, string>>): SlackView {
  const values: Record<string, Json> = {}
  for (const block of view.blocks) {
    const element = block.element as Json | undefined
    if (block.type !== 'input' || !element) continue
    const action = String(element.action_id)
    const given = fields[action]
    values[String(block.block_id)] = {
      [action]:
        element.type === 'external_select'
          ? { type: element.type, selected_option: given ? chosen(given) : (element.initial_option ?? null) }
          : { type: element.type, value: given ?? element.initial_value ?? null },
    }
  }
  return { ...view, state: { values } }
}

const chosen = (value: string) => ({ text: { type: 'plain_text', text: value }, value })
