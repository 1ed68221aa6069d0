// A call that has ended must hold nothing: Node keeps the closed stream for long, so its listeners have to go.
import { once } from 'node:events'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { letGoOfEndedStreams } from '../../../src/adapters/etcd/ended-streams.ts'

async function served<T>(work: (port: number) => Promise<T>): Promise<T> {
  const server = createServer()
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined) // its own end of what it cuts
    if (headers[':path'] === '/cut') return stream.close(2)
    stream.respond({ ':status': 200 }, { endStream: false })
    return headers[':path'] === '/open' ? stream.write('more') : stream.end('all')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    return await work((server.address() as AddressInfo).port)
  } finally {
    server.close()
  }
}

const heard = ['response', 'data', 'end', 'error', 'close'] as const

function ask(session: ReturnType<typeof connect>, path: string) {
  const stream = session.request({ ':path': path })
  const seen: string[] = []
  for (const event of heard) stream.on(event, () => seen.push(event))
  const left = () => heard.filter(event => stream.listenerCount(event) > 0)
  return { stream, seen, left, closed: new Promise(resolve => stream.once('close', resolve)) }
}

const cases = [
  { name: 'answered', path: '/', told: ['response', 'data', 'end', 'close'] },
  { name: 'cut by the server', path: '/cut', told: ['error', 'close'] },
]
for (const { name, path, told } of cases)
  test(`${name}: everybody is told, then nothing is held`, async () => {
    letGoOfEndedStreams()
    letGoOfEndedStreams()
    await served(async port => {
      const session = connect(`http://127.0.0.1:${port}`)
      const call = ask(session, path)
      await call.closed
      await turn()
      await turn()
      expect(call.seen).toEqual(expect.arrayContaining(told))
      expect(call.left()).toEqual([])
      session.close()
    })
  })

test('a stream that is open (a watch) keeps its listeners while others end', async () => {
  letGoOfEndedStreams()
  await served(async port => {
    const session = connect(`http://127.0.0.1:${port}`)
    const open = ask(session, '/open')
    await once(open.stream, 'data')
    await ask(session, '/').closed
    await turn()
    await turn()
    expect(open.left()).toEqual([...heard])
    open.stream.close()
    await open.closed
    session.close()
  })
})
