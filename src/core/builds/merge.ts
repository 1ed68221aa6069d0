// Pure: what a hook tells, and what Jenkins shows, become part of a Build. Hooks come twice, late and in any order: a
// phase never goes back by them, and with a server they only hint at a result. What was read from Jenkins counts.

import { hidden, looksSecret } from '../mask.ts'
import { type Build, type BuildChange, isOver, type PendingInput, type Stage } from './build.ts'
import type { BuildEvent, Tests } from './event.ts'
import type { BuildFacts } from './jenkins.ts'

const order: readonly Build['phase'][] = ['asked', 'queued', 'running', 'finishing', 'finished']
const furthest = (a: Build['phase'], b: Build['phase']): Build['phase'] =>
  order.indexOf(b) > order.indexOf(a) ? b : a

/** A hook may be ahead of what Jenkins shows for a moment: after this, Jenkins is right. */
const aheadMs = 60_000
/** Until then an input that was answered may still be listed. */
const settledMs = 5_000
const mostParameters = 50
const mostParameterText = 32_000
const mostChoiceText = 100_000

/** The note of an answer that is about to be sent: if its input is found settled after that, it was ours. */
export const sending = 'being sent'
/** Begins the note of a stop that Jenkins refused; looks leave it. */
export const notStopped = 'Jenkins did not stop it: '
export const tooLate = 'It was answered in Jenkins before, or went on without an answer.'

/** `trusted`: there is no server to read it from, so the hook is all there is. */
export function mergeEvent(
  build: Build,
  event: BuildEvent,
  { now, trusted }: { readonly now: number; readonly trusted: boolean },
): Build {
  if (isOver(build.phase)) return build
  const ends = event.phase === 'finished' || event.phase === 'finalized'
  const result = ends && !build.verified ? resultOf(build, event) : build.result
  const over = trusted && event.phase === 'finalized' && result !== null
  const phase = furthest(build.phase, over ? 'finished' : ends ? 'finishing' : 'running')
  // What comes at the end knows more than what came at the start; what was read knows best.
  const known = <T>(before: T | null, told: T | null): T | null =>
    ends ? (told ?? before) : (before ?? told)
  return {
    ...build,
    number: build.number ?? event.number,
    queueId: build.queueId ?? event.queueId,
    phase,
    result,
    startedAt: build.startedAt ?? event.startedAt,
    durationMs: ends ? event.durationMs || build.durationMs : build.durationMs,
    commit: known(build.commit, event.commit),
    branch: known(build.branch, event.branch),
    tests: known(build.tests, event.tests),
    parameters: Object.keys(build.parameters).length > 0 ? build.parameters : few(event.parameters),
    toldAt: over ? null : ends ? (build.toldAt ?? now) : build.toldAt,
  }
}

/** The first word of an end is provisional, the last one is not. */
const resultOf = (build: Build, event: BuildEvent): Build['result'] =>
  event.phase === 'finalized' ? (event.result ?? build.result) : (build.result ?? event.result)

export type Seen = {
  readonly facts: BuildFacts
  readonly changes: readonly BuildChange[]
  readonly startedBy: Build['startedBy']
  /** Undefined: not looked at now. */
  readonly tests?: Tests | null
  readonly stages?: readonly Stage[] | null
  readonly inputs?: readonly Pick<PendingInput, 'id' | 'message' | 'proceed' | 'parameters' | 'submitters'>[]
}

export function mergeFacts(build: Build, seen: Seen, now: number): Build {
  if (isOver(build.phase)) return build
  const { facts } = seen
  const ended = !facts.building && facts.result !== null
  const ahead = !ended && build.toldAt !== null && now - build.toldAt < aheadMs
  const shown = ended ? 'finished' : facts.result !== null ? 'finishing' : 'running'
  return {
    ...build,
    number: facts.number,
    queueId: facts.queueId ?? build.queueId,
    url: cut(facts.url, 1000),
    displayName: cut(facts.displayName, 500) || null,
    phase: ahead ? furthest(shown, 'finishing') : shown,
    result: ahead ? (facts.result ?? build.result) : facts.result,
    verified: ended,
    startedAt: facts.startedAt,
    durationMs: ended ? facts.durationMs : null,
    usualMs: facts.usualMs,
    ...sourceOf(ended ? null : build, facts),
    cause: cut(facts.cause, 500),
    startedBy: seen.startedBy,
    parameters: Object.keys(facts.parameters).length > 0 ? few(facts.parameters) : build.parameters,
    changes: [...seen.changes].slice(0, 20),
    changesTotal: facts.changesTotal,
    tests: seen.tests ?? build.tests,
    stages: seen.stages === undefined ? build.stages : stagesOf(seen.stages, build.stages),
    inputs: roomFor(inputsOf(build.inputs, ended ? [] : seen.inputs, now)),
    toldAt: ended || !ahead ? null : build.toldAt,
    note: ended ? '' : refusalOf(build),
  }
}

