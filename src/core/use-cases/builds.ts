// Jenkins builds that people ask for and look at. Asking is durable first: the record says what is wanted, the elected
// follower (core/builds/) starts it. What people want of a build that exists is build-wishes.ts; without a Jenkins each
// verb says so.
import { z } from 'zod'
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import { type Build, buildRefSchema, buildSchema, consoleSchema } from '../builds/build.ts'
import { type Jenkins, JenkinsError, type JobFacts } from '../builds/jenkins.ts'
import { checkParameters, shownParameters } from '../builds/parameters.ts'
import { askedBuild, buildCommit, toldIn } from '../builds/records.ts'
import type { BuildInput, BuildVerbs } from '../builds/verbs.ts'
import type { Caller } from '../core.ts'
import { sha256 } from '../hash.ts'
import type { Entry } from '../kv.ts'
import { decode, decodeAll, newId, put, read } from '../records.ts'
import { redactText } from '../redact.ts'
import { appsOfJob } from './apps.ts'
import { demandWith, mayWith } from './build-rights.ts'
import { type BuildDeps, buildSeen, jenkinsRefusal, noJenkins, noServer } from './build-seen.ts'
import { buildWishes } from './build-wishes.ts'
import type { Deps } from './deps.ts'
import { jobSearch } from './job-search.ts'

type Verbs = Omit<BuildVerbs, 'receiveBuild' | 'subscribe' | 'unsubscribe' | 'subscriptions'>
/** `asked`: hash of what was asked for with that key. */
const seenSchema = z.object({ schema: z.literal(1), build: z.string(), asked: z.string() })
/** How long the same idempotency key answers the same build. */
const dedupSeconds = 24 * 3600
/** Read again where it is older: a dialog is shown and submitted by the same facts. */
const keepMs = 10_000
/** Bytes of a console of which the last lines are taken. */
const tailBytes = 65_536
const mostLine = 2_000
/** Records that are looked through for one list. */
const mostScanned = 1_000

