// The command tree: every command with its arguments, options, examples, and the file that does it (imported only
// when it is called). docs/cli.md and the shell completions are generated from this tree. Exit codes: run-cli.ts.
import { Command } from 'commander'
import { type Add, type Does, exampleText, type Load } from './tree.ts'
import { access, here } from './tree-admin.ts'
import { audit } from './tree-audit.ts'
import { builds } from './tree-builds.ts'
import { apps, deploys } from './tree-deploys.ts'
import { decisions, workloads } from './tree-workloads.ts'

export type Run = (load: Load, command: Command) => Promise<void>

/** Builds the tree; `run` is called with what a command line asked for. */
export function program(run: Run): Command {
  const root = new Command('gkube')
    .description('Deploys Jenkins jobs to Kubernetes: create what is not there, update what is.')
    .option('--json', 'print one JSON document to stdout and nothing else')
    .option('--url <url>', 'the gkube server (default: GKUBE_URL, then .gkube/context.json)')
    .option('--token-file <path>', 'a file with the token (default: GKUBE_TOKEN, then .gkube/context.json)')
    .option('--no-color', 'no colours (NO_COLOR does the same)')
    .option('-V, --version', 'print the version')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .showSuggestionAfterError(true)
  const add: Add = (parent, usage, description, examples) =>
    parent.command(usage).description(description).addHelpText('after', exampleText(examples))
  const does: Does = (command, load) =>
    command.action((...all: unknown[]) => run(load, all.at(-1) as Command)) // commander passes the command last

  apps(root, add, does)
  deploys(root, add, does)
  workloads(root, add, does)
  decisions(root, add, does)
  builds(root, add, does)
  access(root, add, does)
  audit(root, add, does)
  here(root, add, does)
  return root
}
