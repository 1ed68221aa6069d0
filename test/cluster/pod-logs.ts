// The one thing of a kubelet that kwok cannot do: logs that fit the pod. The real API server asks the node's port
// for them; this answers with the lines of the stand-in cluster (src/sandbox/cluster/logs.ts) for the state that
// the real cluster shows. So what the API server does with logs is real, and the lines are played.
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LogOptions, logText, logView } from '../../src/sandbox/cluster/logs.ts'
import type { KubeObject } from '../../src/sandbox/cluster/object.ts'

export type PodLogs = { readonly port: number; close(): Promise<void> }

type Options = {
  readonly cert: string
  readonly key: string
  /** A pod as the cluster has it now; null when it is gone. */
  readonly pod: (namespace: string, name: string) => Promise<KubeObject | null>
}

const lookMs = 200
// Lines come early enough to be there when kwok lets a container end.
const play = { images: (image: string) => image, speed: 10 }
const number = (text: string | null) => (text ? Number(text) : undefined)

/** Listens on 127.0.0.1 for `GET /containerLogs/<namespace>/<pod>/<container>`, with TLS as a kubelet has it. */
export async function servePodLogs({ cert, key, pod }: Options): Promise<PodLogs> {
  const server = createServer({ cert, key }, (request, response) => {
    const url = new URL(request.url ?? '/', 'https://kubelet')
    const [, verb, namespace, name, container] = url.pathname.split('/').map(decodeURIComponent)
    const query = url.searchParams
    const refuse = (status: number, error: unknown) => {
      response.writeHead(status, { 'content-type': 'text/plain' })
      response.end(error instanceof Error ? error.message : String(error))
    }
    if (verb !== 'containerLogs' || !namespace || !name || !container) return refuse(404, 'not played here')
    const options: LogOptions = {
      container,
      previous: query.get('previous') === 'true',
      timestamps: query.get('timestamps') === 'true',
      tailLines: number(query.get('tailLines')),
      limitBytes: number(query.get('limitBytes')),
      sinceSeconds: number(query.get('sinceSeconds')),
      sinceTime: query.get('sinceTime') ?? undefined,
    }
    const look = async () => {
      const found = await pod(namespace, name)
      return found && logView(found, options, play)
    }
    const stream = async () => {
      const first = await look()
      if (!first) return refuse(404, `pod "${name}" not found`)
      let shown = Date.now()
      response.writeHead(200, { 'content-type': 'text/plain' })
      response.write(logText(first.lines, options, shown))
      let view: typeof first | null = first
      while (query.get('follow') === 'true' && view && !view.ended && !response.destroyed) {
        await sleep(lookMs)
        const now = Date.now()
        view = await look()
        const news = (view?.lines ?? []).filter(line => line.at > shown && line.at <= now)
        if (news.length > 0) response.write(logText(news, { timestamps: options.timestamps }, now))
        shown = now
      }
      return response.end()
    }
    return void stream().catch(error => {
      if (response.headersSent) response.destroy()
      else refuse(400, error)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
