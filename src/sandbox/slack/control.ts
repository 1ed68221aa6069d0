// What drives the stand-in workspace and looks into it: types only. Tests use them in process (slack.ts returns a
// Control), the page over HTTP (`Snapshot` and `Act`, see control-http.ts). Messages and views have Slack's own field
// names, as on the wire. What is built on them: people.ts (acting), slack.ts (wiring).

type Json = Readonly<Record<string, unknown>>

export type Person = {
  readonly id: string
  /** Handle, as in `<@U0ANA|ana>`; acting as `ana` or as `U0ANA` is the same. */
  readonly name: string
  readonly real_name: string
  readonly email: string
  /** What the page says of the person, such as `developer`. */
  readonly title: string
  /** Single-channel guest (Slack sets is_restricted too). */
  readonly guest?: boolean
  /** Of another workspace, seen through a shared channel. */
  readonly foreign?: boolean
  readonly deleted?: boolean
  readonly bot?: boolean
}

export type Channel = {
  readonly id: string
  readonly name: string
  readonly archived?: boolean
  /** Private channels answer channel_not_found to a bot that is not a member. */
  readonly private?: boolean
  /** A direct message between the app and this person. */
  readonly im?: string
  /** User ids; the app's bot user is U0GKUBE. */
  readonly members: readonly string[]
}

export type UserGroup = {
  readonly id: string
  readonly handle: string
  readonly name: string
  readonly users: readonly string[]
  readonly disabled?: boolean
}

export type SlashCommand = {
  readonly command: string
  readonly description: string
  readonly usage_hint?: string
  /** Users and channels arrive as `<@U1|ana>`; default true. */
  readonly should_escape?: boolean
}

export type Message = {
  readonly type: 'message'
  readonly channel: string
  readonly ts: string
  readonly user: string
  readonly bot_id?: string
  readonly app_id?: string
  readonly subtype?: string
  readonly text: string
  readonly blocks?: readonly Json[]
  readonly attachments?: readonly Json[]
  readonly metadata?: { readonly event_type: string; readonly event_payload: Json }
  readonly thread_ts?: string
  readonly reply_count?: number
  readonly latest_reply?: string
  readonly edited?: { readonly user: string; readonly ts: string }
  readonly files?: readonly SharedFile[]
  /** Set on ephemeral messages: the one person who sees it. */
  readonly only?: string
}

export type SharedFile = {
  readonly id: string
  readonly name: string
  readonly title: string
  readonly size: number
  readonly mimetype: string
  readonly filetype: string
  readonly created: number
  readonly user: string
  /** Serves the content (to the bot with its token; the page reads /control/files/<id>). */
  readonly url_private: string
  readonly channels: readonly string[]
}

/** A modal or a Home tab as the app sent it, with what Slack adds. */
export type View = Json & {
  readonly id: string
  readonly type: 'modal' | 'home'
  readonly hash: string
  readonly callback_id: string
  readonly private_metadata: string
  readonly blocks: readonly Json[]
  readonly state: { readonly values: Readonly<Record<string, Readonly<Record<string, Json>>>> }
  readonly root_view_id: string
  readonly previous_view_id: string | null
}

/** One call of the Web API by the app. */
export type Call = {
  readonly at: number
  readonly method: string
  readonly args: Json
  /** HTTP status; 0: the connection was cut or never answered. */
  readonly status: number
  readonly ok: boolean
  readonly error?: string
  readonly ms: number
}

export type DispatchKind =
  | 'slash_commands'
  | 'block_actions'
  | 'view_submission'
  | 'view_closed'
  | 'block_suggestion'
  | 'event'

/** How something that was sent to the app ended. */
export type Reply = {
  readonly kind: DispatchKind
  /** ok: acknowledged in time; invalid: never sent, the form is not complete. */
  readonly outcome: 'ok' | 'timeout' | 'failed' | 'unreachable' | 'invalid'
  /** What Slack tells the person when it is not ok, such as `/gkube failed with the error "operation_timeout"`. */
  readonly shown?: string
  /** By block id: what is wrong with a submitted form (from the app, or from Slack's own checks). */
  readonly errors?: Readonly<Record<string, string>>
  /** The app's answer, parsed. */
  readonly body?: unknown
  /** From sending to the acknowledgement. */
  readonly ms: number
  readonly payload: Json
}

export type Option = {
  readonly text: Json
  readonly value: string
  readonly description?: Json
  readonly group?: string
}

/** Where an element is: on a message (ephemeral ones too), in the person's open modal, or on their Home tab. */
export type Place = { readonly channel: string; readonly ts: string } | 'modal' | 'home'
/** An element: by action id, or with more where that is not unique. */
export type Element =
  | string
  | { readonly action_id: string; readonly block_id?: string; readonly value?: string }
