// Every command that asks for a deploy: send it (safe to repeat), follow it, say how it ended. What a signal does is
// here too: a deploy that waits is cancelled with its command, one that runs does as its app says. follow.ts listens.
import { randomUUID } from 'node:crypto'
import type { AbortOutcome } from '../../core/core.ts'
import type { Deploy, Diagnosis } from '../../core/deploy.ts'
import { endingOf, isWaiting, lasted, phaseText, resultLine, titleOf, took } from '../../core/words.ts'
import { type Cli, exitCodes } from './cli.ts'
import type { Client } from './client.ts'
import { millisecondsIn } from './duration.ts'
import { follow, patienceOf, type Seen, type View } from './follow.ts'
import { liveView } from './live-view.ts'
import { plainView } from './plain-view.ts'
import { clean, cleanLines } from './terminal-text.ts'

export type FollowOptions = {
  /** False (`--no-wait`): refuse where a lock, freeze or approval is in the way. */
  readonly wait?: boolean
  /** `--wait-approval`: so long at most, then the command ends and the deploy lives on. */
  readonly waitApproval?: string
  /** Ask and leave. */
  readonly detach?: boolean
  readonly idempotencyKey?: string
}

/** Sends the request, follows the deploy, and gives the exit code. */
export async function requestDeploy(
  cli: Cli,
  body: Readonly<Record<string, unknown>>,
  options: FollowOptions,
  path = '/v1/deploys',
): Promise<number> {
  const client = cli.client()
  const key = options.idempotencyKey ?? randomUUID()
  // Before anything is asked: a wrong duration must not be found out afterwards.
  const limits = { waitMs: waitLimitOf(cli, options), patienceMs: patienceOf(cli) }
  const { deploy, repeated } = await ask(cli, { client, path, key }, { ...body, wait: options.wait ?? true })
  if (repeated) cli.out.say(`gkube: this was asked for already (${deploy.id}); no second deploy is made`)
  if (options.detach) {
    if (cli.out.json) cli.out.data(deploy)
    else
      cli.out.say(
        `gkube: ${clean(titleOf(deploy))} → ${deploy.environment} is asked for. Follow it: gkube follow ${deploy.id}`,
      )
    return exitCodes.ok
  }
  return followDeploy(cli, client, deploy, { ...limits, wait: options.wait ?? true })
}

/** In Jenkins a step that waits holds an executor; elsewhere somebody watches, or has said so. */
function waitLimitOf({ io, build }: Cli, { waitApproval }: FollowOptions): number | null {
  const text = waitApproval ?? (io.env.GKUBE_WAIT_APPROVAL || (build ? '15m' : null))
  const name = waitApproval === undefined ? 'GKUBE_WAIT_APPROVAL' : '--wait-approval'
  return text === null ? null : millisecondsIn(text, name)
}

async function ask(
  cli: Cli,
  { client, path, key }: { client: Client; path: string; key: string },
  body: object,
) {
  try {
    return await client.ask<{ deploy: Deploy; repeated: boolean }>('POST', path, {
      body,
      headers: { 'idempotency-key': key },
      repeatable: true,
      // A build does not mind a minute while its server restarts; a person does.
      ...(cli.out.tty ? {} : { patienceMs: Math.min(60_000, patienceOf(cli)) }),
      // A signal that comes now waits a little for the answer: only then is it known what there is to cancel.
      signal: late(cli.io.signal, 1_500),
    })
  } catch (error) {
    if (cli.io.signal.aborted)
      cli.out.warn(
        `gkube: it is not known whether the server took the request. The same with --idempotency-key ${key} asks for no second deploy.`,
      )
    throw error
  }
}

type Following = {
  /** False: leave where it asks for an approval, and cancel it. */
  readonly wait?: boolean
  /** Leave where it has not begun by then; null: never. */
  readonly waitMs?: number | null
  readonly patienceMs?: number
  /** Only look on: whatever ends this, the deploy is not touched. */
  readonly leaveIt?: boolean
}

/** Follows a deploy to its end; the exit code. Whatever ends it, the last line is its RESULT. */
export async function followDeploy(
  cli: Cli,
  client: Client,
  deploy: Deploy,
  options: Following = {},
): Promise<number> {
  const { out, io } = cli
  const live = out.tty && !out.json && !io.env.CI
  const view = live
    ? liveView(out, cli.now)
    : plainView({ say: line => out.say(line), now: cli.now, heartbeatMs: 30_000 })
  const left = new AbortController()
  let latest: Seen = { deploy, progress: null, diagnosis: null, waiting: null, lost: false }
  const watching: View = {
    update: seen => {
      latest = { ...seen }
      view.update(seen)
      if (options.wait === false && seen.deploy.phase === 'awaiting_approval') left.abort('no-wait')
    },
    end: view.end,
  }
  const timer = after(options.waitMs ?? null, () => {
    if (isWaiting(latest.deploy.phase)) left.abort('waited')
  })
  const signal = AbortSignal.any([io.signal, left.signal])
  const patienceMs = options.patienceMs ?? patienceOf(cli)
  try {
    const seen = await follow(client, deploy, { view: watching, signal, patienceMs })
    view.end()
    return finish(cli, seen)
  } catch (error) {
    view.end()
    if (io.signal.aborted) return stopped(cli, client, latest.deploy, options.leaveIt ?? false)
    if (left.signal.reason === 'no-wait') return refused(cli, client, latest.deploy)
    if (left.signal.reason === 'waited') return waited(cli, latest)
    out.say(
      clean(resultLine(latest.deploy, cli.now())).replace(`RESULT ${latest.deploy.phase}`, 'RESULT unknown'),
    )
    throw error
  } finally {
    clearTimeout(timer)
    view.end()
  }
}

