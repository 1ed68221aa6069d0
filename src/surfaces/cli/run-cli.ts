// argv → one command → one exit code. What goes wrong is said here, once, in words and as JSON; a usage error shows
// where the help is. The tree is program.ts; every command's file is loaded only when it runs.
import { CommanderError } from 'commander'
import { UserError, userErrorKinds } from '../../errors.ts'
import { type Cli, exitCodes, type Io, type Local } from './cli.ts'
import { buildOf } from './jenkins.ts'
import { createOutput, type Output } from './output.ts'
import { program } from './program.ts'

type Globals = { json?: boolean; url?: string; tokenFile?: string; color?: boolean }

/** Runs one command; never rejects. The exit codes are in docs/exit-codes.md. */
export async function runCli(
  argv: readonly string[],
  io: Io & { readonly local: Local; readonly version: string },
): Promise<number> {
  const output = (globals: Globals): Output =>
    createOutput({
      stdout: io.stdout,
      stderr: io.stderr,
      env: io.env,
      json: globals.json ?? false,
      color: globals.color ?? true,
    })
  // Until the command line is understood: what it said about JSON holds for its errors too.
  let out = output({ json: argv.includes('--json') })
  let code: number = exitCodes.ok
  const root = program(async (load, command) => {
    const globals = command.optsWithGlobals<Globals>()
    out = output(globals)
    const cli = await makeCli(io, { out, globals })
    const action = (await load()) as (cli: Cli, args: unknown, options: unknown) => Promise<number> // program.ts pairs them
    code = await action(cli, command.processedArgs, globals)
  })
  root.exitOverride()
  root.configureOutput({
    writeOut: text => out.raw(text),
    writeErr: text => out.raw(text, 'stderr'),
    outputError: (text, write) => write(text.replace(/^error: /, 'gkube: ')),
  })
  inherit(root)
  try {
    if (asksVersion(argv)) out.raw(`${io.version}\n`)
    else await root.parseAsync(argv, { from: 'user' })
    return code
  } catch (error) {
    if (io.signal.aborted) return io.signal.reason === 'SIGINT' ? exitCodes.SIGINT : exitCodes.SIGTERM
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.ok
      if (out.json)
        out.data({
          error: {
            kind: 'bad_input',
            message: error.message.replace(/^error: /, ''),
            details: {},
            requestId: '',
          },
        })
      return exitCodes.usage
    }
    return failed(error, out, io)
  }
}

// Subcommands were made before the root was told how to end and where to write.
function inherit(command: ReturnType<typeof program>): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command)
    child.showHelpAfterError(`Help: ${pathOf(child)} --help`)
    inherit(child)
  }
  if (!command.parent) command.showHelpAfterError('Help: gkube --help')
}
const pathOf = (command: ReturnType<typeof program>): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()

/** `gkube --version`; behind `--` it would be a remote command's own. */
const asksVersion = (argv: readonly string[]): boolean =>
  argv.length === 1 && ['-V', '--version'].includes(argv[0] ?? '')

async function makeCli(
  io: Parameters<typeof runCli>[1],
  { out, globals }: { out: Output; globals: Globals },
): Promise<Cli> {
  const { contextEnvironment, targetOf } = await import('./context.ts')
  const { createClient } = await import('./client.ts')
  const build = buildOf(io.env)
  const environmentIfNamed = (named: string | undefined) =>
    named || io.env.GKUBE_ENVIRONMENT || contextEnvironment(io.env, io.cwd)
  return {
    io,
    out,
    local: io.local,
    build,
    client: () =>
      createClient({
        target: targetOf({ env: io.env, cwd: io.cwd, url: globals.url, tokenFile: globals.tokenFile }),
        via: build ? 'jenkins' : 'cli',
        version: io.version,
        signal: io.signal,
        retrying: why => out.warn(`gkube: ${why} Trying again …`),
      }),
    environment: named => {
      const environment = environmentIfNamed(named)
      if (!environment)
        throw new UserError(
          'bad_input',
          'Which environment? Name it with -E, for example: -E staging (or set GKUBE_ENVIRONMENT).',
        )
      return environment
    },
    environmentIfNamed,
    now: Date.now,
  }
}

async function failed(error: unknown, out: Output, io: Io): Promise<number> {
  const { ApiError } = await import('./client.ts')
  const { cleanLines } = await import('./terminal-text.ts')
  const say = (message: string) => out.warn(out.paint('red', `gkube: ${cleanLines(message)}`))
  const asJson = (kind: string, message: string, details: object, requestId: string) => {
    if (out.json) out.data({ error: { kind, message, details, requestId } })
  }
  if (error instanceof ApiError) {
    say(error.message)
    if (error.kind === 'unknown_outcome' && typeof error.details.deploy === 'string')
      out.warn(`gkube: follow it: gkube follow ${cleanLines(error.details.deploy)}`)
    asJson(error.kind, error.message, error.details, error.requestId)
    return error.exit
  }
  if (error instanceof UserError) {
    say(error.message)
    asJson(error.kind, error.message, error.details, '')
    return userErrorKinds[error.kind].exit
  }
  say(
    `something went wrong in this command itself: ${error instanceof Error ? error.message : String(error)}`,
  )
  if (io.env.GKUBE_DEBUG && error instanceof Error) out.warn(error.stack ?? '')
  else out.warn('gkube: GKUBE_DEBUG=1 shows where.')
  asJson('internal', error instanceof Error ? error.message : String(error), {}, '')
  return 70
}
