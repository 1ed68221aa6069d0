// build, builds, stop-build, build-log, answer-input, jobs, and the subscriptions of channels: Jenkins through gkube, for
// who has no account there, and for one build that starts another.
import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Build, Subscription } from '../../../core/builds/build.ts'
import type { JobFacts } from '../../../core/builds/jenkins.ts'
import type { JobName } from '../../../core/builds/verbs.ts'
import {
  buildBy,
  buildResultLine,
  buildState,
  buildTitle,
  buildTook,
  isBuildOver,
} from '../../../core/builds/words.ts'
import { ago } from '../../../core/words.ts'
import { UserError } from '../../../errors.ts'
import { type Cli, exitCodes } from '../cli.ts'
import type { Client } from '../client.ts'
import type { Cell } from '../output.ts'
import { clean } from '../terminal-text.ts'

type Args = readonly (string | undefined)[]

/** `gkube build shop/web -p BRANCH=main --wait` */
export async function build(
  cli: Cli,
  [job = '']: Args,
  options: { parameter?: string[]; wait?: boolean; idempotencyKey?: string },
): Promise<number> {
  const client = cli.client()
  const parameters = parametersOf(options.parameter ?? [])
  const { build, repeated } = await client.ask<{ build: Build; repeated: boolean }>('POST', '/v1/builds', {
    body: { job, parameters },
    headers: { 'idempotency-key': options.idempotencyKey ?? randomUUID() },
    repeatable: true,
  })
  if (repeated) cli.out.say(`gkube: this was asked for already (${build.id}); no second build is started`)
  if (options.wait) return followBuild(cli, client, build)
  if (cli.out.json) cli.out.data(build)
  else
    cli.out.say(
      `gkube: ${clean(build.job)} is asked for (${build.id}). See: gkube builds ${clean(build.job)}`,
    )
  return exitCodes.ok
}

function parametersOf(given: readonly string[]): Record<string, string> {
  const pairs = given.map((text): [string, string] => {
    const at = text.indexOf('=')
    if (at < 1)
      throw new UserError(
        'bad_input',
        `\`${text.slice(0, 80)}\` is not a parameter: write NAME=value after -p.`,
      )
    return [text.slice(0, at), text.slice(at + 1)]
  })
  return Object.fromEntries(pairs)
}

/** Nothing tells of a change here, so it is asked for: often at first, then less. */
const pollMs = { first: 500, most: 5_000 }
const heartbeatMs = 30_000

/** A line for each change, a heartbeat, and the RESULT last. Its end does not stop the build. */
async function followBuild(cli: Cli, client: Client, first: Build): Promise<number> {
  const { out, io } = cli
  let build = first
  let said = ''
  let saidAt = cli.now()
  for (let pause = pollMs.first; ; pause = Math.min(pause * 1.3, pollMs.most)) {
    const line = lineOf(build)
    if (line !== said) pause = pollMs.first
    if (line !== said || cli.now() - saidAt >= heartbeatMs) {
      out.say(`gkube: ${clean(line)}${line === said ? `, ${buildTook(build, cli.now())}` : ''}`)
      said = line
      saidAt = cli.now()
    }
    if (isBuildOver(build.phase)) break
    await wait(pause, undefined, { signal: io.signal }).catch(() => undefined)
    if (io.signal.aborted) {
      out.warn(`gkube: the build goes on. Stop it: gkube stop-build ${build.id}`)
      return io.signal.reason === 'SIGINT' ? exitCodes.SIGINT : exitCodes.SIGTERM
    }
    ;({ build } = await client.ask<{ build: Build }>('GET', `/v1/builds/${build.id}`))
  }
  out.say(clean(buildResultLine(build, cli.now())))
  if (out.json) out.data(build)
  return build.result === 'SUCCESS' && build.toldAt === null ? exitCodes.ok : exitCodes.failed
}

