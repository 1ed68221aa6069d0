// Asking for a deploy of any kind. One transaction writes the record, its audit entry, the history index, where its
// message goes and the dedup key; only then is the request answered: an answer means it is durable.
import { z } from 'zod'
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import type { BuildName } from '../builds/build-key.ts'
import { unreadableOf } from '../claim.ts'
import type { Caller, RequestInput } from '../core.ts'
import { type AdoptParams, type Deploy, deploySchema, type Kind } from '../deploy.ts'
import { withinSize } from '../deploy-size.ts'
import type { Environment } from '../environment.ts'
import { sha256 } from '../hash.ts'
import type { Compare, Entry, Write } from '../kv.ts'
import { type Action, demand, may } from '../policy.ts'
import { frozenBy, heldBy } from '../queue.ts'
import { decode, newId, put } from '../records.ts'
import type { Artifact } from '../workload.ts'
import { appsOfJob } from './apps.ts'
import { claimBuild, claimKeys, otherRevision } from './build-claim.ts'
import { type Deps, environmentNamed } from './deps.ts'
import { freezeOf, freezeWords } from './freezes.ts'
import { namedBuild, onlyEnvironment, revisionOf } from './left-out.ts'
import { lockWords } from './locks.ts'
import { messageWrites, type Origin } from './request-messages.ts'
import { standing } from './standing.ts'
import { unreadableWords } from './waiting-words.ts'

const seenSchema = z.object({ schema: z.literal(1), deploy: z.string() })

/** How long the same idempotency key answers the same deploy. */
const dedupSeconds = 24 * 3600

/** What is asked for inside: adoptions too, which have a verb of their own outside (adopt.ts). */
export type Asked = Omit<RequestInput, 'kind' | 'environment'> & {
  readonly kind: Kind
  readonly environment: string
  readonly adopt?: AdoptParams
}

const actionOf: Partial<Record<Kind, Action>> = { delete: 'delete', adopt: 'adopt' }

/** A request whose keys others write at the same moment is looked at anew: each time somebody else got ahead. */
const mostAttempts = 4

type Answer = { readonly deploy: Deploy; readonly repeated: boolean }

export function request(
  deps: Deps,
): (
  caller: Caller,
  input: Omit<Asked, 'environment'> & { readonly environment?: string },
  origin?: Origin,
) => Promise<Answer> {
  return async (caller, given, origin = { channel: null }) => {
    const build = namedBuild(given)
    const app = await appOf(deps, caller, given)
    const action = actionOf[given.kind] ?? 'deploy'
    const environment = given.environment
      ? environmentNamed(deps, given.environment)
      : await onlyEnvironment(deps, caller, { app, action, spec: given.spec })
    demand(caller, action, { app, environment }, deps.people)
    const source = { ...given.source, job: given.source.job || given.job || null }
    const input: Asked = { ...given, environment: environment.name, source }
    for (let attempt = 1; ; attempt++) {
      const answer = await ask(deps, caller, { input, app, environment, build, origin })
      if (answer) return answer
      if (attempt < mostAttempts && build) continue
      throw new UserError('conflict', `${app} was changed by someone else at the same moment. Try again.`)
    }
  }
}

type At = {
  readonly input: Asked
  readonly app: string
  readonly environment: Environment
  readonly build: BuildName | null
  readonly origin: Origin
}

