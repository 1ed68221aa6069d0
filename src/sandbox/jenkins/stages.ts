// Stages, pending inputs and test reports as the plugins for them show them (Pipeline Stage View, JUnit). Pure.
import { defaultOf, definitionType } from './parameters.ts'
import { type BuildRecord, isOpen, jobUrl } from './state.ts'

/** `wfapi/describe`. */
export function stagesBean(build: BuildRecord, now: number): object {
  const paused = build.stages.some(stage => stage.status === 'PAUSED_PENDING_INPUT')
  const statuses = {
    SUCCESS: 'SUCCESS',
    UNSTABLE: 'UNSTABLE',
    FAILURE: 'FAILED',
    ABORTED: 'ABORTED',
    NOT_BUILT: 'NOT_EXECUTED',
  } as const
  const running = paused ? 'PAUSED_PENDING_INPUT' : 'IN_PROGRESS'
  const lasted = build.building ? now - build.startedAt : build.durationMs
  return {
    _links: { self: { href: `/${jobUrl(build.job)}${build.number}/wfapi/describe` } },
    id: String(build.number),
    name: `#${build.number}`,
    status: build.result && !build.building ? statuses[build.result] : running,
    startTimeMillis: build.startedAt,
    endTimeMillis: build.startedAt + lasted,
    durationMillis: lasted,
    queueDurationMillis: 0,
    pauseDurationMillis: 0,
    stages: build.stages.map((stage, i) => ({
      _links: {
        self: { href: `/${jobUrl(build.job)}${build.number}/execution/node/${i * 5 + 6}/wfapi/describe` },
      },
      id: String(i * 5 + 6),
      name: stage.name,
      execNode: '',
      status: stage.status,
      startTimeMillis: stage.startedAt,
      durationMillis: isOpen(stage.status) ? now - stage.startedAt : stage.durationMs,
      pauseDurationMillis: 0,
    })),
  }
}
/** `wfapi/pendingInputActions`. */
export function inputsBean(build: BuildRecord): object[] {
  const at = `/${jobUrl(build.job)}${build.number}`
  return build.inputs
    .filter(input => !input.settled)
    .map(input => ({
      id: input.id,
      proceedText: input.ok,
      message: input.message,
      inputs: input.parameters.map(seed => ({
        type: definitionType(seed.type),
        name: seed.name,
        description: seed.description ?? '',
        definition:
          seed.type === 'choice'
            ? { choices: seed.choices ?? [] }
            : { defaultVal: seed.type === 'password' ? null : defaultOf(seed) },
      })),
      proceedUrl:
        input.parameters.length > 0
          ? `${at}/wfapi/inputSubmit?inputId=${encodeURIComponent(input.id)}`
          : `${at}/input/${encodeURIComponent(input.id)}/proceedEmpty`,
      abortUrl: `${at}/input/${encodeURIComponent(input.id)}/abort`,
      redirectApprovalUrl: `${at}/input/`,
    }))
}

/** `testReport/api/json`. */
export function testReportBean({ passed, skipped, failed }: NonNullable<BuildRecord['tests']>): object {
  const one = (className: string, name: string, status: string) => ({
    testActions: [],
    age: status === 'REGRESSION' ? 1 : 0,
    className,
    duration: 0.01,
    errorDetails: status === 'REGRESSION' ? 'expected: <true> but was: <false>' : null,
    errorStackTrace: status === 'REGRESSION' ? `at ${className}.${name}` : null,
    failedSince: 0,
    name,
    skipped: status === 'SKIPPED',
    skippedMessage: null,
    status,
    stderr: null,
    stdout: null,
  })
  const many = (count: number, name: string, status: string) =>
    Array.from({ length: count }, (_, i) => one('shop.SuiteTest', `${name}${i + 1}`, status))
  return {
    _class: 'hudson.tasks.junit.TestResult',
    testActions: [],
    duration: 1.5,
    empty: false,
    failCount: failed.length,
    passCount: passed,
    skipCount: skipped,
    suites: [
      {
        cases: [
          ...failed.map(full =>
            one(full.slice(0, full.lastIndexOf('.')), full.slice(full.lastIndexOf('.') + 1), 'REGRESSION'),
          ),
          ...many(passed, 'works', 'PASSED'),
          ...many(skipped, 'later', 'SKIPPED'),
        ],
        duration: 1.5,
        name: 'shop.SuiteTest',
        timestamp: null,
      },
    ],
  }
}
