// What messages tell of, behind one face: a deploy (deploy-subject.ts) or a build (build-subject.ts). It holds its
// records as last read and draws them; it knows nothing of what was posted where, which is item.ts.
import type { Deploy } from '../deploy.ts'
import type { Environment } from '../environment.ts'
import { sha256 } from '../hash.ts'
import type { Keys } from '../keys.ts'
import { type Compare, type Entry as Found, newer } from '../kv.ts'
import type { Messages, Rendered, Renderer, ThreadEntry } from '../messages.ts'
import type { Urgency } from '../notifier.ts'
import { decode, type Stored } from '../records.ts'

/** How it stands, as far as it matters for when a message is sent. */
export type Standing = {
  readonly phase: string
  readonly urgency: Urgency
  /** Its end is what there is to show; of a build, its deploys may go on. */
  readonly ended: boolean
  /** Nothing of it changes any more. */
  readonly over: boolean
  /** Milliseconds since the epoch, where it has ended. */
  readonly endedAt: number | null
  /** That it has come to this phase is not made to wait for the pace of progress. */
  readonly hurry: boolean
  /** What it waits for may change without a change of its records. */
  readonly waits: boolean
}

/** As it is sent now, and hashes: `shown` leaves out the passing of time, `live` does not. */
export type Drawn = { readonly message: Rendered; readonly shown: string; readonly live: string }

/** `room`: a channel where it is said by itself; null: in the thread. */
export type Entry = ThreadEntry & { readonly room: string | null }

/** Where the main message is, for what belongs to it. */
export type Main = { readonly channel: string; readonly inThread: boolean }

/** A person as records name them. */
export type Who = { readonly id: string; readonly name: string; readonly person?: string | undefined }

export type Subject = {
  /** For the log: `deploy 01k…`. */
  readonly what: string
  /** Takes a record over where it is newer; whether it was. Throws UnreadableRecord. */
  learn(entry: Found): boolean
  standing(): Standing
  /** Whether there is anything that its channels want to hear. */
  tells(): boolean
  /** Channels as configured now, after those of the record. */
  channels(): readonly string[]
  /** Who is told by direct message before any channel is, where the workspace knows them. */
  person(): Who | null
  main(now: number, inThread: boolean): Drawn
  /** The hash `shown` of that alone: cheap while nothing changes. */
  shown(inThread: boolean): string
  /** What the thread holds by now. */
  entries(main: Main, now: number): readonly Entry[]
  /** What must not have changed for it to be told for good. */
  unchanged(): readonly Compare[]
  /** Records that go, with those of its messages, once it is told; empty: all stays. */
  leaves(): readonly string[]
  /** Null: there is nobody to ask by direct message. */
  deploy(): Deploy | null
  direct(now: number, at: { readonly reminder: boolean }): Drawn | null
  /** Whose thread it belongs to by what it is, where its record names none; null: nobody's. */
  continues(): string | null
}

/** What subjects are drawn with. */
export type Drawing = {
  readonly renderer: Renderer
  readonly environment: (name: string) => Environment | undefined
  readonly waiting: (deploy: Deploy) => string | null
}

export type Making = {
  readonly drawing: Drawing
  readonly keys: Keys
  readonly messages: Messages
  /** The records of `subjectKeys`, as far as there are any. */
  readonly found: ReadonlyMap<string, Found>
}

/** Of now; `shown`: the hash of how it would be if no time had passed. */
export function drawnOf(message: Rendered, shown?: string): Drawn {
  const live = sha256(message)
  return { message, shown: shown ?? live, live }
}

/** Gives what was made of the same things before; else makes it. One at a time is kept. */
export function kept<T>(): (of: readonly unknown[], make: () => T) => T {
  let last: { readonly of: readonly unknown[]; readonly made: T } | null = null
  return (of, make) => {
    const known = last
    if (known && known.of.length === of.length && of.every((one, n) => one === known.of[n])) return known.made
    last = { of, made: make() }
    return last.made
  }
}

/** An entry of the thread does not show the passing of time. */
export const drawnEntry = ({ message }: Pick<Entry, 'message'>): Drawn => drawnOf(message)

/** One record of a subject, as last read. */
export function held<T>(
  schema: Parameters<typeof decode<T>>[0],
  key: string,
  found: ReadonlyMap<string, Found>,
): { readonly stored: Stored<T> | null; learn(entry: Found): boolean } {
  const first = found.get(key)
  const it = {
    stored: first ? decode(schema, first) : null,
    learn(entry: Found): boolean {
      if (entry.key !== key || (it.stored && !newer(entry.modRevision, it.stored.modRevision))) return false
      it.stored = decode(schema, entry)
      return true
    },
  }
  return it
}
