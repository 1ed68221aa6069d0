// What plugins tell of a build, where they are installed: test results (junit, also those of Maven modules and matrix
// builds put together) and Pipeline stages. 404 means that there is nothing to tell.
import { z } from 'zod'
import type { Stage } from '../../core/builds/build.ts'
import type { Tests } from '../../core/builds/event.ts'
import { type Jenkins, JenkinsError } from '../../core/builds/jenkins.ts'
import { understood } from './answers.ts'
import { nameOf } from './builds.ts'
import type { Deps } from './jenkins.ts'
import { count, cut, many, text } from './lenient.ts'
import { buildAt } from './path.ts'

const suites = many(z.object({ cases: many(z.object({ className: text, name: text, status: text })) }))
const counts = { failCount: count, passCount: count, skipCount: count, totalCount: count }
const reportSchema = z.object({
  ...counts,
  suites,
  childReports: many(z.object({ result: z.object({ ...counts, suites }) })),
})
const countTree = 'failCount,passCount,skipCount,totalCount'
const caseTree = 'suites[cases[className,name,status]]'

const stageSchema = z.object({ name: text, status: text, durationMillis: count })
const stageStates: ReadonlyMap<string, Stage['state']> = new Map([
  ['NOT_EXECUTED', 'waiting'],
  ['IN_PROGRESS', 'running'],
  ['PAUSED_PENDING_INPUT', 'paused'],
  ['SUCCESS', 'success'],
  ['UNSTABLE', 'unstable'],
  ['FAILED', 'failed'],
  ['ABORTED', 'aborted'],
])

const mostNames = 20
const mostStages = 50

export function jenkinsReports({ transport, server, timeouts, log }: Deps) {
  const wishOf = (to: string, job: string, number: number) => ({
    to,
    thing: nameOf(job, number),
    user: server.user,
  })

  const tests: Jenkins['tests'] = async (job, number) => {
    const path = `${buildAt(job, number)}testReport/api/json`
    const read = async (tree: string) => {
      const answer = await transport.get({ path, query: { tree }, ms: timeouts.call })
      return answer.status === 404
        ? null
        : understood(reportSchema, answer, wishOf('read the tests of', job, number))
    }
    const report = await read(`${countTree},childReports[result[${countTree}]]`)
    if (!report) return null
    const parts = report.childReports.map(({ result }) => result)
    const sum = (key: keyof typeof counts) =>
      report[key] ?? parts.reduce((total, part) => total + (part[key] ?? 0), 0)
    const failed = sum('failCount')
    const skipped = sum('skipCount')
    const total = report.totalCount ?? failed + skipped + sum('passCount')
    if (total === 0) return null
    return { total, failed, skipped, names: failed > 0 ? await failedNames(read, job, number) : [] }
  }

  /** Names are nice to have: a report that is too large to read leaves the counts. */
  async function failedNames(
    read: (tree: string) => Promise<z.output<typeof reportSchema> | null>,
    job: string,
    number: number,
  ): Promise<Tests['names']> {
    try {
      const report = await read(`${caseTree},childReports[result[${caseTree}]]`)
      const all = [
        ...(report?.suites ?? []),
        ...(report?.childReports ?? []).flatMap(one => one.result.suites),
      ]
      const names = all
        .flatMap(suite => suite.cases)
        .filter(({ status }) => status === 'FAILED' || status === 'REGRESSION')
        .map(({ className, name }) => cut([className, name].filter(Boolean).join('.'), 300))
      return [...new Set(names)].slice(0, mostNames)
    } catch (error) {
      if (!(error instanceof JenkinsError) || error.code !== 'unavailable') throw error
      log(`jenkins: failed tests of ${nameOf(job, number)} are told without their names`, error)
      return []
    }
  }

  const stages: Jenkins['stages'] = async (job, number) => {
    const answer = await transport.get({ path: `${buildAt(job, number)}wfapi/describe`, ms: timeouts.call })
    if (answer.status === 404) return null
    const wish = wishOf('read the stages of', job, number)
    const found = understood(z.object({ stages: many(stageSchema) }), answer, wish).stages
    return found.slice(0, mostStages).map(({ name, status, durationMillis }) => ({
      name: cut(name ?? '', 200),
      state: stageStates.get(status ?? '') ?? 'waiting',
      ms: durationMillis ?? 0,
    }))
  }

  return { tests, stages }
}
