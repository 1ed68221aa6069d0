// The environment of a container, as the kubelet makes it: ConfigMaps and Secrets by reference, fields of the pod, and
// $(NAME) of what came before. For exec, which only shows it, and for containers that run (runs/).
import { kindNamed } from './kinds.ts'
import type { Json, KubeObject } from './object.ts'
import type { Store } from './store.ts'

type Look = Pick<Store, 'get'>

/** What a ConfigMap or Secret of the pod's namespace holds, as text; nothing where it is not there. */
export function dataOf(
  store: Look,
  kind: 'ConfigMap' | 'Secret',
  pod: KubeObject,
  name: string,
): Record<string, string> {
  const found = store.get(kindNamed(kind), pod.metadata.namespace, name)
  const data: Record<string, string> = found?.data ?? {}
  if (kind === 'ConfigMap') return data
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  )
}

export function environment(
  store: Look,
  { pod, container }: { readonly pod: KubeObject; readonly container: Json },
): Map<string, string> {
  const env = new Map([
    ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    ['HOSTNAME', pod.metadata.name],
    ['KUBERNETES_SERVICE_HOST', '10.96.0.1'],
  ])
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    const data = configMapRef
      ? dataOf(store, 'ConfigMap', pod, configMapRef.name)
      : dataOf(store, 'Secret', pod, secretRef?.name)
    for (const [key, value] of Object.entries(data)) env.set(prefix + key, value)
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    const from = valueFrom?.configMapKeyRef
      ? dataOf(store, 'ConfigMap', pod, valueFrom.configMapKeyRef.name)[valueFrom.configMapKeyRef.key]
      : valueFrom?.secretKeyRef
        ? dataOf(store, 'Secret', pod, valueFrom.secretKeyRef.name)[valueFrom.secretKeyRef.key]
        : valueFrom?.fieldRef && fieldOf(pod, valueFrom.fieldRef.fieldPath)
    // An optional key that is not there leaves no variable.
    if (value === undefined && valueFrom && from === undefined) continue
    env.set(name, value === undefined ? (from ?? '') : filled(value, env))
  }
  return env
}

/** `$(NAME)` where that is known; `$$(NAME)` is `$(NAME)`. */
export const filled = (text: string, env: ReadonlyMap<string, string>): string =>
  text.replace(/\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)/g, (all, name?: string) =>
    name === undefined ? '$' : (env.get(name) ?? all),
  )

/** A field that the downward API knows, as text. */
export function fieldOf(pod: KubeObject, path: string): string {
  const label = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path)
  if (label) return pod.metadata[label[1] as 'labels' | 'annotations']?.[label[2] ?? ''] ?? ''
  return String(path.split('.').reduce((at: Json, part) => at?.[part], pod) ?? '')
}
