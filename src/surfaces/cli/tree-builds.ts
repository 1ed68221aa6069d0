// The commands about Jenkins builds, and which channel hears of them. Shapes only; commands/builds.ts.
import { type Command, Option } from 'commander'
import { type Add, collect, type Does, reason } from './tree.ts'

export function builds(root: Command, add: Add, does: Does): void {
  const parameter = () =>
    new Option('-p, --parameter <name=value>', 'a parameter (repeat it)').argParser(collect)
  does(
    add(root, 'build', 'Start a build of a Jenkins job', [
      'gkube build shop/web',
      'gkube build shop/web -p BRANCH=main -p CLEAN=true --wait',
    ])
      .argument('<job>')
      .addOption(parameter())
      .option('--wait', 'follow it to its end; exit 1 where it does not pass')
      .option('--idempotency-key <key>', 'the same key again is the same build (24 h)'),
    async () => (await import('./commands/builds.ts')).build,
  )
  does(
    add(root, 'builds', 'The last builds: all, of an app, or of a job', [
      'gkube builds',
      'gkube builds web',
      'gkube builds shop/web --limit 5',
    ])
      .argument('[app|job]')
      .option('--job <job>', 'of this job, where its path has no slash')
      .option('--limit <n>', 'how many (default: 20)'),
    async () => (await import('./commands/builds.ts')).builds,
  )
  does(
    add(root, 'build-log', 'The last lines of the console of a build', [
      'gkube build-log shop/web',
      'gkube build-log shop/web 214 --lines 500',
    ])
      .argument('<build|job>')
      .argument('[number]')
      .option('-n, --lines <n>', 'so many (default: 100)'),
    async () => (await import('./commands/builds.ts')).buildLog,
  )
  does(
    add(root, 'stop-build', 'Stop a build, or take it out of the queue', [
      'gkube stop-build shop/web 214',
      'gkube stop-build 01j8zq4t9v8y5m3n2p1r0s7xwe',
    ])
      .argument('<build|job>')
      .argument('[number]')
      .addOption(reason()),
    async () => (await import('./commands/builds.ts')).stopBuild,
  )
  does(
    add(root, 'answer-input', 'Answer an input that a pipeline waits for; the first answer wins', [
      'gkube answer-input 01j8zq4t9v8y5m3n2p1r0s7xwe Deploy -p TARGET=staging',
      'gkube answer-input 01j8zq4t9v8y5m3n2p1r0s7xwe Deploy --abort',
    ])
      .argument('<build>')
      .argument('<input>')
      .addOption(parameter())
      .option('--abort', 'abort instead of going on'),
    async () => (await import('./commands/builds.ts')).answerInput,
  )
  does(
    add(root, 'jobs', 'Jenkins jobs, those of apps first', ['gkube jobs', 'gkube jobs shop/']).argument(
      '[text]',
    ),
    async () => (await import('./commands/builds.ts')).jobs,
  )
  does(
    add(root, 'job', 'The parameters of a Jenkins job', ['gkube job shop/web']).argument('<job>'),
    async () => (await import('./commands/builds.ts')).job,
  )
  does(
    add(root, 'subscriptions', 'Which Slack channel is told of whose builds', [
      'gkube subscriptions',
    ]).argument('[channel]'),
    async () => (await import('./commands/builds.ts')).subscriptions,
  )
  does(
    add(root, 'subscribe', 'Tell a Slack channel of the builds of an app, or of all apps', [
      'gkube subscribe C012AB3CD web',
      'gkube subscribe C012AB3CD --events all',
    ])
      .argument('<channel>')
      .argument('[app]')
      .addOption(new Option('--events <which>', 'default: changes').choices(['all', 'changes', 'failures'])),
    async () => (await import('./commands/builds.ts')).subscribe,
  )
  does(
    add(root, 'unsubscribe', 'No longer tell it', ['gkube unsubscribe C012AB3CD web'])
      .argument('<channel>')
      .argument('[app]'),
    async () => (await import('./commands/builds.ts')).unsubscribe,
  )
}
