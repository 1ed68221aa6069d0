// Inputs that a paused Pipeline waits for, and answering them. The stage view's list is asked first; what it does not
// tell (who may answer), and all of it where that plugin is missing, comes from the build itself. Who may answer in
// Slack is judged before: here it runs as gkube's Jenkins user.
import { z } from 'zod'
import type { Parameter } from '../../core/builds/build.ts'
import { type Jenkins, JenkinsError } from '../../core/builds/jenkins.ts'
import { fault, sentBack, understood, wordsOf } from './answers.ts'
import { mustExist, nameOf } from './builds.ts'
import type { Deps } from './jenkins.ts'
import { cut, flag, many, text } from './lenient.ts'
import { definitionSchema, definitionTree, parameterOf } from './parameters.ts'
import { buildAt, jobAt } from './path.ts'
import type { Answer } from './transport.ts'

type Waiting = Awaited<ReturnType<Jenkins['inputs']>>[number]

const id = z.string().min(1).max(200)
const pendingSchema = many(z.object({ id, message: text, proceedText: text, inputs: many(definitionSchema) }))
const executionSchema = z.object({
  id,
  settled: flag,
  input: z.object({ message: text, ok: text, submitter: text, parameters: many(definitionSchema) }),
})
const executionsSchema = z.object({ actions: many(z.object({ executions: many(executionSchema) })) })
const executionsTree = `actions[executions[id,settled,input[message,ok,submitter,parameters[${definitionTree}]]]]`

/** Limits of Build's record. */
const mostParameters = 20
const mostSubmitters = 50

export function jenkinsInputs(deps: Deps) {
  const { transport, server, timeouts } = deps
  const { user } = server

  /** Null: this Jenkins has no stage view. */
  async function pending(job: string, number: number): Promise<readonly Waiting[] | null> {
    const path = `${buildAt(job, number)}wfapi/pendingInputActions`
    const answer = await transport.get({ path, ms: timeouts.call })
    if (answer.status === 404) return null
    const wish = { to: 'read the inputs of', thing: nameOf(job, number), user }
    return understood(pendingSchema, answer, wish).map(one =>
      waiting({ id: one.id, message: one.message, ok: one.proceedText, submitter: null }, one.inputs),
    )
  }

  async function ofBuild(job: string, number: number): Promise<readonly Waiting[]> {
    const path = `${buildAt(job, number)}api/json`
    const answer = await transport.get({ path, query: { tree: executionsTree }, ms: timeouts.call })
    const wish = { to: 'read the inputs of', thing: nameOf(job, number), user }
    return understood(executionsSchema, answer, wish)
      .actions.flatMap(action => action.executions)
      .filter(({ settled }) => settled !== true)
      .map(({ id, input }) => waiting({ ...input, id }, input.parameters))
  }

  const inputs: Jenkins['inputs'] = async (job, number) => {
    const listed = await pending(job, number)
    if (listed?.length === 0) return []
    if (!listed) return ofBuild(job, number)
    // No submitters means that anybody may: where they cannot be read now, nothing is told of the input.
    const told = await ofBuild(job, number)
    const toldOf = new Map(told.map(one => [one.id, one.submitters]))
    // A build that tells of others but not of this one saw it settled between the two readings.
    return listed
      .filter(({ id }) => told.length === 0 || toldOf.has(id))
      .map(one => ({ ...one, submitters: toldOf.get(one.id) ?? [] }))
  }

  const answer: Jenkins['answer'] = async (at, { decision, parameters }) => {
    const path = `${buildAt(at.job, at.number)}input/${encodeURIComponent(at.input)}/`
    const ask = async (action: string, form?: Readonly<Record<string, string>>) => {
      const request = `${path}${action}`
      const answer = await transport.post({ path: request, ms: timeouts.call, ...(form ? { form } : {}) })
      // Usually 200; with a page to go to in between.
      if (answer.status < 300 || sentBack(answer, { request, page: jobAt(at.job) })) return 'done'
      return declined(at, answer)
    }
    if (decision === 'abort') return ask('abort')
    // Who may was judged before: what it asks for is enough.
    const listed = (await pending(at.job, at.number)) ?? (await ofBuild(at.job, at.number))
    const wanted = listed.find(one => one.id === at.input)
    const values = filled(wanted?.parameters ?? [], parameters)
    if (values.length === 0) return ask('proceedEmpty')
    return ask('proceed', { json: JSON.stringify({ parameter: values }) })
  }

  /** What it means that an answer was not taken. */
  async function declined(
    { job, number, input }: Parameters<Jenkins['answer']>[0],
    answer: Answer,
  ): Promise<'settled'> {
    const wish = { to: 'answer', thing: `the input ${input} of ${nameOf(job, number)}`, user, posted: true }
    const words = wordsOf(answer)
    if (answer.status === 400 && /already (been )?given/i.test(words)) return 'settled'
    if (answer.status === 404) {
      // An answered input is taken off its build; a build that is gone is something else.
      await mustExist(deps, job, number)
      return 'settled'
    }
    if (answer.status === 400 && /you need to (be|have)/i.test(words))
      throw new JenkinsError(
        'refused',
        `Jenkins does not let its user ${user} answer this input: ${words} Let ${user} do so in Jenkins, or answer it there`,
      )
    throw fault(answer, wish)
  }

  return { inputs, answer }
}

function waiting(
  facts: {
    readonly id: string
    readonly message?: string | null
    readonly ok?: string | null
    readonly submitter?: string | null
  },
  definitions: readonly z.output<typeof definitionSchema>[],
): Waiting {
  const submitters = (facts.submitter ?? '').split(',').map(name => name.trim())
  return {
    id: facts.id,
    message: cut(facts.message || 'Input requested', 1000),
    proceed: cut(facts.ok || 'Proceed', 100),
    parameters: definitions.slice(0, mostParameters).map(parameterOf),
    // One that is too long names nobody, and is kept all the same: none at all would be everybody.
    submitters: submitters.flatMap(name => (name === '' ? [] : [cut(name, 200)])).slice(0, mostSubmitters),
  }
}

/** A Pipeline misses what it is not given here, unlike a job: defaults are filled in. */
function filled(
  definitions: readonly Parameter[],
  given: Readonly<Record<string, string>>,
): readonly { readonly name: string; readonly value: string | boolean }[] {
  const typed = (name: string, value: string) =>
    definitions.find(one => one.name === name)?.type === 'boolean' ? value === 'true' : value
  const defaults = definitions.flatMap(({ name, default: value }) =>
    value === null || Object.hasOwn(given, name) ? [] : [{ name, value: typed(name, value) }],
  )
  return [...Object.entries(given).map(([name, value]) => ({ name, value: typed(name, value) })), ...defaults]
}
