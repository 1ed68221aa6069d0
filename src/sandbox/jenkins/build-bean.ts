// A build as Jenkins' remote API shows it: its causes, parameters, revision, changes, tests and pending inputs.
import { definitionBean, valueBean } from './parameters.ts'
import {
  type BuildRecord,
  type Cause,
  causeText,
  emailOf,
  fullDisplayOf,
  type Job,
  jobUrl,
  leafOf,
  nameOf,
  remoteOf,
} from './state.ts'
import { brief } from './tree.ts'

export const runClass = (job: Job): string =>
  job.seed.kind === 'pipeline'
    ? 'org.jenkinsci.plugins.workflow.job.WorkflowRun'
    : 'hudson.model.FreeStyleBuild'

/** `root` is the address Jenkins believes to have. */
export function buildBean(one: BuildRecord, job: Job, root: string): object {
  const below = root + jobUrl(one.job)
  const url = `${below}${one.number}/`
  const changes = changeSet(one, root)
  const other = (number: number) => () => {
    const found = job.builds.find(build => build.number === number)
    return found ? { number, url: `${below}${number}/` } : null
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
    fullDisplayName: `${fullDisplayOf(one.job)} #${one.number}`,
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
    culprits: authors.map(user => userBean(user, root)),
    nextBuild: other(one.number + 1),
    previousBuild: other(one.number - 1),
    [brief]: ['number', 'url'],
  }
}

const userBean = (user: string, root: string) => ({
  absoluteUrl: `${root}user/${user}`,
  fullName: nameOf(user),
})

function changeSet(one: BuildRecord, root: string): object {
  if (one.changes.length === 0) return { _class: 'hudson.scm.EmptyChangeLogSet', items: [], kind: null }
  return {
    _class: 'hudson.plugins.git.GitChangeSetList',
    items: one.changes.map(change => ({
      _class: 'hudson.plugins.git.GitChangeSet',
      affectedPaths: change.paths,
      commitId: change.commit,
      timestamp: change.at,
      author: userBean(change.author, root),
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

export function causeBean(cause: Cause): object {
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
