// The web server of a pod over its life: opened when its container starts, ready when the probe's path is there, gone with
// the container. What it answers is web.ts.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Json, KubeObject } from '../object.ts'
import { type Instance, instanceKey, type Pod, type Real } from './instance.ts'
import { output } from './output.ts'
import type { podVolumes } from './volumes.ts'
import { openWeb, type Site, type Web } from './web.ts'

type Deps = {
  readonly volumes: ReturnType<typeof podVolumes>
  readonly news: (pod: KubeObject) => void
}

export function podWebs({ volumes, news }: Deps) {
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
    news(pod)
  }

  return (known: Pod, container: Json, image: string): Real => {
    const { pod, instances } = known
    const key = (restarts: number) => instanceKey(container.name, restarts)
    const path: string | undefined = container.readinessProbe?.httpGet?.path
    const start = (restarts: number): Instance => {
      const instance: Instance = { kind: 'web', output: output(), stopped: known.gone === true }
      instances.set(key(restarts), instance)
      listen(instance, pod, container, image).catch(error => {
        // Not ready, and tried again with the next look at the pod.
        instance.output.add(`gkube sandbox: ${(error as Error).message}`)
        instances.delete(key(restarts))
        setTimeout(() => news(pod), 1_000).unref()
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
          news(pod)
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
}

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    is => is.isDirectory(),
    () => false, // not there
  )

/** The first that listens on TCP: one web server a pod. */
export const webContainer = (pod: KubeObject): Json =>
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
