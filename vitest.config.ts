// The fast suite: everything that runs in seconds on a laptop, with a real etcd and the stand-in cluster.
// What needs more (a real control plane, a browser, chaos) has a folder and a script of its own.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/cluster/**', 'test/chaos/**', 'test/browser/**', 'test/slow/**', '**/*.slow.test.ts'],
    // Processes: tests send signals to children and to themselves, and a crash stays in its own file.
    pool: 'forks',
    // Most of a test here waits for something real; one worker (the default on two cores) would only wait.
    maxWorkers: 2,
    testTimeout: 15_000,
    hookTimeout: 30_000,
    // Set-up and tear-down of real servers must end too.
    teardownTimeout: 10_000,
    restoreMocks: true,
    unstubEnvs: true,
    env: { NO_COLOR: '1' },
  },
})
