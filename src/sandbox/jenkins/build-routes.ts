// Paths below a build: what it is, its log, its stages, its tests, its inputs, and how it is stopped.
import { Answer, type Headers, html, json, notFound, redirect, text } from './answer.ts'
import { type Ask, bean, is, mayChange, onlyPost, type RouteDeps } from './asked.ts'
import { plainText } from './console.ts'
import { buildPage, consolePage, testsPage } from './pages.ts'
import { inputsBean, stagesBean, testReportBean } from './stages.ts'
import { type BuildRecord, type Job, jobUrl } from './state.ts'

type AtBuild = { readonly build: BuildRecord; readonly job: Job; readonly rest: readonly string[] }

export function buildRoute(deps: RouteDeps, ask: Ask, { build, job, rest }: AtBuild): Answer {
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
