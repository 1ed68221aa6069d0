// Pure: where on a pool the storage of an app lives. Names come from apps and configuration; every one is checked here,
// again, so that no path that is built from them can leave its directory. The port that uses them is pool.ts.
import { z } from 'zod'
import { environmentName } from '../environment.ts'
import { sha256 } from '../hash.ts'
import { shorten } from '../objects/labels.ts'
import { label } from '../units.ts'
import { PoolError, type PoolVolume } from './pool.ts'

/** One storage of one app in one environment. */
const placeSchema = z.strictObject({ environment: environmentName, app: label(), storage: label() })
export type Place = Readonly<z.output<typeof placeSchema>>

/** Throws PoolError `refused` where a name could be anything but a plain directory's. */
function checked(place: Place): Place {
  const { environment, app, storage } = place
  const parsed = placeSchema.safeParse({ environment, app, storage })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const key = String(issue?.path[0] ?? 'place')
  const seen = JSON.stringify(String(place[key as keyof Place])).slice(0, 80)
  throw new PoolError(
    'refused',
    `The ${key} ${seen} cannot name a directory: use lower-case letters, digits and dashes.`,
  )
}

/** The directories of it from the top of the pool's volume down: never empty, never `.` or `..`, without slashes. */
export function directoriesOf(place: Place): readonly [string, string, string] {
  const { environment, app, storage } = checked(place)
  return [environment, app, storage]
}

/** The same as one path, such as `production/web/data`. */
export const directoryOf = (place: Place): string => directoriesOf(place).join('/')

/** The name of a volume of its own. `a-b` + `c` and `a` + `b-c` are told apart by the hash. */
export function ownVolumeOf(place: Place): string {
  const path = directoryOf(place)
  return `${shorten(`gkube-${path.replaceAll('/', '-')}`, 54)}-${sha256(path).slice(0, 8)}`
}

/** What a person types to have it deleted, and what messages call it. */
export const titleOf = ({ kind, place }: PoolVolume): string =>
  kind === 'own' ? ownVolumeOf(place) : directoryOf(place)

/** Throws PoolError `refused` unless a person typed exactly this one. */
export function checkTyped(volume: PoolVolume, typed: string): void {
  const title = titleOf(volume)
  if (typed !== title)
    throw new PoolError(
      'refused',
      `Nothing was deleted. To delete it with all its data, type its name: ${title}`,
    )
}
