// Which channel hears of whose builds: `subscriptions/<channel>/<app>`, `*` for all apps. Read when a build's messages
// are begun (core/builds/); what a channel does not want to hear is the notifier's to leave out.
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import { type Subscription, subscriptionSchema } from '../builds/build.ts'
import type { BuildVerbs } from '../builds/verbs.ts'
import { isSameActor } from '../deploy.ts'
import { demand, may } from '../policy.ts'
import { decode, decodeAll, put, remove, unchanged } from '../records.ts'
import { appNamed } from './apps.ts'
import { noJenkins } from './build-seen.ts'
import type { Deps } from './deps.ts'

const raced = (): UserError =>
  new UserError(
    'conflict',
    'Someone changed that subscription at the same moment. Look again: gkube subscriptions',
  )

/** `all apps`, `web`. */
export const subscribedTo = (app: string): string => (app === '*' ? 'all apps' : app)

type Verbs = Pick<BuildVerbs, 'subscribe' | 'unsubscribe' | 'subscriptions'>

export function subscriptions(deps: Deps): Verbs {
  const { kv, keys, clock } = deps
  if (!deps.jenkins) return { subscribe: none, unsubscribe: none, subscriptions: none }
  return {
    async subscribe(caller, { channel, app, events }) {
      demand(caller, 'subscribe', { app }, deps.people)
      if (app !== '*') await appNamed(deps, app)
      const key = keys.subscription(channel, app)
      const entry = await kv.get(key)
      const before = entry ? decode(subscriptionSchema, entry) : null
      // The same again changes nothing, so that a repeated envelope is no second entry in the audit.
      if (before?.value.events === events) return before.value
      const now = clock.now()
      const value: Subscription = { schema: 1, channel, app, events, by: caller.actor, at: now }
      const audit = auditPut(keys, now, {
        by: caller.actor,
        action: 'subscribe',
        outcome: before ? 'changed' : 'subscribed',
        ...(app === '*' ? {} : { app }),
        detail: `${channel} to ${events} of ${subscribedTo(app)}`,
      })
      const { committed } = await kv.commit({
        compares: [unchanged(key, before)],
        writes: [put(key, value), audit],
      })
      if (!committed) throw raced()
      return value
    },
    async unsubscribe(caller, { channel, app }) {
      const key = keys.subscription(channel, app)
      const entry = await kv.get(key)
      const before = entry ? decode(subscriptionSchema, entry) : null
      if (!before) {
        demand(caller, 'view', app === '*' ? {} : { app }, deps.people)
        return { was: false }
      }
      if (!isSameActor(before.value.by, caller.actor)) demand(caller, 'subscribe', { app }, deps.people)
      const audit = auditPut(keys, clock.now(), {
        by: caller.actor,
        action: 'unsubscribe',
        outcome: 'unsubscribed',
        ...(app === '*' ? {} : { app }),
        detail: `${channel} from ${subscribedTo(app)}`,
      })
      const { committed } = await kv.commit({
        compares: [unchanged(key, before)],
        writes: [remove(key), audit],
      })
      if (!committed) throw raced()
      return { was: true }
    },
    async subscriptions(caller, { channel }) {
      demand(caller, 'view', {}, deps.people)
      const { entries } = await kv.list(
        channel === undefined ? keys.subscriptions : keys.subscriptionsOf(channel),
      )
      return decodeAll(subscriptionSchema, entries, error =>
        deps.log('a subscription was left out of the list', error),
      )
        .map(stored => stored.value)
        .filter(({ app }) => app === '*' || may(caller, 'view', { app }))
    },
  }
}

const none = async (): Promise<never> => {
  throw noJenkins()
}