function lineOf(build: Build): string {
  const asked = build.inputs.find(one => !one.over && one.answer === null)
  const waits =
    asked && !isBuildOver(build.phase)
      ? `: ${asked.message} (gkube answer-input ${build.id} '${asked.id}')`
      : ''
  const why = isBuildOver(build.phase) && build.note ? `: ${build.note}` : ''
  const where = build.url && build.number !== null ? ` ${build.url}` : ''
  return `${buildTitle(build)} ${buildState(build)}${waits}${why}${where}`
}

/** `gkube builds`, of an app or of a job (which has a slash, or is named by --job). */
export async function builds(
  cli: Cli,
  [of]: Args,
  options: { job?: string; limit?: string },
): Promise<number> {
  const job = options.job ?? (of?.includes('/') ? of : undefined)
  const app = of !== undefined && of !== job ? of : undefined
  const { builds } = await cli
    .client()
    .ask<{ builds: Build[] }>('GET', '/v1/builds', { query: { job, app, limit: options.limit } })
  if (cli.out.json) cli.out.data(builds)
  else if (builds.length === 0)
    cli.out.say(`No builds${job || app ? ` of ${clean(job ?? app ?? '')}` : ''} are known yet`)
  else cli.out.table(builds.map(one => rowOf(one, cli.now())))
  return exitCodes.ok
}

const colors = {
  SUCCESS: 'green',
  UNSTABLE: 'yellow',
  FAILURE: 'red',
  NOT_BUILT: 'dim',
  ABORTED: 'dim',
} as const

const rowOf = (build: Build, now: number): Cell[] => [
  build.id,
  buildTitle(build),
  {
    text: buildState(build),
    format: build.result && isBuildOver(build.phase) ? colors[build.result] : 'cyan',
  },
  buildTook(build, now),
  ago(build.endedAt ?? build.startedAt ?? build.seenAt, now),
  build.branch ?? '-',
  buildBy(build),
  build.deploys.map(one => `${one.environment} ${one.revision}`).join(', '),
]

/** `gkube stop-build <id>`, `gkube stop-build shop/web [number]`. */
export async function stopBuild(cli: Cli, args: Args, options: { reason?: string }): Promise<number> {
  const client = cli.client()
  const id = await idOf(client, args, 'stop-build')
  const { build } = await client.ask<{ build: Build }>('POST', `/v1/builds/${id}/stop`, {
    body: { reason: options.reason ?? '' },
  })
  if (cli.out.json) cli.out.data(build)
  else cli.out.say(`gkube: ${clean(buildTitle(build))} is told to stop`)
  return exitCodes.ok
}

export async function buildLog(cli: Cli, args: Args, options: { lines?: string }): Promise<number> {
  const client = cli.client()
  const id = await idOf(client, args, 'build-log')
  const { lines } = await client.ask<{ lines: string[] }>('GET', `/v1/builds/${id}/log`, {
    query: { lines: options.lines },
  })
  if (cli.out.json) cli.out.data(lines)
  else for (const line of lines) cli.out.say(clean(line))
  return exitCodes.ok
}

