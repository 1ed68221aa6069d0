// One replica of `npm start -- --replicas N`, as a process of its own that can be killed. argv: its gkube.yaml and the
// sandbox's data folder. It says its address and pid on stdout once it works; who starts it again is replicas.ts.
import { readFileSync } from 'node:fs'
import { loadConfig } from '../config.ts'
import { createLog } from '../log.ts'
import { untilStopped } from '../serve.ts'
import { startServer } from '../server.ts'
import { sandboxSides } from './server-options.ts'

const [, , file, data] = process.argv
if (!file || !data) throw new Error('replica.ts <gkube.yaml> <data folder>')
const config = loadConfig({ file, env: {}, read: path => readFileSync(path, 'utf8') })
const log = createLog({ level: 'warn', format: 'auto' })
const server = await startServer({ config, log, ...sandboxSides(data) })
await server.ready
process.stdout.write(`${JSON.stringify({ url: server.url, pid: process.pid })}\n`)
// Whoever started it is gone without a word: nobody needs it any more.
process.stdin.resume().once('end', () => process.kill(process.pid, 'SIGTERM'))
await untilStopped(server, () => undefined)
process.exit(0)
