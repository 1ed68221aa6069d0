// Points where a test makes a replica die: each is named by what is done there, is armed by a file, and takes one
// replica with it. That they work on real processes is shown in test/chaos/.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Cluster, KubeObject } from '../src/core/cluster.ts'
import type { Commit, Kv } from '../src/core/kv.ts'
import { put, remove } from '../src/core/records.ts'
import { failPointNames, failPoints } from '../src/fail-points.ts'

const root = '/gkube/v1/'
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gkube-points-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

class Died extends Error {}
const die = (): never => {
  throw new Died()
}
const met = () => readFileSync(join(folder, '.met'), 'utf8').trim().split('\n')

/** Only commits: the rest of a store is not touched. */
function storeOf() {
  const commits: Commit[] = []
  const commit: Kv['commit'] = async one => {
    commits.push(one)
    return { committed: true, revision: '1' }
  }
  const kv = failPoints(folder, die).kv({ commit } as Kv, root)
  return { kv, commits }
}

const deploy = (over: object) => ({ phase: 'running', endedAt: null, steps: [], ...over })
const running = (name: string) => [{ name, state: 'running' }]
const deployKey = `${root}deploys/d1`
const audit = (action: string) => put(`${root}audit/staging/a1`, { action })

const named: readonly [name: string, commit: Commit][] = [
  [
    'request',
    {
      compares: [{ kind: 'absent', key: deployKey }],
      writes: [put(deployKey, deploy({ phase: 'requested' })), audit('request_deploy')],
    },
  ],
  ['prepare', { compares: [], writes: [put(deployKey, deploy({ phase: 'preparing' })), audit('prepare')] }],
  ['prepared', { compares: [], writes: [put(deployKey, deploy({ phase: 'ready' }))] }],
  ['vote', { compares: [], writes: [put(deployKey, deploy({ phase: 'ready' })), audit('vote')] }],
  ['claim', { compares: [], writes: [put(deployKey, deploy({ steps: running('apply') })), audit('claim')] }],
  ['step:rollout', { compares: [], writes: [put(deployKey, deploy({ steps: running('rollout') }))] }],
  [
    'rollback',
    { compares: [], writes: [put(deployKey, deploy({ phase: 'rolling_back', steps: running('restore') }))] },
  ],
  [
    'ended:rolled_back',
    {
      compares: [],
      writes: [put(deployKey, deploy({ phase: 'rolled_back', endedAt: 1 })), audit('step_done')],
    },
  ],
  ['inbox', { compares: [], writes: [put(`${root}seen/jenkins/x`, {}), put(`${root}inbox/jenkins/i1`, {})] }],
  ['unlock', { compares: [], writes: [audit('unlock'), remove(`${root}locks/all`)] }],
  ['message:posting', { compares: [], writes: [put(`${root}messages/d1`, { main: { state: 'posting' } })] }],
  ['elect:notifier', { compares: [], writes: [put(`${root}leaders/notifier`, {})] }],
  ['hook-result', { compares: [], writes: [put(`${root}hooklogs/d1`, {})] }],
]

describe('a transaction', () => {
  it.each(named)('is called %s', async (name, commit) => {
    await storeOf().kv.commit(commit)
    expect(met()).toEqual([`before:etcd:${name}`, `after:etcd:${name}`])
  })
})

describe('what a path does several times', () => {
  it.each([
    ['a hook', 'hooklogs/d1', { hooks: [{ step: 'publish' }, { step: 'init' }] }, 'hook-result:init'],
    ['a token that is used', 'artifacts/t1', { firstUsedAt: 1 }, 'ticket-used'],
  ])('has a name of its own: %s', async (_name, key, record, name) => {
    await storeOf().kv.commit({ compares: [], writes: [put(root + key, record)] })
    expect(met()).toContain(`after:etcd:${name}`)
  })

  it('is a Job of a step', async () => {
    const made: string[] = []
    const create = async ({ metadata }: KubeObject) => {
      made.push(metadata.name)
      return { object: {}, warnings: [] }
    }
    const cluster = failPoints(folder, die).cluster({ create } as unknown as Cluster)
    writeFileSync(join(folder, 'after:cluster:create:Job:init'), '')
    const jobOf = (step: string): KubeObject => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: `web-${step}`, labels: { 'app.kubernetes.io/component': step } },
    })
    await cluster.create(jobOf('publish'))
    await expect(cluster.create(jobOf('init'))).rejects.toThrow(Died)
    expect(made).toEqual(['web-publish', 'web-init'])
  })
})

describe('an armed point', () => {
  const [[, request] = []] = named
  if (!request) throw new Error('there is one')

  it('before: nothing was written; and it takes one with it, not two', async () => {
    writeFileSync(join(folder, 'before:etcd:request'), '')
    const { kv, commits } = storeOf()
    await expect(kv.commit(request)).rejects.toThrow(Died)
    expect(commits).toEqual([])
    expect(readdirSync(folder)).toEqual(['.met'])
    await kv.commit(request)
    expect(commits).toEqual([request])
  })

  it('after: it was written', async () => {
    writeFileSync(join(folder, 'after:etcd:request'), '')
    const { kv, commits } = storeOf()
    await expect(kv.commit(request)).rejects.toThrow(Died)
    expect(commits).toEqual([request])
  })

  it('is one of a side, too, whose other members stay as they are', async () => {
    const messenger = failPoints(folder, die).side(
      { name: 'slack', post: async (text: string) => text },
      'slack',
    )
    writeFileSync(join(folder, 'after:slack:post'), '')
    await expect(messenger.post('hello')).rejects.toThrow(Died)
    expect(await messenger.post('hello')).toBe('hello')
    expect(messenger.name).toBe('slack')
  })
})

it('there are at least 30 of them, each once', () => {
  expect(new Set(failPointNames).size).toBe(failPointNames.length)
  expect(failPointNames.length).toBeGreaterThanOrEqual(30)
})
