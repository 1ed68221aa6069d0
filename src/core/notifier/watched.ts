// Which of those on the desk a record matters to: the records of a deploy to its messages, those of a build to its
// messages in each channel, the messages of one to those that join its thread.

export type Watched = {
  /** From now on changes of these keys are theirs, too. */
  add(id: string, keys: readonly string[]): void
  of(key: string): readonly string[]
  drop(id: string): void
}

export function watchedKeys(): Watched {
  const ids = new Map<string, Set<string>>()
  const keysOf = new Map<string, Set<string>>()
  return {
    add(id, keys) {
      const own = keysOf.get(id) ?? new Set()
      keysOf.set(id, own)
      for (const key of keys) {
        own.add(key)
        ids.set(key, (ids.get(key) ?? new Set()).add(id))
      }
    },
    of: key => [...(ids.get(key) ?? [])],
    drop(id) {
      for (const key of keysOf.get(id) ?? []) {
        const those = ids.get(key)
        those?.delete(id)
        if (those?.size === 0) ids.delete(key)
      }
      keysOf.delete(id)
    },
  }
}
