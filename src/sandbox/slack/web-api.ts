// The Web API: one POST a call, told apart by path. Token, scope, rate tier and the faults of tests are looked at here,
// in Slack's order; what the methods do is in methods/. Every call is kept for tests to look at.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { type Args, argumentsOf, readBody, textOf } from './arguments.ts'
import type { Call, Fault } from './control.ts'
import type { Faults } from './faults.ts'
import { chat } from './methods/chat.ts'
import { conversations } from './methods/conversations.ts'
import { files } from './methods/files.ts'
import type { Context, Method } from './methods/method.ts'
import { people } from './methods/people.ts'
import { views } from './methods/views.ts'
import { SlackError } from './slack-error.ts'

const methods: Readonly<Record<string, Method>> = { ...chat, ...conversations, ...files, ...people, ...views }
const callsKept = 5000

export type Access = { botToken: string; appToken: string; scopes: readonly string[]; revoked: boolean }
type Log = { error(facts: object, text: string): void }

export type WebApiDeps = {
  readonly context: Context
  readonly access: Access
  readonly faults: Faults
  readonly log?: Log
}

type Answer = {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: Record<string, unknown>
}

export function webApi(deps: WebApiDeps) {
  const { context, access, faults } = deps
  let calls: Call[] = []

  /** Whether the token may do it: throws Slack's refusals. */
  function authorise(name: string, args: Args, header: string | undefined): Method {
    const token = header?.replace(/^Bearer /i, '') ?? textOf(args, 'token')
    if (!token) throw new SlackError('not_authed')
    const isApp = token === access.appToken
    if (access.revoked || (token !== access.botToken && !isApp)) throw new SlackError('invalid_auth')
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined
    if (!method) throw new SlackError('unknown_method', { req_method: name })
    if (isApp !== (method.appToken ?? false) && name !== 'auth.test')
      throw new SlackError('not_allowed_token_type')
    if (method.scopes && !method.scopes.some(scope => access.scopes.includes(scope)))
      throw new SlackError('missing_scope', { needed: method.scopes.join(',') })
    return method
  }

  function answer(name: string, args: Args, header: string | undefined, fault: Fault | undefined): Answer {
    const headers: Record<string, string> = { 'x-oauth-scopes': access.scopes.join(',') }
    const accepted = methods[name]?.scopes
    if (accepted) headers['x-accepted-oauth-scopes'] = accepted.join(',')
    const refused = (error: string, fields: object = {}): Answer => ({
      status: 200,
      headers,
      body: { ok: false, error, ...fields },
    })
    const limited = (seconds: number): Answer => ({
      ...refused('ratelimited'),
      status: 429,
      headers: { ...headers, 'retry-after': String(seconds) },
    })
    if (fault?.status === 429) return limited(fault.retryAfter ?? 1)
    if (fault?.status) return { ...refused('internal_error'), status: fault.status }
    if (fault?.error) return refused(fault.error)
    try {
      const method = authorise(name, args, header)
      const wait = context.rates.take(name, method.tier, textOf(args, 'channel'), Date.now())
      if (wait) return limited(wait)
      return { status: 200, headers, body: { ok: true, ...method.call(args, context) } }
    } catch (error) {
      if (error instanceof SlackError) {
        const provided = error.code === 'missing_scope' ? { provided: access.scopes.join(',') } : {}
        return refused(error.code, { ...error.fields, ...provided })
      }
      deps.log?.error({ err: error, method: name }, 'the stand-in Slack failed')
      return { ...refused('internal_error'), status: 500 }
    }
  }

  function keep(call: Call) {
    calls.push(call)
    if (calls.length > callsKept) calls = calls.slice(-callsKept)
    context.state.changed({ what: 'call' })
  }

  return {
    calls: (): readonly Call[] => calls,
    forget: () => {
      calls = []
    },
    async serve(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
      const at = Date.now()
      const method = url.pathname.slice('/api/'.length)
      let args: Args = {}
      let result: Answer | undefined
      try {
        args = await argumentsOf(request, url.searchParams, await readBody(request))
      } catch (error) {
        if (!(error instanceof SlackError)) throw error
        result = { status: 200, headers: {}, body: { ok: false, error: error.code } }
      }
      const { token: _, ...shown } = args
      const done = (status: number, ok: boolean, error?: string) =>
        keep({ at, method, args: shown, status, ok, error, ms: Date.now() - at })
      const fault = result ? undefined : faults.take(method, args)
      if (fault?.delay) await pause(fault.delay, undefined, { ref: false })
      if (fault?.connection === 'never') return done(0, false, 'never')
      if (fault?.connection === 'cut') {
        request.socket.destroy()
        return done(0, false, 'cut')
      }
      result ??= answer(method, args, request.headers.authorization, fault)
      const { ok, error } = result.body as { ok: boolean; error?: string }
      if (fault?.connection === 'lost') {
        request.socket.destroy()
        return done(0, ok, 'lost')
      }
      const headers = { 'content-type': 'application/json; charset=utf-8', ...result.headers }
      response.writeHead(result.status, headers).end(JSON.stringify(result.body))
      done(result.status, ok, error)
    },
  }
}
