// Every example is registered, created and updated on a whole gkube, as a person would from the command line.
import { readdirSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { readApp } from '../core/specs.ts'
import { admin, type Stack, ship, startStack } from '../support/stack.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ speed: 20 })
}, 60_000)

const examples = readdirSync('examples').filter(file => file.endsWith('.yaml'))

describe('examples', () => {
  it.each(examples)(
    '%s is created, updated, and a plan of the same says that nothing changes',
    async file => {
      const written = readApp(readFileSync(`examples/${file}`, 'utf8'), file)
      // Only the wait for stability is left out: it is real time, whatever the stand-in plays.
      const app = { ...written, rollout: { ...written.rollout, stable: '0s' } }
      await stack.core.applyApp(admin, app, { dryRun: false })
      const place = { app: app.app, environment: 'staging' }
      const first = await ship(stack.core, { ...place, revision: '1.0.0' })
      expect(first, first.cause?.message).toMatchObject({ phase: 'succeeded', plan: 'create' })
      const second = await ship(stack.core, { ...place, revision: '1.1.0' })
      expect(second, second.cause?.message).toMatchObject({ phase: 'succeeded', plan: 'update' })
      const plan = await stack.core.plan(admin, { ...place, revision: '1.1.0' })
      expect(plan.refusals).toEqual([])
      expect(plan.changes).toEqual([])
      expect(plan.objects.map(({ object, action, diff }) => ({ object, action, diff }))).toEqual(
        plan.objects.map(({ object }) => ({ object, action: 'none', diff: '' })),
      )
    },
    60_000,
  )
})
