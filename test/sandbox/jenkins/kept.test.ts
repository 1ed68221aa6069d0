// A restart of the stand-in Jenkins: build numbers and queue ids go on, what has ended can still be read, what ran is
// aborted; and where its file was lost beside an etcd that was not, gkube's records say which numbers are taken.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { keysBelow } from '../../../src/core/keys.ts'
import { takenNumbers } from '../../../src/sandbox/jenkins/taken.ts'
import { testEtcd } from '../../support/etcd.ts'
import { held, open } from './client.ts'

const folder = mkdtempSync(join(tmpdir(), 'jenkins-kept-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('goes on counting after a restart; what ran is aborted, what had ended is there', async () => {
  const file = join(folder, 'jenkins.json')
  const { job, finish } = held({ path: 'web' })
  const first = await open({ seed: [job], file })
  const done = await first.begun('web')
  await vi.waitFor(() => finish())
  finish()
  expect(await first.jenkins.control.ended('web', done)).toBe('SUCCESS')
  const running = await first.begun('web')
  const queueId = first.jenkins.control.build('web', running)?.queueId ?? 0
  // As after `kill -9`: the first one is never stopped before the second one reads.
  const second = await open({ seed: [job], file })
  expect(
    await second.json('job/web/api/json?tree=nextBuildNumber,builds[number,result,building]'),
  ).toMatchObject({
    nextBuildNumber: running + 1,
    builds: [
      { number: running, result: 'ABORTED', building: false },
      { number: done, result: 'SUCCESS' },
    ],
  })
  expect(await (await second.ask(`job/web/${done}/consoleText`)).text()).toContain('Finished: SUCCESS')
  expect(await second.begun('web')).toBe(running + 1)
  expect(second.jenkins.control.build('web', running + 1)?.queueId).toBeGreaterThan(queueId)
})

it('without its file, numbers that gkube knows are not given again', async () => {
  const kv = (await testEtcd()).kv()
  const keys = keysBelow(kv.root)
  const put = (key: string, value: object) =>
    kv.commit({
      compares: [{ kind: 'absent', key }],
      writes: [{ kind: 'put', key, value: JSON.stringify(value) }],
    })
  await put(keys.jenkinsNumber('shop/web', 41), { schema: 1, id: 'a', writeId: 'a' })
  await put(keys.newestBuild('staging', 'web', 'shop/web'), { schema: 1, number: 57, writeId: 'b' })
  await put(keys.jenkinsNumber('shop/many/feature%2Flogin', 12), { schema: 1, id: 'b', writeId: 'c' })
  await put(keys.jenkinsQueue(300), { schema: 1, id: 'a', writeId: 'd' })
  const taken = await takenNumbers(kv, keys)
  expect(taken).toEqual({ builds: { 'shop/web': 57, 'shop/many/feature%2Flogin': 12 }, queueId: 300 })
  const at = await open({
    seed: [
      { path: 'shop/web', kind: 'pipeline' },
      { path: 'shop/many/feature%2Flogin', kind: 'pipeline' },
    ],
    taken,
  })
  expect([await at.begun('shop/web'), await at.begun('shop/many/feature%2Flogin')]).toEqual([58, 13])
  expect(at.jenkins.control.build('shop/web', 58)?.queueId).toBe(301)
})
