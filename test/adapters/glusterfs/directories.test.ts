// Deleting a directory where an earlier deletion still goes on. The rest of a directory's life is in pool.slow.test.ts, on a
// scripted gluster.
import { expect, it } from 'vitest'
import { removeDirectory } from '../../../src/adapters/glusterfs/directories.ts'
import type { Gluster } from '../../../src/adapters/glusterfs/gluster.ts'
import type { Mounted } from '../../../src/adapters/glusterfs/mounted.ts'
import { PoolError } from '../../../src/core/volumes/pool.ts'

const place = { environment: 'staging', app: 'web', storage: 'data' }
const leaf = '/mnt/staging/web/data'
const aside = '/mnt/.gkube-removed/staging.web.data'

/** What is on it, and whether `rm` ends in its time. */
function volume(there: string[], slow: boolean) {
  const paths = new Set(['/mnt', '/mnt/staging', '/mnt/staging/web', ...there])
  const mounted: Mounted = {
    mount: '/mnt',
    check: async () => undefined,
    look: async wanted =>
      new Map(
        wanted
          .filter(path => paths.has(path))
          .map(path => [path, { directory: true, uid: 0, gid: 0, mode: 0o755, device: '1' }]),
      ),
    change: async (program, args) => {
      const [from = '', to = ''] = args.slice(args.indexOf('--') + 1)
      if (program === 'mkdir') paths.add(to || from)
      if (program === 'rm' && slow && paths.has(from))
        throw new PoolError('unavailable', 'no answer in 120 s')
      if (program === 'rm' || program === 'mv') paths.delete(from)
      if (program === 'mv') paths.add(to)
    },
  }
  const gluster = { order: async () => '' } as unknown as Gluster
  return { paths, deps: { gluster, mounted, volume: 'gv0' } }
}

it('says that nothing was deleted while what an earlier deletion put aside is still being deleted', async () => {
  const { paths, deps } = volume([leaf, aside], true)
  await expect(removeDirectory(deps, place)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining(`An earlier deletion of staging/web/data still goes on (${aside})`),
  })
  expect(paths.has(leaf)).toBe(true)
})

it('names what is left where a deletion takes longer than one call may, and finishes it the next time', async () => {
  const first = volume([leaf], true)
  expect(await removeDirectory(first.deps, place)).toEqual({ left: [aside] })
  expect(first.paths.has(leaf)).toBe(false)
  expect(await removeDirectory(first.deps, place)).toEqual({ left: [aside] })
  const later = volume([leaf, aside], false)
  expect(await removeDirectory(later.deps, place)).toEqual({ left: [] })
  expect([...later.paths].filter(path => path === leaf || path === aside)).toEqual([])
})
