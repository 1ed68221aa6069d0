// deploy, redeploy, rollback, scale, restart, delete: argv and the Jenkins build → one request. What follows is the
// same for all (deploying.ts).
import { createInterface } from 'node:readline/promises'
import type { Kind } from '../../../core/deploy.ts'
import { UserError } from '../../../errors.ts'
import { type AppFile, readAppFile } from '../app-file.ts'
import { hashed, isSha256, keptLine, uploaded } from '../artifact-file.ts'
import { type Cli, exitCodes } from '../cli.ts'
import { type FollowOptions, requestDeploy } from '../deploying.ts'
import type { Build } from '../jenkins.ts'

type RequestOptions = FollowOptions & { environment?: string; note?: string; force?: boolean }

type DeployOptions = RequestOptions & { file?: string; replace?: boolean; again?: boolean; artifact?: string }

/** `gkube deploy [app] [revision]`; inside Jenkins the build says both, and the server what they mean. */
export async function deploy(
  cli: Cli,
  args: readonly (string | undefined)[],
  options: DeployOptions,
): Promise<number> {
  const { build } = cli
  const file = options.file ? await readAppFile(cli, options.file) : null
  const { app, revision } = namedOf(cli, args, file)
  if (!app && !build)
    throw new UserError('bad_input', 'Which app? For example: gkube deploy web 1.4.2 --environment staging')
  if (!revision && !build)
    throw new UserError(
      'bad_input',
      `Which revision? For example: gkube deploy ${app ?? 'web'} 1.4.2 -E staging`,
    )
  const given = options.artifact ?? (cli.io.env.GKUBE_ARTIFACT || null)
  const artifact = given === null ? null : await artifactOf(cli, given)
  const body = {
    kind: 'deploy',
    ...(artifact ? { artifact } : {}),
    ...(app ? { app } : { job: build?.job }),
    ...(file ? { spec: specOf(file, build) } : {}),
    environment: cli.environmentIfNamed(options.environment),
    revision,
    replace: options.replace ?? false,
    force: options.force ?? false,
    again: options.again ?? false,
    source: sourceOf(cli, options.note),
  }
  const send = () => requestDeploy(cli, body, options)
  return file ? file.placed(send, 'spec') : send()
}

/** The hash of what shall be published; a file is uploaded first, so that it survives an approval and a crash. */
async function artifactOf(cli: Cli, given: string): Promise<string> {
  if (isSha256(given)) return given
  const file = await hashed(cli, given)
  const begun = cli.now()
  const kept = await uploaded(cli, file)
  cli.out.say(`gkube: ${keptLine(given, kept, cli.now() - begun)}`)
  return kept.sha256
}

/** A file that names no jobs is about the job that sends it: so it is known from then on. */
function specOf({ value }: AppFile, build: Build | null): AppFile['value'] {
  const named = Array.isArray(value.jobs)
    ? value.jobs.length > 0
    : value.jobs !== undefined && value.jobs !== null
  return build && !named ? { ...value, jobs: [build.registers] } : value
}

/** What was named: by arguments, then by variables, then by the file. */
function namedOf(
  { io }: Cli,
  args: readonly (string | undefined)[],
  file: AppFile | null,
): { app?: string; revision?: string } {
  // A file names the app: what stands alone beside it is the revision.
  const alone = file !== null && args[1] === undefined && args[0] !== file.app
  const [app, revision] = alone ? [undefined, args[0]] : args
  return {
    app: app ?? (io.env.GKUBE_APP || file?.app),
    revision: revision ?? (io.env.GKUBE_REVISION || undefined),
  }
}

/** `gkube promote <app> --from staging -E production`: what runs there, here. */
export async function promote(
  cli: Cli,
  [app]: readonly (string | undefined)[],
  options: RequestOptions & { from: string },
): Promise<number> {
  const environment = cli.environment(options.environment)
  const body = { kind: 'deploy', app, from: options.from, environment, source: sourceOf(cli, options.note) }
  return requestDeploy(cli, body, options)
}

/** redeploy, rollback, scale, restart: a verb about a workload that is there. */
export const request =
  (kind: Exclude<Kind, 'deploy' | 'delete' | 'adopt'>) =>
  async (cli: Cli, [app, value]: readonly (string | undefined)[], options: RequestOptions): Promise<number> =>
    requestDeploy(
      cli,
      {
        kind,
        app,
        environment: cli.environment(options.environment),
        ...(kind === 'scale' ? { replicas: replicasOf(value) } : {}),
        ...(kind === 'rollback' && value ? { revision: value } : {}),
        force: options.force ?? false,
        source: sourceOf(cli, options.note),
      },
      options,
    )

/** `gkube init <app> --again`: a redeploy with its init hook. Without --again it only says when init runs. */
export async function init(
  cli: Cli,
  [app]: readonly (string | undefined)[],
  options: RequestOptions & { again?: boolean },
): Promise<number> {
  if (!options.again)
    throw new UserError(
      'bad_input',
      `The init hook runs by itself before the first start, once for each environment. To run it again: gkube init ${app} --again`,
    )
  const environment = cli.environment(options.environment)
  return requestDeploy(
    cli,
    { kind: 'redeploy', app, environment, init: true, source: sourceOf(cli, options.note) },
    options,
  )
}

/** Deletes what runs; volumes stay unless each is named. */
export async function remove(
  cli: Cli,
  [app = '']: readonly (string | undefined)[],
  options: RequestOptions & { yes?: boolean; deleteVolume?: string[] },
): Promise<number> {
  const environment = cli.environment(options.environment)
  const claims = options.deleteVolume ?? []
  if (!options.yes) {
    const loss =
      claims.length > 0
        ? `its volume claims ${claims.join(', ')} are deleted WITH THEIR DATA (what lies on a pool stays until gkube volumes delete)`
        : 'its volumes are kept'
    if (!(await typed(cli, app, `Delete ${app} in ${environment}? ${loss}. Type its name to confirm: `))) {
      cli.out.warn('gkube: nothing was deleted.')
      return exitCodes.usage
    }
  }
  return requestDeploy(
    cli,
    { kind: 'delete', app, environment, claims, source: sourceOf(cli, options.note) },
    options,
  )
}

/** Whether a person typed that name; UserError where there is nobody to ask. */
export async function typed(cli: Cli, name: string, question: string): Promise<boolean> {
  const { stdin, stderr, signal } = cli.io
  if (!stdin.isTTY)
    throw new UserError('bad_input', 'There is no terminal to ask on. If you are sure, add --yes.')
  const lines = createInterface({ input: stdin, output: stderr })
  try {
    return (await lines.question(question, { signal })).trim() === name
  } finally {
    lines.close()
  }
}

function replicasOf(value: string | undefined): number {
  const replicas = Number(value)
  if (!/^\d{1,5}$/.test(value ?? '') || !Number.isSafeInteger(replicas))
    throw new UserError('bad_input', `How many? A whole number such as 3, not \`${value}\`.`)
  return replicas
}

export const sourceOf = ({ build }: Cli, note = '') => ({
  job: build?.job ?? null,
  build: build?.number ?? null,
  url: build?.url ?? null,
  commit: build?.commit ?? null,
  branch: build?.branch ?? null,
  user: build?.user ?? null,
  note,
})
