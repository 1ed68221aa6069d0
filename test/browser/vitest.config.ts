// People in a browser: headless Chromium on what `npm start` starts. Run by .ci/run, after the fast suite:
//   npx vitest run --config test/browser/vitest.config.ts
// CHROMIUM names another browser; IMAGES names a folder that keeps the pictures (docs/images/ has some of them).
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/browser/**/*.test.ts'],
    pool: 'forks',
    // One sandbox and one browser at a time: it is about what people see, not about load.
    maxWorkers: 1,
    testTimeout: 90_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    env: { NO_COLOR: '1' },
  },
})
