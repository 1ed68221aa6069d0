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

/** An answer without any limit is asked for again so often: another machine's listing may have been in its way. */
const listings = 3
const pauseMs = 300
/** Those who only look believe what was listed so long ago. */
const freshMs = 2_000
const justNowMs = 500

/** `path` from the top of the volume, such as `/production/web/data`. Null: there is no such directory, or quota is off. */
export async function quotaOf(gluster: Gluster, volume: string, path: string): Promise<Quota | null> {
  return (await listed(gluster, volume, [path])).get(path) ?? null
}

export type QuotaList = {
  of(path: string): Promise<Quota | null>
  /** Something of it was changed. */
  forget(): void
}

/** The same for those who only look: one listing of the whole volume for all who ask within a moment. */
export function quotaList(gluster: Gluster, volume: string): QuotaList {
  let last: { readonly at: number; readonly all: Promise<ReadonlyMap<string, Quota>> } | null = null
  const list = () => {
    const made = { at: performance.now(), all: listed(gluster, volume, []) }
    last = made
    made.all.catch(() => {
      if (last === made) last = null
    })
    return made
  }
  return {
    of: async path => {
      const known = last && performance.now() - last.at < freshMs ? last : list()
      const found = (await known.all).get(path)
      // Another replica may have made it since.
      if (found || performance.now() - known.at < justNowMs) return found ?? null
      return (await list().all).get(path) ?? null
    },
    forget: () => {
      last = null
    },
  }
}

async function listed(
  gluster: Gluster,
  volume: string,
  paths: readonly string[],
): Promise<ReadonlyMap<string, Quota>> {
  for (let attempt = 1; ; attempt++) {
    const list = ['volume', 'quota', volume, 'list', ...paths]
    const answer = await gluster.order(volume, list, [saysQuotaOff, saysNoLimit])
    const limits = answer.ret === 0 ? allAt(answer.tree, 'volQuota', 'limit') : []
    if (limits.length > 0 || answer.ret !== 0 || attempt === listings)
      return new Map(
        limits.map(limit => [
          textAt(limit, 'path') ?? '',
          { used: numberAt(limit, 'used_space') ?? 0, quota: numberAt(limit, 'hard_limit') },
        ]),
      )
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
