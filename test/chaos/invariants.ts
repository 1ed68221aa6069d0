// What must hold after any run, judged from outside: from the history of both etcds, from the stand-in Slack, and from
// what the stories were answered. None of gkube's code takes part. Each rule answers with what breaks it.
import type { Message } from '../../src/sandbox/slack/control.ts'
import { historyOf, type Revised, standing } from './history.ts'
import { clusterPrefix, root, type World } from './world.ts'

type Json = Readonly<Record<string, unknown>>
type Deploy = {
  readonly id: string
  readonly app: string
  readonly environment: string
  readonly kind: string
  readonly phase: string
  readonly revision: string
  readonly epoch: number
  readonly approval: null | {
    readonly required: number
    readonly votes: readonly { by: { id: string }; decision: string }[]
  }
  readonly overridden: unknown
  readonly source: { readonly job: string | null; readonly build: number | null }
}
type Object_ = {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid: string
    readonly generation?: number
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly deletionTimestamp?: string
    readonly ownerReferences?: readonly { readonly controller?: boolean }[]
  }
  readonly spec?: Json
  readonly status?: Json
}
type Facts = {
  readonly gkube: readonly Revised[]
  readonly cluster: readonly Revised[]
  readonly world: World
}
type Found = { readonly counted: Readonly<Record<string, number>>; readonly wrong: readonly string[] }
type Rule = (facts: Facts) => Found

const terminal = /^(succeeded|failed|rolled_back|rollback_failed|cancelled|denied|expired|superseded)$/
const below = (changes: readonly Revised[], family: string) =>
  changes.filter(({ key }) => key.startsWith(`${root}${family}/`))
const parsed = <T>(changes: readonly Revised[]) =>
  changes.map(change => ({ ...change, json: change.value === null ? null : (JSON.parse(change.value) as T) }))
const groupBy = <T>(items: readonly T[], keyOf: (item: T) => string) => Map.groupBy(items, keyOf)
const finalDeploys = ({ gkube }: Facts): readonly Deploy[] =>
  [...standing(below(gkube, 'deploys')).values()].map(value => JSON.parse(value) as Deploy)

/** Each accepted request is one deploy, and each deploy ends, once, and stays as it ended. */
const endOnce: Rule = facts => {
  const wrong: string[] = []
  const versions = groupBy(parsed<Deploy>(below(facts.gkube, 'deploys')), ({ key }) => key)
  for (const [key, all] of versions) {
    const first = all.findIndex(({ json }) => json && terminal.test(json.phase))
    if (first < 0) wrong.push(`${key} never ended: ${all.at(-1)?.json?.phase}`)
    else if (first < all.length - 1)
      wrong.push(`${key} was changed after its end, ${all.length - 1 - first} times`)
    const epochs = all.map(({ json }) => json?.epoch ?? 0)
    if (epochs.some((epoch, at) => epoch < (epochs[at - 1] ?? 0))) wrong.push(`${key}: its epoch went down`)
  }
  const known = new Set(finalDeploys(facts).map(({ id }) => id))
  for (const [key, ids] of facts.world.accepted) {
    if (ids.size !== 1) wrong.push(`the key ${key} was answered with ${[...ids].join(' and ')}`)
    for (const id of ids)
      if (!known.has(id)) wrong.push(`${id} was accepted (${key}) and there is no record of it`)
  }
  return { counted: { deploys: versions.size, accepted: facts.world.accepted.size }, wrong }
}

/** Nothing is left over: no owner, slot, queue entry or intent of what is over, and nobody is active. */
const nothingLeft: Rule = ({ gkube }) => {
  const wrong: string[] = []
  const now = standing(gkube)
  for (const family of ['owners', 'slots', 'queue', 'intents', 'open', 'outbox', 'locks', 'inbox'])
    for (const key of now.keys())
      if (key.startsWith(`${root}${family}/`)) wrong.push(`${key} was left behind`)
  const actives = groupBy(
    parsed<{ epoch: number; deploy: string | null }>(below(gkube, 'active')),
    one => one.key,
  )
  for (const [key, all] of actives) {
    if (all.at(-1)?.json?.deploy) wrong.push(`${key} is still ${all.at(-1)?.value}`)
    for (const [at, { json }] of all.entries()) {
      const before = all[at - 1]?.json
      if (before && json && json.epoch < before.epoch)
        wrong.push(`${key}: the epoch went from ${before.epoch} down`)
      if (before?.deploy && json?.deploy && before.deploy !== json.deploy)
        wrong.push(`${key} went from ${before.deploy} to ${json.deploy} without an end between`)
    }
  }
  return { counted: { places: actives.size }, wrong }
}

