// Registering, showing and removing apps, and the lookup of an app by its Jenkins job. An app and its job keys move
// in one transaction; a job is never taken from another app by accident.
import { UserError } from '../../errors.ts'
import { type App, appSchema } from '../app.ts'
import { parseApp, specFor } from '../app-environment.ts'
import { auditPut } from '../audit.ts'
import type { Caller, Core } from '../core.ts'
import { canonical } from '../hash.ts'
import type { Compare, Write } from '../kv.ts'
import { able, demand, may } from '../policy.ts'
import { decode, decodeAll, put, remove, type Stored, unchanged } from '../records.ts'
import { unknownName } from '../suggest.ts'
import { workloadSchema } from '../workload.ts'
import { type Deps, environmentNamed } from './deps.ts'
import { mayLook } from './sight.ts'

/** The registered app; UserError `not_found` with a near miss. */
export async function appNamed(deps: Pick<Deps, 'kv' | 'keys'>, name: string): Promise<Stored<App>> {
  const entry = await deps.kv.get(deps.keys.app(name))
  if (entry) return decode(appSchema, entry)
  throw new UserError('not_found', unknownName('app', name, await appNames(deps)))
}

export async function appNames({ kv, keys }: Pick<Deps, 'kv' | 'keys'>): Promise<string[]> {
  const { entries } = await kv.list(keys.apps, { keysOnly: true })
  return entries.map(entry => entry.key.slice(keys.apps.length))
}

/** The apps of a Jenkins job; a branch job (`shop/web/feature`) falls back to its parents. */
export async function appsOfJob({ kv, keys }: Pick<Deps, 'kv' | 'keys'>, job: string): Promise<string[]> {
  for (let path = job; path; path = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '') {
    const prefix = keys.jobApps(path)
    const { entries } = await kv.list(prefix, { keysOnly: true })
    if (entries.length > 0) return entries.map(entry => entry.key.slice(prefix.length))
  }
  return []
}

/** What registering writes and compares; `before` is the app as it stands, or null. */
export function registration(
  deps: Pick<Deps, 'keys' | 'environments'>,
  app: App,
  before: Stored<App> | null,
): { outcome: 'created' | 'changed' | 'unchanged'; compares: Compare[]; writes: Write[] } {
  const { keys } = deps
  for (const name of Object.keys(app.environments)) environmentNamed(deps, name)
  const compares = [unchanged(keys.app(app.app), before)]
  if (before && canonical(before.value) === canonical(app))
    return { outcome: 'unchanged', compares, writes: [] }
  const jobs = new Set(app.jobs)
  const old = new Set(before?.value.jobs)
  const gone = [...old].filter(job => !jobs.has(job))
  const added = [...jobs].filter(job => !old.has(job))
  return {
    outcome: before ? 'changed' : 'created',
    compares,
    writes: [
      put(keys.app(app.app), app),
      ...gone.map(job => remove(keys.job(job, app.app))),
      ...added.map(job => put(keys.job(job, app.app), { schema: 1 })),
    ],
  }
}

/** Registering touches every environment that the app lists, or listed before: all of them must be the caller's. */
export function demandRegister(
  deps: Pick<Deps, 'environments' | 'people'>,
  caller: Caller,
  { app, before }: { app: App; before: App | null },
): void {
  demand(caller, 'apply_app', { app: app.app }, deps.people)
  const listed = Object.keys(app.environments).map(name => environmentNamed(deps, name))
  // One that is not configured any more is nobody's.
  const old = Object.keys(before?.environments ?? {}).flatMap(name => deps.environments.get(name) ?? [])
  for (const environment of [...listed, ...old])
    demand(caller, 'apply_app', { app: app.app, environment }, deps.people)
}

/**
 * Who may do what with a job follows from the apps that it feeds, and the app of a branch job is found before that of
 * its parent: a job that feeds apps is only joined by who may register one of them.
 */
