// Plays the node: takes a scheduled pod from ContainerCreating to Running, Ready, its end or its crash loop,
// one step a reconcile so that every state is seen. What a container does is decided in play.ts; the
// container's own steps are in container-steps.ts. How long a step has lasted is kept in memory only: after
// a restart the step begins anew.
import { kindNamed } from '../kinds.ts'
import { isTask } from '../logs.ts'
import { clone, type Json, type KubeObject, same, timestamp } from '../object.ts'
import type { Real } from '../runs/instance.ts'
import { type Clock, stepContainer } from './container-steps.ts'
import { type Context, type Controller, keyOf, splitKey } from './engine.ts'
import { configProblem, mountProblem } from './pod-needs.ts'

type RealOf = (container: Json) => Real | undefined

const stopMs = 300
/** How long after a volume could not be mounted it is tried again. */
const mountAgainMs = 2_000
const podKind = kindNamed('Pod')

export function kubelet({ store, registry, record, speed, images, runs }: Context): Controller {
  const clocks = new Map<string, Clock>()

  function clockOf(uid: string): Clock {
    const known = clocks.get(uid)
    if (known) return known
    const since = new Map<string, number>()
    const counts = new Map<string, number>()
    const clock: Clock = {
      left(step, ms) {
        const begun = since.get(step) ?? Date.now()
        since.set(step, begun)
        return begun + ms / speed - Date.now()
      },
      once(step) {
        const first = !counts.has(step)
        counts.set(step, 1)
        return first
      },
      tries: what => counts.get(`tries ${what}`) ?? 0,
      tried: what => void counts.set(`tries ${what}`, (counts.get(`tries ${what}`) ?? 0) + 1),
    }
    clocks.set(uid, clock)
    return clock
  }

  function freeAddress(node: string): string {
    const taken = new Set(store.list(podKind).map(pod => pod.status?.podIP))
    const subnet = Number(/\d+$/.exec(node)?.[0] ?? 0)
    for (;;) {
      const address = `10.244.${subnet}.${2 + Math.floor(Math.random() * 250)}`
      if (!taken.has(address) || taken.size > 240) return address
    }
  }

  async function write(pod: KubeObject, status: Json) {
    const target = { kind: podKind, namespace: pod.metadata.namespace, name: pod.metadata.name }
    await registry.mutate(
      target,
      draft => {
        if (draft.metadata.uid === pod.metadata.uid) draft.status = status
      },
      { manager: 'kubelet', subresource: 'status' },
    )
  }

  async function terminate(pod: KubeObject): Promise<number | undefined> {
    const clock = clockOf(pod.metadata.uid)
    const grace = (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000
    const graceLeft = clock.left('grace', grace)
    if (clock.once('kill')) {
      for (const one of pod.status?.containerStatuses ?? []) {
        if (one.state?.running)
          record(pod, {
            reason: 'Killing',
            message: `Stopping container ${one.name}`,
            from: 'kubelet',
            container: one.name,
          })
      }
    }
    const sleeps = pod.spec.containers.map(
      (one: Json) => (one.lifecycle?.preStop?.sleep?.seconds ?? 0) * 1000,
    )
    const slept = Math.max(0, ...sleeps)
    const left = clock.left('stop', Math.min(stopMs + slept, grace))
    const real = endReal(pod, clock.left('preStop', Math.min(slept, grace)), graceLeft)
    const soon = [left, real ?? 0].filter(ms => ms > 0)
    if (soon.length > 0) return Math.min(...soon)
    await registry.remove(
      { kind: podKind, namespace: pod.metadata.namespace, name: pod.metadata.name },
      { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid } },
    )
    return undefined
  }

  /** SIGTERM after preStop, SIGKILL after the grace period; in how many ms to look again, undefined: all has ended. */
  function endReal({ metadata: { uid } }: KubeObject, preStop: number, grace: number): number | undefined {
    if (!runs?.isBusy(uid)) return undefined
    if (preStop > 0) return preStop
    runs.signal(uid, grace > 0 ? 'SIGTERM' : 'SIGKILL')
    if (!runs.isBusy(uid)) return undefined
    return grace > 0 ? grace : 20
  }

  function firstStatus(pod: KubeObject): Json {
    const waiting = (reason: string) => (one: Json) => ({
      name: one.name,
      image: one.image,
      imageID: '',
      ready: false,
      started: false,
      restartCount: 0,
      state: { waiting: { reason } },
      lastState: {},
    })
    const inits: Json[] = pod.spec.initContainers ?? []
    const mains = pod.spec.containers.map(waiting(inits.length > 0 ? 'PodInitializing' : 'ContainerCreating'))
    return {
      ...pod.status,
      phase: 'Pending',
      hostIP: `192.168.49.${Number(/\d+$/.exec(pod.spec.nodeName)?.[0] ?? 0) + 1}`,
      startTime: timestamp(),
      ...(inits.length > 0 ? { initContainerStatuses: inits.map(waiting('PodInitializing')) } : {}),
      containerStatuses: mains,
    }
  }

  /** Lets every container that may move make its next step; answers when to look again. */
  function advance(pod: KubeObject, status: Json, realOf: RealOf): number | undefined {
    let again: number | undefined
    const clock = clockOf(pod.metadata.uid)
    const step = (container: Json, state: Json) => {
      const left = stepContainer(state, {
        pod,
        container,
        clock,
        image: images(container.image),
        task: isTask(pod, container),
        real: realOf(container),
        problem: () => configProblem(store, pod, container),
        tell: event => record(pod, { ...event, from: 'kubelet', container: container.name }),
      })
      if (left !== undefined) again = Math.min(again ?? left, left)
    }
    const inits: Json[] = pod.spec.initContainers ?? []
    for (const [i, container] of inits.entries()) {
      const state = status.initContainerStatuses[i]
      const sidecar = container.restartPolicy === 'Always'
      const done = state.state.terminated?.exitCode === 0 && !sidecar
      if (!done) step(container, state)
      if (!(state.state.terminated?.exitCode === 0 || (sidecar && state.started))) return again
    }
    for (const [i, container] of pod.spec.containers.entries()) step(container, status.containerStatuses[i])
    return again
  }

  async function reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key)
    const pod = store.get(podKind, namespace, name)
    if (!pod?.spec.nodeName) return undefined
    if (pod.metadata.deletionTimestamp) return terminate(pod)
    if (['Succeeded', 'Failed'].includes(pod.status?.phase)) return undefined
    if (!pod.status?.startTime) {
      const status = firstStatus(pod)
      await write(pod, { ...status, conditions: conditionsOf(pod, status) })
      return undefined
    }
    const realOf: RealOf = container =>
      runs?.of(pod, container, { image: images(container.image), task: isTask(pod, container) })
    const all: Json[] = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
    const isReal = all.some(container => realOf(container))
    const missing = mountProblem(store, pod) ?? (isReal ? await runs?.mountProblem(pod) : undefined)
    if (missing) {
      record(pod, { reason: 'FailedMount', message: missing, warning: true, from: 'kubelet' })
      return isReal ? mountAgainMs / speed : undefined
    }
    const status = clone(pod.status)
    status.podIP ??= freeAddress(pod.spec.nodeName)
    status.podIPs ??= [{ ip: status.podIP }]
    const again = advance(pod, status, realOf)
    status.phase = phaseOf(pod, status)
    status.conditions = conditionsOf(pod, status)
    const { podIP: _a, podIPs: _b, ...before } = pod.status
    const { podIP: _c, podIPs: _d, ...after } = status
    if (!same(before, after)) await write(pod, status)
    return again
  }

  return {
    name: 'kubelet',
    keys({ kind, object, type }) {
      if (kind === podKind) {
        if (type === 'DELETED') {
          clocks.delete(object.metadata.uid)
          runs?.forget(object)
        }
        return type === 'DELETED' ? [] : [keyOf(object)]
      }
      // What a pod waits for may have come.
      if (!['ConfigMap', 'Secret', 'PersistentVolumeClaim'].includes(kind.kind)) return []
      return store
        .list(podKind, object.metadata.namespace)
        .filter(pod => pod.spec.nodeName && pod.status?.phase === 'Pending')
        .map(keyOf)
    },
    reconcile,
    listen: look => runs?.onNews(look),
  }
}

