// What the front door does when pods do not do well: only a connection that was refused is tried on another pod. How it
// finds pods of a real Service is in runs.test.ts.
import { createServer, type RequestListener, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../src/sandbox/cluster/object.ts'
import { openFrontDoor } from '../../../src/sandbox/cluster/runs/front-door.ts'
import { freePort } from '../../../src/sandbox/free-port.ts'

const closing: (() => Promise<void> | void)[] = []
afterAll(async () => {
  for (const close of closing) await close()
})

async function pod(answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await new Promise(done => server.once('listening', done))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A Service `web` in `shop` whose ready pods listen there. */
async function doorTo(ports: readonly number[]): Promise<number> {
  const metadata = { name: 'web', namespace: 'shop', uid: 'web' }
  const endpoints = ports.map((_, i) => ({
    conditions: { ready: true },
    targetRef: { uid: String(i), name: `web-${i}` },
  }))
  const slice = { metadata: { labels: { 'kubernetes.io/service-name': 'web' } }, endpoints }
  const door = await openFrontDoor(
    {
      store: {
        // As much of them as is looked at.
        get: (_kind, _namespace, name) =>
          name === 'web' ? ({ metadata, spec: { selector: {} } } as unknown as KubeObject) : undefined,
        list: ({ kind }) => (kind === 'EndpointSlice' ? [slice as unknown as KubeObject] : []),
      },
      portOf: uid => ports[Number(uid)],
    },
    0,
  )
  closing.push(door.close)
  return door.port
}

const ask = (port: number, body = ''): Promise<{ status: number; text: string }> =>
  new Promise((done, failed) => {
    const headers = { host: 'web.shop.localhost' }
    request({ port, host: '127.0.0.1', method: 'POST', headers, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', part => {
        text += part
      })
      response.on('error', failed)
      response.on('end', () => done({ status: response.statusCode ?? 0, text }))
    })
      .on('error', failed)
      .end(body)
  })

describe('the front door', () => {
  it('tries the next pod, with the whole body, when a connection is refused', async () => {
    const open = await pod((incoming, response) => incoming.pipe(response))
    const port = await doorTo([await freePort(), open])
    const body = 'x'.repeat(200_000)
    for (let i = 0; i < 6; i++) expect(await ask(port, body)).toEqual({ status: 200, text: body })
  })

  it('says so when no pod takes it', async () => {
    expect(await ask(await doorTo([await freePort(), await freePort()]))).toEqual({
      status: 503,
      text: 'gkube sandbox: No pod took the connection.\n',
    })
  })

  it('repeats nothing that a pod has begun with', async () => {
    let times = 0
    const breaks = await pod(incoming => {
      times++
      incoming.socket.destroy()
    })
    const { status, text } = await ask(await doorTo([breaks, breaks]), 'pay')
    expect(status).toBe(502)
    expect(text).toMatch(/^gkube sandbox: The pod web-\d gave no answer: /)
    expect(times).toBe(1)
  })

  it('breaks off what a pod breaks off', async () => {
    const half = await pod((incoming, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half', () => incoming.socket.destroy())
    })
    await expect(ask(await doorTo([half]))).rejects.toThrow(/aborted|ECONNRESET/)
  })
})
