// A small Core in memory that behaves: states move, streams resume, errors are the real ones. The surfaces' tests
// drive it over real HTTP. What a deploy does is in its revision: `crash` fails and rolls back, `hang` runs until
// it is told, `approve` waits for a vote; anything else succeeds. The real core has its own tests.

import type { TokenInfo } from '../../src/core/access/verbs.ts'
import type { AdoptionPlan } from '../../src/core/adoption/verbs.ts'
import { type App, appSchema, appSpecSchema } from '../../src/core/app.ts'
import type { Build } from '../../src/core/builds/build.ts'
import type { EventFacts, PodFacts } from '../../src/core/cluster.ts'
import type { Freeze } from '../../src/core/coordination.ts'
import type {
  Caller,
  Core,
  DeployEvent,
  Lock,
  Plan,
  RequestInput,
  RunEvent,
  Status,
} from '../../src/core/core.ts'
import { type Deploy, type Diagnosis, isTerminal, type Progress, type Step } from '../../src/core/deploy.ts'
import { seconds } from '../../src/core/units.ts'
import { namedBuild, revisionOf } from '../../src/core/use-cases/left-out.ts'
import type { StorageRow } from '../../src/core/volumes/verbs.ts'
import type { Workload } from '../../src/core/workload.ts'
import { UserError } from '../../src/errors.ts'
import { memoryAudit } from './memory-audit.ts'
import { memoryBuilds } from './memory-builds.ts'

/** Tokens that the memory core knows: what they may. */
export const tokens = { admin: 'tok-admin', viewer: 'tok-viewer' } as const

type Placed = RequestInput & { readonly environment: string }

type Held = {
  deploy: Deploy
  progress: Progress | null
  diagnosis: Diagnosis | null
  waiting: string | null
  planned: null
}

export type MemoryCore = Core & {
  /** The next call of a verb throws this. */
  failNext(verb: keyof Core, error: unknown): void
  /** Every call of a verb so far, with its arguments. */
  calls(verb: keyof Core): readonly (readonly unknown[])[]
  /** Ends a deploy that hangs. */
  finish(id: string): void
  /** Writes progress of a deploy. */
  progress(id: string, ready: number, wanted: number): void
  /** How many iterators (watches, followed logs, runs) are open. */
  open(): number
  /** Changes a build as the follower would. */
  changeBuild(id: string, fields: Partial<Build>): Build
  /** One more line for everyone who follows logs. */
  log(text: string): void
  readonly deploys: ReadonlyMap<string, Held>
}

/** An App as a team writes it, completed. */
export const appOf = (fields: Record<string, unknown>): App =>
  appSchema.parse({ image: 'registry.example.com/shop/web:{revision}', ...fields })

const emptyDeploy = {
  schema: 1,
  reason: null,
  cause: null,
  plan: null,
  steps: [],
  readyAt: null,
  startedAt: null,
  endedAt: null,
  dueAt: null,
  prepared: null,
  approval: null,
  epoch: 0,
  slot: null,
  wrote: false,
  rollback: null,
  cancelledBy: null,
  overridden: null,
  supersededBy: null,
} as const

/** What `status` says of the revision `drifted`. */
const drifted: Status['drift'] = [
  {
    object: 'Deployment shop/web',
    state: 'changed',
    fields: [
      {
        path: '.spec.replicas',
        manager: 'kubectl (scale)',
        at: Date.now() - 120_000,
        recorded: '2',
        live: '4',
      },
      { path: '.spec.paused', manager: null, at: null, recorded: '', live: '\u001b[31mtrue' },
    ],
  },
  { object: 'Service shop/web', state: 'missing', fields: [] },
]

const diagnosisOf = (at: number): Diagnosis => ({
  cause: {
    reason: 'crash_loop',
    message: 'The new pods crash at start: exit code 1 after 3 s, 4 times (web-7c9d-x2x1).',
  },
  seen: ['2 of 2 new pods in CrashLoopBackOff · old pods untouched, 3/3 ready'],
  tries: ['look at the log below, or `gkube logs web --previous`'],
  events: [
    { at, type: 'Warning', reason: 'BackOff', object: 'Pod web-7c9d-x2x1', message: 'Back-off', count: 4 },
  ],
  log: {
    pod: 'web-7c9d-x2x1',
    container: 'web',
    previous: true,
    lines: ['starting', 'Error: connect ECONNREFUSED 10.0.0.7:5432'],
  },
  at,
})

