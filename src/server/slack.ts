// The Slack half of a replica: adapter → notifier and surface, wired where Slack is configured. Nothing here waits for
// Slack: gkube starts, deploys and stops the same while it is down.
import { slackAdapter } from '../adapters/slack/slack.ts'
import type { Config } from '../config.ts'
import type { Clock } from '../core/clock.ts'
import type { Check, Core } from '../core/core.ts'
import type { Deploy } from '../core/deploy.ts'
import type { Keys } from '../core/keys.ts'
import type { Kv } from '../core/kv.ts'
import { messagesSchema } from '../core/messages.ts'
import { newsOf } from '../core/news.ts'
import { createNotifier } from '../core/notifier.ts'
import { read } from '../core/records.ts'
import type { Replica } from '../core/replica.ts'
import type { createDrain } from '../drain.ts'
import type { FailPoints } from '../fail-points.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../surfaces/http/metrics.ts'
import { type SlackSurface, slackSurface } from '../surfaces/slack/app.ts'
import { slackApprovers } from '../surfaces/slack/approvers.ts'
import { slackCallers } from '../surfaces/slack/callers.ts'
import { slackClaims } from '../surfaces/slack/claims.ts'
import { slackUser } from '../surfaces/slack/known-user.ts'
import { slackMention } from '../surfaces/slack/messages/names.ts'
import { slackRenderer } from '../surfaces/slack/messages/renderer.ts'
import { appNames } from '../surfaces/slack/names.ts'

type Wired = {
  readonly config: Config & { readonly slack: NonNullable<Config['slack']> }
  readonly kv: Kv
  readonly keys: Keys
  readonly clock: Clock
  readonly random: () => number
  readonly replica: Pick<Replica, 'name' | 'lease'>
  readonly drain: Pick<ReturnType<typeof createDrain>, 'track'>
  readonly log: Log
  readonly failPoints: FailPoints | undefined
  /** The core is made after this, and asks for `checks`. */
  readonly core: () => Core
  /** Resolves when work that nobody waits for may begin (pace.ts). */
  readonly turn: () => Promise<void>
  /** What a deploy waits for, in words. */
  readonly waiting: (deploy: Deploy) => string | null
}

export function wireSlack({
  config,
  kv,
  keys,
  clock,
  random,
  replica,
  drain,
  log,
  failPoints,
  core,
  turn,
  waiting,
}: Wired) {
  const { slack } = config
  const environments = new Map(Object.entries(config.environments))
  const people = Object.values(config.people)
  const report = (message: string, error: unknown) => log.warn({ err: error }, message)
  const adapter = slackAdapter({
    ...slack,
    channels: [...environments].flatMap(([environment, { channel }]) =>
      channel ? [{ environment, channel }] : [],
    ),
    log: report,
  })
  const renderer = slackRenderer({
    links: { compare: slack.compareLink },
    mention: slackMention,
    command: slack.command,
    environments: name => environments.get(name),
  })
  const { workspace } = adapter
  const notifier = createNotifier({
    // Whoever asked has their answer: what stands in the channel comes after the next one's.
    kv: { ...kv, getMany: keys => turn().then(() => kv.getMany(keys)) },
    keys,
    clock,
    random,
    replica,
    renderer,
    messenger: failPoints ? failPoints.side(adapter.messenger, 'slack') : adapter.messenger,
    environment: name => environments.get(name),
    waiting,
    approversOf: slackApprovers({ workspace, people, groups: slack.groups, environments, log }),
    userOf: slackUser({ workspace, people, log }),
    log: report,
  })
  /** Made with the core, which needs `checks` first. */
  const surface = () =>
    slackSurface({
      core: core(),
      callers: slackCallers({ workspace, people, config: slack, log }),
      workspace,
      config: slack,
      environments,
      clock,
      random,
      log,
      track: drain.track,
      renderer,
      claim: slackClaims({ kv, keys, replica: replica.name }),
      names: appNames({ core: core(), now: clock.now }),
      invited: notifier.retry,
      news: newsOf({ kv, keys }),
      posted: async id => (await read(kv, messagesSchema, keys.message(id)))?.value ?? null,
      bodyLimit: config.limits.bodyBytes,
    })
  return {
    surface,
    notifier,
    mention: adapter.memberOf,
    checks: async (): Promise<readonly Check[]> =>
      (await Promise.all([adapter.checks(), notifier.checks()])).flat(),
    /** `surface`: as made above. */
    measure(metrics: Pick<Metrics, 'gauge'>, made: SlackSurface): void {
      const sum = (of: 'limited' | 'waiting') =>
        Object.values(adapter.counts()).reduce((total, method) => total + method[of], 0)
      const state = notifier.state
      if (made.connected() !== null)
        metrics.gauge('gkube_slack_connected', 'Whether Socket Mode has a connection', () =>
          Number(made.connected()),
        )
      metrics.gauge('gkube_slack_notifier', 'Whether this replica writes the messages', () =>
        Number(state().elected),
      )
      metrics.gauge(
        'gkube_slack_behind',
        'Deploys whose messages do not show their state yet',
        () => state().behind,
      )
      metrics.gauge('gkube_slack_limited', 'Calls of Slack that it answered with 429', () => sum('limited'))
      metrics.gauge('gkube_slack_waiting', 'Calls of Slack that wait for their turn', () => sum('waiting'))
    },
    close: adapter.close,
  }
}
