// From what a team wrote to what runs in one environment: reads an App, merges an environment into it, checks
// the result again. Pure. app.ts describes each key alone, app-rules.ts how keys fit together.
import { UserError } from '../errors.ts'
import { type App, type AppSpec, appSchema, appSpecSchema } from './app.ts'
import { ruleProblems } from './app-rules.ts'
import {
  distinct,
  type Path,
  type Problem,
  problemsError,
  problemText,
  schemaProblems,
  valueAt,
} from './problems.ts'
import { suggest } from './suggest.ts'

type Json = unknown
type Map_ = Readonly<Record<string, Json>>

const isMap = (value: Json): value is Map_ =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** One variable is one value: a secret in staging never merges with a ConfigMap of the base. */
const isWhole = (path: Path): boolean => path.length > 1 && path.at(-2) === 'env'

/** Maps merge, lists replace, null removes (a JSON merge patch, but for variables). Neither input is changed. */
export function merge(base: Json, change: Json, path: Path = []): Json {
  if (!isMap(change)) return change
  const merged = new Map(Object.entries(isMap(base) && !isWhole(path) ? base : {}))
  for (const [key, value] of Object.entries(change)) {
    if (value === null) merged.delete(key)
    else merged.set(key, merge(merged.get(key), value, [...path, key]))
  }
  return Object.fromEntries(merged)
}

/** Keys that name the app itself: the same everywhere. */
const everywhere = ['schema', 'app', 'jobs', 'revisionFrom', 'environments'] as const

/** A spec, or everything that is wrong with it, each with its path in the App. */
function merged(app: App, environment: string): { spec: AppSpec } | { problems: Problem[] } {
  const change = app.environments[environment] ?? {}
  const own: Path = ['environments', environment]
  const fixed = everywhere.filter(key => Object.hasOwn(change, key))
  if (fixed.length > 0)
    return {
      problems: fixed.map(key => ({
        path: [...own, key],
        message: 'is the same in every environment; set it at the top level',
      })),
    }
  const { jobs: _, revisionFrom: __, environments: ___, ...base } = app
  const value = merge(base, change)
  const parsed = appSpecSchema.safeParse(value)
  const problems = parsed.success
    ? ruleProblems(parsed.data)
    : schemaProblems(appSpecSchema, parsed.error, value)
  if (parsed.success && problems.length === 0) return { spec: parsed.data }
  return {
    problems: problems.map(problem =>
      isWrittenIn(change, problem.path) ? { ...problem, path: [...own, ...problem.path] } : problem,
    ),
  }
}

/** Whether the environment itself says anything at this path (or above it, by replacing a whole list). */
const isWrittenIn = (change: Map_, path: Path): boolean =>
  path.length > 0 && valueAt(change, path.slice(0, 1)) !== undefined && reaches(change, path)

function reaches(value: Json, path: Path): boolean {
  if (path.length === 0 || !isMap(value)) return true
  const [first = '', ...rest] = path
  return Object.hasOwn(value, first) && reaches(value[first], rest)
}

/** Reads an App without throwing: for callers that add where in a file each problem is. */
export function checkApp(value: unknown): { app: App } | { problems: Problem[] } {
  const parsed = appSchema.safeParse(value)
  if (!parsed.success) return { problems: distinct(schemaProblems(appSchema, parsed.error, value)) }
  const app = parsed.data
  const names = Object.keys(app.environments)
  if (names.length === 0) {
    const message = 'names no environment; list those that it is deployed to, for example { staging: {} }'
    return { problems: [{ path: ['environments'], message }] }
  }
  const found = names.map(name => {
    const result = merged(app, name)
    return { name, problems: 'problems' in result ? result.problems : [] }
  })
  const problems = found.flatMap(({ name, problems: some }) =>
    some.map(problem => (isEverywhere(problem, found) ? problem : inOnly(problem, name))),
  )
  return problems.length > 0 ? { problems: distinct(problems) } : { app }
}

type Found = readonly { readonly name: string; readonly problems: readonly Problem[] }[]

const isEverywhere = (problem: Problem, found: Found): boolean =>
  found.every(({ problems }) => problems.some(other => problemText(other) === problemText(problem)))

/** Something of the base that only fails together with one environment: name that environment. */
const inOnly = (problem: Problem, environment: string): Problem =>
  problem.path[0] === 'environments'
    ? problem
    : { ...problem, message: `${problem.message} (in ${environment})` }

/** The App in `value`, valid in every environment that it lists. Throws UserError `bad_input` with all problems. */
export function parseApp(value: unknown): App {
  const result = checkApp(value)
  if ('app' in result) return result.app
  throw problemsError(`${titleOf(value)} is not valid:`, result.problems)
}

/** How an error calls an app that may not even have a name. */
const titleOf = (value: unknown): string => {
  const name = valueAt(value, ['app'])
  return typeof name === 'string' && name.length <= 40 ? `App ${name}` : 'The app'
}

/** By the App as it was read (records.ts hands the same one out again) and the environment: all that follows from them. */
const known = new WeakMap<App, Map<string, AppSpec>>()

/**
 * What runs in one environment. Throws UserError: `not_found` if the app does not list it, `bad_input` if invalid. The
 * same App may give the same object again: nobody changes it.
 */
export function specFor(app: App, environment: string): AppSpec {
  const before = known.get(app)
  const spec = before?.get(environment) ?? checkedSpec(app, environment)
  if (before) before.set(environment, spec)
  else known.set(app, new Map([[environment, spec]]))
  return spec
}

function checkedSpec(app: App, environment: string): AppSpec {
  if (!Object.hasOwn(app.environments, environment)) {
    const names = Object.keys(app.environments)
    const close = suggest(environment, names)
    const hint = close ? ` Did you mean ${close}?` : ''
    const has = names.length > 0 ? `It has: ${names.join(', ')}.` : 'It lists none.'
    throw new UserError(
      'not_found',
      `${app.app} has no environment ${environment}.${hint} ${has} Add it below \`environments\` in its app.yaml and register it again: gkube app apply -f app.yaml`,
      { details: { environments: names } },
    )
  }
  const result = merged(app, environment)
  if ('spec' in result) return result.spec
  throw problemsError(`App ${app.app} is not valid in ${environment}:`, result.problems)
}
