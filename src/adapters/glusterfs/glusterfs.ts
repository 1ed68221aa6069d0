// A pool of GlusterFS behind the core's port, driven by the `gluster` CLI: there is no other interface to build on.
// This file only brings the parts together; directories.ts and own-volumes.ts do the work, run.ts and ssh.ts reach it.
import { checkTyped, ownVolumeOf } from '../../core/volumes/place.ts'
import { type Pool, PoolError, type PoolVolume } from '../../core/volumes/pool.ts'
import { poolChecks } from './checks.ts'
import { directoryUsage, ensureDirectory, growDirectory, removeDirectory } from './directories.ts'
import { glusterCli } from './gluster.ts'
import { volumeHealth } from './health.ts'
import { mountedVolume } from './mounted.ts'
import type { PoolOptions } from './options.ts'
import { ensureOwn, growOwn, ownUsage, removeOwn } from './own-volumes.ts'
import { saysExists } from './refusals.ts'
import { localRun } from './run.ts'
import { sshRun } from './ssh.ts'

/** The pool, and `close`: what runs is killed and its key's folder deleted. Nothing is reached before the first call. */
export function glusterfsPool(options: PoolOptions): Pool & { close(): void } {
  const { name, volume, servers, reach, mount, snapshots, commandMs = 20_000, path } = options
  const stopped = new AbortController()
  const local = localRun({ commandMs, path, signal: stopped.signal })
  const ssh = reach.kind === 'ssh' ? sshRun(local, { pool: name, server: reach }) : null
  const run = ssh?.run ?? local
  const gluster = glusterCli(run, options)
  const host = reach.kind === 'ssh' ? reach.host : 'the machine of gkube'
  const mounted = mount === null ? null : mountedVolume(run, { pool: name, volume, servers, mount, host })
  const own = { gluster, pool: options }

  function directories() {
    if (mounted) return { gluster, mounted, volume }
    throw new PoolError(
      'unsupported',
      `The pool ${name} has no mount, which directories need: set pools.${name}.mount to where ${volume} is mounted on ${host}, or ask for \`own: true\`.`,
    )
  }
  const volumeOf = (of: PoolVolume | undefined): string =>
    of?.kind === 'own' ? ownVolumeOf(of.place) : volume
  const health = (of?: PoolVolume, ms?: number) =>
    volumeHealth(gluster, { volume: volumeOf(of), remote: reach.kind === 'remote', ms })

  return {
    name,
    ensure: async ({ kind, place }, wish) => {
      checkNumbers(wish)
      return kind === 'own' ? ensureOwn(own, place, wish) : ensureDirectory(directories(), place, wish)
    },
    grow: async ({ kind, place }, bytes) => {
      checkNumbers({ bytes })
      return kind === 'own' ? growOwn(own, place, bytes) : growDirectory(directories(), place, bytes)
    },
    usage: async ({ kind, place }) =>
      kind === 'own' ? ownUsage(own, place) : directoryUsage(directories(), place),
    health: of => health(of),
    snapshot: async (of, label) => {
      if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/.test(label))
        throw new PoolError(
          'refused',
          `A snapshot's name has letters, digits, dashes and underscores, 100 at most.`,
        )
      if (!snapshots)
        throw new PoolError(
          'unsupported',
          `The pool ${name} makes no snapshots: set pools.${name}.snapshots: true if its bricks are on thinly provisioned LVM.`,
        )
      const args = ['snapshot', 'create', label, volumeOf(of), 'no-timestamp']
      await gluster.order(volumeOf(of), args, [saysExists])
      return { name: label }
    },
    remove: async (of, typed) => {
      checkTyped(of, typed)
      return of.kind === 'own' ? removeOwn(own, of.place) : removeDirectory(directories(), of.place)
    },
    checks: () => poolChecks({ name, health: ms => health(undefined, ms), mounted }),
    close: () => {
      stopped.abort()
      ssh?.close()
    },
  }
}

/** They come from an app's spec and become arguments. */
function checkNumbers(wish: { readonly uid?: number; readonly gid?: number; readonly bytes: number }): void {
  const { uid = 0, gid = 0, bytes } = wish
  const isId = (id: number) => Number.isInteger(id) && id >= 0 && id < 2 ** 31
  if (!isId(uid) || !isId(gid))
    throw new PoolError('refused', `${uid}:${gid} is no user and group: whole numbers from 0 on.`)
  if (!(bytes >= 1 && bytes <= Number.MAX_SAFE_INTEGER))
    throw new PoolError('refused', `${bytes} bytes is no size for storage: 1 byte or more.`)
}