/** One attempt; null: somebody else wrote first. */
async function ask(deps: Deps, caller: Caller, at: At): Promise<Answer | null> {
  const { kv, keys, clock } = deps
  const { app, environment, build, origin } = at
  const now = clock.now()
  const id = newId(now)
  const seenKey = at.input.idempotencyKey
    ? keys.seen('request', sha256(`${caller.actor.id}\n${at.input.idempotencyKey}`))
    : null
  const claimAt = build && { app, environment: environment.name, build }
  const found = await kv.getMany([
    keys.app(app),
    keys.workload(environment.name, app),
    ...(seenKey ? [seenKey] : []),
    ...(claimAt ? claimKeys(deps, claimAt) : []),
  ])
  const input = { ...at.input, revision: revisionOf(at.input, found.get(keys.app(app))) }
  const repeated = seenKey && found.get(seenKey)
  if (repeated) return { deploy: await deployBehind(deps, repeated, { input, app }), repeated: true }
  const wanted = { again: input.again, olderBuild: input.olderBuild && caller.actor.via !== 'jenkins' }
  const claim = claimAt && (await claimBuild(deps, claimAt, wanted, found))
  if (claim?.kind === 'repeated') return { deploy: sameRevision(claim.deploy, at, input), repeated: true }
  const facts = await standing(deps, caller, { input, app, environment, found })
  if (!input.wait) refuseIfHeld(deps, input, environment, app, now)
  const deploy = withinSize(newDeploy(id, now, caller, { input, app, ...facts }))
  const writes: Write[] = [
    put(keys.deploy(id), deploy),
    put(keys.openEntry(id), { schema: 1 }),
    put(keys.historyEntry(environment.name, app, id), { schema: 1 }),
    put(keys.askedEntry(caller.actor.id, id), { schema: 1 }),
    ...messageWrites(keys, id, environment, { origin, build: claim?.known ?? null }),
    auditPut(keys, now, {
      by: caller.actor,
      action: `request_${input.kind}`,
      outcome: 'requested',
      app,
      environment: environment.name,
      deploy: id,
      detail: [
        deploy.revision,
        input.artifact ? `artifact ${input.artifact}` : '',
        input.init ? 'init again' : '',
        adoptText(input),
        sourceText(deploy),
        deploy.source.note,
      ]
        .filter(Boolean)
        .join(' '),
    }),
    ...facts.writes,
    ...(claim?.writes(deploy) ?? []),
  ]
  const compares: Compare[] = [
    { kind: 'absent', key: keys.deploy(id) },
    ...facts.compares,
    ...(claim?.compares ?? []),
  ]
  if (seenKey) {
    compares.push({ kind: 'absent', key: seenKey })
    writes.push(put(seenKey, { schema: 1, deploy: id }, await kv.sharedLease(dedupSeconds)))
  }
  const result = await kv.commit({ compares, writes })
  if (result.committed) {
    const stored = {
      key: keys.deploy(id),
      value: deploy,
      modRevision: result.revision,
      createRevision: result.revision,
    }
    deps.view.learn(stored)
    return { deploy, repeated: false }
  }
  const first = seenKey && result.seen.get(seenKey)
  return first ? { deploy: await deployBehind(deps, first, { input, app }), repeated: true } : null
}

/** A build is deployed once, so as one revision; what runs elsewhere may be another by now. */
function sameRevision(deploy: Deploy, { build }: At, { revision, from }: Asked): Deploy {
  if (build && from === undefined && revision !== deploy.revision)
    throw otherRevision(deploy, build, revision ?? 'another revision')
  return deploy
}

const promotedNote = (note: string, from: string): string =>
  [`promoted from ${from}`, note].filter(Boolean).join(': ').slice(0, 500)

/** Which build asked, where one did. */
const sourceText = ({ source: { job, build, user } }: Deploy): string =>
  job && build ? `by build ${job} #${build}${user ? ` of ${user}` : ''}` : ''

const adoptText = ({ adopt }: Asked): string => (adopt ? `${adopt.kind} ${adopt.name}` : '')

/** Whose deploy it is: named, in the spec, or the one app of the Jenkins job. */
async function appOf(
  deps: Deps,
  caller: Caller,
  input: Pick<Asked, 'spec' | 'app' | 'job'>,
): Promise<string> {
  if (input.spec && input.app && input.spec.app !== input.app) {
    throw new UserError(
      'bad_input',
      `The spec is of ${input.spec.app}, but ${input.app} was asked for. Name one of them.`,
    )
  }
  const named = input.app ?? input.spec?.app
  if (named) return named
  if (!input.job) {
    throw new UserError('bad_input', 'Name an app, for example: gkube deploy web 1.4.2 --environment staging')
  }
  const found = await appsOfJob(deps, input.job)
  const [only, ...more] = found
  if (only && more.length === 0) return only
  if (!only) {
    throw new UserError(
      'not_found',
      `No app is registered for the Jenkins job ${input.job}. Add it to \`jobs\` of an app and run gkube app apply -f app.yaml, or deploy with -f app.yaml.`,
    )
  }
  const seen = found.filter(app => may(caller, 'view', { app }))
  throw new UserError(
    'bad_input',
    `The Jenkins job ${input.job} feeds several apps: ${seen.join(', ') || 'none that you may see'}. Name one of them.`,
  )
}

