// What Jenkins' Notification plugin posts (Gson, snake_case; null fields are left out) as a BuildEvent. The job comes
// from `url`: `name` has no folder.
import { z } from 'zod'
import type { BuildEvent } from '../../../core/builds/event.ts'
import { parseInput } from '../input.ts'
import { buildNumber, count, detail, eventOf, parameterMap, result, text } from './event-of.ts'
import { jobUrl } from './job-url.ts'

/** FINISHED is what FINALIZED was called before 1.6; NONE comes from the step `notifyEndpoints` of a running build. */
const phaseOf = {
  QUEUED: 'queued',
  STARTED: 'started',
  NONE: 'started',
  COMPLETED: 'finished',
  FINALIZED: 'finalized',
  FINISHED: 'finalized',
} as const satisfies Record<string, BuildEvent['phase']>

type Phase = keyof typeof phaseOf
const phases = Object.keys(phaseOf) as Phase[] // of an `as const` object

const schema = z.object({
  url: jobUrl,
  build: z.object({
    number: buildNumber,
    phase: z.enum(phases),
    status: result.nullish(),
    queue_id: detail(count),
    timestamp: detail(count),
    duration: detail(count),
    parameters: detail(parameterMap),
    scm: detail(z.object({ branch: detail(text), commit: detail(text) })),
    test_summary: detail(
      z.object({ total: count, failed: count, skipped: count, failed_tests: detail(z.array(text)) }),
    ),
  }),
})

/** UserError `bad_input` names the field that is wrong. */
export function notificationEvent(body: unknown): BuildEvent {
  const { url, build } = parseInput(schema, { data: body }, 'hook')
  const { scm, test_summary: tests } = build
  return eventOf({
    job: url,
    number: build.number,
    phase: phaseOf[build.phase],
    result: build.status ?? null,
    queueId: build.queue_id,
    at: build.timestamp,
    durationMs: build.duration,
    commit: scm?.commit,
    branch: scm?.branch,
    parameters: build.parameters,
    tests: tests && { ...tests, names: tests.failed_tests },
  })
}