export const podOf = (name: string, more: Partial<PodFacts> = {}): PodFacts => ({
  name,
  uid: `uid-${name}`,
  createdAt: Date.now() - 3 * 3_600_000,
  terminating: false,
  phase: 'Running',
  reason: '',
  message: '',
  node: 'node-1',
  ready: true,
  readyAt: Date.now() - 3 * 3_600_000,
  unscheduled: null,
  templateHash: '7c9d',
  owner: { kind: 'ReplicaSet', name: 'web-7c9d', uid: 'u' },
  more: { containers: 0, ready: 0 },
  containers: [
    {
      name: 'web',
      init: false,
      image: 'web:1',
      ready: true,
      started: true,
      restarts: 2,
      state: 'running',
      reason: '',
      message: '',
      exit: { code: 1, reason: 'Error', startedAt: 1, finishedAt: 2 },
    },
  ],
  ...more,
})

/** What `volumes` answers: one in use, one nearly full, one that nobody uses any more, and one of a StorageClass. */
export const storage: readonly StorageRow[] = [
  {
    environment: 'staging',
    app: 'web',
    storage: 'data',
    claim: 'web-data',
    volume: 'gkube-staging-web-data-1f2e3d4c',
    pool: 'gv0',
    title: 'staging/web/data',
    size: 10 * 1024 ** 3,
    used: 3.2 * 1024 ** 3,
    quota: 10 * 1024 ** 3,
    health: '3 of 3 bricks online',
    state: 'ok',
  },
  {
    environment: 'production',
    app: 'web',
    storage: 'data',
    claim: 'web-data',
    volume: 'gkube-production-web-data-9a8b7c6d',
    pool: 'gv0',
    title: 'production/web/data',
    size: 10 * 1024 ** 3,
    used: 9.1 * 1024 ** 3,
    quota: 10 * 1024 ** 3,
    health: '2 of 3 bricks online, 4 entries to heal',
    state: 'warning',
  },
  {
    environment: 'staging',
    app: 'old',
    storage: 'files',
    claim: 'old-files',
    volume: 'gkube-staging-old-files-5e6f7a8b',
    pool: 'gv0',
    title: 'staging/old/files',
    size: 512 * 1024 ** 2,
    used: 20_480,
    quota: 512 * 1024 ** 2,
    health: '3 of 3 bricks online',
    state: 'unused',
  },
  {
    environment: 'staging',
    app: 'db',
    storage: 'data',
    claim: 'data-db',
    volume: null,
    pool: null,
    title: null,
    size: 5 * 1024 ** 3,
    used: null,
    quota: null,
    health: 'of StorageClass fast: \u001b[31mnot known',
    state: 'unknown',
  },
]

/** Of every plan of an adoption here. */
export const adoptionHash = 'a'.repeat(64)

