// What the Slack surface needs of the workspace beside acks: who somebody is, views, and answers to one person. A port:
// adapters/slack/workspace.ts builds an object that fits, with time-outs and the workspace's budget. Messages of
// deploys are not sent here: the elected notifier owns those (core/notifier.ts).
import type { Rendered } from '../../core/messages.ts'

export type SlackPerson = {
  readonly id: string
  /** As people see it: display name, else real name. */
  readonly name: string
  /** Null without the scope users:read.email. */
  readonly email: string | null
  /** Single- or multi-channel guest. */
  readonly guest: boolean
  /** Of another workspace (a shared channel). */
  readonly foreign: boolean
  readonly deleted: boolean
  readonly bot: boolean
}

/** A view as Slack takes it; built in views/ and messages/home.ts. */
export type View = object

export type Workspace = {
  /** The ids of our own bot (auth.test), kept once known. Throws when Slack does not tell. */
  self(): Promise<{ readonly userId: string; readonly botId: string; readonly teamId: string }>
  /** Null: there is no such person. Throws when Slack does not tell. */
  person(userId: string): Promise<SlackPerson | null>
  /** User ids of a user group, cached. Throws when that is not known: then nobody is in it. */
  groupMembers(groupId: string): Promise<readonly string[]>
  /** Null: nobody has that e-mail. */
  personByEmail(email: string): Promise<SlackPerson | null>
  /** Whether the bot is in the channel, as far as the token may look: true where it may not. */
  isMember(channel: string): Promise<boolean>
  /** Within 3 s of the trigger, once. */
  openView(triggerId: string, view: View): Promise<{ readonly id: string; readonly hash: string }>
  updateView(
    target: { readonly id: string; readonly hash?: string },
    view: View,
  ): Promise<{ readonly id: string; readonly hash: string }>
  publishHome(userId: string, view: View): Promise<void>
  /** For one person's eyes; Slack takes it only where the bot is in the channel. */
  ephemeral(
    channel: string,
    user: string,
    message: Rendered,
    options?: { readonly thread?: string },
  ): Promise<void>
  /** To a `response_url`: 5 times within 30 minutes. `replace` puts it in the place of the message that was clicked. */
  respond(responseUrl: string, message: Rendered, options?: { readonly replace?: boolean }): Promise<void>
  upload(file: {
    readonly channel: string
    readonly thread?: string
    readonly name: string
    readonly title: string
    readonly content: string
  }): Promise<void>
}
