// The suites that run on a real control plane (test/cluster/): the same contract and adapter tests that the fast
// suite runs on the stand-in, and the whole of gkube. `npm run test:cluster`; the first run builds, for minutes.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: [
      'test/cluster/**/*.test.ts',
      'test/sandbox/cluster/contract.test.ts',
      'test/adapters/kubernetes/contract.test.ts',
      'test/adapters/kubernetes/rollout.test.ts',
      'test/core/objects-server.test.ts',
    ],
    globalSetup: 'test/cluster/global-setup.ts',
    pool: 'forks',
    // A control plane and a kubelet take their time, most of all beside other suites on two cores.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    restoreMocks: true,
    env: { NO_COLOR: '1' },
  },
})
