// Events: recorded for people, counted up when the same thing happens again, removed after an hour.
// Writing one never holds up or fails what it tells about.
import { kindNamed } from '../kinds.ts'
import { type KubeObject, timestamp } from '../object.ts'
import type { Registry } from '../registry.ts'
import type { Store } from '../store.ts'

export type Recorder = (
  object: KubeObject,
  event: { reason: string; message: string; warning?: boolean; from: string; container?: string },
) => void

const keepMs = 60 * 60 * 1000

export function eventRecorder(
  store: Store,
  registry: Registry,
  log: { warn(facts: object, text: string): void },
) {
  const kind = kindNamed('Event')
  const names = new Map<string, string>()
  let last: Promise<unknown> = Promise.resolve()
  let serial = 0
  let stopped = false

  async function write(object: KubeObject, event: Parameters<Recorder>[1]) {
    const namespace = object.metadata.namespace ?? 'default'
    const { reason, message, from, container } = event
    const type = event.warning ? 'Warning' : 'Normal'
    const same = [object.metadata.uid, type, reason, message, container].join('\n')
    const known = names.get(same)
    const now = timestamp()
    if (known && store.get(kind, namespace, known)) {
      await registry.mutate(
        { kind, namespace, name: known },
        draft => {
          draft.count = (draft.count ?? 1) + 1
          draft.lastTimestamp = now
        },
        { manager: from },
      )
      return
    }
    const name = `${object.metadata.name}.${(Date.now() * 1000 + (serial++ % 1000)).toString(16)}`
    names.set(same, name)
    if (names.size > 20_000) names.clear()
    const involvedObject = {
      kind: object.kind,
      namespace: object.metadata.namespace,
      name: object.metadata.name,
      uid: object.metadata.uid,
      apiVersion: object.apiVersion,
      resourceVersion: object.metadata.resourceVersion,
      ...(container ? { fieldPath: `spec.containers{${container}}` } : {}),
    }
    const source = { component: from, ...(from === 'kubelet' ? { host: object.spec?.nodeName } : {}) }
    const fields = {
      involvedObject,
      reason,
      message,
      source,
      type,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,

      reportingComponent: from,
      reportingInstance: '',
    }
    await registry.create(kind, { metadata: { name, namespace }, ...fields }, { manager: from, namespace })
  }

  const sweep = setInterval(
    () => {
      for (const object of store.list(kind)) {
        if (Date.parse(object.lastTimestamp ?? object.metadata.creationTimestamp) < Date.now() - keepMs) {
          void store.remove(kind, object).catch(error => log.warn({ err: error }, 'an old event stays'))
        }
      }
    },
    10 * 60 * 1000,
  )
  sweep.unref()

  const record: Recorder = (object, event) => {
    if (stopped) return
    last = last
      .then(() => (stopped ? undefined : write(object, event)))
      // Its namespace may be gone by now.
      .catch(error =>
        stopped ? undefined : log.warn({ err: error, reason: event.reason }, 'an event was not recorded'),
      )
  }
  return {
    record,
    async stop() {
      stopped = true
      clearInterval(sweep)
      await last
    },
  }
}
