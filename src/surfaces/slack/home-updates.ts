// App Home: published when a person opens it, and again after what changes it, for those who opened it within an hour.
// Slack takes about 100 views a minute from all of us together, so changes are gathered and unchanged views are not
// sent. Which replica saw the opening publishes; what it looks like is messages/home.ts.
import { setTimeout as wait } from 'node:timers/promises'
import type { App, BlockButtonAction, SlackEventMiddlewareArgs } from '@slack/bolt'
import { type Deploy, isTerminal } from '../../core/deploy.ts'
import { sha256 } from '../../core/hash.ts'
import type { News } from '../../core/news.ts'
import { UserError } from '../../errors.ts'
import { actionIds } from './action-ids.ts'
import type { SlackCaller, SlackDeps } from './deps.ts'
import { type HomeFacts, homeView } from './messages/home.ts'

const rememberMs = 60 * 60_000
const rememberMost = 200
/** Changes within this are one. */
const gatherMs = 1_500
/** A view a second is half of what Slack takes; the rest is for dialogs. */
const paceMs = 1_000
/** Doubled each time: 10 s, 20 s, … */
const retryMs = 5_000
const mostTries = 5
/** A part that takes longer is left out and said so: a cluster that does not answer must not keep the rest away. */
const partMs = 4_000
const askedMost = 10

export type Homes = {
  /** Publishes it now and keeps it up to date for an hour. */
  opened(userId: string, caller: () => Promise<SlackCaller>): Promise<void>
  /** Ends the updates; what is being published ends by itself. */
  stop(): void
}

/** Answers what ends the updates. */
export function registerHome(bolt: App, deps: SlackDeps): Homes {
  const homes = homeUpdates(deps)
  bolt.event(
    'app_home_opened',
    deps.guarded<SlackEventMiddlewareArgs<'app_home_opened'>>('home', async ({ event }, call) => {
      // The Messages tab of the app is no Home.
      if (event.tab === 'home') await homes.opened(event.user, () => call.caller())
    }),
  )
  bolt.action<BlockButtonAction>(
    actionIds.refresh,
    deps.guarded('refresh', async ({ ack }, call) => {
      await ack()
      await homes.opened(call.user, () => call.caller())
    }),
  )
  return homes
}

/** `tries`: how often in a row it could not be shown, or not all of it. */
type Viewer = { readonly openedAt: number; shown: string | null; stale: boolean; tries: number }

