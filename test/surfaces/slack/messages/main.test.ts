// The one message of a deploy in every state: what it says in one glance, and which buttons fit.
import { describe, expect, it } from 'vitest'
import type { Deploy, Diagnosis, Phase, Step, StepName } from '../../../../src/core/deploy.ts'
import { phases } from '../../../../src/core/deploy.ts'
import type { MessageFacts, Planned } from '../../../../src/core/messages.ts'
import { problemsOf } from '../../../../src/sandbox/slack/validate.ts'
import { shownHash } from '../../../../src/surfaces/slack/messages/buttons.ts'
import {
  ana,
  approval,
  ben,
  buttonsIn,
  cho,
  deploy,
  facts,
  hash,
  jenkins,
  labels,
  now,
  production,
  renderer,
  staging,
  vote,
  wordsOf,
} from './sample.ts'

const planned: Planned = {
  schema: 1,
  changes: ['image 1.4.1 → 1.4.2', 'env LOG_LEVEL info → debug'],
  notes: ['the Service has no ready pods while it restarts'],
  diff: '-a\n+b\n',
  since: [],
  voided: [],
  at: now,
}
const diagnosis: Diagnosis = {
  cause: {
    reason: 'crash_loop',
    message: 'The new pods crash at start: exit code 1 after 3 s, 4 times (web-7c9d-x2x1).',
  },
  seen: ['2 of 2 new pods CrashLoopBackOff for 40 s'],
  tries: ['read the log lines'],
  events: [],
  log: {
    pod: 'web-7c9d-x2x1',
    container: 'web',
    previous: true,
    lines: ['starting', 'Error: connect ECONNREFUSED 10.0.0.7:5432', 'bye'],
  },
  at: now,
}

const sha256 = '0b77e3f1c9d2b6a48e5f00112233445566778899aabbccddeeff001122334455'
/** An app that is shipped as code: its image stays. */
const site: Partial<Deploy> = {
  app: 'site',
  revision: '2',
  prepared: {
    ...deploy().prepared,
    image: 'docker.io/nginxinc/nginx-unprivileged:1.29',
    digest: null,
    artifact: { sha256, url: 'https://artifacts.example.com/site/site-2.tgz' },
    base: { revision: '1', spec: null, overrides: null },
  } as NonNullable<Deploy['prepared']>,
}
const broken: Diagnosis = {
  cause: {
    reason: 'publish_failed',
    message: 'publish failed: fetch ended with exit code 2. ../etc/passwd leads out of the release',
  },
  seen: [],
  tries: ['what serves was not touched'],
  events: [],
  log: {
    pod: 'site-publish-x',
    container: 'fetch',
    previous: false,
    lines: ['got 1.2 MiB', 'gkube: ../etc/passwd leads out of the release'],
  },
  at: now,
}

/** Steps up to the one that is in `state`. */
const steps = (names: readonly StepName[], at: StepName, state: Step['state'] = 'running'): Step[] =>
  names.map((name, i) => {
    const place = names.indexOf(at)
    return {
      name,
      state: i < place ? 'done' : i === place ? state : 'pending',
      startedAt: i <= place ? now - 60_000 : null,
      endedAt: i < place ? now - 52_000 : null,
      message: '',
    }
  })
const rollback = { attemptedAt: now - 9000, spec: 'spec-1', revision: '1.4.1' }
const ran = { startedAt: now - 108_000, endedAt: now }
const approved = { approval: approval({ votes: [vote(ben)] }) }
const ready = (n: number, wanted: number, message = '') => ({ ready: n, wanted, message, at: now })
const lock =
  'is locked by cho: moving the database (until 2025-11-24 18:00 UTC). They or an operator can unlock it.'

type Case = readonly [
  name: string,
  facts: Omit<Parameters<typeof facts>[0], 'deploy'> & { deploy: Partial<Deploy> },
  expected: {
    readonly head: string
    readonly text: string
    readonly says?: readonly string[]
    readonly buttons: readonly string[]
  },
]