export function memoryCore(options: { stepMs?: number } = {}): MemoryCore {
  const stepMs = options.stepMs ?? 2
  const apps = new Map<string, App>()
  const workloads = new Map<string, Workload>()
  const deploys = new Map<string, Held>()
  const seen = new Map<string, string>()
  const locks = new Map<string, Lock>()
  const frozen = new Map<string, Freeze>()
  const artifacts = new Map<string, string>()
  const made = new Map<string, { info: TokenInfo; secret: string }>()
  const feed: { id: string; event: DeployEvent }[] = []
  const faults = new Map<keyof Core, unknown>()
  const calls = new Map<keyof Core, unknown[][]>()
  const logLines: string[] = ['line one\n', '\u001b[31mline two\u001b[0m \u001b]0;evil\u0007\u001b[2J!\n']
  let revision = 1000
  let ids = 0
  let open = 0
  let wake = Promise.withResolvers<void>()
  const woken = () => {
    wake.resolve()
    wake = Promise.withResolvers<void>()
  }

  const admin = (caller: Caller, what: string) => {
    if (!caller.grants.some(grant => grant.role === 'admin'))
      throw new UserError('forbidden', `You can't ${what}. Deployers there: @release-managers.`)
  }
  const appNamed = (name: string): App => {
    const app = apps.get(name)
    if (!app) throw new UserError('not_found', `\`${name}\` is not an app. All apps: \`gkube app list\`.`)
    return app
  }
  const held = (id: string): Held => {
    const one = deploys.get(id)
    if (!one) throw new UserError('not_found', `There is no deploy ${id}.`)
    return one
  }
  const place = (app: string, environment: string): Workload => {
    const one = workloads.get(`${environment}/${app}`)
    if (!one) throw new UserError('not_found', `${app} has no workload in ${environment}.`)
    return one
  }
  const publish = (id: string, event: (revision: string) => DeployEvent) => {
    feed.push({ id, event: event(String(++revision)) })
    woken()
  }
  const change = (id: string, fields: Partial<Deploy>) => {
    const one = held(id)
    if (isTerminal(one.deploy.phase)) return
    one.deploy = { ...one.deploy, ...fields }
    publish(id, at => ({ kind: 'deploy', revision: at, deploy: one.deploy }))
  }
  const wait = (id: string, message: string) => {
    held(id).waiting = message
    publish(id, at => ({ kind: 'waiting', revision: at, message }))
  }
  const lockOn = (app: string, environment: string): Lock | undefined =>
    locks.get('all') ?? locks.get(`env/${environment}`) ?? locks.get(`app/${environment}/${app}`)
  const pause = () => new Promise(resolve => setTimeout(resolve, stepMs))

  const ended = (id: string) => isTerminal(held(id).deploy.phase)

  async function drive(id: string): Promise<void> {
    await admit(id)
    if (ended(id)) return
    const { app, environment, kind } = held(id).deploy
    const exists = workloads.has(`${environment}/${app}`)
    const names =
      kind === 'delete' ? (['remove', 'record'] as const) : (['apply', 'rollout', 'record'] as const)
    change(id, {
      phase: 'running',
      startedAt: Date.now(),
      plan: kind === 'delete' ? 'delete' : exists ? 'update' : 'create',
      steps: names.map(name => ({ name, state: 'pending', startedAt: null, endedAt: null, message: '' })),
    })
    for (const index of names.keys()) {
      await step(id, index, exists)
      if (ended(id)) return
    }
    if (kind === 'delete') workloads.delete(`${environment}/${app}`)
    else
      workloads.set(
        `${environment}/${app}`,
        workloadOf(held(id).deploy, workloads.get(`${environment}/${app}`)),
      )
    change(id, { phase: 'succeeded', reason: 'ok', endedAt: Date.now() })
  }

  /** Until nothing is in the way: a lock, an approval. */
  async function admit(id: string): Promise<void> {
    await pause()
    const { app, environment, revision: target } = held(id).deploy
    change(id, { phase: 'preparing' })
    await pause()
    while (lockOn(app, environment) && !ended(id)) {
      if (!held(id).waiting) wait(id, `locked by ${lockOn(app, environment)?.by.name}`)
      await pause()
    }
    if (target === 'approve')
      change(id, {
        phase: 'awaiting_approval',
        approval: { required: 1, requesterCounts: false, votes: [], expiresAt: Date.now() + 1_800_000 },
      })
    while (held(id).deploy.phase === 'awaiting_approval') await pause()
  }

  async function step(id: string, index: number, exists: boolean): Promise<void> {
    const mark = (more: Partial<Step>) =>
      change(id, {
        steps: held(id).deploy.steps.map((one, at) => (at === index ? { ...one, ...more } : one)),
      })
    mark({ state: 'running', startedAt: Date.now() })
    await pause()
    const { deploy } = held(id)
    if (deploy.steps[index]?.name === 'rollout') {
      progress(id, 1, 3)
      await pause()
      if (deploy.revision === 'crash') return fail(id, exists)
      while (deploy.revision === 'hang' && !ended(id) && !released.has(id)) await pause()
    }
    mark({ state: 'done', endedAt: Date.now() })
  }
  const fail = (id: string, exists: boolean) => {
    const one = held(id)
    const diagnosis = diagnosisOf(Date.now())
    one.diagnosis = diagnosis
    publish(id, at => ({ kind: 'diagnosis', revision: at, diagnosis }))
    const { app, environment } = one.deploy
    change(id, {
      phase: exists ? 'rolled_back' : 'failed',
      reason: exists ? 'crash_loop' : 'no_known_good',
      cause: diagnosis.cause,
      endedAt: Date.now(),
      rollback: exists
        ? {
            attemptedAt: Date.now(),
            spec: 's',
            revision: workloads.get(`${environment}/${app}`)?.revision ?? '',
          }
        : null,
    })
  }
  const progress = (id: string, ready: number, wanted: number) => {
    const one = held(id)
    const value: Progress = { ready, wanted, message: '', at: Date.now() }
    one.progress = value
    publish(id, at => ({ kind: 'progress', revision: at, progress: value }))
  }
  const released = new Set<string>()

  async function* opened<T>(signal: AbortSignal, body: AsyncIterable<T>): AsyncGenerator<T> {
    open++
    signal.addEventListener('abort', woken, { once: true })
    try {
      yield* body
    } finally {
      open--
    }
  }
  async function* watch(
    id: string,
    after: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<DeployEvent> {
    const one = held(id)
    let at = feed.length
    if (after === undefined) yield { kind: 'deploy', revision: String(revision), deploy: one.deploy }
    else at = feed.findIndex(entry => BigInt(entry.event.revision) > BigInt(after))
    if (at < 0) at = feed.length
    while (!signal.aborted) {
      const changed = wake.promise
      for (; at < feed.length; at++) {
        const entry = feed[at]
        if (entry?.id === id) yield entry.event
      }
      if (isTerminal(one.deploy.phase)) return
      await changed
    }
  }
  async function* follow(signal: AbortSignal) {
    let at = 0
    while (!signal.aborted) {
      const changed = wake.promise
      for (; at < logLines.length; at++)
        yield { pod: 'web-7c9d-x2x1', container: 'web', text: logLines[at] ?? '' }
      await changed
    }
  }
  async function* command(words: readonly string[], signal: AbortSignal): AsyncGenerator<RunEvent> {
    yield { kind: 'started', job: 'web-run-1', pod: 'web-run-1-abc' }
    yield { kind: 'output', text: `${words.join(' ')}\n`, stream: 'stdout' }
    while (words[0] === 'sleep' && !signal.aborted) await wake.promise
    yield { kind: 'output', text: 'to stderr\n', stream: 'stderr' }
    yield { kind: 'ended', exitCode: words[0] === 'exit' ? Number(words[1]) : 0, message: '' }
  }

  function newDeploy(caller: Caller, input: Placed, app: string): Deploy {
    const id = `01J8ZQ4T9V8Y5M3N2P1R0S${String(++ids).padStart(4, '0')}`
    return {
      ...emptyDeploy,
      steps: [],
      id,
      app,
      environment: input.environment,
      kind: input.kind,
      revision: input.revision ?? workloads.get(`${input.environment}/${app}`)?.good?.revision ?? '',
      phase: 'requested',
      requestedAt: Date.now(),
      requestedBy: caller.actor,
      source: input.source,
      params: {
        replicas: input.replicas ?? null,
        claims: input.claims,
        spec: null,
        replace: input.replace,
        force: input.force,
      },
    }
  }

  const planOf = (app: string, environment: string, target: string): Plan => ({
    app,
    environment,
    kind: workloads.has(`${environment}/${app}`) ? 'update' : 'create',
    from: workloads.get(`${environment}/${app}`)?.revision ?? null,
    revision: target,
    image: `registry.example.com/shop/web:${target}`,
    digest: null,
    steps: ['apply', 'rollout', 'record'],
    objects: [
      { object: 'Deployment shop/web', action: 'change', diff: '-  image: a\n+  image: b', warnings: [] },
      { object: 'Service shop/web', action: 'none', diff: '', warnings: [] },
    ],
    changes: ['image 1.4.1 → 1.4.2'],
    notes: ['the tag is not pinned'],
    refusals: target === 'refused' ? ['selector is immutable'] : [],
  })

  const asking = {
    kind: 'deploy' as const,
    claims: [],
    replace: false,
    force: false,
    olderBuild: false,
    again: false,
  }
  const adoptionOf = (app: string, environment: string, workload: string): AdoptionPlan => ({
    app,
    environment,
    workload: workload.replace('deployment/', 'Deployment shop/'),
    revision: '1.4.1',
    image: 'registry.example.com/shop/web:1.4.1',
    steps: ['adopt', 'apply', 'rollout', 'record'],
    hash: adoptionHash,
    objects: [{ object: 'Deployment shop/old', action: 'change', diff: '-  a: 1\n+  a: 2', warnings: [] }],
    found: [{ object: 'Service shop/old', becomes: 'stays as it is, and selects the new pods too' }],
    managers: [
      { object: 'Deployment shop/old', manager: 'kubectl-client-side-apply', fields: 12, at: 1, moves: true },
      { object: 'Deployment shop/old', manager: 'their-operator', fields: 2, at: null, moves: false },
    ],
    notes: ['\u001b[31mmind the port'],
    refusals: workload.endsWith('/helm') ? ['Deployment shop/helm belongs to Helm.'] : [],
  })

  const events: EventFacts[] = [
    {
      type: 'Normal',
      reason: 'Scheduled',
      message: 'assigned to node-1',
      object: 'Pod web-7c9d-x2x1',
      count: 1,
      lastAt: Date.now() - 65_000,
    },
  ]

  /** The same build for the same place is the same deploy, and so is the same key. */
  const keysOf = (input: Placed): string[] => {
    const build = namedBuild(input)
    const place = [build, input.app ?? null, input.spec?.app, input.environment]
    return [input.idempotencyKey, build ? JSON.stringify(place) : undefined].filter(key => key !== undefined)
  }

  const built = memoryBuilds({ stepMs, admin })
  const core: Core = {
    ...memoryAudit(admin),
    authenticate: async (token, via) => {
      if (token === tokens.admin)
        return {
          actor: { id: 'token:ana', name: 'ana', via },
          grants: [{ role: 'admin', apps: ['*'], environments: ['*'] }],
        }
      if (token === tokens.viewer)
        return {
          actor: { id: 'token:vic', name: 'vic', via },
          grants: [{ role: 'viewer', apps: ['*'], environments: ['*'] }],
        }
      throw new UserError(
        'unauthenticated',
        'This token is not known (any more). `gkube token create` makes one.',
      )
    },
    applyApp: async (caller, app, { dryRun }) => {
      admin(caller, 'register apps')
      const before = apps.get(app.app)
      if (!dryRun) apps.set(app.app, app)
      const same = before && JSON.stringify(before) === JSON.stringify(app)
      return { app, outcome: before ? (same ? 'unchanged' : 'changed') : 'created' }
    },
    listNames: async () => [...apps.keys()],
    listApps: async () =>
      [...apps.values()].map(app => ({
        app,
        workloads: [...workloads.values()].filter(workload => workload.app === app.app),
      })),
    showApp: async (_caller, app) => appNamed(app),
    renderApp: async (_caller, input) => {
      const {
        jobs: _,
        revisionFrom: __,
        environments: ___,
        ...spec
      } = input.spec ?? appNamed(input.app ?? '')
      return {
        spec: appSpecSchema.parse(spec),
        objects: [
          { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: spec.app, namespace: 'shop' } },
        ],
      }
    },
    deleteApp: async (caller, app) => {
      admin(caller, 'delete apps')
      appNamed(app)
      apps.delete(app)
    },
    ...built.verbs,
    planAdoption: async (caller, input) => {
      admin(caller, 'adopt')
      appNamed(input.app)
      return adoptionOf(input.app, input.environment, input.workload)
    },
    adopt: async (caller, input) => {
      if (input.confirm !== adoptionHash) throw new UserError('conflict', 'What was shown has changed since.')
      const { app, environment, idempotencyKey, wait, source } = input
      return core.request(caller, {
        ...asking,
        app,
        environment,
        revision: '1.4.1',
        idempotencyKey,
        wait,
        source,
      })
    },
    request: async (caller, { environment = 'staging', ...given }) => {
      const input: Placed = { ...given, environment }
      admin(caller, `deploy to ${input.environment}`)
      const keys = keysOf(input)
      const earlier = keys.map(key => seen.get(key)).find(Boolean)
      if (earlier) return { deploy: held(earlier).deploy, repeated: true }
      if (input.spec) apps.set(input.spec.app, input.spec)
      const byJob = [...apps.values()].find(one => input.job !== undefined && one.jobs.includes(input.job))
      const known = appNamed(input.spec?.app ?? input.app ?? byJob?.app ?? input.job ?? '')
      const { app } = known
      input.revision = revisionOf({ ...input, spec: known }, undefined)
      const lock = lockOn(app, input.environment)
      if (!input.wait && (lock || input.revision === 'approve'))
        throw new UserError(
          'held',
          lock ? `locked by ${lock.by.name}: ${lock.reason}` : 'It needs an approval.',
        )
      if (input.kind !== 'deploy') place(app, input.environment)
      else if (!input.revision) throw new UserError('bad_input', 'Name a revision: `gkube deploy web 1.4.2`.')
      const deploy = newDeploy(caller, input, app)
      deploys.set(deploy.id, { deploy, progress: null, diagnosis: null, waiting: null, planned: null })
      for (const key of keys) seen.set(key, deploy.id)
      publish(deploy.id, at => ({ kind: 'deploy', revision: at, deploy }))
      void drive(deploy.id)
      return { deploy, repeated: false }
    },
    plan: async (_caller, input) => {
      const app = input.spec?.app ?? appNamed(input.app ?? '').app
      return planOf(app, input.environment, input.revision ?? '')
    },
    showDeploy: async (_caller, id) => held(id),
    watchDeploy: (_caller, id, { after, signal }) => opened(signal, watch(id, after, signal)),
    cancel: async (caller, id, { reason, onCancel }) => {
      admin(caller, 'cancel deploys')
      const { deploy } = held(id)
      if (isTerminal(deploy.phase))
        throw new UserError('conflict', `The deploy ended already: ${deploy.phase}.`)
      change(id, {
        phase: 'cancelled',
        reason: 'cancelled',
        cause: { reason: 'cancelled', message: [reason, onCancel].filter(Boolean).join(', ') },
        cancelledBy: caller.actor,
        endedAt: Date.now(),
      })
      return held(id).deploy
    },
    abort: async (caller, id, input) => {
      admin(caller, 'cancel deploys')
      const { deploy } = held(id)
      if (isTerminal(deploy.phase)) return { deploy, outcome: 'ended' }
      const waits = !['running', 'rolling_back'].includes(deploy.phase)
      if (!waits && apps.get(deploy.app)?.onAbort !== 'rollback') return { deploy, outcome: 'continues' }
      const after = await core.cancel(caller, id, input)
      return waits ? { deploy: after, outcome: 'cancelled' } : { deploy, outcome: 'cancelling' }
    },
    vote: async (caller, id, { decision, reason, hash }) => {
      admin(caller, 'approve deploys')
      const { deploy } = held(id)
      if (hash !== undefined && hash !== 'h')
        throw new UserError('conflict', 'What would run has changed since it was shown to you.')
      if (deploy.phase !== 'awaiting_approval' || !deploy.approval)
        throw new UserError('conflict', `The deploy does not wait for an approval: it is ${deploy.phase}.`)
      const vote = { by: caller.actor, decision, reason, at: Date.now(), hash: 'h' }
      const approval = { ...deploy.approval, votes: [vote] }
      change(
        id,
        decision === 'approve'
          ? { phase: 'ready', approval }
          : { phase: 'denied', reason: 'denied', approval, endedAt: Date.now() },
      )
      return held(id).deploy
    },
    override: async (caller, id, { reason }) => {
      admin(caller, 'override')
      if (!reason) throw new UserError('bad_input', 'Overriding needs a reason.')
      const { deploy } = held(id)
      if (deploy.phase !== 'awaiting_approval')
        throw new UserError('conflict', `Nothing is in its way: it is ${deploy.phase}.`)
      change(id, { phase: 'ready', overridden: { by: caller.actor, reason, at: Date.now() } })
      return held(id).deploy
    },
    mayVote: async () => undefined,
    approvals: async caller =>
      [...deploys.values()]
        .filter(({ deploy }) => deploy.phase === 'awaiting_approval')
        .map(({ deploy, planned }) => ({
          deploy,
          planned,
          refusal: caller.grants.some(grant => grant.role === 'admin') ? null : 'Who may: @ana.',
        })),
    asked: async (caller, { limit }) =>
      [...deploys.values()]
        .map(one => one.deploy)
        .filter(deploy => deploy.requestedBy.id === caller.actor.id)
        .reverse()
        .slice(0, limit),
    openDeploys: async () =>
      [...deploys.values()].map(one => one.deploy).filter(deploy => !isTerminal(deploy.phase)),
    history: async (_caller, { app, environment, limit }) => {
      appNamed(app)
      return [...deploys.values()]
        .map(one => one.deploy)
        .filter(
          deploy => deploy.app === app && (environment === undefined || deploy.environment === environment),
        )
        .reverse()
        .slice(0, limit)
    },
    status: async (_caller, { app, environment }) =>
      [...workloads.values()]
        .filter(
          one => (app === undefined || one.app === app) && (!environment || one.environment === environment),
        )
        .map(workload => statusOf(workload)),
    pods: async (_caller, { app, environment }) => {
      place(app, environment)
      return [podOf('web-7c9d-x2x1'), podOf('web-7c9d-bad', crashing)]
    },
    events: async (_caller, { app, environment }) => {
      place(app, environment)
      return events
    },
    logs: async (_caller, { app, environment, tail }) => {
      place(app, environment)
      return [{ pod: 'web-7c9d-x2x1', container: 'web', text: logLines.slice(-tail).join('') }]
    },
    followLogs: (_caller, { app, environment }, signal) => {
      place(app, environment)
      return opened(signal, follow(signal))
    },
    deletePod: async (caller, { app, environment, pod }) => {
      admin(caller, 'delete pods')
      place(app, environment)
      if (!pod.startsWith('web-')) throw new UserError('not_found', `${app} has no pod ${pod}.`)
    },
    run: (caller, input, signal) => {
      admin(caller, 'run commands')
      return opened(signal, command(input.command, signal))
    },
    exec: (caller, input, signal) => {
      admin(caller, 'run commands')
      return opened(signal, command(input.command, signal))
    },
    diff: async (_caller, { app }) => {
      appNamed(app)
      return { diff: '-  replicas: 1\n+  replicas: 3', changes: ['replicas 1 → 3'] }
    },
    clusters: async () => [
      {
        name: 'eu-1',
        version: 'v1.35.1',
        reachable: true,
        message: '',
        environments: ['staging', 'production'],
        nodes: [
          {
            name: 'node-1',
            ready: true,
            version: 'v1.35.1',
            cpu: '4',
            memory: '16Gi',
            pods: 12,
            roles: 'worker',
          },
        ],
      },
    ],
    volumes: async (_caller, { app, environment }) =>
      storage.filter(
        row =>
          (app === undefined || row.app === app) &&
          (environment === undefined || row.environment === environment),
      ),
    deleteVolume: async (caller, { app, environment, storage: name, typed }) => {
      admin(caller, 'delete volumes')
      const row = storage.find(
        one => one.app === app && one.environment === environment && one.storage === name,
      )
      if (!row?.title) throw new UserError('not_found', `${environment}/${app}/${name} is not on a pool.`)
      if (row.state !== 'unused') throw new UserError('conflict', `${app} runs in ${environment}.`)
      if (typed !== row.title)
        throw new UserError('bad_input', `Nothing was deleted. Type its name: ${row.title}`)
      return { deleted: row.title, left: ['gluster-1:/bricks/old'] }
    },
    recordArtifact: async (caller, { app, revision, sha256 }) => {
      admin(caller, `keep artifacts of ${app}`)
      appNamed(app)
      const before = artifacts.get(`${app}/${revision}`) ?? null
      artifacts.set(`${app}/${revision}`, sha256)
      return { app, revision, sha256, size: 1234, at: Date.now(), by: caller.actor.name, before }
    },
    lock: async (caller, input) => {
      admin(caller, 'lock')
      const lock: Lock = {
        schema: 1,
        scope: input.app ? 'app' : input.environment ? 'env' : 'all',
        environment: input.environment ?? null,
        app: input.app ?? null,
        by: { id: caller.actor.id, name: caller.actor.name },
        reason: input.reason,
        at: Date.now(),
        expiresAt: Date.now() + seconds(input.expiresIn) * 1000,
      }
      locks.set(lockKey(input), lock)
      return lock
    },
    unlock: async (_caller, input) => {
      if (!locks.delete(lockKey(input))) throw new UserError('not_found', 'There is no such lock.')
    },
    locks: async () => [...locks.values()],
    freeze: async (caller, { environment, reason, endsIn }) => {
      admin(caller, 'freeze')
      const endsAt = Date.now() + seconds(endsIn) * 1000
      const freeze: Freeze = { schema: 1, environment, by: caller.actor, reason, at: Date.now(), endsAt }
      frozen.set(environment, freeze)
      return freeze
    },
    unfreeze: async (caller, { environment }) => {
      admin(caller, 'unfreeze')
      if (!frozen.delete(environment)) throw new UserError('not_found', `${environment} is not frozen.`)
    },
    freezes: async () => [...frozen.values()],
    freezeWindows: async () => [
      {
        environment: 'production',
        cron: '0 18 * * 5',
        for: '62h',
        timeZone: 'Europe/Berlin',
        reason: 'weekend',
        holdsUntil: null,
        nextAt: Date.now() + 3 * 86_400_000 + 60_000,
      },
    ],
    release: async (caller, { app, environment }) => {
      admin(caller, 'release')
      return { released: [`active ${environment}/${app}`] }
    },
    createToken: async (caller, input) => {
      admin(caller, 'create tokens')
      const info: TokenInfo = {
        id: `t${made.size + 1}`,
        name: input.name,
        grants: input.grants,
        createdAt: Date.now(),
        createdBy: caller.actor.name,
        expiresAt: Date.now() + seconds(input.expiresIn) * 1000,
        lastUsedAt: null,
        person: null,
      }
      made.set(info.id, { info, secret: `gk_${info.id}_secret` })
      return { token: `gk_${info.id}_secret`, info }
    },
    listTokens: async () => [...made.values()].map(one => one.info),
    revokeToken: async (_caller, id) => {
      if (!made.delete(id)) throw new UserError('not_found', `There is no token ${id}.`)
    },
    whoami: async caller => ({
      actor: caller.actor,
      environments: ['staging', 'production'].map(environment => ({
        environment,
        protected: environment === 'production',
        may: [{ app: '*', actions: ['view'], by: caller.grants }],
        breakGlass: caller.person !== undefined,
      })),
    }),
    doctor: async () => [{ name: 'etcd', state: 'ok', message: 'answers in 1 ms', mend: '' }],
    health: async () => ({ ok: true, checks: [{ name: 'etcd', ok: true, message: '' }] }),
  }

  const statusOf = (workload: Workload): Status => {
    const current = [...deploys.values()]
      .map(one => one.deploy)
      .find(
        one => one.app === workload.app && one.environment === workload.environment && !isTerminal(one.phase),
      )
    return {
      workload,
      ready: 3,
      wanted: 3,
      health: 'ready',
      message: '',
      current: current
        ? { id: current.id, kind: current.kind, revision: current.revision, phase: current.phase }
        : null,
      lock: lockOn(workload.app, workload.environment) ?? null,
      freeze: frozen.get(workload.environment) ?? null,
      drift: workload.revision === 'drifted' ? drifted : [],
    }
  }

  const verbs = Object.fromEntries(
    Object.entries(core).map(([name, verb]) => [
      name,
      (...args: unknown[]) => {
        const key = name as keyof Core // the entries of a Core
        calls.set(key, [...(calls.get(key) ?? []), args])
        if (faults.has(key)) {
          const fault = faults.get(key)
          faults.delete(key)
          if (name === 'watchDeploy' || name === 'followLogs') throw fault
          return Promise.reject(fault)
        }
        return (verb as (...args: unknown[]) => unknown)(...args) // called as the surface calls it
      },
    ]),
  ) as Core // the same verbs, wrapped

  return {
    ...verbs,
    failNext: (verb, error) => void faults.set(verb, error),
    calls: verb => calls.get(verb) ?? [],
    finish: id => void released.add(id),
    progress,
    open: () => open,
    changeBuild: built.change,
    log: text => {
      logLines.push(text)
      woken()
    },
    deploys,
  }
}

