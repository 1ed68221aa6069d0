// The control over HTTP, for the page and for people with curl: the whole state as JSON, changes as server-sent events,
// and what somebody does as one POST. Same origin only; who listens on 127.0.0.1 is checked in http.ts.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { readBody } from './arguments.ts'
import type { Act, Control, Snapshot } from './control.ts'
import type { Dispatch } from './dispatch.ts'
import type { State } from './state.ts'

const text = z.string().max(40_000)
const place = z.union([z.literal('modal'), z.literal('home'), z.strictObject({ channel: text, ts: text })])
const element = z.union([
  text,
  z.strictObject({ action_id: text, block_id: text.optional(), value: text.optional() }),
])
const value = z.union([text, z.array(text), z.null()])
const fields = z.record(z.string(), value)
const verb = <N extends string, S extends z.ZodRawShape>(name: N, shape: S) =>
  z.strictObject({ as: text, do: z.literal(name), ...shape })
const actSchema = z.discriminatedUnion('do', [
  verb('command', { channel: text, text }),
  verb('say', { channel: text, text, thread_ts: text.optional() }),
  verb('click', { place, element }),
  verb('select', { place, element, value }),
  verb('options', { place, element, query: text }),
  verb('fill', { fields }),
  verb('submit', { fields: fields.optional() }),
  verb('close', { all: z.boolean().optional() }),
  verb('home', {}),
  verb('messages', {}),
  verb('dismiss', { ts: text }),
  verb('delete', { channel: text, ts: text }),
]) satisfies z.ZodType<Act>

const heartbeat = 15_000
/** The newest of each channel: the page asks for all of it after each change. */
const messagesShown = 500

export function controlOverHttp(deps: {
  readonly state: State
  readonly control: Control
  readonly dispatch: Dispatch
}) {
  const { state, control } = deps

  function snapshot(): Snapshot {
    const byUser = <T>(all: readonly T[], user: (one: T) => string | undefined) =>
      Object.groupBy(all, one => user(one) ?? '') as Record<string, T[]>
    return {
      version: state.version(),
      now: Date.now(),
      team: state.team,
      app: {
        id: state.app.id,
        name: state.app.name,
        user: state.app.user,
        connected: deps.dispatch.connected(),
      },
      commands: state.commands,
      people: control.people(),
      channels: control.channels(),
      groups: control.groups(),
      messages: Object.fromEntries([...state.messages].map(([id, list]) => [id, list.slice(-messagesShown)])),
      ephemerals: byUser(state.ephemerals, one => one.only),
      notices: byUser(state.notices, one => one.user),
      views: Object.fromEntries(state.stacks),
      homes: Object.fromEntries(state.homes),
    }
  }

  async function perform(act: Act): Promise<unknown> {
    const acting = control.as(act.as)
    switch (act.do) {
      case 'command':
        return acting.command(act.channel, act.text)
      case 'say':
        return acting.say(act.channel, act.text, act.thread_ts)
      case 'click':
        return acting.click(act.place, act.element)
      case 'select':
        return acting.select(act.place, act.element, act.value)
      case 'options':
        return { options: await acting.options(act.place, act.element, act.query) }
      case 'fill':
        return acting.fill(act.fields)
      case 'submit':
        return acting.submit(act.fields)
      case 'close':
        return acting.close(act.all)
      case 'home':
        return acting.openHome()
      case 'messages':
        return acting.openMessages()
      case 'dismiss':
        return void state.setEphemeral(act.ts, null)
      case 'delete':
        return control.deleteMessage(act.channel, act.ts)
    }
  }

  function events(response: ServerResponse) {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write(`data: ${JSON.stringify({ version: state.version(), what: 'workspace' })}\n\n`)
    const stop = state.onChange(change => {
      // Calls of the API show nothing: what they did comes as a change of its own.
      if (change.what !== 'call') response.write(`id: ${change.version}\ndata: ${JSON.stringify(change)}\n\n`)
    })
    const beat = setInterval(() => response.write(': still here\n\n'), heartbeat)
    response.on('close', () => {
      clearInterval(beat)
      stop()
    })
  }

  return async function serve(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
  ): Promise<void> {
    const answer = (status: number, body: unknown) =>
      void response
        .writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
        .end(JSON.stringify(body ?? { ok: true }))
    if (request.method === 'GET' && path === '/control/state') return answer(200, snapshot())
    if (request.method === 'GET' && path === '/control/events') return events(response)
    const file = request.method === 'GET' && state.files.get(path.replace('/control/files/', ''))
    if (file && path.startsWith('/control/files/'))
      return void response
        .writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
        .end(file.content)
    if (request.method !== 'POST' || path !== '/control/act')
      return answer(404, { ok: false, error: 'not found' })
    // A form of another site cannot say that it is JSON.
    if (!request.headers['content-type']?.startsWith('application/json'))
      return answer(415, { ok: false, error: 'send application/json' })
    try {
      answer(200, await perform(actSchema.parse(JSON.parse(String(await readBody(request))))))
    } catch (error) {
      answer(400, { ok: false, error: error instanceof Error ? error.message : String(error) })
    }
  }
}
