// What people type becomes what they meant, or a sentence that says what to type. Cases by hand, then generated ones.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { commandNames, grammar } from '../../src/core/command/grammar.ts'
import { helpOf, helpOfAll } from '../../src/core/command/help.ts'
import { type Command, parseCommand, printCommand } from '../../src/core/command.ts'

const known = { apps: ['web', 'api', 'web-admin', 'worker'], environments: ['staging', 'production'] }
const parse = (text: string) => parseCommand(text, known, '/gkube ')
const id = '01j9z3k4m5n6p7q8r9s0t1v2w3'

const deploy = (
  app: string | null,
  revision: string | null,
  environment: string | null,
  reason: string | null = null,
) => ({ kind: 'deploy', app, revision, environment, reason }) satisfies Command
const why = { reason: null }
const build = (job: string, parameters: Record<string, string> = {}) =>
  ({ kind: 'build', job, parameters }) satisfies Command
const stop = (job: string, number: number | null, reason: string | null = null) =>
  ({ kind: 'stop-build', job, number, reason }) satisfies Command

const removal = (app: string, storage: string) =>
  ({ kind: 'delete-volume', app, environment: 'staging', storage }) satisfies Command

const understood: readonly (readonly [string, Command])[] = [
  // any order
  ['deploy web 1.4.2 to production', deploy('web', '1.4.2', 'production')],
  ['deploy web to production 1.4.2', deploy('web', '1.4.2', 'production')],
  ['deploy 1.4.2 of web to production', deploy('web', '1.4.2', 'production')],
  ['deploy to production web 1.4.2', deploy('web', '1.4.2', 'production')],
  ['deploy web production 1.4.2', deploy('web', '1.4.2', 'production')],
  ['deploy web:1.4.2 in production', deploy('web', '1.4.2', 'production')],
  ['deploy web@3fa9c1e staging', deploy('web', '3fa9c1e', 'staging')],
  ['deploy version 1.4.2 of the app web to staging please', deploy('web', '1.4.2', 'staging')],
  ['ship web main to staging', deploy('web', 'main', 'staging')],
  ['deploy web-admin 1.4.2 staging', deploy('web-admin', '1.4.2', 'staging')],
  // parts missing: a dialog
  ['deploy', deploy(null, null, null)],
  ['deploy web', deploy('web', null, null)],
  ['deploy to production', deploy(null, null, 'production')],
  ['deploy 1.4.2', deploy(null, '1.4.2', null)],
  ['deploy web 1.4.2', deploy('web', '1.4.2', null)],
  ['plan web', { kind: 'plan', app: 'web', revision: null, environment: null }],
  // what keyboards and phones make of it
  ['Deploy Web 1.4.2 to Production', deploy('web', '1.4.2', 'production')],
  ['deploy `web` “1.4.2” to *production*', deploy('web', '1.4.2', 'production')],
  ['deploy\u00a0web\u2003 1.4.2\nto\tproduction', deploy('web', '1.4.2', 'production')],
  ['deploy \u200bweb\ufeff 1.4.2 to production,', deploy('web', '1.4.2', 'production')],
  ['deploy web —revision 1.4.2 —env production', deploy('web', '1.4.2', 'production')],
  [
    'deploy web 1.4.2 to production because hotfix for “login”',
    deploy('web', '1.4.2', 'production', 'hotfix for "login"'),
  ],
  // names that are words of the grammar, by name
  ['deploy --app web --revision production --env staging', deploy('web', 'production', 'staging')],
  ['deploy web --rev=web to staging', deploy('web', 'web', 'staging')],
  // storage
  ['volumes', { kind: 'volumes', app: null, environment: null }],
  ['volumes web in production', { kind: 'volumes', app: 'web', environment: 'production' }],
  ['storage of web', { kind: 'volumes', app: 'web', environment: null }],
  ['delete volume data of web in staging', removal('web', 'data')],
  ['delete-volume web staging data', removal('web', 'data')],
  ['delete-volume `staging/web/data`', removal('web', 'data')],
  ['delete-volume --storage web --app web --env staging', removal('web', 'web')],
  // the others
  [
    'promote web from staging to production',
    { kind: 'promote', app: 'web', from: 'staging', to: 'production', ...why },
  ],
  [
    'promote web staging production',
    { kind: 'promote', app: 'web', from: 'staging', to: 'production', ...why },
  ],
  [
    'promote web to production from staging',
    { kind: 'promote', app: 'web', from: 'staging', to: 'production', ...why },
  ],
  [
    'rollback web in production',
    { kind: 'rollback', app: 'web', environment: 'production', revision: null, ...why },
  ],
  [
    'roll back web production to 1.4.1',
    { kind: 'rollback', app: 'web', environment: 'production', revision: '1.4.1', ...why },
  ],
  [
    'rollback web to main in production',
    { kind: 'rollback', app: 'web', environment: 'production', revision: 'main', ...why },
  ],
  ['scale web to 3 in staging', { kind: 'scale', app: 'web', environment: 'staging', replicas: 3, ...why }],
  ['scale web 3 staging', { kind: 'scale', app: 'web', environment: 'staging', replicas: 3, ...why }],
  [
    'scale staging web to 0 replicas',
    { kind: 'scale', app: 'web', environment: 'staging', replicas: 0, ...why },
  ],
  ['restart web production', { kind: 'restart', app: 'web', environment: 'production', ...why }],
  [
    'restart web in production because stuck',
    { kind: 'restart', app: 'web', environment: 'production', reason: 'stuck' },
  ],
  ['cancel web in production', { kind: 'cancel', app: 'web', environment: 'production', id: null, ...why }],
  [
    'cancel web production wrong one',
    { kind: 'cancel', app: 'web', environment: 'production', id: null, reason: 'wrong one' },
  ],
  [`cancel ${id} wrong`, { kind: 'cancel', app: null, environment: null, id, reason: 'wrong' }],
  ['delete web in staging', { kind: 'delete', app: 'web', environment: 'staging' }],
  ['status', { kind: 'status', app: null, environment: null }],
  ['status web', { kind: 'status', app: 'web', environment: null }],
  ['status production', { kind: 'status', app: null, environment: 'production' }],
  ['st web in production', { kind: 'status', app: 'web', environment: 'production' }],
  ['list', { kind: 'list' }],
  ['pods web in production', { kind: 'pods', app: 'web', environment: 'production' }],
  ['pods of web in production', { kind: 'pods', app: 'web', environment: 'production' }],
  [
    'logs web in production',
    { kind: 'logs', app: 'web', environment: 'production', pod: null, previous: false, tail: null },
  ],
  [
    'logs web web-7c9d-x2x1 production --previous --tail 200',
    { kind: 'logs', app: 'web', environment: 'production', pod: 'web-7c9d-x2x1', previous: true, tail: 200 },
  ],
  ['history web', { kind: 'history', app: 'web', environment: null }],
  [
    'lock web in production looking for a leak',
    { kind: 'lock', app: 'web', environment: 'production', duration: null, reason: 'looking for a leak' },
  ],
  [
    'lock production for 2 hours because: moving',
    { kind: 'lock', app: null, environment: 'production', duration: '2h', reason: 'moving' },
  ],
  [
    'lock production web 1d moving',
    { kind: 'lock', app: 'web', environment: 'production', duration: '24h', reason: 'moving' },
  ],
  [
    'lock all 90m "all hands"',
    { kind: 'lock', app: null, environment: null, duration: '1h30m', reason: 'all hands' },
  ],
  ['unlock web in production', { kind: 'unlock', app: 'web', environment: 'production', ...why }],
  ['unlock everything', { kind: 'unlock', app: null, environment: null, ...why }],
  [
    'freeze production for 3d end-of-year freeze',
    { kind: 'freeze', environment: 'production', duration: '72h', reason: 'end-of-year freeze' },
  ],
  ['unfreeze production', { kind: 'unfreeze', environment: 'production', ...why }],
  ['lock production', { kind: 'lock', app: null, environment: 'production', duration: null, reason: null }],
  ['lock all', { kind: 'lock', app: null, environment: null, duration: null, reason: null }],
  ['freeze production for 2h', { kind: 'freeze', environment: 'production', duration: '2h', reason: null }],
  ['scale web in staging', { kind: 'scale', app: 'web', environment: 'staging', replicas: null, ...why }],
  ['approvals', { kind: 'approvals' }],
  ['locks', { kind: 'locks' }],
  ['whoami', { kind: 'whoami' }],
  ['who am i', { kind: 'whoami' }],
  ['doctor', { kind: 'doctor' }],
  ['', { kind: 'help', command: null }],
  ['  ', { kind: 'help', command: null }],
  // builds
  ['build', { kind: 'build', job: null, parameters: {} }],
  ['build shop/web', build('shop/web')],
  ['build the job `shop/web`', build('shop/web')],
  ['build Shop/Web/feature%2Flogin', build('Shop/Web/feature%2Flogin')],
  ['build shop/web BRANCH=main CLEAN=true', build('shop/web', { BRANCH: 'main', CLEAN: 'true' })],
  ['build shop/web with BRANCH=main and CLEAN=true', build('shop/web', { BRANCH: 'main', CLEAN: 'true' })],
  ['build shop/web -p BRANCH=main -p A=', build('shop/web', { BRANCH: 'main', A: '' })],
  ['build shop/web NOTE="a new start" B=1', build('shop/web', { NOTE: 'a new start', B: '1' })],
  ['build shop/web NOTE=“a new start”', build('shop/web', { NOTE: 'a new start' })],
  ['build shop/web "NOTE=a b"', build('shop/web', { NOTE: 'a b' })],
  ["build shop/web NOTE='it is' M=don't N=it's", build('shop/web', { NOTE: 'it is', M: "don't", N: "it's" })],
  ['build shop/web NOTE="say \\"hi\\""', build('shop/web', { NOTE: 'say "hi"' })],
  ['build shop/web URL=https://x.example.com/?a=b', build('shop/web', { URL: 'https://x.example.com/?a=b' })],
  ['build shop/web GLOB=*.js', build('shop/web', { GLOB: '*.js' })],
  ['build "my folder/my job" A=1', build('my folder/my job', { A: '1' })],
  ['build --job build A=1', build('build', { A: '1' })],
  ['build build', build('build')],
  ['builds', { kind: 'builds', job: null, app: null }],
  ['builds of web', { kind: 'builds', job: null, app: 'web' }],
  ['builds shop/web', { kind: 'builds', job: 'shop/web', app: null }],
  ['builds nightly-everything', { kind: 'builds', job: 'nightly-everything', app: null }],
  ['stop build shop/web 214', stop('shop/web', 214)],
  ['stop build #214 of shop/web', stop('shop/web', 214)],
  ['stop-build shop/web#214', stop('shop/web', 214)],
  ['cancel build shop/web #214 because wrong branch', stop('shop/web', 214, 'wrong branch')],
  ['abort build shop/web', stop('shop/web', null)],
  ['subscribe', { kind: 'subscribe', app: null, events: null }],
  ['subscribe web', { kind: 'subscribe', app: 'web', events: null }],
  ['subscribe to failures of web', { kind: 'subscribe', app: 'web', events: 'failures' }],
  ['subscribe all', { kind: 'subscribe', app: null, events: 'all' }],
  ['unsubscribe web', { kind: 'unsubscribe', app: 'web' }],
  ['unsubscribe from web', { kind: 'unsubscribe', app: 'web' }],
  ['subscriptions', { kind: 'subscriptions' }],
  ['help', { kind: 'help', command: null }],
  ['help deploy', { kind: 'help', command: 'deploy' }],
  ['? ship', { kind: 'help', command: 'deploy' }],
  ['scale --help', { kind: 'help', command: 'scale' }],
]

