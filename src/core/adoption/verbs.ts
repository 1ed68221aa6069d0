// The inputs and answers of adoption, as the API has them. Types only: use-cases/adopt.ts has the verbs.
import { z } from 'zod'
import { type PlannedObject, requestInput } from '../core.ts'
import { foreignTools } from '../deploy.ts'
import { environmentName } from '../environment.ts'
import { label, revision } from '../units.ts'

const place = { app: label(40), environment: environmentName }

/** Takes over a workload that is there. First it is shown, then asked for with the hash of what was shown. */
export const adoptionInput = z.strictObject({
  ...place,
  workload: z
    .string()
    .max(300)
    .describe('kind and name: deployment/web, statefulset/db, replicationcontroller/old')
    .meta({ examples: ['deployment/web'] }),
  revision: revision.optional().describe('what to run; default: what runs there, where its image says'),
  forceFrom: z.array(z.enum(foreignTools)).max(3).default([]).describe('take it from a tool that writes it'),
  takeFrom: z
    .array(z.string().min(1).max(128))
    .max(10)
    .default([])
    .describe("managers whose fields are taken over, beside kubectl's"),
  replaceByDeployment: z
    .boolean()
    .default(false)
    .describe('a ReplicationController becomes a Deployment, without a failed request'),
})
export type AdoptionInput = z.output<typeof adoptionInput>

export const adoptInput = adoptionInput.extend({
  confirm: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'the hash that the plan answered')
    .describe('hash of the plan'),
  idempotencyKey: z.string().min(1).max(200).optional(),
  wait: requestInput.shape.wait,
  source: requestInput.shape.source,
})
export type AdoptInput = z.output<typeof adoptInput>

/** What an adoption would do, and all it found. Nothing is written. */
export type AdoptionPlan = {
  readonly app: string
  readonly environment: string
  /** `Deployment shop/web`. */
  readonly workload: string
  readonly revision: string
  readonly image: string
  readonly steps: readonly string[]
  /** sha256 of all of this: asked for with it, what was shown is what happens. */
  readonly hash: string
  readonly objects: readonly PlannedObject[]
  /** What was found around it and what becomes of it. */
  readonly found: readonly { readonly object: string; readonly becomes: string }[]
  /** Who owns fields of what is taken over. */
  readonly managers: readonly {
    readonly object: string
    readonly manager: string
    readonly fields: number
    readonly at: number | null
    /** True: they become gkube's. False: they stay. */
    readonly moves: boolean
  }[]
  readonly notes: readonly string[]
  /** Why it would be refused; empty means it can run. */
  readonly refusals: readonly string[]
}
