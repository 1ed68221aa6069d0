// Running a command in a container, over the real WebSocket protocol, against a server that plays every ending.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import {
  type KubernetesCluster,
  kubernetesCluster,
} from '../../../src/adapters/kubernetes/kubernetes-cluster.ts'

const folder = mkdtempSync(join(tmpdir(), 'gkube-exec-'))
const open: { server: Server; cluster: KubernetesCluster }[] = []
afterEach(() => {
  for (const { server, cluster } of open.splice(0)) {
    cluster.close()
    server.closeAllConnections()
    server.close()
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A cluster whose exec is `serve`; `refuse` answers the upgrade with a Status instead. */
async function execServer(
  serve: (socket: WebSocket, url: URL) => void,
  refuse?: { code: number; message: string },
) {
  const server = createServer()
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'v4.channel.k8s.io' })
  const asked: { url: URL; authorization?: string; protocols: string }[] = []
  server.on('upgrade', (request, socket, head) => {
    const url = new URL(request.url ?? '', 'http://x')
    asked.push({
      url,
      authorization: request.headers.authorization,
      protocols: String(request.headers['sec-websocket-protocol']),
    })
    if (!refuse) return sockets.handleUpgrade(request, socket, head, one => serve(one, url))
    const body = JSON.stringify({ kind: 'Status', message: refuse.message, code: refuse.code })
    return void socket.end(
      `HTTP/1.1 ${refuse.code} No\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    )
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const kubeconfig = join(folder, `config-${port}`)
  const config = {
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: 'u', user: { token: 'secret' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  }
  writeFileSync(kubeconfig, JSON.stringify(config))
  const cluster = kubernetesCluster({ name: 'c', kubeconfig, log: () => undefined })
  open.push({ server, cluster })
  return { cluster, asked }
}

const send = (socket: WebSocket, channel: number, data: string | Buffer) =>
  socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(data)]))
const status = (code: number) =>
  code === 0
    ? { status: 'Success' }
    : {
        status: 'Failure',
        reason: 'NonZeroExitCode',
        details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
      }

async function run(cluster: KubernetesCluster, signal = AbortSignal.timeout(5_000)) {
  const output: string[] = []
  const code = await cluster.exec('shop', 'web-1', {
    container: 'app',
    command: ['sh', '-c', 'echo "a b"'],
    signal,
    output: (text, stream) => output.push(`${stream}:${text}`),
  })
  return { code, output }
}

describe('exec', () => {
  it.each([0, 7])('gives both streams and exit code %i', async code => {
    const { cluster, asked } = await execServer(socket => {
      send(socket, 1, '')
      const snowman = Buffer.from('☃\n')
      send(socket, 1, snowman.subarray(0, 2))
      send(socket, 1, snowman.subarray(2))
      send(socket, 2, 'careful\n')
      send(socket, 3, JSON.stringify(status(code)))
      socket.close()
    })
    const result = await run(cluster)
    expect(result.code).toBe(code)
    expect(result.output.join('')).toBe('stdout:stdout:☃\nstderr:careful\n')
    expect(asked[0]?.authorization).toBe('Bearer secret')
    expect(asked[0]?.protocols).toContain('v4.channel.k8s.io')
    expect(asked[0]?.url.pathname).toBe('/api/v1/namespaces/shop/pods/web-1/exec')
    expect(asked[0]?.url.searchParams.getAll('command')).toEqual(['sh', '-c', 'echo "a b"'])
    expect(asked[0]?.url.searchParams.get('container')).toBe('app')
  })

  it('says what the server refused', async () => {
    const { cluster } = await execServer(() => undefined, { code: 404, message: 'pods "web-1" not found' })
    await expect(run(cluster)).rejects.toMatchObject({ kind: 'not_found', message: 'pods "web-1" not found' })
  })

  it('says why the command could not start', async () => {
    const { cluster } = await execServer(socket => {
      send(socket, 3, JSON.stringify({ status: 'Failure', message: 'exec: "sh": executable file not found' }))
    })
    await expect(run(cluster)).rejects.toMatchObject({
      kind: 'invalid',
      message: /executable file not found/,
    })
  })

  it('tells when the connection ends before the command', async () => {
    const { cluster } = await execServer(socket => socket.terminate())
    await expect(run(cluster)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('ends when the caller stops waiting', async () => {
    const closed = Promise.withResolvers<void>()
    const { cluster } = await execServer(socket => socket.once('close', () => closed.resolve()))
    const stop = new AbortController()
    setTimeout(() => stop.abort(new Error('enough')), 50)
    await expect(run(cluster, stop.signal)).rejects.toThrow('enough')
    await closed.promise
  })

  it('ends when the client closes', async () => {
    const { cluster } = await execServer(() => setTimeout(() => cluster.close(), 20))
    await expect(run(cluster)).rejects.toThrow('gkube is stopping')
  })
})
