// The other end of cluster-process.ts: starts it and asks what it has seen since it was asked last.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A request as it arrived; `at` is monotonic.ts. */
export type Seen = {
  readonly at: number
  /** `gkube` or `kubectl`. */
  readonly agent: string
  readonly isWrite: boolean
  /** Verb and resource, such as `patch deployments`. */
  readonly what: string
}
export type Complete = { readonly at: number; readonly name: string; readonly generation: number }
export type Notes = {
  readonly kind: 'notes'
  readonly requests: readonly Seen[]
  readonly complete: readonly Complete[]
}

export type BenchCluster = {
  readonly url: string
  readonly kubeconfig: object
  /** What it has seen since the last call. */
  take(): Promise<Notes>
  stop(): Promise<void>
}

type Node = { readonly name: string; readonly cpu: string; readonly memory: string; readonly pods: string }

/** Starts a stand-in cluster whose pods are `speed` times quicker than written. */
export async function benchCluster(
  etcd: string,
  speed: number,
  nodes?: readonly Node[],
): Promise<BenchCluster> {
  const child: ChildProcess = fork(fileURLToPath(new URL('cluster-process.ts', import.meta.url)), [], {
    env: {
      ...process.env,
      BENCH_ETCD: etcd,
      BENCH_SPEED: String(speed),
      ...(nodes ? { BENCH_NODES: JSON.stringify(nodes) } : {}),
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit')
  const answer = async (kind: string): Promise<unknown> => {
    const [message] = await Promise.race([once(child, 'message'), ended.then(() => [null])])
    if (message?.kind !== kind) throw new Error(`the stand-in cluster answered ${JSON.stringify(message)}`)
    return message
  }
  const ready = (await answer('ready')) as { url: string; kubeconfig: object }
  return {
    url: ready.url,
    kubeconfig: ready.kubeconfig,
    take: async () => {
      child.send('take')
      return (await answer('notes')) as Notes
    },
    stop: async () => {
      if (child.connected) child.disconnect()
      await ended
    },
  }
}
