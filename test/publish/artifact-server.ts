// Servers that artifacts come from: plain http, or https with a certificate made for the test. Each remembers what it was
// asked, so that a test can say what a credential was sent to.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

export const folder = mkdtempSync(join(tmpdir(), 'gkube-artifacts-'))
export const certificate = join(folder, 'tls.crt')
const key = join(folder, 'tls.key')

const servers: { close(): unknown; closeAllConnections(): void }[] = []
afterAll(() => {
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
  rmSync(folder, { recursive: true, force: true })
})

export type ArtifactServer = {
  readonly url: string
  readonly host: string
  readonly asked: readonly IncomingMessage[]
}

/** `answer` gets the number of the request, from 1. */
export async function artifactServer(
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void,
  { tls = false } = {},
): Promise<ArtifactServer> {
  const asked: IncomingMessage[] = []
  const listener: RequestListener = (request, response) => {
    asked.push(request)
    answer(request, response, asked.length)
  }
  if (tls) makeCertificate()
  const server = tls
    ? createTlsServer({ cert: readFileSync(certificate), key: readFileSync(key) }, listener)
    : createServer(listener)
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`, host: `127.0.0.1:${port}`, asked }
}

let made = false
function makeCertificate(): void {
  if (made) return
  made = true
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', certificate, ...subject], {
    stdio: 'ignore',
  })
}
