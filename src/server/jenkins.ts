// The Jenkins half of a replica: adapter → follower of builds, wired where Jenkins is configured. Nothing here waits for
// Jenkins: gkube starts, deploys and stops the same while it is down.
import { jenkinsAdapter } from '../adapters/jenkins/jenkins.ts'
import type { Config } from '../config.ts'
import { createFollower } from '../core/builds/follower.ts'
import type { Clock } from '../core/clock.ts'
import type { Check, Core } from '../core/core.ts'
import type { Keys } from '../core/keys.ts'
import type { Kv } from '../core/kv.ts'
import type { Replica } from '../core/replica.ts'
import type { JenkinsSide } from '../core/use-cases/deps.ts'
import type { FailPoints } from '../fail-points.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../surfaces/http/metrics.ts'

type Wired = {
  readonly config: Config & { readonly jenkins: NonNullable<Config['jenkins']> }
  readonly kv: Kv
  readonly keys: Keys
  readonly clock: Clock
  readonly random: () => number
  readonly replica: Pick<Replica, 'name' | 'lease'>
  readonly log: Log
  readonly failPoints: FailPoints | undefined
  /** The core is made after this, and asks for `side`. */
  readonly core: () => Pick<Core, 'request'>
  /** The Slack member of an e-mail address; null: none, or no Slack. */
  readonly mention: (email: string) => Promise<string | null>
}

export function wireJenkins({
  config,
  kv,
  keys,
  clock,
  random,
  replica,
  log,
  failPoints,
  core,
  mention,
}: Wired) {
  const { server, channel, events } = config.jenkins
  const report = (message: string, error?: unknown) => log.warn({ err: error }, message)
  const adapter = server && jenkinsAdapter({ server, log: report })
  const ask = adapter && failPoints ? failPoints.side(adapter, 'jenkins') : adapter
  const people = Object.values(config.people)
  const follower = createFollower({
    kv,
    keys,
    clock,
    random,
    replica,
    jenkins: ask,
    user: server?.user ?? null,
    core,
    environments: new Map(Object.entries(config.environments)),
    byDefault: { channel, events },
    mention,
    person: user => {
      const person = people.find(one => one.jenkins?.toLowerCase() === user.toLowerCase())
      return person ? { name: person.name, slack: person.slack ?? null } : null
    },
    log: report,
  })
  const side: JenkinsSide = { ask, channel, events }
  return {
    side,
    follower,
    checks: async (): Promise<readonly Check[]> =>
      (await Promise.all([ask ? ask.checks() : [], follower.checks()])).flat(),
    measure(metrics: Pick<Metrics, 'gauge'>): void {
      const { state } = follower
      metrics.gauge('gkube_builds_follower', 'Whether this replica follows builds', () =>
        Number(state().elected),
      )
      metrics.gauge('gkube_builds_open', 'Builds that this replica follows', () => state().open)
      metrics.gauge('gkube_builds_inbox', 'Hooks that have no effect yet', () => state().inbox)
      metrics.gauge(
        'gkube_jenkins_failed_seconds',
        'When Jenkins last did not answer, in Unix time; 0 while it answers',
        () => Math.floor((state().failedAt ?? 0) / 1000),
      )
    },
  }
}
