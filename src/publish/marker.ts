// The file that says a release is whole: written last, before it gets its name. What it holds also tells the same
// release from another one of that name.
import { lstat, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

export const markerName = '.gkube-release'

const markerSchema = z.object({
  schema: z.literal(1),
  revision: z.string(),
  sha256: z.string(),
  /** Left out: the default way. */
  recipe: z.string().optional(),
  deploy: z.string(),
  at: z.string(),
})
export type Marker = z.output<typeof markerSchema>

/** Null: none, or none that gkube wrote. */
export async function readMarker(release: string): Promise<Marker | null> {
  const file = join(release, markerName)
  try {
    const stat = await lstat(file)
    if (!stat.isFile() || stat.size > 4096) return null
    return markerSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === undefined || code === 'ENOENT' || code === 'ENOTDIR') return null
    throw error
  }
}

/** Replaces whatever stands there: an update script may have left something. */
export async function writeMarker(release: string, marker: Marker): Promise<void> {
  const file = join(release, markerName)
  await rm(file, { recursive: true, force: true })
  const handle = await open(file, 'wx', 0o644)
  try {
    await handle.writeFile(`${JSON.stringify(marker)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
