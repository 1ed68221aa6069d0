// Folders, jobs and queue items as Jenkins' remote API shows them; build-bean.ts has builds. tree.ts decides which
// fields of a bean are shown.
import { buildBean, causeBean, runClass } from './build-bean.ts'
import { definitionBean, valueBean } from './parameters.ts'
import {
  type BuildRecord,
  displayOf,
  fullDisplayOf,
  type Job,
  jobUrl,
  leafOf,
  type QueueItem,
  type State,
} from './state.ts'
import { brief } from './tree.ts'

export type Beans = ReturnType<typeof beansOf>

/** `root` is the address Jenkins believes to have. */
export function beansOf(state: State, root: () => string) {
  const link = (path: string) => root() + jobUrl(path)
  // A build is of a job that is there.
  const build = (one: BuildRecord) => buildBean(one, state.jobs.get(one.job) as Job, root())

  function item(path: string): object | null {
    const job = state.jobs.get(path)
    if (job && job.seed.kind !== 'multibranch') return jobBean(path, job)
    if (!job && !state.isFolder(path)) return null
    return {
      _class:
        job?.seed.kind === 'multibranch'
          ? 'org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject'
          : 'com.cloudbees.hudson.plugins.folder.Folder',
      ...named(path),
      jobs: () => state.below(path).map(item),
      views: () => [{ _class: 'hudson.model.AllView', name: 'All', url: link(path) }],
      [brief]: ['name', 'url'],
    }
  }

  const named = (path: string) => ({
    actions: [{}],
    description: '',
    displayName: displayOf(path),
    fullDisplayName: fullDisplayOf(path),
    fullName: path,
    name: leafOf(path),
    url: link(path),
  })

  function jobBean(path: string, job: Job): object {
    const { seed, builds } = job
    const first = (wanted: (build: BuildRecord) => boolean) => () => {
      const found = builds.find(wanted)
      return found ? build(found) : null
    }
    const done = (build: BuildRecord) => !build.building
    return {
      _class:
        seed.kind === 'pipeline'
          ? 'org.jenkinsci.plugins.workflow.job.WorkflowJob'
          : 'hudson.model.FreeStyleProject',
      ...named(path),
      buildable: !seed.disabled,
      builds: () => builds.slice(0, 100).map(build),
      allBuilds: () => builds.map(build),
      color: colorOf(job),
      disabled: seed.disabled ?? false,
      concurrentBuild: seed.concurrent ?? seed.kind === 'pipeline',
      firstBuild: () => (builds.at(-1) ? build(builds.at(-1) as BuildRecord) : null),
      healthReport: [],
      inQueue: () => waiting(path) !== undefined,
      keepDependencies: false,
      lastBuild: first(() => true),
      lastCompletedBuild: first(done),
      lastFailedBuild: first(one => one.result === 'FAILURE'),
      lastStableBuild: first(one => one.result === 'SUCCESS'),
      lastSuccessfulBuild: first(one => one.result === 'SUCCESS' || one.result === 'UNSTABLE'),
      lastUnstableBuild: first(one => one.result === 'UNSTABLE'),
      lastUnsuccessfulBuild: first(one => done(one) && one.result !== 'SUCCESS'),
      nextBuildNumber: job.next,
      property: seed.parameters?.length
        ? [
            {},
            {
              _class: 'hudson.model.ParametersDefinitionProperty',
              parameterDefinitions: seed.parameters.map(definitionBean),
            },
          ]
        : [],
      queueItem: () => {
        const found = waiting(path)
        return found ? queueItem(found) : null
      },
      [brief]: ['name', 'url', 'color'],
    }
  }

  const waiting = (path: string) =>
    [...state.queue.values()].find(one => one.job === path && one.state !== 'left')

  function queueItem(one: QueueItem): object {
    const job = state.jobs.get(one.job)
    const kinds = { waiting: 'Waiting', blocked: 'Blocked', buildable: 'Buildable', left: 'Left' } as const
    const found = one.number === null ? undefined : job?.builds.find(build => build.number === one.number)
    return {
      _class: `hudson.model.Queue$${kinds[one.state]}Item`,
      actions: [
        { _class: 'hudson.model.CauseAction', causes: one.causes.map(causeBean) },
        ...(one.parameters.length > 0
          ? [{ _class: 'hudson.model.ParametersAction', parameters: one.parameters.map(valueBean) }]
          : []),
      ],
      blocked: one.state === 'blocked',
      buildable: one.state === 'buildable',
      id: one.id,
      inQueueSince: one.since,
      params: one.parameters
        .map(({ name, type, value }) => `\n${name}=${type === 'password' ? '******' : value}`)
        .join(''),
      stuck: false,
      task: job ? jobBriefly(one.job, job) : null,
      url: `queue/item/${one.id}/`,
      why: whyOf(one),
      ...(one.state === 'waiting' ? { timestamp: one.until } : {}),
      ...(one.state === 'buildable' ? { pending: false } : {}),
      ...(one.state === 'left'
        ? {
            cancelled: one.cancelled,
            executable:
              found && job
                ? { _class: runClass(job), number: found.number, url: `${link(one.job)}${found.number}/` }
                : null,
          }
        : {}),
    }
  }

  const jobBriefly = (path: string, job: Job) => ({
    _class:
      job.seed.kind === 'pipeline'
        ? 'org.jenkinsci.plugins.workflow.job.WorkflowJob'
        : 'hudson.model.FreeStyleProject',
    name: leafOf(path),
    url: link(path),
    color: colorOf(job),
  })

  function whyOf(one: QueueItem): string | null {
    if (one.state === 'left') return null
    if (one.state === 'waiting')
      return `In the quiet period. Expires in ${Math.max(0, (one.until - Date.now()) / 1000).toFixed(1)} sec`
    if (one.state === 'buildable') return 'Waiting for next available executor'
    const running = state.jobs.get(one.job)?.builds.find(build => build.building)
    return `Build #${running?.number ?? '?'} is already in progress (ETA: N/A)`
  }

  return { item, build, queueItem, link }
}

function colorOf({ seed, builds }: Job): string {
  if (seed.disabled) return 'disabled'
  const last = builds.find(build => build.result !== null)?.result
  const color = last
    ? { SUCCESS: 'blue', UNSTABLE: 'yellow', FAILURE: 'red', NOT_BUILT: 'notbuilt', ABORTED: 'aborted' }[last]
    : 'notbuilt'
  return builds.some(build => build.building) ? `${color}_anime` : color
}
