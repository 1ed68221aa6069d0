// Superseding against claiming: what a newer deploy takes the place of never runs after it, however slow etcd is.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { admin, ask } from '../../support/stack.ts'
import { ended, liveImage, phaseOf, place, startWorld, until } from './world.ts'

it('a deploy whose superseding is slow does not run after the newer one', async () => {
  const world = await startWorld()
  const tenant = world.tenant()
  const gate = Promise.withResolvers<void>()
  const { core, view } = await tenant.replica({
    kv: kv => ({
      ...kv,
      commit: async changes => {
        if (changes.writes.some(write => write.kind === 'put' && write.value.includes('"superseded"')))
          await gate.promise
        return kv.commit(changes)
      },
    }),
  })
  await core.applyApp(admin, tenant.app(), { dryRun: false })
  const at = { app: tenant.name, environment: place }
  await core.lock(admin, { ...at, reason: 'until both are ready', expiresIn: '1h', steal: false })
  await until(() => view.live.locks.size === 1)
  const ids: string[] = []
  for (const revision of ['1', '2']) ids.push((await core.request(admin, ask({ ...at, revision }))).deploy.id)
  for (const id of ids) await phaseOf(tenant, id, deploy => deploy.phase === 'ready')
  await core.unlock(admin, { ...at, reason: '' })
  // Time for a claim that should wait to show itself.
  await Promise.race([phaseOf(tenant, ids[1] ?? '', deploy => deploy.startedAt !== null), sleep(200)])
  gate.resolve()
  const phases = await Promise.all(ids.map(async id => (await ended(tenant, id)).phase))
  expect(phases).toEqual(['superseded', 'succeeded'])
  expect(await liveImage(tenant)).toContain(':2')
})
