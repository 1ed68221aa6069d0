// 10,000 generated hooks against a whole replica: valid ones, changed ones, anything at all. Never a 5xx, never a fault of
// ours, nothing kept twice. What is generated, and how a seed is run again, is in generated.ts.
import { expect, it } from 'vitest'
import { sendGenerated } from '../surfaces/http/hooks/generated.ts'
import { hookStack } from '../surfaces/http/hooks/inbox.ts'

it('10,000 hooks', async () => {
  const stack = await hookStack()
  const statuses = await sendGenerated(stack, 10_000)
  // Most of them reach what they are made for.
  expect((statuses[200] ?? 0) + (statuses[202] ?? 0)).toBeGreaterThan(3_000)
  expect(statuses[400]).toBeGreaterThan(1_000)
}, 600_000)