export function builds(given: Deps): Verbs {
  const { jenkins } = given
  if (!jenkins) return nothing
  const deps: BuildDeps = { ...given, jenkins }
  const { kv, keys, clock, people } = deps
  const search = jobSearch(deps)
  const facts = new Map<string, { readonly at: number; readonly found: Promise<JobFacts> }>()

  /** As Jenkins has it, or had it some seconds ago. */
  function known(job: string, ask: Jenkins): Promise<JobFacts> {
    const now = clock.now()
    const last = facts.get(job)
    if (last && now - last.at < keepMs) return last.found
    for (const [name, { at }] of facts) if (now - at >= keepMs) facts.delete(name)
    const found = ask.job(job)
    facts.set(job, { at: now, found })
    found.catch(() => facts.delete(job))
    return found
  }

  /** UserError where it is not there, or Jenkins does not answer. */
  async function factsOf(caller: Caller, job: string): Promise<JobFacts> {
    const { ask } = deps.jenkins
    if (!ask) throw noServer()
    try {
      return await known(job, ask)
    } catch (error) {
      if (!(error instanceof JenkinsError)) throw error
      if (error.code !== 'not_found') throw jenkinsRefusal(error, 'so nothing was started')
      const near = await search.near(caller, job)
      throw new UserError(
        'not_found',
        `Jenkins has no job \`${job}\`, or does not show it to gkube.${near ? ` ${near}` : ''}`,
      )
    }
  }

  async function demandJob(
    caller: Caller,
    action: 'view' | 'build',
    job: string,
  ): Promise<readonly string[]> {
    const apps = await appsOfJob(deps, job)
    const of = { job, apps }
    if (!mayWith(caller, action, of)) {
      const near = apps.length === 0 ? await search.near(caller, job) : ''
      demandWith(caller, action, of, { people, near })
    }
    return apps
  }

  async function buildable(caller: Caller, job: string): Promise<JobFacts> {
    const found = await factsOf(caller, job)
    if (found.kind === 'folder') {
      const inside = (await search.inside(caller, job)).map(one => `\`${one.job}\``)
      const more = inside.length > 10 ? ', …' : ''
      const which =
        inside.length > 0 ? `In it: ${inside.slice(0, 10).join(', ')}${more}.` : 'Name a job in it.'
      throw new UserError('bad_input', `\`${job}\` is a folder of jobs and cannot be built itself. ${which}`)
    }
    if (!found.buildable)
      throw new UserError('conflict', `${job} is disabled in Jenkins, so nothing was started: ${found.url}`)
    return found
  }

  return {
    async build(caller, input, { channel } = { channel: null }) {
      const { job } = input
      const apps = await demandJob(caller, 'build', job)
      const seenKey = input.idempotencyKey
        ? keys.seen('build', sha256(`${caller.actor.id}\n${input.idempotencyKey}`))
        : null
      const before = seenKey && (await kv.get(seenKey))
      if (before) return { build: await buildBehind(deps, before, input), repeated: true }
      const found = await buildable(caller, job)
      const parameters = checkParameters(found.parameters, input.parameters, { what: job, url: found.url })
      const now = clock.now()
      const id = newId(now)
      const told = await toldIn({ kv, keys, byDefault: jenkins }, { apps, asked: channel }, error =>
        deps.log('a subscription was left out', error),
      )
      const { url } = found
      const build = askedBuild({ id, now, by: caller.actor, job, apps, parameters, told, url })
      const { compares, writes } = buildCommit(keys, build)
      const audit = auditPut(keys, now, {
        by: caller.actor,
        action: 'build',
        outcome: 'asked',
        ...(apps[0] === undefined ? {} : { app: apps[0] }),
        detail: `${job} ${shownParameters(parameters)}`.trim(),
      })
      const seen = seenKey
        ? put(seenKey, { schema: 1, build: id, asked: askedHash(input) }, await kv.sharedLease(dedupSeconds))
        : null
      const result = await kv.commit({
        compares: [...compares, ...(seenKey ? [{ kind: 'absent' as const, key: seenKey }] : [])],
        writes: [...writes, audit, ...(seen ? [seen] : [])],
      })
      if (result.committed) return { build, repeated: false }
      const first = seenKey && result.seen.get(seenKey)
      if (first) return { build: await buildBehind(deps, first, input), repeated: true }
      throw new UserError('conflict', 'Someone asked for that at the same moment. Try again.')
    },
    async job(caller, job) {
      await demandJob(caller, 'view', job)
      return factsOf(caller, job)
    },
    jobs: (caller, text) => search.search(caller, text),
    async showBuild(caller, id) {
      return (await buildSeen(deps, caller, id)).value
    },
    async builds(caller, { job, app, limit }) {
      if (app !== undefined) demandWith(caller, 'view', { job: app, apps: [app] }, { people })
      if (job !== undefined) await demandJob(caller, 'view', job)
      const wanted = (build: Build): boolean =>
        (job === undefined || build.job === job) &&
        (app === undefined || build.apps.includes(app)) &&
        mayWith(caller, 'view', build)
      return job === undefined ? newest(deps, { app, wanted, limit }) : ofJob(deps, job, { wanted, limit })
    },
    async buildLog(caller, id, { lines }) {
      const { value: build } = await buildSeen(deps, caller, id)
      const text = await consoleOf(deps, build)
      return redactText(text.replace(/\r?\n$/, ''))
        .split(/\r?\n/)
        .slice(-lines)
        .map(line => line.slice(0, mostLine))
    },
    ...buildWishes(deps),
  }
}

const none = async (): Promise<never> => {
  throw noJenkins()
}
const nothing: Verbs = {
  build: none,
  job: none,
  jobs: none,
  showBuild: none,
  builds: none,
  stopBuild: none,
  answerInput: none,
  buildLog: none,
}

const askedHash = ({ job, parameters }: BuildInput): string => sha256({ job, parameters })