/** A value as typed or chosen: text, an option's value, several of them, a date, a user id. */
export type FieldValue = string | readonly string[] | null
/** Form values by block id or by action id. */
export type Fields = Readonly<Record<string, FieldValue>>

/** One of the people, doing what people do. Every verb resolves when the app has acknowledged, or Slack gave up. */
export type Acting = {
  readonly person: Person
  /** `text` with the command: `/gkube deploy web`. `channel` by id or name. Mentions as `@ana` and `#staging`. */
  command(channel: string, text: string): Promise<Reply>
  /** A plain message of the person; the app hears nothing of it. */
  say(channel: string, text: string, threadTs?: string): Message
  /** Throws when there is no such element, or no such option. */
  click(place: Place, element: Element): Promise<Reply>
  select(place: Place, element: Element, value: FieldValue): Promise<Reply>
  /** What a server-side select offers for what was typed; throws where typing is too short for Slack to ask. */
  options(place: Place, element: Element, query: string): Promise<readonly Option[]>
  /** Types into the open modal without submitting. */
  fill(fields: Fields): void
  /** Submits the open modal; fields that are not given keep what is in them. */
  submit(fields?: Fields): Promise<Reply>
  /** The Cancel button or the X of the top view; `all`: the whole stack. */
  close(all?: boolean): Promise<Reply | undefined>
  openHome(): Promise<Reply>
  openMessages(): Promise<Reply>
}

export type Fault = {
  /** A method such as `chat.update`; none: every method. */
  readonly method?: string
  /** How many calls it hits; default 1. */
  readonly times?: number
  /** Only calls whose arguments hold these values. */
  readonly where?: Json
  /** Wait first, in ms. */
  readonly delay?: number
  /** Then one of: an error code of Slack's, with HTTP 200. */
  readonly error?: string
  /** An HTTP status: 429 (with Retry-After), 500, 503. */
  readonly status?: number
  /** Seconds; default 1. */
  readonly retryAfter?: number
  /** cut: connection closed before anything was done; lost: done, then closed; never: neither done nor answered. */
  readonly connection?: 'cut' | 'lost' | 'never'
}

export type Change = {
  readonly version: number
  readonly what: 'message' | 'ephemeral' | 'view' | 'home' | 'file' | 'workspace' | 'notice' | 'call'
  readonly channel?: string
  readonly user?: string
  readonly ts?: string
}

/** What Slack itself tells a person (`/gkube failed with the error …`), newest last. */
export type Notice = {
  readonly at: number
  readonly user: string
  readonly channel?: string
  readonly text: string
}

export type Control = {
  /** By name or id. */
  as(person: string): Acting
  people(): readonly Person[]
  channels(): readonly Channel[]
  groups(): readonly UserGroup[]
  /** Top-level messages and replies that were broadcast, oldest first. Channel by id or name; `@ana`: her direct messages. */
  messages(channel: string): readonly Message[]
  /** The parent and its replies, oldest first. */
  thread(channel: string, ts: string): readonly Message[]
  ephemerals(person: string, channel?: string): readonly Message[]
  notices(person: string): readonly Notice[]
  /** The top of the person's open modals. */
  view(person: string): View | undefined
  /** The whole stack, bottom first. */
  views(person: string): readonly View[]
  home(person: string): View | undefined
  files(): readonly (SharedFile & { readonly content: Buffer })[]
  /** Calls of the Web API, oldest first, all or of one method (the last 5000 are kept). */
  calls(method?: string): readonly Call[]
  forgetCalls(): void
  /**
   * Looks after every change until `look` answers something other than undefined, null or false; rejects after
   * `timeoutMs` (10,000) with `what` was waited for.
   */
  until<T>(
    look: () => T | undefined | null | false,
    options?: { what?: string; timeoutMs?: number },
  ): Promise<T>
  onChange(listener: (change: Change) => void): () => void

  fault(fault: Fault): void
  clearFaults(): void
  /** Web API, uploads, response_urls and new sockets are cut, open sockets close, until online(). */
  offline(): void
  online(): void
  rates(mode: 'real' | 'off'): void
  scopes(scopes: readonly string[]): void
  /** invalid_auth from now on, as after a token was revoked. */
  revokeToken(): void
  /** Signs requests as if Slack's clock were this many seconds off. */
  skew(seconds: number): void
  /** How mentions in commands arrive: `<@U1|ana>` (full, default) or `<@U1>` (bare); Slack sends both. */
  mentions(style: 'full' | 'bare'): void

  /** As a person deletes it: the app hears nothing. */
  deleteMessage(channel: string, ts: string): void
  setChannel(id: string, change: Partial<Omit<Channel, 'id'>>): void
  setPerson(id: string, change: Partial<Omit<Person, 'id'>>): void
  setGroup(id: string, change: Partial<Omit<UserGroup, 'id'>>): void

  readonly sockets: {
    /** Open connections of the app. */
    count(): number
    /** The next payload is sent twice, with the same envelope id (to two connections where there are two). */
    deliverTwice(times?: number): void
    /** Slack asks the app to connect again: `disconnect` on every open connection, or on the oldest. */
    refresh(which?: 'all' | 'oldest'): void
    /** Cuts them without a word. */
    cut(): void
  }
  /** HTTP mode: the next request (of this kind) is sent twice with the same body, as a person who clicks twice. */
  repeatNext(kind?: DispatchKind): void
}

