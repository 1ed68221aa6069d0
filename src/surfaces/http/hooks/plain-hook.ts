// What people write themselves with curl or the httpRequest step: {job, number, result, url}. With a result the build is
// over; `phase` says otherwise. `url` is taken and never followed: the address of a build is made from the configuration.
import { z } from 'zod'
import type { BuildEvent } from '../../../core/builds/event.ts'
import { parseInput } from '../input.ts'
import { buildNumber, eventOf, result, text } from './event-of.ts'
import { jobName } from './job-url.ts'

/** A shell quotes what it fills in: "$BUILD_NUMBER" is a text. */
const number = z.union([
  buildNumber,
  z
    .string()
    .regex(/^[1-9]\d{0,9}$/)
    .transform(Number),
])

const schema = z.object({
  job: jobName,
  number: number.describe('the number of the build, such as 214'),
  result: z
    .preprocess(given => (typeof given === 'string' ? given.toUpperCase() : given), result.nullish())
    .describe('SUCCESS, UNSTABLE, FAILURE, NOT_BUILT or ABORTED'),
  phase: z.enum(['queued', 'started', 'finished', 'finalized']).nullish(),
  url: text.nullish(),
  commit: text.nullish(),
  branch: text.nullish(),
})

/** UserError `bad_input` names the field that is wrong. */
export function plainEvent(body: unknown): BuildEvent {
  const hook = parseInput(schema, { data: body }, 'hook')
  return eventOf({
    job: hook.job,
    number: hook.number,
    phase: hook.phase ?? (hook.result ? 'finalized' : 'started'),
    result: hook.result ?? null,
    commit: hook.commit,
    branch: hook.branch,
  })
}
