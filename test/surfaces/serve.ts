// The HTTP server on a memory core, on a free port of 127.0.0.1, closed at the end of the test file.
import { afterAll } from 'vitest'
import { metricsRegistry } from '../../src/surfaces/http/metrics.ts'
import { type HttpConfig, httpServer } from '../../src/surfaces/http/server.ts'
import { type MemoryCore, memoryCore, tokens } from './support.ts'

const cleanups: (() => Promise<void>)[] = []
afterAll(async () => {
  await Promise.all(cleanups.splice(0).map(cleanup => cleanup()))
})

export type LogLine = { level: 'debug' | 'info' | 'error'; message: string; [field: string]: unknown }

export async function served(
  options: {
    core?: MemoryCore
    port?: number
    timeouts?: HttpConfig['timeouts']
    limits?: HttpConfig['limits']
  } = {},
) {
  const core = options.core ?? memoryCore()
  const lines: LogLine[] = []
  const drain = new AbortController()
  const at = (level: LogLine['level']) => (fields: object, message: string) =>
    void lines.push({ level, message, ...fields })
  const server = httpServer({
    core,
    config: {
      host: '127.0.0.1',
      port: options.port ?? 0,
      timeouts: { close: 1000, ...options.timeouts },
      limits: { requestsPerMinute: 1_000_000, ...options.limits },
    },
    log: { debug: at('debug'), info: at('info'), error: at('error') },
    version: '9.9.9',
    metrics: metricsRegistry(),
    drain: { closing: drain.signal },
  })
  await server.listen()
  cleanups.push(() => server.close())
  const ask = (
    method: string,
    path: string,
    more: { body?: unknown; headers?: Record<string, string> } = {},
  ) =>
    fetch(server.url + path, {
      method,
      headers: {
        authorization: `Bearer ${tokens.admin}`,
        ...(more.body !== undefined && typeof more.body !== 'string'
          ? { 'content-type': 'application/json' }
          : {}),
        ...more.headers,
      },
      body:
        more.body === undefined
          ? undefined
          : typeof more.body === 'string'
            ? more.body
            : JSON.stringify(more.body),
    })
  return { core, server, url: server.url, lines, drain, ask }
}

/** Waits until `check` gives something; the test's own time-out ends it otherwise. */
export async function until<T>(check: () => T | undefined | false | null): Promise<T> {
  for (;;) {
    const value = check()
    if (value) return value
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}
