// Which uploaded artifact a revision of an app is: `releases/<app>/<revision>`. The newest upload wins, and each is
// audited. Written by whoever uploads (use-cases/artifacts.ts) and by a deploy that names its artifact; read while
// preparing.
import { z } from 'zod'
import type { Actor } from '../deploy.ts'
import type { Keys } from '../keys.ts'
import type { Kv, Write } from '../kv.ts'
import { put, read, type Stored } from '../records.ts'
import { sha256Shape } from './store.ts'

export const releasedSchema = z.object({
  schema: z.literal(1),
  sha256: z.string().regex(sha256Shape),
  /** Bytes. */
  size: z.int().nonnegative(),
  at: z.int().nonnegative(),
  by: z.string().max(200),
})
export type Released = z.output<typeof releasedSchema>

type Which = { readonly app: string; readonly revision: string }

export const releasedOf = (
  { kv, keys }: { readonly kv: Pick<Kv, 'get'>; readonly keys: Pick<Keys, 'released'> },
  { app, revision }: Which,
): Promise<Stored<Released> | null> => read(kv, releasedSchema, keys.released(app, revision))

export const releasedPut = (
  keys: Pick<Keys, 'released'>,
  { app, revision }: Which,
  upload: { readonly sha256: string; readonly size: number; readonly at: number; readonly by: Actor },
): Write => put(keys.released(app, revision), { schema: 1, ...upload, by: upload.by.name } satisfies Released)
