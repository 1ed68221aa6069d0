// What runs for real of the stand-in cluster: scripts and gkube's publish program in containers of Jobs, as processes in
// a scratch folder, and a web server for each pod with a port. kubelet.ts starts and ends them, logs.ts reads what they
// print; everything else is played by play.ts. Scripts run as the user who started the sandbox, with that user's rights.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Json, KubeObject } from '../object.ts'
import type { Store } from '../store.ts'
import { endLeftOver } from './child.ts'
import { instanceKey, isOver, type Pod, type Real, signalInstance } from './instance.ts'
import { jobProcesses } from './job-process.ts'
import type { Output } from './output.ts'
import { podWebs, webContainer } from './pod-web.ts'
import type { Own } from './program.ts'
import { mountOf, translator } from './translate.ts'
import { podVolumes } from './volumes.ts'

export type RunsOptions = {
  /** The scratch folder: volumes that are no pool's, and what pods have for themselves. */
  readonly folder: string
  /** gkube's own image, as publish Jobs name it, and how the program is started here. */
  readonly own: Own
  /** Folders that PersistentVolumes may name: those of the sandbox's pools. */
  readonly hostPaths?: readonly string[]
}

export type Runs = ReturnType<typeof runContainers>

/** Begins with ending what an earlier sandbox of the same folder left running. */
export function runContainers(options: RunsOptions & { readonly store: Store }) {
  const { folder, own, store, hostPaths = [] } = options
  const pids = join(folder, 'pids')
  mkdirSync(pids, { recursive: true, mode: 0o700 })
  endLeftOver(pids, folder)
  rmSync(pids, { recursive: true, force: true })
  rmSync(join(folder, 'pods'), { recursive: true, force: true })
  mkdirSync(pids, { recursive: true, mode: 0o700 })
  const volumes = podVolumes({ store, folder, hostPaths })
  const pods = new Map<string, Pod>()
  let wake: (key: string) => void = () => undefined

  const news = ({ metadata }: KubeObject) => wake(`${metadata.namespace}/${metadata.name}`)
  function podOf(pod: KubeObject): Pod {
    const known = pods.get(pod.metadata.uid) ?? { pod, instances: new Map() }
    pods.set(pod.metadata.uid, known)
    return known
  }

  const jobs = jobProcesses({ store, own, volumes, folder, pids, news })
  const webOf = podWebs({ volumes, news })

  const signalPod = (uid: string, name: 'SIGTERM' | 'SIGKILL'): void => {
    const known = pods.get(uid)
    if (!known) return
    for (const instance of known.instances.values()) signalInstance(instance, name, () => news(known.pod))
  }

  return {
    /** Called with the pod's key when there is news of one of its containers. */
    onNews(tell: (key: string) => void): void {
      wake = tell
    },
    /** Undefined: it is played. `image` with its tag. */
    of(
      pod: KubeObject,
      container: Json,
      { image, task }: { image: string; task: boolean },
    ): Real | undefined {
      if (task) {
        const program = jobs.planned(pod, container, image)
        return program ? jobs.of(podOf(pod), container, program) : undefined
      }
      return container === webContainer(pod) ? webOf(podOf(pod), container, image) : undefined
    },
    /** Why a volume cannot be mounted, in the kubelet's words; asked until it can. */
    async mountProblem(pod: KubeObject): Promise<string | undefined> {
      const known = podOf(pod)
      if (known.prepared) return undefined
      for (const volume of pod.spec.volumes ?? []) {
        try {
          await volumes.folderOf(pod, volume)
        } catch (error) {
          return `MountVolume.SetUp failed for volume "${volume.name}" : ${(error as Error).message}`
        }
      }
      known.prepared = true
      return undefined
    },
    /** SIGTERM comes once, however often it is asked for. */
    signal: signalPod,
    /** Something of it has not ended. */
    isBusy: (uid: string): boolean =>
      [...(pods.get(uid)?.instances.values() ?? [])].some(instance => !isOver(instance)),
    /** The pod is gone. */
    forget(pod: KubeObject): void {
      const { uid } = pod.metadata
      const known = pods.get(uid)
      if (!known) return
      signalPod(uid, 'SIGKILL')
      // A look at it that is under way starts nothing any more.
      known.gone = true
      pods.delete(uid)
      // Another sandbox's start would remove it, should this fail.
      volumes.forget(pod).catch(() => undefined)
    },
    /** What a container has printed; undefined: it is played. */
    outputOf(uid: string, container: string, restarts: number): Output | undefined {
      const found = pods.get(uid)?.instances.get(instanceKey(container, restarts))
      return found?.kind === 'process' ? found.output : undefined
    },
    /** Where the web server of a pod listens on 127.0.0.1. */
    portOf(uid: string): number | undefined {
      for (const { web, drained } of pods.get(uid)?.instances.values() ?? [])
        if (web && !drained) return web.port
      return undefined
    },
    /** The real path of a file that a container knows by this one; undefined: it lies on no volume. */
    async pathOf(pod: KubeObject, container: Json, path: string): Promise<string | undefined> {
      const mounts = await volumes.mountsOf(pod, container)
      return mountOf(mounts, path) && translator(mounts)(path)
    },
    /** Ends all of it. */
    async stop(): Promise<void> {
      wake = () => undefined
      const running = () =>
        [...pods.values()].some(({ instances }) =>
          [...instances.values()].some(({ child }) => child && !child.end()),
        )
      for (const { instances } of pods.values())
        for (const instance of instances.values()) instance.web?.destroy()
      for (const uid of pods.keys()) signalPod(uid, 'SIGTERM')
      await until(() => !running(), 2_000)
      for (const uid of pods.keys()) signalPod(uid, 'SIGKILL')
      await until(() => !running(), 2_000)
    },
  }
}

async function until(is: () => boolean, ms: number): Promise<void> {
  const end = performance.now() + ms
  while (!is() && performance.now() < end) await sleep(10)
}
