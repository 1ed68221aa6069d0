// A pool that cannot be reached stops neither gkube nor deploys that do not use it, and doctor says so. What a pool does
// when it answers is in test/adapters/glusterfs/ and test/slow/glusterfs.test.ts.
import { expect, it } from 'vitest'
import { admin, startStack } from '../support/stack.ts'

it('starts without its pool, and doctor says what to do', async () => {
  const { core } = await startStack({
    config: {
      pools: {
        shared: {
          volume: 'gkube-test-none',
          servers: ['gluster-1.invalid'],
          reach: { kind: 'remote', host: '127.0.0.1' },
          mount: '/mnt/gkube-is-not-mounted',
          strategy: 'hostpath',
          hostPath: '/mnt/gv0',
        },
      },
    },
  })
  const checks = await core.doctor(admin)
  const pools = checks.filter(({ name }) => name.startsWith('pool '))
  expect(pools.map(({ name, state }) => [name, state])).toEqual([
    ['pool shared', 'failed'],
    ['pool shared mount', 'failed'],
  ])
  // Whether GlusterFS is installed here, runs here, or neither; its CLI waits for a daemon for some seconds at times.
  expect(pools[0]?.message).toMatch(
    /is not installed|does not answer on 127|no answer in 3 s|no GlusterFS volume/,
  )
  expect(pools[1]?.message).toMatch(/is not a mount.*mount -t glusterfs gluster-1\.invalid:\/gkube-test-none/)
})
