// What a request stands on: that the app is registered or the spec sent along is valid, that what shall change is
// there, what another environment runs (promote.ts), and the compares that hold all of it true at the commit.
import { UserError } from '../../errors.ts'
import { type App, appSchema } from '../app.ts'
import { parseApp, specFor } from '../app-environment.ts'
import { releasedPut } from '../artifacts/released.ts'
import { auditPut } from '../audit.ts'
import type { Caller } from '../core.ts'
import type { Environment } from '../environment.ts'
import type { Compare, Entry, Write } from '../kv.ts'
import { decode, type Stored } from '../records.ts'
import { unknownName } from '../suggest.ts'
import { type Artifact, workloadSchema } from '../workload.ts'
import { appNames, demandJobs, demandRegister, registration } from './apps.ts'
import { replaceable, uploaded } from './artifacts.ts'
import type { Deps } from './deps.ts'
import { snapshotOf } from './history.ts'
import { basis, promoted } from './promote.ts'
import type { Asked } from './request.ts'

type Facts = {
  readonly revision: string
  readonly snapshot: string | null
  readonly compares: readonly Compare[]
  readonly writes: readonly Write[]
}

type At = {
  readonly input: Asked
  readonly app: string
  readonly environment: Environment
  readonly found: ReadonlyMap<string, Entry>
}

/** What it needs, and what it stands on besides: another environment, or a deploy that a person was shown. */
export async function standing(
  deps: Deps,
  caller: Caller,
  at: At,
): Promise<Facts & { readonly image: string | null; readonly artifact: Artifact | null }> {
  const { input, app, environment, found } = at
  const { from, basedOn } = input
  const source =
    from === undefined ? null : await promoted(deps, caller, { ...input, from }, { app, environment })
  const revision = source?.revision ?? input.revision
  const checked = await check(deps, caller, { ...at, input: { ...input, revision } })
  const appEntry = found.get(deps.keys.app(app))
  const registered = appEntry ? Object.keys(decode(appSchema, appEntry).value.environments) : []
  const upload = await namedUpload(deps, caller, input, { app, revision: checked.revision, registered })
  const facts = {
    ...checked,
    image: source?.image ?? null,
    artifact: upload ? upload.artifact : (source?.artifact ?? null),
    writes: [...checked.writes, ...(upload ? [upload.write] : [])],
  }
  if (basedOn === undefined) return facts
  const workload = found.get(deps.keys.workload(environment.name, app))
  const compares = await basis(deps, basedOn, { app, environment }, workload)
  return { ...facts, compares: [...facts.compares, ...compares] }
}

/** An upload that is named is what the revision is from now on: others deploy it by its revision. */
async function namedUpload(
  deps: Deps,
  caller: Caller,
  { artifact, kind, from }: Asked,
  { app, revision, registered }: { app: string; revision: string; registered: readonly string[] },
): Promise<{ readonly artifact: Artifact; readonly write: Write } | null> {
  if (artifact === undefined) return null
  if (kind !== 'deploy' || from !== undefined)
    throw new UserError(
      'bad_input',
      `Only a deploy of a revision takes an artifact: gkube deploy ${app} 1.4.2 --artifact <file>`,
    )
  const size = await uploaded(deps, artifact)
  await replaceable(deps, caller, { app, revision, sha256: artifact }, registered)
  const upload = { sha256: artifact, size, at: deps.clock.now(), by: caller.actor }
  return {
    artifact: { sha256: artifact, url: null },
    write: releasedPut(deps.keys, { app, revision }, upload),
  }
}

