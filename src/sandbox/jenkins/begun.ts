// The record of a build that begins: its number, its changes since the one before, the commit it builds.
import { type BuildRecord, commitOf, type Job, type QueueItem } from './state.ts'

/** Takes the next number of the job. */
export function begun(item: QueueItem, job: Job): BuildRecord {
  const number = job.next++
  const now = Date.now()
  const changes = (job.seed.changes?.(number) ?? []).map((change, i) => ({
    ...change,
    paths: change.paths ?? ['README.md'],
    commit: commitOf(item.job, number, i),
    at: now - 60_000,
  }))
  const took = job.builds.filter(build => build.result === 'SUCCESS' && !build.building).slice(0, 3)
  return {
    job: item.job,
    number,
    queueId: item.id,
    startedAt: now,
    durationMs: 0,
    estimatedMs: took.length
      ? Math.round(took.reduce((sum, build) => sum + build.durationMs, 0) / took.length)
      : -1,
    building: true,
    inProgress: true,
    result: null,
    parameters: item.parameters,
    causes: item.causes,
    commit: changes.at(-1)?.commit ?? job.builds[0]?.commit ?? commitOf(item.job, 0),
    branch: job.seed.branch ?? 'main',
    changes,
    tests: null,
    stages: [],
    artifacts: [],
    inputs: [],
    log: Buffer.alloc(0),
  }
}
