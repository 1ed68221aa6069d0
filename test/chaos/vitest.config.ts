// What must hold when anything breaks at any time: `npm run test:chaos`, some minutes; CHAOS_FULL=1 does all of it,
// CHAOS_SEED=… the same again. Each file starts a world of its own (world.ts) and ends with the same rules (invariants.ts).
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/chaos/**/*.test.ts'],
    pool: 'forks',
    // Three replicas and four etcds are enough for one machine.
    maxWorkers: 1,
    testTimeout: process.env.CHAOS_FULL === '1' ? 3_600_000 : 600_000,
    hookTimeout: 120_000,
    teardownTimeout: 60_000,
    env: { NO_COLOR: '1' },
  },
})