const lockKey = (input: { app?: string; environment?: string }): string =>
  input.app ? `app/${input.environment}/${input.app}` : input.environment ? `env/${input.environment}` : 'all'

const crashing: Partial<PodFacts> = {
  ready: false,
  readyAt: null,
  containers: [
    {
      name: 'web',
      init: false,
      image: 'web:2',
      ready: false,
      started: false,
      restarts: 4,
      state: 'waiting',
      reason: 'CrashLoopBackOff',
      message: '',
      exit: { code: 1, reason: 'Error', startedAt: 1, finishedAt: 2 },
    },
  ],
}

function workloadOf(deploy: Deploy, before: Workload | undefined): Workload {
  const now = Date.now()
  return {
    schema: 1,
    app: deploy.app,
    environment: deploy.environment,
    state: 'ready',
    cluster: 'eu-1',
    namespace: 'shop',
    revision: deploy.revision,
    image: `registry.example.com/shop/web:${deploy.revision}`,
    digest: null,
    spec: 'spec-hash',
    good: { spec: 'spec-hash', revision: deploy.revision, deploy: deploy.id, at: now },
    inventory: [],
    overrides: { replicas: deploy.params.replicas, min: null, max: null, restartedAt: null },
    initialisedAt: null,
    deploy: deploy.id,
    deployedBy: deploy.requestedBy.name,
    createdAt: before?.createdAt ?? now,
    updatedAt: now,
  }
}
