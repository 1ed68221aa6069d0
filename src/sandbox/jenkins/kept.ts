// Build numbers, and builds that have ended, in a file: a restart must not count from 1 again, or gkube would take new
// builds for old ones. Written before a number is seen by anybody. What ran when Jenkins ended is aborted.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { JenkinsOptions } from './control.ts'
import type { BuildRecord, State } from './state.ts'

type Kept = {
  readonly schema: 1
  readonly queueId: number
  readonly jobs: Readonly<
    Record<string, { next: number; builds: (Omit<BuildRecord, 'log'> & { log: string })[] }>
  >
}

/** Of each job; older ones go. */
const most = 20
/** Bytes of a log that are kept: the whole, or its beginning. */
const mostLog = 100_000

/** Writes the file; a crash while writing leaves the old one. */
export function keep(file: string, state: State, log: JenkinsOptions['log']): void {
  const kept: Kept = {
    schema: 1,
    queueId: state.nextQueueId,
    jobs: Object.fromEntries(
      [...state.jobs].map(([path, job]) => [
        path,
        {
          next: job.next,
          builds: job.builds
            .slice(0, most)
            .map(build => ({ ...build, log: build.log.subarray(0, mostLog).toString('utf8') })),
        },
      ]),
    ),
  }
  try {
    writeFileSync(`${file}.new`, JSON.stringify(kept), { mode: 0o600 })
    renameSync(`${file}.new`, file)
  } catch (error) {
    log?.warn({ err: error, file }, 'the builds of the stand-in Jenkins could not be kept')
  }
}

/** Puts into `state` what the file holds; jobs that are no longer there are left out. */
export function restore(file: string, state: State, log: JenkinsOptions['log']): void {
  let kept: Kept
  try {
    kept = JSON.parse(readFileSync(file, 'utf8')) as Kept // our own file
    if (kept.schema !== 1) return
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log?.warn({ err: error, file }, 'the kept builds of Jenkins cannot be read; it starts empty')
    return
  }
  state.nextQueueId = Math.max(state.nextQueueId, kept.queueId)
  for (const [path, { next, builds }] of Object.entries(kept.jobs)) {
    const job = state.jobs.get(path)
    if (!job) continue
    job.next = Math.max(job.next, next)
    job.builds.push(...builds.map(build => ended({ ...build, log: Buffer.from(build.log) })))
  }
}

function ended(build: BuildRecord): BuildRecord {
  if (!build.inProgress) return build
  return {
    ...build,
    building: false,
    inProgress: false,
    result: build.result ?? 'ABORTED',
    inputs: build.inputs.map(input => ({ ...input, settled: true })),
    stages: build.stages.map(stage => (stage.durationMs === 0 ? { ...stage, status: 'ABORTED' } : stage)),
    log: Buffer.concat([build.log, Buffer.from('Jenkins was restarted\nFinished: ABORTED\n')]),
  }
}
