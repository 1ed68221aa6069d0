// The verbs around storage that every surface calls, with the schemas of their inputs and answers (the wire format).
// Types only; use-cases/volumes.ts has them.
import { z } from 'zod'
import type { Caller } from '../core.ts'
import { environmentName } from '../environment.ts'
import { label } from '../units.ts'

/** Storage of an app in an environment: where it lies, how full it is and how it is. */
export type StorageRow = {
  readonly environment: string
  readonly app: string
  /** Its name in the app's spec. */
  readonly storage: string
  /** The PersistentVolumeClaim: `<name>-<pod>` for each pod of a StatefulSet is not listed one by one. */
  readonly claim: string
  /** The PersistentVolume; null: none is bound yet. */
  readonly volume: string | null
  /** A key of `pools`; null: it is of a StorageClass, and gkube knows neither its use nor its health. */
  readonly pool: string | null
  /** What a person types to have it deleted, such as `production/web/data`; null where there is no pool. */
  readonly title: string | null
  /** In bytes: what the app asks for now. */
  readonly size: number
  /** In bytes, as the pool counts (some seconds behind); null: not known. */
  readonly used: number | null
  readonly quota: number | null
  /** One sentence, such as `3 of 3 bricks online` or why it is not known. */
  readonly health: string
  /** warning: above 85 % of its quota, or a copy is missing; unused: the app does not run there. */
  readonly state: 'ok' | 'warning' | 'failed' | 'unknown' | 'unused'
}
export const volumesInput = z.strictObject({
  app: label(40).optional(),
  environment: environmentName.optional(),
})
export const deleteVolumeInput = z.strictObject({
  app: label(40),
  environment: environmentName,
  storage: label(),
  typed: z.string().max(300).describe('its title, typed by a person, such as production/web/data'),
})

export type VolumeVerbs = {
  /** Where the caller may look. Pools are asked now: some seconds at most. */
  volumes(caller: Caller, query: z.output<typeof volumesInput>): Promise<readonly StorageRow[]>
  /**
   * Deletes storage on a pool with all it holds, its claim and its PersistentVolume. Only where the app does not run
   * there any more. `left`: what stays on the servers and is deleted there by hand.
   */
  deleteVolume(
    caller: Caller,
    input: z.output<typeof deleteVolumeInput>,
  ): Promise<{ deleted: string; left: readonly string[] }>
}
