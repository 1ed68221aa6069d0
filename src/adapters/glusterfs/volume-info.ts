// What a volume is (`volume info`), and the quota on a directory of it or on its top. Bytes are whole numbers.
import { setTimeout as sleep } from 'node:timers/promises'
import { allAt, numberAt, textAt } from './answer.ts'
import type { Gluster } from './gluster.ts'
import { saysNoLimit, saysNoVolume, saysQuotaOff, saysQuotaOn } from './refusals.ts'

export type VolumeInfo = {
  readonly started: boolean
  /** Copies (or pieces) that belong together: bricks are listed set after set. */
  readonly setSize: number
  readonly replicated: boolean
  readonly bricks: readonly string[]
  readonly options: ReadonlyMap<string, string>
}

/** Null: there is none. */
export async function volumeInfo(gluster: Gluster, volume: string, ms?: number): Promise<VolumeInfo | null> {
  const answer = await gluster.order(volume, ['volume', 'info', volume], [saysNoVolume], ms)
  const [found] = allAt(answer.tree, 'volInfo', 'volumes', 'volume')
  if (!found) return null
  const replica = numberAt(found, 'replicaCount') ?? 1
  const disperse = numberAt(found, 'disperseCount') ?? 0
  return {
    started: textAt(found, 'statusStr') === 'Started',
    setSize: Math.max(1, replica, disperse),
    replicated: replica > 1 || disperse > 0,
    bricks: allAt(found, 'bricks', 'brick').flatMap(brick => textAt(brick, 'name') ?? []),
    options: new Map(
      allAt(found, 'options', 'option').map(one => [textAt(one, 'name') ?? '', textAt(one, 'value') ?? '']),
    ),
  }
}

export type Quota = { readonly used: number; readonly quota: number | null }

/** An answer without any limit is asked for again so often: a listing of another replica may have been in its way. */
const listings = 3
const pauseMs = 300

/**
 * `path` from the top of the volume, such as `/production/web/data`. Null: there is no such directory, or quota is off.
 * Without a path GlusterFS 10 lists nothing where it is asked for XML ("No quota configured").
 */
export async function quotaOf(gluster: Gluster, volume: string, path: string): Promise<Quota | null> {
  for (let attempt = 1; ; attempt++) {
    const list = ['volume', 'quota', volume, 'list', path]
    const answer = await gluster.order(volume, list, [saysQuotaOff, saysNoLimit])
    const limits = answer.ret === 0 ? allAt(answer.tree, 'volQuota', 'limit') : []
    const limit = limits.find(one => textAt(one, 'path') === path)
    if (limit) return { used: numberAt(limit, 'used_space') ?? 0, quota: numberAt(limit, 'hard_limit') }
    if (saysQuotaOff(answer) || attempt === listings) return null
    await sleep(pauseMs)
  }
}

/** Sets it, and switches quotas on where they are off: new ones are counted in `df` too. */
export async function limitTo(
  gluster: Gluster,
  at: { volume: string; path: string; bytes: number },
): Promise<void> {
  const { volume, path, bytes } = at
  const limit = ['volume', 'quota', volume, 'limit-usage', path, String(Math.ceil(bytes))]
  const first = await gluster.order(volume, limit, [saysQuotaOff])
  if (first.ret === 0) return
  await gluster.order(volume, ['volume', 'quota', volume, 'enable'], [saysQuotaOn])
  await gluster.order(volume, limit)
}
