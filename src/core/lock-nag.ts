// Pure: when the owner of a lock is told that it ends, and in which words. The sweeper sends it, once.
import type { Lock } from './core.ts'
import type { Notice } from './notices.ts'
import { until } from './times.ts'

const minute = 60_000
const hour = 60 * minute
/** Whoever locks for less than this knows it. */
const shortest = 10 * minute

/** An hour before the end, or when a quarter of a shorter time is left; null: it needs no word. */
export function nagTime(at: number, expiresAt: number): number | null {
  const lasts = expiresAt - at
  return lasts < shortest ? null : expiresAt - Math.min(hour, lasts / 4)
}

/** What the owner is told before it ends. */
export function nagOf(lock: Lock, now: number): Omit<Notice, 'schema'> | null {
  const { app, environment, by, reason, expiresAt } = lock
  if (expiresAt === null) return null
  const what = [app, environment].filter(Boolean).join(' in ') || 'everything'
  const words = [app, environment ? `--environment ${environment}` : '--all'].filter(Boolean).join(' ')
  const minutes = Math.max(1, Math.round((expiresAt - now) / minute))
  return {
    kind: 'lock_ends',
    to: by,
    environment,
    text: `Your lock of ${what} ends in ${minutes} min (${until(expiresAt, now)}): ${reason}. What waits for it starts then. To keep it, lock it again: gkube lock ${words}`,
    lock: `${environment ?? ''}/${app ?? ''}`,
    at: now,
  }
}