const cases: readonly Case[] = [
  [
    'just asked for',
    { deploy: { phase: 'requested', prepared: null } },
    {
      head: ':hourglass_flowing_sand: *web* `1.4.2` · *production* · preparing',
      text: 'web 1.4.2 → production: preparing',
      says: ['asked by @ana · <https://ci.example.com/job/shop/job/web/214/|shop/web #214>'],
      buttons: ['Cancel'],
    },
  ],
  [
    'prepared again, because what would run changed',
    { deploy: { phase: 'preparing', prepared: null }, planned: { ...planned, voided: ['ben'] } },
    {
      head: ':hourglass_flowing_sand: *web* `1.4.2` · *production* · what would run changed, preparing again',
      text: 'web 1.4.2 → production: what would run changed, preparing again',
      buttons: ['Cancel'],
    },
  ],
  [
    'waiting for approval',
    { deploy: { phase: 'awaiting_approval', approval: approval() }, planned },
    {
      head: ':hourglass_flowing_sand: *web* `1.4.1` → `1.4.2` · *production* · waiting for 1 of 1 approval',
      text: 'web 1.4.2 → production: waiting for 1 of 1 approval',
      says: [
        'image `registry.example.com/shop/web:1.4.2` `sha256:3fa9c1e27b5d4f…` · cluster eu-1, namespace shop · expires 14:30 UTC',
        '*Changes*: image 1.4.1 → 1.4.2; env LOG_LEVEL info → debug (full diff in the thread)',
        '*Note*: the Service has no ready pods while it restarts',
        '<https://github.com/acme/web/compare/1.4.1...1.4.2|commits>',
      ],
      buttons: ['Approve', 'Approve with comment…', 'Deny…', 'Override…', 'Cancel'],
    },
  ],
  [
    'half approved, with a tag that is not pinned, where a reason is needed',
    {
      deploy: {
        phase: 'awaiting_approval',
        approval: approval({ required: 2, votes: [vote(ben)] }),
        prepared: { ...(deploy().prepared as NonNullable<Deploy['prepared']>), digest: null },
      },
      environment: {
        ...production,
        breakGlass: [],
        approvals: { ...production.approvals, reason: true },
      },
    },
    {
      head: ':hourglass_flowing_sand: *web* `1.4.1` → `1.4.2` · *production* · waiting for 1 of 2 approvals',
      text: 'web 1.4.2 → production: waiting for 1 of 2 approvals',
      says: ['the tag is not pinned', 'asked by @ana, approved by @ben'],
      buttons: ['Approve…', 'Deny…', 'Cancel'],
    },
  ],
  [
    'in line',
    { deploy: { phase: 'ready', readyAt: now }, waiting: 'waiting behind deploy 1.4.1 (ben, running)' },
    {
      head: ':hourglass_flowing_sand: *web* `1.4.1` → `1.4.2` · *production* · waiting in line',
      text: 'web 1.4.2 → production: waiting in line',
      says: ['Behind deploy 1.4.1 (ben, running)'],
      buttons: ['Cancel'],
    },
  ],
  [
    'about to start',
    { deploy: { phase: 'ready', readyAt: now } },
    {
      head: ':hourglass_flowing_sand: *web* `1.4.1` → `1.4.2` · *production* · about to start',
      text: 'web 1.4.2 → production: about to start',
      buttons: ['Cancel'],
    },
  ],
  [
    'held by a lock',
    { deploy: { phase: 'ready', readyAt: now }, waiting: `production ${lock}` },
    {
      head: ':double_vertical_bar: *web* `1.4.1` → `1.4.2` · *production* · locked',
      text: 'web 1.4.2 → production: locked',
      says: ['production is locked by cho: moving the database'],
      buttons: ['Unlock…', 'Cancel'],
    },
  ],
  [
    'held by a freeze',
    {
      deploy: { phase: 'ready', readyAt: now },
      waiting: 'production is frozen until Mon 08:00 UTC: the web is locked by cho, by @cho.',
    },
    {
      head: ':double_vertical_bar: *web* `1.4.1` → `1.4.2` · *production* · frozen',
      text: 'web 1.4.2 → production: frozen',
      says: ['production is frozen until Mon 08:00 UTC'],
      buttons: ['Override…', 'Cancel'],
    },
  ],
  [
    'running',
    {
      deploy: {
        phase: 'running',
        ...approved,
        startedAt: now - 72_000,
        steps: steps(['before', 'apply', 'rollout', 'after'], 'rollout'),
      },
      progress: ready(4, 6, 'Ready: 4/6, web-x is not scheduled'),
    },
    {
      head: ':arrows_counterclockwise: *web* `1.4.1` → `1.4.2` · *production* · rolling out, 1 m 12 s',
      text: 'web 1.4.2 → production: rolling out, 1 m 12 s',
      says: [
        '✓ before 8 s\u2003✓ apply 8 s\u2003▸ rollout ▰▰▰▰▱▱ 4/6 ready\u2003· after',
        'web-x is not scheduled',
        'asked by @ana, approved by @ben',
      ],
      buttons: ['Cancel…'],
    },
  ],
  [
    'running with 200 pods, asked for by a build',
    {
      deploy: {
        phase: 'running',
        startedAt: now - 5000,
        requestedBy: jenkins,
        steps: steps(['apply', 'rollout'], 'rollout'),
      },
      progress: ready(199, 200),
    },
    {
      head: ':arrows_counterclockwise: *web* `1.4.1` → `1.4.2` · *production* · rolling out, 5 s',
      text: 'web 1.4.2 → production: rolling out, 5 s',
      says: ['▰▰▰▰▰▰▰▰▰▰▰▱ 199/200 ready', 'asked by ci'],
      buttons: ['Cancel…'],
    },
  ],
  [
    'rolling back',
    {
      deploy: {
        phase: 'rolling_back',
        startedAt: now - 60_000,
        rollback,
        steps: steps(['apply', 'rollout', 'restore', 'recover'], 'recover'),
      },
      diagnosis,
    },
    {
      head: ':leftwards_arrow_with_hook: *web* `1.4.1` → `1.4.2` · *production* · failed, rolling back to 1.4.1, 1 m 00 s',
      text: 'web 1.4.2 → production: failed, rolling back to 1.4.1, 1 m 00 s',
      says: [diagnosis.cause.message, '▸ recover'],
      buttons: [],
    },
  ],
  [
    'done',
    { deploy: { phase: 'succeeded', ...approved, ...ran }, progress: ready(6, 6) },
    {
      head: ':white_check_mark: *web* `1.4.2` is live in *production* · 6/6 ready · took 1 m 48 s',
      text: 'web 1.4.2 → production: live, 6/6 ready',
      says: ['was `1.4.1` · asked by @ana, approved by @ben'],
      buttons: ['Roll back to 1.4.1…', 'Logs', 'Restart…'],
    },
  ],
  [
    'done for the first time',
    {
      deploy: {
        phase: 'succeeded',
        ...ran,
        prepared: {
          ...(deploy().prepared as NonNullable<Deploy['prepared']>),
          base: { revision: '', spec: null, overrides: null },
        },
      },
    },
    {
      head: ':white_check_mark: *web* `1.4.2` is live in *production* · took 1 m 48 s',
      text: 'web 1.4.2 → production: live',
      buttons: ['Logs', 'Restart…'],
    },
  ],
  [
    'failed and rolled back',
    { deploy: { phase: 'rolled_back', ...ran, rollback }, diagnosis, progress: ready(6, 6) },
    {
      head: ':leftwards_arrow_with_hook: *web* `1.4.2` failed in *production*, rolled back to `1.4.1` · 1 m 48 s',
      text: `web 1.4.2 → production: failed, rolled back to 1.4.1: ${diagnosis.cause.message}`,
      says: [
        diagnosis.cause.message,
        '`1.4.1` is serving, 6/6 ready.',
        '`Error: connect ECONNREFUSED 10.0.0.7:5432` (last lines and events in the thread)',
      ],
      buttons: ['Retry…', 'Logs'],
    },
  ],
  [
    'failed and left as it is',
    { deploy: { phase: 'failed', ...ran, cause: { reason: 'deadline', message: 'It took too long.' } } },
    {
      head: ':x: *web* `1.4.2` failed in *production* · 1 m 48 s',
      text: 'web 1.4.2 → production: failed: It took too long.',
      says: ['It took too long.'],
      buttons: ['Retry…', 'Roll back to 1.4.1…', 'Logs'],
    },
  ],
  [
    'refused before it reached the cluster',
    {
      deploy: {
        phase: 'failed',
        prepared: null,
        endedAt: now,
        cause: { reason: 'image_not_found', message: 'There is no image web:1.4.2. See: gkube history web' },
      },
    },
    {
      head: ':x: *web* `1.4.2` failed in *production* · 1 m 00 s',
      text: 'web 1.4.2 → production: failed: There is no image web:1.4.2. See: /gkube history web in production',
      says: ['See: /gkube history web in production'],
      buttons: ['Retry…'],
    },
  ],
  [
    'and the rollback failed too',
    { deploy: { phase: 'rollback_failed', ...ran, rollback }, diagnosis },
    {
      head: ':x: *web* `1.4.2` failed in *production*, and the rollback to `1.4.1` failed too · 1 m 48 s',
      text: `web 1.4.2 → production: failed, and the rollback to 1.4.1 failed too: ${diagnosis.cause.message}`,
      buttons: ['Retry…', 'Roll back to 1.4.1…', 'Logs'],
    },
  ],
  [
    'cancelled while it waited',
    { deploy: { phase: 'cancelled', endedAt: now, cancelledBy: ben } },
    {
      head: ':no_entry: *web* `1.4.1` → `1.4.2` · *production* · cancelled by ben',
      text: 'web 1.4.2 → production: cancelled by ben',
      buttons: ['Retry…'],
    },
  ],
  [
    'cancelled while it ran, and rolled back',
    { deploy: { phase: 'cancelled', ...ran, cancelledBy: ben, rollback } },
    {
      head: ':no_entry: *web* `1.4.1` → `1.4.2` · *production* · cancelled by ben, rolled back to 1.4.1',
      text: 'web 1.4.2 → production: cancelled by ben, rolled back to 1.4.1',
      buttons: ['Retry…', 'Logs'],
    },
  ],
  [
    'cancelled while it ran, and left',
    { deploy: { phase: 'cancelled', ...ran, cancelledBy: ben } },
    {
      head: ':no_entry: *web* `1.4.1` → `1.4.2` · *production* · cancelled by ben',
      text: 'web 1.4.2 → production: cancelled by ben',
      says: ['What had begun stays as it is.'],
      buttons: ['Retry…', 'Roll back to 1.4.1…', 'Logs'],
    },
  ],
  [
    'denied',
    {
      deploy: {
        phase: 'denied',
        endedAt: now,
        approval: approval({ votes: [vote(ben, 'deny', 'not on a Friday')] }),
        cause: { reason: 'denied', message: 'Denied by ben: not on a Friday.' },
      },
    },
    {
      head: ':no_entry: *web* `1.4.1` → `1.4.2` · *production* · denied',
      text: 'web 1.4.2 → production: denied: Denied by ben: not on a Friday.',
      says: ['@ben: “not on a Friday”'],
      buttons: [],
    },
  ],
  [
    'expired',
    { deploy: { phase: 'expired', endedAt: now, approval: approval() } },
    {
      head: ':no_entry: *web* `1.4.1` → `1.4.2` · *production* · expired, nobody approved it in time',
      text: 'web 1.4.2 → production: expired, nobody approved it in time',
      buttons: ['Ask again…'],
    },
  ],
  [
    'superseded: no buttons',
    { deploy: { phase: 'superseded', endedAt: now, supersededBy: '01k2' } },
    {
      head: ':no_entry: *web* `1.4.1` → `1.4.2` · *production* · superseded by a newer one',
      text: 'web 1.4.2 → production: superseded by a newer one',
      buttons: [],
    },
  ],
]

