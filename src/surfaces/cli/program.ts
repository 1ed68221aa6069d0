// The command tree: every command with its arguments, options, examples, and the file that does it (imported only
// when it is called). docs/cli.md and the shell completions are generated from this tree. Exit codes: run-cli.ts.
import { Command, Option } from 'commander'
import type { Cli } from './cli.ts'

// `never` for options: each command declares those that its own definition below gives it.
export type Action = (cli: Cli, args: never, options: never) => Promise<number>
type Load = () => Promise<Action>
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
  const add = (parent: Command, usage: string, description: string, examples: readonly string[]): Command =>
    parent.command(usage).description(description).addHelpText('after', exampleText(examples))
  const does = (command: Command, load: Load): Command =>
    command.action((...all: unknown[]) => run(load, all.at(-1) as Command)) // commander passes the command last

  apps(root, add, does)
  deploys(root, add, does)
  workloads(root, add, does)
  decisions(root, add, does)
  access(root, add, does)
  here(root, add, does)
  return root
}

type Add = (parent: Command, usage: string, description: string, examples: readonly string[]) => Command
type Does = (command: Command, load: Load) => Command

const exampleText = (examples: readonly string[]): string =>
  `\nExamples:\n${examples.map(example => `  $ ${example}`).join('\n')}`

const collect = (value: string, before: string[] = []): string[] => [...before, value]
const environment = () =>
  new Option('-E, --environment <name>', 'the environment (default: GKUBE_ENVIRONMENT, then the context)')
const onlyEnvironment = () => new Option('-E, --environment <name>', 'only this environment')
const reason = () => new Option('--reason <text>', 'why; kept in the audit')
const appFile = () =>
  new Option('-f, --file <path>', 'an app file that need not be registered yet; - is stdin')

/** What every command has that asks for a deploy and follows it. */
const followed = (command: Command): Command =>
  command
    .addOption(environment())
    .option('--no-wait', 'refuse (exit 4) where a lock, freeze or approval is in the way')
    .option('--detach', 'ask for it and do not follow')
    .option('--idempotency-key <key>', 'the same key again is the same deploy (24 h)')
    .option('--note <text>', 'a note for the history')

function apps(root: Command, add: Add, does: Does): void {
  const app = add(root, 'app', 'Register apps and look at them', [
    'gkube app apply -f app.yaml',
    'gkube app list',
  ])
  does(
    add(app, 'apply', 'Register apps or change them', [
      'gkube app apply -f app.yaml',
      'gkube app apply -f web.yaml -f api.yaml',
      'gkube app apply -f app.yaml --dry-run',
    ])
      .requiredOption('-f, --file <path>', 'the app file (repeat it for more; - is stdin)', collect)
      .option('--dry-run', 'only validate'),
    async () => (await import('./commands/apps.ts')).apply,
  )
  does(
    add(app, 'list', 'All apps and where they run', ['gkube app list', 'gkube app list --json']),
    async () => (await import('./commands/apps.ts')).list,
  )
  does(
    add(app, 'show', 'One app as registered', ['gkube app show web > app.yaml']).argument('<app>'),
    async () => (await import('./commands/apps.ts')).show,
  )
  does(
    add(app, 'delete', 'Forget an app that runs nowhere', ['gkube app delete web']).argument('<app>'),
    async () => (await import('./commands/apps.ts')).forget,
  )
  does(
    add(app, 'render', 'The Kubernetes objects of an app in an environment', [
      'gkube app render web 1.4.2 -E production',
      'gkube app render -f app.yaml -E staging',
    ])
      .argument('[app]')
      .argument('[revision]')
      .addOption(environment())
      .addOption(appFile()),
    async () => (await import('./commands/apps.ts')).render,
  )
  does(
    add(app, 'schema', 'The JSON schema of app files, for editors', ['gkube app schema > app.schema.json']),
    async () => (await import('./commands/here.ts')).appSchema,
  )
}

