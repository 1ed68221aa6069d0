// app apply, list, show, delete, render; plan and diff: what is registered and what it would become.
import type { App, AppSpec } from '../../../core/app.ts'
import type { KubeObject } from '../../../core/cluster.ts'
import type { Plan } from '../../../core/core.ts'
import { artifactText } from '../../../core/words.ts'
import type { Workload } from '../../../core/workload.ts'
import { UserError } from '../../../errors.ts'
import { readAppFile } from '../app-file.ts'
import { hashed, isSha256 } from '../artifact-file.ts'
import { type Cli, exitCodes } from '../cli.ts'
import { clean, cleanLines } from '../terminal-text.ts'

type Args = readonly (string | undefined)[]

const pathOf = (app = ''): string => `/v1/apps/${encodeURIComponent(app)}`

export async function apply(
  cli: Cli,
  _args: Args,
  options: { file: string[]; dryRun?: boolean },
): Promise<number> {
  const client = cli.client()
  const results: { app: App; outcome: string }[] = []
  for (const path of options.file) {
    const file = await readAppFile(cli, path)
    const result = await file.placed(() =>
      client.ask<{ app: App; outcome: string }>('PUT', pathOf(file.app), {
        body: file.value,
        query: { dryRun: options.dryRun ?? false },
        repeatable: true,
      }),
    )
    results.push(result)
    if (!cli.out.json)
      cli.out.say(
        `${clean(result.app.app)} ${result.outcome}${options.dryRun ? ' (dry run: nothing was written)' : ''}`,
      )
  }
  if (cli.out.json) cli.out.data(options.file.length === 1 ? results[0] : results)
  return exitCodes.ok
}

export async function list(cli: Cli): Promise<number> {
  const { apps } = await cli.client().ask<{ apps: { app: App; workloads: Workload[] }[] }>('GET', '/v1/apps')
  if (cli.out.json) cli.out.data(apps)
  else if (apps.length === 0) cli.out.say('No apps yet. Register one: gkube app apply -f app.yaml')
  else
    cli.out.table(
      apps.map(({ app, workloads }) => [
        { text: app.app, format: 'bold' },
        app.kind,
        workloads.map(one => `${one.environment} ${one.revision}`).join(', ') || 'not deployed',
        app.jobs.join(', '),
      ]),
    )
  return exitCodes.ok
}

export async function show(cli: Cli, [app]: Args): Promise<number> {
  const found = await cli.client().ask<App>('GET', pathOf(app))
  if (cli.out.json) cli.out.data(found)
  else cli.out.raw(await yamlOf([found]))
  return exitCodes.ok
}

export async function forget(cli: Cli, [app = '']: Args): Promise<number> {
  await cli.client().ask('DELETE', pathOf(app))
  if (cli.out.json) cli.out.data({ app, outcome: 'deleted' })
  else cli.out.say(`${app} is not registered any more`)
  return exitCodes.ok
}

type Of = { environment?: string; file?: string; artifact?: string }

export async function render(cli: Cli, args: Args, options: Of): Promise<number> {
  const { spec, objects } = await ask<{ spec: AppSpec; objects: KubeObject[] }>(
    cli,
    '/v1/render',
    args,
    options,
  )
  if (cli.out.json) cli.out.data({ spec, objects })
  else cli.out.raw(await yamlOf(objects))
  return exitCodes.ok
}

/** What would change. Exit 2 where it would be refused. */
export async function plan(cli: Cli, args: Args, options: Of): Promise<number> {
  const found = await ask<Plan>(cli, '/v1/plan', args, options)
  if (cli.out.json) cli.out.data(found)
  else printPlan(cli, found)
  return found.refusals.length > 0 ? exitCodes.usage : exitCodes.ok
}

async function ask<T>(cli: Cli, path: string, [app, revision]: Args, options: Of): Promise<T> {
  const file = options.file ? await readAppFile(cli, options.file) : null
  if (!app && !file) throw new UserError('bad_input', 'Which app? Name one, or give a file with -f app.yaml.')
  const { artifact } = options
  // Only what it is: a plan uploads nothing.
  const sha256 =
    artifact === undefined || isSha256(artifact) ? artifact : (await hashed(cli, artifact)).sha256
  const body = {
    ...(app ? { app } : {}),
    ...(sha256 ? { artifact: sha256 } : {}),
    ...(file ? { spec: file.value } : {}),
    environment: cli.environment(options.environment),
    ...(revision ? { revision } : {}),
  }
  const send = () => cli.client().ask<T>('POST', path, { body, repeatable: true, timeoutMs: 60_000 })
  return file ? file.placed(send, 'spec') : send()
}

const marks = { create: '+', change: '~', delete: '-', replace: '±', none: '=' } as const
const colors = { create: 'green', change: 'yellow', delete: 'red', replace: 'red', none: 'dim' } as const

function printPlan({ out }: Cli, plan: Plan): void {
  const from = plan.from && plan.from !== plan.revision ? `${plan.from} → ` : ''
  out.say(
    out.paint('bold', clean(`${plan.app} ${from}${plan.revision} · ${plan.environment} · ${plan.kind}`)),
  )
  out.say(clean(`steps: ${plan.steps.join(' → ')}`))
  if (plan.artifact) out.say(clean(`publish: ${artifactText(plan.artifact)}`))
  out.say(clean(`image: ${plan.image.split('@')[0]}${plan.digest ? ` (${plan.digest})` : ''}`))
  for (const change of plan.changes) out.say(`  ${clean(change)}`)
  printObjects(out, plan)
}

/** The objects of a plan with their differences, then what there is to know and what stands in the way. */
export function printObjects(out: Cli['out'], plan: Pick<Plan, 'objects' | 'notes' | 'refusals'>): void {
  for (const { object, action, diff, warnings } of plan.objects) {
    out.say(
      out.paint(
        colors[action],
        clean(`${marks[action]} ${object}${action === 'none' ? ' (no change)' : ''}`),
      ),
    )
    for (const line of diff ? diff.trimEnd().split('\n') : []) out.say(`    ${paintDiff(out.paint, line)}`)
    for (const warning of warnings) out.say(`    ${out.paint('yellow', `warning: ${clean(warning)}`)}`)
  }
  for (const note of plan.notes) out.say(`note: ${clean(note)}`)
  for (const refusal of plan.refusals) out.say(out.paint('red', `refused: ${clean(refusal)}`))
}

function paintDiff(paint: Cli['out']['paint'], line: string): string {
  const text = cleanLines(line)
  if (line.startsWith('+')) return paint('green', text)
  return line.startsWith('-') ? paint('red', text) : paint('dim', text)
}

export async function diff(cli: Cli, [app, from, to]: Args): Promise<number> {
  const found = await cli
    .client()
    .ask<{ diff: string; changes: string[] }>('GET', `/v1/diff/${encodeURIComponent(app ?? '')}`, {
      query: { from, to },
    })
  if (cli.out.json) cli.out.data(found)
  else if (found.diff === '' && found.changes.length === 0)
    cli.out.say(`${app} is the same in ${from} and ${to}`)
  else {
    for (const change of found.changes) cli.out.say(clean(change))
    for (const line of found.diff.trimEnd().split('\n')) cli.out.say(paintDiff(cli.out.paint, line))
  }
  return exitCodes.ok
}

async function yamlOf(documents: readonly unknown[]): Promise<string> {
  const { stringify } = await import('yaml')
  // The YAML writer escapes control characters itself.
  return documents.map(one => stringify(one)).join('---\n')
}
