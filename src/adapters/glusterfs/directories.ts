// Directories with a quota on the pool's volume: `<mount>/<environment>/<app>/<storage>`. Only the last one belongs to
// the app, so nobody else can put a link where gkube walks. Each step may have been done before a crash.
import { directoriesOf, directoryOf, type Place } from '../../core/volumes/place.ts'
import { PoolError, type VolumeWish } from '../../core/volumes/pool.ts'
import type { Gluster } from './gluster.ts'
import type { Entry, Mounted } from './mounted.ts'
import { saysNoLimit, saysQuotaOff } from './refusals.ts'
import { limitTo, quotaOf } from './volume-info.ts'

type Deps = { readonly gluster: Gluster; readonly mounted: Mounted; readonly volume: string }

/** Files that are made in it belong to its group. */
const leafMode = '2770'
/** Deletions that go on take their time; what is left then goes with the next one. */
const deleteMs = 120_000
const bin = '.gkube-removed'

export async function ensureDirectory(deps: Deps, place: Place, wish: VolumeWish) {
  await deps.mounted.check()
  const { parents, leaf } = pathsOf(deps, place)
  let seen = await lookAt(deps, [...parents, leaf])
  for (const parent of parents.filter(path => !seen.has(path)))
    await deps.mounted.change('mkdir', ['-m', '0755', '--', parent], { fine: /File exists/ })
  const made = !seen.has(leaf)
  if (made) await deps.mounted.change('mkdir', ['-m', '0700', '--', leaf], { fine: /File exists/ })
  if (made || parents.some(path => !seen.has(path))) seen = await lookAt(deps, [...parents, leaf])
  const entry = seen.get(leaf)
  if (!entry) throw new PoolError('unavailable', `${leaf} was made and is gone: is the volume mounted twice?`)
  await giveAway(deps, { leaf, entry, wish, parent: seen.get(parents.at(-1) ?? leaf) })
  const bytes = await raise(deps, place, wish.bytes)
  return { made, bytes }
}

/**
 * Mode, then owner and group: one that belongs to the app is finished, and its mode is the app's own from then on. One
 * that still belongs to who makes them (as its parent does) was left by a crash. Any other is left alone.
 */
async function giveAway(
  { mounted }: Deps,
  of: { leaf: string; entry: Entry; wish: VolumeWish; parent: Entry | undefined },
): Promise<void> {
  const { leaf, entry, wish, parent } = of
  if (entry.uid === wish.uid && entry.gid === wish.gid) return
  if (entry.uid !== parent?.uid || entry.gid !== parent.gid)
    throw new PoolError(
      'exists_differently',
      `${leaf} is there and belongs to ${entry.uid}:${entry.gid}, not to ${wish.uid}:${wish.gid}. If its data is this app's: chown -R ${wish.uid}:${wish.gid} ${leaf}. Else move it away.`,
    )
  await mounted.change('chmod', [leafMode, '--', leaf])
  await mounted.change('chown', ['-h', '--', `${wish.uid}:${wish.gid}`, leaf])
}

export async function growDirectory(deps: Deps, place: Place, bytes: number) {
  await existing(deps, place)
  return { bytes: await raise(deps, place, bytes) }
}

export async function directoryUsage({ gluster, volume }: Deps, place: Place) {
  const found = await quotaOf(gluster, volume, `/${directoryOf(place)}`)
  if (found) return found
  throw new PoolError(
    'not_found',
    `${directoryOf(place)} is not on ${volume}, or quotas are off there (gluster volume quota ${volume} enable).`,
  )
}

/** Moves it aside at once, so that nothing half deleted is ever mounted, then deletes it. */
export async function removeDirectory(deps: Deps, place: Place): Promise<{ left: string[] }> {
  const { mounted, gluster, volume } = deps
  await mounted.check()
  const { parents, leaf } = pathsOf(deps, place)
  const seen = await lookAt(deps, [...parents, leaf])
  const folder = `${mounted.mount}/${bin}`
  const aside = `${folder}/${directoriesOf(place).join('.')}`
  await mounted.change('mkdir', ['-m', '0700', '--', folder], { fine: /File exists/ })
  await lookAt(deps, [folder])
  // What an earlier deletion left.
  const gone = await deleted(deps, aside)
  if (!seen.has(leaf)) return { left: gone ? [] : [aside] }
  if (!gone)
    throw new PoolError(
      'unavailable',
      `An earlier deletion of ${directoryOf(place)} still goes on (${aside}), so what is there now was not deleted yet. Try again in some minutes.`,
    )
  const path = `/${directoryOf(place)}`
  await gluster.order(volume, ['volume', 'quota', volume, 'remove', path], [saysNoLimit, saysQuotaOff])
  await mounted.change('mv', ['-T', '--', leaf, aside])
  return { left: (await deleted(deps, aside)) ? [] : [aside] }
}

/** False: it takes longer than one call may. */
async function deleted({ mounted }: Deps, path: string): Promise<boolean> {
  try {
    await mounted.change('rm', ['-rf', '--one-file-system', '--', path], { ms: deleteMs })
    return true
  } catch (error) {
    if (error instanceof PoolError && error.code === 'unavailable') return false
    throw error
  }
}

async function raise({ gluster, volume }: Deps, place: Place, wished: number): Promise<number> {
  const path = `/${directoryOf(place)}`
  const now = (await quotaOf(gluster, volume, path))?.quota ?? 0
  const bytes = Math.ceil(wished)
  if (now >= bytes) return now
  await limitTo(gluster, { volume, path, bytes })
  return bytes
}

async function existing(deps: Deps, place: Place): Promise<void> {
  await deps.mounted.check()
  const { parents, leaf } = pathsOf(deps, place)
  const seen = await lookAt(deps, [...parents, leaf])
  if (!seen.has(leaf))
    throw new PoolError(
      'not_found',
      `${directoryOf(place)} is not on ${deps.volume}: deploy the app, which makes it.`,
    )
}

function pathsOf({ mounted }: Deps, place: Place) {
  const [environment, app, storage] = directoriesOf(place)
  const top = `${mounted.mount}/${environment}`
  return { parents: [top, `${top}/${app}`], leaf: `${top}/${app}/${storage}` }
}

/** What is there of `paths`: directories of the volume itself, of which only the last may belong to somebody else. */
async function lookAt({ mounted }: Deps, paths: readonly string[]): Promise<ReadonlyMap<string, Entry>> {
  const seen = await mounted.look([mounted.mount, ...paths])
  const device = seen.get(mounted.mount)?.device
  for (const [path, entry] of seen) {
    if (!entry.directory)
      throw new PoolError('exists_differently', `${path} is not a directory (a link is none). Move it away.`)
    if (entry.device !== device)
      throw new PoolError(
        'exists_differently',
        `${path} is on another file system than ${mounted.mount}. Unmount it.`,
      )
    if (path !== mounted.mount && path !== paths.at(-1) && (entry.mode & 0o022) !== 0)
      throw new PoolError(
        'refused',
        `${path} can be written by others, who could put a link there. Close it: chmod go-w ${path}`,
      )
  }
  return seen
}
