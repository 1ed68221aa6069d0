// Containers of Jobs as processes: what of them can run (program.ts), with the container's environment, and every path of
// it as a path of this machine.
import { mkdir } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { environment, filled } from '../environment.ts'
import { controllerOf, type Json, type KubeObject } from '../object.ts'
import type { Store } from '../store.ts'
import { type End, marker, startChild } from './child.ts'
import { type Instance, instanceKey, type Pod, type Real } from './instance.ts'
import { output } from './output.ts'
import { type Own, type Program, programOf } from './program.ts'
import { mountOf, translator } from './translate.ts'
import type { podVolumes } from './volumes.ts'

type Deps = {
  readonly store: Store
  readonly own: Own
  readonly volumes: ReturnType<typeof podVolumes>
  /** Of the sandbox: what the marker of its processes says. */
  readonly folder: string
  readonly pids: string
  readonly news: (pod: KubeObject) => void
}

/** Of one that a sandbox had started which is gone: as a node says it that was cut off. */
const unknownEnd = { code: 137, reason: 'ContainerStatusUnknown' }

export function jobProcesses({ store, own, volumes, folder, pids, news }: Deps) {
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
    news(pod)
  }

  return {
    planned,
    of(known: Pod, container: Json, program: Program): Real {
      const { pod, instances } = known
      const key = (restarts: number) => instanceKey(container.name, restarts)
      return {
        start(restarts) {
          const instance: Instance = { kind: 'process', output: output(), stopped: known.gone === true }
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
    },
  }
}
