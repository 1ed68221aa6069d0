// CronJobs: a Job at each time of the schedule, within the concurrency policy; old Jobs beyond the history
// limits go. Schedules follow the wall clock, whatever the cluster's speed.
import { Cron } from 'croner'
import { kindNamed } from '../kinds.ts'
import { type KubeObject, ownedBy, timestamp } from '../object.ts'
import { type Context, type Controller, keyOf, splitKey } from './engine.ts'
import { isFinished } from './job.ts'
import { conditionOf, ownerKey } from './pods.ts'

const cronKind = kindNamed('CronJob')
const jobKind = kindNamed('Job')
const manager = 'kube-controller-manager'
const from = 'cronjob-controller'
// Longer timers are cut short and set again.
const longest = 60 * 60 * 1000

/** The latest time of the schedule after `since` up to `now`, and the next one. */
export function dueTimes(
  spec: { schedule: string; timeZone?: string },
  since: number,
  now: number,
): { due?: Date; next?: Date } {
  const cron = new Cron(spec.schedule, { timezone: spec.timeZone ?? 'UTC', paused: true })
  const next = cron.nextRun(new Date(now)) ?? undefined
  const [last] = cron.previousRuns(1, new Date(now + 1))
  return { due: last && last.getTime() > since ? last : undefined, next }
}

export function cronJobs({ store, registry, record }: Context): Controller {
  const jobsOf = (owner: KubeObject) =>
    store
      .dependents(owner.metadata.uid)
      .filter(one => one.kind === jobKind)
      .map(one => one.object)
      .sort((a, b) => a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp))

  const remove = (job: KubeObject) =>
    registry.remove(
      { kind: jobKind, namespace: job.metadata.namespace, name: job.metadata.name },
      { propagationPolicy: 'Background' },
    )

  async function run(owner: KubeObject, due: Date): Promise<void> {
    const { concurrencyPolicy, startingDeadlineSeconds, jobTemplate } = owner.spec
    const active = jobsOf(owner).filter(job => !isFinished(job))
    if (
      startingDeadlineSeconds !== undefined &&
      Date.now() - due.getTime() > startingDeadlineSeconds * 1000
    ) {
      record(owner, {
        reason: 'MissSchedule',
        message: `Missed scheduled time to start a job: ${due.toUTCString()}`,
        warning: true,
        from,
      })
      return
    }
    if (concurrencyPolicy === 'Forbid' && active.length > 0) {
      record(owner, {
        reason: 'JobAlreadyActive',
        message: `Not starting job because prior execution is running and concurrency policy is Forbid`,
        from,
      })
      return
    }
    if (concurrencyPolicy === 'Replace') for (const job of active) await remove(job)
    const name = `${owner.metadata.name}-${Math.floor(due.getTime() / 60_000)}`
    const annotations = {
      ...jobTemplate.metadata?.annotations,
      'batch.kubernetes.io/cronjob-scheduled-timestamp': due.toISOString(),
    }
    if (store.get(jobKind, owner.metadata.namespace, name)) return
    await registry.create(
      jobKind,
      {
        metadata: {
          name,
          labels: jobTemplate.metadata?.labels,
          annotations,
          ownerReferences: [ownedBy(owner)],
        },
        spec: structuredClone(jobTemplate.spec),
      },
      { manager, namespace: owner.metadata.namespace },
    )
    record(owner, { reason: 'SuccessfulCreate', message: `Created job ${name}`, from })
  }

  async function trimHistory(owner: KubeObject) {
    const done = jobsOf(owner).filter(isFinished)
    const good = done.filter(job => conditionOf(job, 'Complete')?.status === 'True')
    const bad = done.filter(job => !good.includes(job))
    const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = owner.spec
    const extra = [
      ...good.slice(0, Math.max(0, good.length - successfulJobsHistoryLimit)),
      ...bad.slice(0, Math.max(0, bad.length - failedJobsHistoryLimit)),
    ]
    for (const job of extra) if (!job.metadata.deletionTimestamp) await remove(job)
  }

  return {
    name: from,
    keys({ kind, object, type }) {
      if (kind === cronKind) return type === 'DELETED' ? [] : [keyOf(object)]
      return kind === jobKind ? ownerKey(object, 'CronJob') : []
    },
    async reconcile(key) {
      const { namespace, name } = splitKey(key)
      const owner = store.get(cronKind, namespace, name)
      if (!owner || owner.metadata.deletionTimestamp) return undefined
      const now = Date.now()
      const since = Date.parse(owner.status?.lastScheduleTime ?? owner.metadata.creationTimestamp)
      const { due, next } = dueTimes(owner.spec, since, now)
      if (due && !owner.spec.suspend) await run(owner, due)
      await trimHistory(owner)
      const jobs = jobsOf(owner)
      const active = jobs
        .filter(job => !isFinished(job))
        .map(({ apiVersion, kind, metadata }) => ({
          apiVersion,
          kind,
          name: metadata.name,
          namespace,
          uid: metadata.uid,
        }))
      const lastDone = jobs
        .map(job => job.status?.completionTime)
        .filter(Boolean)
        .sort()
        .at(-1)
      await registry.mutate(
        { kind: cronKind, namespace, name },
        draft => {
          const { active: _before, ...status } = draft.status ?? {}
          if (due && !owner.spec.suspend) status.lastScheduleTime = timestamp(due.getTime())
          if (lastDone) status.lastSuccessfulTime = lastDone
          draft.status = { ...status, ...(active.length > 0 ? { active } : {}) }
        },
        { manager, subresource: 'status' },
      )
      return next ? Math.min(next.getTime() - now, longest) : undefined
    },
  }
}
