// `gkube adopt`: first what taking a workload over would change and all that was found around it, then, asked for
// with the hash of that, a deploy of kind adopt. What is shown and what is done are worked out by the same code.
import { UserError } from '../../errors.ts'
import { type Adoption, imageOf, revisionIn } from '../adoption/adoption.ts'
import { movesWith } from '../adoption/foreign.ts'
import { previewOf } from '../adoption/preview.ts'
import { namesOf, podsOfWorkload, readByPods, survey } from '../adoption/survey.ts'
import type { AdoptionInput, AdoptionPlan } from '../adoption/verbs.ts'
import { specFor } from '../app-environment.ts'
import { unifiedDiff } from '../changes/diff.ts'
import { type Cluster, ClusterError, type KubeObject, nameOf } from '../cluster.ts'
import type { Caller, Core, PlannedObject } from '../core.ts'
import type { AdoptParams } from '../deploy.ts'
import { type Environment, namespaceOf } from '../environment.ts'
import { Refusal } from '../freezing.ts'
import { fieldPaths, isOwn, managedEntries } from '../managed-fields.ts'
import { demand } from '../policy.ts'
import { changedSinceShown, type Prepared, workOut } from '../prepare.ts'
import { newId } from '../records.ts'
import { suggest } from '../suggest.ts'
import type { Frozen } from '../workload.ts'
import { appNamed } from './apps.ts'
import { clusterOf, type Deps, environmentNamed } from './deps.ts'
import { request } from './request.ts'

export function adoption(deps: Deps): Pick<Core, 'planAdoption' | 'adopt'> {
  const ask = request(deps)
  return {
    async planAdoption(caller, input) {
      const { environment, params, revision } = await wanted(deps, caller, input)
      const worked = await work(deps, input, params, revision)
      return planOf(worked, { environment, params })
    },
    async adopt(caller, { confirm, idempotencyKey, wait, source, ...input }) {
      const { params, revision } = await wanted(deps, caller, input)
      const adopt = { ...params, confirm }
      const { app, environment } = input
      const asked = {
        kind: 'adopt' as const,
        app,
        environment,
        revision,
        adopt,
        wait,
        source,
        idempotencyKey,
      }
      const worked = await work(deps, input, adopt, revision)
      if (worked.adoption.hash !== confirm)
        throw new UserError('conflict', changedSinceShown, { details: { hash: worked.adoption.hash } })
      if (worked.refusals.length > 0) throw new UserError('conflict', worked.refusals.join(' '))
      return ask(caller, {
        ...asked,
        claims: [],
        replace: false,
        force: false,
        olderBuild: false,
        again: false,
      })
    },
  }
}

const kindsByName: Readonly<Record<string, AdoptParams['kind']>> = {
  deployment: 'Deployment',
  deployments: 'Deployment',
  deploy: 'Deployment',
  statefulset: 'StatefulSet',
  statefulsets: 'StatefulSet',
  sts: 'StatefulSet',
  replicationcontroller: 'ReplicationController',
  replicationcontrollers: 'ReplicationController',
  rc: 'ReplicationController',
}

/** What is asked for, in the terms of the record. */
async function wanted(deps: Deps, caller: Caller, input: AdoptionInput) {
  const environment = environmentNamed(deps, input.environment)
  demand(caller, 'adopt', { app: input.app, environment }, deps.people)
  const { value: app } = await appNamed(deps, input.app)
  const spec = specFor(app, environment.name)
  const params = paramsOf(input)
  const cluster = clusterOf(deps, environment)
  const revision = input.revision ?? (await runningRevision(cluster, environment, { spec, params }))
  return { environment, params, revision }
}

function paramsOf({ workload, forceFrom, takeFrom, replaceByDeployment }: AdoptionInput): AdoptParams {
  const [word = '', name = '', more] = workload.split('/')
  const kind = Object.hasOwn(kindsByName, word.toLowerCase()) ? kindsByName[word.toLowerCase()] : undefined
  if (!kind || more !== undefined || !/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name))
    throw new UserError(
      'bad_input',
      `${workload} names no workload: --workload deployment/<name>, statefulset/<name> or replicationcontroller/<name>.`,
    )
  return { kind, name, forceFrom, takeFrom, replaceByDeployment, confirm: '' }
}

/** What runs there, by its image: adopting shall not change it unasked. */
async function runningRevision(
  cluster: Cluster,
  environment: Environment,
  { spec, params }: { spec: Frozen['spec']; params: AdoptParams },
): Promise<string> {
  const namespace = namespaceOf(environment, spec.app)
  const found = await asked(cluster, () => survey(cluster, { app: spec.app, namespace }, params))
  if (!found) throw await noneThere(cluster, namespace, params)
  const image = imageOf(found.live)
  const named = revisionIn(image, spec.image)
  const keeps = params.kind === 'ReplicationController' && !params.replaceByDeployment
  const last = revisionIn(image, `${image.split('@')[0]?.replace(/:[^:/]*$/, '')}:{revision}`)
  if (named) return named
  if (keeps || spec.kind === 'manifests') return last ?? 'adopted'
  throw new UserError(
    'bad_input',
    `It runs ${image}, which is not ${spec.image}: say what the app shall run there, --revision <revision>.`,
  )
}

