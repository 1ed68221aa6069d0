// The commands that register apps and ask for deploys of them. Shapes only; commands/*.ts do the work.
import type { Command } from 'commander'
import { type Add, appFile, collect, type Does, environment, followed } from './tree.ts'

export function apps(root: Command, add: Add, does: Does): void {
  const artifact = add(root, 'artifact', 'Upload code that is deployed later', [
    'gkube artifact push dist.tgz',
  ])
  does(
    add(artifact, 'push', 'Upload an artifact and print its SHA-256; one that is there already is not sent', [
      'gkube artifact push dist.tgz',
      'gkube artifact push dist.tgz --app site --revision 1.4.2    # deployed later, from Slack too',
    ])
      .argument('<file>', 'a tar, tar.gz or zip, or a file that is published as it is')
      .option('--app <app>', 'keep it for a revision of this app')
      .option('--revision <revision>', 'the revision that it is'),
    async () => (await import('./commands/artifacts.ts')).push,
  )
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

export function deploys(root: Command, add: Add, does: Does): void {
  does(
    followed(
      add(root, 'deploy', 'Deploy a revision: creates what is not there, updates what is', [
        'gkube deploy web 1.4.2 -E production',
        'gkube deploy -f app.yaml 1.4.2 -E staging    # registers and deploys at once',
        'gkube deploy                                 # in Jenkins: app, revision and environment of the build',
        'gkube deploy -f gkube.yaml                   # the same, and registers a job that is not known',
        'gkube deploy web 1.4.2 -E production --no-wait --json',
        'gkube deploy site 1.4.2 -E production --artifact dist.tgz    # code: uploads it first',
      ]),
    )
      .argument('[app]', 'the app (default: GKUBE_APP, then the app of the Jenkins job)')
      .argument(
        '[revision]',
        'a tag, commit or build (default: GKUBE_REVISION, then GIT_COMMIT or BUILD_NUMBER, as the app says)',
      )
      .addOption(appFile())
      .option(
        '--artifact <file|sha256>',
        'the code to publish: a file, which is uploaded first, or the SHA-256 of one that is uploaded already (default: GKUBE_ARTIFACT)',
      )
      .option('--again', 'deploy this build although it was deployed there before')
      .option('--replace', 'recreate a StatefulSet whose immutable fields change')
      .option('--force', 'take over fields that another manager owns'),
    async () => (await import('./commands/requests.ts')).deploy,
  )
  does(
    followed(
      add(root, 'promote', 'Deploy to one environment what runs in another', [
        'gkube promote web --from staging -E production',
      ]),
    )
      .argument('<app>')
      .requiredOption('--from <environment>', 'where it runs now'),
    async () => (await import('./commands/requests.ts')).promote,
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
      add(root, 'init', 'Run the init hook again: a redeploy that initialises the environment anew', [
        'gkube init web --again -E staging',
      ]),
    )
      .argument('<app>')
      .option('--again', 'the environment is initialised, and shall be once more'),
    async () => (await import('./commands/requests.ts')).init,
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
        'delete this volume claim and its data; what lies on a pool stays until `gkube volumes delete` (repeat it for more)',
        collect,
      ),
    async () => (await import('./commands/requests.ts')).remove,
  )
  does(
    followed(
      add(root, 'adopt', 'Take over a workload that is there; shows what changes and asks first', [
        'gkube adopt web -E production --workload deployment/web',
        'gkube adopt web -E production --workload deployment/shop-web --revision 1.4.2 --yes',
        'gkube adopt db -E staging --workload statefulset/db --take-from my-operator',
        'gkube adopt old -E staging --workload replicationcontroller/old --replace-by-deployment',
        'gkube adopt web -E staging --workload deployment/web --json    # only the plan, with its hash',
      ]),
    )
      .argument('<app>')
      .requiredOption('--workload <kind/name>', 'deployment/…, statefulset/… or replicationcontroller/…')
      .option('--revision <revision>', 'what to run (default: what runs there, where its image says)')
      .option('--force-from <tool>', 'take it from helm, argocd or flux, which may write it again', collect)
      .option(
        '--take-from <manager>',
        "take this manager's fields too, beside kubectl's (repeat it)",
        collect,
      )
      .option(
        '--replace-by-deployment',
        'make a ReplicationController a Deployment, without a failed request',
      )
      .option('--confirm <hash>', 'only if it is still the plan with this hash')
      .option('-y, --yes', 'do not ask'),
    async () => (await import('./commands/adopt.ts')).adopt,
  )
  does(
    add(root, 'plan', 'What a deploy would change; nothing is written', [
      'gkube plan web 1.4.2 -E production',
      'gkube plan -f app.yaml -E staging',
    ])
      .argument('[app]')
      .argument('[revision]')
      .addOption(environment())
      .addOption(appFile())
      .option('--artifact <file|sha256>', 'the code that would be published; a plan does not upload it'),
    async () => (await import('./commands/apps.ts')).plan,
  )
}
