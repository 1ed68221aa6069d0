// Every command that asks for a deploy: send it (safe to repeat), follow it, say how it ended. What a signal does is
// here too: a deploy that waits is cancelled with its command, one that runs goes on. follow.ts listens.
import { randomUUID } from 'node:crypto'
import type { Deploy, Diagnosis } from '../../core/deploy.ts'
import { endingOf, isWaiting, lasted, resultLine, titleOf, took } from '../../core/words.ts'
import { type Cli, exitCodes } from './cli.ts'
import type { Client } from './client.ts'
import { follow, patienceOf, type Seen, type View } from './follow.ts'
import { liveView } from './live-view.ts'
import { plainView } from './plain-view.ts'
import { clean, cleanLines } from './terminal-text.ts'

export type FollowOptions = {
  /** False (`--no-wait`): refuse where a lock, freeze or approval is in the way. */
  readonly wait?: boolean
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
  return followDeploy(cli, client, deploy, options)
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
      // A signal that comes now waits two seconds for the answer: only then is it known what there is to cancel.
      signal: late(cli.io.signal, 2_000),
    })
  } catch (error) {
    if (cli.io.signal.aborted)
      cli.out.warn(
        `gkube: it is not known whether the server took the request. The same with --idempotency-key ${key} asks for no second deploy.`,
      )
    throw error
  }
}

/** Follows a deploy to its end; the exit code. */
export async function followDeploy(
  cli: Cli,
  client: Client,
  deploy: Deploy,
  options: FollowOptions & { readonly leaveIt?: boolean } = {},
): Promise<number> {
  const { out, io } = cli
  const live = out.tty && !out.json && !io.env.CI
  const view = live
    ? liveView(out, cli.now)
    : plainView({ say: line => out.say(line), now: cli.now, heartbeatMs: 30_000 })
  const held = new AbortController()
  let latest = deploy
  const watching: View = {
    update: seen => {
      latest = seen.deploy
      view.update(seen)
      if (options.wait === false && seen.deploy.phase === 'awaiting_approval') held.abort()
    },
    end: view.end,
  }
  const signal = AbortSignal.any([io.signal, held.signal])
  try {
    const seen = await follow(client, deploy, { view: watching, signal, patienceMs: patienceOf(cli) })
    view.end()
    return finish(cli, seen)
  } catch (error) {
    view.end()
    if (io.signal.aborted) return stopped(cli, client, latest, options.leaveIt ?? false)
    if (!held.signal.aborted) throw error
    await cancel(client, latest.id, 'nobody waits for the approval (--no-wait)')
    out.warn(`gkube: it needs an approval, and --no-wait says not to wait for one: cancelled.`)
    if (out.json) out.data(latest)
    return exitCodes.held
  } finally {
    view.end()
  }
}

/** What the command leaves behind when it is told to stop. */
async function stopped(cli: Cli, client: Client, last: Deploy, leaveIt: boolean): Promise<number> {
  const { out, io } = cli
  const signal = io.signal.reason === 'SIGINT' ? 'SIGINT' : 'SIGTERM'
  const code = exitCodes[signal]
  const goesOn = `The deploy goes on. Follow it: gkube follow ${last.id} · cancel it: gkube cancel ${last.id}`
  // Ctrl-C on a terminal takes the person away, not the deploy.
  if (leaveIt || (signal === 'SIGINT' && out.tty)) {
    out.warn(`gkube: ${goesOn}`)
    return code
  }
  let now = last
  try {
    now = (await client.ask<{ deploy: Deploy }>('GET', `/v1/deploys/${last.id}`, shortly)).deploy
    if (isWaiting(now.phase)) {
      now = await cancel(client, now.id, `its command was told to stop (${signal})`)
      out.warn(`gkube: ${signal}: the deploy was still waiting and is cancelled.`)
    } else out.warn(`gkube: ${signal}: ${goesOn}`)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    out.warn(
      `gkube: ${signal}: it could not be cancelled (${clean(why)}). Look later: gkube follow ${last.id}`,
    )
  }
  if (out.json) out.data(now)
  return code
}

/** A process that was told to stop has five seconds at most. */
const shortly = { timeoutMs: 2_000, repeatable: false, signal: new AbortController().signal }

const cancel = async (client: Client, id: string, reason: string): Promise<Deploy> =>
  (
    await client.ask<{ deploy: Deploy }>('POST', `/v1/deploys/${id}/cancel`, {
      ...shortly,
      // It may have been claimed since we looked.
      body: { reason, ifWaiting: true },
    })
  ).deploy

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
