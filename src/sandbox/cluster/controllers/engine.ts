// What drives every controller: changes of the store become keys, each key is worked on by one reconcile at
// a time, failures are tried again with growing pauses, and all of it ends on stop. Nothing is polled.
// At the start every object is looked at once, so work that a killed process left half done goes on.
import type { KubeObject } from '../object.ts'
import type { Registry } from '../registry.ts'
import type { Runs } from '../runs/runs.ts'
import { StatusError } from '../status-error.ts'
import type { Change, Store } from '../store.ts'
import type { Recorder } from './events.ts'

export type Context = {
  readonly store: Store
  readonly registry: Registry
  readonly record: Recorder
  /** All durations of the cluster are divided by it. */
  readonly speed: number
  /** The image with its tag, for one that names only a digest. */
  readonly images: (image: string) => string
  /** What runs for real; left out: everything is played. */
  readonly runs?: Runs
}

export type Controller = {
  readonly name: string
  /** Which keys a change touches, as `namespace/name`. */
  keys(change: Pick<Change, 'kind' | 'object' | 'type' | 'previous'>): readonly string[]
  /** Brings one step nearer to what is wanted. Answers after how many ms to look again, if so. */
  reconcile(key: string): Promise<number | undefined>
  /** Is given what makes a key be looked at, for news that no object tells. */
  listen?(look: (key: string) => void): void
}

export const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ''}/${metadata.name}`

export function splitKey(key: string): { namespace: string | undefined; name: string } {
  const [namespace, name = ''] = key.split('/')
  return { namespace: namespace || undefined, name }
}

type Log = { warn(facts: object, text: string): void }
type Work = { running: boolean; dirty: boolean; failures: number; timer?: NodeJS.Timeout }

const atOnce = 32

export function runControllers(controllers: readonly Controller[], store: Store, log: Log) {
  let stopped = false
  const queues = controllers.map(controller => queueFor(controller))

  function queueFor(controller: Controller) {
    const works = new Map<string, Work>()
    const waiting: string[] = []
    let busy = 0

    function add(key: string) {
      if (stopped) return
      const work = works.get(key) ?? { running: false, dirty: false, failures: 0 }
      works.set(key, work)
      clearTimeout(work.timer)
      work.timer = undefined
      if (work.dirty) return
      work.dirty = true
      if (!work.running) waiting.push(key)
      pump()
    }

    function pump() {
      while (busy < atOnce && waiting.length > 0 && !stopped) {
        const key = waiting.shift() ?? ''
        busy++
        // A turn of the event loop between: changes that come together are worked on together.
        setImmediate(() => void work(key))
      }
    }

    async function work(key: string) {
      const state = works.get(key)
      if (!state) return
      state.running = true
      state.dirty = false
      const again = stopped ? undefined : await attempt(key, state)
      state.running = false
      busy--
      if (state.dirty) waiting.push(key)
      else if (again !== undefined && !stopped) state.timer = setTimeout(() => add(key), Math.max(1, again))
      else works.delete(key)
      pump()
    }

    async function attempt(key: string, state: Work): Promise<number | undefined> {
      try {
        const again = await controller.reconcile(key)
        state.failures = 0
        return again
      } catch (error) {
        // Someone else was faster, or it is gone: part of every day.
        const expected = error instanceof StatusError && [404, 409].includes(error.code)
        if (!expected && !stopped) {
          log.warn({ err: error, controller: controller.name, key }, 'a controller will try again')
        }
        return Math.min(50 * 2 ** state.failures++, 10_000)
      }
    }

    controller.listen?.(add)
    return {
      offer: (change: Parameters<Controller['keys']>[0]) => controller.keys(change).forEach(add),
      stop: () => works.forEach(work => void clearTimeout(work.timer)),
      busy: () => busy,
    }
  }

  const unsubscribe = store.subscribe(change => {
    for (const queue of queues) queue.offer(change)
  })

  return {
    /** Looks at everything there is. */
    begin(objects: Iterable<Pick<Change, 'kind' | 'object'>>) {
      for (const { kind, object } of objects) {
        for (const queue of queues) queue.offer({ type: 'ADDED', kind, object })
      }
    },
    /** Ends once what is under way has ended. */
    async stop() {
      stopped = true
      unsubscribe()
      for (const queue of queues) queue.stop()
      const until = Date.now() + 2000
      while (queues.some(queue => queue.busy() > 0) && Date.now() < until)
        await new Promise(done => setTimeout(done, 5))
    },
  }
}