export async function demandJobs(
  deps: Pick<Deps, 'kv' | 'keys' | 'people'>,
  caller: Caller,
  { app, before }: { app: App; before: App | null },
): Promise<void> {
  const old = new Set(before?.jobs)
  for (const job of new Set(app.jobs.filter(one => !old.has(one)))) {
    const fed = (await appsOfJob(deps, job)).filter(one => one !== app.app)
    const [first] = fed
    if (first === undefined || fed.some(one => may(caller, 'apply_app', { app: one }))) continue
    const who = able('apply_app', { app: first }, deps.people).slice(0, 10).join(', ')
    throw new UserError(
      'forbidden',
      `The Jenkins job ${job} feeds another app already: who adds it to ${app.app} must be a deployer of that one, too. ${who ? `Ask ${who}.` : 'Ask an admin.'}`,
      { details: { job, app: app.app } },
    )
  }
}

/** etcd takes 128 operations a transaction. */
const mostPlaces = 100

type Apps = Pick<Core, 'applyApp' | 'listNames' | 'listApps' | 'showApp' | 'renderApp' | 'deleteApp'>

export function apps(deps: Deps): Omit<Apps, 'renderApp'> {
  const { kv, keys, clock } = deps
  return {
    async applyApp(caller, given, { dryRun }) {
      const app = parseApp(given)
      demandRegister(deps, caller, { app, before: null })
      for (const name of Object.keys(app.environments)) specFor(app, name)
      const entry = await kv.get(keys.app(app.app))
      const before = entry ? decode(appSchema, entry) : null
      demandRegister(deps, caller, { app, before: before?.value ?? null })
      await demandJobs(deps, caller, { app, before: before?.value ?? null })
      const { outcome, compares, writes } = registration(deps, app, before)
      if (dryRun || outcome === 'unchanged') return { app, outcome }
      const audit = auditPut(keys, clock.now(), {
        by: caller.actor,
        action: 'apply_app',
        outcome,
        app: app.app,
      })
      const result = await kv.commit({ compares, writes: [...writes, audit] })
      if (!result.committed) throw changedMeanwhile(app.app)
      return { app, outcome }
    },
    async listNames(caller) {
      return (await appNames(deps)).filter(app => may(caller, 'view', { app }))
    },
    async listApps(caller) {
      const [found, running] = await Promise.all([kv.list(keys.apps), kv.list(keys.workloads)])
      const report = (error: Error) => deps.log('a record was left out of the list', error)
      const workloads = decodeAll(workloadSchema, running.entries, report).map(stored => stored.value)
      return decodeAll(appSchema, found.entries, report)
        .filter(({ value }) => may(caller, 'view', { app: value.app }))
        .map(({ value: app }) => ({
          app,
          workloads: workloads.filter(one => one.app === app.app && mayLook(deps, caller, one)),
        }))
    },
    async showApp(caller, name) {
      demand(caller, 'view', { app: name }, deps.people)
      return (await appNamed(deps, name)).value
    },
    async deleteApp(caller, name) {
      demand(caller, 'delete_app', { app: name }, deps.people)
      const stored = await appNamed(deps, name)
      for (const listed of Object.keys(stored.value.environments)) {
        const environment = deps.environments.get(listed)
        if (environment) demand(caller, 'delete_app', { app: name, environment }, deps.people)
      }
      const { entries } = await kv.list(keys.workloads, { keysOnly: true })
      const running = entries.map(entry => entry.key.split('/').slice(-2)).filter(([, app]) => app === name)
      if (running.length > 0) {
        const places = running.map(([env]) => env).join(', ')
        throw new UserError(
          'conflict',
          `${name} still runs in ${places}. Delete it there first: gkube delete ${name} --environment ${running[0]?.[0]}`,
        )
      }
      const jobs = [...new Set(stored.value.jobs)]
      const writes = [remove(stored.key), ...jobs.map(job => remove(keys.job(job, name)))]
      const audit = auditPut(keys, clock.now(), {
        by: caller.actor,
        action: 'delete_app',
        outcome: 'deleted',
        app: name,
      })
      // A deploy that begins at this moment makes the workload: the app must not go from under it.
      const places = [...deps.environments.keys()].slice(0, mostPlaces)
      const absent = places.map(env => ({ kind: 'absent' as const, key: keys.workload(env, name) }))
      const result = await kv.commit({
        compares: [unchanged(stored.key, stored), ...absent],
        writes: [...writes, audit],
      })
      if (!result.committed) throw changedMeanwhile(name)
    },
  }
}

const changedMeanwhile = (app: string): UserError =>
  new UserError(
    'conflict',
    `${app} was changed by someone else at the same time. Look at it (gkube app show ${app}) and try again.`,
  )
