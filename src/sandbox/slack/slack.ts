// The stand-in Slack workspace: Web API, signed requests, Socket Mode and a control, on one port of 127.0.0.1.
// For laptops and tests only; README.md says what it cannot do. This file wires the parts.
import { randomBytes } from 'node:crypto'
import type { SandboxSlack, SlackOptions } from './control.ts'
import { controlOverHttp } from './control-http.ts'
import { controlOf } from './control-of.ts'
import { dispatcher } from './dispatch.ts'
import { faultBox } from './faults.ts'
import { listen } from './http.ts'
import { keepIn } from './kept.ts'
import type { Context } from './methods/method.ts'
import type { MentionStyle } from './payloads.ts'
import { ratesOf } from './rates.ts'
import { responseUrls } from './response-urls.ts'
import * as seed from './seed.ts'
import { socketMode } from './socket-mode.ts'
import { stateOf } from './state.ts'
import { triggerBox } from './triggers.ts'
import { type Access, webApi } from './web-api.ts'

const secret = (prefix: string) => `${prefix}${randomBytes(18).toString('hex')}`

/** Starts a workspace; without `file` it is fresh and nothing is kept. Tokens are new at every start, unless given. */
export async function startSlack(options: SlackOptions = {}): Promise<SandboxSlack> {
  const state = stateOf(options)
  const kept = options.file === undefined ? null : keepIn(options.file, state, options.log)
  const triggers = triggerBox(state.timing.trigger)
  const rates = ratesOf(options.rates ?? 'real')
  const faults = faultBox()
  const sockets = socketMode(() => state.changed({ what: 'workspace' }))
  const signingSecret = options.signingSecret ?? secret('')
  const access: Access = {
    botToken: options.botToken ?? secret('xoxb-'),
    appToken: options.appToken ?? secret('xapp-1-'),
    scopes: options.scopes ?? seed.scopes,
    revoked: false,
  }
  let address = '' // known once it listens
  let isOffline = false
  let mentions: MentionStyle = 'full'

  const context: Context = {
    state,
    triggers,
    rates,
    has: scope => access.scopes.includes(scope),
    get base() {
      return `http://${address}`
    },
    socketUrl: () => `ws://${address}${sockets.ticket()}`,
  }
  const api = webApi({ context, access, faults, log: options.log })
  const dispatch = dispatcher({ sockets, signingSecret, timing: state.timing, log: options.log })
  const urls = responseUrls(state, () => context.base)
  const control = controlOf({
    state,
    acting: {
      state,
      triggers,
      urls,
      dispatch,
      mentions: () => mentions,
      offered: new Map(),
      chosen: new Map(),
    },
    api,
    access,
    faults,
    rates,
    sockets,
    dispatch,
    setOffline(value) {
      isOffline = value
      dispatch.setOffline(value)
      if (value) sockets.cut()
      state.changed({ what: 'workspace' })
    },
    setMentions(style) {
      mentions = style
    },
  })
  const server = await listen(
    {
      state,
      access,
      api,
      urls,
      sockets,
      isOffline: () => isOffline,
      control: controlOverHttp({ state, control, dispatch }),
      log: options.log,
    },
    options.port ?? 0,
  )
  address = `127.0.0.1:${server.port}`

  return {
    url: `${context.base}/`,
    api: `${context.base}/api/`,
    port: server.port,
    botToken: access.botToken,
    appToken: access.appToken,
    signingSecret,
    connect: dispatch.connect,
    control,
    async stop() {
      dispatch.stop()
      sockets.close()
      await server.close()
      kept?.stop()
    },
  }
}