const render = ({ deploy: over, ...rest }: Case[1]) => renderer.main(facts({ ...rest, deploy: deploy(over) }))

const ofCode: readonly Case[] = [
  [
    'code that waits for approval: its hash is shown as a digest is',
    {
      deploy: { ...site, phase: 'awaiting_approval', approval: approval() },
      planned: { ...planned, changes: ['code 1 → 2'], notes: [] },
    },
    {
      head: ':hourglass_flowing_sand: *site* `1` → `2` · *production* · waiting for 1 of 1 approval',
      text: 'site 2 → production: waiting for 1 of 1 approval',
      says: [
        'code `site-2.tgz` `sha256:0b77e3f1c9d2b6…` · image `docker.io/nginxinc/nginx-unprivileged:1.29`',
      ],
      buttons: ['Approve', 'Approve with comment…', 'Deny…', 'Override…', 'Cancel'],
    },
  ],
  [
    'publishing code',
    {
      deploy: {
        ...site,
        phase: 'running',
        startedAt: now - 12_000,
        steps: steps(['volume', 'publish', 'apply', 'rollout'], 'publish'),
      },
      progress: { ready: 0, wanted: 0, message: 'fetch', at: now },
    },
    {
      head: ':arrows_counterclockwise: *site* `1` → `2` · *production* · publishing its code, 12 s',
      text: 'site 2 → production: publishing its code, 12 s',
      says: ['✓ volume 8 s\u2003▸ publish\u2003· apply\u2003· rollout', 'getting and unpacking the artifact'],
      buttons: ['Cancel…'],
    },
  ],
  [
    'publishing code that failed: what serves was not touched',
    {
      deploy: {
        ...site,
        phase: 'failed',
        reason: 'publish_failed',
        startedAt: now - 9_000,
        endedAt: now,
        steps: steps(['publish', 'apply', 'rollout'], 'publish', 'failed'),
      },
      diagnosis: broken,
    },
    {
      head: ':x: *site* `2` failed in *production* · 9 s',
      text: 'site 2 → production: failed: publish failed: fetch ended with exit code 2. ../etc/passwd leads out of the release',
      says: [
        'publish failed: fetch ended with exit code 2. ../etc/passwd leads out of the release',
        'Last lines and events are in the thread.',
      ],
      buttons: ['Retry…', 'Logs'],
    },
  ],
]

