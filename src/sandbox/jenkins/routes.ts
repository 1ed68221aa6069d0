// Paths of the remote API and what they answer. Segments come decoded once: a branch job's own encoding stays in them.
// Who asks is known here (http.ts); permission of the job is looked at where something is changed.
import { Answer, type Headers, html, json, notFound, redirect, text } from './answer.ts'
import type { Beans } from './beans.ts'
import { buildPage, consolePage, folderPage, jobPage, testsPage } from './pages.ts'
import { BadParameter, valuesOf } from './parameters.ts'
import type { Queue } from './queue.ts'
import { NotTaken, plainText, type Running } from './running.ts'
import { inputsBean, stagesBean, testReportBean } from './stages.ts'
import { type BuildRecord, type Job, jobUrl, nameOf, type State } from './state.ts'
import { parseTree, shown } from './tree.ts'

export type Ask = {
  readonly method: string
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  /** Of the query and the form, in their order. */
  readonly given: (name: string) => readonly string[]
  readonly user: string
}

export type RouteDeps = {
  readonly state: State
  readonly queue: Queue
  readonly running: Running
  readonly beans: Beans
  readonly root: () => string
  /** What Locations of queue items begin with. */
  readonly locationBase: () => string
  readonly stageView: boolean
}

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

const is = (segments: readonly string[], path: string) => segments.join('/') === path

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

/** Shows a bean by `tree` and `depth`. */
function bean(ask: Ask, value: unknown): Answer {
  const tree = ask.query.get('tree')
  try {
    return json(shown(value, tree ? parseTree(tree) : null, Number(ask.query.get('depth') ?? 0)))
  } catch (error) {
    throw new Answer(400, String(error))
  }
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

type AtBuild = { readonly build: BuildRecord; readonly job: Job; readonly rest: readonly string[] }

function buildRoute(deps: RouteDeps, ask: Ask, { build, job, rest }: AtBuild): Answer {
  const isPipeline = job.seed.kind === 'pipeline'
  const stop =
    rest[0] === 'stop' || (isPipeline && (rest[0] === 'term' || rest[0] === 'kill')) ? rest[0] : null
  if (stop && rest.length === 1) {
    onlyPost(ask)
    mayChange(job, ask, 'Job/Cancel')
    if (build.building) deps.running.stop(build, stop as 'stop', ask.user)
    return redirect(302, `${deps.root()}${jobUrl(build.job)}${build.number}/`)
  }
  if (rest[0] === 'input' || is(rest, 'wfapi/inputSubmit')) return inputRoute(deps, ask, { build, job, rest })
  switch (rest.join('/')) {
    case '':
      return buildPage(build)
    case 'api/json':
      return bean(ask, deps.beans.build(build))
    case 'console':
      return consolePage(build)
    case 'consoleText':
      return text(plainText(build.log))
    case 'logText/progressiveText':
      return progressive(build, Number(ask.given('start')[0] ?? 0))
    case 'testReport/api/json':
      if (!build.tests) throw notFound()
      return bean(ask, testReportBean(build.tests))
    case 'testReport':
      return testsPage(build)
    case 'wfapi':
    case 'wfapi/describe':
      if (!isPipeline || !deps.stageView) throw notFound()
      return json(stagesBean(build, Date.now()))
    case 'wfapi/pendingInputActions':
      if (!isPipeline || !deps.stageView) throw notFound()
      return json(inputsBean(build))
    default:
      throw notFound()
  }
}

/** From a byte of the raw log on; a start past its end begins again. */
function progressive(build: BuildRecord, asked: number): Answer {
  const size = build.log.length
  const start = Number.isSafeInteger(asked) && asked >= 0 && asked <= size ? asked : 0
  const headers: Headers = {
    'x-text-size': String(size),
    ...(build.inProgress ? { 'x-more-data': 'true' } : {}),
  }
  return text(plainText(build.log.subarray(start)), headers)
}

function inputRoute({ running }: RouteDeps, ask: Ask, { build, job, rest }: AtBuild): Answer {
  const isSubmit = rest[0] === 'wfapi'
  const id = isSubmit ? ask.given('inputId')[0] : rest[1]
  const action = isSubmit ? 'proceed' : rest[2]
  if (rest.length === 1 && !isSubmit) return html('Paused for input', '')
  const known = isSubmit || (rest.length === 3 && ['proceedEmpty', 'proceed', 'abort'].includes(action ?? ''))
  if (!id || !known) throw notFound()
  onlyPost(ask)
  mayChange(job, ask, 'Job/Build')
  const taken = running.settle(build, {
    id,
    decision: action === 'abort' ? 'abort' : 'proceed',
    by: ask.user,
    values: action === 'proceed' ? formValues(ask.given('json')[0]) : undefined,
  })
  if (!taken) throw notFound()
  return new Answer(200, '')
}

/** The form field `json` of Jenkins' own pages: `{"parameter": [{"name", "value"}]}`. */
function formValues(field: string | undefined): (name: string) => readonly string[] {
  if (field === undefined) throw new Answer(400, 'This page expects a form submission')
  let form: { parameter?: unknown }
  try {
    form = JSON.parse(field) as typeof form // looked at below
  } catch {
    throw new Answer(400, 'Failed to parse form data. Please report this problem as a bug')
  }
  const list = (Array.isArray(form.parameter) ? form.parameter : [form.parameter ?? []]).flat() as unknown[]
  return name =>
    list.flatMap(one => {
      const given = one as { name?: unknown; value?: unknown }
      return given?.name === name ? [String(given.value)] : []
    })
}

function onlyPost({ method }: Ask): void {
  if (method !== 'POST') throw new Answer(405, 'Form post required', { allow: 'POST' })
}

function mayChange({ seed }: Job, { user }: Ask, permission: string): void {
  if (!seed.readOnly) return
  const words = `${user} is missing the ${permission} permission`
  throw new Answer(403, words, { 'x-error': words })
}
