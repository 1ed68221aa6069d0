// The commits that a deploy brings: the changes of all builds of its job after the one that runs now, as far as gkube
// knows them. Shown to those who approve, never part of what they approve.
import type { Deploy } from '../deploy.ts'
import type { Keys } from '../keys.ts'
import type { Kv } from '../kv.ts'
import type { Planned } from '../messages.ts'
import { decodeAll, type UnreadableRecord } from '../records.ts'
import { redactText } from '../redact.ts'
import { type Build, buildDeploySchema, buildRefSchema, buildSchema } from './build.ts'
import { buildOf } from './build-key.ts'

/** More builds lie between than this: nobody reads that many commits. */
const mostBuilds = 50
const most = 20
const longest = 120

/** What cannot be read is left out, and the list then says that it is not all. */
const unreadable = (_: UnreadableRecord): void => undefined

/** Undefined where it is not known which build runs now, or nothing lies between. `base`: the revision that runs. */
export async function commitsSince(
  { kv, keys }: { readonly kv: Pick<Kv, 'getMany' | 'list'>; readonly keys: Keys },
  deploy: Deploy,
  base: string,
): Promise<Planned['commits']> {
  const build = buildOf(deploy)
  if (!build || base === '' || base === deploy.revision) return undefined
  const { job, number } = build
  const prefix = keys.buildDeploys(deploy.environment, deploy.app, job)
  const deployed = decodeAll(buildDeploySchema, (await kv.list(prefix)).entries, unreadable)
  const before = deployed
    .filter(one => one.value.revision === base)
    .map(one => Number(one.key.slice(prefix.length)))
    .filter(one => one < number)
  const from = Math.max(0, ...before)
  if (from === 0) return undefined
  const builds = await buildsBetween({ kv, keys }, job, { from, to: number })
  const changes = builds.flatMap(one => one.changes)
  const list = [...new Map(changes.map(one => [one.commit, one])).values()]
  const told = builds.reduce((sum, one) => sum + one.changesTotal, 0)
  if (list.length === 0) return undefined
  const repeated = changes.length - list.length
  return {
    list: list.slice(0, most).map(({ commit, author, message }) => ({
      commit,
      author,
      message: redactText(message.split('\n')[0] ?? '').slice(0, longest),
    })),
    total: Math.max(list.length, told - repeated),
    all: builds.length === number - from && builds.every(one => one.verified),
  }
}

/** Newest first; `from` is not among them. */
async function buildsBetween(
  { kv, keys }: { readonly kv: Pick<Kv, 'getMany' | 'list'>; readonly keys: Keys },
  job: string,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<readonly Build[]> {
  const { entries } = await kv.list(keys.jenkinsNumbers(job), {
    limit: mostBuilds,
    reverse: true,
    after: keys.jenkinsNumber(job, to + 1),
  })
  const between = entries.filter(one => one.key > keys.jenkinsNumber(job, from))
  const ids = decodeAll(buildRefSchema, between, unreadable).map(one => keys.jenkinsBuild(one.value.id))
  const records = await kv.getMany(ids)
  return decodeAll(
    buildSchema,
    ids.flatMap(id => records.get(id) ?? []),
    unreadable,
  ).map(one => one.value)
}
