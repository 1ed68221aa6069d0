// After the end of a build: what `deployOn` wants is asked of the core, once; the state of its deploys is copied into its
// record; and once none of them runs any more it is not followed further.
import { UserError } from '../../errors.ts'
import type { Caller, RequestInput } from '../core.ts'
import { requestInput } from '../core.ts'
import { type Deploy, deploySchema, isTerminal } from '../deploy.ts'
import { decode, remove, UnreadableRecord } from '../records.ts'
import { Fenced } from '../replica.ts'
import { type Build, buildDeploySchema } from './build.ts'
import { buildOf, isAnew } from './build-key.ts'
import type { Destination } from './deploy-on.ts'
import type { Desk, Item } from './desk.ts'
import { destinationsOf } from './ending.ts'
import { prune } from './pruning.ts'

const most = 20
/** Places whose deploys of a build are looked up. */
const mostPlaces = 100

/** The build is over. Throws where it must be tried again. */
export async function settle(desk: Desk, item: Item): Promise<void> {
  const { writer } = desk
  if (!item.stored.value.settled) await deployItself(desk, item)
  const { deploys } = item.stored.value
  if (!deploys.every(deploy => isTerminal(deploy.phase))) return
  const { keys } = desk.deps
  const key = keys.jenkinsOpenEntry(item.id)
  // A deploy of it that is asked for at this moment opens it again.
  const compares = [
    { kind: 'unchanged' as const, key, modRevision: item.openRevision },
    { kind: 'unchanged' as const, key: item.stored.key, modRevision: item.stored.modRevision },
  ]
  if (!(await writer.commit(compares, [remove(key)]))) return
  item.gone = true
  desk.items.delete(item.id)
  await prune(desk, item.stored.value)
}

async function deployItself(desk: Desk, item: Item): Promise<void> {
  const build = item.stored.value
  const { all, problems } = await destinationsOf(desk.deps, build)
  const notes = [...problems]
  const asked: Deploy[] = []
  const refused: Destination[] = []
  for (const place of all.filter(one => one.kind === 'deploy')) {
    // Not settled, and so not over: whoever is elected asks for the rest.
    if (!desk.term.held()) throw new Fenced('another follower of builds may be elected')
    const answer = await ask(desk, build, place)
    if (typeof answer === 'object') asked.push(answer)
    else {
      notes.push(`${place.environment}: ${answer}`)
      refused.push(place)
    }
  }
  await desk.writer.change(item.id, before => {
    const offers = [
      ...before.offers,
      ...refused.map(({ app, environment, revision }) => ({ app, environment, revision, loud: false })),
    ]
    const note = [before.note, ...notes].filter(Boolean).join(' ').slice(0, 1000).toWellFormed()
    return asked.reduce(withDeploy, { ...before, offers: offers.slice(0, most), note, settled: true })
  })
}

/** The deploy, the same one whoever asked first; or why not, in words. */
async function ask({ deps }: Desk, build: Build, place: Destination): Promise<Deploy | string> {
  try {
    const { deploy } = await deps.core().request(callerOf(build, place), inputOf(build, place))
    return deploy
  } catch (error) {
    if (!(error instanceof UserError) || error.kind === 'unavailable') throw error
    return error.message
  }
}

/** A build deploys what it built to where the operators let its app be deployed. */
function callerOf({ job, number }: Build, { app, environment }: Destination): Caller {
  const cut = (text: string) => text.slice(0, 200).toWellFormed()
  return {
    actor: { id: cut(`jenkins:${job}`), name: cut(`${job.slice(0, 180)} #${number}`), via: 'jenkins' },
    grants: [{ role: 'deployer', apps: [app], environments: [environment] }],
  }
}

function inputOf(build: Build, { app, environment, revision }: Destination): RequestInput {
  const url =
    build.url !== null && /^https?:\/\//.test(build.url) && URL.canParse(build.url) ? build.url : null
  return requestInput.parse({
    kind: 'deploy',
    app,
    environment,
    revision,
    source: {
      job: build.job,
      build: build.number,
      url,
      commit: build.commit,
      branch: build.branch,
      user: build.startedBy?.name.slice(0, 200) ?? null,
    },
  })
}

/** The deploy's state in the record of its build; a terminal one is never left. */
export function withDeploy(build: Build, deploy: Deploy): Build {
  const { id, app, environment, revision, phase } = deploy
  const known = build.deploys.find(one => one.id === id)
  if (known && (known.phase === phase || isTerminal(known.phase))) return build
  const one = { id, app, environment, revision, phase }
  const deploys = known
    ? build.deploys.map(each => (each.id === id ? one : each))
    : [...build.deploys, one].slice(-most)
  const offers = build.offers.filter(offer => offer.app !== app || offer.environment !== environment)
  return { ...build, deploys, offers }
}

/** What changed while nobody was elected, or before the build was known. */
export async function readDeploys(desk: Desk, item: Item): Promise<void> {
  const { deps, writer } = desk
  const { keys, kv, environments } = deps
  const { apps, job, number, deploys } = item.stored.value
  const places =
    number === null
      ? []
      : apps.flatMap(app => [...environments.keys()].map(env => keys.buildDeploy(env, app, job, number)))
  const found = await kv.getMany(places.slice(0, mostPlaces))
  const ids = new Set(deploys.map(deploy => deploy.id))
  for (const entry of found.values()) {
    const { value } = decode(buildDeploySchema, entry)
    if (!isAnew(item.stored.value, value)) ids.add(value.deploy)
  }
  const records = await kv.getMany([...ids].map(keys.deploy))
  const now = [...records.values()].flatMap(entry => {
    try {
      return [decode(deploySchema, entry).value]
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error
      deps.log('a deploy of a build is left alone', error)
      return []
    }
  })
  const gone = deploys.filter(deploy => !isTerminal(deploy.phase) && !records.has(keys.deploy(deploy.id)))
  await writer.change(item.id, build => {
    const kept = { ...build, deploys: build.deploys.filter(one => !gone.some(({ id }) => id === one.id)) }
    return now.filter(deploy => isOf(deploy, build)).reduce(withDeploy, kept)
  })
}

export function isOf(deploy: Deploy, { job, number }: Pick<Build, 'job' | 'number'>): boolean {
  const build = buildOf(deploy)
  return build !== null && build.job === job && build.number === number
}