const refusalOf = ({ stop, note }: Build): string =>
  stop?.state === 'refused' && note.startsWith(notStopped) ? note : ''

/** What only a hook told of (`told`) is shown until the end and never deployed: then it counts what Jenkins says. */
const sourceOf = (
  told: Pick<Build, 'commit' | 'branch'> | null,
  { commit, branch }: BuildFacts,
): Pick<Build, 'commit' | 'branch'> => ({
  commit: commit ?? told?.commit ?? null,
  branch: branch === null ? (told?.branch ?? null) : cut(branch, 500),
})

/** The time of a stage that runs is only told once: it is no news by itself. */
function stagesOf(stages: readonly Stage[] | null, before: Build['stages']): Build['stages'] {
  if (stages === null) return before
  return stages.slice(0, 50).map((stage, at) => {
    const was = before?.[at]
    const same = was && was.name === stage.name && was.state === stage.state
    return same && (stage.state === 'running' || stage.state === 'paused') ? { ...stage, ms: was.ms } : stage
  })
}

function inputsOf(before: readonly PendingInput[], listed: Seen['inputs'], now: number): PendingInput[] {
  if (listed === undefined) return [...before]
  const kept = before.map(input => {
    const still = listed.find(one => one.id === input.id)
    // The same id asked again once it was over is another question.
    if (input.over) return input
    if (!still) return { ...input, over: true, answer: unsent(input.answer) }
    // Jenkins took the answer and asks all the same: a loop, whose input has the same id each time.
    if (input.answer?.state === 'sent' && now - input.answer.at > settledMs) return { ...input, over: true }
    return { ...input, ...still, parameters: [...still.parameters], submitters: [...still.submitters] }
  })
  const open = new Set(kept.flatMap(input => (input.over ? [] : [input.id])))
  const fresh = listed.filter(one => !open.has(one.id))
  const ids = new Set(fresh.map(one => one.id))
  return [
    ...kept.filter(input => !ids.has(input.id)),
    ...fresh.map(one => ({
      ...one,
      parameters: [...one.parameters],
      submitters: [...one.submitters],
      askedAt: now,
      answer: null,
      over: false,
    })),
  ].slice(-10)
}

/** Choices that a record cannot hold are typed, as Jenkins judges them anyway; the newest inputs have theirs first. */
function roomFor(inputs: readonly PendingInput[]): PendingInput[] {
  let room = mostChoiceText
  return inputs
    .toReversed()
    .map(input => ({
      ...input,
      parameters: input.parameters.map(parameter => {
        const size = parameter.choices.reduce((sum, choice) => sum + choice.length + 3, 0)
        if (size > room) return { ...parameter, type: 'string' as const, choices: [] }
        room -= size
        return parameter
      }),
    }))
    .toReversed()
}

/** It went on before the answer was sent. */
function unsent(answer: PendingInput['answer']): PendingInput['answer'] {
  if (answer?.state !== 'wanted') return answer
  const ours = answer.note === sending
  return ours ? { ...answer, state: 'sent', note: '' } : { ...answer, state: 'refused', note: tooLate }
}

const cut = (text: string, most: number): string => text.slice(0, most).toWellFormed()

/** The first ones, as many as a record holds. */
function few(parameters: Readonly<Record<string, string>>): Record<string, string> {
  const kept: [string, string][] = []
  let room = mostParameterText
  for (const [name, value] of Object.entries(parameters).slice(0, mostParameters)) {
    // A string parameter may hold a secret all the same: everybody who sees the app sees the record.
    const text = looksSecret(name, value) ? hidden : cut(value, Math.min(room, 10_000))
    room -= text.length
    kept.push([cut(name, 200), text])
  }
  return Object.fromEntries(kept)
}
