// What people want of a build that exists: stop it, answer its input. A wish is left in the record by compare-and-swap
// and the first one wins; the follower (core/builds/) asks Jenkins once. Nothing here talks to Jenkins.
import { UserError } from '../../errors.ts'
import { auditPut } from '../audit.ts'
import { type Build, isOver, type PendingInput } from '../builds/build.ts'
import { checkParameters, shownParameters } from '../builds/parameters.ts'
import { changeBuild } from '../builds/records.ts'
import type { BuildVerbs } from '../builds/verbs.ts'
import { buildTitle } from '../builds/words.ts'
import type { Caller } from '../core.ts'
import { isSameActor } from '../deploy.ts'
import type { Write } from '../kv.ts'
import type { Person } from '../policy.ts'
import { ago } from '../times.ts'
import { demandWith, isOperator } from './build-rights.ts'
import { type BuildDeps, buildSeen, noServer } from './build-seen.ts'

export function buildWishes(deps: BuildDeps): Pick<BuildVerbs, 'stopBuild' | 'answerInput'> {
  const { keys, clock, people, jenkins } = deps
  return {
    async stopBuild(caller, id, { reason }) {
      return wishing(deps, caller, id, build => {
        const own = build.askedBy !== null && isSameActor(build.askedBy, caller.actor)
        if (!own) demandWith(caller, 'build', build, { people })
        if (!jenkins.ask) throw noServer()
        const now = clock.now()
        const open = build.stop?.state !== 'refused'
        // The same person again, before it ended: what they want is on its way.
        if (build.stop && open && isSameActor(build.stop.by, caller.actor) && !isOver(build.phase))
          return null
        const refusal = stopRefusal(build, now)
        if (refusal) throw refusal
        const audit = auditPut(keys, now, {
          by: caller.actor,
          action: 'stop_build',
          outcome: 'asked',
          ...appOf(build),
          detail: `${buildTitle(build)} ${reason}`.trim(),
        })
        const stop = { by: caller.actor, at: now, state: 'wanted' as const }
        return { build: { ...build, stop }, writes: [audit] }
      })
    },
    async answerInput(caller, id, { input: name, decision, parameters: given }) {
      return wishing(deps, caller, id, build => {
        demandWith(caller, 'answer_input', build, { people })
        if (!jenkins.ask) throw noServer()
        const now = clock.now()
        const input = build.inputs.find(one => one.id === name)
        if (!input)
          throw new UserError(
            'not_found',
            `${buildTitle(build)} does not ask that (any more). Its message shows what it waits for.`,
          )
        const { answer } = input
        const open = answer !== null && answer.state !== 'refused'
        if (open && isSameActor(answer.by, caller.actor) && answer.decision === decision) return null
        const refusal = answerRefusal(build, input, now)
        if (refusal) throw refusal
        demandSubmitter(deps, caller, build, input)
        const what = `The input of ${buildTitle(build)}`
        const parameters =
          decision === 'abort' ? {} : checkParameters(input.parameters, given, { what, url: build.url })
        const audit = auditPut(keys, now, {
          by: caller.actor,
          action: 'answer_input',
          outcome: decision,
          ...appOf(build),
          detail: `${buildTitle(build)}: ${input.message} ${shownParameters(parameters)}`.trim(),
        })
        const said = { decision, by: caller.actor, at: now, state: 'wanted' as const, parameters, note: '' }
        const inputs = build.inputs.map(one => (one.id === name ? { ...one, answer: said } : one))
        return { build: { ...build, inputs }, writes: [audit] }
      })
    },
  }
}

const appOf = ({ apps: [app] }: Build): { app?: string } => (app === undefined ? {} : { app })

/** Why it cannot be stopped now, in words; null: it can. */
export function stopRefusal(build: Build, now: number): UserError | null {
  const { stop } = build
  const title = buildTitle(build)
  const first =
    stop && stop.state !== 'refused'
      ? ` @${stop.by.name} was first: asked to stop it ${ago(stop.at, now)}.`
      : ''
  if (isOver(build.phase)) {
    const when = build.endedAt === null ? '' : ` ${ago(build.endedAt, now)}`
    const how = build.result ? ` with ${build.result}` : ''
    const end = build.phase === 'finished' ? `ended${how}` : `is ${build.phase.replaceAll('_', ' ')}`
    return new UserError('conflict', `${title} ${end}${when}: nothing is left to stop.${first}`)
  }
  if (first) return new UserError('conflict', `${title} is being stopped already.${first}`)
  if (build.phase === 'finishing')
    return new UserError('conflict', `${title} has its result and only finishes: nothing is left to stop.`)
  return null
}

/** Why an input cannot be answered now, in words that say who was first; null: it can. */
export function answerRefusal(build: Build, input: PendingInput, now: number): UserError | null {
  const { answer } = input
  if (answer && answer.state !== 'refused') {
    const did = answer.decision === 'proceed' ? 'proceeded' : 'aborted it'
    return new UserError('conflict', `@${answer.by.name} was first: ${did} ${ago(answer.at, now)}.`)
  }
  if (input.over || isOver(build.phase))
    return new UserError(
      'conflict',
      `${buildTitle(build)} does not wait for that any more: it was answered in Jenkins, or went on without.`,
    )
  return null
}

/** Jenkins would take any answer of gkube's own user, so who may is decided here, as the pipeline says. Its user ids have no case. */
function demandSubmitter(deps: BuildDeps, caller: Caller, build: Build, input: PendingInput): void {
  const { submitters } = input
  if (submitters.length === 0 || isOperator(caller, build)) return
  const person = deps.people.find(one => one.id !== undefined && one.id === caller.person)
  const isOf = (one: Person, user: string) => (one.jenkins ?? one.id)?.toLowerCase() === user.toLowerCase()
  if (person && submitters.some(user => isOf(person, user))) return
  const names = submitters.map(user => {
    const known = deps.people.find(one => isOf(one, user))
    return known ? `@${known.name}` : user
  })
  throw new UserError(
    'forbidden',
    `This input of ${buildTitle(build)} is for ${names.slice(0, 10).join(', ')}, or an operator; not for ${caller.actor.name}.`,
    { details: { submitters } },
  )
}

type Wish = { readonly build: Build; readonly writes: readonly Write[] }

/** Reads, decides, writes; null: it stands already. */
async function wishing(
  deps: BuildDeps,
  caller: Caller,
  id: string,
  decide: (build: Build) => Wish | null,
): Promise<Build> {
  await buildSeen(deps, caller, id)
  return changeBuild(deps, id, decide)
}
