// What the command line uses and Node 18 lacks, made up for before anything else runs. Only standalone.ts, the file
// that build agents fetch, needs it; a server and the npm package have their own, newer Node.
import { createRequire } from 'node:module'

// Node 20.16 and 22.3 brought it; below, `require` knows the same modules.
process.getBuiltinModule ??= createRequire(import.meta.url)

// Node 18.17 and 20.3.
AbortSignal.any ??= signals => {
  const all = new AbortController()
  for (const signal of signals) {
    if (signal.aborted) all.abort(signal.reason)
    else signal.addEventListener('abort', () => all.abort(signal.reason), { once: true, signal: all.signal })
  }
  return all.signal
}

// Node 18.17 and 19.9.
URL.canParse ??= (url, base) => {
  try {
    return Boolean(new URL(url, base))
  } catch {
    return false
  }
}
