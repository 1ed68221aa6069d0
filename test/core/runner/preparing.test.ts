// Many requests at once: so many are prepared at a time and no more, and all of them come to their end.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { admin, ask } from '../../support/stack.ts'
import { phaseOf, place, startWorld } from './world.ts'

it('prepares a bounded number at once, and every one in the end', async () => {
  const world = await startWorld()
  const tenant = world.tenant()
  let running = 0
  let most = 0
  const { core } = await tenant.replica({
    registry: {
      resolve: async () => {
        most = Math.max(most, ++running)
        await sleep(5)
        running--
        return { kind: 'unavailable', message: 'no registry in this test' }
      },
    },
  })
  await core.applyApp(admin, tenant.app(), { dryRun: false })
  const at = { app: tenant.name, environment: place }
  await core.lock(admin, { ...at, reason: 'only preparing', expiresIn: '1h', steal: false })
  const asked = await Promise.all(
    Array.from({ length: 60 }, (_, n) => core.request(admin, ask({ ...at, revision: `1.${n}` }))),
  )
  await Promise.all(
    asked.map(({ deploy }) =>
      phaseOf(tenant, deploy.id, ({ phase }) => phase === 'ready' || phase === 'superseded'),
    ),
  )
  expect(most).toBeGreaterThan(4)
  expect(most).toBeLessThanOrEqual(16)
})