/** `pace` and `gather`, in ms, are for tests. */
export function homeUpdates(
  deps: Pick<
    SlackDeps,
    'core' | 'callers' | 'workspace' | 'config' | 'environments' | 'clock' | 'log' | 'track' | 'news'
  >,
  {
    gather = gatherMs,
    pace = paceMs,
    retry = retryMs,
  }: { readonly gather?: number; readonly pace?: number; readonly retry?: number } = {},
): Homes {
  const { clock, log } = deps
  const viewers = new Map<string, Viewer>()
  const ended = new AbortController()
  let running = false

  const forget = (): void => {
    for (const [user, { openedAt }] of viewers) {
      if (viewers.size <= rememberMost && clock.now() - openedAt < rememberMs) return
      viewers.delete(user)
    }
  }

  /** Reads and publishes; the same view again is not sent unless it was opened. What is not whole is tried again. */
  async function publish(user: string, viewer: Viewer, caller: () => Promise<SlackCaller>): Promise<void> {
    viewer.stale = false
    try {
      const facts = await gatherFacts(deps, await caller())
      await send(user, viewer, facts)
      if (facts.unread.length > 0) later(user, viewer)
      else viewer.tries = 0
    } catch (error) {
      later(user, viewer)
      throw error
    }
  }

  /** An hour of silence would leave buttons that do nothing; a Slack or an etcd that is down is not asked for ever. */
  function later(user: string, viewer: Viewer): void {
    if (viewer.tries >= mostTries) return
    viewer.tries++
    void pause(retry * 2 ** viewer.tries).then(() => {
      if (ended.signal.aborted || viewers.get(user) !== viewer) return
      viewer.stale = true
      run()
    })
  }

  async function send(user: string, viewer: Viewer, facts: HomeFacts): Promise<void> {
    const view = homeView(facts, { now: clock.now(), command: deps.config.command })
    const hash = sha256(view)
    if (hash === viewer.shown) return
    viewer.shown = hash
    try {
      await deps.workspace.publishHome(user, view)
    } catch (error) {
      viewer.shown = null
      throw error
    }
  }

  /** One after the other, those who opened it last first, until nobody's is stale. */
  async function update(): Promise<void> {
    await pause(gather)
    for (;;) {
      forget()
      const next = [...viewers].reverse().find(([, viewer]) => viewer.stale)
      if (!next || ended.signal.aborted) return
      const [user, viewer] = next
      try {
        await deps.track('home', () => publish(user, viewer, () => deps.callers.of(user)))
      } catch (error) {
        if (ended.signal.aborted || isClosing(error)) return
        log.warn({ err: error, user }, 'App Home was not updated')
      }
      await pause(pace)
    }
  }
  const pause = (ms: number): Promise<void> =>
    wait(ms, undefined, { signal: ended.signal, ref: false }).catch(() => undefined)

  function changed(news: News): void {
    if (viewers.size === 0 || !matters(news)) return
    for (const viewer of viewers.values()) viewer.stale = true
    run()
  }

  function run(): void {
    if (running) return
    running = true
    update()
      .catch(error => log.error({ err: error }, 'updates of App Home ended'))
      .finally(() => {
        running = false
        // What came in while it ended.
        if ([...viewers.values()].some(viewer => viewer.stale) && !ended.signal.aborted) run()
      })
  }

  const matters = phasesOnly()
  const unsubscribe = deps.news(changed)
  return {
    async opened(user, caller) {
      const viewer: Viewer = { openedAt: clock.now(), shown: null, stale: false, tries: 0 }
      viewers.delete(user)
      viewers.set(user, viewer)
      forget()
      await publish(user, viewer, caller)
    },
    stop() {
      ended.abort()
      unsubscribe()
    },
  }
}

const isClosing = (error: unknown): boolean =>
  error instanceof UserError && /shutting down/.test(error.message)

/** Steps and counts of pods are the message's; Home shows where a deploy stands and who has to do something. */
function phasesOnly(): (news: News) => boolean {
  const known = new Map<string, string>()
  return news => {
    if (news.kind !== 'deploy') return true
    const { deploy } = news
    const now = stateOf(deploy)
    if (known.get(deploy.id) === now) return false
    if (isTerminal(deploy.phase)) known.delete(deploy.id)
    else known.set(deploy.id, now)
    return true
  }
}

const stateOf = ({ phase, approval, prepared, overridden }: Deploy): string =>
  [phase, approval?.votes.length, prepared?.hash, overridden?.at].join(' ')

type Read = { readonly unread: string[] }

/** Every part by itself: one that cannot be read is named, the others are shown. */
export async function gatherFacts(
  deps: Pick<SlackDeps, 'core' | 'environments' | 'log'>,
  caller: SlackCaller,
): Promise<HomeFacts & Read> {
  const { core } = deps
  const unread: string[] = []
  const part = async <T>(name: string, reading: () => Promise<readonly T[]>): Promise<readonly T[]> => {
    const stop = new AbortController()
    const limit = wait(partMs, null, { signal: stop.signal }).catch(() => null)
    try {
      const found = await Promise.race([reading(), limit])
      if (found) return found
      unread.push(`${name} took too long to read.`)
    } catch (error) {
      // Without any grant there is nothing to see, and that is no failure.
      if (!(error instanceof UserError))
        deps.log.error({ err: error }, `${name} could not be read for App Home`)
      if (!(error instanceof UserError && error.kind === 'forbidden'))
        unread.push(`${name} could not be read just now.`)
    } finally {
      stop.abort()
    }
    return []
  }
  const [approvals, asked, open, status, locks, freezes] = await Promise.all([
    part('Approvals', () => core.approvals(caller)),
    part('Your deploys', () => core.asked(caller, { limit: askedMost })),
    part('What runs', () => core.openDeploys(caller)),
    part('The environments', () => core.status(caller, {})),
    part('Locks', () => core.locks(caller)),
    part('Freezes', () => core.freezes(caller)),
  ])
  const { actor } = caller
  const { environments } = deps
  return { actor, approvals, asked, open, status, locks, freezes, environments, unread }
}
