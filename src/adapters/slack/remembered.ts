// Answers kept for a while: the same question is asked once at a time and once in `keepMs`, what there is not is
// remembered too. Failures are kept for a moment only, so that a workspace that is down is not asked by every click.

type Kept<T> = { readonly until: number; readonly answer: Promise<T> }

export function remembered<T>(options: {
  readonly keepMs: number
  readonly failedMs: number
  readonly most: number
  readonly now: () => number
  readonly ask: (key: string) => Promise<T>
}): (key: string) => Promise<T> {
  const { keepMs, failedMs, most, now, ask } = options
  const kept = new Map<string, Kept<T>>()

  return key => {
    const known = kept.get(key)
    if (known && known.until > now()) return known.answer
    const answer = ask(key)
    const asked: Kept<T> = { until: Number.POSITIVE_INFINITY, answer }
    const settled = (ms: number) => {
      if (kept.get(key) === asked) kept.set(key, { answer, until: now() + ms })
    }
    answer.then(
      () => settled(keepMs),
      () => settled(failedMs),
    )
    kept.delete(key)
    kept.set(key, asked)
    for (const oldest of kept.keys()) {
      if (kept.size <= most) break
      kept.delete(oldest)
    }
    return answer
  }
}