function refuseIfHeld(deps: Deps, input: Asked, environment: Environment, app: string, now: number): void {
  const locks = [...deps.view.live.locks.values()].map(stored => stored.value)
  const lock = heldBy(locks, { app, environment: environment.name, kind: input.kind }, now)
  if (lock) throw new UserError('held', lockWords(lock), { details: { lock } })
  const freeze = frozenBy({ kind: input.kind, overridden: null }) && freezeOf(deps, environment.name)
  if (freeze)
    throw new UserError('held', freezeWords(freeze, { environment, people: deps.people, now }), {
      details: { freeze },
    })
  const place = { app, environment: environment.name, kind: input.kind, overridden: null }
  const unreadable = unreadableOf(deps, place)
  if (unreadable) throw new UserError('held', unreadableWords(deps, unreadable, place))
  const exempt = input.kind === 'rollback' && !environment.approvals.rollback
  if (environment.approvals.required > 0 && !exempt) {
    throw new UserError(
      'held',
      `${environment.name} asks for ${environment.approvals.required} approval(s), so nothing was started. Leave out --no-wait to ask for them.`,
    )
  }
}

/** The deploy that was asked for with the same key; UserError `conflict` where the key was used for something else. */
async function deployBehind(
  deps: Deps,
  seen: Entry,
  { input, app }: { input: Asked; app: string },
): Promise<Deploy> {
  const { deploy: id } = decode(seenSchema, seen).value
  const entry = await deps.kv.get(deps.keys.deploy(id))
  if (!entry)
    throw new UserError(
      'conflict',
      'That request was made before and its record is not kept any more. Ask again with another key.',
    )
  const deploy = decode(deploySchema, entry).value
  const same =
    deploy.kind === input.kind &&
    deploy.app === app &&
    deploy.environment === input.environment &&
    // What runs elsewhere, and what was the last good one, may be another by now: the first answer holds.
    (input.from !== undefined || input.revision === undefined || deploy.revision === input.revision) &&
    deploy.params.replicas === (input.replicas ?? null) &&
    deploy.params.claims.toSorted().join() === input.claims.toSorted().join() &&
    (deploy.params.init ?? false) === (input.init ?? false) &&
    (input.from !== undefined || deploy.params.artifact?.sha256 === input.artifact)
  if (!same)
    throw new UserError(
      'conflict',
      `That idempotency key was used before, for ${deploy.kind} ${deploy.app} ${deploy.revision} in ${deploy.environment}. Use a new key for another request.`,
      { details: { deploy: id } },
    )
  return deploy
}

function newDeploy(
  id: string,
  now: number,
  caller: Caller,
  at: {
    input: Asked
    app: string
    revision: string
    snapshot: string | null
    image: string | null
    artifact: Artifact | null
  },
): Deploy {
  const { input } = at
  const kind: Kind = input.kind
  return {
    schema: 1,
    id,
    app: at.app,
    environment: input.environment,
    kind,
    revision: at.revision,
    phase: 'requested',
    reason: null,
    cause: null,
    plan: null,
    steps: [],
    requestedAt: now,
    readyAt: null,
    startedAt: null,
    endedAt: null,
    dueAt: null,
    requestedBy: caller.actor,
    source: input.from
      ? { ...input.source, note: promotedNote(input.source.note, input.from) }
      : input.source,
    params: {
      replicas: input.replicas ?? null,
      claims: input.claims,
      spec: at.snapshot,
      replace: input.replace,
      force: input.force,
      ...(input.init ? { init: true } : {}),
      ...(at.image === null ? {} : { image: at.image }),
      ...(at.artifact === null ? {} : { artifact: at.artifact }),
      ...(input.adopt ? { adopt: input.adopt } : {}),
    },
    prepared: null,
    approval: null,
    epoch: 0,
    slot: null,
    rollback: null,
    cancelledBy: null,
    overridden: null,
    supersededBy: null,
  }
}
