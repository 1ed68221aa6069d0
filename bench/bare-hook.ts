// The baseline of the hooks: a bare http server that reads the same body, answers, and posts at once to Slack what is to
// be told. It keeps nothing, compares no secret and waits for no limit. A process of its own; prints its port.
import { once } from 'node:events'
import { createServer } from 'node:http'

const api = process.env.BENCH_SLACK_API ?? ''
const authorization = `Bearer ${process.env.BENCH_SLACK_TOKEN ?? ''}`

type Body = { readonly url: string; readonly build: { readonly number: number } }

async function tell({ url, build }: Body): Promise<void> {
  const n = /^job\/bench\/job\/app-(\d+)\/$/.exec(url)?.[1]
  if (n === undefined) return
  await fetch(`${api}chat.postMessage`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify({ channel: `C0BENCH${n}`, text: `bench/app-${n} #${build.number}` }),
  })
}

const server = createServer(async (request, response) => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Body
  response.writeHead(202, { 'content-type': 'application/json' })
  response.end('{}')
  await tell(body)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = server.address()
process.stdout.write(`${typeof address === 'object' && address ? address.port : ''}\n`)
process.once('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})
