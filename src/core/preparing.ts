// The owned half of preparing: it ends in time, one way or the other, and a cancel that comes meanwhile is honoured.
// What is prepared is worked out in prepare.ts; runner.ts takes the owner key before it calls this.
import { UserError } from '../errors.ts'
import { backoff, type Clock } from './clock.ts'
import { ClusterError, isTransient } from './cluster.ts'
import { intentSchema } from './coordination.ts'
import type { Cause, Deploy } from './deploy.ts'
import { type Kv, OutcomeUnknown } from './kv.ts'
import { type Ledger, LostRace, type Ownership } from './ledger.ts'
import { type PrepareDeps, prepare } from './prepare.ts'
import { read, type Stored } from './records.ts'
import { redactText } from './redact.ts'

/** Others wait behind it. */
const prepareMs = 30_000

type Deps = PrepareDeps & {
  readonly kv: Pick<Kv, 'get' | 'getMany'>
  readonly clock: Clock
  readonly random: () => number
  readonly ledger: Ledger
  readonly log: (message: string, error: unknown) => void
}

type Begun = {
  readonly begun: Stored<Deploy>
  readonly owner: Ownership
  readonly cancelled: AbortSignal
  readonly stopped: AbortSignal
}

/** From preparing to what comes of it. Throws LostRace, or what etcd throws: then it is prepared again. */
export async function finishPreparing(deps: Deps, at: Begun): Promise<Stored<Deploy>> {
  const { begun, owner, cancelled } = at
  if (cancelled.aborted) return cancel(deps, at)
  const { event, writes } = await withinTime(deps, at)
  const intentKey = deps.keys.intent(begun.value.id, 'cancel')
  try {
    // A cancel that was left meanwhile must not be swept away unread.
    const compares = [{ kind: 'absent' as const, key: intentKey }]
    return await deps.ledger.advance(begun, event, { owner, compares, writes })
  } catch (error) {
    if (error instanceof LostRace && error.keys.includes(intentKey)) return cancel(deps, at)
    if (!(error instanceof UserError) || error.kind !== 'too_large') throw error
    const cause = { reason: 'plan_refused' as const, message: error.message }
    return deps.ledger.advance(begun, { kind: 'refuse', cause }, { owner })
  }
}

async function cancel({ kv, keys, ledger }: Deps, { begun, owner }: Begun): Promise<Stored<Deploy>> {
  const key = keys.intent(begun.value.id, 'cancel')
  const intent = await read(kv, intentSchema, key)
  if (!intent) throw new LostRace([key])
  const { by, reason } = intent.value
  return ledger.advance(begun, { kind: 'cancel', by, clean: true, good: null }, { owner, by, detail: reason })
}

/** What is not prepared in time is refused; failures of etcd are not its fault. */
async function withinTime(deps: Deps, { begun, stopped }: Begun): ReturnType<typeof prepare> {
  const { clock } = deps
  const deploy = begun.value
  const until = clock.now() + prepareMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await prepare(deps, deploy)
    } catch (error) {
      if (isOfEtcd(error) || stopped.aborted) throw error
      if (!isTransient(error) || clock.now() > until) {
        deps.log(`deploy ${deploy.id} could not be prepared`, error)
        return { event: { kind: 'refuse', cause: unprepared(deploy, error) }, writes: [] }
      }
      await clock.sleep(backoff(attempt, { base: 200, most: 5_000, random: deps.random }), stopped)
    }
  }
}

const isOfEtcd = (error: unknown): boolean =>
  error instanceof OutcomeUnknown || (error instanceof UserError && error.kind === 'unavailable')

function unprepared(deploy: Deploy, error: unknown): Cause {
  const because = (reason: Cause['reason'], message: string) => ({
    reason,
    message: redactText(message).slice(0, 1000),
  })
  if (isTransient(error))
    return because('cluster_unavailable', `The cluster did not answer: ${error.message}`)
  if (error instanceof ClusterError)
    return because('forbidden', `The cluster refused to be asked: ${error.message}`)
  if (error instanceof UserError) return because('plan_refused', error.message)
  return because('internal', `gkube itself failed to prepare deploy ${deploy.id}; its log says why.`)
}
