// Named points where a process can be made to die, for tests of crashes only: serve.ts loads this file when
// GKUBE_FAIL_POINTS names a folder, and without it nothing here is there, so production pays nothing. A file in that
// folder with a point's name arms it: whoever passes the point first removes the file and dies at once (kill -9).
// Names say what is done: an etcd transaction by what it writes, a write to a cluster, a call of Slack or Jenkins.
import { appendFileSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from './core/cluster.ts'
import type { HookLog } from './core/deploy.ts'
import type { Commit, Kv, Write } from './core/kv.ts'
import { componentLabel } from './core/objects/labels.ts'

export type FailPoints = {
  /** `root`: where gkube's keys live. */
  kv<T extends Kv>(kv: T, root: string): T
  cluster<T extends Cluster>(cluster: T): T
  /** Every function of `side` becomes `<name>:<function>`: a messenger, a Jenkins, a pool. */
  side<T extends object>(side: T, name: string): T
}

/**
 * The points of the paths that every gkube has: create, update, rollback, approval, hooks, locks, messages. Each has a
 * `before:` and an `after:`. Further ones come by themselves, with new steps and new kinds of object.
 */
export const failPointNames: readonly string[] = [
  'etcd:request',
  'etcd:prepare',
  'etcd:prepared',
  'etcd:awaiting_approval',
  'etcd:vote',
  'etcd:claim',
  'etcd:take_over',
  'etcd:cancel',
  'etcd:supersede',
  'etcd:intent',
  'etcd:step:init',
  'etcd:step:before',
  'etcd:step:apply',
  'etcd:step:rollout',
  'etcd:step:after',
  'etcd:step:record',
  'etcd:hook-result',
  'etcd:rollback',
  'etcd:step:recover',
  'etcd:ended:succeeded',
  'etcd:ended:rolled_back',
  'etcd:ended:cancelled',
  'etcd:message:posting',
  'etcd:message:posted',
  'etcd:elect:notifier',
  'etcd:inbox',
  'etcd:lock',
  'etcd:unlock',
  'cluster:create:Deployment',
  'cluster:create:Service',
  'cluster:create:Job',
  'cluster:apply:Deployment',
  'cluster:stamp:Deployment',
  'cluster:remove:Job',
  'cluster:try:Deployment',
  'slack:post',
  'slack:update',
].flatMap(name => [`before:${name}`, `after:${name}`])

/** `die` must not return; default: SIGKILL to this process. */
export function failPoints(folder: string, die: () => never = killed): FailPoints {
  const met = new Set<string>()

  function pass(name: string): void {
    if (!met.has(name)) {
      met.add(name)
      appendFileSync(join(folder, '.met'), `${name}\n`)
    }
    try {
      // One of all replicas succeeds.
      unlinkSync(join(folder, name))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    die()
  }

  const around =
    <A extends readonly unknown[], R>(
      work: (...args: A) => Promise<R>,
      namesOf: (...args: A) => string | readonly string[],
    ) =>
    async (...args: A): Promise<R> => {
      const names = [namesOf(...args)].flat()
      for (const name of names) pass(`before:${name}`)
      const result = await work(...args)
      for (const name of names) pass(`after:${name}`)
      return result
    }

  return {
    kv: (kv, root) => ({
      ...kv,
      commit: around(kv.commit, commit => commitNames(commit, root).map(name => `etcd:${name}`)),
    }),
    cluster: cluster => ({
      ...cluster,
      create: around(cluster.create, ({ kind, metadata }, how) => {
        const name = `cluster:${how?.dryRun ? 'try' : 'create'}:${kind}`
        const step = metadata.labels?.[componentLabel]
        return kind === 'Job' && step ? [name, `${name}:${step}`] : name
      }),
      apply: around(cluster.apply, ({ kind }, how) => `cluster:${how?.dryRun ? 'try' : 'apply'}:${kind}`),
      stamp: around(cluster.stamp, ({ kind }) => `cluster:stamp:${kind}`),
      patch: around(cluster.patch, ({ kind }) => `cluster:patch:${kind}`),
      remove: around(cluster.remove, ({ kind }) => `cluster:remove:${kind}`),
      exec: around(cluster.exec, () => 'cluster:exec'),
    }),
    side<T extends object>(side: T, name: string): T {
      const wrapped = Object.entries(side).map(([method, work]) => [
        method,
        typeof work === 'function' ? around(work, () => `${name}:${method}`) : work,
      ])
      // The same functions under the same names; all of them answer with promises.
      return Object.fromEntries(wrapped) as T
    },
  }
}

function killed(): never {
  process.kill(process.pid, 'SIGKILL')
  // The signal is on its way: nothing more may happen.
  for (;;);
}

type Put = Extract<Write, { kind: 'put' }>
type Json = Readonly<Record<string, unknown>>

/** Its name, and a closer one where a path has several of it. */
function commitNames(commit: Commit, root: string): string[] {
  const name = commitName(commit, root)
  const [first] = commit.writes
  if (first?.kind !== 'put' || (name !== 'hook-result' && name !== 'ticket')) return [name]
  const { hooks, firstUsedAt } = jsonOf(first)
  const step = (hooks as HookLog['hooks'] | undefined)?.at(-1)?.step // of hooklogs/ only
  if (step) return [name, `${name}:${step}`]
  return firstUsedAt ? [name, `${name}-used`] : [name]
}

/** What a transaction does, in a word: by the record that it is about. */
function commitName({ compares, writes }: Commit, root: string): string {
  const familyOf = ({ key }: Pick<Write, 'key'>) => key.slice(root.length).split('/', 1)[0] ?? ''
  const puts = writes.filter(write => write.kind === 'put')
  const deploy = puts.find(write => familyOf(write) === 'deploys')
  if (deploy) {
    const isNew = compares.some(({ kind, key }) => kind === 'absent' && key === deploy.key)
    const audit = puts.find(write => familyOf(write) === 'audit')
    return isNew ? 'request' : deployName(jsonOf(deploy), audit ? jsonOf(audit).action : undefined)
  }
  // What comes along with others says nothing.
  const first = writes.find(write => !['audit', 'seen'].includes(familyOf(write))) ?? writes[0]
  if (!first) return 'nothing'
  const family = familyOf(first)
  const isPut = first.kind === 'put'
  if (family === 'leaders') return `${isPut ? 'elect' : 'resign'}:${first.key.split('/').at(-1)}`
  if (!isPut) return family === 'locks' ? 'unlock' : `${family}-gone`
  return family === 'messages' ? messageName(jsonOf(first)) : (putNames[family] ?? family)
}

const putNames: Readonly<Record<string, string>> = {
  locks: 'lock',
  freezes: 'freeze',
  intents: 'intent',
  hooklogs: 'hook-result',
  artifacts: 'ticket',
}

/** What people and other replicas do; the steps of the owner are known by where they lead. */
const events = [
  'vote',
  'claim',
  'take_over',
  'cancel',
  'supersede',
  'override',
  'expire',
  'release',
  'replan',
]

function deployName(deploy: Json, action: unknown): string {
  if (events.includes(String(action))) return String(action)
  const phase = String(deploy.phase)
  if (deploy.endedAt !== null) return `ended:${phase}`
  const steps = (deploy.steps ?? []) as readonly { readonly name: string; readonly state: string }[]
  const running = steps.find(({ state }) => state === 'running')?.name
  switch (phase) {
    case 'preparing':
      return 'prepare'
    case 'ready':
      return 'prepared'
    case 'running':
    case 'rolling_back':
      return running === 'restore' ? 'rollback' : `step:${running}`
    default:
      return phase
  }
}

function messageName({ main }: Json): string {
  const { state } = (main ?? {}) as { readonly state?: string }
  return `message:${state ?? 'begun'}`
}

// Written by records.ts, which writes JSON objects only.
const jsonOf = (put: Put): Json => JSON.parse(put.value) as Json
