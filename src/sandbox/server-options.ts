// What a replica of the sandbox is given beside its gkube.yaml: all of it can be made again from the data folder, so that
// a replica in a process of its own gets the same.
import type { ServerOptions } from '../server.ts'
import { directoryPool } from './glusterfs/directory-pool.ts'
import { imageRegistry } from './image-registry.ts'
import { poolFolder, storageBefore } from './storage.ts'

export const sandboxSides = (data: string): Pick<ServerOptions, 'registry' | 'pool'> => ({
  registry: imageRegistry,
  pool: name =>
    storageBefore(data) === 'directory' ? directoryPool({ name, folder: poolFolder(data) }) : undefined,
})