const refused: readonly (readonly [string, RegExp])[] = [
  [
    'delete-volume',
    /^Say which storage of which app\. Type: `\/gkube delete-volume data of web in staging`$/,
  ],
  ['delete-volume data in staging', /^Say which app\./],
  ['delete-volume data of wbe in staging', /Did you mean `web`/],
  ['delete-volume staging/wbe/data', /Did you mean `web`/],
  ['delete-volume staging/web/../data', /^Say which app/],
  ['delete-volume Da_ta of web in staging', /is not a storage: names are of lower-case letters/],
  ['deploy wbe 1.4.2 to production', /^`wbe` is not an app\. Did you mean `web`\? All apps: `\/gkube list`$/],
  ['deploy web 1.4.2 to prodution', /^`prodution` is not an environment\. Did you mean `production`\?$/],
  ['deploy web prodution', /Did you mean `production`/],
  ['deploy web 1.4.2 to prod', /^`prod` is not an environment\. Did you mean `production`\?$/],
  ['status prod', /Did you mean `production`/],
  ['hist web', /Did you mean `history`/],
  ['deploy shop 1.4.2 to production', /^`shop` is not an app\. There is: web, api, web-admin, worker\.$/],
  ['deploy web 1.4.2 to moon', /^`moon` is not an environment\. There is: staging, production\.$/],
  [
    'deploy web 1.4.2 to staging in production',
    /`staging` and `production` are both given as the environment/,
  ],
  [
    'deploy web 1.4.2 1.4.3 to production',
    /`1.4.3` is too much for `deploy`\. Type: `\/gkube deploy web 1.4.2 to production`/,
  ],
  ['deploy web <!channel> to production', /is not a revision/],
  ['deploy web --revison 1.4.2', /`--revison` is not an option of `deploy`\. Did you mean `--revision`\?/],
  ['deploy web --env', /`--env` needs a value/],
  ['depoly web', /^`depoly` is not a command\. Did you mean `deploy`\? All commands: `\/gkube help`$/],
  ['web', /Say what to do with `web`: `\/gkube status web` or `\/gkube deploy web`/],
  ['frobnicate', /^`frobnicate` is not a command\. All commands/],
  ['restart web', /^Say where: staging, production\. Type: `\/gkube restart web in production`$/],
  ['restart', /^Say which app/],
  ['scale web 100000 staging', /is not a number of pods/],
  ['promote web to production', /^Say where from/],
  ['promote web from staging', /^Say where to/],
  ['lock wbe in production testing', /Did you mean `web`/],
  ['lock web testing', /is not an environment/],
  ['unlock', /^Say where, or `all`/],
  ['freeze production until monday', /^Say how long instead of until when/],
  ['freeze 2h end of year', /is not an environment|Say where/],
  ['cancel web', /^Say which app and where/],
  ['logs web in production --tail 99999', /is not a number of lines/],
  ['logs web in production --tail many', /is not a number of lines/],
  ['help depoly', /Did you mean `deploy`/],
  ['build shop/web main', /^`main` is not a parameter: write `NAME=value`, with quotes around a value/],
  ['build shop/web NOTE="a b', /^A quote \("\) is opened and not closed\. Type: `\/gkube build shop\/web`$/],
  ['build shop/web A=1 A=2', /^`A` is given twice/],
  ['build shop/web --branch main', /^`--branch` is not an option of `build`/],
  ['build --job', /`--job` needs a value/],
  ['build /shop/', /^`\/shop\/` is not a job: type its full path, such as shop\/web\.$/],
  ['builds wbe', /^`wbe` is not an app\. Did you mean `web`\?/],
  ['builds web api', /^`api` is too much for `builds`/],
  ['stop build', /^Say which job\. Type: `\/gkube stop-build shop\/web 214`$/],
  ['stop build shop/web 0', /^`0` is not the number of a build/],
  ['stop build shop/web 1 2', /^`1` and `2` are both given/],
  ['subscribe wbe', /Did you mean `web`/],
  ['subscribe web sometimes', /^`sometimes` is too much for `subscribe`/],
  [`lock production ${'x'.repeat(501)}`, /at most 500 characters/],
  ['x'.repeat(5000), /^That is too long/],
]

describe('understood', () => {
  it.each(understood)('%s', (text, command) => {
    expect(parse(text)).toEqual({ kind: 'command', command })
  })

  it.each(commandNames.flatMap(name => grammar[name].examples))('the example of the help: %s', text => {
    const parsed = parse(text)
    expect(parsed.kind === 'command' ? parsed.command.kind : parsed).toBe(text.split(' ')[0])
  })

  it('needs no environment where there is one, but never locks or freezes unsaid', () => {
    const one = { apps: ['web'], environments: ['production'] }
    expect(parseCommand('restart web', one)).toMatchObject({ command: { environment: 'production' } })
    expect(parseCommand('freeze because of it', one).kind).toBe('refused')
    expect(parseCommand('lock because of it', one).kind).toBe('refused')
  })

  it('takes any name for an app while the store does not answer', () => {
    const blind = { apps: null, environments: ['production'] }
    expect(parseCommand('deploy shop 1.4.2 to production', blind)).toEqual({
      kind: 'command',
      command: deploy('shop', '1.4.2', 'production'),
    })
  })

  it('stops a deploy of the app that is called build, and no build', () => {
    const apps = { apps: ['build'], environments: ['staging', 'production'] }
    expect(parseCommand('stop build in production', apps)).toMatchObject({
      command: { kind: 'cancel', app: 'build', environment: 'production' },
    })
  })

  it.each(['We_b!', '../x', 'a/b', 'x'.repeat(60)])('but not %s: no app is called that', name => {
    const blind = { apps: null, environments: ['production'] }
    for (const command of ['deploy --app NAME 1 to production', 'pods in production --app NAME']) {
      const parsed = parseCommand(command.replace('NAME', name), blind)
      expect(parsed.kind === 'refused' ? parsed.message : parsed).toMatch(
        /is not an app: names are of lower-case/,
      )
    }
  })
})

describe('refused with what to type', () => {
  it.each(refused.map(([text, message]) => [text.slice(0, 60), text, message] as const))(
    '%s',
    (_title, text, message) => {
      const parsed = parse(text)
      expect(parsed.kind === 'refused' ? parsed.message : parsed).toMatch(message)
    },
  )
})

describe('help', () => {
  it('has each command once, with a usage made of what it takes', () => {
    expect(
      helpOfAll()
        .map(help => help.command)
        .toSorted(),
    ).toEqual([...commandNames].toSorted())
    expect(helpOf('deploy').usage).toBe('deploy [app] [revision] [to environment] [because reason]')
    expect(helpOf('scale').usage).toBe('scale <app> [to number] in <environment> [because reason]')
    expect(helpOf('promote').usage).toBe('promote <app> from <environment> to <environment> [because reason]')
    expect(helpOf('lock').usage).toBe('lock [app] [in environment] [all] [for duration] [reason]')
  })
})

// Names that try to be misread: words of the grammar, numbers, ids, names of each other's kind.
const tricky = [
  'web',
  'api',
  'to',
  'in',
  'from',
  'all',
  'for',
  'because',
  'deploy',
  'staging',
  '3',
  '2h',
  'app',
  id,
  'of',
  'until',
  'yes',
]
const nameArb = fc.oneof(fc.constantFrom(...tricky), fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?$/))
const knownArb = fc.record({
  apps: fc.uniqueArray(nameArb, { minLength: 1, maxLength: 5 }),
  environments: fc.uniqueArray(nameArb, { minLength: 2, maxLength: 4 }),
})
const revisionArb = fc.oneof(nameArb, fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}$/))
const reasonArb = fc
  .oneof(
    fc.constantFrom(
      'because',
      'for 2h',
      '2h',
      'web',
      'in production',
      '--env x',
      '"quoted"',
      'a "b" c',
      ': x',
      '- x',
      '-- x',
      'until',
    ),
    fc.stringMatching(/^[!-~]{1,8}( [!-~]{1,8}){0,3}$/),
  )
  .filter(text => text.trim() === text && text !== '""' && text !== '"')
