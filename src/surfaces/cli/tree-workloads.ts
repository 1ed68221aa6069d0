// The commands that look at what runs, stream from it, and decide about one deploy. Shapes only; commands/*.ts.
import { type Command, Option } from 'commander'
import { type Add, type Does, environment, onlyEnvironment, reason } from './tree.ts'

export function workloads(root: Command, add: Add, does: Does): void {
  does(
    add(root, 'status', 'What runs: version, pods, locks', [
      'gkube status',
      'gkube status web',
      'gkube status web --json',
    ])
      .argument('[app]')
      .addOption(onlyEnvironment()),
    async () => (await import('./commands/look.ts')).status,
  )
  does(
    add(root, 'history', 'The deploys of an app, newest first', [
      'gkube history web',
      'gkube history web -E production --limit 5',
    ])
      .argument('<app>')
      .addOption(onlyEnvironment())
      .option('--limit <n>', 'how many (default: 20)'),
    async () => (await import('./commands/look.ts')).history,
  )
  const pods = does(
    add(root, 'pods', 'The pods of an app', [
      'gkube pods web -E staging',
      'gkube pods delete web web-7c9d-x2x1 -E staging',
    ])
      .argument('<app>')
      .addOption(environment()),
    async () => (await import('./commands/look.ts')).pods,
  )
  does(
    add(pods, 'delete', 'Delete one pod; a new one takes its place', [
      'gkube pods delete web web-7c9d-x2x1 -E staging',
    ])
      .argument('<app>')
      .argument('<pod>')
      .addOption(environment()),
    async () => (await import('./commands/acts.ts')).deletePod,
  )
  does(
    add(root, 'logs', 'Log lines of an app', [
      'gkube logs web -E staging',
      'gkube logs web -E staging -f',
      'gkube logs web -E staging --previous --tail 200',
    ])
      .argument('<app>')
      .addOption(environment())
      .option('-f, --follow', 'go on until interrupted')
      .option('-p, --previous', 'of the container before its restart')
      .option('-n, --tail <lines>', 'so many of the last lines (default: 100; 10 with --follow)')
      .option('--since <duration>', 'not older than this, such as 10m')
      .option('--pod <name>', 'of this pod only')
      .option('-c, --container <name>', 'of this container (default: the app)'),
    async () => (await import('./commands/streams.ts')).logs,
  )
  does(
    add(root, 'events', 'Kubernetes events about an app', ['gkube events web -E staging'])
      .argument('<app>')
      .addOption(environment()),
    async () => (await import('./commands/look.ts')).events,
  )
  does(
    add(root, 'run', "Run a command once, as a Job with the app's image and configuration", [
      'gkube run web -E staging -- rake db:seed',
      'gkube run web -E staging --timeout 1h -- ./import.sh',
    ])
      .argument('<app>')
      .argument('[command...]')
      .addOption(environment())
      .option('--timeout <duration>', 'end it after this long (default: 10m)'),
    async () => (await import('./commands/streams.ts')).command('run'),
  )
  does(
    add(root, 'exec', 'Run a command in a pod that runs (off unless the environment allows it; audited)', [
      'gkube exec web -E staging -- ps aux',
    ])
      .argument('<app>')
      .argument('[command...]')
      .addOption(environment())
      .option('--pod <name>', 'in this pod (default: any that is ready)')
      .option('-c, --container <name>', 'in this container (default: the app)'),
    async () => (await import('./commands/streams.ts')).command('exec'),
  )
  const volumes = does(
    add(root, 'volumes', 'Storage of apps: where it lies, how full it is, how it is', [
      'gkube volumes',
      'gkube volumes web -E production',
      'gkube volumes delete production/web/data',
    ])
      .argument('[app]')
      .addOption(onlyEnvironment()),
    async () => (await import('./commands/volumes.ts')).volumes,
  )
  does(
    add(volumes, 'delete', 'Delete storage with all it holds, where its app does not run any more', [
      'gkube volumes delete production/web/data',
      'gkube volumes delete production/web/data --type production/web/data',
    ])
      .argument('<environment/app/storage>')
      .option('--type <name>', 'its name, typed: do not ask'),
    async () => (await import('./commands/volumes.ts')).remove,
  )
  does(
    add(root, 'diff', 'How an app differs between two environments', ['gkube diff web staging production'])
      .argument('<app>')
      .argument('<from>')
      .argument('<to>'),
    async () => (await import('./commands/apps.ts')).diff,
  )
  does(
    add(root, 'cluster', 'Clusters, nodes, capacity, versions', ['gkube cluster']),
    async () => (await import('./commands/look.ts')).cluster,
  )
}

export function decisions(root: Command, add: Add, does: Does): void {
  const one = 'a deploy id, or an app with one deploy under way'
  does(
    add(root, 'follow', 'Follow a deploy live; leaving it leaves the deploy alone', [
      'gkube follow web',
      'gkube follow 01j8zq4t9v8y5m3n2p1r0s7xwe',
    ])
      .argument('<deploy>', one)
      .addOption(onlyEnvironment()),
    async () => (await import('./commands/acts.ts')).follow,
  )
  does(
    add(root, 'cancel', 'Cancel a deploy that waits or runs', [
      'gkube cancel web -E staging',
      'gkube cancel web -E staging --hold --reason "I want to look at the pods"',
      'gkube cancel 01j8zq4t9v8y5m3n2p1r0s7xwe --reason "wrong branch"',
    ])
      .argument('<deploy>', one)
      .addOption(onlyEnvironment())
      .addOption(reason())
      .addOption(
        new Option(
          '--rollback',
          'if it runs: put back what ran before (default: as the environment says)',
        ).conflicts('hold'),
      )
      .option('--hold', 'if it runs: leave things as they are then'),
    async () => (await import('./commands/acts.ts')).cancel,
  )
  does(
    add(root, 'approvals', 'What waits for approval', ['gkube approvals']),
    async () => (await import('./commands/acts.ts')).approvals,
  )
  does(
    add(root, 'override', 'Break-glass: start what waits for approval or a freeze; loud, audited', [
      'gkube override web -E production --reason "site is down, ben is on a plane"',
    ])
      .argument('<deploy>', one)
      .addOption(onlyEnvironment())
      .addOption(reason()),
    async () => (await import('./commands/acts.ts')).override,
  )
  for (const decision of ['approve', 'deny'] as const)
    does(
      add(root, decision, `${decision === 'approve' ? 'Approve' : 'Deny'} a deploy that waits for it`, [
        `gkube ${decision} web -E production --reason "looked at the plan"`,
      ])
        .argument('<deploy>', one)
        .addOption(onlyEnvironment())
        .addOption(reason()),
      async () => (await import('./commands/acts.ts')).vote(decision),
    )
  does(
    add(root, 'release', 'For operators: free what is stuck', [
      'gkube release web -E production --force --reason "node is gone"',
    ])
      .argument('<app>')
      .addOption(environment())
      .option('--force', 'yes, take it from its owner')
      .addOption(reason()),
    async () => (await import('./commands/acts.ts')).release,
  )
}
