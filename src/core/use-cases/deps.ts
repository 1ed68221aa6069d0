// What use cases are given. Each takes the part it needs by `Pick`; main.ts (through core-of.ts) hands over all of it.

import { UserError } from '../../errors.ts'
import type { ArtifactStore } from '../artifacts/store.ts'
import type { Refusals } from '../audit/refusals.ts'
import type { Subscription } from '../builds/build.ts'
import type { Jenkins } from '../builds/jenkins.ts'
import type { Clock } from '../clock.ts'
import type { Cluster } from '../cluster.ts'
import type { CodeSide } from '../code/code-side.ts'
import type { Check } from '../core.ts'
import type { Environment } from '../environment.ts'
import type { Registry } from '../freezing.ts'
import type { FrozenSpecs } from '../frozen.ts'
import type { Keys } from '../keys.ts'
import type { Kv } from '../kv.ts'
import type { Ledger } from '../ledger.ts'
import type { Person } from '../policy.ts'
import { unknownName } from '../suggest.ts'
import type { View } from '../view.ts'
import type { Pools } from '../volumes/pool-side.ts'

/** As the store tells it; sizes in bytes. */
export type EtcdFacts = {
  readonly version: string
  readonly dbSize: number
  readonly dbQuota?: number
  readonly alarms: readonly string[]
}

/** Jenkins as the configuration has it. */
export type JenkinsSide = {
  /** Null: no server is named: builds are only known from hooks, and none is started. */
  readonly ask: Jenkins | null
  /** Where builds of registered apps are told, and which; null: only where a channel subscribed. */
  readonly channel: string | null
  readonly events: Subscription['events']
}

export type Deps = {
  readonly kv: Kv
  readonly keys: Keys
  readonly clock: Clock
  readonly random: () => number
  readonly ledger: Ledger
  readonly view: Pick<View, 'live' | 'learn'>
  readonly specs: FrozenSpecs
  readonly registry: Registry
  readonly environments: ReadonlyMap<string, Environment>
  readonly clusters: ReadonlyMap<string, Cluster>
  readonly people: readonly Person[]
  /** User groups of Slack and what their members may do: a denial names them. */
  readonly groups?: readonly Pick<Person, 'name' | 'grants'>[]
  /** Left out: none is configured. */
  readonly jenkins?: JenkinsSide | null
  /** Left out: no pool is configured. */
  readonly pools?: Pools
  /** Left out: no code can be published. */
  readonly code?: CodeSide
  /** Left out: nothing can be uploaded. */
  readonly artifacts?: Pick<ArtifactStore, 'size' | 'touch'>
  /** How etcd itself is; left out: doctor does not say. */
  readonly etcd?: () => Promise<EtcdFacts>
  /** What else doctor looks at: Slack, Jenkins. */
  readonly checks?: readonly (() => Promise<readonly Check[]>)[]
  /** A token from the configuration that makes the first tokens; null: none. */
  readonly bootstrap: string | null
  /** No token is made to live longer; default: no limit. */
  readonly maxTokenSeconds?: number
  /** Writes refusals to the audit; left out: the core makes its own. */
  readonly refusals?: Refusals
  readonly log: (message: string, error: unknown) => void
}

/** The environment of that name; UserError with a near miss otherwise. */
export function environmentNamed(deps: Pick<Deps, 'environments'>, name: string): Environment {
  const found = deps.environments.get(name)
  if (found) return found
  throw new UserError('not_found', unknownName('environment', name, [...deps.environments.keys()]))
}

/** The cluster an environment runs on. */
export function clusterOf(
  deps: Pick<Deps, 'clusters'>,
  environment: Pick<Environment, 'name' | 'cluster'>,
): Cluster {
  const found = deps.clusters.get(environment.cluster)
  if (found) return found
  throw new UserError(
    'unavailable',
    `Environment ${environment.name} runs on cluster ${environment.cluster}, which gkube.yaml does not define.`,
  )
}
