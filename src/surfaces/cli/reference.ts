// docs/cli.md, written from the command tree (npm run schemas; a test says when it is due). Only what the tree cannot
// say stands here as text: where the server is, what variables do.
import type { Argument, Command, Option } from 'commander'
import { program } from './program.ts'
import { shownCommands } from './tree.ts'

const intro = `<!-- Written by \`npm run schemas\` from src/surfaces/cli/program.ts: change that instead. -->
# The command line

Every command asks a gkube server, except the last group, which runs on this machine. All take the options of
\`gkube\` itself, such as \`--json\`. What the exit codes mean is in [exit-codes.md](exit-codes.md).

## Which server, which token

The first that is there counts, for each of the two:

1. \`--url\` and \`--token-file\` (a token is never taken from the arguments: a shell with \`-x\` would show it)
2. \`GKUBE_URL\` and \`GKUBE_TOKEN\` (or \`GKUBE_TOKEN_FILE\`, a file that holds the token)
3. \`.gkube/context.json\` in the working directory or above it, as \`npm start\` writes it: \`{"url", "token", "environment"}\`
4. \`~/.config/gkube/context.json\`, the same

A token from a context file is sent only to the server that this file names.

| variable | meaning |
|---|---|
| \`GKUBE_ENVIRONMENT\` | the environment where none is named by \`-E\` |
| \`GKUBE_APP\`, \`GKUBE_REVISION\` | what \`gkube deploy\` deploys where its arguments do not say it |
| \`GKUBE_ARTIFACT\` | the code that it publishes, as \`--artifact\` names it |
| \`GKUBE_RECONNECT\` | how long a lost server is waited for while a deploy is followed, such as \`90s\` (default \`10m\`) |
| \`NO_COLOR\` | no colours; there are none anyway where stdout is not a terminal |
| \`GKUBE_DEBUG\` | show the stack of an error in the command itself |

In a Jenkins 'Execute shell' step \`gkube deploy -E staging\` is enough: the app is the one of \`JOB_NAME\` (or of the job
above it, for a branch job), the revision is \`GIT_COMMIT\` or \`BUILD_NUMBER\`, as the app says by \`revisionFrom\`. One build
makes one deploy of a revision, however often the step is repeated. When Jenkins aborts the step (SIGTERM), a deploy that
still waits is cancelled and one that runs goes on.

With \`--json\`, stdout holds one JSON document and nothing else; progress and errors in words go to stderr. A failure is
\`{"error": {"kind", "message", "details", "requestId"}}\`. Streams (\`logs -f\`, \`run\`, \`exec\`) print one document a line.

## Commands
`

/** The whole page. */
export function reference(): string {
  const root = program(async () => undefined)
  const leaves = commandsBelow(root).filter(
    command => command.commands.length === 0 || command.registeredArguments.length > 0,
  )
  const list = leaves.map(
    command =>
      `| [\`${pathOf(command)}\`](#${pathOf(command).replaceAll(' ', '-')}) | ${command.description()} |`,
  )
  const everywhere = optionRows(root.options)
  return [
    intro,
    '| command | |\n|---|---|',
    ...list,
    '',
    'Options that every command takes:',
    '',
    ...everywhere,
    '',
    ...leaves.flatMap(section),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n')
}

const commandsBelow = (command: Command): Command[] =>
  shownCommands(command).flatMap(child => [child, ...commandsBelow(child)])

const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()

function section(command: Command): string[] {
  const { registeredArguments: args } = command
  const usage = [pathOf(command), command.options.length > 0 ? '[options]' : '', ...args.map(argumentText)]
    .filter(Boolean)
    .join(' ')
  const described = args.filter(argument => argument.description)
  const rows = [
    ...(described.length > 0 || command.options.length > 0 ? ['| | |', '|---|---|'] : []),
    ...described.map(argument => `| \`${argumentText(argument)}\` | ${argument.description} |`),
    ...command.options.map(optionRow),
  ]
  return [
    `### ${pathOf(command)}`,
    '',
    `${command.description()}.`,
    '',
    '```sh',
    usage,
    '',
    ...examplesOf(command),
    '```',
    '',
    ...rows,
    ...(rows.length > 0 ? [''] : []),
  ]
}

const argumentText = (argument: Argument): string => {
  const name = argument.variadic ? `${argument.name()}...` : argument.name()
  return argument.required ? `<${name}>` : `[${name}]`
}

const optionRows = (options: readonly Option[]): string[] => ['| | |', '|---|---|', ...options.map(optionRow)]
const optionRow = (option: Option): string =>
  `| \`${option.flags.replaceAll('|', '\\|')}\` | ${option.description} |`

/** The examples as the help shows them. */
function examplesOf(command: Command): string[] {
  let help = ''
  const writeOut = (text: string) => {
    help += text
  }
  command.configureOutput({ writeOut }).outputHelp()
  return help
    .split('\n')
    .filter(line => line.startsWith('  $ '))
    .map(line => line.slice(4))
}
