// Fake nodes by kwok: it registers nothing itself, so their objects are written first; what their pods do is in
// stages.ts, their logs come from pod-logs.ts. The real kind is kubelet/node.ts.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Wire } from '../sandbox/cluster/wire.ts'
import { isOlder } from './build.ts'
import type { Nodes } from './harness.ts'
import { seedObjects } from './nodes.ts'
import { servePodLogs } from './pod-logs.ts'
import { kwokConfig } from './stages.ts'

export const playedNodes = (count: number): Nodes => ({
  count,
  flags: async () => ['--kubelet-preferred-address-types=InternalIP'],
  async start({ folder, kubeconfig, wire, built, launch, ends }) {
    const certificates = join(folder, 'certificates')
    const logs = await servePodLogs({
      cert: readFileSync(join(certificates, 'apiserver.crt'), 'utf8'),
      key: readFileSync(join(certificates, 'apiserver.key'), 'utf8'),
      pod: async (namespace, name) => {
        const { status, body } = await wire.get(`/api/v1/namespaces/${namespace}/pods/${name}`)
        return status === 200 ? body : null
      },
    })
    ends.push(() => logs.close())
    await seed(wire, count, isOlder(built) ? 'v1beta1' : 'v1')
    const config = join(folder, 'kwok.yaml')
    writeFileSync(
      config,
      kwokConfig(logs.port)
        .map(one => stringify(one))
        .join('---\n'),
    )
    return launch('kwok', built.path('kwok'), [
      `--kubeconfig=${kubeconfig}`,
      `--config=${config}`,
      '--manage-all-nodes=true',
      '--node-ip=127.0.0.1',
      '--cidr=10.244.0.0/16',
    ])
  },
})

async function seed(wire: Wire, count: number, policyVersion: string): Promise<void> {
  for (const { path, object } of seedObjects(count, policyVersion)) {
    const made = await wire.post(path, object)
    if (made.status !== 201) throw new Error(`${path}: ${made.text}`)
  }
}