function deploys(root: Command, add: Add, does: Does): void {
  does(
    followed(
      add(root, 'deploy', 'Deploy a revision: creates what is not there, updates what is', [
        'gkube deploy web 1.4.2 -E production',
        'gkube deploy -f app.yaml 1.4.2 -E staging    # registers and deploys at once',
        'gkube deploy -E staging                      # in Jenkins: app and revision of the build',
        'gkube deploy web 1.4.2 -E production --no-wait --json',
      ]),
    )
      .argument('[app]', 'the app (default: GKUBE_APP, then the app of the Jenkins job)')
      .argument(
        '[revision]',
        'a tag, commit or build (default: GKUBE_REVISION, then GIT_COMMIT or BUILD_NUMBER)',
      )
      .addOption(appFile())
      .option('--replace', 'recreate a StatefulSet whose immutable fields change')
      .option('--force', 'take over fields that another manager owns'),
    async () => (await import('./commands/requests.ts')).deploy,
  )
  does(
    followed(
      add(root, 'redeploy', 'The same revision with the configuration of now', [
        'gkube redeploy web -E staging',
      ]),
    )
      .argument('<app>')
      .option('--force', 'take over fields that another manager owns'),
    async () => (await import('./commands/requests.ts')).request('redeploy'),
  )
  does(
    followed(
      add(root, 'rollback', 'Go back to the last good revision, or to a named one', [
        'gkube rollback web -E production',
        'gkube rollback web 1.4.0 -E production',
      ]),
    )
      .argument('<app>')
      .argument('[revision]'),
    async () => (await import('./commands/requests.ts')).request('rollback'),
  )
  does(
    followed(add(root, 'scale', 'Run so many pods', ['gkube scale web 6 -E production']))
      .argument('<app>')
      .argument('<replicas>'),
    async () => (await import('./commands/requests.ts')).request('scale'),
  )
  does(
    followed(add(root, 'restart', 'New pods, same everything', ['gkube restart web -E staging'])).argument(
      '<app>',
    ),
    async () => (await import('./commands/requests.ts')).request('restart'),
  )
  does(
    followed(
      add(root, 'delete', 'Delete what runs; volumes are kept unless named', [
        'gkube delete web -E staging',
        'gkube delete web -E staging --yes --delete-volume web-data',
      ]),
    )
      .argument('<app>')
      .option('-y, --yes', 'do not ask')
      .option(
        '--delete-volume <claim>',
        'delete this volume claim and its data (repeat it for more)',
        collect,
      ),
    async () => (await import('./commands/requests.ts')).remove,
  )
  does(
    add(root, 'plan', 'What a deploy would change; nothing is written', [
      'gkube plan web 1.4.2 -E production',
      'gkube plan -f app.yaml -E staging',
    ])
      .argument('[app]')
      .argument('[revision]')
      .addOption(environment())
      .addOption(appFile()),
    async () => (await import('./commands/apps.ts')).plan,
  )
}

function workloads(root: Command, add: Add, does: Does): void {
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

function decisions(root: Command, add: Add, does: Does): void {
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
      'gkube cancel 01j8zq4t9v8y5m3n2p1r0s7xwe --reason "wrong branch"',
    ])
      .argument('<deploy>', one)
      .addOption(onlyEnvironment())
      .addOption(reason()),
    async () => (await import('./commands/acts.ts')).cancel,
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

