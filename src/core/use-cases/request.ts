// Asking for a deploy of any kind. One transaction writes the record, its audit entry, the history index, where its
// message goes and the dedup key; only then is the request answered: an answer means it is durable.
import { z } from 'zod'
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import type { Caller, RequestInput } from '../core.ts'
import { type AdoptParams, type Deploy, deploySchema, type Kind } from '../deploy.ts'
import { withinSize } from '../deploy-size.ts'
import type { Environment } from '../environment.ts'
import { sha256 } from '../hash.ts'
import type { Keys } from '../keys.ts'
import type { Compare, Entry, Write } from '../kv.ts'
import type { Messages } from '../messages.ts'
import { type Action, demand, may } from '../policy.ts'
import { frozenBy, heldBy } from '../queue.ts'
import { decode, newId, put } from '../records.ts'
import { appsOfJob } from './apps.ts'
import { type Deps, environmentNamed } from './deps.ts'
import { freezeOf, freezeWords } from './freezes.ts'
import { lockWords } from './locks.ts'
import { standing } from './standing.ts'

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

export type Origin = { readonly channel: string | null }

export function request(
  deps: Deps,
): (
  caller: Caller,
  input: Omit<Asked, 'environment'> & { readonly environment?: string },
  origin?: Origin,
) => Promise<{ deploy: Deploy; repeated: boolean }> {
  const { kv, keys, clock } = deps
  return async (caller, given, origin = { channel: null }) => {
    if (given.environment === undefined) throw new UserError('bad_input', 'Name an environment.')
    const input: Asked = { ...given, environment: given.environment }
    const environment = environmentNamed(deps, input.environment)
    const app = await appOf(deps, caller, input)
    demand(caller, actionOf[input.kind] ?? 'deploy', { app, environment }, deps.people)
    const now = clock.now()
    const id = newId(now)
    const seenKey = input.idempotencyKey
      ? keys.seen('request', sha256(`${caller.actor.id}\n${input.idempotencyKey}`))
      : null
    const found = await kv.getMany([
      keys.app(app),
      keys.workload(environment.name, app),
      ...(seenKey ? [seenKey] : []),
    ])
    const repeated = seenKey && found.get(seenKey)
    if (repeated) return { deploy: await deployBehind(deps, repeated, { input, app }), repeated: true }
    const facts = await standing(deps, caller, { input, app, environment, found })
    if (!input.wait) refuseIfHeld(deps, input, environment, app, now)
    const deploy = withinSize(newDeploy(id, now, caller, { input, app, ...facts }))
    const writes: Write[] = [
      put(keys.deploy(id), deploy),
      put(keys.openEntry(id), { schema: 1 }),
      put(keys.historyEntry(environment.name, app, id), { schema: 1 }),
      put(keys.askedEntry(caller.actor.id, id), { schema: 1 }),
      ...messageWrites(keys, id, environment, origin),
      auditPut(keys, now, {
        by: caller.actor,
        action: `request_${input.kind}`,
        outcome: 'requested',
        app,
        environment: environment.name,
        deploy: id,
        detail: [deploy.revision, adoptText(input), deploy.source.note].filter(Boolean).join(' '),
      }),
      ...facts.writes,
    ]
    const compares: Compare[] = [{ kind: 'absent', key: keys.deploy(id) }, ...facts.compares]
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
    if (first) return { deploy: await deployBehind(deps, first, { input, app }), repeated: true }
    throw new UserError('conflict', `${app} was changed by someone else at the same moment. Try again.`)
  }
}

const promotedNote = (note: string, from: string): string =>
  [`promoted from ${from}`, note].filter(Boolean).join(': ').slice(0, 500)

const adoptText = ({ adopt }: Asked): string => (adopt ? `${adopt.kind} ${adopt.name}` : '')

/** Whose deploy it is: named, in the spec, or the one app of the Jenkins job. */
async function appOf(deps: Deps, caller: Caller, input: Asked): Promise<string> {
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

/** Where the message of a deploy goes and that there is one: written with the request, so that none is forgotten. */
function messageWrites(keys: Keys, id: string, environment: Environment, { channel }: Origin): Write[] {
  const wanted = [channel, environment.channel]
  const channels = [...new Set(wanted.filter((one): one is string => Boolean(one)))]
  // Those who approve are told by direct message, also where no channel is.
  if (channels.length === 0 && !environment.approvals.tell) return []
  const messages: Messages = { schema: 1, deploy: id, channels, main: null, thread: {}, direct: {} }
  return [put(keys.message(id), messages), put(keys.outboxEntry(id), { schema: 1 })]
}

function refuseIfHeld(deps: Deps, input: Asked, environment: Environment, app: string, now: number): void {
  const locks = [...deps.view.live.locks.values()].map(stored => stored.value)
  const lock = heldBy(locks, { app, environment: environment.name }, now)
  if (lock) throw new UserError('held', lockWords(lock), { details: { lock } })
  const freeze = frozenBy({ kind: input.kind, overridden: null }) && freezeOf(deps, environment.name)
  if (freeze)
    throw new UserError('held', freezeWords(freeze, { environment, people: deps.people, now }), {
      details: { freeze },
    })
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
    // What runs elsewhere may be another by now: the first answer holds.
    (input.kind !== 'deploy' || input.from !== undefined || deploy.revision === input.revision) &&
    deploy.params.replicas === (input.replicas ?? null)
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
  at: { input: Asked; app: string; revision: string; snapshot: string | null; image: string | null },
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
      ...(at.image === null ? {} : { image: at.image }),
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
