// Where the sandbox keeps what apps keep: a real GlusterFS volume, mounted by FUSE, where a glusterd can run; else a
// folder that stands in for one. Which of them it is stays as it was at the first start: the data of the apps lies there.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../errors.ts'
import { startGlusterd, whyNoGlusterd } from './glusterfs/glusterd.ts'

export type GlusterfsChoice = 'auto' | 'real' | 'directory'

export type SandboxStorage = {
  /** A pool of gkube.yaml. */
  readonly pool: Record<string, unknown>
  /** Below it lies what PersistentVolumes name. */
  readonly folder: string
  /** For the greeting. */
  readonly words: string
  stop(): Promise<void>
}

const volume = 'sandbox'
const noteOf = (data: string): string => join(data, 'pool')

/** What it was at an earlier start; null: there was none. */
export function storageBefore(data: string): 'real' | 'directory' | null {
  if (!existsSync(noteOf(data))) return null
  return readFileSync(noteOf(data), 'utf8').trim() === 'real' ? 'real' : 'directory'
}

/** The folder in the place of GlusterFS. */
export const poolFolder = (data: string): string => join(data, 'volumes')

/** Why no pool can be configured for this folder: paths of gkube.yaml take no blanks; null: it can. */
export const whyNoStorage = (data: string): string | null =>
  /^(\/[A-Za-z0-9_.@%+=:-]+)+$/.test(data)
    ? null
    : `no volumes and no code: the path ${data} has blanks or other special characters. Name another folder with --data.`

/** Throws UserError where it was asked for a real one, or the data lies on one, and none can be started. */
export async function openStorage(data: string, wish: GlusterfsChoice): Promise<SandboxStorage> {
  const before = storageBefore(data)
  const want = before ?? (wish === 'auto' ? null : wish)
  if (before && wish !== 'auto' && wish !== before)
    throw new UserError(
      'conflict',
      `The volumes of ${data} are ${before === 'real' ? 'on GlusterFS' : 'in a folder'} since its first start. Leave --glusterfs out, or begin anew with another --data.`,
    )
  const why = want === 'directory' ? null : await whyNoGlusterd()
  if (want === 'real' && why)
    throw new UserError('unavailable', `No GlusterFS can be started: ${why}. Its data is in ${data}.`)
  const storage = want === 'directory' || why ? inFolder(data, why) : await onGlusterfs(data)
  writeFileSync(noteOf(data), `${storage.kind}\n`, { mode: 0o600 })
  return storage
}

type Open = SandboxStorage & { readonly kind: 'real' | 'directory' }

function inFolder(data: string, why: string | null): Open {
  const folder = poolFolder(data)
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  return {
    kind: 'directory',
    pool: poolOf({ host: 'localhost', folder }),
    folder,
    words: `a folder stands in for GlusterFS${why ? ` (${why})` : ''}: ${folder}`,
    stop: async () => undefined,
  }
}

async function onGlusterfs(data: string): Promise<Open> {
  const glusterd = await startGlusterd({ dataDir: join(data, 'glusterfs') })
  try {
    // Below its own folder: what is mounted there goes with it.
    const folder = join(data, 'glusterfs', 'mount')
    const known = (await glusterd.gluster('volume', 'list')).split('\n').includes(volume)
    if (!known) await glusterd.makeVolume(volume, 1)
    await glusterd.mount(volume, folder)
    const own = { bricks: [`${glusterd.host}:${join(glusterd.bricks, 'own')}`], replica: 1, force: true }
    mkdirSync(join(glusterd.bricks, 'own'), { recursive: true })
    return {
      kind: 'real',
      pool: { ...poolOf({ host: glusterd.host, folder }), own },
      folder,
      words: `GlusterFS, a real one, mounted on ${folder}`,
      stop: glusterd.stop,
    }
  } catch (error) {
    await glusterd.stop()
    throw error
  }
}

const poolOf = ({ host, folder }: { host: string; folder: string }) => ({
  volume,
  servers: [host],
  reach: { kind: 'local' },
  mount: folder,
  strategy: 'hostpath',
  hostPath: folder,
})
