// The verb around uploaded artifacts that every surface calls, with its input and answer (the wire format). Types only;
// the use case is found through core-of.ts, the bytes go to store.ts.
import { z } from 'zod'
import type { Caller } from '../core.ts'
import { label, revision } from '../units.ts'

export const artifactHash = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256: 64 digits from 0 to f')

/** What was uploaded is this revision of the app from now on: the newest upload wins. */
export const artifactInput = z.strictObject({ app: label(40), revision, sha256: artifactHash })
export type ArtifactInput = z.output<typeof artifactInput>

/** `before`: the artifact that the revision had until now, where that was another one. */
export type RecordedArtifact = ArtifactInput & {
  readonly size: number
  readonly at: number
  readonly by: string
  readonly before: string | null
}

export type ArtifactVerbs = {
  /** UserError `not_found` where nothing was uploaded with that hash. Needs the right to deploy the app somewhere. */
  recordArtifact(caller: Caller, input: ArtifactInput): Promise<RecordedArtifact>
}
