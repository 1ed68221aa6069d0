// A volume of its own for an app: bricks below the pool's folders, owner by option, a quota on its top. Brick folders
// have a part that is made up anew, since GlusterFS never takes one twice; so a volume is known as ours by its bricks.
import { randomBytes } from 'node:crypto'
import { ownVolumeOf, type Place } from '../../core/volumes/place.ts'
import { PoolError, type VolumeWish } from '../../core/volumes/pool.ts'
import type { Gluster } from './gluster.ts'
import type { PoolOptions } from './options.ts'
import { saysExists, saysNoVolume, saysStarted, saysStopped } from './refusals.ts'
import { limitTo, quotaOf, type VolumeInfo, volumeInfo } from './volume-info.ts'

type Deps = { readonly gluster: Gluster; readonly pool: Pick<PoolOptions, 'name' | 'own'> }

export async function ensureOwn({ gluster, pool }: Deps, place: Place, wish: VolumeWish) {
  const volume = ownVolumeOf(place)
  const own = ownOf(pool)
  const before = await volumeInfo(gluster, volume)
  if (!before) {
    const unique = randomBytes(3).toString('hex')
    const copies = own.replica > 1 ? ['replica', String(own.replica)] : []
    const bricks = own.bricks.map(folder => `${folder}/${volume}-${unique}`)
    await gluster.order(
      volume,
      ['volume', 'create', volume, ...copies, ...bricks, ...(own.force ? ['force'] : [])],
      // Another replica of gkube was first; whose it is shows below.
      [saysExists],
    )
  }
  const info = before ?? (await volumeInfo(gluster, volume))
  if (!info) throw new PoolError('unavailable', `The volume ${volume} was made and is gone. Try again.`)
  checkOurs(volume, info, own.bricks)
  await giveAway(gluster, { volume, info, wish })
  if (!info.started) await gluster.order(volume, ['volume', 'start', volume], [saysStarted])
  return { made: !before, bytes: await raise(gluster, volume, wish.bytes) }
}

async function giveAway(gluster: Gluster, of: { volume: string; info: VolumeInfo; wish: VolumeWish }) {
  const { volume, info, wish } = of
  const uid = info.options.get('storage.owner-uid')
  const gid = info.options.get('storage.owner-gid')
  if (uid === String(wish.uid) && gid === String(wish.gid)) return
  // Set before the volume first starts: on one that runs it would not change what is in it.
  if (info.started && (uid !== undefined || gid !== undefined))
    throw new PoolError(
      'exists_differently',
      `The volume ${volume} is there and belongs to ${uid ?? 0}:${gid ?? 0}, not to ${wish.uid}:${wish.gid}. If its data is this app's: gluster volume set ${volume} storage.owner-uid ${wish.uid} storage.owner-gid ${wish.gid}, and chown what is in it.`,
    )
  const owner = ['storage.owner-uid', String(wish.uid), 'storage.owner-gid', String(wish.gid)]
  await gluster.order(volume, ['volume', 'set', volume, ...owner])
}

export async function growOwn({ gluster }: Deps, place: Place, bytes: number) {
  const volume = ownVolumeOf(place)
  if (!(await volumeInfo(gluster, volume))) throw noVolume(volume)
  return { bytes: await raise(gluster, volume, bytes) }
}

export async function ownUsage({ gluster }: Deps, place: Place) {
  const volume = ownVolumeOf(place)
  const found = await quotaOf(gluster, volume, '/')
  if (found) return found
  throw new PoolError(
    'refused',
    `Quota is off on ${volume}. Switch it on: gluster volume quota ${volume} enable`,
  )
}

/** GlusterFS forgets the volume; what its bricks hold stays on the servers and is named. */
export async function removeOwn({ gluster, pool }: Deps, place: Place): Promise<{ left: readonly string[] }> {
  const volume = ownVolumeOf(place)
  const info = await volumeInfo(gluster, volume)
  if (!info) return { left: [] }
  checkOurs(volume, info, ownOf(pool).bricks)
  await gluster.order(volume, ['volume', 'stop', volume], [saysStopped])
  await gluster.order(volume, ['volume', 'delete', volume], [saysNoVolume])
  return { left: info.bricks }
}

async function raise(gluster: Gluster, volume: string, wished: number): Promise<number> {
  const now = (await quotaOf(gluster, volume, '/'))?.quota ?? 0
  const bytes = Math.ceil(wished)
  if (now >= bytes) return now
  await limitTo(gluster, { volume, path: '/', bytes })
  return bytes
}

function ownOf({ name, own }: Deps['pool']): NonNullable<PoolOptions['own']> {
  if (own) return own
  throw new PoolError(
    'unsupported',
    `The pool ${name} gives apps no volumes of their own: set pools.${name}.own, or leave \`own\` out of the app's storage.`,
  )
}

function checkOurs(volume: string, info: VolumeInfo, folders: readonly string[]): void {
  const ours = (brick: string) => folders.some(folder => brick.startsWith(`${folder}/${volume}-`))
  const foreign = info.bricks.filter(brick => !ours(brick))
  if (info.bricks.length > 0 && foreign.length === 0) return
  throw new PoolError(
    'exists_differently',
    `There is a volume ${volume} whose bricks are elsewhere (${foreign.slice(0, 3).join(', ') || 'none'}). It is left alone; rename or delete it, or put its folder among own.bricks.`,
  )
}

const noVolume = (volume: string): PoolError =>
  new PoolError('not_found', `There is no volume ${volume}: deploy the app, which makes it.`)
