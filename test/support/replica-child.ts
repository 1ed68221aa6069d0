// A replica as a process of its own, so that tests can kill it. argv: the configuration file. Tells its parent
// its URL when it works.
import { readFileSync } from 'node:fs'
import { loadConfig } from '../../src/config.ts'
import { createLog } from '../../src/log.ts'
import { untilStopped } from '../../src/serve.ts'
import { startServer } from '../../src/server.ts'

const config = loadConfig({
  file: process.argv[2],
  env: process.env,
  read: path => readFileSync(path, 'utf8'),
})
const server = await startServer({
  config,
  log: createLog({ level: 'warn', format: 'json' }),
  registry: { resolve: async () => ({ kind: 'unavailable', message: 'no registry in this test' }) },
  leaseSeconds: 2,
})
await server.ready
process.send?.({ url: server.url })
await untilStopped(server, () => undefined)
process.disconnect?.()
