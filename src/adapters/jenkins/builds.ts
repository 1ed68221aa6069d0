// Builds: Jenkins' JSON of freestyle (`changeSet`) and Pipeline (`changeSets`) builds → BuildFacts. What a build says of
// itself is read leniently; its number is all that it must have. Also: stop.
import { z } from 'zod'
import { results } from '../../core/builds/event.ts'
import { type BuildFacts, type Jenkins, JenkinsError } from '../../core/builds/jenkins.ts'
import { actionSchema, actionTree, parametersOf, startOf } from './actions.ts'
import { fault, sentBack, understood } from './answers.ts'
import type { Deps } from './jenkins.ts'
import { count, cut, flag, many, text } from './lenient.ts'
import { buildAt, jobAt, leafOf } from './path.ts'

const changeTree = (most: number) =>
  `items[commitId,id,msg,authorEmail,author[fullName,absoluteUrl]]{0,${most}}`
const buildTree = (changes: number) =>
  [
    'number,result,building,inProgress,queueId,timestamp,duration,estimatedDuration,displayName',
    `actions[${actionTree},lastBuiltRevision[SHA1,branch[name]]]`,
    `changeSet[${changeTree(changes)}],changeSets[${changeTree(changes)}]`,
  ].join(',')

const changeSchema = z.object({
  commitId: text,
  id: text,
  msg: text,
  authorEmail: text,
  author: z.object({ fullName: text, absoluteUrl: text }).nullish().catch(null),
})
const changeSetSchema = z.object({ items: many(changeSchema) })
const buildSchema = z.object({
  number: z.int().positive(),
  result: z.enum(results).nullish().catch(null),
  building: flag,
  inProgress: flag,
  queueId: count,
  timestamp: count,
  duration: count,
  estimatedDuration: count,
  displayName: text,
  actions: many(actionSchema),
  changeSet: changeSetSchema.nullish().catch(null),
  changeSets: many(changeSetSchema),
})
type Raw = z.output<typeof buildSchema>

/** Of one build, and of each of many. */
const mostChanges = 200
const fewChanges = 20

export function jenkinsBuilds({ transport, server, timeouts }: Deps) {
  const { user } = server
  const factsOf = (job: string, raw: Raw): BuildFacts => ({
    number: raw.number,
    queueId: raw.queueId,
    displayName: cut(raw.displayName ?? `#${raw.number}`, 500),
    url: new URL(buildAt(job, raw.number), server.url).href,
    building: raw.building === true || raw.inProgress === true,
    result: raw.result ?? null,
    startedAt: raw.timestamp ?? 0,
    durationMs: raw.duration ?? 0,
    usualMs: raw.estimatedDuration || null,
    ...sourceOf(job, raw),
    ...startOf(raw.actions),
    parameters: parametersOf(raw.actions),
    ...changesOf(raw),
  })

  async function build(job: string, number: number): Promise<BuildFacts> {
    const path = `${buildAt(job, number)}api/json`
    const answer = await transport.get({ path, query: { tree: buildTree(mostChanges) }, ms: timeouts.call })
    return factsOf(job, understood(buildSchema, answer, { to: 'read', thing: nameOf(job, number), user }))
  }

  async function recent(job: string): Promise<readonly BuildFacts[]> {
    const tree = `builds[${buildTree(fewChanges)}]{0,50}`
    const answer = await transport.get({
      path: `${jobAt(job)}api/json`,
      query: { tree },
      ms: timeouts.call,
    })
    const wish = { to: 'read', thing: `the builds of ${job}`, user }
    const { builds } = understood(z.object({ builds: many(buildSchema) }), answer, wish)
    return builds.map(raw => factsOf(job, raw))
  }

  const stop: Jenkins['stop'] = async (job, number) => {
    const request = `${buildAt(job, number)}stop`
    const answer = await transport.post({ path: request, ms: timeouts.call })
    // It sends back to the page one came from, also where the build was over already.
    if (answer.status < 300 || sentBack(answer, { request, page: jobAt(job) })) return
    throw fault(answer, { to: 'stop', thing: nameOf(job, number), user, posted: true })
  }

  return { build, recent, stop }
}

/** `build 12 of shop/web`, as errors say it. */
export const nameOf = (job: string, number: number): string => `build ${number} of ${job}`

const isCommit = (commit: string): boolean => /^[0-9a-f]{7,64}$/.test(commit)

/**
 * The commit and the branch. A build that checks out several repositories (a shared library comes first) has several:
 * then the one of its branch job's name, or of one of its own changes.
 */
function sourceOf(job: string, raw: Raw): Pick<BuildFacts, 'commit' | 'branch'> {
  const changed = new Set(changeSetsOf(raw).flatMap(change => change.commitId ?? change.id ?? []))
  const checkouts = raw.actions.flatMap(({ lastBuiltRevision: revision }) => {
    const commit = revision?.SHA1?.toLowerCase() ?? ''
    return isCommit(commit) ? [{ commit, branch: branchOf(revision?.branch[0]?.name ?? '') }] : []
  })
  const own =
    checkouts.find(({ branch }) => branch === leafOf(job)) ??
    checkouts.find(({ commit }) => changed.has(commit)) ??
    checkouts[0]
  if (own) return own
  const given = raw.actions.flatMap(action => action.parameters).find(({ name }) => name === 'GIT_COMMIT')
  const commit = String(given?.value ?? '').toLowerCase()
  return { commit: isCommit(commit) ? commit : null, branch: null }
}

/** `refs/remotes/origin/main` and `origin/main` are main; a checkout by commit has no branch. */
function branchOf(name: string): string | null {
  const branch = name.replace(/^refs\/(heads|remotes)\//, '').replace(/^(remotes\/)?origin\//, '')
  return branch === '' || branch === 'detached' || branch === 'HEAD' ? null : cut(branch, 500)
}

const changeSetsOf = (raw: Raw) => [
  ...(raw.changeSet?.items ?? []),
  ...raw.changeSets.flatMap(one => one.items),
]

function changesOf(raw: Raw): Pick<BuildFacts, 'changes' | 'changesTotal'> {
  const changes = changeSetsOf(raw).map(({ commitId, id, msg, authorEmail, author }) => ({
    commit: cut(commitId ?? id ?? '', 64),
    author: cut(author?.fullName ?? authorEmail ?? '', 200),
    email: emailOf([authorEmail, author?.absoluteUrl, author?.fullName]),
    message: cut((msg ?? '').trim(), 300),
  }))
  return { changes, changesTotal: changes.length }
}

/** The first that is an e-mail address; Jenkins names users by it where it makes them up from commits. */
function emailOf(candidates: readonly (string | null | undefined)[]): string | null {
  for (const candidate of candidates) {
    const leaf = leafOf(candidate?.replace(/\/$/, '') ?? '')
    if (leaf.length <= 254 && /^[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+$/.test(leaf)) return leaf.toLowerCase()
  }
  return null
}

/** Throws where the build is gone or invisible: tells `settled` from `gone`. */
export async function mustExist(
  { transport, server, timeouts }: Deps,
  job: string,
  number: number,
): Promise<void> {
  const path = `${buildAt(job, number)}api/json`
  const answer = await transport.get({ path, query: { tree: 'number' }, ms: timeouts.call })
  const thing = nameOf(job, number)
  const { number: found } = understood(z.object({ number: count }), answer, {
    to: 'read',
    thing,
    user: server.user,
  })
  if (found !== number) throw new JenkinsError('not_found', `Jenkins does not know ${thing}`)
}
