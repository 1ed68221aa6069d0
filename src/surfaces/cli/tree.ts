// What the parts of the command tree share: how a command is added and bound to the file that does it, and the
// options that several commands have. The parts are tree-*.ts, program.ts puts them together.
import { type Command, Option } from 'commander'
import type { Cli } from './cli.ts'

// `never` for arguments and options: each command declares those that its own definition gives it.
export type Action = (cli: Cli, args: never, options: never) => Promise<number>
export type Load = () => Promise<Action>

export type Add = (
  parent: Command,
  usage: string,
  description: string,
  examples: readonly string[],
) => Command
export type Does = (command: Command, load: Load) => Command

/** The commands below that people are told of. */
export function shownCommands(command: Command): Command[] {
  const visible = command.createHelp().visibleCommands(command)
  return command.commands.filter(child => visible.includes(child))
}

export const exampleText = (examples: readonly string[]): string =>
  `\nExamples:\n${examples.map(example => `  $ ${example}`).join('\n')}`

export const collect = (value: string, before: string[] = []): string[] => [...before, value]
export const environment = () =>
  new Option('-E, --environment <name>', 'the environment (default: GKUBE_ENVIRONMENT, then the context)')
export const onlyEnvironment = () => new Option('-E, --environment <name>', 'only this environment')
export const reason = () => new Option('--reason <text>', 'why; kept in the audit')
export const appFile = () =>
  new Option('-f, --file <path>', 'an app file that need not be registered yet; - is stdin')

/** What every command has that asks for a deploy and follows it. */
export const followed = (command: Command): Command =>
  command
    .addOption(environment())
    .option('--no-wait', 'refuse (exit 4) where a lock, freeze or approval is in the way')
    .option(
      '--wait-approval <duration>',
      'wait so long for an approval or what else holds it, then exit 4; the deploy lives on (default: GKUBE_WAIT_APPROVAL, then 15m in Jenkins, else no limit)',
    )
    .option('--detach', 'ask for it and do not follow')
    .option('--idempotency-key <key>', 'the same key again is the same deploy (24 h)')
    .option('--note <text>', 'a note for the history')
