// The verbs about Jenkins builds of the small Core in memory (support.ts): one job, shop/web, whose builds end by the
// value of RESULT; `RESULT=INPUT` waits for an answer. The real verbs have their own tests.
import { type Build, isOver, type Parameter, type Subscription } from '../../src/core/builds/build.ts'
import { checkParameters } from '../../src/core/builds/parameters.ts'
import { askedBuild } from '../../src/core/builds/records.ts'
import type { BuildVerbs } from '../../src/core/builds/verbs.ts'
import type { Caller } from '../../src/core/core.ts'
import { answerRefusal, stopRefusal } from '../../src/core/use-cases/build-wishes.ts'
import { UserError } from '../../src/errors.ts'

const parameter = (name: string, type: Parameter['type'], more: Partial<Parameter> = {}): Parameter => ({
  name,
  type,
  description: '',
  choices: [],
  default: null,
  ...more,
})

export const webParameters: readonly Parameter[] = [
  parameter('BRANCH', 'string', { default: 'main', description: 'what to build' }),
  parameter('RESULT', 'choice', {
    choices: ['SUCCESS', 'FAILURE', 'ABORTED', 'INPUT', 'HANG'],
    default: 'SUCCESS',
  }),
  parameter('CLEAN', 'boolean', { default: 'false' }),
  parameter('NOTES', 'text'),
  parameter('TOKEN', 'password'),
]

export function memoryBuilds(options: {
  readonly stepMs: number
  admin(caller: Caller, what: string): void
}) {
  const { stepMs, admin } = options
  const builds = new Map<string, Build>()
  const seen = new Map<string, string>()
  const subscriptions = new Map<string, Subscription>()
  let numbers = 213
  const at = (id: string): Build => {
    const build = builds.get(id)
    if (!build) throw new UserError('not_found', `There is no build ${id}. See: gkube builds`)
    return build
  }
  const change = (id: string, fields: Partial<Build>): Build => {
    const next = { ...at(id), ...fields }
    builds.set(id, next)
    return next
  }
  const pause = () => new Promise(resolve => setTimeout(resolve, stepMs))
  const known = (job: string) => {
    if (job !== 'shop/web')
      throw new UserError(
        'not_found',
        `Jenkins has no job \`${job}\`, or does not show it to gkube. Did you mean \`shop/web\`?`,
      )
  }

  async function drive(id: string): Promise<void> {
    await pause()
    change(id, { phase: 'queued', queueId: 7 })
    await pause()
    const number = ++numbers
    const url = `http://jenkins.example.com/job/shop/job/web/${number}/`
    change(id, { phase: 'running', number, url, startedAt: Date.now(), branch: 'main', commit: '3fa9c1e' })
    await pause()
    const { RESULT = 'SUCCESS' } = at(id).parameters
    if (RESULT === 'INPUT')
      change(id, {
        inputs: [
          {
            id: 'Go',
            message: 'Deploy it?',
            proceed: 'Yes',
            parameters: [],
            submitters: [],
            askedAt: Date.now(),
            answer: null,
            over: false,
          },
        ],
      })
    const goesOn = () =>
      at(id).stop !== null || RESULT === 'HANG'
        ? at(id).stop !== null
        : RESULT !== 'INPUT' || at(id).inputs[0]?.answer
    while (!goesOn()) await pause()
    const aborted = at(id).stop !== null || at(id).inputs[0]?.answer?.decision === 'abort'
    const result = aborted ? 'ABORTED' : RESULT === 'FAILURE' || RESULT === 'ABORTED' ? RESULT : 'SUCCESS'
    change(id, { phase: 'finished', result, verified: true, durationMs: 190_000, endedAt: Date.now() })
  }

  const verbs: BuildVerbs = {
    receiveBuild: async () => ({ repeated: false }),
    build: async (caller, { job, parameters, idempotencyKey }) => {
      admin(caller, `start builds of ${job}`)
      const before = idempotencyKey === undefined ? undefined : seen.get(idempotencyKey)
      if (before) return { build: at(before), repeated: true }
      known(job)
      const values = checkParameters(webParameters, parameters, {
        what: job,
        url: 'http://jenkins.example.com/job/shop/job/web/',
      })
      const id = `01j9z3k4m5n6p7q8r9s0t1b${String(builds.size + 1).padStart(3, '0')}`
      const build = askedBuild({
        id,
        now: Date.now(),
        by: caller.actor,
        job,
        apps: ['web'],
        parameters: values,
        told: [],
      })
      builds.set(id, build)
      if (idempotencyKey !== undefined) seen.set(idempotencyKey, id)
      void drive(id)
      return { build, repeated: false }
    },
    job: async (_caller, job) => {
      known(job)
      const url = 'http://jenkins.example.com/job/shop/job/web/'
      return { job, url, kind: 'job', buildable: true, parameters: webParameters }
    },
    jobs: async (_caller, text) => [{ job: 'shop/web', apps: ['web'] }].filter(one => one.job.includes(text)),
    showBuild: async (_caller, id) => at(id),
    builds: async (_caller, { job, app, limit }) =>
      [...builds.values()]
        .filter(one => (!job || one.job === job) && (!app || one.apps.includes(app)))
        .reverse()
        .slice(0, limit),
    stopBuild: async (caller, id) => {
      admin(caller, 'stop builds')
      const refusal = stopRefusal(at(id), Date.now())
      if (refusal) throw refusal
      return change(id, { stop: { by: caller.actor, at: Date.now(), state: 'wanted' } })
    },
    answerInput: async (caller, id, { input: name, decision, parameters }) => {
      admin(caller, 'answer the pipelines of web')
      const build = at(id)
      const input = build.inputs.find(one => one.id === name)
      if (!input) throw new UserError('not_found', 'It does not ask that (any more).')
      const refusal = answerRefusal(build, input, Date.now())
      if (refusal) throw refusal
      const values = checkParameters(input.parameters, parameters, { what: 'The input', url: build.url })
      const answer = {
        decision,
        by: caller.actor,
        at: Date.now(),
        state: 'wanted' as const,
        parameters: values,
        note: '',
      }
      return change(id, { inputs: build.inputs.map(one => (one.id === name ? { ...one, answer } : one)) })
    },
    buildLog: async (_caller, id, { lines }) => {
      const { result } = at(id)
      return ['Started by user Ana', '\u001b[31m+ make\u001b[0m', `Finished: ${result ?? '…'}`].slice(-lines)
    },
    subscribe: async (caller, { channel, app, events }) => {
      admin(caller, 'subscribe channels')
      const one: Subscription = { schema: 1, channel, app, events, by: caller.actor, at: Date.now() }
      subscriptions.set(`${channel}/${app}`, one)
      return one
    },
    unsubscribe: async (_caller, { channel, app }) => ({ was: subscriptions.delete(`${channel}/${app}`) }),
    subscriptions: async (_caller, { channel }) =>
      [...subscriptions.values()].filter(one => channel === undefined || one.channel === channel),
  }
  return { verbs, change, over: (id: string) => isOver(at(id).phase) }
}
