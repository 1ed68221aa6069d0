// The stand-in cluster in a process of its own, so that its work does not count as gkube's. It notes when each
// request arrives, from whom, and when a Deployment is complete; cluster.ts asks for these notes.
import { subscribe } from 'node:diagnostics_channel'
import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { startCluster } from '../src/sandbox/cluster/cluster.ts'
import { routeOf } from '../src/sandbox/cluster/route.ts'
import type { Complete, Notes, Seen } from './cluster.ts'
import { monotonic } from './monotonic.ts'

const observer = 'gkube-bench-observer'
let requests: Seen[] = []
let complete: Complete[] = []

// Fires when the head of a request was read, before anything is done about it.
subscribe('http.server.request.start', message => {
  const at = monotonic()
  const { request } = message as { request: IncomingMessage }
  const agent = request.headers['user-agent'] ?? ''
  if (agent === observer) return
  const url = new URL(request.url ?? '/', 'http://cluster')
  const route = routeOf(request.method ?? 'GET', url.pathname, url.searchParams)
  const resource =
    route && (route.subresource ? `${route.kind.plural}/${route.subresource}` : route.kind.plural)
  const dryRun = url.searchParams.has('dryRun') ? ' (dry run)' : ''
  requests.push({
    at,
    agent: agent.split('/', 1)[0] ?? '',
    isWrite: !['GET', 'HEAD'].includes(request.method ?? ''),
    what: route ? `${route.verb} ${resource}${dryRun}` : `get ${url.pathname}`,
  })
})

const cluster = await startCluster({
  etcd: { endpoints: [process.env.BENCH_ETCD ?? ''] },
  prefix: '/bench/cluster',
  speed: Number(process.env.BENCH_SPEED ?? 1),
  ...(process.env.BENCH_NODES ? { nodes: JSON.parse(process.env.BENCH_NODES) } : {}),
})

/** The cluster's own view of done: what `kubectl rollout status` waits for. */
function isComplete(object: {
  metadata: { generation: number }
  spec: { replicas: number }
  status?: Status
}) {
  const { status = {}, spec, metadata } = object
  return (
    status.observedGeneration === metadata.generation &&
    status.updatedReplicas === spec.replicas &&
    status.replicas === spec.replicas &&
    status.availableReplicas === spec.replicas
  )
}
type Status = {
  observedGeneration?: number
  updatedReplicas?: number
  replicas?: number
  availableReplicas?: number
}

const watch: ClientRequest = get(
  `${cluster.url}/apis/apps/v1/deployments?watch=1`,
  { headers: { 'user-agent': observer } },
  response => {
    const lines = createInterface({ input: response })
    // It is cut when the benchmark ends.
    lines.on('error', () => undefined)
    lines.on('line', line => {
      const { object } = JSON.parse(line)
      if (object?.kind === 'Deployment' && isComplete(object))
        complete.push({ at: monotonic(), name: object.metadata.name, generation: object.metadata.generation })
    })
  },
)

process.on('message', message => {
  if (message !== 'take') return
  const notes: Notes = { kind: 'notes', requests, complete }
  requests = []
  complete = []
  process.send?.(notes)
})
process.once('disconnect', () => {
  watch.destroy()
  void cluster.stop().then(() => process.exit(0))
})
process.send?.({ kind: 'ready', url: cluster.url, kubeconfig: cluster.kubeconfig() })
