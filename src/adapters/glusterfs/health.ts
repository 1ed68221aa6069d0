// How a volume is: which bricks answer, and how much waits to be healed. Decides by numbers of gluster; pure but for
// the calls that fetch them.
import { PoolError, type PoolHealth } from '../../core/volumes/pool.ts'
import { allAt, numberAt, textAt } from './answer.ts'
import type { Gluster } from './gluster.ts'
import { type VolumeInfo, volumeInfo } from './volume-info.ts'

type Heal = Pick<PoolHealth, 'pending' | 'splitBrain'>
type Brick = PoolHealth['bricks'][number]

type Of = {
  readonly volume: string
  /** `heal info` asks the daemon of the machine that the CLI runs on: with --remote-host there is none. */
  readonly remote: boolean
  readonly ms?: number
}

/** Throws PoolError `not_found` where there is no such volume. */
export async function volumeHealth(gluster: Gluster, { volume, remote, ms }: Of): Promise<PoolHealth> {
  const info = await volumeInfo(gluster, volume, ms)
  if (!info) throw new PoolError('not_found', `There is no GlusterFS volume ${volume} (gluster volume list).`)
  if (!info.started) {
    const bricks = info.bricks.map(name => ({ name, online: false }))
    const words = `the volume is stopped; start it: gluster volume start ${volume}`
    return { bricks, pending: null, splitBrain: null, state: 'down', words }
  }
  const [bricks, heal] = await Promise.all([
    bricksOf(gluster, volume, info, ms),
    info.replicated
      ? healOf(gluster, { volume, remote, ms }, info.setSize)
      : Promise.resolve({ pending: 0, splitBrain: 0 }),
  ])
  return { bricks, ...heal, state: stateOf(bricks, heal, info), words: wordsOf(bricks, heal) }
}

/** In the order of `volume info`; one that `volume status` does not list is not online. */
async function bricksOf(gluster: Gluster, volume: string, info: VolumeInfo, ms?: number): Promise<Brick[]> {
  const answer = await gluster.order(volume, ['volume', 'status', volume], [], ms)
  const online = new Set(
    allAt(answer.tree, 'volStatus', 'volumes', 'volume', 'node')
      .filter(node => textAt(node, 'status') === '1')
      .map(node => `${textAt(node, 'hostname')}:${textAt(node, 'path')}`),
  )
  return info.bricks.map(name => ({ name, online: online.has(name) }))
}

/** Nulls where it cannot be told: where most bricks are down it fails or takes long, and that is told already. */
async function healOf(gluster: Gluster, { volume, remote, ms }: Of, setSize: number): Promise<Heal> {
  try {
    if (remote) {
      const text = await gluster.print(volume, ['volume', 'heal', volume, 'statistics', 'heal-count'], ms)
      const counts = [...text.matchAll(/^Brick .*\n(?:Number of entries: (\d+))?/gm)].map(([, n]) =>
        n === undefined ? null : Number(n),
      )
      return { pending: setSum(counts, setSize), splitBrain: null }
    }
    const { tree } = await gluster.order(volume, ['volume', 'heal', volume, 'info', 'summary'], [], ms)
    const bricks = allAt(tree, 'healInfo', 'bricks', 'brick')
    const sum = (key: string) =>
      setSum(
        bricks.map(brick => numberAt(brick, key)),
        setSize,
      )
    return { pending: sum('totalNumberOfEntries'), splitBrain: sum('numberOfEntriesInSplitBrain') }
  } catch (error) {
    if (error instanceof PoolError) return { pending: null, splitBrain: null }
    throw error
  }
}

/** Each good copy counts an entry that another lacks: of a set the largest count is the number of entries. */
function setSum(counts: readonly (number | null)[], setSize: number): number | null {
  if (counts.every(count => count === null)) return null
  let sum = 0
  for (let at = 0; at < counts.length; at += setSize)
    sum += Math.max(0, ...counts.slice(at, at + setSize).map(count => count ?? 0))
  return sum
}

/** down: a set of copies has too few online to be written, as GlusterFS' automatic quorum counts. */
function stateOf(bricks: readonly Brick[], heal: Heal, { setSize }: VolumeInfo): PoolHealth['state'] {
  for (let at = 0; at < bricks.length; at += setSize) {
    const online = bricks.slice(at, at + setSize).filter(brick => brick.online).length
    if (online < Math.ceil(setSize / 2)) return 'down'
  }
  const well = bricks.every(brick => brick.online) && !heal.pending && !heal.splitBrain
  return well ? 'ok' : 'degraded'
}

function wordsOf(bricks: readonly Brick[], { pending, splitBrain }: Heal): string {
  const down = bricks.filter(brick => !brick.online).map(brick => brick.name)
  const some = `${down.slice(0, 3).join(', ')}${down.length > 3 ? ` and ${down.length - 3} more` : ''}`
  return [
    `${bricks.length - down.length} of ${bricks.length} bricks online`,
    ...(down.length > 0 ? [`down: ${some}`] : []),
    pending === null
      ? 'what is to heal is not known'
      : pending === 0
        ? 'nothing to heal'
        : `${pending} to heal`,
    ...(splitBrain ? [`${splitBrain} in split brain`] : []),
  ].join(', ')
}
