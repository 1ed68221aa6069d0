// What runs for real of the stand-in cluster: scripts and gkube's publish program in containers of Jobs, as processes in
// a scratch folder, and a web server for each pod with a port. kubelet.ts starts and ends them, logs.ts reads what they
// print; everything else is played by play.ts. Scripts run as the user who started the sandbox, with that user's rights.
import { mkdirSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { environment, filled } from '../environment.ts'
import { controllerOf, type Json, type KubeObject } from '../object.ts'
import type { Store } from '../store.ts'
import { type Child, type End, endLeftOver, marker, startChild } from './child.ts'
import { type Output, output } from './output.ts'
import { type Own, type Program, programOf } from './program.ts'
import { mountOf, translator } from './translate.ts'
import { podVolumes } from './volumes.ts'
import { openWeb, type Site, type Web } from './web.ts'

export type RunsOptions = {
  /** The scratch folder: volumes that are no pool's, and what pods have for themselves. */
  readonly folder: string
  /** gkube's own image, as publish Jobs name it, and how the program is started here. */
  readonly own: Own
  /** Folders that PersistentVolumes may name: those of the sandbox's pools. */
  readonly hostPaths?: readonly string[]
}

/** A container that runs; the kubelet asks. */
export type Real = {
  /** After it, the container counts as running. */
  start(restarts: number): void
  /** How it ended; undefined: it runs. Also for one that a killed sandbox had started. */
  ended(restarts: number): (Omit<End, 'reason'> & { readonly reason: string }) | undefined
  /** Of a web server: what a readiness probe would get; undefined: not known yet, the pod is looked at again. */
  ready(restarts: number): { readonly ok: boolean; readonly said: string } | undefined
  /** The container ended by itself, as play.ts has it. */
  stopped(restarts: number): void
}

export type Runs = ReturnType<typeof runContainers>

type Instance = {
  readonly kind: 'process' | 'web'
  readonly output: Output
  child?: Child
  end?: End
  web?: Web
  site?: Site | null
  /** The status that the readiness probe's path gave last. */
  status?: number
  asking?: boolean
  drained?: boolean
  stopped: boolean
}
type Pod = { pod: KubeObject; readonly instances: Map<string, Instance>; prepared?: boolean }

const unknownEnd = { code: 137, reason: 'ContainerStatusUnknown' }

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

  const wakeFor = ({ metadata }: KubeObject) => wake(`${metadata.namespace}/${metadata.name}`)
  function podOf(pod: KubeObject): Pod {
    const known = pods.get(pod.metadata.uid) ?? { pod, instances: new Map() }
    pods.set(pod.metadata.uid, known)
    return known
  }

  /** What a container of a Job runs; null: it is played. */
  function planned(pod: KubeObject, container: Json, image: string): Program | null {
    if (controllerOf(pod)?.kind !== 'Job') return null
    const env = environment(store, { pod, container })
    const fill = (words: readonly string[] = []) => words.map(word => filled(word, env))
    const paths = (container.volumeMounts ?? []).map((mount: Json) => ({ ...mount, real: '', volume: '' }))
    return programOf({
      command: fill(container.command),
      args: fill(container.args),
      image,
      own,
      workingDir: container.workingDir ?? '/',
      isMounted: path => mountOf(paths, path) !== undefined,
    })
  }

  async function launch(instance: Instance, pod: KubeObject, container: Json, program: Program) {
    const mounts = await volumes.mountsOf(pod, container)
    const translate = translator(mounts)
    const home = join(volumes.podFolder(pod), container.name)
    const tmp = join(home, 'tmp')
    const wanted = container.workingDir && posix.resolve('/', container.workingDir)
    const cwd = wanted && mountOf(mounts, wanted) ? translate(wanted) : home
    for (const path of [tmp, cwd]) await mkdir(path, { recursive: true })
    const {
      PATH: theirs,
      KUBERNETES_SERVICE_HOST: _,
      ...env
    } = Object.fromEntries(
      [...environment(store, { pod, container })].map(([name, value]) => [name, translate(value)]),
    )
    if (instance.stopped) return finish(instance, pod, { code: 143, reason: 'Error' })
    instance.child = startChild({
      argv: [...program.here, ...program.words.map(translate)],
      cwd,
      env: {
        HOME: home,
        TMPDIR: tmp,
        LANG: process.env.LANG ?? 'C.UTF-8',
        ...env,
        // Programs of the image are not here; those of this machine are.
        PATH: [theirs, process.env.PATH].filter(Boolean).join(':'),
        [marker]: folder,
      },
      output: instance.output,
      pidFile: join(pids, `${pod.metadata.uid}-${container.name}`),
      ended: () => finish(instance, pod, instance.child?.end() ?? { code: 1, reason: 'Error' }),
    })
  }

  function finish(instance: Instance, pod: KubeObject, end: End): void {
    instance.end ??= end
    wakeFor(pod)
  }

  /** Code, if a claim is mounted that holds it: a release by subPath, or all of them for `activate: reload`. */
  async function siteOf(pod: KubeObject, container: Json): Promise<Site | null> {
    const isClaim = ({ name }: Json) =>
      (pod.spec.volumes ?? []).some((one: Json) => one.name === name && one.persistentVolumeClaim)
    const mounted: Json[] = (container.volumeMounts ?? []).filter(isClaim)
    const release = mounted.find(one => one.subPath?.startsWith('releases/'))
    const all = await volumes.mountsOf(pod, { volumeMounts: release ? [release] : mounted })
    if (release && all[0]) return { path: all[0].real, volume: all[0].volume }
    for (const { real, volume } of all)
      if (await isDirectory(join(real, 'releases'))) return { path: real, volume }
    return null
  }

  async function listen(instance: Instance, pod: KubeObject, container: Json, image: string) {
    const site = await siteOf(pod, container)
    const web = await openWeb({ pod: pod.metadata.name, title: titleOf(pod, container, image), site })
    if (instance.stopped) return web.destroy()
    instance.web = web
    instance.site = site
    wakeFor(pod)
  }

  const processOf = (pod: KubeObject, container: Json, program: Program): Real => {
    const { instances } = podOf(pod)
    const key = (restarts: number) => `${container.name}/${restarts}`
    return {
      start(restarts) {
        const instance: Instance = { kind: 'process', output: output(), stopped: false }
        instances.set(key(restarts), instance)
        launch(instance, pod, container, program).catch(error => {
          instance.output.add(`gkube sandbox: ${(error as Error).message}`)
          finish(instance, pod, { code: 128, reason: 'Error' })
        })
      },
      ended: restarts => {
        const instance = instances.get(key(restarts))
        return instance ? instance.end : unknownEnd
      },
      ready: () => ({ ok: true, said: '' }),
      stopped: () => undefined,
    }
  }

  const webOf = (pod: KubeObject, container: Json, image: string): Real => {
    const { instances } = podOf(pod)
    const key = (restarts: number) => `${container.name}/${restarts}`
    const path: string | undefined = container.readinessProbe?.httpGet?.path
    const start = (restarts: number): Instance => {
      const instance: Instance = { kind: 'web', output: output(), stopped: false }
      instances.set(key(restarts), instance)
      listen(instance, pod, container, image).catch(error => {
        // Not ready, and tried again with the next look at the pod.
        instance.output.add(`gkube sandbox: ${(error as Error).message}`)
        instances.delete(key(restarts))
        setTimeout(() => wakeFor(pod), 1_000).unref()
      })
      return instance
    }
    function ask(instance: Instance, web: Web): void {
      if (instance.asking) return
      instance.asking = true
      void web
        .status(path ?? '/')
        .catch(() => 500)
        .then(status => {
          instance.status = status
          instance.asking = false
          wakeFor(pod)
        })
    }
    return {
      start,
      // After a restart of the sandbox its pods run on: their listeners come back.
      ended: restarts => void (instances.get(key(restarts)) ?? start(restarts)),
      ready: restarts => {
        const instance = instances.get(key(restarts))
        if (!instance?.web) return undefined
        if (!instance.site || path === undefined) return { ok: true, said: '' }
        const { status } = instance
        if (status === undefined) return void ask(instance, instance.web)
        // Asked again, should it not be good yet.
        instance.status = undefined
        return { ok: status < 400, said: `HTTP probe failed with statuscode: ${status}` }
      },
      stopped: restarts => {
        const instance = instances.get(key(restarts))
        if (!instance) return
        instance.stopped = true
        instance.web?.destroy()
        instance.drained = true
      },
    }
  }

  const isOver = (instance: Instance): boolean => {
    if (instance.web) return instance.drained === true
    // A listener that was not open yet never will be.
    return instance.child ? instance.end !== undefined : instance.end !== undefined || instance.stopped
  }

  function signalInstance(instance: Instance, pod: KubeObject, name: 'SIGTERM' | 'SIGKILL'): void {
    const first = !instance.stopped
    instance.stopped = true
    const { web, child } = instance
    if (name === 'SIGKILL') {
      child?.signal(name)
      web?.destroy()
      instance.drained = true
      return
    }
    if (!first) return
    child?.signal(name)
    void web?.drain().then(() => {
      instance.drained = true
      wakeFor(pod)
    })
  }

  const signalPod = (uid: string, name: 'SIGTERM' | 'SIGKILL'): void => {
    const known = pods.get(uid)
    if (known) for (const instance of known.instances.values()) signalInstance(instance, known.pod, name)
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
        const program = planned(pod, container, image)
        return program ? processOf(pod, container, program) : undefined
      }
      return container === webContainer(pod) ? webOf(pod, container, image) : undefined
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
      if (!pods.has(uid)) return
      signalPod(uid, 'SIGKILL')
      pods.delete(uid)
      // Another sandbox's start would remove it, should this fail.
      volumes.forget(pod).catch(() => undefined)
    },
    /** What a container has printed; undefined: it is played. */
    outputOf(uid: string, container: string, restarts: number): Output | undefined {
      const found = pods.get(uid)?.instances.get(`${container}/${restarts}`)
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

async function isDirectory(path: string): Promise<boolean> {
  const { stat } = await import('node:fs/promises')
  return stat(path).then(
    is => is.isDirectory(),
    () => false, // not there
  )
}

/** The first that listens on TCP: one web server a pod. */
const webContainer = (pod: KubeObject): Json =>
  pod.spec.containers.find((one: Json) =>
    (one.ports ?? []).some((port: Json) => (port.protocol ?? 'TCP') === 'TCP'),
  )

/** Such as `web 1.4.2`. */
function titleOf({ metadata }: KubeObject, container: Json, image: string): string {
  const labels = metadata.labels ?? {}
  const tag = /:([\w][\w.-]*)(?:@|$)/.exec(image.slice(image.lastIndexOf('/') + 1))?.[1]
  const name = labels['app.kubernetes.io/name'] ?? labels.app ?? container.name
  return [name, labels['app.kubernetes.io/version'] ?? tag].filter(Boolean).join(' ')
}
