// A container's log, whole or followed line by line. Streams over our own connection: the package's Log with
// `follow` crashes the process when it is aborted (an unhandled `error` on its source stream).
import type { LogOptions } from '../../core/cluster.ts'
import { knownResource, objectPath } from './resources.ts'
import { linesOf } from './shared-watch.ts'
import type { Wire, WireRequest } from './wire.ts'

const defaultBytes = 256 * 2 ** 10

function logRequest(namespace: string, pod: string, options: LogOptions, follow: boolean): WireRequest {
  const resource = knownResource({ apiVersion: 'v1', kind: 'Pod' })
  if (!resource) throw new Error('Pod is a known kind')
  return {
    method: 'GET',
    path: `${objectPath(resource, { apiVersion: 'v1', kind: 'Pod', namespace, name: pod })}/log`,
    query: {
      container: options.container,
      previous: options.previous,
      tailLines: options.tailLines,
      sinceSeconds: options.sinceSeconds,
      limitBytes: options.limitBytes ?? (follow ? undefined : defaultBytes),
      timestamps: options.timestamps,
      follow,
    },
    accept: 'text/plain, application/json, */*',
    counter: follow ? 'follow pods/log' : 'get pods/log',
    repeatable: true,
  }
}

/** The log as one text, 256 KiB at most unless `limitBytes` says otherwise. */
export async function readLog(
  wire: Pick<Wire, 'call'>,
  namespace: string,
  pod: string,
  options: LogOptions,
): Promise<string> {
  return (await wire.call(logRequest(namespace, pod, options, false))).body
}

/** Lines as they are written; ends when the container ends or the signal aborts, throws ClusterError when cut off. */
export async function* followLog(
  wire: Pick<Wire, 'stream' | 'error'>,
  namespace: string,
  pod: string,
  options: LogOptions & { signal: AbortSignal },
): AsyncGenerator<string> {
  const { signal, ...rest } = options
  if (signal.aborted) return
  try {
    const response = await wire.stream(logRequest(namespace, pod, rest, true), signal)
    yield* linesOf(response, () => undefined)
  } catch (cause) {
    if (!signal.aborted) throw wire.error(cause)
  }
}