describe('the message of a deploy', () => {
  it.each([...cases, ...ofCode])('%s', (_, given, expected) => {
    const message = render(given)
    expect(problemsOf('message', message)).toEqual([])
    const words = wordsOf(message)
    expect(words.split('\n')[0]).toBe(expected.head)
    expect(message.text).toBe(expected.text)
    for (const said of expected.says ?? []) expect(words).toContain(said)
    expect(labels(message.blocks)).toEqual(expected.buttons)
  })

  it('has a case for each phase', () => {
    const covered = new Set<Phase | undefined>(cases.map(([, given]) => given.deploy.phase))
    expect(phases.filter(phase => !covered.has(phase))).toEqual([])
  })

  it('mentions nobody, in any state', () => {
    for (const [, given] of cases) expect(JSON.stringify(render(given))).not.toMatch(/<[@!]/)
  })

  it('begins with one emoji, and has no other', () => {
    for (const [, given] of cases) {
      const words = wordsOf(render(given))
      expect(words).toMatch(/^:[a-z_]+: /)
      expect(words.match(/(?<![\w/]):[a-z]\w*:(?!\w)/g)).toHaveLength(1)
    }
  })

  it('says an override loudly in every later state', () => {
    for (const phase of ['ready', 'running', 'succeeded', 'failed'] as const)
      expect(
        wordsOf(render({ deploy: { phase, overridden: { by: cho, reason: 'outage', at: now } } })).split(
          '\n',
        )[1],
      ).toBe('*OVERRIDDEN* by @cho, without the approvals it needs or through a freeze: “outage”')
  })
})