type Workload = {
  readonly app: string
  readonly environment: string
  readonly namespace: string
  readonly state: string
  readonly image: string
  readonly revision: string
  readonly good: { readonly revision: string } | null
  readonly inventory: readonly { kind: string; namespace?: string; name: string; uid: string }[]
}
type Objects = ReadonlyMap<string, Object_>

/** The cluster runs what the record says, and the record says what last succeeded. */
const asRecorded: Rule = facts => {
  const wrong: string[] = []
  const objects = new Map<string, Object_>()
  for (const value of standing(facts.cluster).values()) {
    const object = JSON.parse(value) as Object_
    objects.set(`${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`, object)
  }
  const lastGood = new Map<string, string>()
  for (const { json } of parsed<Deploy>(below(facts.gkube, 'deploys')))
    if (json?.phase === 'succeeded' && json.kind !== 'scale')
      lastGood.set(`${json.environment}/${json.app}`, json.revision)
  let recorded = 0
  for (const value of standing(below(facts.gkube, 'workloads')).values()) {
    const workload = JSON.parse(value) as Workload
    const place = `${workload.environment}/${workload.app}`
    const good = lastGood.get(place)
    // A first deploy that was cancelled or failed leaves no promise.
    if (!good && !workload.good) continue
    recorded++
    const found = [...againstRecord(workload, good), ...againstCluster(workload, objects)]
    wrong.push(...found.map(text => `${place}: ${text}`))
  }
  for (const { kind, metadata } of objects.values())
    if (kind === 'Job' && metadata.labels?.['app.kubernetes.io/managed-by'] === 'gkube')
      wrong.push(`Job ${metadata.namespace}/${metadata.name} was left behind`)
  return { counted: { workloads: recorded, objects: objects.size }, wrong }
}

function againstRecord({ state, revision, good }: Workload, lastGood: string | undefined): string[] {
  const wrong: string[] = []
  if (state !== 'ready') wrong.push(`is ${state}`)
  if (good?.revision !== lastGood)
    wrong.push(`${good?.revision} is recorded as good, ${lastGood} succeeded last`)
  if (revision !== lastGood) wrong.push(`the record says ${revision}, and ${lastGood} succeeded last`)
  return wrong
}

function againstCluster({ app, namespace, image, inventory }: Workload, objects: Objects): string[] {
  const wrong: string[] = []
  for (const { kind, name, uid, ...item } of inventory)
    if (objects.get(`${kind}/${item.namespace ?? ''}/${name}`)?.metadata.uid !== uid)
      wrong.push(`${kind} ${name} is not the one that is recorded`)
  const main = objects.get(`Deployment/${namespace}/${app}`)
  // What every Deployment has.
  const spec = main?.spec as { replicas: number; template: { spec: { containers: { image: string }[] } } }
  const runs = spec?.template.spec.containers[0]?.image
  if (runs !== image) wrong.push(`runs ${runs}, and the record says ${image}`)
  const ready = Number(main?.status?.readyReplicas ?? 0)
  if (ready !== spec?.replicas) wrong.push(`${ready} of ${spec?.replicas} pods are ready`)
  return wrong
}

/** Once a newer epoch wrote an object, nothing of an older one is accepted on it. */
const fenced: Rule = ({ cluster }) => {
  const wrong: string[] = []
  let writes = 0
  const newest = new Map<string, { epoch: number; own: number; generation: number }>()
  for (const { value, revision } of cluster) {
    if (value === null) continue
    const { kind, metadata } = JSON.parse(value) as Object_
    const own = Number(metadata.annotations?.['gkube.dev/epoch'] ?? 0)
    const epoch = Math.max(own, Number(metadata.annotations?.['gkube.dev/fence'] ?? 0))
    // A ReplicaSet bears a copy of its Deployment's annotations, and is its controller's.
    if (epoch === 0 || metadata.ownerReferences?.some(({ controller }) => controller)) continue
    const before = newest.get(metadata.uid)
    const generation = metadata.generation ?? 0
    newest.set(metadata.uid, { epoch, own, generation })
    if (!before) continue
    const what = `${kind} ${metadata.namespace}/${metadata.name} at ${revision}`
    const wrote = own !== before.own || generation !== before.generation
    if (wrote) writes++
    if (epoch < before.epoch) wrong.push(`${what}: epoch ${epoch} after ${before.epoch}`)
    // A write says its own epoch; the fence of a take-over stays beside it.
    else if (wrote && metadata.deletionTimestamp === undefined && own < before.epoch)
      wrong.push(`${what}: written by epoch ${own} after ${before.epoch}`)
  }
  return {
    counted: { 'objects that carry an epoch': newest.size, 'writes that raised or kept it': writes },
    wrong,
  }
}

