// A replica as a process of its own, so that tests can kill it. argv: the configuration file; where it is to die, a folder
// of fail points; a folder that stands in for every pool. Tells its parent its URL when it works.
import { readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { loadConfig } from '../../src/config.ts'
import { failPoints } from '../../src/fail-points.ts'
import { createLog } from '../../src/log.ts'
import { directoryPool } from '../../src/sandbox/glusterfs/directory-pool.ts'
import { untilStopped } from '../../src/serve.ts'
import { startServer } from '../../src/server.ts'

const [, , file, folder, pools] = process.argv
const config = loadConfig({ file, env: process.env, read: path => readFileSync(path, 'utf8') })
const points = folder ? failPoints(folder) : undefined
const inFolder = (name: string) => {
  if (!pools) return undefined
  const pool = directoryPool({ name, folder: pools })
  return points?.side(pool, 'pool') ?? pool
}
const server = await startServer({
  config,
  log: createLog({ level: 'warn', format: 'json' }),
  registry: { resolve: async () => ({ kind: 'unavailable', message: 'no registry in this test' }) },
  pool: inFolder,
  failPoints: points,
  leaseSeconds: 2,
})
await server.ready
// Whoever is killed writes nothing at its end: with NODE_COMPILE_CACHE the next one starts in half the time.
flushCompileCache()
process.send?.({ url: server.url })
await untilStopped(server, () => undefined)
process.disconnect?.()
