// Stands in for a GlusterFS pool where there is none: a folder of this machine behind the same port. It counts quotas
// and does not enforce them, has no bricks and makes no snapshots, and says so. The real one is adapters/glusterfs/.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { chmod, chown, lstat, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { checkTyped, directoriesOf, ownVolumeOf, titleOf } from '../../core/volumes/place.ts'
import { type Pool, PoolError, type PoolVolume, type VolumeWish } from '../../core/volumes/pool.ts'

/** `folder` is made where it is missing. Owners are only set where this process may. */
export function directoryPool({ name, folder }: { readonly name: string; readonly folder: string }): Pool {
  const notes = join(folder, '.quotas.json')
  const quotas = (): Record<string, number> =>
    existsSync(notes) ? (JSON.parse(readFileSync(notes, 'utf8')) as Record<string, number>) : {} // our own file
  const note = (title: string, bytes: number | undefined) =>
    writeFileSync(notes, JSON.stringify({ ...quotas(), [title]: bytes }, null, 2))
  const stepsOf = ({ kind, place }: PoolVolume): readonly string[] =>
    kind === 'own' ? ['.own', ownVolumeOf(place)] : directoriesOf(place)
  const pathOf = (volume: PoolVolume): string => join(folder, ...stepsOf(volume))

  /** Every step of it is a directory, no link; false: it is not there. */
  async function isThere(volume: PoolVolume): Promise<boolean> {
    let path = folder
    for (const step of stepsOf(volume)) {
      path = join(path, step)
      const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null
        throw error
      })
      if (!found) return false
      if (!found.isDirectory())
        throw new PoolError(
          'exists_differently',
          `${path} is not a directory (a link is none). Move it away.`,
        )
    }
    return true
  }
  async function existing(volume: PoolVolume): Promise<void> {
    if (!(await isThere(volume)))
      throw new PoolError(
        'not_found',
        `${titleOf(volume)} is not in ${folder}: deploy the app, which makes it.`,
      )
  }
  const raise = (title: string, wished: number): number => {
    const bytes = Math.max(quotas()[title] ?? 0, Math.ceil(wished))
    note(title, bytes)
    return bytes
  }

  return {
    name,
    ensure: async (volume, wish) => {
      const path = pathOf(volume)
      const made = !(await isThere(volume))
      await mkdir(path, { recursive: true, mode: 0o755 })
      if (process.getuid?.() === 0) await giveAway(path, wish, made)
      return { made, bytes: raise(titleOf(volume), wish.bytes) }
    },
    grow: async (volume, bytes) => {
      await existing(volume)
      return { bytes: raise(titleOf(volume), bytes) }
    },
    usage: async volume => {
      await existing(volume)
      return { used: await sizeOf(pathOf(volume)), quota: quotas()[titleOf(volume)] ?? null }
    },
    health: async () => ({
      bricks: [],
      pending: 0,
      splitBrain: 0,
      state: 'ok',
      words: `the folder ${folder} stands in for GlusterFS: quotas are counted, not enforced`,
    }),
    snapshot: async () => {
      throw new PoolError('unsupported', `The pool ${name} is a folder and makes no snapshots.`)
    },
    remove: async (volume, typed) => {
      checkTyped(volume, typed)
      if (await isThere(volume)) await rm(pathOf(volume), { recursive: true, force: true })
      note(titleOf(volume), undefined)
      return { left: [] }
    },
    checks: async () => [
      {
        name: `pool ${name}`,
        state: 'ok',
        message: `the folder ${folder} stands in for GlusterFS`,
        mend: '',
      },
    ],
  }
}

async function giveAway(path: string, { uid, gid }: VolumeWish, made: boolean): Promise<void> {
  const found = await lstat(path)
  if (!made && (found.uid !== uid || found.gid !== gid))
    throw new PoolError(
      'exists_differently',
      `${path} is there and belongs to ${found.uid}:${found.gid}, not to ${uid}:${gid}. If its data is this app's: chown -R ${uid}:${gid} ${path}. Else move it away.`,
    )
  if (!made) return
  await chown(path, uid, gid)
  await chmod(path, 0o2770)
}

async function sizeOf(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile())
  const sizes = await Promise.all(files.map(entry => lstat(join(entry.parentPath, entry.name))))
  return sizes.reduce((sum, { size }) => sum + size, 0)
}