async function check(deps: Deps, caller: Caller, at: At): Promise<Facts> {
  const { input, app, environment, found } = at
  const { keys } = deps
  if (input.init && input.kind !== 'redeploy')
    throw new UserError('bad_input', 'Only a redeploy runs init again: gkube init <app> --again')
  const appEntry = found.get(keys.app(app))
  const workloadKey = keys.workload(environment.name, app)
  const workloadEntry = found.get(workloadKey)
  const workload = workloadEntry ? decode(workloadSchema, workloadEntry) : null
  if (input.kind === 'deploy' || input.kind === 'adopt')
    return checkDeploy(deps, caller, input, { app, environment, appEntry })
  if (!workload) {
    const names = await appNames(deps)
    if (!appEntry && !names.includes(app)) throw new UserError('not_found', unknownName('app', app, names))
    throw new UserError(
      'not_found',
      `${app} does not run in ${environment.name}. Deploy it first: gkube deploy ${app} <revision> --environment ${environment.name}`,
    )
  }
  const present: Compare[] = [{ kind: 'present', key: workloadKey }]
  switch (input.kind) {
    case 'scale':
      if (input.replicas === undefined)
        throw new UserError(
          'bad_input',
          `Say how many: gkube scale ${app} 3 --environment ${environment.name}`,
        )
      return { revision: workload.value.revision, snapshot: null, compares: present, writes: [] }
    case 'rollback': {
      const to = await snapshotOf(deps, workload.value, input.revision)
      const kept = await keptSnapshot(deps, to)
      return {
        revision: to.revision,
        snapshot: to.spec,
        compares: [...present, { kind: 'present', key: kept.key }],
        writes: [kept],
      }
    }
    case 'redeploy':
      if (appEntry && input.init) demandInit(decode(appSchema, appEntry).value, environment.name)
      if (!appEntry)
        throw new UserError(
          'not_found',
          `${app} is not registered any more, so there is no new configuration. Register it: gkube app apply -f app.yaml`,
        )
      return { revision: workload.value.revision, snapshot: null, compares: present, writes: [] }
    case 'restart':
    case 'delete':
      return { revision: workload.value.revision, snapshot: null, compares: present, writes: [] }
  }
}

/** Written once more, as it is: history that is being pruned spares what was written since it was read. */
async function keptSnapshot(
  { kv, keys }: Pick<Deps, 'kv' | 'keys'>,
  { spec, revision }: { spec: string; revision: string },
): Promise<Write> {
  const entry = await kv.get(keys.spec(spec))
  if (entry) return { kind: 'put', key: entry.key, value: entry.value }
  throw new UserError(
    'conflict',
    `What ran as ${revision} is not kept any more: its history was pruned. Deploy ${revision} instead of going back to it.`,
  )
}

function demandInit(app: App, environment: string): void {
  if (specFor(app, environment).hooks.init) return
  throw new UserError(
    'bad_input',
    `${app.app} has no init hook in ${environment}. Add hooks.init to the app: gkube app apply -f app.yaml`,
  )
}

async function checkDeploy(
  deps: Deps,
  caller: Caller,
  input: Asked,
  at: { app: string; environment: Environment; appEntry: Entry | undefined },
): Promise<Facts> {
  const { app, environment, appEntry } = at
  const before: Stored<App> | null = appEntry ? decode(appSchema, appEntry) : null
  if (!input.spec && !before) throw new UserError('not_found', await unregistered(deps, app))
  if (input.revision === undefined) {
    throw new UserError(
      'bad_input',
      `Say which revision: gkube deploy ${app} 1.4.2 --environment ${environment.name}`,
    )
  }
  const spec = input.spec ? parseApp(input.spec) : before?.value
  if (spec) specFor(spec, environment.name)
  if (!input.spec)
    return {
      revision: input.revision,
      snapshot: null,
      compares: [{ kind: 'present', key: deps.keys.app(app) }],
      writes: [],
    }
  const sent = parseApp(input.spec)
  const { outcome, compares, writes } = registration(deps, sent, before)
  // A build sends its file each time: what it says already needs no right to say it.
  if (outcome === 'unchanged') return { revision: input.revision, snapshot: null, compares, writes }
  demandRegister(deps, caller, { app: sent, before: before?.value ?? null })
  await demandJobs(deps, caller, { app: sent, before: before?.value ?? null })
  const audit = auditPut(deps.keys, deps.clock.now(), {
    by: caller.actor,
    action: 'apply_app',
    outcome,
    app,
    detail: `sent with the request of ${input.revision} for ${environment.name}`,
  })
  return { revision: input.revision, snapshot: null, compares, writes: [...writes, audit] }
}

async function unregistered(deps: Deps, app: string): Promise<string> {
  const words = unknownName('app', app, await appNames(deps))
  return `${words} To register it: gkube app apply -f app.yaml, or gkube deploy -f app.yaml.`
}
