// Jobs, builds and queue items as Jenkins' remote API shows them. Field by field what the facts of the plugins say;
// tree.ts decides which fields of a bean are shown.
import { definitionBean, valueBean } from './parameters.ts'
import {
  type BuildRecord,
  type Cause,
  causeText,
  displayOf,
  emailOf,
  type Job,
  jobUrl,
  leafOf,
  nameOf,
  type QueueItem,
  remoteOf,
  type State,
} from './state.ts'
import { brief } from './tree.ts'

export type Beans = ReturnType<typeof beansOf>

const runClass = (job: Job) =>
  job.seed.kind === 'pipeline'
    ? 'org.jenkinsci.plugins.workflow.job.WorkflowRun'
    : 'hudson.model.FreeStyleBuild'

/** `root` is the address Jenkins believes to have. */
export function beansOf(state: State, root: () => string) {
  const link = (path: string) => root() + jobUrl(path)
  const names = (path: string) => path.split('/').map((_, i, all) => displayOf(all.slice(0, i + 1).join('/')))

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
    fullDisplayName: names(path).join(' » '),
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

  function build(one: BuildRecord): object {
    const job = state.jobs.get(one.job) as Job // a build is of a job
    const url = `${link(one.job)}${one.number}/`
    const changes = changeSet(one)
    const other = (number: number) => () => {
      const found = job.builds.find(build => build.number === number)
      return found ? { number, url: `${link(one.job)}${number}/` } : null
    }
    const authors = [...new Set(one.changes.map(change => change.author))]
    return {
      _class: runClass(job),
      actions: actionsOf(one, url, job),
      artifacts: one.artifacts.map(path => ({
        displayPath: path,
        fileName: leafOf(path),
        relativePath: path,
      })),
      building: one.building,
      description: null,
      displayName: `#${one.number}`,
      duration: one.durationMs,
      estimatedDuration: one.estimatedMs,
      executor: one.building ? {} : null,
      fullDisplayName: `${names(one.job).join(' » ')} #${one.number}`,
      id: String(one.number),
      inProgress: one.inProgress,
      keepLog: false,
      number: one.number,
      queueId: one.queueId,
      result: one.result,
      timestamp: one.startedAt,
      url,
      ...(job.seed.kind === 'pipeline'
        ? { changeSets: one.changes.length > 0 ? [changes] : [] }
        : { builtOn: '', changeSet: changes }),
      culprits: authors.map(userBean),
      nextBuild: other(one.number + 1),
      previousBuild: other(one.number - 1),
      [brief]: ['number', 'url'],
    }
  }

  const userBean = (user: string) => ({ absoluteUrl: `${root()}user/${user}`, fullName: nameOf(user) })

  function changeSet(one: BuildRecord): object {
    if (one.changes.length === 0) return { _class: 'hudson.scm.EmptyChangeLogSet', items: [], kind: null }
    return {
      _class: 'hudson.plugins.git.GitChangeSetList',
      items: one.changes.map(change => ({
        _class: 'hudson.plugins.git.GitChangeSet',
        affectedPaths: change.paths,
        commitId: change.commit,
        timestamp: change.at,
        author: userBean(change.author),
        authorEmail: emailOf(change.author),
        comment: `${change.message}\n`,
        date: new Date(change.at).toISOString().replace('T', ' ').replace(/\..*/, ' +0000'),
        id: change.commit,
        msg: change.message,
        paths: change.paths.map(file => ({ editType: 'edit', file })),
      })),
      kind: 'git',
    }
  }

  function actionsOf(one: BuildRecord, url: string, job: Job): object[] {
    const revision = {
      SHA1: one.commit,
      branch: [{ SHA1: one.commit, name: `refs/remotes/origin/${one.branch}` }],
    }
    const open = one.inputs.filter(input => !input.settled)
    return [
      { _class: 'hudson.model.CauseAction', causes: one.causes.map(causeBean) },
      ...(one.parameters.length > 0
        ? [{ _class: 'hudson.model.ParametersAction', parameters: one.parameters.map(valueBean) }]
        : []),
      {},
      {
        _class: 'hudson.plugins.git.util.BuildData',
        buildsByBranchName: {
          [`refs/remotes/origin/${one.branch}`]: {
            _class: 'hudson.plugins.git.util.Build',
            buildNumber: one.number,
            buildResult: null,
            marked: revision,
            revision,
          },
        },
        lastBuiltRevision: revision,
        remoteUrls: [remoteOf(one.job)],
        scmName: '',
      },
      ...(one.tests
        ? [
            {
              _class: 'hudson.tasks.junit.TestResultAction',
              failCount: one.tests.failed.length,
              skipCount: one.tests.skipped,
              totalCount: one.tests.passed + one.tests.skipped + one.tests.failed.length,
              urlName: 'testReport',
            },
          ]
        : []),
      ...(job.seed.kind === 'pipeline' && open.length > 0
        ? [
            {
              _class: 'org.jenkinsci.plugins.workflow.support.steps.input.InputAction',
              executions: open.map(({ id, settled, message, ok, submitter, parameters }) => ({
                id,
                displayName: message,
                settled,
                input: { id, message, ok, submitter, parameters: parameters.map(definitionBean) },
                url: `${url}input/${id}/`,
              })),
            },
          ]
        : []),
      {},
    ]
  }

  function causeBean(cause: Cause): object {
    if (cause.kind === 'user')
      return {
        _class: 'hudson.model.Cause$UserIdCause',
        shortDescription: causeText(cause),
        userId: cause.user,
        userName: nameOf(cause.user),
      }
    if (cause.kind === 'upstream')
      return {
        _class: 'hudson.model.Cause$UpstreamCause',
        shortDescription: causeText(cause),
        upstreamBuild: cause.number,
        upstreamProject: cause.job,
        upstreamUrl: jobUrl(cause.job),
      }
    return {
      _class: `hudson.triggers.${cause.kind === 'timer' ? 'TimerTrigger$Timer' : 'SCMTrigger$SCM'}TriggerCause`,
      shortDescription: causeText(cause),
    }
  }

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
