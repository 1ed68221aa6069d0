// Paths of the remote API and what they answer. Segments come decoded once: a branch job's own encoding stays in them.
// Who asks is known here (http.ts); permission of the job is looked at where something is changed.
import { Answer, notFound, redirect } from './answer.ts'
import { type Ask, bean, is, mayChange, onlyPost, type RouteDeps } from './asked.ts'
import { buildRoute } from './build-routes.ts'
import { folderPage, jobPage } from './pages.ts'
import { BadParameter, valuesOf } from './parameters.ts'
import { NotTaken } from './running.ts'
import { type BuildRecord, type Job, jobUrl, nameOf } from './state.ts'

/** The answer, or throws it. */
export function answerTo(deps: RouteDeps, ask: Ask): Answer {
  try {
    return route(deps, ask)
  } catch (error) {
    if (error instanceof NotTaken) return new Answer(400, error.message, { 'x-error': error.message })
    if (error instanceof BadParameter)
      return new Answer(500, `java.lang.IllegalArgumentException: ${error.message}`)
    throw error
  }
}

function route(deps: RouteDeps, ask: Ask): Answer {
  const [first, second] = ask.segments
  if (first === undefined) return folderPage(deps.state, '')
  if (is(ask.segments, 'api/json')) return bean(ask, top(deps))
  if (first === 'me')
    return bean(ask, {
      _class: 'hudson.model.User',
      absoluteUrl: `${deps.root()}user/${ask.user}`,
      fullName: nameOf(ask.user),
      id: ask.user,
    })
  if (first === 'queue') return queueRoute(deps, ask)
  if (first !== 'job' || second === undefined) throw notFound()
  const { path, rest } = jobIn(ask.segments)
  const job = deps.state.jobs.get(path)
  if (job?.seed.hidden) throw notFound()
  if (!job || job.seed.kind === 'multibranch') {
    const folder = deps.beans.item(path)
    if (!folder) throw notFound()
    if (rest.length === 0) return folderPage(deps.state, path)
    if (is(rest, 'api/json')) return bean(ask, folder)
    throw notFound()
  }
  return jobRoute(deps, ask, { path, job, rest })
}

/** `job/a/job/b/7/console` → `a/b` and what follows. */
function jobIn(segments: readonly string[]): { path: string; rest: readonly string[] } {
  const names: string[] = []
  let at = 0
  while (segments[at] === 'job' && segments[at + 1] !== undefined) {
    names.push(segments[at + 1] as string) // looked at above
    at += 2
  }
  return { path: names.join('/'), rest: segments.slice(at) }
}

function top({ state, beans, root }: RouteDeps): object {
  return {
    _class: 'hudson.model.Hudson',
    assignedLabels: [{ name: 'built-in' }],
    mode: 'NORMAL',
    nodeDescription: 'the stand-in of a sandbox',
    nodeName: '',
    numExecutors: 2,
    description: null,
    jobs: () => state.below('').map(beans.item),
    quietingDown: false,
    url: root(),
    useCrumbs: true,
    useSecurity: true,
    views: [{ _class: 'hudson.model.AllView', name: 'all', url: root() }],
  }
}

function queueRoute({ state, queue, beans }: RouteDeps, ask: Ask): Answer {
  const [, second, third, ...rest] = ask.segments
  if (is(ask.segments, 'queue/api/json'))
    return bean(ask, {
      _class: 'hudson.model.Queue',
      discoverableItems: [],
      items: [...state.queue.values()].filter(item => item.state !== 'left').map(beans.queueItem),
    })
  if (second === 'cancelItem') {
    onlyPost(ask)
    const item = queue.get(Number(ask.given('id')[0]))
    if (!item || item.state === 'left') throw notFound()
    if (state.jobs.get(item.job)?.seed.readOnly) throw new Answer(422, 'Item could not be cancelled')
    queue.cancel(item.id)
    return new Answer(204, '')
  }
  const item = second === 'item' && /^\d+$/.test(third ?? '') ? queue.get(Number(third)) : undefined
  if (!item || state.jobs.get(item.job)?.seed.hidden || !is(rest, 'api/json')) throw notFound()
  return bean(ask, beans.queueItem(item))
}

type At = { readonly path: string; readonly job: Job; readonly rest: readonly string[] }

function jobRoute(deps: RouteDeps, ask: Ask, { path, job, rest }: At): Answer {
  const [first, ...more] = rest
  if (first === undefined) return jobPage(path, job)
  if (is(rest, 'api/json')) return bean(ask, deps.beans.item(path))
  if (is(rest, 'build') || is(rest, 'buildWithParameters')) return schedule(deps, ask, { path, job, rest })
  const build = buildCalled(job, first)
  if (!build) throw notFound()
  return buildRoute(deps, ask, { build, job, rest: more })
}

function buildCalled({ builds }: Job, name: string): BuildRecord | undefined {
  if (/^\d+$/.test(name)) return builds.find(build => build.number === Number(name))
  const wanted: Readonly<Record<string, (build: BuildRecord) => boolean>> = {
    lastBuild: () => true,
    lastCompletedBuild: build => !build.building,
    lastStableBuild: build => build.result === 'SUCCESS',
    lastSuccessfulBuild: build => build.result === 'SUCCESS' || build.result === 'UNSTABLE',
    lastFailedBuild: build => build.result === 'FAILURE',
    lastUnsuccessfulBuild: build => !build.building && build.result !== 'SUCCESS',
  }
  const test = wanted[name]
  return test && builds.find(test)
}

function schedule(deps: RouteDeps, ask: Ask, { path, job, rest }: At): Answer {
  const { seed } = job
  const withParameters = rest[0] === 'buildWithParameters'
  onlyPost(ask)
  mayChange(job, ask, 'Job/Build')
  if (seed.disabled) throw new Answer(409, `${path} is not buildable`)
  const definitions = seed.parameters ?? []
  if (withParameters && definitions.length === 0) throw new Answer(400, `${path} is not parameterized`)
  if (!withParameters && definitions.length > 0) throw new Answer(400, 'This page expects a form submission')
  const delay = delayOf(ask.given('delay')[0])
  const scheduled = deps.queue.schedule(path, {
    parameters: valuesOf(definitions, ask.given),
    cause: { kind: 'user', user: ask.user },
    delay,
  })
  if (!scheduled) return redirect(302, `${deps.root()}${jobUrl(path)}`)
  // JENKINS-66105: only the one with parameters tells of an item that it joined.
  const status = withParameters && !scheduled.created ? 303 : 201
  return redirect(status, `${deps.locationBase()}queue/item/${scheduled.item.id}/`)
}

/** `5`, `5sec`, `5secs`; milliseconds. */
function delayOf(given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const [, digits] = /^(\d+)(?:secs?)?$/.exec(given.trim()) ?? []
  if (digits === undefined) throw new BadParameter(`Invalid time duration value: ${given}`)
  return Number(digits) * 1000
}
