// The commands about locks and tokens, and those that run on this machine. Shapes only; commands/*.ts.
import { type Command, Option } from 'commander'
import type { Cli } from './cli.ts'
import { type Add, collect, type Does, exampleText, onlyEnvironment, reason } from './tree.ts'

export function access(root: Command, add: Add, does: Does): void {
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
    add(root, 'locks', 'All locks and freezes', ['gkube locks']),
    async () => (await import('./commands/access.ts')).locks,
  )
  does(
    add(root, 'freeze', 'Hold every deploy to an environment until a time', [
      'gkube freeze production --reason "end-of-year freeze" --for 9d',
    ])
      .argument('<environment>')
      .addOption(reason())
      .option('--for <duration>', 'so long, such as 12h or 9d (default: 24h)'),
    async () => (await import('./commands/access.ts')).freeze,
  )
  does(
    add(root, 'unfreeze', 'End a freeze', ['gkube unfreeze production'])
      .argument('<environment>')
      .addOption(reason()),
    async () => (await import('./commands/access.ts')).unfreeze,
  )
  does(
    add(root, 'freezes', 'Freezes that hold now, and those that come again', ['gkube freezes']),
    async () => (await import('./commands/access.ts')).freezes,
  )
  const token = add(root, 'token', 'Make, list and revoke tokens', ['gkube token list'])
  does(
    add(token, 'create', 'Make a token; its secret is shown this once', [
      'gkube token create --name jenkins --grant deployer:web,api:staging > token',
      'gkube token create --name dashboard --grant viewer --expires 365d',
    ])
      .requiredOption('--name <name>', 'who uses it')
      .requiredOption('--grant <role[:apps[:environments]]>', 'what it may (repeat it for more)', collect)
      .option('--expires <duration>', 'valid so long (default: 90d)')
      .option('--person <name>', 'the key in `people` of who uses it'),
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
  does(
    add(root, 'doctor', 'Try everything the server talks to; says how to mend what fails', ['gkube doctor']),
    async () => (await import('./commands/access.ts')).doctor,
  )
}

/** What runs on this machine and asks no server. */
export function here(root: Command, add: Add, does: Does): void {
  const config = () =>
    new Option('--config <path>', 'the configuration (default: GKUBE_CONFIG, then gkube.yaml)')
  does(
    add(root, 'serve', 'Run a gkube server', ['gkube serve --config /etc/gkube/gkube.yaml']).addOption(
      config(),
    ),
    async () => (await import('./commands/here.ts')).serve,
  )
  does(
    add(
      root,
      'sandbox',
      'Run everything on this machine: etcd, a stand-in cluster and Jenkins, a Slack workspace with a page, a server',
      [
        'gkube sandbox',
        'gkube sandbox --port 9000 --data /tmp/gkube',
        'gkube sandbox --replicas 3',
        'gkube sandbox --kubeconfig ~/.kube/config --context kind-dev',
      ],
    )
      .option('--port <n>', 'of the API (default: 8484); 0 takes a free one')
      .option('--slack-port <n>', 'of the Slack workspace and its page (default: 8485); 0 takes a free one')
      .option('--jenkins-port <n>', 'of the stand-in Jenkins (default: 8486); 0 takes a free one')
      .option(
        '--web-port <n>',
        'of what is deployed, for a browser and curl (default: 8487); 0 takes a free one',
      )
      .addOption(
        new Option(
          '--glusterfs <kind>',
          'real: GlusterFS on this machine (as root); directory: a folder in its place; auto: what can be',
        ).choices(['auto', 'real', 'directory']),
      )
      .option('--data <dir>', 'where everything is kept (default: .gkube)')
      .option('--etcd <url>', 'a running etcd instead of one of its own')
      .option('--kubeconfig <path>', 'a real cluster instead of the stand-in')
      .option('--context <name>', 'of that kubeconfig')
      .option(
        '--replicas <n>',
        'so many servers, each in a process of its own: kill one and the others go on',
      )
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
  // Nobody types these: the publish Job does. docs/publish.md has them.
  const publish = root
    .command('publish', { hidden: true })
    .description('Publish code on a volume: the parts of the publish Job')
    .addHelpText('after', exampleText(['gkube publish fetch']))
  for (const [verb, description] of [
    ['fetch', 'Get the artifact, check it, unpack it beside the releases'],
    ['update', 'Run the default code update script in the new release'],
    ['finish', 'Give the release its name, switch to it, prune old ones'],
  ] as const)
    does(add(publish, verb, description, [`gkube publish ${verb}`]), async () =>
      (await import('./commands/here.ts')).publish(verb),
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