describe('other kinds', () => {
  const params = deploy().params
  it.each<[string, Partial<Deploy>, string, string, readonly string[]]>([
    [
      'scale',
      { kind: 'scale', params: { ...params, replicas: 3 } },
      '*web* scale to 3 · *production*',
      '*web* runs 3 times in *production*',
      ['Logs', 'Restart…'],
    ],
    [
      'restart',
      { kind: 'restart' },
      '*web* restart · *production*',
      '*web* is restarted in *production*',
      ['Logs', 'Restart…'],
    ],
    ['delete', { kind: 'delete' }, '*web* delete · *production*', '*web* is deleted from *production*', []],
    [
      'rollback',
      { kind: 'rollback' },
      '*web* rollback `1.4.1` → `1.4.2`',
      '*web* is back to `1.4.2` in *production*',
      ['Roll back to 1.4.1…', 'Logs', 'Restart…'],
    ],
    [
      'redeploy',
      { kind: 'redeploy' },
      '*web* redeploy `1.4.1` → `1.4.2`',
      '*web* `1.4.2` is live in *production*',
      ['Roll back to 1.4.1…', 'Logs', 'Restart…'],
    ],
    [
      'the same revision with other settings',
      { kind: 'redeploy', revision: '1.4.1' },
      '*web* redeploy `1.4.1`',
      '*web* `1.4.1` is live in *production*',
      ['Logs', 'Restart…'],
    ],
    [
      'adopt',
      {
        kind: 'adopt',
        params: {
          ...params,
          adopt: {
            kind: 'Deployment',
            name: 'old-web',
            forceFrom: [],
            takeFrom: [],
            replaceByDeployment: false,
            confirm: '',
          },
        },
      },
      '*web* adopts Deployment old-web',
      "Deployment old-web is *web*'s in *production*",
      ['Logs', 'Restart…'],
    ],
  ])('%s', (_, over, waiting, done, buttons) => {
    expect(wordsOf(render({ deploy: { ...over, phase: 'ready' } }))).toContain(waiting)
    const message = render({ deploy: { ...over, phase: 'succeeded', ...ran } })
    expect(wordsOf(message)).toContain(done)
    expect(labels(message.blocks)).toEqual(buttons)
    const failed = render({ deploy: { ...over, phase: 'failed', ...ran } })
    expect(wordsOf(failed)).toContain('failed in *production*')
    expect(problemsOf('message', failed)).toEqual([])
  })
})

