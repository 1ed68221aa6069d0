// One of the people at work: commands, clicks, selects, forms. Checks what Slack's client checks, sends what Slack's
// servers send, and shows what the app answers. How it is sent: dispatch.ts; what is shown of answers: response-urls.ts.
import type {
  Acting,
  DispatchKind,
  Element,
  Fields,
  FieldValue,
  Message,
  Option,
  Person,
  Place,
  Reply,
  View,
} from './control.ts'
import type { Dispatch } from './dispatch.ts'
import { type Found, filled, findElement, incomplete, stateWith, type Values, valuesOf } from './form.ts'
import * as payloads from './payloads.ts'
import { type Asked, type ResponseUrls, show } from './response-urls.ts'
import { SlackError } from './slack-error.ts'
import type { State } from './state.ts'
import { submissions } from './submissions.ts'
import { suggestions } from './suggestions.ts'
import type { Triggers } from './triggers.ts'

type Json = Readonly<Record<string, unknown>>
type Outcome = Awaited<ReturnType<Dispatch['send']>>

export type ActingDeps = {
  readonly state: State
  readonly triggers: Triggers
  readonly urls: ResponseUrls
  readonly dispatch: Dispatch
  readonly mentions: () => payloads.MentionStyle
  /** What server-side selects offered, by person and action id. */
  readonly offered: Map<string, Option[]>
  /** What was chosen on messages, by person and message. */
  readonly chosen: Map<string, Values>
}

const codes: Readonly<Record<Outcome['outcome'], string>> = {
  ok: '',
  invalid: '',
  timeout: 'operation_timeout',
  failed: 'dispatch_failed',
  unreachable: 'dispatch_unknown_error',
}

