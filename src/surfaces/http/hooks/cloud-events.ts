// What Jenkins' CloudEvents plugin posts (Jackson, camelCase with nulls) as a BuildEvent, by the type of the event. That
// of `job.failed` is `job.finalized` once more. Binary or structured mode makes no difference here: told.ts knows.
import { z } from 'zod'
import type { BuildEvent } from '../../../core/builds/event.ts'
import { parseInput } from '../input.ts'
import { buildNumber, count, detail, eventOf, parameterMap, result, text } from './event-of.ts'
import { jobUrl } from './job-url.ts'

const phaseOf: ReadonlyMap<string, BuildEvent['phase']> = new Map([
  ['org.jenkinsci.job.started', 'started'],
  ['org.jenkinsci.job.completed', 'finished'],
  ['org.jenkinsci.job.finalized', 'finalized'],
  ['org.jenkinsci.job.failed', 'finalized'],
])

const schema = z.object({
  url: jobUrl,
  build: z.object({
    number: buildNumber,
    status: result.nullish(),
    queueId: detail(count),
    timestamp: detail(count),
    duration: detail(count),
    parameters: detail(parameterMap),
    scmState: detail(z.object({ branch: detail(text), commit: detail(text) })),
  }),
})

/** Null: events of that type tell nothing of a build (queue, nodes, changed jobs). UserError `bad_input` names the field that is wrong. */
export function cloudEvent(type: string, data: unknown): BuildEvent | null {
  const phase = phaseOf.get(type)
  if (phase === undefined) return null
  const { url, build } = parseInput(schema, { data }, `data of ${type}`)
  return eventOf({
    job: url,
    number: build.number,
    phase,
    result: build.status ?? (type.endsWith('.failed') ? 'FAILURE' : null),
    queueId: build.queueId,
    at: build.timestamp,
    durationMs: build.duration,
    commit: build.scmState?.commit,
    branch: build.scmState?.branch,
    parameters: build.parameters,
  })
}
