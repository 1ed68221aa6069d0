// What the notifier of this replica has in hand, for metrics.
import type { Open } from './desk.ts'

/** `behind`: deploys and builds that ended, and not all of it is told. */
export function stateOf(
  open: Open | null,
  elected: boolean,
): { readonly elected: boolean; readonly open: number; readonly behind: number } {
  const items = [...(open?.items.values() ?? [])]
  const behind = items.filter(item => item.subject.standing().over).length
  return { elected, open: items.length, behind }
}
