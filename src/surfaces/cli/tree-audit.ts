// The commands about the audit. Shapes only; commands/audit.ts.
import { type Command, Option } from 'commander'
import type { Add, Does } from './tree.ts'

export function audit(root: Command, add: Add, does: Does): void {
  const parent = add(root, 'audit', 'Who did what, and the proof that it was not changed', [
    'gkube audit verify',
  ])
  const filtered = (command: Command): Command =>
    command
      .addOption(new Option('-E, --environment <name>', 'only this one; - has what is of no environment'))
      .option('--app <name>', 'only this app')
      .option('--who <name>', 'only this person or token: a name or an id')
      .option('--action <name>', 'only this, such as vote or request_deploy')
      .option('--since <time>', 'from then on: so long ago (7d, 12h) or a date (2026-11-01)')
      .option('--until <time>', 'up to then, the same')
  does(
    filtered(
      add(parent, 'list', 'The newest entries', [
        'gkube audit list -E production --since 7d',
        'gkube audit list --who ana --action vote',
      ]),
    ).option('-n, --limit <n>', 'at most so many (default: 50)'),
    async () => (await import('./commands/audit.ts')).list,
  )
  does(
    filtered(
      add(parent, 'export', 'All entries as JSON lines, oldest first', [
        'gkube audit export --since 2026-01-01 > audit.jsonl',
      ]),
    ),
    async () => (await import('./commands/audit.ts')).exportAll,
  )
  does(
    add(parent, 'verify', 'Check that no sealed entry was changed, removed or added (exit 1 where one was)', [
      'gkube audit verify',
      'gkube audit verify production --head 3f9a…',
    ])
      .argument('[environment]', 'default: all; - has what is of no environment')
      .option('--head <hash>', 'a hash that was printed before and kept elsewhere: it must be in the chain'),
    async () => (await import('./commands/audit.ts')).verify,
  )
}
