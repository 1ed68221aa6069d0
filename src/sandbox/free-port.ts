// A free port on 127.0.0.1 for a child process that cannot tell which port it got.
// It can be taken before the child binds it: the caller tries again with another.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** A TCP port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // not a pipe: it listens on TCP
  server.close()
  await once(server, 'close')
  return port
}