function access(root: Command, add: Add, does: Does): void {
  const scope = (command: Command) =>
    command
      .argument('[app]')
      .addOption(onlyEnvironment())
      .option('--all', 'everything, everywhere')
      .addOption(reason())
  does(
    scope(
      add(root, 'lock', 'Hold deploys of an app, an environment, or everything', [
        'gkube lock web -E production --reason "database moves"',
        'gkube lock -E production --reason "release freeze" --for 3d',
      ]),
    )
      .option('--for <duration>', 'so long, such as 2h or 3d (default: 24h)')
      .option('--steal', "take over someone else's lock"),
    async () => (await import('./commands/access.ts')).lock,
  )
  does(
    scope(add(root, 'unlock', 'Let deploys go again', ['gkube unlock web -E production'])),
    async () => (await import('./commands/access.ts')).unlock,
  )
  does(
    add(root, 'locks', 'All locks', ['gkube locks']),
    async () => (await import('./commands/access.ts')).locks,
  )
  const token = add(root, 'token', 'Make, list and revoke tokens', ['gkube token list'])
  does(
    add(token, 'create', 'Make a token; its secret is shown this once', [
      'gkube token create --name jenkins --grant deployer:web,api:staging > token',
      'gkube token create --name dashboard --grant viewer --expires 365d',
    ])
      .requiredOption('--name <name>', 'who uses it')
      .requiredOption('--grant <role[:apps[:environments]]>', 'what it may (repeat it for more)', collect)
      .option('--expires <duration>', 'valid so long (default: 90d)'),
    async () => (await import('./commands/access.ts')).createToken,
  )
  does(
    add(token, 'list', 'All tokens, without their secrets', ['gkube token list']),
    async () => (await import('./commands/access.ts')).listTokens,
  )
  does(
    add(token, 'revoke', 'Revoke a token at once', ['gkube token revoke 01j8zq4t9v8y5m3n']).argument('<id>'),
    async () => (await import('./commands/access.ts')).revokeToken,
  )
  does(
    add(root, 'whoami', 'Who the token is, and what it may do', ['gkube whoami']),
    async () => (await import('./commands/access.ts')).whoami,
  )
}

/** What runs on this machine and asks no server. */
function here(root: Command, add: Add, does: Does): void {
  const config = () =>
    new Option('--config <path>', 'the configuration (default: GKUBE_CONFIG, then gkube.yaml)')
  does(
    add(root, 'serve', 'Run a gkube server', ['gkube serve --config /etc/gkube/gkube.yaml']).addOption(
      config(),
    ),
    async () => (await import('./commands/here.ts')).serve,
  )
  does(
    add(root, 'sandbox', 'Run everything on this machine: etcd, a stand-in cluster, a server', [
      'gkube sandbox',
      'gkube sandbox --port 9000 --data /tmp/gkube',
      'gkube sandbox --kubeconfig ~/.kube/config --context kind-dev',
    ])
      .option('--port <n>', 'of the API; 0 takes a free one')
      .option('--data <dir>', 'where everything is kept (default: .gkube)')
      .option('--etcd <url>', 'a running etcd instead of one of its own')
      .option('--kubeconfig <path>', 'a real cluster instead of the stand-in')
      .option('--context <name>', 'of that kubeconfig')
      .option('--verbose', 'show the log of the server'),
    async () => (await import('./commands/here.ts')).sandbox,
  )
  const configuration = add(root, 'config', 'Check the configuration of a server', ['gkube config check'])
  does(
    add(configuration, 'check', 'Read it, check it, show the result with secrets masked', [
      'gkube config check --config gkube.yaml',
    ]).addOption(config()),
    async () => (await import('./commands/here.ts')).configCheck,
  )
  does(
    add(configuration, 'schema', 'The JSON schema of gkube.yaml, for editors', [
      'gkube config schema > gkube.schema.json',
    ]),
    async () => (await import('./commands/here.ts')).configSchema,
  )
  does(
    add(root, 'rbac', 'The Kubernetes rights that gkube needs for an environment, as YAML', [
      'gkube rbac production | kubectl apply -f -',
    ])
      .argument('<environment>')
      .addOption(config())
      .option(
        '--app <name>',
        'an app that shall run there, where each has its own namespace (repeat it)',
        collect,
      )
      .option('--service-account <namespace/name>', 'who gkube is there (default: gkube/gkube)')
      .option('--static-volumes', 'gkube makes PersistentVolumes itself'),
    async () => (await import('./commands/here.ts')).rbac,
  )
  does(
    add(root, 'completion', 'Completion for a shell', [
      'source <(gkube completion bash)',
      'gkube completion zsh > ~/.zfunc/_gkube',
      'gkube completion fish > ~/.config/fish/completions/gkube.fish',
    ]).argument('<shell>', 'bash, zsh or fish'),
    async () => {
      const { completion } = await import('./completion.ts')
      return (cli: Cli, args: readonly string[]) => completion(cli, root, args)
    },
  )
}
