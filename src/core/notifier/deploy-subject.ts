// A deploy as its messages tell it: its record, progress, diagnosis and plan, drawn by the renderer. Pure but for what it
// holds; subject.ts has the face.
import {
  type Deploy,
  deploySchema,
  diagnosisSchema,
  hookLogSchema,
  isTerminal,
  progressSchema,
} from '../deploy.ts'
import { sha256 } from '../hash.ts'
import type { Keys } from '../keys.ts'
import { type MessageFacts, plannedSchema, type Rendered } from '../messages.ts'
import type { Urgency } from '../notifier.ts'
import {
  type Drawn,
  drawnOf,
  type Entry,
  held,
  kept,
  type Main,
  type Making,
  type Subject,
} from './subject.ts'

export const deployKeys = (keys: Keys, id: string): readonly string[] => [
  keys.deploy(id),
  keys.progress(id),
  keys.diagnosis(id),
  keys.hookLog(id),
  keys.planned(id),
]

/** One and the same, so that what stands still is drawn once. */
const none: readonly never[] = []

/** Null: there is no such deploy any more. */
export function deploySubject({ drawing, keys, messages, found }: Making): Subject | null {
  const id = messages.deploy
  const record = held(deploySchema, keys.deploy(id), found)
  const progress = held(progressSchema, keys.progress(id), found)
  const diagnosis = held(diagnosisSchema, keys.diagnosis(id), found)
  const hookLog = held(hookLogSchema, keys.hookLog(id), found)
  const planned = held(plannedSchema, keys.planned(id), found)
  const first = record.stored
  if (!first) return null
  const deploy = (): Deploy => (record.stored ?? first).value
  const environment = () => drawing.environment(deploy().environment) ?? null

  function factsOf(now: number, inThread = false): MessageFacts {
    const value = deploy()
    return {
      deploy: value,
      environment: environment(),
      progress: progress.stored?.value ?? null,
      diagnosis: diagnosis.stored?.value ?? null,
      hooks: hookLog.stored?.value.hooks ?? none,
      planned: planned.stored?.value ?? null,
      waiting: isTerminal(value.phase) ? null : drawing.waiting(value),
      inThread,
      // What has ended does not change any more.
      now: value.endedAt ?? now,
    }
  }

  const keep = kept<string>()
  function shown(inThread: boolean): string {
    const facts = factsOf(deploy().requestedAt, inThread)
    return keep(Object.values(facts), () => sha256(drawing.renderer.main(facts)))
  }

  function draw(now: number, render: (facts: MessageFacts) => Rendered | null): Drawn | null {
    const message = render(factsOf(now))
    const still = render(factsOf(deploy().requestedAt))
    return message && still ? drawnOf(message, sha256(still)) : null
  }

  /** What is loud is said in the environment's channel too, where the message is elsewhere. */
  function entries(main: Main, now: number): readonly Entry[] {
    const channel = environment()?.channel
    return drawing.renderer.thread(factsOf(now, main.inThread)).flatMap(entry => {
      const own: Entry = { ...entry, room: null }
      if (!entry.loud || !channel || channel === main.channel) return [own]
      return [own, { ...own, key: `${entry.key}-channel`, broadcast: false, files: [], room: channel }]
    })
  }

  return {
    what: `deploy ${id}`,
    learn: entry => [record, progress, diagnosis, hookLog, planned].some(one => one.learn(entry)),
    standing() {
      const { phase, endedAt } = deploy()
      const ended = isTerminal(phase)
      return {
        phase,
        urgency: urgencyOf(deploy()),
        ended,
        over: ended,
        endedAt,
        hurry: phase === 'awaiting_approval',
        waits: phase === 'ready',
      }
    },
    tells: () => true,
    channels() {
      const channel = environment()?.channel
      return channel ? [channel] : []
    },
    person: () => null,
    main: (now, inThread) => drawnOf(drawing.renderer.main(factsOf(now, inThread)), shown(inThread)),
    shown,
    entries,
    // It never changes once it has ended.
    unchanged: () => [],
    leaves: () => [],
    deploy,
    direct: (now, at) => draw(now, facts => drawing.renderer.direct(facts, at)),
    continues: () => null,
  }
}

function urgencyOf({ phase }: Pick<Deploy, 'phase'>): Urgency {
  if (isTerminal(phase)) return 'terminal'
  return phase === 'running' || phase === 'rolling_back' ? 'running' : 'waiting'
}
