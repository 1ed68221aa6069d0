// Whatever plugins make of Jenkins' JSON: valid answers with parts replaced by anything. What is read fits the record of
// a build, and what cannot be read is a JenkinsError.
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  buildSchema,
  changeSchema,
  inputSchema,
  parameterSchema,
  stageSchema,
} from '../../../src/core/builds/build.ts'
import { testsSchema } from '../../../src/core/builds/event.ts'
import { type Jenkins, JenkinsError } from '../../../src/core/builds/jenkins.ts'
import { type Scripted, scriptedJenkins } from './scripted-jenkins.ts'

let jenkins: Scripted
beforeAll(async () => {
  jenkins = await scriptedJenkins()
})
afterAll(() => jenkins.stop())

const definition = {
  name: 'A',
  type: 'ChoiceParameterDefinition',
  description: 'd',
  choices: ['x'],
  defaultParameterValue: { value: 'x' },
  definition: { defaultVal: 'x', choices: ['x'] },
}
const change = {
  commitId: 'abcdef1',
  msg: 'm',
  authorEmail: 'a@b.cd',
  author: { fullName: 'A', absoluteUrl: 'http://x/user/a' },
}
const build = {
  number: 1,
  result: 'SUCCESS',
  building: false,
  inProgress: false,
  queueId: 2,
  timestamp: 3,
  duration: 4,
  estimatedDuration: 5,
  displayName: '#1',
  actions: [
    {
      causes: [{ shortDescription: 'c', userId: 'u' }],
      parameters: [{ _class: 'S', name: 'A', value: 'x' }],
    },
    { lastBuiltRevision: { SHA1: 'abcdef1', branch: [{ name: 'origin/main' }] } },
  ],
  changeSet: { items: [change] },
  changeSets: [{ items: [change] }],
}
const cases = [{ className: 'C', name: 'n', status: 'FAILED' }]
const job = '/job/web/'

const recorded = buildSchema.pick({
  number: true,
  queueId: true,
  displayName: true,
  startedAt: true,
  durationMs: true,
  usualMs: true,
  result: true,
  commit: true,
  branch: true,
  cause: true,
  parameters: true,
  changesTotal: true,
})
const fits = (facts: Awaited<ReturnType<Jenkins['build']>>) => {
  recorded.parse(facts)
  for (const one of facts.changes) changeSchema.omit({ slack: true }).parse(one)
}

type Read = {
  readonly name: string
  readonly path: string
  readonly answer: unknown
  readonly read: () => Promise<void>
}
const reads: readonly Read[] = [
  {
    name: 'a build',
    path: `${job}1/api/json`,
    answer: build,
    read: async () => fits(await jenkins.jenkins.build('web', 1)),
  },
  {
    name: 'recent builds',
    path: `${job}api/json`,
    answer: { builds: [build, build] },
    read: async () => void (await jenkins.jenkins.recent('web')).map(fits),
  },
  {
    name: 'a job',
    path: `${job}api/json`,
    answer: { buildable: true, property: [{ parameterDefinitions: [definition] }] },
    read: async () =>
      void (await jenkins.jenkins.job('web')).parameters.map(one => parameterSchema.parse(one)),
  },
  {
    name: 'jobs',
    path: `${job}api/json`,
    answer: { jobs: [{ name: 'a', buildable: true, _class: 'X', jobs: [] }] },
    read: async () => void (await jenkins.jenkins.jobs('web')),
  },
  {
    name: 'an item of the queue',
    path: '/queue/item/1/api/json',
    answer: { _class: 'X$LeftItem', why: 'w', cancelled: false, executable: { number: 1 } },
    read: async () => {
      const item = await jenkins.jenkins.queueItem(1)
      if (item?.state === 'left') recorded.shape.number.parse(item.number)
    },
  },
  {
    name: 'the queue',
    path: '/queue/api/json',
    answer: {
      items: [{ id: 1, inQueueSince: 2, task: { url: 'http://x/job/web/' }, actions: build.actions }],
    },
    read: async () => void (await jenkins.jenkins.queued?.('web')),
  },
  {
    name: 'tests',
    path: `${job}1/testReport/api/json`,
    answer: {
      failCount: 1,
      passCount: 1,
      skipCount: 0,
      totalCount: 2,
      suites: [{ cases }],
      childReports: [{ result: { failCount: 1, suites: [{ cases }] } }],
    },
    read: async () => void testsSchema.nullable().parse(await jenkins.jenkins.tests('web', 1)),
  },
  {
    name: 'stages',
    path: `${job}1/wfapi/describe`,
    answer: { stages: [{ name: 'A', status: 'SUCCESS', durationMillis: 1 }] },
    read: async () =>
      void stageSchema
        .array()
        .max(50)
        .nullable()
        .parse(await jenkins.jenkins.stages('web', 1)),
  },
  {
    name: 'inputs',
    path: `${job}1/api/json`,
    answer: {
      actions: [
        {
          executions: [
            {
              id: 'A',
              settled: false,
              input: { message: 'm', ok: 'o', submitter: 'a,b', parameters: [definition] },
            },
          ],
        },
      ],
    },
    read: async () =>
      void inputSchema
        .omit({ askedAt: true, answer: true, over: true })
        .array()
        .parse(await jenkins.jenkins.inputs('web', 1)),
  },
]

const odd = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    null,
    '',
    -1,
    1e300,
    0.5,
    '\ud83d'.repeat(600),
    'x'.repeat(20_000),
    '__proto__',
    [],
    {},
    [[]],
    '%',
  ),
)
/** The same with one part of it, at any depth, replaced. */
function mutated(value: unknown): fc.Arbitrary<unknown> {
  if (typeof value !== 'object' || value === null) return odd
  const parts = Object.entries(value).map(([key, inner]) =>
    mutated(inner).map(other =>
      Array.isArray(value) ? value.with(Number(key), other) : { ...value, [key]: other },
    ),
  )
  return parts.length === 0 ? odd : fc.oneof(odd, ...parts, ...parts)
}

it.each(reads)('$name: read as far as it can be', { timeout: 30_000 }, async ({ path, answer, read }) => {
  jenkins.script({ [`GET ${path}`]: { json: answer } })
  await read()
  await fc.assert(
    fc.asyncProperty(mutated(answer), async json => {
      jenkins.script({ [`GET ${path}`]: { json } })
      await read().catch((error: unknown) => expect(error).toBeInstanceOf(JenkinsError))
    }),
    { numRuns: 60 },
  )
})
