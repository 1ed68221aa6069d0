// What of a failure people are told in other words than the store's own: its addresses are for the log, and whether
// something was stored is theirs to know. The rest is told as written (answers/refusal.ts).
import { OutcomeUnknown } from '../../core/kv.ts'
import { UserError } from '../../errors.ts'

/** The error to tell instead. */
export function toldError(error: unknown): unknown {
  if (error instanceof OutcomeUnknown) return neverKnown
  return error instanceof UserError && isDown(error) ? etcdDown : error
}

/** What may have happened all the same is an OutcomeUnknown. */
const isDown = ({ kind, details }: UserError): boolean =>
  kind === 'unavailable' && details.dependency === 'etcd' && details.why === 'down'

const etcdDown = new UserError(
  'unavailable',
  'etcd does not answer, so nothing was started. Try again in a minute; `gkube doctor` shows more.',
)
/** Nobody looks any more: what could be looked for was (actions/settle.ts). */
const neverKnown = new UserError(
  'unavailable',
  'etcd did not say whether that was stored, so it may have been or not. Look before you ask again: `gkube history <app>`, `gkube locks`.',
)
