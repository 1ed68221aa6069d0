// A dialog that is drawn anew while a person goes on choosing: Slack delivers changes in any order and refuses an update
// of a view that changed meanwhile. The newest choice wins.
import { UserError } from '../../../errors.ts'

/** When each open dialog was last changed, on this replica: Slack may deliver two changes in any order. */
const changedAt = new Map<string, number>()
const mostDialogs = 500

/** False where something was chosen in it later. `at` is by Slack's clock, in ms. */
export function newest(id: string, at: number): boolean {
  const last = changedAt.get(id) ?? 0
  if (at < last) return false
  changedAt.delete(id)
  changedAt.set(id, at)
  const [oldest] = changedAt.keys()
  if (changedAt.size > mostDialogs && oldest !== undefined) changedAt.delete(oldest)
  return true
}

/** The view changed meanwhile or was closed: that is no failure. */
export const ifRaced =
  <T>(then: () => Promise<T> | T | null) =>
  (error: unknown): Promise<T | null> | T | null => {
    if (!(error instanceof UserError)) throw error
    if (/\bhash_conflict\b/.test(error.message)) return then()
    if (/\bnot_found\b/.test(error.message)) return null
    throw error
  }
