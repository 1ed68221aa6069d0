// The payloads of commands and clicks, field by field as Slack sends them, and the escaping of what people type.
import type { Channel, Message, Person, View } from './control.ts'
import type { Found } from './form.ts'
import { foreignTeam } from './seed.ts'
import type { State } from './state.ts'

type Json = Readonly<Record<string, unknown>>
/** full: `<@U1|ana>`; bare: `<@U1>`, which Slack sends too. */
export type MentionStyle = 'full' | 'bare'

/** What Slack takes for an address though nobody wrote http:// (it knows all top-level domains; these are enough). */
const bareHost = /^[a-z0-9-]+(\.[a-z0-9-]+)*\.(com|org|net|io|dev|app)(\/\S*)?$/i

/** What arrives of what was typed after a command with should_escape: &, <, >, people, channels, groups, links. */
export function escaped(state: State, text: string, style: MentionStyle): string {
  const safe = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return safe
    .split(/(\s+)/)
    .map(word => escapedWord(state, word, name => (style === 'full' ? `|${name}` : '')))
    .join('')
}

function escapedWord(state: State, word: string, label: (name: string) => string): string {
  if (/^https?:\/\/./.test(word)) return `<${word}>`
  if (/^[\w.+-]+@[\w-]+\.[\w.]*\w$/.test(word)) return `<mailto:${word}|${word}>`
  if (bareHost.test(word)) return `<http://${word}|${word}>`
  const [, sign, name = '', rest = ''] = /^([@#])([\w.-]*\w)(.*)$/.exec(word) ?? []
  if (sign === '#') {
    const channel = state.channelBy(name)
    return channel && !channel.im ? `<#${channel.id}${label(channel.name)}>${rest}` : word
  }
  if (sign !== '@') return word
  if (['here', 'channel', 'everyone'].includes(name)) return `<!${name}>${rest}`
  const person = state.personBy(name)
  if (person) return `<@${person.id}${label(person.name)}>${rest}`
  const group = [...state.groups.values()].find(one => one.handle === name && !one.disabled)
  return group ? `<!subteam^${group.id}${label(`@${group.handle}`)}>${rest}` : word
}

const teamOf = (state: State, person: Person) => (person.foreign ? foreignTeam : state.team.id)

export function commandPayload(
  state: State,
  at: {
    person: Person
    channel: Channel
    command: string
    text: string
    responseUrl: string
    trigger: string
  },
): Json {
  const { person, channel } = at
  return {
    token: 'not-used',
    team_id: state.team.id,
    team_domain: state.team.domain,
    channel_id: channel.id,
    channel_name: channel.im ? 'directmessage' : channel.private ? 'privategroup' : channel.name,
    user_id: person.id,
    user_name: person.name,
    command: at.command,
    text: at.text,
    api_app_id: state.app.id,
    is_enterprise_install: 'false',
    response_url: at.responseUrl,
    trigger_id: at.trigger,
  }
}

const common = (state: State, person: Person): Json => ({
  user: { id: person.id, username: person.name, name: person.name, team_id: teamOf(state, person) },
  api_app_id: state.app.id,
  token: 'not-used',
  team: { id: state.team.id, domain: state.team.domain },
  enterprise: null,
  is_enterprise_install: false,
})

/** Where an element is, as a payload says it. Ephemeral messages are not shown to the app again. */
export type Where = { readonly message: Message } | { readonly view: View }

function place(state: State, where: Where): Json {
  if ('view' in where) {
    const { view } = where
    return { container: { type: 'view', view_id: view.id }, view }
  }
  const { message } = where
  const isEphemeral = message.only !== undefined
  const { channel, only: _, ...shown } = message
  return {
    container: {
      type: 'message',
      message_ts: message.ts,
      channel_id: channel,
      is_ephemeral: isEphemeral,
      ...(message.thread_ts ? { thread_ts: message.thread_ts } : {}),
    },
    channel: { id: channel, name: state.channels.get(channel)?.name || 'directmessage' },
    ...(isEphemeral ? {} : { message: { team: state.team.id, ...shown } }),
  }
}

export function actionPayload(
  state: State,
  at: {
    person: Person
    where: Where
    found: Found
    value: Json
    trigger: string
    responseUrl?: string
    values: object
  },
): Json {
  const { block, element } = at.found
  const { action_id, type, text, value, style } = element
  const plain =
    type === 'button'
      ? { text, ...(value === undefined ? {} : { value }), ...(style ? { style } : {}) }
      : at.value
  return {
    type: 'block_actions',
    ...common(state, at.person),
    ...place(state, at.where),
    trigger_id: at.trigger,
    ...(at.responseUrl ? { response_url: at.responseUrl } : {}),
    ...('message' in at.where ? { state: { values: at.values } } : {}),
    actions: [{ action_id, block_id: block.block_id, type, ...plain, action_ts: state.nextTs() }],
  }
}

export function suggestionPayload(
  state: State,
  at: { person: Person; where: Where; found: Found; query: string },
): Json {
  const { block, element } = at.found
  return {
    type: 'block_suggestion',
    ...common(state, at.person),
    ...place(state, at.where),
    action_id: element.action_id,
    block_id: block.block_id,
    value: at.query,
  }
}

export const submissionPayload = (
  state: State,
  at: { person: Person; view: View; trigger: string },
): Json => ({
  type: 'view_submission',
  ...common(state, at.person),
  trigger_id: at.trigger,
  view: at.view,
  response_urls: [],
})

export const closedPayload = (state: State, at: { person: Person; view: View; cleared: boolean }): Json => ({
  type: 'view_closed',
  ...common(state, at.person),
  view: at.view,
  is_cleared: at.cleared,
})