describe('buttons', () => {
  const all = cases.flatMap(([, given]) => buttonsIn(render(given).blocks))

  it('carry the id of the deploy, or of the lock, and nothing else', () => {
    for (const one of all)
      expect(one.value).toBe(one.text === 'Unlock…' ? 'production/' : '01k0000000000000000000web1')
  })

  it.each([
    [
      'Approve',
      'web 1.4.1 → 1.4.2 in production (cluster eu-1, namespace shop). With the last approval it starts.',
      'danger',
    ],
    [
      'Roll back to 1.4.1…',
      'Roll back web in production (cluster eu-1, namespace shop) from 1.4.2 to 1.4.1? Migrations are not undone.',
      'danger',
    ],
    [
      'Restart…',
      'Restart web in production (cluster eu-1, namespace shop)? Its pods are replaced one after the other, the revision stays.',
      'danger',
    ],
    [
      'Retry…',
      'web 1.4.1 → 1.4.2 in production (cluster eu-1, namespace shop), as a new deploy that needs approval.',
      'danger',
    ],
    ['Unlock…', 'Unlock production? What waits for it starts.', undefined],
  ])('%s asks once more', (text, words, style) =>
    expect(all.find(one => one.text === text)?.confirm).toEqual({ text: words, style }),
  )

  it.each([
    ['web in production', 'production/web'],
    ['production', 'production/'],
    ['Everything', '/'],
  ])('unlock what holds it: %s', (what, value) => {
    const message = render({ deploy: { phase: 'ready', readyAt: now }, waiting: `${what} ${lock}` })
    expect(buttonsIn(message.blocks)[0]).toMatchObject({ text: 'Unlock…', value })
  })

  it('are red for production only, apart from going back', () => {
    const calm = (over: Partial<Deploy>) =>
      buttonsIn(render({ deploy: { environment: 'staging', ...over }, environment: staging }).blocks)
    const waiting = calm({ phase: 'awaiting_approval', approval: approval() })
    expect(waiting.map(one => [one.text, one.confirm])).toEqual([
      ['Approve', null],
      ['Approve with comment…', null],
      ['Deny…', null],
      ['Cancel', null],
    ])
    const done = calm({ phase: 'succeeded', ...ran })
    expect(done.map(one => one.confirm?.style)).toEqual(['danger', undefined, undefined])
    expect(
      buttonsIn(render({ deploy: { phase: 'awaiting_approval', approval: approval() } }).blocks).map(
        one => one.style,
      ),
    ).toEqual(['primary', undefined, undefined, 'danger', undefined])
  })

  it('say beside them what was shown, so that nothing newer is approved by them', () => {
    const { blocks } = render({ deploy: { phase: 'awaiting_approval', approval: approval() } })
    const row = blocks.at(-1) as { type: string; block_id?: string }
    expect(row.type).toBe('actions')
    expect(shownHash(row.block_id)).toBe(hash)
    expect(shownHash('bXy1')).toBeUndefined()
    expect(render({ deploy: { phase: 'ready' } }).blocks.at(-1)).not.toHaveProperty('block_id')
  })

  it('treat an environment that is gone with care', () => {
    const message = render({
      deploy: { phase: 'awaiting_approval', approval: approval() },
      environment: null,
    })
    expect(buttonsIn(message.blocks)[0]?.confirm?.style).toBe('danger')
    expect(labels(message.blocks)).not.toContain('Override…')
  })
})

