// The baseline of the Slack load: a Bolt app that checks the signature and acks, nothing else. A process of its own;
// prints its port.
import { createServer } from 'node:http'
import { App, HTTPReceiver, LogLevel } from '@slack/bolt'

const signingSecret = process.env.BENCH_SIGNING_SECRET ?? ''
const receiver = new HTTPReceiver({ signingSecret, endpoints: '/slack/events' })
const app = new App({
  receiver,
  logLevel: LogLevel.ERROR,
  authorize: async () => ({ botToken: 'xoxb-bench', botId: 'B0', botUserId: 'U0' }),
})
app.command(/.*/, async ({ ack }) => ack('ok'))
app.action(/.*/, async ({ ack }) => ack())

const server = createServer((request, response) => void receiver.requestListener(request, response))
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`${typeof address === 'object' && address ? address.port : ''}\n`)
})
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