/** The build of that id, of that number, or the newest of a job. */
async function idOf(client: Client, [of = '', number]: Args, command: string): Promise<string> {
  if (/^[0-9a-z]{26}$/.test(of) && number === undefined) return of
  const { builds } = await client.ask<{ builds: Build[] }>('GET', '/v1/builds', {
    query: { job: of, limit: number === undefined ? 20 : 1000 },
  })
  if (number !== undefined) {
    const found = builds.find(one => String(one.number) === number.replace(/^#/, ''))
    if (found) return found.id
    throw new UserError('not_found', `gkube knows no build ${of} #${number}. See: gkube builds ${of}`)
  }
  const open = builds.filter(one => !isBuildOver(one.phase))
  const [newest] = command === 'build-log' ? builds : open
  if (newest && (command === 'build-log' || open.length === 1)) return newest.id
  if (!newest) throw new UserError('not_found', `Nothing of ${of} runs or waits. See: gkube builds ${of}`)
  throw new UserError('conflict', `${open.length} builds of ${of} run or wait. Name one: gkube builds ${of}`)
}

/** `gkube answer-input <build> <input> [-p NAME=VALUE] [--abort]` */
export async function answerInput(
  cli: Cli,
  [id = '', input = '']: Args,
  options: { parameter?: string[]; abort?: boolean },
): Promise<number> {
  const decision = options.abort ? 'abort' : 'proceed'
  const { build } = await cli
    .client()
    .ask<{ build: Build }>('POST', `/v1/builds/${encodeURIComponent(id)}/answer`, {
      body: { input, decision, parameters: parametersOf(options.parameter ?? []) },
    })
  if (cli.out.json) cli.out.data(build)
  else cli.out.say(`gkube: ${clean(buildTitle(build))} ${options.abort ? 'is told to abort' : 'goes on'}`)
  return exitCodes.ok
}

export async function jobs(cli: Cli, [text]: Args): Promise<number> {
  const { jobs } = await cli.client().ask<{ jobs: JobName[] }>('GET', '/v1/jobs', { query: { text } })
  if (cli.out.json) cli.out.data(jobs)
  else if (jobs.length === 0) cli.out.say(`No job that you may see${text ? ` holds \`${clean(text)}\`` : ''}`)
  else cli.out.table(jobs.map(one => [one.job, one.apps.join(', ')]))
  return exitCodes.ok
}

export async function job(cli: Cli, [name = '']: Args): Promise<number> {
  const { job } = await cli.client().ask<{ job: JobFacts }>('GET', '/v1/job', { query: { job: name } })
  const { out } = cli
  if (out.json) out.data(job)
  else if (job.kind === 'folder')
    out.say(`${clean(job.job)} is a folder. What is in it: gkube jobs ${clean(job.job)}/`)
  else if (job.parameters.length === 0) out.say(`${clean(job.job)} takes no parameters`)
  else
    out.table(
      job.parameters.map(({ name, type, default: otherwise, choices, description }) => [
        { text: name, format: 'bold' as const },
        type,
        type === 'password' ? '(secret)' : (otherwise ?? ''),
        choices.join(', ') || description,
      ]),
    )
  return exitCodes.ok
}

export async function subscriptions(cli: Cli, [channel]: Args): Promise<number> {
  const { subscriptions } = await cli
    .client()
    .ask<{ subscriptions: Subscription[] }>('GET', '/v1/subscriptions', { query: { channel } })
  if (cli.out.json) cli.out.data(subscriptions)
  else if (subscriptions.length === 0)
    cli.out.say('No channel is told of builds. In Slack: /gkube subscribe web')
  else
    cli.out.table(
      subscriptions.map(one => [
        one.channel,
        one.app === '*' ? 'all apps' : one.app,
        one.events,
        one.by.name,
        ago(one.at, cli.now()),
      ]),
    )
  return exitCodes.ok
}

export async function subscribe(
  cli: Cli,
  [channel, app]: Args,
  options: { events?: string },
): Promise<number> {
  const { subscription } = await cli
    .client()
    .ask<{ subscription: Subscription }>('PUT', '/v1/subscriptions', {
      body: { channel, app: app ?? '*', events: options.events ?? 'changes' },
    })
  if (cli.out.json) cli.out.data(subscription)
  else
    cli.out.say(
      `${clean(subscription.channel)} is told of ${subscription.events} of ${nameOf(subscription.app)}`,
    )
  return exitCodes.ok
}

export async function unsubscribe(cli: Cli, [channel, app = '*']: Args): Promise<number> {
  const answer = await cli
    .client()
    .ask<{ was: boolean }>('DELETE', '/v1/subscriptions', { body: { channel, app } })
  if (cli.out.json) cli.out.data(answer)
  else
    cli.out.say(
      `${clean(channel ?? '')} ${answer.was ? 'is not told of' : 'was not subscribed to'} ${nameOf(app)}${answer.was ? ' any more' : ''}`,
    )
  return exitCodes.ok
}

const nameOf = (app: string): string => (app === '*' ? 'all apps' : clean(app))
