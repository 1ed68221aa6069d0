// What is written with the end of a build: how it compares with the one before (turn.ts), where a click may deploy it
// to (deploy-on.ts), and that it ended. All in the transaction of the end, so that it is decided once.
import { type App, appSchema } from '../app.ts'
import type { Environment } from '../environment.ts'
import type { Keys } from '../keys.ts'
import type { Compare, Entry, Kv, Write } from '../kv.ts'
import { decode, put, read, UnreadableRecord, unchanged } from '../records.ts'
import { type Build, type JobState, jobStateSchema } from './build.ts'
import { type Destination, destinations } from './deploy-on.ts'
import { turnOf } from './turn.ts'

type Deps = {
  readonly kv: Pick<Kv, 'get' | 'getMany'>
  readonly keys: Keys
  readonly environments: ReadonlyMap<string, Environment>
  readonly log: (message: string, error: unknown) => void
}

export type Ending = {
  readonly build: Build
  readonly compares: readonly Compare[]
  readonly writes: readonly Write[]
}

const mostOffers = 20

/** `after` is over and was not before. */
export async function ending(deps: Deps, after: Build, now: number): Promise<Ending> {
  const { keys, kv } = deps
  const inputs = after.inputs.map(input => ({ ...input, over: true }))
  const over = { ...after, inputs, endedAt: now }
  // What nobody confirmed is no news of its job, and is not deployed.
  if (after.phase !== 'finished' || after.toldAt !== null)
    return { build: { ...over, settled: true }, compares: [], writes: [] }
  const jobKey = keys.jenkinsJob(after.job)
  const [before, offers] = await Promise.all([
    read<JobState>(kv, jobStateSchema, jobKey),
    offersOf(deps, after),
  ])
  const { turn, failingSince, state } = turnOf(after, before?.value ?? null)
  return {
    build: { ...over, turn, failingSince, offers, settled: after.result !== 'SUCCESS' },
    compares: [unchanged(jobKey, before)],
    writes: state ? [put(jobKey, state)] : [],
  }
}

/** Where the apps of a build may go. */
export async function destinationsOf(
  deps: Deps,
  build: Build,
): Promise<{ readonly all: readonly Destination[]; readonly problems: readonly string[] }> {
  const found = await deps.kv.getMany(build.apps.map(deps.keys.app))
  const apps = [...found.values()].flatMap(entry => readable(deps, entry))
  const each = apps.map(app => destinations(app, build, deps.environments))
  return { all: each.flatMap(one => one.destinations), problems: each.flatMap(one => one.problems) }
}

async function offersOf(deps: Deps, build: Build): Promise<Build['offers']> {
  const { all } = await destinationsOf(deps, build)
  const deployed = (one: Destination) =>
    build.deploys.some(deploy => deploy.app === one.app && deploy.environment === one.environment)
  return all
    .filter(one => one.kind !== 'deploy' && !deployed(one))
    .slice(0, mostOffers)
    .map(({ app, environment, revision, kind }) => ({ app, environment, revision, loud: kind === 'ask' }))
}

function readable({ log }: Deps, entry: Entry): App[] {
  try {
    return [decode(appSchema, entry).value]
  } catch (error) {
    if (!(error instanceof UnreadableRecord)) throw error
    log('the app of a build is left alone', error)
    return []
  }
}
