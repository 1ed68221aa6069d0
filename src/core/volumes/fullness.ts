// Pure: when people hear that storage fills up. Once at 85 % and once at 95 %, and again only after it fell below 80:
// what stays at the edge is not told twice. watch.ts looks and tells.
import { z } from 'zod'

/** `fullness/<env>/<app>/<storage>`: left out while nothing was told. */
export const fullnessSchema = z.object({
  schema: z.literal(1),
  /** The threshold that was told last, in percent. */
  told: z.int(),
  at: z.int(),
})

const thresholds = [95, 85] as const
const calm = 80

/** `told`: the threshold to remember from now on, null for none; `tell`: say it now. */
export function fullnessAfter(
  told: number | null,
  { used, quota }: { readonly used: number; readonly quota: number | null },
): { readonly told: number | null; readonly tell: boolean } {
  if (!quota || quota <= 0) return { told, tell: false }
  const percent = (used / quota) * 100
  if (percent < calm) return { told: null, tell: false }
  const reached = thresholds.find(threshold => percent >= threshold) ?? null
  if (reached === null || (told !== null && told >= reached)) return { told, tell: false }
  return { told: reached, tell: true }
}