/** GET /control/state: everything the page shows. The page asks again after a change (SSE at /control/events). */
export type Snapshot = {
  readonly version: number
  readonly now: number
  readonly team: { readonly id: string; readonly name: string }
  readonly app: {
    readonly id: string
    readonly name: string
    readonly user: string
    readonly connected: boolean
  }
  readonly commands: readonly SlashCommand[]
  readonly people: readonly Person[]
  readonly channels: readonly Channel[]
  readonly groups: readonly UserGroup[]
  /** By channel id, the newest 500 of each, oldest first, replies too (thread_ts differs from ts). */
  readonly messages: Readonly<Record<string, readonly Message[]>>
  /** By user id. */
  readonly ephemerals: Readonly<Record<string, readonly Message[]>>
  readonly notices: Readonly<Record<string, readonly Notice[]>>
  readonly views: Readonly<Record<string, readonly View[]>>
  readonly homes: Readonly<Record<string, View>>
}

/** POST /control/act: answers a Reply, options as `{options}`, or `{ok: false, error}` with status 400. */
export type Act = { readonly as: string } & (
  | { readonly do: 'command'; readonly channel: string; readonly text: string }
  | { readonly do: 'say'; readonly channel: string; readonly text: string; readonly thread_ts?: string }
  | { readonly do: 'click'; readonly place: Place; readonly element: Element }
  | { readonly do: 'select'; readonly place: Place; readonly element: Element; readonly value: FieldValue }
  | { readonly do: 'options'; readonly place: Place; readonly element: Element; readonly query: string }
  | { readonly do: 'fill'; readonly fields: Fields }
  | { readonly do: 'submit'; readonly fields?: Fields }
  | { readonly do: 'close'; readonly all?: boolean }
  | { readonly do: 'home' }
  | { readonly do: 'messages' }
  | { readonly do: 'dismiss'; readonly ts: string }
  | { readonly do: 'delete'; readonly channel: string; readonly ts: string }
)

export type SlackOptions = {
  /** Keeps messages and files here, and begins with what it holds. */
  readonly file?: string
  /** 0 or nothing: a free one. */
  readonly port?: number
  readonly people?: readonly Person[]
  readonly channels?: readonly Channel[]
  readonly groups?: readonly UserGroup[]
  /** Default: `/gkube`. */
  readonly commands?: readonly SlashCommand[]
  readonly scopes?: readonly string[]
  /** Default: random at every start. */
  readonly botToken?: string
  readonly appToken?: string
  readonly signingSecret?: string
  /** real (default): Slack's tiers, answered with 429. */
  readonly rates?: 'real' | 'off'
  /** Slack's own times, in ms, for tests that cannot wait for them. */
  readonly timing?: Partial<Timing>
  readonly log?: { warn(facts: object, text: string): void; error(facts: object, text: string): void }
}

export type Timing = {
  /** How long the app has to acknowledge; 3000. */
  readonly ack: number
  /** How long a trigger_id is good for; 3000. */
  readonly trigger: number
  /** How long a response_url is good for; 30 minutes. */
  readonly respond: number
  /** Pauses before an event is sent again; at once, 1 minute, 5 minutes. */
  readonly retries: readonly number[]
}

export type SandboxSlack = {
  /** The page, such as `http://127.0.0.1:34567/`. */
  readonly url: string
  /** For `slackApiUrl`: `http://127.0.0.1:34567/api/`. */
  readonly api: string
  readonly port: number
  readonly botToken: string
  readonly appToken: string
  readonly signingSecret: string
  /** Where the app takes requests (`http://127.0.0.1:8080/slack/events`); null: it connects by Socket Mode (default). */
  connect(requestUrl: string | null): void
  readonly control: Control
  stop(): Promise<void>
}
