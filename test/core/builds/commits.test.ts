// The commits between what runs and what is asked for: of the builds between, on a real etcd; nothing where the build
// that runs is not known.
import { describe, expect, it } from 'vitest'
import type { Build } from '../../../src/core/builds/build.ts'
import { commitsSince } from '../../../src/core/builds/commits.ts'
import { blankBuild, buildCommit } from '../../../src/core/builds/records.ts'
import type { Deploy } from '../../../src/core/deploy.ts'
import { keysBelow } from '../../../src/core/keys.ts'
import { put } from '../../../src/core/records.ts'
import { testKv } from '../../support/etcd.ts'
import { deployOf } from '../sample.ts'

const job = 'shop/web'
const change = (commit: string, message = `change ${commit}`) => ({
  commit,
  author: 'Ana',
  email: null,
  slack: null,
  message,
})
const deploy = (over: Partial<Deploy['source']> = {}): Deploy =>
  deployOf({ revision: 'r5', source: { job, build: 5, url: null, note: '', ...over } })

/** Build 2 runs as r2; 3, 4 and 5 came after it. */
async function world(over: Readonly<Record<number, Partial<Build> | null>> = {}) {
  const kv = await testKv()
  const keys = keysBelow(kv.root)
  const deployed = deploy()
  const key = keys.buildDeploy(deployed.environment, deployed.app, job, 2)
  await kv.commit({
    compares: [{ kind: 'absent', key }],
    writes: [put(key, { schema: 1, deploy: 'd2', revision: 'r2' })],
  })
  for (const number of [1, 2, 3, 4, 5, 6]) {
    const more = over[number]
    if (more === null) continue
    const changes = more?.changes ?? [change(`c${number}`)]
    const build = {
      ...blankBuild({ id: `b${number}`, now: 1, job, apps: ['web'] }),
      number,
      verified: true,
      changesTotal: changes.length,
      ...more,
      changes,
    }
    const { compares, writes } = buildCommit(keys, build)
    await kv.commit({ compares, writes })
  }
  return (of: Deploy = deployed, base = 'r2') => commitsSince({ kv, keys }, of, base)
}

describe('commits', () => {
  it('are those of the builds after the one that runs, newest first', async () => {
    const since = await world({ 4: { changes: [change('c4', 'Fix it\n\nlong story'), change('c3')] } })
    expect(await since()).toEqual({
      list: [
        { commit: 'c5', author: 'Ana', message: 'change c5' },
        { commit: 'c4', author: 'Ana', message: 'Fix it' },
        { commit: 'c3', author: 'Ana', message: 'change c3' },
      ],
      total: 3,
      all: true,
    })
  })
  it('say that they are not all where a build between is not known, or Jenkins told more', async () => {
    expect(await (await world({ 4: null }))()).toMatchObject({ total: 2, all: false })
    expect(await (await world({ 4: { verified: false } }))()).toMatchObject({ total: 3, all: false })
    expect(await (await world({ 4: { changesTotal: 40 } }))()).toMatchObject({ total: 42, all: true })
  })
  it('hold no secret and are cut', async () => {
    const many = Array.from({ length: 20 }, (_, i) =>
      change(`x${i}`, `password=hunter2hunter2 ${'y'.repeat(300)}`.slice(0, 300)),
    )
    const found = await (await world({ 5: { changes: many } }))()
    expect(found?.list).toHaveLength(20)
    expect(found?.total).toBe(22)
    expect(JSON.stringify(found)).not.toContain('hunter2')
    for (const one of found?.list ?? []) expect(one.message.length).toBeLessThanOrEqual(120)
  })
  it.each([
    ['nothing runs', deploy(), ''],
    ['the same runs', deploy(), 'r5'],
    ['what runs is of no build', deploy(), 'r0'],
    ['an older build is asked for', deploy({ build: 1 }), 'r2'],
    ['it is of no build', deploy({ job: null, build: null }), 'r2'],
  ])('are not told where %s', async (_, of, base) => {
    expect(await (await world())(of, base)).toBeUndefined()
  })
})