describe('links', () => {
  const words = (over: Partial<Deploy>, more: Partial<MessageFacts> = {}) =>
    wordsOf(renderer.main(facts({ ...more, deploy: deploy({ phase: 'succeeded', ...ran, ...over }) })))

  it('fill in the template by url-encoded parts', () => {
    const base = {
      ...(deploy().prepared as NonNullable<Deploy['prepared']>),
      base: { revision: 'a|b>&', spec: 's', overrides: null },
    }
    expect(words({ prepared: base, revision: 'x/../y' })).toContain(
      '<https://github.com/acme/web/compare/a%7Cb%3E%26...x%2F..%2Fy|commits>',
    )
  })

  it.each([
    ['a script', 'javascript:alert(1)', 'shop/web #214'],
    ['no address', null, 'shop/web #214'],
  ])('%s is no link', (_, url, text) => {
    const said = words({ source: { job: 'shop/web', build: 214, url, note: '' } })
    expect(said).toContain(`· ${text}`)
    expect(said).not.toContain('javascript')
  })

  it('name the build once that began it by itself', () => {
    const said = words({
      requestedBy: { id: 'jenkins:shop/web', name: 'shop/web #214', via: 'jenkins' },
      source: { job: 'shop/web', build: 214, url: null, note: '' },
    })
    expect(said).toContain('by build shop/web #214')
    expect(said.match(/#214/g)).toHaveLength(1)
  })

  it('compare nothing with itself', () => {
    expect(words({ revision: '1.4.1' })).not.toContain('commits')
    expect(words({ revision: '1.4.1' })).not.toContain('was ')
  })

  it('show what was said with the request', () =>
    expect(
      words({ requestedBy: ana, source: { job: null, build: null, url: null, note: 'fix <!channel>' } }),
    ).toContain('“fix &lt;!channel&gt;”'))
})
