// `doctor`: everything this replica talks to, tried now, and how to mend what fails. Shows no secrets. Each check has
// a time of its own and never throws: one that hangs must not hide the others. Slack adds its own (`deps.checks`).
import { UserError } from '../../errors.ts'
import type { Cluster } from '../cluster.ts'
import type { Check, Core } from '../core.ts'
import { spaceMend, spaceOf } from '../etcd-space.ts'
import { demand } from '../policy.ts'
import { redactText } from '../redact.ts'
import type { Deps } from './deps.ts'

/** One check takes this long at most. */
const checkMs = 4_000
/** A slower etcd makes every request slow: its disk or the network to it. */
const slowMs = 100
/** Clocks may differ by this much before it matters. */
const skewMs = 5_000

export function doctor(deps: Deps): Core['doctor'] {
  return async caller => {
    demand(caller, 'view', {}, deps.people)
    const clusters = [...deps.clusters.values()].map(cluster =>
      tried(deps, `cluster ${cluster.name}`, () => clusterChecks(deps, cluster)),
    )
    const more = (deps.checks ?? []).map((check, at) => tried(deps, `check ${at + 1}`, check))
    const all = await Promise.all([
      tried(deps, 'etcd', () => latencyChecks(deps)),
      tried(deps, 'etcd space', () => spaceChecks(deps)),
      tried(deps, 'clock', async () => [clockCheck(deps)]),
      ...clusters,
      ...more,
    ])
    return all.flat()
  }
}

const ok = (name: string, message: string): Check => ({ name, state: 'ok', message, mend: '' })

/** What comes of one check in its time: an error is a failed check. */
async function tried(
  { clock, log }: Pick<Deps, 'clock' | 'log'>,
  name: string,
  check: () => Promise<readonly Check[]>,
): Promise<readonly Check[]> {
  const done = new AbortController()
  const late = clock.sleep(checkMs, done.signal).then((): readonly Check[] => [
    {
      name,
      state: 'failed',
      message: `no answer in ${checkMs / 1000} s`,
      mend: 'Look whether it runs and whether the network lets gkube reach it.',
    },
  ])
  const outcome = Promise.resolve()
    .then(check)
    .catch((error: unknown): readonly Check[] => {
      log(`doctor: ${name} failed`, error)
      const message = redactText(error instanceof Error ? error.message : String(error)).slice(0, 500)
      return [{ name, state: 'failed', message, mend: 'The log of gkube says more.' }]
    })
  try {
    return await Promise.race([outcome, late])
  } finally {
    done.abort()
  }
}

async function latencyChecks({ kv, keys, clock }: Deps): Promise<Check[]> {
  const times: number[] = []
  for (let n = 0; n < 5; n++) {
    const from = clock.now()
    await kv.get(keys.lockAll)
    times.push(clock.now() - from)
  }
  const median = times.toSorted((a, b) => a - b)[2] ?? 0
  const message = `answers in ${median} ms`
  if (median < slowMs) return [ok('etcd', message)]
  return [
    {
      name: 'etcd',
      state: 'warning',
      message: `${message}, which is slow`,
      mend: 'Give etcd a fast disk of its own and a near network: its metrics etcd_disk_wal_fsync_duration_seconds and etcd_network_peer_round_trip_time_seconds say which.',
    },
  ]
}

async function spaceChecks({ etcd }: Deps): Promise<Check[]> {
  if (!etcd) return []
  const status = await etcd()
  const { state, message } = spaceOf(status)
  const name = 'etcd space'
  const versioned = message.replace(/^etcd holds/, `etcd ${status.version} holds`)
  return [state === 'ok' ? ok(name, versioned) : { name, state, message: versioned, mend: spaceMend }]
}

/** Expiries and freezes go by the clocks of the replicas: what another one wrote must not lie in the future. */
function clockCheck({ view, clock }: Deps): Check {
  const { deploys, owners, locks, freezes } = view.live
  const times = [
    ...[...deploys.values()].map(({ value }) => Math.max(value.requestedAt, value.startedAt ?? 0)),
    ...[...owners.values(), ...locks.values(), ...freezes.values()].map(({ value }) => value.at),
  ]
  const ahead = Math.max(0, ...times) - clock.now()
  const time = new Date(clock.now()).toISOString().slice(0, 19)
  if (ahead < skewMs) return ok('clock', `it is ${time} UTC here, and no replica was seen ahead of that`)
  return {
    name: 'clock',
    state: 'warning',
    message: `another replica's clock is ${Math.round(ahead / 1000)} s ahead of this one's (${time} UTC here)`,
    mend: 'Let all machines take their time from NTP: expiries, locks and freezes go by their clocks.',
  }
}

async function clusterChecks({ environments }: Deps, cluster: Cluster): Promise<Check[]> {
  const name = `cluster ${cluster.name}`
  const used = [...environments.values()].filter(one => one.cluster === cluster.name).map(one => one.name)
  const what = used.length > 0 ? `for ${used.join(', ')}` : 'of no environment'
  try {
    const { version } = await cluster.server()
    return [ok(name, `${version}, ${what}`)]
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const mend = `Look at clusters.${cluster.name} in gkube.yaml: its kubeconfig and context, whether the API server can be reached from here, and whether its credential is still good.`
    if (error instanceof UserError || error instanceof Error)
      return [{ name, state: 'failed', message: `${redactText(message).slice(0, 400)} (${what})`, mend }]
    throw error
  }
}
