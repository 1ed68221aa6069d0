// The least of a registry, over http on loopback: each tag has a digest, made from its name, as in the sandbox.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export async function startRegistry() {
  const server = createServer((request, response) => {
    const digest = `sha256:${createHash('sha256')
      .update(request.url ?? '')
      .digest('hex')}`
    response.writeHead(200, {
      'docker-content-digest': digest,
      'content-type': 'application/vnd.oci.image.index.v1+json',
      'docker-distribution-api-version': 'registry/2.0',
    })
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    host: `127.0.0.1:${port}`,
    stop: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
