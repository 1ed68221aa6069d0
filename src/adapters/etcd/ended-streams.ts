// Lets go of calls that have ended. Node keeps what a closed HTTP/2 stream was called for until the old generation is
// collected, and @grpc/grpc-js never takes its listeners off: a tenth of all that a replica allocates was copied by
// each small collection, ten milliseconds at a time. Nothing else in gkube speaks HTTP/2.
import { subscribe } from 'node:diagnostics_channel'
import type { ClientHttp2Stream } from 'node:http2'

const channel = 'http2.client.stream.close'

let closed: ClientHttp2Stream[] = []
let isOn = false

/** Once for the process, however many clients ask for it. Where Node has no such channel nothing changes. */
export function letGoOfEndedStreams(): void {
  if (isOn) return
  isOn = true
  subscribe(channel, message => {
    const { stream } = message as { stream: ClientHttp2Stream }
    // `close` itself is still to be told, in this turn of the loop.
    if (closed.push(stream) === 1) setImmediate(letGo)
  })
}

function letGo(): void {
  const ended = closed
  closed = []
  for (const stream of ended) stream.removeAllListeners()
}