function phaseOf(pod: KubeObject, status: Json): string {
  const ended: Json[] = status.containerStatuses.map((one: Json) => one.state.terminated)
  const restarts = (code: number) =>
    pod.spec.restartPolicy === 'Always' || (pod.spec.restartPolicy === 'OnFailure' && code !== 0)
  const initFailed = (status.initContainerStatuses ?? []).some(
    (one: Json) =>
      one.state.terminated && one.state.terminated.exitCode !== 0 && pod.spec.restartPolicy === 'Never',
  )
  if (initFailed) return 'Failed'
  if (ended.every(one => one && !restarts(one.exitCode)))
    return ended.every(one => one.exitCode === 0) ? 'Succeeded' : 'Failed'
  const begun = status.containerStatuses.every(
    (one: Json) => one.state.running || one.state.terminated || one.lastState.terminated,
  )
  return begun ? 'Running' : 'Pending'
}

function conditionsOf(pod: KubeObject, status: Json): Json[] {
  const before: Json[] = pod.status?.conditions ?? []
  const over = ['Succeeded', 'Failed'].includes(status.phase)
  const unready = status.containerStatuses.filter((one: Json) => !one.ready).map((one: Json) => one.name)
  const inits: Json[] = status.initContainerStatuses ?? []
  const pending = inits
    .filter(
      (one, i) =>
        !(
          one.state.terminated?.exitCode === 0 ||
          (one.started && pod.spec.initContainers[i].restartPolicy === 'Always')
        ),
    )
    .map(one => one.name)
  const why = over
    ? { reason: 'PodCompleted' }
    : { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` }
  const ready = unready.length === 0 && !over
  const facts: [type: string, is: boolean, detail: Json][] = [
    ['PodReadyToStartContainers', Boolean(status.podIP) && !over, {}],
    [
      'Initialized',
      pending.length === 0,
      {
        reason: 'ContainersNotInitialized',
        message: `containers with incomplete status: [${pending.join(' ')}]`,
      },
    ],
    ['Ready', ready, why],
    ['ContainersReady', ready, why],
    ['PodScheduled', true, {}],
  ]
  return facts.map(([type, is, detail]) => {
    const state = is ? 'True' : 'False'
    const old = before.find(one => one.type === type)
    const lastTransitionTime = old?.status === state ? old.lastTransitionTime : timestamp()
    return { type, status: state, lastTransitionTime, ...(is ? {} : detail) }
  })
}
