// `npm start -- --replicas 3` in people's browsers: the replica that drives a deploy is killed in the middle of it, and
// its message goes on as if nothing had happened.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { etcdKv } from '../../src/adapters/etcd/kv.ts'
import { keysBelow } from '../../src/core/keys.ts'
import { shows, sit } from './browser.ts'
import { startSandbox } from './sandbox.ts'

it('the message of a deploy goes on when its replica is killed', { timeout: 240_000 }, async () => {
  const sandbox = await startSandbox(undefined, ['--replicas', '3'])
  const ana = await sit(sandbox.page, 'ana', 'C0STAGING')
  await ana.say('/gkube deploy web 1.0.0 to staging')
  await shows(await ana.newest(/1\.0\.0/), /is live in\s+staging/)

  await ana.say('/gkube deploy web 1.1.0-slow to staging')
  const message = await ana.newest(/1\.1\.0-slow/)
  await shows(message, /rolling out/)
  const ts = await message.getAttribute('data-ts')
  await ana.picture('replica-before')
  process.kill(await ownerIn(sandbox.folder), 'SIGKILL')
  await shows(message, /1\.1\.0-slow is live in\s+staging/)
  await ana.picture('replica-after')

  // The one message of that deploy, and the workspace takes commands all the while.
  expect(await (await ana.newest(/1\.1\.0-slow/)).getAttribute('data-ts')).toBe(ts)
  expect(await ana.page.locator('.messages article:not([data-only])').count()).toBe(2)
  await ana.say('/gkube status web')
  await shows(ana.only.last(), /web[\s\S]*1\.1\.0-slow/)
  expect(await sandbox.stop()).toBe(0)
})

/** The process that drives the one deploy that runs: replicas are called <host>-<pid>-<random>. */
async function ownerIn(folder: string): Promise<number> {
  const file = readFileSync(join(folder, '.gkube', 'gkube.yaml'), 'utf8')
  const { etcd } = parse(file) as { etcd: { endpoints: string[] } }
  const kv = etcdKv(etcd)
  try {
    const { entries } = await kv.list(keysBelow().owners)
    const { replica } = JSON.parse(entries[0]?.value ?? '{}') as { replica?: string }
    const pid = Number(/-(\d+)-[^-]*$/.exec(replica ?? '')?.[1])
    if (!pid) throw new Error(`no owner: ${JSON.stringify(entries)}`)
    return pid
  } finally {
    await kv.close()
  }
}