const durationArb = fc.constantFrom('30s', '5m', '2h', '1h30m', '72h')
const orNull = <T>(arb: fc.Arbitrary<T>) => fc.option(arb, { nil: null })

const jobArb = fc.oneof(
  nameArb,
  fc.constantFrom(
    'shop/web',
    'shop/web/feature%2Flogin',
    'my folder/a "job"',
    'job',
    '--env',
    'a#1',
    "it's",
    'a=b',
  ),
)
const valueArb = fc.oneof(
  fc.constantFrom('', 'a b', '"', '\\', "don't", '--x', 'a=b', '`x`', 'because x'),
  fc.stringMatching(/^[!-~]{1,8}( [!-~]{1,8}){0,2}$/),
)

// Made once: making one costs more than drawing from it.
const parametersArb = fc.dictionary(fc.stringMatching(/^[A-Z_]{1,6}$/), valueArb)
const pathArb = jobArb.filter(job => job.includes('/'))

const commandArb = knownArb.chain(names => {
  const app = fc.constantFrom(...names.apps)
  const environment = fc.constantFrom(...names.environments)
  const reason = orNull(reasonArb)
  const some = { app: orNull(app), environment: orNull(environment) }
  const both = { app, environment }
  const is = <K extends Command['kind']>(kind: K) => ({ kind: fc.constant(kind) })
  const locked = fc.oneof(
    fc.record({ app: orNull(app), environment }),
    fc.record({ app: fc.constant(null), environment: fc.constant(null) }),
  )
  const command: fc.Arbitrary<Command> = fc.oneof(
    fc.record({ ...is('deploy'), ...some, revision: orNull(revisionArb), reason }),
    fc.record({ ...is('plan'), ...some, revision: orNull(revisionArb) }),
    fc.record({ ...is('promote'), app, from: environment, to: environment, reason }),
    fc.record({ ...is('rollback'), ...both, revision: orNull(revisionArb), reason }),
    fc.record({ ...is('scale'), ...both, replicas: orNull(fc.nat(10_000)), reason }),
    fc.record({ ...is('restart'), ...both, reason }),
    fc.record({ ...is('cancel'), ...both, id: fc.constant(null), reason }),
    fc.record({
      ...is('cancel'),
      app: fc.constant(null),
      environment: fc.constant(null),
      id: fc.constant(id),
      reason,
    }),
    fc.record({ ...is('delete'), ...both }),
    fc.record({ ...is('status'), ...some }),
    fc.record({ ...is('volumes'), ...some }),
    fc.record({ ...is('delete-volume'), ...both, storage: nameArb }),
    fc.record({ ...is('pods'), ...both }),
    fc.record({
      ...is('logs'),
      ...both,
      pod: orNull(nameArb),
      previous: fc.boolean(),
      tail: orNull(fc.integer({ min: 1, max: 10_000 })),
    }),
    fc.record({ ...is('history'), app, environment: orNull(environment) }),
    fc
      .tuple(locked, orNull(durationArb), reasonArb)
      .map(([place, duration, why]) => ({ kind: 'lock' as const, ...place, duration, reason: why })),
    fc.tuple(locked, reason).map(([place, why]) => ({ kind: 'unlock' as const, ...place, reason: why })),
    fc.record({ ...is('freeze'), environment, duration: orNull(durationArb), reason }),
    fc.record({ ...is('unfreeze'), environment, reason }),
    fc.record({
      ...is('build'),
      job: jobArb,
      parameters: parametersArb,
    }),
    fc.record({ ...is('build'), job: fc.constant(null), parameters: fc.constant({}) }),
    fc.record({ ...is('builds'), job: pathArb, app: fc.constant(null) }),
    fc.record({ ...is('builds'), job: fc.constant(null), app: orNull(app) }),
    fc.record({
      ...is('stop-build'),
      job: jobArb,
      number: orNull(fc.integer({ min: 1, max: 99_999 })),
      reason,
    }),
    fc.record({
      ...is('subscribe'),
      app: orNull(app),
      events: orNull(fc.constantFrom('all', 'changes', 'failures')),
    }),
    fc.record({ ...is('unsubscribe'), app: orNull(app) }),
    fc.record({
      kind: fc.constantFrom(
        'list' as const,
        'subscriptions' as const,
        'approvals' as const,
        'whoami' as const,
        'doctor' as const,
      ),
    }),
    fc.record({ ...is('help'), command: orNull(fc.constantFrom(...commandNames)) }),
  )
  return fc.tuple(fc.constant(names), command)
})

