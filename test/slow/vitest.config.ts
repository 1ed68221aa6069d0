// Tests that install packages or take longer than a laptop's patience. Run by .ci/run, after the fast suite:
// npx vitest run --config test/slow/vitest.config.ts
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // A long one that mirrors a file of src stands beside the short ones, as *.slow.test.ts.
    include: ['test/slow/**/*.test.ts', 'test/**/*.slow.test.ts'],
    pool: 'forks',
    testTimeout: 180_000,
    hookTimeout: 180_000,
    env: { NO_COLOR: '1' },
  },
})