/** A timer knows no more than 24 days, which is longer than anybody waits. */
const after = (ms: number | null, call: () => void): NodeJS.Timeout | undefined =>
  ms === null ? undefined : setTimeout(call, Math.min(ms, 2 ** 31 - 1))

/** The end of a command that leaves its deploy behind, as it is. */
function leave({ out, now }: Cli, deploy: Deploy): void {
  out.say(clean(resultLine(deploy, now())))
  if (out.json) out.data(deploy)
}

const goesOn = ({ id }: Deploy): string => `Follow it: gkube follow ${id} · cancel it: gkube cancel ${id}`

/** Nobody came in time. An executor is free again, and the deploy waits on without it. */
function waited(cli: Cli, { deploy, waiting, lost }: Seen): number {
  const why = lost ? 'the server does not answer' : (waiting ?? phaseText(deploy.phase))
  cli.out.warn(
    `gkube: not begun after ${took(lasted(deploy, cli.now()))} (${clean(why)}). The deploy lives on. ${goesOn(deploy)}`,
  )
  leave(cli, deploy)
  return exitCodes.held
}

async function refused(cli: Cli, client: Client, { id }: Deploy): Promise<number> {
  // It may have been decided since we looked.
  const body = { reason: 'nobody waits for the approval (--no-wait)', ifWaiting: true }
  const ask = { ...shortly, body }
  const { deploy } = await client.ask<{ deploy: Deploy }>('POST', `/v1/deploys/${id}/cancel`, ask)
  cli.out.warn(`gkube: it needs an approval, and --no-wait says not to wait for one: cancelled.`)
  leave(cli, deploy)
  return exitCodes.held
}

/** What the command leaves behind when it is told to stop. */
async function stopped(cli: Cli, client: Client, last: Deploy, leaveIt: boolean): Promise<number> {
  const { out, io } = cli
  const signal = io.signal.reason === 'SIGINT' ? 'SIGINT' : 'SIGTERM'
  const code = exitCodes[signal]
  // Ctrl-C on a terminal takes the person away, not the deploy.
  if (leaveIt || (signal === 'SIGINT' && out.tty)) {
    out.warn(`gkube: The deploy goes on. ${goesOn(last)}`)
    leave(cli, last)
    return code
  }
  try {
    const ask = { ...shortly, body: { reason: `its command was told to stop (${signal})` } }
    const path = `/v1/deploys/${last.id}/abort`
    const { deploy, outcome } = await client.ask<{ deploy: Deploy; outcome: AbortOutcome }>('POST', path, ask)
    out.warn(`gkube: ${signal}: ${abortWords[outcome](deploy)}`)
    leave(cli, deploy)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    out.warn(
      `gkube: ${signal}: it could not be cancelled (${clean(why)}). Look later: gkube follow ${last.id}`,
    )
    leave(cli, last)
  }
  return code
}

const abortWords: Readonly<Record<AbortOutcome, (deploy: Deploy) => string>> = {
  cancelled: () => 'the deploy was still waiting and is cancelled.',
  cancelling: ({ phase, id }) =>
    isWaiting(phase)
      ? `the deploy is being cancelled. Follow it: gkube follow ${id}`
      : `the deploy ran and is being cancelled (onAbort: rollback). Follow it: gkube follow ${id}`,
  continues: deploy => `The deploy goes on. ${goesOn(deploy)}`,
  ended: ({ phase }) => `the deploy had ended: ${phaseText(phase)}.`,
}

/** A process that was told to stop has five seconds at most, and up to two of them may be gone. */
const shortly = { timeoutMs: 2_500, repeatable: false, signal: new AbortController().signal }

function late(signal: AbortSignal, ms: number): AbortSignal {
  const patient = new AbortController()
  const begin = () => setTimeout(() => patient.abort(signal.reason), ms).unref()
  if (signal.aborted) begin()
  else signal.addEventListener('abort', begin, { once: true })
  return patient.signal
}

function finish(cli: Cli, seen: Seen): number {
  const { out } = cli
  const { deploy, diagnosis } = seen
  const good = deploy.phase === 'succeeded'
  const mark = good ? out.paint('green', '✓') : out.paint('red', '✗')
  const ready =
    seen.progress && seen.progress.ready >= seen.progress.wanted && good && deploy.kind !== 'delete'
      ? ` · ${seen.progress.ready}/${seen.progress.wanted} ready`
      : ''
  out.say(`${mark} ${clean(endingOf(deploy))}${ready} · took ${took(lasted(deploy, cli.now()))}`)
  if (!good) explain(cli, deploy, diagnosis)
  out.say(clean(resultLine(deploy, cli.now())))
  if (out.json) out.data({ ...deploy, ...(diagnosis ? { diagnosis } : {}) })
  return good ? exitCodes.ok : exitCodes.failed
}

function explain({ out }: Cli, deploy: Deploy, diagnosis: Diagnosis | null): void {
  const label = (name: string, lines: readonly string[]) => {
    for (const [i, line] of lines.entries())
      out.say(`  ${out.paint('bold', (i === 0 ? name : '').padEnd(5))} ${clean(line)}`)
  }
  const cause = diagnosis?.cause ?? deploy.cause
  if (cause?.message) label('Why', [cause.message])
  if (!diagnosis) return
  label('Seen', diagnosis.seen)
  label('Try', diagnosis.tries)
  const { log } = diagnosis
  if (!log || log.lines.length === 0) return
  out.say(
    `  ${out.paint('bold', 'Log')}   last lines of ${clean(log.pod)}, container ${clean(log.container)}${log.previous ? ' (before its restart)' : ''}:`,
  )
  for (const line of log.lines.slice(-20)) out.say(out.paint('dim', `        ${cleanLines(line)}`))
}
