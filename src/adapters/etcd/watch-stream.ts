// One watch on one gRPC stream, from its opening to its end: who is told is feed.ts's business.
// It finds out by itself when the stream is silently dead: it asks for progress and expects any answer.
import type { IDuplexStream, IWatchRequest, IWatchResponse } from 'etcd3'
import type { Client } from './client.ts'

type Watch = {
  /** Ends in `/`. */
  readonly root: string
  /** The first revision wanted. */
  readonly start: string
  readonly signal: AbortSignal
  readonly checkMs: number
  /** Asked at every check: true ends the stream. */
  isStalled(): boolean
  /** Gets every answer in order, and the next one only when it is done. A rejection ends the stream. */
  take(response: IWatchResponse): Promise<void> | undefined
}

/** Opens the watch; settles when `signal` ended it, throws when it broke. */
export async function watchStream(client: Client, watch: Watch): Promise<void> {
  const stream = (await client.etcd.watchClient.watch({
    interceptors: [requireLeader],
  })) as IDuplexStream<IWatchRequest, IWatchResponse>
  await new Promise<void>((resolve, reject) => {
    let answered = false
    let ended = false
    let queue: Promise<void> | undefined
    /** `dead`: the connection is not to be trusted either. */
    const end = (error?: unknown, dead = false) => {
      if (ended) return
      ended = true
      clearTimeout(timer)
      watch.signal.removeEventListener('abort', onAbort)
      // etcd3 takes the cancel of a stream that is still writable for a failure of the host, and connects anew.
      if (!dead) stream.end()
      stream.cancel()
      if (error === undefined) resolve()
      else reject(error)
    }
    const onAbort = () => end()
    const check = () => {
      if (!answered) return end(new Error('etcd does not answer on the watch stream'), true)
      if (watch.isStalled())
        return end(new Error('a change that was written does not arrive on the watch'), true)
      answered = false
      stream.write({ progress_request: {} })
      timer = setTimeout(check, watch.checkMs)
      return undefined
    }
    // That the watch is there must be said soon: a hanging member is left for another one.
    let timer = setTimeout(check, Math.min(watch.checkMs, client.attemptMs))
    const take = (response: IWatchResponse) => {
      if (ended) return undefined
      const done = watch.take(response)
      // A cancelled watch never says anything again.
      if (response.canceled && !done) end(new Error('etcd cancelled the watch'))
      return done?.catch(end).then(() => (response.canceled ? end() : undefined))
    }
    stream.on('data', response => {
      answered = true
      // Mostly nothing waits: then hand it over at once.
      const done = queue ? queue.then(() => take(response)) : take(response)
      queue = done?.finally(() => {
        if (queue === done) queue = undefined
      })
    })
    stream.on('error', end)
    stream.on('end', () => end(new Error('etcd ended the watch stream')))
    watch.signal.addEventListener('abort', onAbort)
    if (watch.signal.aborted) return end()
    stream.write({
      create_request: {
        key: Buffer.from(watch.root),
        // 0 is the byte after /.
        range_end: Buffer.from(`${watch.root.slice(0, -1)}0`),
        progress_notify: true,
        start_revision: watch.start,
      },
    })
    return undefined
  })
}

type Interceptor = NonNullable<
  NonNullable<Parameters<Client['etcd']['watchClient']['watch']>[0]>['interceptors']
>[number]

/** Lets a member without a leader end the stream; otherwise it would stay open and silent. */
const requireLeader: Interceptor = (options, nextCall) => {
  const call = nextCall(options)
  const start = call.start.bind(call)
  call.start = (metadata, listener) => {
    const own = metadata.clone()
    own.set('hasleader', 'true')
    start(own, listener)
  }
  return call as ReturnType<Interceptor>
}
