// node reads-current.ts FOLDER: reads both files of `current` in a loop until FOLDER/done is there, as a server does that
// resolves the link once a request; prints what it saw as JSON. A release is mixed when its two files are of two. A link
// that was renamed over between two looks is stale and read again, at once and then every 5 ms, ten times at most: a
// replicated volume says ESTALE, and ENOTCONN or EIO where its copies were looked at one after the other and answered
// differently. A split brain stays EIO, and so is told.
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder = '.'] = process.argv.slice(2)
const wrong: Record<string, number> = {}
const seen = new Set<string>()
let [reads, stale, last, lastAt, doneAt, began] = [0, 0, '', 0, 0, false]
/** ESTALE, which Node has no name for. */
const estale = -116
const moments = new Set(['ENOTCONN', 'EIO'])
/** To wait on without an event loop: nobody ever wakes it. */
const still = new Int32Array(new SharedArrayBuffer(4))

/** The release that is current, read whole. */
function look(): string {
  const release = readlinkSync(join(folder, 'current'))
  const [a, b] = ['a', 'b'].map(file => readFileSync(join(folder, release, file), 'utf8'))
  if (a === undefined || a !== b || release !== join('releases', a)) throw new Error('mixed')
  return a
}

function lookAgain(): string {
  for (let attempt = 1; ; attempt++) {
    try {
      return look()
    } catch (error) {
      const { errno, code } = error as NodeJS.ErrnoException
      if (!(errno === estale || moments.has(code ?? '')) || attempt === 10) throw error
      stale++
      if (attempt > 1) Atomics.wait(still, 0, 0, 5)
    }
  }
}

writeFileSync(join(folder, 'reading'), '')
// A while longer than the last rename: what is cached must give way.
while (doneAt === 0 || Date.now() < doneAt + 3000) {
  if (doneAt === 0 && existsSync(join(folder, 'done'))) doneAt = Date.now()
  try {
    const now = lookAgain()
    began = true
    reads++
    if (now !== last) lastAt = Date.now()
    last = now
    seen.add(now)
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException
    // Before the first release there is none.
    if (began)
      wrong[code ? `${code} ${syscall}` : message] = (wrong[code ? `${code} ${syscall}` : message] ?? 0) + 1
  }
}
const lastMs = Math.max(0, lastAt - doneAt)
process.stdout.write(JSON.stringify({ reads, seen: seen.size, stale, wrong, last, lastMs }))