export function actingAs(deps: ActingDeps, person: Person): Acting {
  const { state, triggers, urls, dispatch } = deps
  const { offered, search } = suggestions({ ...deps, person })

  const channelOf = (idOrName: string) => {
    const channel = idOrName.startsWith('@') ? state.imOf(person.id) : state.channelBy(idOrName)
    if (!channel) throw new Error(`there is no channel ${idOrName}`)
    if (!channel.members.includes(person.id)) throw new Error(`${person.name} is not in #${channel.name}`)
    return channel
  }
  const topView = (): View => {
    const view = state.stackOf(person.id).at(-1)
    if (!view) throw new Error(`${person.name} has no modal open`)
    return view
  }

  function whereOf(place: Place): payloads.Where {
    if (place === 'modal') return { view: topView() }
    if (place === 'home') {
      const view = state.homes.get(person.id)
      if (!view) throw new Error(`${person.name} has no Home tab yet: openHome() first`)
      return { view }
    }
    const { id } = channelOf(place.channel)
    const mine = (one: Message) => one.channel === id && one.ts === place.ts && one.only === person.id
    const message = state.ephemerals.find(mine) ?? state.find(id, place.ts)
    if (!message) throw new Error(`${person.name} sees no message ${place.ts} in ${place.channel}`)
    return { message }
  }

  const blocksOf = (where: payloads.Where) => ('view' in where ? where.view.blocks : blocksIn(where.message))
  const chosenKey = (message: Message) => `${person.id} ${message.channel} ${message.ts}`

  function askedOf({ channel, ts, only, thread_ts }: Message): Asked {
    const original = { ts, ephemeral: only !== undefined, thread: thread_ts === ts ? undefined : thread_ts }
    return { user: person.id, channel, original }
  }

  function told(
    kind: DispatchKind,
    payload: Json,
    outcome: Outcome,
    shown: string | undefined,
    channel?: string,
  ): Reply {
    if (shown) state.notice(person.id, shown, channel)
    const { outcome: ended, body, ms } = outcome
    return { kind, outcome: ended, body, ms, payload, ...(shown ? { shown } : {}) }
  }

  /** Remembers what was chosen, so that the next payload carries it. */
  function remember(where: payloads.Where, blockId: string, actionId: string, value: Json): Values {
    const kept =
      'view' in where ? (where.view.state.values as Values) : deps.chosen.get(chosenKey(where.message))
    const before = kept ?? valuesOf(blocksOf(where))
    const values = { ...before, [blockId]: { ...before[blockId], [actionId]: value } }
    if ('view' in where) setValues(state, person.id, where.view, values)
    else deps.chosen.set(chosenKey(where.message), values)
    return values
  }

  /** Stores what was chosen, and says what the payload carries of it. */
  function choose(place: Place, { block, element }: Found, value: FieldValue | undefined): Json {
    const isButton = element.type === 'button' || element.type === 'workflow_button'
    if (isButton !== (value === undefined))
      throw new Error(`${String(element.action_id)} is a ${String(element.type)}`)
    if (isButton) return {}
    const next = stateWith(element, value ?? null, offered)
    if (element.type !== 'overflow')
      remember(whereOf(place), String(block.block_id), String(element.action_id), next)
    return next
  }

  async function act(place: Place, wanted: Element, value?: FieldValue): Promise<Reply> {
    const found = findElement(blocksOf(whereOf(place)), wanted)
    const carried = choose(place, found, value)
    // Slack sends nothing of an input before the form is submitted, unless it asks for it.
    if (found.block.type === 'input' && found.block.dispatch_action !== true)
      return { kind: 'block_actions', outcome: 'ok', ms: 0, payload: {} }
    const where = whereOf(place)
    const inMessage = 'message' in where ? where.message : undefined
    const payload = payloads.actionPayload(state, {
      person,
      where,
      found,
      value: carried,
      trigger: triggers.issue(person.id),
      responseUrl: inMessage && urls.issue(askedOf(inMessage)),
      values: (inMessage && deps.chosen.get(chosenKey(inMessage))) ?? {},
    })
    const outcome = await dispatch.send('block_actions', payload)
    return told('block_actions', payload, outcome, clickFailed(outcome), inMessage?.channel)
  }

  async function command(channelName: string, typed: string): Promise<Reply> {
    const channel = channelOf(channelName)
    const [name = '', ...rest] = typed.trim().split(/(?<=^\S+)\s+/)
    const known = state.commands.find(one => one.command === name)
    if (!known) {
      const shown = `${name} is not a valid command. In Slack, all messages that start with the "/" character are interpreted as commands.`
      state.notice(person.id, shown, channel.id)
      return { kind: 'slash_commands', outcome: 'invalid', ms: 0, payload: {}, shown }
    }
    const text = rest.join(' ')
    const asked: Asked = { user: person.id, channel: channel.id }
    const payload = payloads.commandPayload(state, {
      person,
      channel,
      command: known.command,
      text: known.should_escape === false ? text : payloads.escaped(state, text, deps.mentions()),
      responseUrl: urls.issue(asked),
      trigger: triggers.issue(person.id),
    })
    const outcome = await dispatch.send('slash_commands', payload)
    let code = codes[outcome.outcome]
    try {
      if (!code && outcome.body !== '') show(state, asked, answerOf(outcome.body))
    } catch (error) {
      if (!(error instanceof SlackError)) throw error
      code = 'invalid_command_response'
    }
    const shown = code && `${known.command} failed with the error "${code}"`
    return told('slash_commands', payload, outcome, shown, channel.id)
  }

  async function opened(tab: 'home' | 'messages'): Promise<Reply> {
    const view = tab === 'home' ? state.homes.get(person.id) : undefined
    const at = { user: person.id, channel: state.imOf(person.id).id, tab, event_ts: state.nextTs() }
    const event = { type: 'app_home_opened', ...at, ...(view ? { view } : {}) }
    const { payload, ...outcome } = await dispatch.event(state.team.id, state.app.id, event)
    return told('event', payload, outcome, undefined)
  }

  const fill = (fields: Fields) => {
    const view = topView()
    setValues(state, person.id, view, filled(view.blocks, view.state.values as Values, fields, offered))
  }
  const { submit, close } = submissions({ ...deps, person, told, topView })

  return {
    person,
    command,
    say(channelName, text, threadTs) {
      const channel = channelOf(channelName)
      const thread = threadTs ? { thread_ts: threadTs } : {}
      const message = {
        type: 'message' as const,
        channel: channel.id,
        ts: state.nextTs(),
        user: person.id,
        text,
      }
      return state.post({ ...message, ...thread })
    },
    click: (place, element) => act(place, element),
    select: (place, element, value) => act(place, element, value),
    async options(place, wanted, query) {
      const where = whereOf(place)
      return search(where, findElement(blocksOf(where), wanted), query)
    },
    fill,
    async submit(fields = {}) {
      fill(fields)
      const view = topView()
      const errors = incomplete(view.blocks, view.state.values as Values)
      if (Object.keys(errors).length > 0)
        return { kind: 'view_submission', outcome: 'invalid', ms: 0, payload: {}, errors }
      return submit(view)
    },
    close,
    openHome: () => opened('home'),
    openMessages: () => opened('messages'),
  }
}

/** Blocks of a message, those of its attachments too. */
const blocksIn = (message: Message): readonly Json[] => [
  ...(message.blocks ?? []),
  ...(message.attachments ?? []).flatMap(one => (Array.isArray(one.blocks) ? (one.blocks as Json[]) : [])),
]

/** Typing changes what is in a view, not its version. */
function setValues(state: State, user: string, view: View, values: Values) {
  const next = { ...view, state: { values } }
  if (view.type === 'home') return state.setHome(user, next)
  state.setStack(
    user,
    state.stackOf(user).map(one => (one.id === view.id ? next : one)),
  )
}

const answerOf = (body: unknown): Json =>
  typeof body === 'object' && body !== null ? (body as Json) : { text: String(body) }

const clickFailed = ({ outcome, reason }: Outcome): string | undefined => {
  if (outcome === 'ok') return undefined
  if (outcome === 'timeout') return 'This app did not respond in time (operation_timeout).'
  return `This app responded with an error (${codes[outcome]}${reason ? `, ${reason}` : ''}).`
}
