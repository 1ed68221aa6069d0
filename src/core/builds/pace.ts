// Pure: when a build is looked at next. Often at first and near its usual end, seldom where it takes long; a hook or a
// wish makes it look at once, so that this is only how late a lost hook is noticed.

const soonest = 1_000
const latest = 15_000
/** A twentieth of its age: a build of ten minutes is looked at some sixty times. */
const share = 20

/** Milliseconds until the next look; `age` is how long it waits or runs by now. */
export function nextLook({ age, usual }: { readonly age: number; readonly usual: number | null }): number {
  const plain = between(age / share)
  if (usual === null || usual <= 0) return plain
  const left = usual - age
  // It may end any moment: from shortly before its usual time until a while after.
  if (Math.abs(left) < usual / 10) return Math.min(plain, between(usual / 100))
  return left > 0 ? Math.min(plain, between(left)) : plain
}

const between = (ms: number): number => Math.min(latest, Math.max(soonest, ms))
