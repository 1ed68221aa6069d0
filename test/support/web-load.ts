// Requests to the sites of a stand-in cluster, through its front door (`door`: its port), one alone or without an end.
import { request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'

export type Answer = { readonly status: number; readonly version: string; readonly pod: string }
export const ask = (door: number, namespace: string): Promise<Answer> =>
  new Promise((done, failed) => {
    const headers = { host: `site.${namespace}.localhost` }
    request({ host: '127.0.0.1', port: door, headers, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', part => {
        text += part
      })
      response.on('error', failed)
      response.on('end', () =>
        done({
          status: response.statusCode ?? 0,
          version: /version (\w+)<\/h1>/.exec(text)?.[1] ?? text,
          pod: String(response.headers['x-gkube-pod']),
        }),
      )
    })
      .on('error', failed)
      .end()
  })

/** Requests until `stop`: what was answered, and what was not. */
export function load(door: number, namespace: string) {
  const answers: Answer[] = []
  const failures: string[] = []
  let going = true
  const done = (async () => {
    for (; going; await wait(50))
      await ask(door, namespace).then(
        answer => (answer.status === 200 ? answers.push(answer) : failures.push(JSON.stringify(answer))),
        error => failures.push(String(error)),
      )
  })()
  return {
    async stop() {
      going = false
      await done
      return { answers, failures }
    },
  }
}
