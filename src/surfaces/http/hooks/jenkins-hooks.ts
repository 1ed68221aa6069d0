// POST /hooks/jenkins and /hooks/jenkins/<secret>: who it is (hook-secrets.ts), what it tells (told.ts), kept by the core
// before it is answered. Jenkins repeats itself, takes every answer for a success and waits inside the build: what is
// refused here is lost unless the log says so.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BuildVerbs, HookScope } from '../../../core/builds/verbs.ts'
import { OutcomeUnknown } from '../../../core/kv.ts'
import { redactText } from '../../../core/redact.ts'
import { UserError } from '../../../errors.ts'
import { failureOf, Refusal } from '../failures.ts'
import type { Metrics } from '../metrics.ts'
import type { Mount } from '../server.ts'
import { tokenGuard } from '../token-guard.ts'
import { hookBody, hookJson } from './hook-body.ts'
import { type Hook, hookSecrets, type Proof, proofOf } from './hook-secrets.ts'
import { checkContentType, toldBy } from './told.ts'

export const hooksPath = '/hooks/jenkins'

/** A build waits for the answer: later than this it is "not confirmed". */
const answerMs = 2_200

type Answer = { readonly status: number; readonly outcome: string; readonly body: object }

/** `now` in milliseconds. Metrics are counted by hook and outcome. */
export function jenkinsHooks(options: {
  readonly hooks: readonly Hook[]
  readonly receive: BuildVerbs['receiveBuild']
  readonly now: () => number
  readonly log: { warn(facts: object, text: string): void }
  readonly metrics: Pick<Metrics, 'counter'>
}): Mount {
  const { receive, now, log } = options
  const secrets = hookSecrets(options.hooks)
  const guard = tokenGuard(now)
  const counted = options.metrics.counter(
    'gkube_jenkins_hooks_total',
    'Hooks of Jenkins, by hook and what became of them',
  )

  /** Refusal or UserError `unauthenticated` where it is nobody's. */
  function hookOf(proof: Proof, address: string, body: Buffer | null): Hook {
    const found =
      proof.kind === 'secret'
        ? secrets.bySecret(proof.secret)
        : proof.kind === 'signature' && body
          ? secrets.bySignature(proof, body)
          : null
    if (found) return found
    // A right secret passes whatever came before it from there: all of Jenkins may share a proxy's address.
    const wait = guard.wait(address, '')
    if (wait > 0)
      throw new Refusal(429, 'unauthenticated', `Too many wrong secrets from here. Try again in ${wait} s.`, {
        headers: { 'retry-after': String(wait) },
      })
    guard.bad(address, '')
    throw new UserError('unauthenticated', 'Not accepted.')
  }

  async function answerTo(incoming: IncomingMessage, known: (hook: Hook) => void): Promise<Answer | 'gone'> {
    if (incoming.method !== 'POST')
      throw new Refusal(405, 'bad_input', 'A hook is sent with POST.', { headers: { allow: 'POST' } })
    const rest = (incoming.url ?? '').split('?')[0]?.slice(hooksPath.length + 1) ?? ''
    const address = incoming.socket.remoteAddress ?? ''
    const proof = proofOf(incoming.headers, rest, now())
    const early = proof.kind === 'signature' ? null : hookOf(proof, address, null)
    if (early) known(early)
    const body = await hookBody(incoming)
    if (!body) return 'gone'
    const hook = early ?? hookOf(proof, address, body)
    known(hook)
    checkContentType(incoming.headers)
    const told = toldBy(incoming.headers, hookJson(body))
    if (told.kind === 'nothing') return { status: 202, outcome: 'ignored', body: { ignored: told.why } }
    const { job, number, phase } = told.event
    const scope: HookScope = { name: hook.name, jobs: hook.jobs }
    const { repeated } = await inTime(receive(scope, told.event))
    const what = { build: `${job} #${number}`, phase, repeated }
    return { status: repeated ? 200 : 202, outcome: repeated ? 'repeated' : 'taken', body: what }
  }

  return {
    path: hooksPath,
    below: true,
    handle: async (incoming, outgoing, facts) => {
      let hook: Hook | null = null
      const count = (outcome: string) => counted.add({ hook: hook?.name ?? '', outcome })
      try {
        const answer = await answerTo(incoming, found => {
          hook = found
          facts.caller = `hook:${found.name}`
        })
        if (answer === 'gone') return void outgoing.destroy()
        count(answer.outcome)
        send(outgoing, answer.status, answer.body)
      } catch (error) {
        const { status, headers, body, ours } = failureOf(inWords(error), facts.requestId)
        if (ours) facts.fault = error
        count(status >= 500 ? 'failed' : 'refused')
        // Who tries secrets is in the access log; a hook that was ours and is lost must be found by its operator.
        if (hook !== null)
          log.warn(
            { requestId: facts.requestId, caller: facts.caller, status, why: redactText(body.error.message) },
            'a hook of Jenkins was not taken',
          )
        send(outgoing, status, body, headers)
      }
    },
  }
}

/** The same event again is safe: it is kept once. */
function inTime<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    // A plain timer: what an AbortSignal costs, 100 hooks a second notice.
    const timer = setTimeout(() => reject(notConfirmed()), answerMs)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

const inWords = (error: unknown): unknown => (error instanceof OutcomeUnknown ? notConfirmed(error) : error)

const notConfirmed = (cause?: unknown): UserError =>
  new UserError(
    'unavailable',
    'Not confirmed: the store did not answer in time. Send it again; it is taken once.',
    {
      cause,
    },
  )

function send(
  outgoing: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = Buffer.from(JSON.stringify(body))
  outgoing.writeHead(status, {
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': text.byteLength,
  })
  outgoing.end(text)
}