describe('generated', () => {
  it('10,000 texts: never throws, and every refusal says something', () => {
    const words = fc.constantFrom(
      ...commandNames, ...tricky, 'wbe', 'shop/web', 'A=1', 'NOTE="a', 'b"', "'", '#3', '--job', 'prodution', '1.4.2', '--env', '--env=', '--reason', '—tail', '`', '"', '“', '<!channel>',
      '&amp;', ':', '-', '@', 'web:', ':1', '\u00a0', '\u200b', '💥', '\u0000', '99999999999999999999', '__proto__', 'constructor',
    ) // biome-ignore format: a list
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.array(words, { maxLength: 9 }).map(list => list.join(' ')),
    )
    fc.assert(
      fc.property(text, typed => {
        const parsed = parse(typed)
        if (parsed.kind === 'refused') expect(parsed.message.length).toBeGreaterThan(10)
        else expect(commandNames).toContain(parsed.command.kind)
      }),
      { numRuns: 10_000 },
    )
  })

  it('what is printed is read as the same command, whatever the names', () => {
    fc.assert(
      fc.property(commandArb, ([names, command]) => {
        const text = printCommand(command, names)
        expect({ text, parsed: parseCommand(text, names) }).toEqual({
          text,
          parsed: { kind: 'command', command },
        })
      }),
      { numRuns: 2000 },
    )
  })
})