/** The build that was asked for with the same key; UserError `conflict` where the key was used for something else. */
async function buildBehind(deps: Deps, seen: Entry, input: BuildInput): Promise<Build> {
  const { build: id, asked } = decode(seenSchema, seen).value
  const stored = await read(deps.kv, buildSchema, deps.keys.jenkinsBuild(id))
  if (!stored)
    throw new UserError(
      'conflict',
      'That build was asked for before and its record is not kept any more. Ask again with another key.',
    )
  if (asked !== askedHash(input))
    throw new UserError(
      'conflict',
      `That idempotency key was used before, for another build of ${stored.value.job}. Use a new key for another one.`,
      { details: { build: id } },
    )
  return stored.value
}

async function recordsOf(deps: Deps, ids: readonly string[]): Promise<Build[]> {
  const found: Build[] = []
  for (let at = 0; at < ids.length; at += 100) {
    const keys = ids.slice(at, at + 100).map(deps.keys.jenkinsBuild)
    const records = await deps.kv.getMany(keys)
    const entries = keys.flatMap(key => records.get(key) ?? [])
    found.push(...decodeAll(buildSchema, entries, report(deps)).map(stored => stored.value))
  }
  return found
}

const report = (deps: Pick<Deps, 'log'>) => (error: Error) =>
  deps.log('a build was left out of the list', error)

/** Ids sort by when gkube first heard of a build. */
async function newest(
  deps: Deps,
  { app, wanted, limit }: { app?: string | undefined; wanted: (build: Build) => boolean; limit: number },
): Promise<Build[]> {
  const { kv, keys } = deps
  const found: Build[] = []
  let after: string | undefined
  for (let scanned = 0; scanned < mostScanned && found.length < limit; scanned += 100) {
    const { entries } = await kv.list(keys.jenkinsBuilds, {
      limit: 100,
      reverse: true,
      ...(after === undefined ? {} : { after }),
    })
    found.push(
      // Its name must stand in it: parsing is what costs.
      ...decodeAll(
        buildSchema,
        entries.filter(one => app === undefined || one.value.includes(`"${app}"`)),
        report(deps),
      )
        .map(stored => stored.value)
        .filter(wanted),
    )
    after = entries.at(-1)?.key
    if (entries.length < 100) break
  }
  return found.slice(0, limit)
}

/** What has no number yet first, then by number: Jenkins' order, whenever gkube heard of it. */
async function ofJob(
  deps: Deps,
  job: string,
  { wanted, limit }: { wanted: (build: Build) => boolean; limit: number },
): Promise<Build[]> {
  const { kv, keys } = deps
  const [open, numbered] = await Promise.all([
    kv.list(keys.jenkinsOpen, { keysOnly: true }),
    kv.list(keys.jenkinsNumbers(job), { limit, reverse: true }),
  ])
  const refs = decodeAll(buildRefSchema, numbered.entries, report(deps)).map(stored => stored.value.id)
  const waiting = open.entries.map(entry => entry.key.slice(keys.jenkinsOpen.length))
  const all = (await recordsOf(deps, [...new Set([...waiting.toReversed(), ...refs])])).filter(wanted)
  const unnumbered = all.filter(one => one.number === null)
  const rest = all.filter(one => one.number !== null).toSorted((a, b) => (b.number ?? 0) - (a.number ?? 0))
  return [...unnumbered, ...rest].slice(0, limit)
}

/** From Jenkins; where that does not answer, what was kept of a failed build. */
async function consoleOf(deps: BuildDeps, build: Build): Promise<string> {
  const { kv, keys, jenkins } = deps
  const kept = async (): Promise<string | null> =>
    (await read(kv, consoleSchema, keys.jenkinsConsole(build.id)))?.value.lines.join('\n') ?? null
  if (build.number === null)
    throw new UserError('conflict', `${build.job} has not started yet, so it has no console output.`)
  if (!jenkins.ask) {
    const text = await kept()
    if (text !== null) return text
    throw noServer()
  }
  try {
    return await jenkins.ask.tail(build.job, build.number, tailBytes)
  } catch (error) {
    if (!(error instanceof JenkinsError)) throw error
    const text = await kept()
    if (text !== null) return text
    if (error.code === 'not_found')
      throw new UserError(
        'not_found',
        `Jenkins does not have ${build.job} #${build.number} any more, nor its console output.`,
        { cause: error },
      )
    throw jenkinsRefusal(error, 'so there is no console output to show')
  }
}
