// What the notifier keeps of the messages of one deploy or build, and the shapes between it and the renderer. The record says
// what was posted where; what a message says is a pure function of the facts (surfaces/slack/messages/).
import { z } from 'zod'
import type { Build, Console } from './builds/build.ts'
import type { Deploy, Diagnosis, HookResult, Progress } from './deploy.ts'
import type { Environment } from './environment.ts'
import type { Notice } from './notices.ts'

const time = z.int().nonnegative()

/** One message in the workspace, from before it is posted. */
const postSchema = z.object({
  /** posting: a post may be on its way or lost; gone: somebody deleted it; refused: the workspace does not take it. */
  state: z.enum(['posting', 'posted', 'gone', 'refused']),
  /** When that state was written: what is unclear is waited for and looked up from here. */
  at: time,
  channel: z.string(),
  ts: z.string().nullable(),
  /** The thread that it is in, of a main message that is itself a reply: its own replies go there, too. */
  root: z.string().optional(),
  /** Hash of what it shows; null: not known. */
  shown: z.string().nullable(),
  /** Posted again after it was deleted: once. */
  again: z.boolean(),
})
export type Post = z.output<typeof postSchema>

/**
 * `messages/<id>`: begun in the transaction of what they tell, written by the elected notifier after that. A deploy has
 * one, under its own id; a build has one for each channel, under `<build id>.<channel>`; a notice under `notice-<id>`.
 */
export const messagesSchema = z.object({
  schema: z.literal(1),
  /** The deploy that they tell of; where `of` says build or notice: the id of that. */
  deploy: z.string(),
  of: z.enum(['deploy', 'build', 'notice']).optional(),
  /** The id of other messages: the main one is posted into the thread of theirs, where that is posted. */
  under: z.string().optional(),
  /** Channel ids in order of preference: where it was asked for, then the environment's. The first that takes it. */
  channels: z.array(z.string()).max(4),
  main: postSchema.nullable(),
  /** By key of the thread's entry. */
  thread: z.record(z.string(), postSchema),
  /** Direct messages by Slack user id. */
  direct: z.record(z.string(), postSchema),
})
export type Messages = z.output<typeof messagesSchema>

/** What is shown to those who approve, kept as it was prepared: `planned/<deploy>` (32 KiB at most, cut to it). */
export const plannedSchema = z.object({
  schema: z.literal(1),
  /** Short lines: `image 1.4.1 → 1.4.2`, `env LOG_LEVEL info → debug`. */
  changes: z.array(z.string()).max(100),
  /** Things to know: unpinned tag, downtime, drift, warnings of the dry run. */
  notes: z.array(z.string()).max(50),
  /** Unified diff, cut. */
  diff: z.string(),
  /** The commits since what runs now, newest first; left out: not known. `all`: none between is missing. */
  commits: z
    .object({
      list: z.array(z.object({ commit: z.string(), author: z.string(), message: z.string() })).max(20),
      total: z.int().nonnegative(),
      all: z.boolean(),
    })
    .optional(),
  /** What changed since an earlier request for approval whose votes are void; empty: none was. */
  since: z.array(z.string()).max(20),
  /** Names of those whose votes became void by it. */
  voided: z.array(z.string()).max(20),
  at: time,
})
export type Planned = z.output<typeof plannedSchema>

/** All that the messages of one deploy are rendered from. */
export type MessageFacts = {
  readonly deploy: Deploy
  /** Null where it is not configured any more. */
  readonly environment: Environment | null
  readonly progress: Progress | null
  readonly diagnosis: Diagnosis | null
  /** What its hooks came to so far. */
  readonly hooks?: readonly HookResult[]
  readonly planned: Planned | null
  /** What it waits for, in words. */
  readonly waiting: string | null
  /** Its main message is a reply in a thread: what asks somebody is shown in the channel, too. */
  readonly inThread?: boolean
  readonly now: number
}

/** All that the messages of one build are rendered from. */
export type BuildMessageFacts = {
  readonly build: Build
  /** The last lines of a build that failed. */
  readonly console: Console | null
  /** What the channel subscribed to; `asked`: it was started from there. */
  readonly events: Build['told'][number]['events']
  /** Its main message is a reply in a thread. */
  readonly inThread?: boolean
  readonly now: number
}

/** One message; `blocks` are Block Kit, opaque to the core. */
export type Rendered = { readonly text: string; readonly blocks: readonly object[] }

/** One entry of the thread; it is posted once, by its key, and stays as it is unless `edit` says otherwise. */
export type ThreadEntry = {
  /** Stable, unique within the deploy, and says what it is about: `vote-U123-approve`, `cause`, `rolling-back`. */
  readonly key: string
  readonly message: Rendered
  /** Shown in the channel too: failures only. */
  readonly broadcast: boolean
  /** Must be seen in the environment's channel, wherever it was asked for: break-glass. */
  readonly loud?: boolean
  /** too: edited where what it says changes; only: so as well, and not posted where it is not there. */
  readonly edit?: 'too' | 'only'
  readonly files: readonly { readonly name: string; readonly title: string; readonly content: string }[]
}

/** Pure. Given to the notifier by whoever wires it. */
export type Renderer = {
  main(facts: MessageFacts): Rendered
  /** Everything that the thread should hold by now, in order. */
  thread(facts: MessageFacts): readonly ThreadEntry[]
  /** What an approver is told by direct message, also after it was decided; null: nothing. */
  direct(facts: MessageFacts, at: { readonly reminder: boolean }): Rendered | null
  /** The message of a build and its thread. */
  build: {
    main(facts: BuildMessageFacts): Rendered
    thread(facts: BuildMessageFacts): readonly ThreadEntry[]
  }
  notice(notice: Notice): Rendered
}
