// Starts replica-child.ts and talks to it over HTTP, as any client would.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import type { Deploy } from '../../src/core/deploy.ts'

const token = 'a-bootstrap-token-of-this-test-only-0123456789'
const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
})

export type Replica = {
  readonly url: string
  readonly child: ChildProcess
  /** Signals it and waits until it is gone; its exit code or signal. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null>
  /** A call of the API; the status and the parsed body. */
  call(method: string, path: string, body?: unknown): Promise<{ status: number; body: { deploy?: Deploy } }>
  request(body: object): Promise<Deploy>
  show(id: string): Promise<Deploy>
}

export async function startReplica(configFile: string): Promise<Replica> {
  const child = fork(fileURLToPath(new URL('replica-child.ts', import.meta.url)), [configFile], {
    env: { ...process.env, GKUBE_BOOTSTRAP_TOKEN: token },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  children.push(child)
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const first = await Promise.race([once(child, 'message'), ended.then(() => null)])
  if (!first) throw new Error('the replica ended before it worked')
  const { url } = first[0] as { url: string }
  const call: Replica['call'] = async (method, path, body) => {
    const answer = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    })
    return { status: answer.status, body: (await answer.json()) as { deploy?: Deploy } }
  }
  const good = async (method: string, path: string, body?: unknown): Promise<Deploy> => {
    const answer = await call(method, path, body)
    if (answer.status >= 300 || !answer.body.deploy)
      throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body.deploy
  }
  return {
    url,
    child,
    async end(signal) {
      child.kill(signal)
      const [code, by] = await ended
      return code ?? by
    },
    call,
    request: body => good('POST', '/v1/deploys', body),
    show: id => good('GET', `/v1/deploys/${id}`),
  }
}

/** Asks until it holds; the last answer when time is up. */
export async function until<T>(
  look: () => Promise<T>,
  holds: (value: T) => boolean,
  seconds = 20,
): Promise<T> {
  const end = Date.now() + seconds * 1000
  for (;;) {
    const value = await look()
    if (holds(value) || Date.now() > end) return value
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