async function noneThere(
  cluster: Cluster,
  namespace: string,
  { kind, name }: AdoptParams,
): Promise<UserError> {
  const names = await asked(cluster, () => namesOf(cluster, namespace, kind))
  const near = suggest(name, names)
  const there =
    names.length > 0 ? `There are: ${names.slice(0, 10).join(', ')}.` : `There is no ${kind} at all.`
  return new UserError(
    'not_found',
    `There is no ${kind} ${name} in namespace ${namespace}. ${near ? `Did you mean \`${near}\`? ` : ''}${there}`,
  )
}

/** A cluster that does not answer, or refuses, in words for people. */
async function asked<T>(cluster: Cluster, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    if (error.kind === 'forbidden')
      throw new UserError(
        'conflict',
        `gkube may not read what it would take over: ${error.message}. See: gkube rbac (a ReplicationController needs environments.<name>.allow.kinds).`,
      )
    throw new UserError('unavailable', `Cluster ${cluster.name} does not answer: ${error.message}`)
  }
}

async function work(
  deps: Deps,
  input: AdoptionInput,
  adopt: AdoptParams,
  revision: string,
): Promise<Prepared & { adoption: Adoption }> {
  const now = deps.clock.now()
  const { app, environment } = input
  const lookups = {
    ...deps,
    environment: (name: string) => deps.environments.get(name),
    cluster: (name: string) => deps.clusters.get(name),
  }
  const params = { replicas: null, claims: [], spec: null, replace: false, force: false, adopt }
  try {
    const kind = 'adopt' as const
    const worked = await workOut(lookups, {
      id: newId(now),
      kind,
      app,
      environment,
      revision,
      requestedAt: now,
      params,
    })
    if (!worked.adoption) throw new Error('an adoption was not worked out')
    return { ...worked, adoption: worked.adoption }
  } catch (error) {
    if (error instanceof Refusal)
      throw new UserError('conflict', error.message, { details: { reason: error.cause.reason } })
    if (error instanceof ClusterError)
      throw new UserError('unavailable', `The cluster refused: ${error.message}`)
    throw error
  }
}

async function planOf(
  worked: Prepared & { adoption: Adoption },
  { environment, params }: { environment: Environment; params: AdoptParams },
): Promise<AdoptionPlan> {
  const { adoption: found, cluster, frozen } = worked
  const moves = movesWith(params)
  const refusals = [...worked.refusals]
  const objects: PlannedObject[] = []
  for (const { wanted, live } of found.pairs) {
    const { refused, planned } = await plannedObject(cluster, wanted, live, moves)
    objects.push(planned)
    refusals.push(...refused)
  }
  return {
    app: frozen.app,
    environment: environment.name,
    workload: nameOf(found.survey.live),
    revision: frozen.revision,
    image: frozen.image,
    steps: worked.steps,
    hash: found.hash,
    objects,
    found: await foundAround(cluster, found, params),
    managers: found.takenObjects.flatMap(object => managersOf(object, moves)),
    notes: [...(worked.pinning ? [`image ${worked.pinning}`] : []), ...found.notes],
    refusals: [...new Set(refusals)],
  }
}

async function plannedObject(
  cluster: Cluster,
  wanted: KubeObject,
  live: KubeObject | null,
  moves: ReturnType<typeof movesWith>,
): Promise<{ planned: PlannedObject; refused: readonly string[] }> {
  const object = nameOf(wanted)
  if (live) {
    const { diff, warnings, refusals } = await previewOf(cluster, { wanted, live }, moves)
    return { planned: { object, action: diff ? 'change' : 'none', diff, warnings }, refused: refusals }
  }
  try {
    const { object: made, warnings } = await cluster.create(wanted, { dryRun: true })
    return { planned: { object, action: 'create', diff: unifiedDiff(null, made), warnings }, refused: [] }
  } catch (error) {
    if (!(error instanceof ClusterError) || error.kind === 'unavailable') throw error
    const planned: PlannedObject = { object, action: 'create', diff: unifiedDiff(null, wanted), warnings: [] }
    return { planned, refused: [`${object}: the server refuses it: ${error.message}`] }
  }
}

const managersOf = (object: KubeObject, moves: ReturnType<typeof movesWith>): AdoptionPlan['managers'] =>
  managedEntries(object)
    .filter(entry => !isOwn(entry) && entry.subresource !== 'status')
    .map(entry => ({
      object: nameOf(object),
      manager: entry.manager,
      fields: fieldPaths(entry.fieldsV1).length,
      at: entry.time ? Date.parse(entry.time) || null : null,
      moves: moves(entry),
    }))

const mostPods = 20

async function foundAround(
  cluster: Cluster,
  { survey: found, takenObjects }: Adoption,
  params: AdoptParams,
): Promise<AdoptionPlan['found']> {
  const pods = await podsOfWorkload(cluster, found)
  const keeps = params.kind === 'ReplicationController' && !params.replaceByDeployment
  const becomes = (object: KubeObject, otherwise: string) => ({
    object: nameOf(object),
    becomes:
      takenObjects.includes(object) || takenObjects.some(one => one.metadata.uid === object.metadata.uid)
        ? "gkube's"
        : otherwise,
  })
  const replaced = keeps ? 'stays' : 'is replaced by a new one'
  const { services, budgets, autoscalers } = found.around
  const namespace = found.live.metadata.namespace ?? ''
  const ending = params.replaceByDeployment
    ? [{ object: nameOf(found.live), becomes: 'hands over pod by pod, then is deleted' }]
    : []
  return [
    ...ending,
    ...(pods ?? []).slice(0, mostPods).map(pod => ({ object: nameOf(pod), becomes: replaced })),
    ...((pods?.length ?? 0) > mostPods
      ? [{ object: `${(pods?.length ?? 0) - mostPods} pods more`, becomes: replaced }]
      : []),
    ...services.map(one => becomes(one, 'stays as it is, and selects the new pods too')),
    ...autoscalers.map(one => becomes(one, 'stays as it is')),
    ...budgets.map(one => becomes(one, 'stays as it is, and counts the new pods too')),
    ...readByPods(found.live).map(name => {
      const [kind, object] = name.split(' ')
      return { object: `${kind} ${namespace}/${object}`, becomes: 'stays as it is' }
    }),
  ]
}
