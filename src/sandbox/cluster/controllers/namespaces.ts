// Namespaces: each gets its service account `default` and the root CA ConfigMap; a deleted one is emptied
// and then goes itself.
import { type Kind, kindNamed, kinds } from '../kinds.ts'
import type { KubeObject } from '../object.ts'
import { StatusError } from '../status-error.ts'
import { type Context, type Controller, keyOf, splitKey } from './engine.ts'

const namespaceKind = kindNamed('Namespace')
const given: readonly { kind: Kind; name: string; fields?: Record<string, unknown> }[] = [
  { kind: kindNamed('ServiceAccount'), name: 'default' },
  { kind: kindNamed('ConfigMap'), name: 'kube-root-ca.crt', fields: { data: { 'ca.crt': '' } } },
]
// Workloads first: what they own would be made again.
const order = [...kinds.filter(kind => kind.namespaced)].sort(
  (a, b) => Number(b.group !== '') - Number(a.group !== ''),
)

export function namespaces({ store, registry }: Context): Controller {
  async function empty(namespace: KubeObject): Promise<undefined> {
    const { name } = namespace.metadata
    let left = 0
    for (const kind of order) {
      for (const object of store.list(kind, name)) {
        left++
        if (object.metadata.deletionTimestamp) continue
        await registry
          .remove({ kind, namespace: name, name: object.metadata.name }, { propagationPolicy: 'Background' })
          .catch(error => {
            if (!(error instanceof StatusError && error.code === 404)) throw error
          })
      }
    }
    const now = order.some(kind => store.list(kind, name).length > 0)
    if (left === 0 || !now)
      await registry.drop(namespaceKind, store.get(namespaceKind, undefined, name) ?? namespace)
    return undefined
  }

  return {
    name: 'namespace-controller',
    keys({ kind, object, type }) {
      if (kind === namespaceKind) return type === 'DELETED' ? [] : [keyOf(object)]
      if (type !== 'DELETED' || !object.metadata.namespace) return []
      // What was given and is gone is given again; the last one to go lets its namespace go.
      const of = store.get(namespaceKind, undefined, object.metadata.namespace)
      const ours = given.some(one => one.kind === kind && one.name === object.metadata.name)
      return of && (of.metadata.deletionTimestamp || ours) ? [keyOf(of)] : []
    },
    async reconcile(key) {
      const { name } = splitKey(key)
      const namespace = store.get(namespaceKind, undefined, name)
      if (!namespace) return undefined
      if (namespace.metadata.deletionTimestamp) return empty(namespace)
      for (const { kind, name: child, fields } of given) {
        if (store.get(kind, name, child)) continue
        await registry.create(
          kind,
          { metadata: { name: child }, ...fields },
          { manager: 'kube-controller-manager', namespace: name },
        )
      }
      return undefined
    },
  }
}