const marked = ({ metadata }: Message): { deploy?: string; key?: string } =>
  metadata?.event_type === 'gkube_message'
    ? (metadata.event_payload as { deploy?: string; key?: string })
    : {}

const words: Readonly<Record<string, RegExp>> = {
  succeeded: /live|is back|runs \d|scaled|restarted|rolled back to/i,
  rolled_back: /rolled back/i,
  cancelled: /cancelled/i,
  failed: /failed/i,
  denied: /denied/i,
  superseded: /superseded|newer/i,
}

/** One message for each deploy that is told of, and it shows the end. */
const toldOnce: Rule = facts => {
  const wrong: string[] = []
  const { control } = facts.world.slack
  const all = ['staging', 'production'].flatMap(channel => control.messages(channel))
  const mains = groupBy(
    all.filter(one => marked(one).key === 'main'),
    one => String(marked(one).deploy),
  )
  let told = 0
  for (const deploy of finalDeploys(facts)) {
    if (deploy.environment === 'lab' || deploy.environment === 'guarded') continue
    told++
    const found = mains.get(deploy.id) ?? []
    if (found.length !== 1) wrong.push(`${deploy.id} (${deploy.phase}) has ${found.length} messages`)
    const shown = `${found[0]?.text} ${JSON.stringify(found[0]?.blocks)}`
    if (found[0] && !words[deploy.phase]?.test(shown))
      wrong.push(`the message of ${deploy.id} (${deploy.phase}) says: ${found[0].text}`)
  }
  return { counted: { 'deploys that are told of': told, messages: all.length }, wrong }
}

/** A vote counts once, is audited once, and nothing runs without those it needs. */
const votesOnce: Rule = facts => {
  const wrong: string[] = []
  const audit = parsed<{ action: string; deploy: string | null }>(below(facts.gkube, 'audit'))
  let votes = 0
  for (const { id, approval } of finalDeploys(facts)) {
    const cast = approval?.votes ?? []
    votes += cast.length
    if (new Set(cast.map(({ by, decision }) => `${by.id} ${decision}`)).size !== cast.length)
      wrong.push(`${id}: somebody's vote counts twice`)
    const entries = audit.filter(({ json }) => json?.action === 'vote' && json.deploy === id).length
    if (entries !== cast.length) wrong.push(`${id}: ${cast.length} votes, ${entries} entries of the audit`)
  }
  const begun = new Set<string>()
  for (const { json: deploy } of parsed<Deploy>(below(facts.gkube, 'deploys'))) {
    if (deploy?.phase !== 'running' || begun.has(deploy.id)) continue
    begun.add(deploy.id)
    const given = deploy.approval?.votes.filter(({ decision }) => decision === 'approve').length ?? 0
    if (given < (deploy.approval?.required ?? 0) && !deploy.overridden)
      wrong.push(`${deploy.id} ran with ${given} of ${deploy.approval?.required} approvals`)
  }
  return { counted: { votes, 'deploys that ran': begun.size }, wrong }
}

/** The first hook of a workload succeeded once, whoever died around it; no Job was made twice for one step of a deploy. */
const initOnce: Rule = ({ cluster }) => {
  const wrong: string[] = []
  const jobs = new Map<string, Object_>()
  for (const { key, value } of cluster)
    if (value !== null && key.includes('/batch/jobs/')) {
      const job = JSON.parse(value) as Object_
      jobs.set(job.metadata.uid, job)
    }
  const succeeded = groupBy(
    [...jobs.values()].filter(
      ({ metadata, status }) => metadata.name.includes('-init-') && Number(status?.succeeded ?? 0) > 0,
    ),
    ({ metadata }) => `${metadata.namespace}/${metadata.labels?.['app.kubernetes.io/name'] ?? metadata.name}`,
  )
  for (const [place, made] of succeeded)
    if (made.length > 1) wrong.push(`${place} was initialised ${made.length} times`)
  const byName = groupBy([...jobs.values()], ({ metadata }) => `${metadata.namespace}/${metadata.name}`)
  for (const [name, made] of byName)
    if (made.filter(({ status }) => Number(status?.succeeded ?? 0) > 0).length > 1)
      wrong.push(`Job ${name} succeeded ${made.length} times`)
  return { counted: { jobs: jobs.size, initialised: succeeded.size }, wrong }
}

