// What the sandbox deploys to: a stand-in cluster that runs what Jobs do and serves its pods, with volumes on GlusterFS or
// in a folder; or a real cluster, which can reach nothing of what lies on this machine.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { type Cluster, startCluster } from './cluster/cluster.ts'
import { onPort } from './on-port.ts'
import { type GlusterfsChoice, openStorage, type SandboxStorage, whyNoStorage } from './storage.ts'

export type Ground = {
  readonly kubeconfig: string
  readonly real: boolean
  /** The port of the way into the stand-in cluster. */
  readonly web: number | null
  /** What gkube.yaml says about volumes and code. */
  readonly storage: {
    readonly pool: Record<string, unknown>
    readonly artifacts: string
    readonly image: string
  } | null
  /** Where volumes are, or why there are none. */
  readonly words: string
  stop(): Promise<void>
}

type Options = {
  readonly kubeconfig?: string
  readonly webPort?: number
  readonly glusterfs?: GlusterfsChoice
}
type At = {
  readonly data: string
  /** Of etcd. */
  readonly endpoint: string
  readonly write: (file: string, content: string) => void
}

/** gkube's own image as publish Jobs name it; the stand-in cluster starts this very program for it. */
const image = 'registry.example.com/gkube:sandbox'
const isSource = import.meta.url.endsWith('.ts')
const program = fileURLToPath(new URL(isSource ? '../main.ts' : '../main.js', import.meta.url))

export async function openGround(options: Options, at: At): Promise<Ground> {
  if (options.kubeconfig)
    return {
      kubeconfig: options.kubeconfig,
      real: true,
      web: null,
      storage: null,
      words: 'none: those of this machine are out of the reach of a real cluster',
      stop: async () => undefined,
    }
  const { data, endpoint, write } = at
  const why = whyNoStorage(data)
  const storage = why === null ? await openStorage(data, options.glusterfs ?? 'auto') : null
  let cluster: Cluster | undefined
  const stop = async () => {
    await cluster?.stop()
    await storage?.stop()
  }
  try {
    cluster = await openCluster(endpoint, data, storage)
    const port = options.webPort ?? 8487
    const door = await onPort(port, '--web-port', cluster.openFrontDoor(port))
    const kubeconfig = join(data, 'kubeconfig.yaml')
    write(kubeconfig, stringify(cluster.kubeconfig()))
    return {
      kubeconfig,
      real: false,
      web: door.port,
      storage: storage && { pool: storage.pool, artifacts: join(data, 'artifacts'), image },
      words: storage?.words ?? why ?? '',
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Without a token: kubectl sends none over plain http. It listens on this machine only. */
const openCluster = (endpoint: string, data: string, storage: SandboxStorage | null): Promise<Cluster> =>
  startCluster({
    etcd: { endpoints: [endpoint] },
    prefix: '/sandbox/cluster/',
    runs: {
      folder: join(data, 'cluster'),
      own: {
        image,
        command: [process.execPath, '--disable-warning=ExperimentalWarning', program],
      },
      hostPaths: storage ? [storage.folder] : [],
    },
  })
