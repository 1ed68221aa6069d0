// What a request may leave out: the environment, where only one comes into question, and the revision, where Jenkins'
// own variables tell it. Worked out from the app's spec, the one sent along before the registered one.
import { UserError } from '../../errors.ts'
import { type App, appSchema } from '../app.ts'
import type { BuildName } from '../builds/build-key.ts'
import type { Caller, RequestInput } from '../core.ts'
import type { Environment } from '../environment.ts'
import type { Entry } from '../kv.ts'
import { type Action, demand, may } from '../policy.ts'
import { decode } from '../records.ts'
import { unknownName } from '../suggest.ts'
import { appNames } from './apps.ts'
import type { Deps } from './deps.ts'

type Input = Pick<RequestInput, 'spec' | 'revision' | 'from' | 'source' | 'job'> & { readonly kind: string }

/** The only environment of the app that the caller may do it in; UserError `bad_input` names those in question. */
export async function onlyEnvironment(
  deps: Pick<Deps, 'kv' | 'keys' | 'environments' | 'people'>,
  caller: Caller,
  { app, action, spec }: { readonly app: string; readonly action: Action; readonly spec: App | undefined },
): Promise<Environment> {
  // What an app is like is only told to those who may do it somewhere.
  demand(caller, action, { app }, deps.people)
  const entry = spec ? null : await deps.kv.get(deps.keys.app(app))
  const known = spec ?? (entry ? decode(appSchema, entry).value : null)
  if (!known)
    throw new UserError(
      'not_found',
      `${unknownName('app', app, await appNames(deps))} To register it: gkube app apply -f app.yaml, or gkube deploy -f app.yaml.`,
    )
  const configured = Object.keys(known.environments).flatMap(name => deps.environments.get(name) ?? [])
  const allowed = configured.filter(environment => may(caller, action, { app, environment }))
  const [only, ...more] = allowed.length > 0 ? allowed : configured
  if (only && more.length === 0) return only
  const among = (allowed.length > 0 ? allowed : configured).map(({ name }) => name)
  const all = [...deps.environments.keys()]
  throw new UserError(
    'bad_input',
    among.length > 0
      ? `${app} runs in several environments: name one of ${among.join(', ')}.`
      : `${app} lists no environment that gkube knows: name one of ${all.join(', ')}.`,
    { details: { environments: among } },
  )
}

/** What is deployed, if nobody says it: what the app takes its revision from, as the build tells it. */
export function revisionOf(input: Input, appEntry: Entry | undefined): string | undefined {
  const { kind, revision, from, source } = input
  const build = source.build ?? null
  const commit = source.commit ?? null
  if (kind !== 'deploy' || revision !== undefined || from !== undefined) return revision
  if (build === null && commit === null) return undefined
  const app = input.spec ?? (appEntry && decode(appSchema, appEntry).value)
  if (!app) return undefined
  const found = app.revisionFrom === 'BUILD_NUMBER' ? build?.toString() : commit
  if (found) return found
  throw new UserError(
    'bad_input',
    app.revisionFrom === 'BUILD_NUMBER'
      ? `${app.app} takes its revision from BUILD_NUMBER, which was not sent. Name a revision.`
      : `${app.app} takes its revision from GIT_COMMIT, which was not sent: name a revision, or write revisionFrom: BUILD_NUMBER in its app.yaml.`,
  )
}

/** The build that is deployed; null: it is not said, or it is no deploy. UserError `bad_input` for a job that is no text. */
export function namedBuild({ kind, source, job }: Input): BuildName | null {
  const named = source.job || job
  if (named !== undefined && named !== null && !named.isWellFormed())
    throw new UserError(
      'bad_input',
      'The name of the Jenkins job is no proper text: it holds half a character.',
    )
  return kind === 'deploy' && named && source.build !== null ? { job: named, number: source.build } : null
}
