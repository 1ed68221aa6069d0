// What a request stands on besides the app itself: what runs in another environment (promote), or the deploy whose
// message a person clicked on. Both are read again at the request: what a message showed may be long gone.
import { UserError } from '../../errors.ts'
import { activeSchema } from '../coordination.ts'
import type { Caller, RequestInput } from '../core.ts'
import { deploySchema } from '../deploy.ts'
import type { Environment } from '../environment.ts'
import { type Compare, type Entry, newer } from '../kv.ts'
import { demand } from '../policy.ts'
import { decode, read, unchanged } from '../records.ts'
import { ago } from '../times.ts'
import { type Artifact, workloadSchema } from '../workload.ts'
import { type Deps, environmentNamed } from './deps.ts'

type Asked = Pick<RequestInput, 'from' | 'revision' | 'basedOn'> & { readonly kind: string }
type Place = { readonly app: string; readonly environment: Environment }

type Promoted = {
  readonly revision: string
  readonly image: string | null
  readonly artifact: Artifact | null
}

/** What runs in `from`, and worked there: its revision, its image where that is pinned to a digest, and its code. */
export async function promoted(
  deps: Deps,
  caller: Caller,
  { kind, from, revision }: Asked & { from: string },
  { app, environment }: Place,
): Promise<Promoted> {
  const source = environmentNamed(deps, from)
  if (kind !== 'deploy')
    throw new UserError('bad_input', `Only a deploy is promoted from ${from}, not a ${kind}.`)
  if (revision !== undefined)
    throw new UserError(
      'bad_input',
      `Name a revision or what to promote from, not both: ${revision} or what runs in ${from}.`,
    )
  if (source.name === environment.name)
    throw new UserError(
      'bad_input',
      `${app} cannot be promoted from ${from} to itself. Name two environments.`,
    )
  demand(caller, 'view', { app, environment: { ...source, protected: false } }, deps.people)
  const stored = await read(deps.kv, workloadSchema, deps.keys.workload(from, app))
  if (!stored)
    throw new UserError(
      'not_found',
      `${app} does not run in ${from}, so there is nothing to promote. Deploy it there first, or name a revision.`,
    )
  const { good, spec, state, revision: running, image, digest } = stored.value
  if (state === 'creating' || good?.spec !== spec)
    throw new UserError(
      'conflict',
      `${app} ${running} has not succeeded in ${from} (yet), so it is not promoted.${good ? ` The last that did is ${good.revision}.` : ''} To deploy one anyway, name its revision.`,
      { details: { running, good: good?.revision ?? null } },
    )
  const artifact = (await deps.specs.get(spec))?.artifact ?? null
  return { revision: running, image: digest === null ? null : image, artifact }
}

/**
 * Compares that hold while nothing changed the workload since the deploy `basedOn`; UserError `conflict` where a
 * later one did, or does right now. Later is by etcd's revisions: no clock is asked.
 */
export async function basis(
  deps: Deps,
  basedOn: string,
  { app, environment }: Place,
  workloadEntry: Entry | undefined,
): Promise<Compare[]> {
  const { keys } = deps
  const deployKey = keys.deploy(basedOn)
  const activeKey = keys.active(environment.name, app)
  const found = await deps.kv.getMany([deployKey, activeKey])
  const entry = found.get(deployKey)
  const shown = entry && /^[a-z0-9]{1,40}$/.test(basedOn) ? decode(deploySchema, entry) : null
  if (!shown) throw gone({ app, environment })
  if (shown.value.app !== app || shown.value.environment !== environment.name)
    throw new UserError(
      'bad_input',
      `Deploy ${basedOn} is of ${shown.value.app} in ${shown.value.environment}, not of ${app} in ${environment.name}.`,
    )
  const activeEntry = found.get(activeKey)
  const active = activeEntry ? decode(activeSchema, activeEntry) : null
  const runs = active?.value.deploy ?? null
  if (runs && runs !== basedOn) throw await running(deps, runs, { app, environment })
  const workload = workloadEntry ? decode(workloadSchema, workloadEntry) : null
  const { deploy: last, deployedBy, revision, updatedAt } = workload?.value ?? {}
  if (workload && last !== basedOn && newer(workload.modRevision, shown.modRevision))
    throw new UserError(
      'conflict',
      `${app} in ${environment.name} was changed ${ago(updatedAt ?? 0, deps.clock.now())} by @${deployedBy} (it runs ${revision} now), after the deploy that you ask about. Look at what runs now and ask from there.`,
      { details: { deploy: last, revision } },
    )
  return [unchanged(keys.workload(environment.name, app), workload), unchanged(activeKey, active)]
}

const gone = ({ app, environment }: Place): UserError =>
  new UserError(
    'conflict',
    `That deploy is not kept any more: others came after it. Look at what ${app} runs in ${environment.name} now and ask from there.`,
  )

async function running(deps: Deps, id: string, { app, environment }: Place): Promise<UserError> {
  const stored = await read(deps.kv, deploySchema, deps.keys.deploy(id))
  const what = stored
    ? `the ${stored.value.kind} of ${stored.value.revision} by @${stored.value.requestedBy.name}`
    : 'another deploy'
  return new UserError(
    'conflict',
    `${app} in ${environment.name} is being changed right now by ${what}. Wait for its end and look again.`,
    { details: { deploy: id } },
  )
}
