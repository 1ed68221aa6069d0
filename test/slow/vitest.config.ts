// Tests that install packages or take longer than a laptop's patience. Run by .ci/run, after the fast suite:
// npx vitest run --config test/slow/vitest.config.ts
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/slow/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 180_000,
    hookTimeout: 180_000,
    env: { NO_COLOR: '1' },
  },
})
