// A TCP proxy on 127.0.0.1 that fails on purpose: cuts connections, hangs, loses answers or requests.
// It knows nothing of what it carries; put it in front of a real server to see what a client makes of it.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type CuttingProxy = {
  readonly port: number
  /** How many connections it has taken so far. */
  connections(): number
  /** Cuts every connection now; new ones are taken. */
  cut(): void
  /** Cuts every connection and refuses new ones until `resume`. */
  down(): void
  /** Keeps connections (and takes new ones) but moves no byte until `resume`; nothing is lost. */
  hang(): void
  /** Moves no byte on the connections of now, for ever; new ones work: a connection that died silently. */
  freeze(): void
  resume(): void
  /**
   * The next `times` answers from the server are lost and their connection is cut: the server did what was
   * asked and the client does not hear of it. An answer is a chunk of 40 bytes or more; smaller ones are
   * HTTP/2's own (settings, pings, windows) and pass.
   */
  dropNextResponse(times?: number): void
  /** The next `times` requests (the same measure) are lost and their connection is cut: it was never asked. */
  dropNextRequest(times?: number): void
  /**
   * Decides for each chunk: 'pass', or 'drop' (lose it and cut). Replaces both of the above until it is
   * called with null.
   */
  decide(rule: ((direction: 'request' | 'response', bytes: number) => 'pass' | 'drop') | null): void
  close(): Promise<void>
}

/** Starts a proxy to 127.0.0.1:`targetPort`. */
export async function startProxy(targetPort: number): Promise<CuttingProxy> {
  const pairs = new Set<{ client: Socket; server: Socket }>()
  const frozen = new Set<{ client: Socket; server: Socket }>()
  let hanging = false
  let refusing = false
  let taken = 0
  const toDrop = { request: 0, response: 0 }
  let rule: Parameters<CuttingProxy['decide']>[0] = null

  const dropped = (direction: 'request' | 'response', bytes: number): boolean => {
    if (rule) return rule(direction, bytes) === 'drop'
    if (toDrop[direction] === 0 || bytes < 40) return false
    toDrop[direction]--
    return true
  }

  const server = createServer({ pauseOnConnect: true }, client => {
    if (refusing) return client.destroy()
    taken++
    const upstream = connect(targetPort, '127.0.0.1')
    const pair = { client, server: upstream }
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      frozen.delete(pair)
      client.destroy()
      upstream.destroy()
    }
    const forward = (direction: 'request' | 'response', from: Socket, to: Socket) => {
      from.on('data', chunk => {
        if (dropped(direction, chunk.length)) return end()
        if (!to.write(chunk)) {
          from.pause()
          to.once('drain', () => hanging || frozen.has(pair) || from.resume())
        }
      })
      from.on('error', end)
      from.on('close', end)
    }
    client.setNoDelay(true)
    upstream.setNoDelay(true)
    forward('request', client, upstream)
    forward('response', upstream, client)
    if (hanging) upstream.pause()
    else client.resume()
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const cut = () => {
    for (const { client, server } of [...pairs, ...frozen]) {
      client.destroy()
      server.destroy()
    }
  }
  return {
    port: (server.address() as AddressInfo).port, // a TCP server has an address object
    connections: () => taken,
    cut,
    down: () => {
      refusing = true
      cut()
    },
    hang: () => {
      hanging = true
      for (const { client, server } of pairs) for (const socket of [client, server]) socket.pause()
    },
    freeze: () => {
      for (const pair of pairs) {
        for (const socket of [pair.client, pair.server]) socket.pause()
        pairs.delete(pair)
        frozen.add(pair)
      }
    },
    resume: () => {
      hanging = false
      refusing = false
      for (const { client, server } of pairs) for (const socket of [client, server]) socket.resume()
    },
    dropNextResponse: (times = 1) => {
      toDrop.response += times
    },
    dropNextRequest: (times = 1) => {
      toDrop.request += times
    },
    decide: next => {
      rule = next
    },
    close: async () => {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