/** Each build was deployed once, and each deploy has one entry for its request and one for its end. */
const audited: Rule = facts => {
  const wrong: string[] = []
  const builds = groupBy(
    finalDeploys(facts).filter(({ source }) => source.build !== null),
    ({ environment, app, source }) => `${environment}/${app}: ${source.job} #${source.build}`,
  )
  for (const [build, made] of builds)
    if (made.length > 1) wrong.push(`${build} was deployed ${made.length} times`)
  const entries = groupBy(
    parsed<{ action: string; deploy: string | null; outcome: string }>(below(facts.gkube, 'audit')),
    ({ json }) => json?.deploy ?? '',
  )
  for (const { id, phase } of finalDeploys(facts)) {
    const of = (entries.get(id) ?? []).flatMap(({ json }) => (json ? [json] : []))
    const asked = of.filter(({ action }) => action.startsWith('request_')).length
    const ends = of.filter(
      ({ outcome, action }) => outcome === phase && !action.startsWith('request_'),
    ).length
    if (asked !== 1 || ends !== 1) wrong.push(`${id}: ${asked} entries of its request, ${ends} of its end`)
  }
  return {
    counted: { builds: builds.size, 'entries of the audit': [...entries.values()].flat().length },
    wrong,
  }
}

const rules = { endOnce, nothingLeft, asRecorded, fenced, toldOnce, votesOnce, initOnce, audited }

/** Waits until all is quiet, then judges; prints what it counted. */
export async function judge(world: World): Promise<readonly string[]> {
  const late = await quiet(world)
  const facts: Facts = {
    gkube: await historyOf(world.members.endpoints, root),
    cluster: await historyOf([world.clusterEtcd], clusterPrefix),
    world,
  }
  const found = [
    ...Object.entries(rules).map(([name, rule]) => ({ name, ...rule(facts) })),
    { name: 'chained', ...(await chained(world)) },
  ]
  const wrong = found.flatMap(({ name, wrong }) => wrong.map(text => `${name}: ${text}`))
  const counted = Object.assign({}, ...found.map(one => one.counted), {
    'replicas killed': world.replicas.deaths(),
    violations: wrong.length,
  })
  process.stdout.write(`${JSON.stringify(counted, null, 2)}\n`)
  return [...late, ...world.replicas.failures, ...wrong]
}

type Report = {
  readonly environment: string
  readonly sealed: number
  readonly seals: number
  readonly tail: { readonly entries: number }
  readonly breaks: readonly unknown[]
}

/** As an operator checks it: `gkube audit verify`. */
async function chained(world: World): Promise<Found> {
  const reports = (await world.events('/v1/audit/verify')) as readonly Report[]
  const sum = (of: (report: Report) => number) => reports.reduce((total, report) => total + of(report), 0)
  const wrong = reports.flatMap(({ environment, breaks }) =>
    breaks.map(one => `${environment}: ${JSON.stringify(one)}`),
  )
  if (reports.length === 0) wrong.push('nothing was reported')
  const counted = {
    seals: sum(one => one.seals),
    sealed: sum(one => one.sealed),
    'not sealed yet': sum(one => one.tail.entries),
  }
  return { counted, wrong }
}

/** Everything that was asked is over and told, as far as etcd knows. */
async function quiet(world: World): Promise<readonly string[]> {
  await world.members.healthy()
  await world.replicas.allReady()
  const client = new (await import('etcd3')).Etcd3({ hosts: [...world.members.endpoints] })
  const left = async () => [
    ...(await client.getAll().prefix(`${root}open/`).keys()),
    ...(await client.getAll().prefix(`${root}outbox/`).keys()),
    ...(await client.getAll().prefix(`${root}inbox/`).keys()),
  ]
  try {
    for (const end = Date.now() + 240_000; Date.now() < end; )
      if ((await left().catch(() => ['?'])).length === 0) return []
      else await new Promise(done => setTimeout(done, 500))
    return [`four minutes later there is still: ${(await left()).join(', ')}`]
  } finally {
    client.close()
  }
}
