// Each verb that changes something, with what its refusal says in the audit; those that only look have none. A refusal by
// policy (`forbidden`) or by what holds a place (`held`) becomes an entry (refusals.ts keeps their number small), and is
// passed on as it is. The table names every verb: a new one does not compile until it says which kind it is.
import { UserError } from '../../errors.ts'
import { noEnvironment } from '../audit.ts'
import type { Caller, Core } from '../core.ts'
import type { Actor } from '../deploy.ts'
import type { Refusals } from './refusals.ts'

type Facts = {
  readonly action: string
  readonly app?: string | undefined
  readonly environment?: string | undefined
  readonly deploy?: string | undefined
  /** Where nobody calls: a hook. */
  readonly by?: Actor
}
type Verbs = {
  readonly [V in keyof Core]: ((...args: Parameters<Core[V]>) => Facts) | null
}

const verbs: Verbs = {
  // what only looks
  listNames: null,
  listApps: null,
  showApp: null,
  renderApp: null,
  plan: null,
  planAdoption: null,
  showDeploy: null,
  watchDeploy: null,
  approvals: null,
  asked: null,
  openDeploys: null,
  history: null,
  status: null,
  pods: null,
  events: null,
  logs: null,
  followLogs: null,
  diff: null,
  clusters: null,
  locks: null,
  freezes: null,
  freezeWindows: null,
  listTokens: null,
  authenticate: null,
  whoami: null,
  doctor: null,
  health: null,
  volumes: null,
  job: null,
  jobs: null,
  showBuild: null,
  builds: null,
  buildLog: null,
  subscriptions: null,
  audit: null,
  exportAudit: null,
  verifyAudit: null,
  // what changes something
  applyApp: (_, { app }) => ({ action: 'apply_app', app }),
  deleteApp: (_, app) => ({ action: 'delete_app', app }),
  request: (_, { kind, app, spec, environment }) => ({
    action: `request_${kind}`,
    app: app ?? spec?.app,
    environment,
  }),
  adopt: (_, { app, environment }) => ({ action: 'request_adopt', app, environment }),
  cancel: (_, deploy) => ({ action: 'cancel', deploy }),
  abort: (_, deploy) => ({ action: 'cancel', deploy }),
  vote: (_, deploy) => ({ action: 'vote', deploy }),
  mayVote: (_, deploy) => ({ action: 'vote', deploy }),
  override: (_, deploy) => ({ action: 'override', deploy }),
  deletePod: (_, { app, environment }) => ({ action: 'delete_pod', app, environment }),
  run: (_, { app, environment }) => ({ action: 'run', app, environment }),
  exec: (_, { app, environment }) => ({ action: 'exec', app, environment }),
  lock: (_, { app, environment }) => ({ action: 'lock', app, environment }),
  unlock: (_, { app, environment }) => ({ action: 'unlock', app, environment }),
  freeze: (_, { environment }) => ({ action: 'freeze', environment }),
  unfreeze: (_, { environment }) => ({ action: 'unfreeze', environment }),
  release: (_, { app, environment }) => ({ action: 'release', app, environment }),
  createToken: () => ({ action: 'create_token' }),
  revokeToken: () => ({ action: 'revoke_token' }),
  recordArtifact: (_, { app }) => ({ action: 'record_artifact', app }),
  deleteVolume: (_, { app, environment }) => ({ action: 'delete_volume', app, environment }),
  build: () => ({ action: 'build' }),
  stopBuild: () => ({ action: 'stop_build' }),
  answerInput: () => ({ action: 'answer_input' }),
  subscribe: (_, { app }) => ({ action: 'subscribe', app }),
  unsubscribe: (_, { app }) => ({ action: 'unsubscribe', app }),
  receiveBuild: ({ name }) => ({
    action: 'receive_build',
    by: { id: `hook:${name}`, name: `hook ${name}`, via: 'jenkins' },
  }),
}

/** Those that change something. */
export const changingVerbs = (Object.keys(verbs) as (keyof Core)[]).filter(name => verbs[name] !== null)

/** Verbs whose answer is a stream: they refuse when it is read. */
const streams: readonly string[] = ['run', 'exec'] satisfies (keyof Core)[]

type Verb = (...args: readonly unknown[]) => unknown
type FactsOf = (...args: readonly unknown[]) => Facts

/** The same verbs, whose refusals are written down. */
export function withRefusals(
  core: Core,
  deps: { readonly environments: ReadonlyMap<string, unknown>; readonly refusals: Refusals },
): Core {
  const told: Record<string, Verb> = {}
  for (const [name, facts] of Object.entries(verbs)) {
    if (!facts) continue
    // Called with the arguments of its own verb only, as the table above types it.
    const factsOf = facts as FactsOf
    const verb = core[name as keyof Core] as Verb
    const tell = (args: readonly unknown[], error: unknown) => refused(deps, factsOf(...args), args, error)
    told[name] = streams.includes(name)
      ? (...args) => followed(verb(...args) as AsyncIterable<unknown>, error => tell(args, error))
      : async (...args) => {
          try {
            return await verb(...args)
          } catch (error) {
            await tell(args, error)
            throw error
          }
        }
  }
  return { ...core, ...told }
}

async function* followed(
  events: AsyncIterable<unknown>,
  tell: (error: unknown) => Promise<void>,
): AsyncGenerator<unknown> {
  try {
    yield* events
  } catch (error) {
    await tell(error)
    throw error
  }
}

async function refused(
  deps: Parameters<typeof withRefusals>[1],
  facts: Facts,
  [caller]: readonly unknown[],
  error: unknown,
): Promise<void> {
  if (!(error instanceof UserError) || (error.kind !== 'forbidden' && error.kind !== 'held')) return
  const { details } = error
  const environment = [facts.environment, details.environment].find(
    (name): name is string => typeof name === 'string' && deps.environments.has(name),
  )
  const app = [facts.app, details.app].find(
    // Only names: nothing has been looked up yet.
    (name): name is string => typeof name === 'string' && /^[a-z0-9][-a-z0-9]{0,39}$/.test(name),
  )
  await deps.refusals.refused({
    // Every verb but those with a `by` of their own takes the caller first.
    by: facts.by ?? (caller as Caller).actor,
    action: facts.action,
    outcome: error.kind,
    app,
    environment: environment === noEnvironment ? undefined : environment,
    deploy: facts.deploy && /^[a-z0-9]{1,40}$/.test(facts.deploy) ? facts.deploy : undefined,
    detail: error.message,
  })
}
