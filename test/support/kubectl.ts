// kubectl beside gkube, as the other manager of fields: really run where it is there, else the same writes with the
// names it gives itself, so that the tests say the same everywhere.
import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { Json, patchType, Wire } from '../sandbox/cluster/wire.ts'

export const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0

export type Kubectl = {
  /** Client-side apply, as most people still do it. */
  apply(namespace: string, ...objects: Json[]): Promise<void>
  scale(namespace: string, kind: string, name: string, replicas: number): Promise<void>
  setImage(namespace: string, name: string, container: string, image: string): Promise<void>
  /** `kubectl edit` with an editor that replaces one text by another. */
  edit(namespace: string, resource: string, name: string, change: (object: Json) => void): Promise<void>
  delete(namespace: string, resource: string, name: string): Promise<void>
}

const group: Readonly<Record<string, string>> = {
  deployment: '/apis/apps/v1',
  statefulset: '/apis/apps/v1',
  service: '/api/v1',
  configmap: '/api/v1',
  replicationcontroller: '/api/v1',
  horizontalpodautoscaler: '/apis/autoscaling/v2',
  poddisruptionbudget: '/apis/policy/v1',
}
export const pathTo = (namespace: string, kind: string, name = ''): string =>
  `${group[kind.toLowerCase()]}/namespaces/${namespace}/${kind.toLowerCase()}s${name ? `/${name}` : ''}`

/** kubectl on the cluster of a kubeconfig; `wire` is the same cluster. */
export function kubectlOn(kubeconfig: string, wire: Wire): Kubectl {
  return hasKubectl ? real(kubeconfig, wire) : played(wire)
}

function real(kubeconfig: string, wire: Wire): Kubectl {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-other-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const env = { ...process.env, KUBECONFIG: join(folder, 'config'), HOME: folder }
  writeFileSync(env.KUBECONFIG, kubeconfig)
  const run = (namespace: string, args: string[], more: { input?: Json; editor?: string } = {}) =>
    new Promise<void>((resolve, reject) => {
      const child = execFile(
        'kubectl',
        ['-n', namespace, ...args],
        { env: { ...env, ...(more.editor ? { KUBE_EDITOR: more.editor } : {}) }, timeout: 20_000 },
        (error, out, err) =>
          error ? reject(new Error(`kubectl ${args.join(' ')}: ${err}${out}`)) : resolve(),
      )
      child.stdin?.end(more.input ? JSON.stringify(more.input) : '')
    })
  return {
    apply: (namespace, ...items) =>
      run(namespace, ['apply', '-f', '-'], { input: { apiVersion: 'v1', kind: 'List', items } }),
    scale: (namespace, kind, name, replicas) =>
      run(namespace, ['scale', `${kind}/${name}`, `--replicas=${replicas}`]),
    setImage: (namespace, name, container, image) =>
      run(namespace, ['set', 'image', `deployment/${name}`, `${container}=${image}`]),
    async edit(namespace, resource, name, change) {
      for (let attempt = 1; ; attempt++) {
        const { body } = await wire.get(pathTo(namespace, resource, name))
        change(body)
        delete body.metadata.managedFields
        const file = join(folder, `${name}.json`)
        writeFileSync(file, JSON.stringify(body))
        try {
          return await run(namespace, ['edit', resource, name, '-o', 'json'], { editor: `cp ${file}` })
        } catch (error) {
          // A controller wrote the status while the editor was open.
          if (attempt > 5 || !String(error).includes('has been modified')) throw error
        }
      }
    },
    delete: (namespace, resource, name) => run(namespace, ['delete', resource, name]),
  }
}

function played(wire: Wire): Kubectl {
  const sure = async (call: Promise<{ status: number; text: string }>) => {
    const { status, text } = await call
    if (status >= 300) throw new Error(`${status} ${text}`)
  }
  const patch = (path: string, type: keyof typeof patchType, body: Json, manager: string) =>
    sure(wire.patch(`${path}?fieldManager=${manager}`, type, body))
  return {
    async apply(namespace, ...objects) {
      for (const object of objects) {
        const annotations = {
          ...object.metadata.annotations,
          'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(object),
        }
        const body = { ...object, metadata: { ...object.metadata, annotations } }
        const path = pathTo(namespace, object.kind)
        await sure(wire.post(`${path}?fieldManager=kubectl-client-side-apply`, body))
      }
    },
    scale: (namespace, kind, name, replicas) =>
      patch(`${pathTo(namespace, kind, name)}/scale`, 'merge', { spec: { replicas } }, 'kubectl'),
    setImage: (namespace, name, container, image) => {
      const spec = { template: { spec: { containers: [{ name: container, image }] } } }
      return patch(pathTo(namespace, 'deployment', name), 'strategic', { spec }, 'kubectl-set')
    },
    async edit(namespace, resource, name, change) {
      const path = pathTo(namespace, resource, name)
      const { body } = await wire.get(path)
      change(body)
      await sure(wire.put(`${path}?fieldManager=kubectl-edit`, body))
    },
    delete: (namespace, resource, name) => sure(wire.delete(pathTo(namespace, resource, name))),
  }
}
