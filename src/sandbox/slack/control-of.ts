// The control in process: what tests read, wait for and break. Acting as somebody is acting.ts; the same over HTTP,
// for the page, is control-http.ts.
import { type ActingDeps, actingAs } from './acting.ts'
import type { Change, Control } from './control.ts'
import type { Dispatch } from './dispatch.ts'
import type { Faults } from './faults.ts'
import { shared } from './methods/files.ts'
import type { MentionStyle } from './payloads.ts'
import type { Rates } from './rates.ts'
import type { Sockets } from './socket-mode.ts'
import type { State } from './state.ts'
import type { Access, webApi } from './web-api.ts'

export type ControlDeps = {
  readonly state: State
  readonly acting: ActingDeps
  readonly api: ReturnType<typeof webApi>
  readonly access: Access
  readonly faults: Faults
  readonly rates: Rates
  readonly sockets: Sockets
  readonly dispatch: Dispatch
  setOffline(value: boolean): void
  setMentions(style: MentionStyle): void
}

const patience = 10_000

export function controlOf(deps: ControlDeps): Control {
  const { state, api, access, faults, sockets, dispatch } = deps
  const person = (idOrName: string) => {
    const found = state.personBy(idOrName)
    if (!found) throw new Error(`there is nobody called ${idOrName}`)
    return found
  }
  const channel = (idOrName: string) => {
    const found = idOrName.startsWith('@') ? state.imOf(person(idOrName).id) : state.channelBy(idOrName)
    if (!found) throw new Error(`there is no channel ${idOrName}`)
    return found
  }
  const messagesIn = (idOrName: string) => state.messages.get(channel(idOrName).id) ?? []

  return {
    as: name => actingAs(deps.acting, person(name)),
    people: () => [...state.people.values()],
    channels: () => [...state.channels.values()],
    groups: () => [...state.groups.values()],
    messages: name =>
      messagesIn(name).filter(
        one => !one.thread_ts || one.thread_ts === one.ts || one.subtype === 'thread_broadcast',
      ),
    thread: (name, ts) => messagesIn(name).filter(one => one.ts === ts || one.thread_ts === ts),
    ephemerals(name, where) {
      const at = where && channel(where).id
      return state.ephemerals.filter(one => one.only === person(name).id && (!at || one.channel === at))
    },
    notices: name => state.notices.filter(one => one.user === person(name).id),
    view: name => state.stackOf(person(name).id).at(-1),
    views: name => state.stackOf(person(name).id),
    home: name => state.homes.get(person(name).id),
    files: () =>
      [...state.files.values()]
        .filter(one => one.done)
        .map(one => ({ ...shared(one), content: one.content })),
    calls: method => api.calls().filter(one => !method || one.method === method),
    forgetCalls: api.forget,
    until: (look, options) => until(state, look, options),
    onChange: state.onChange,

    fault: faults.add,
    clearFaults: faults.clear,
    offline: () => deps.setOffline(true),
    online: () => deps.setOffline(false),
    rates: mode => deps.rates.set(mode),
    scopes(scopes) {
      access.scopes = [...scopes]
    },
    revokeToken() {
      access.revoked = true
    },
    mentions: deps.setMentions,
    skew: dispatch.skew,

    deleteMessage(name, ts) {
      if (!state.remove(channel(name).id, ts)) throw new Error(`there is no message ${ts} in ${name}`)
    },
    setChannel(id, change) {
      state.channels.set(id, {
        name: id.toLowerCase(),
        members: [],
        ...state.channels.get(id),
        ...change,
        id,
      })
      state.changed({ what: 'workspace' })
    },
    setPerson(id, change) {
      const fresh = {
        name: id.toLowerCase(),
        real_name: id,
        email: `${id.toLowerCase()}@example.com`,
        title: '',
      }
      state.people.set(id, { ...fresh, ...state.people.get(id), ...change, id })
      state.changed({ what: 'workspace' })
    },
    setGroup(id, change) {
      const fresh = { handle: id.toLowerCase(), name: id, users: [] }
      state.groups.set(id, { ...fresh, ...state.groups.get(id), ...change, id })
      state.changed({ what: 'workspace' })
    },

    sockets: {
      count: sockets.count,
      deliverTwice: (times = 1) => sockets.deliverTwice(times),
      refresh: (which = 'all') => sockets.refresh(which),
      cut: sockets.cut,
    },
    repeatNext: dispatch.repeatNext,
  }
}

/** Looks now and after each change; there is no polling and no fixed pause. */
function until<T>(
  state: State,
  look: () => T | undefined | null | false,
  { what = String(look), timeoutMs = patience }: { what?: string; timeoutMs?: number } = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    let ended = false
    const end = (finish: () => void) => {
      if (ended) return
      ended = true
      clearTimeout(timer)
      stopListening()
      finish()
    }
    const tryIt = (_change?: Change) => {
      if (ended) return
      try {
        const seen = look()
        if (seen !== undefined && seen !== null && seen !== false) end(() => resolve(seen))
      } catch (error) {
        end(() => reject(error))
      }
    }
    const late = () =>
      end(() => reject(new Error(`the workspace did not show ${what} within ${timeoutMs} ms`)))
    const timer = setTimeout(late, timeoutMs)
    const stopListening = state.onChange(tryIt)
    tryIt()
  })
}
