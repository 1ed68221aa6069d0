// One start of one container that runs for real: a process (job-process.ts) or a web server (pod-web.ts), and how the
// kubelet asks for it. runs.ts keeps them by pod.
import type { KubeObject } from '../object.ts'
import type { Child, End } from './child.ts'
import type { Output } from './output.ts'
import type { Site, Web } from './web.ts'

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

export type Instance = {
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
export type Pod = {
  readonly pod: KubeObject
  readonly instances: Map<string, Instance>
  prepared?: boolean
  gone?: boolean
}

/** By container and how often it was started again. */
export const instanceKey = (container: string, restarts: number): string => `${container}/${restarts}`

export function isOver({ kind, web, child, end, drained, stopped }: Instance): boolean {
  // What was not begun when it was stopped never will be.
  if (kind === 'web') return web ? drained === true : stopped
  return end !== undefined || (!child && stopped)
}

/** SIGTERM comes once, however often it is asked for. `drained`: its web server has answered the last one. */
export function signalInstance(instance: Instance, name: 'SIGTERM' | 'SIGKILL', drained: () => void): void {
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
    drained()
  })
}
