// The Kubernetes wire protocol by hand, for tests: plain requests and watches over whatever a kubeconfig names,
// the stand-in cluster or a real control plane. No client library decides what is sent or how errors look.
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { KubeConfig } from '@kubernetes/client-node'

// biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of every shape
export type Json = any

export type Reply = {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Json
  readonly text: string
}
export type WatchEvent = { readonly type: string; readonly object: Json }

export const patchType = {
  apply: 'application/apply-patch+yaml',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
} as const

export type Wire = ReturnType<typeof wireTo>

/** Requests to the current cluster of a kubeconfig. */
export function wireTo(kubeconfig: string) {
  const config = new KubeConfig()
  config.loadFromString(kubeconfig)
  const server = config.getCurrentCluster()?.server ?? ''

  async function open(
    method: string,
    path: string,
    options: { body?: Json; headers?: OutgoingHttpHeaders },
  ): Promise<IncomingMessage> {
    const url = new URL(path, server)
    const tls: RequestOptions = {}
    await config.applyToHTTPSOptions(tls)
    const { agent: _agent, headers, ...rest } = tls
    const text =
      options.body === undefined
        ? undefined
        : typeof options.body === 'string'
          ? options.body
          : JSON.stringify(options.body)
    // Said outright: for a DELETE, node would send a body without its length.
    const length = text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }
    const call = url.protocol === 'https:' ? httpsRequest : httpRequest
    return new Promise((resolve, reject) => {
      const request = call(
        url,
        {
          ...rest,
          agent: false,
          method,
          headers: { ...(headers as OutgoingHttpHeaders), ...length, ...options.headers },
        },
        resolve,
      )
      request.on('error', reject)
      request.end(text)
    })
  }

  async function send(
    method: string,
    path: string,
    body?: Json,
    headers: OutgoingHttpHeaders = {},
  ): Promise<Reply> {
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const response = await open(method, path, {
      body,
      headers: { accept: 'application/json', 'user-agent': 'contract/1', ...type, ...headers },
    })
    response.setEncoding('utf8')
    let text = ''
    for await (const chunk of response) text += chunk
    const json = (response.headers['content-type'] ?? '').includes('json')
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text,
      body: json && text ? JSON.parse(text) : undefined,
    }
  }

  return {
    send,
    get: (path: string, headers?: OutgoingHttpHeaders) => send('GET', path, undefined, headers),
    post: (path: string, body: Json) => send('POST', path, body),
    put: (path: string, body: Json) => send('PUT', path, body),
    delete: (path: string, body?: Json) => send('DELETE', path, body),
    patch: (path: string, type: keyof typeof patchType, body: Json) =>
      send('PATCH', path, body, { 'content-type': patchType[type] }),
    /** Server-side apply, for a manager. */
    apply: (path: string, manager: string, body: Json, query = '') =>
      send('PATCH', `${path}?fieldManager=${manager}${query}`, body, { 'content-type': patchType.apply }),
    /** A watch; `next` waits for the next event (of a type). */
    async watch(path: string) {
      const response = await open('GET', path, { headers: { accept: 'application/json' } })
      const events: WatchEvent[] = []
      let waiting: (() => void) | undefined
      let ended = false
      let rest = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        events.push(...lines.filter(Boolean).map(line => JSON.parse(line)))
        waiting?.()
      })
      const finish = () => {
        ended = true
        waiting?.()
      }
      response.on('end', finish).on('error', finish).on('close', finish)
      return {
        status: response.statusCode,
        async next(
          matches: (event: WatchEvent) => boolean = event => event.type !== 'BOOKMARK',
          ms = 8000,
        ): Promise<WatchEvent> {
          const until = Date.now() + ms
          const passed: WatchEvent[] = []
          for (;;) {
            for (let event = events.shift(); event; event = events.shift()) {
              if (matches(event)) return event
              passed.push(event)
            }
            if (ended || Date.now() > until) throw noEvent(ended, passed)
            await new Promise<void>(resolve => {
              const timer = setTimeout(resolve, until - Date.now() + 1)
              waiting = () => {
                clearTimeout(timer)
                resolve()
              }
            })
          }
        },
        async ended(): Promise<WatchEvent[]> {
          while (!ended) await new Promise<void>(resolve => (waiting = resolve))
          return events
        },
        close: () => response.destroy(),
      }
    },
    /** Asks until it is so, by watching nothing: for what has no event of its own. */
    async until<T>(look: () => Promise<T | undefined | false>, ms = 14_000): Promise<T> {
      const end = Date.now() + ms
      for (;;) {
        const found = await look()
        if (found) return found
        if (Date.now() > end) throw new Error('it did not come to be in time')
        await new Promise(done => setTimeout(done, 20))
      }
    },
  }
}

const noEvent = (ended: boolean, passed: readonly WatchEvent[]) =>
  new Error(
    `no such event${ended ? ', the watch has ended' : ''}; seen: ${JSON.stringify(passed).slice(0, 500)}`,
  )
