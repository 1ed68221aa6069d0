// A build as the messages of one channel tell it, and whether that channel wants to hear of it. Pure but for the records
// that it holds; subject.ts has the face, builds/build.ts the record.
import { type Build, buildSchema, consoleSchema, isOver } from '../builds/build.ts'
import { isTerminal } from '../deploy.ts'
import { sha256 } from '../hash.ts'
import type { Keys } from '../keys.ts'
import type { BuildMessageFacts } from '../messages.ts'
import type { Urgency } from '../notifier.ts'
import { unchanged } from '../records.ts'
import { drawnOf, held, kept, type Making, type Subject } from './subject.ts'

/** `<build id>.<channel>`: the id of the messages of a build in a channel; null: it is a deploy's. */
export function buildOf(id: string): string | null {
  const [build, channel] = id.split('.', 2)
  return build && channel ? build : null
}

export const buildKeys = (keys: Keys, build: string): readonly string[] => [
  keys.jenkinsBuild(build),
  keys.jenkinsConsole(build),
]

/** Null: there is no such build any more. */
export function buildSubject({ drawing, keys, messages, found }: Making): Subject | null {
  const id = messages.deploy
  const [channel] = messages.channels
  const record = held(buildSchema, keys.jenkinsBuild(id), found)
  const console = held(consoleSchema, keys.jenkinsConsole(id), found)
  const first = record.stored
  if (!first) return null
  const stored = () => record.stored ?? first
  const build = () => stored().value
  const events = () => build().told.find(one => one.channel === channel)?.events ?? 'all'

  const factsOf = (now: number, inThread = false): BuildMessageFacts => ({
    build: build(),
    console: console.stored?.value ?? null,
    events: events(),
    inThread,
    // What has ended does not change with time.
    now: build().endedAt ?? now,
  })

  const keep = kept<string>()
  function shown(inThread: boolean): string {
    const facts = factsOf(build().startedAt ?? 0, inThread)
    return keep(Object.values(facts), () => sha256(drawing.renderer.build.main(facts)))
  }

  return {
    what: `build ${id} in ${channel ?? 'no channel'}`,
    learn: entry => [record, console].some(one => one.learn(entry)),
    standing() {
      const { phase, endedAt, deploys } = build()
      const ended = isOver(phase)
      const asks = isAsking(build())
      return {
        phase: asks ? `${phase}, asks` : phase,
        urgency: urgencyOf(build(), asks),
        ended,
        over: ended && deploys.every(deploy => isTerminal(deploy.phase)),
        endedAt,
        hurry: ended || asks,
        waits: false,
      }
    },
    tells: () => isWorthTelling(build(), events()),
    channels: () => [],
    person: () => null,
    main: (now, inThread) => drawnOf(drawing.renderer.build.main(factsOf(now, inThread)), shown(inThread)),
    shown,
    entries: ({ inThread }, now) =>
      drawing.renderer.build.thread(factsOf(now, inThread)).map(entry => ({ ...entry, room: null })),
    // Over or not, it may be deployed by a click.
    unchanged: () => [unchanged(stored().key, stored())],
    leaves: () => [],
    deploy: () => null,
    direct: () => null,
    continues() {
      const { job, number, failingSince, turn } = build()
      const quiet = events() === 'changes' || events() === 'failures'
      if (!quiet || turn !== 'still_failing' || failingSince === null || failingSince === number) return null
      return keys.jenkinsNumber(job, failingSince)
    },
  }
}

const isAsking = ({ phase, inputs }: Build): boolean =>
  !isOver(phase) && inputs.some(input => !input.over && input.answer === null)

function urgencyOf({ phase }: Build, asks: boolean): Urgency {
  if (isOver(phase)) return 'terminal'
  return !asks && (phase === 'running' || phase === 'finishing') ? 'running' : 'waiting'
}

/**
 * Whether a channel wants to hear of it by now. `changes`: an input that waits, failures, back to normal, and what a
 * person may deploy; `failures`: only failures and back to normal. Once posted it is kept up all the same.
 */
export function isWorthTelling(build: Build, events: BuildMessageFacts['events']): boolean {
  if (events === 'asked' || events === 'all') return true
  if (events === 'changes' && isAsking(build)) return true
  if (build.phase !== 'finished') return false
  if (events === 'changes' && build.offers.some(offer => offer.loud)) return true
  switch (build.turn) {
    case 'first_failure':
    case 'still_failing':
    case 'back_to_normal':
      return true
    case 'first':
      return build.result === 'FAILURE' || build.result === 'UNSTABLE'
    default:
      return false
  }
}
