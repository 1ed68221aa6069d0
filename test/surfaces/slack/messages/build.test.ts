// The message of a build and its thread in every state: one glance, one line for notifications, the buttons that fit, and
// who is woken up.
import { describe, expect, it } from 'vitest'
import type { Build } from '../../../../src/core/builds/build.ts'
import type { BuildMessageFacts, ThreadEntry } from '../../../../src/core/messages.ts'
import { build, buildFacts, input, over, renderer } from './build-sample.ts'
import { ana, ben, buttonsIn, labels, now, wordsOf } from './sample.ts'

const link = '*<https://ci.example.com/job/shop/job/web/214/|shop/web #214>*'
const failed = { total: 412, failed: 3, skipped: 1, names: ['a.B.c', 'a.B.`d`'] }

type Row = readonly [name: string, one: Build, first: string, text: string, buttons: readonly string[]]
const states: readonly Row[] = [
  [
    'asked',
    build({ phase: 'asked', number: null, url: null, branch: null, changes: [], askedBy: ana }),
    ':hourglass_flowing_sand: *shop/web* is about to be asked of Jenkins',
    'shop/web: is about to be asked of Jenkins',
    ['Stop…'],
  ],
  [
    'queued',
    build({ phase: 'queued', number: null, url: null, branch: null, changes: [] }),
    ':hourglass_flowing_sand: *shop/web* waits in Jenkins’ queue',
    'shop/web: waits in Jenkins’ queue',
    ['Stop…'],
  ],
  [
    'running',
    build(),
    `:arrows_counterclockwise: ${link} runs, 2 m 00 s (usual 3 m 00 s) · main · Ana +1`,
    'shop/web #214: runs, 2 m 00 s (usual 3 m 00 s)',
    ['Stop…', 'Log'],
  ],
  [
    'being stopped',
    build({ stop: { by: ben, at: now, state: 'sent' } }),
    `:arrows_counterclockwise: ${link} is being stopped, 2 m 00 s (usual 3 m 00 s) · main · Ana +1`,
    'shop/web #214: is being stopped, 2 m 00 s (usual 3 m 00 s)',
    ['Log'],
  ],
  [
    'at an input',
    build({ inputs: [input()] }),
    `:hourglass_flowing_sand: ${link} waits for an answer: Publish this build? · main · Ana +1`,
    'shop/web #214: waits for an answer: Publish this build?',
    ['Stop…', 'Log'],
  ],
  [
    'told by a hook, not confirmed',
    build({ phase: 'finishing', result: 'SUCCESS' }),
    `:arrows_counterclockwise: ${link} passed, not confirmed yet · main · Ana +1`,
    'shop/web #214: passed, not confirmed yet',
    ['Log'],
  ],
  [
    'told by a hook, and never confirmed',
    over('SUCCESS', { verified: false, toldAt: now, turn: null, durationMs: null, tests: null }),
    `:no_entry: ${link} passed (usual 3 m 00 s), never confirmed · main · Ana +1`,
    'shop/web #214: passed (usual 3 m 00 s), never confirmed',
    ['Log', 'Build again…'],
  ],
  [
    'passed',
    over('SUCCESS'),
    `:white_check_mark: ${link} passed in 3 m 10 s (usual 3 m 00 s) · main · Ana +1 · 412 tests`,
    'shop/web #214: passed in 3 m 10 s (usual 3 m 00 s), 412 tests',
    ['Log', 'Build again…'],
  ],
  [
    'back to normal',
    over('SUCCESS', { turn: 'back_to_normal', usualMs: null }),
    `:white_check_mark: ${link} passed in 3 m 10 s: back to normal · main · Ana +1 · 412 tests`,
    'shop/web #214: passed in 3 m 10 s: back to normal, 412 tests',
    ['Log', 'Build again…'],
  ],
  [
    'failed for the first time',
    over('FAILURE', { tests: failed }),
    `:x: ${link} failed after 3 m 10 s · main · <@U0ANA>, Zoe &lt;z@x&gt; · 3 of 412 tests fail`,
    'shop/web #214: failed after 3 m 10 s, 3 of 412 tests fail',
    ['Log', 'Build again…'],
  ],
  [
    'failed again',
    over('UNSTABLE', { turn: 'still_failing', failingSince: 210, tests: failed }),
    `:x: ${link} is still unstable after 3 m 10 s, failing since #210 · main · Ana +1 · 3 of 412 tests fail`,
    'shop/web #214: is still unstable after 3 m 10 s, failing since #210, 3 of 412 tests fail',
    ['Log', 'Build again…'],
  ],
  [
    'stopped by a person',
    over('ABORTED', { turn: 'aborted', tests: null, stop: { by: ben, at: now, state: 'sent' } }),
    `:no_entry: ${link} was stopped by ben after 3 m 10 s · main · Ana +1`,
    'shop/web #214: was stopped by ben after 3 m 10 s',
    ['Log', 'Build again…'],
  ],
  [
    'refused by Jenkins',
    build({
      phase: 'not_started',
      number: null,
      url: null,
      branch: null,
      changes: [],
      note: 'It is disabled.',
    }),
    ':x: *shop/web* was not started',
    'shop/web: was not started',
    ['Build again…'],
  ],
  [
    'joined to another one',
    build({ phase: 'not_started', number: null, url: null, branch: null, changes: [], joined: '01kother' }),
    ':no_entry: *shop/web* joined a build that waited in the queue already',
    'shop/web: joined a build that waited in the queue already',
    ['Build again…'],
  ],
]

describe('the message', () => {
  it.each(states)('%s', (_, one, first, text, buttons) => {
    const message = renderer.main(buildFacts(one))
    expect(wordsOf(message).split('\n')[0]).toBe(first)
    expect(message.text).toBe(text)
    expect(labels(message)).toEqual(buttons)
  })

  it('shows stages and the time against the usual one while it runs, and not the time of the stage that runs', () => {
    const stages: Build['stages'] = [
      { name: 'Checkout', state: 'success', ms: 4_000 },
      { name: 'Test & <go>', state: 'running', ms: 60_000 },
      { name: 'Publish', state: 'waiting', ms: 0 },
    ]
    const words = wordsOf(renderer.main(buildFacts(build({ stages }))))
    expect(words).toContain('✓ Checkout 4 s\u2003▸ Test &amp; &lt;go&gt;\u2003· Publish')
    expect(words).toContain('▰▰▰▰▰▰▰▰▱▱▱▱ 66 % of the usual time')
  })

  it('shows those stages that matter, of fifty', () => {
    const stages = Array.from({ length: 50 }, (_, n) => ({
      name: `s${n}`,
      state: n < 30 ? ('success' as const) : n === 30 ? ('running' as const) : ('waiting' as const),
      ms: 10,
    }))
    const words = wordsOf(renderer.main(buildFacts(build({ stages }))))
    expect(words).toContain('✓ 25 before')
    expect(words).toContain('▸ s30')
    expect(words).toContain('and 13 more')
  })

  it('names failed tests, some of them', () => {
    const names = Array.from({ length: 20 }, (_, n) => `shop.T.t${n}`)
    const words = wordsOf(
      renderer.main(buildFacts(over('FAILURE', { tests: { ...failed, failed: 31, names } }))),
    )
    expect(words).toContain('• `shop.T.t4`\n• and 26 more')
  })

  it('says what becomes of it in each place, and offers the others', () => {
    const at = { app: 'web', revision: '1.4.2' }
    const one = over('SUCCESS', {
      deploys: [
        { ...at, id: 'd1', environment: 'staging', phase: 'failed' },
        { ...at, id: 'd2', environment: 'staging', phase: 'running' },
      ],
      offers: [
        { ...at, environment: 'preview', loud: false },
        { ...at, environment: 'staging', loud: false },
        { ...at, environment: 'production', loud: true },
      ],
    })
    const message = renderer.main(buildFacts(one))
    expect(wordsOf(message)).toContain(
      'staging: deploying `1.4.2` ↓ in the thread\nproduction can have `1.4.2`',
    )
    expect(buttonsIn(message).map(({ text, value, style }) => [text, value, style])).toEqual([
      ['Deploy to preview', '01kbuild/preview/web', undefined],
      ['Deploy to production', '01kbuild/production/web', 'primary'],
      ['Log', '01kbuild', undefined],
      ['Build again…', '01kbuild', undefined],
    ])
    const production = buttonsIn(message).find(({ text }) => text === 'Deploy to production')
    expect(production?.confirm).toEqual({
      text: 'Deploy web 1.4.2 of shop/web #214 to production (cluster eu-1, namespace shop)?',
      style: 'danger',
    })
    const live = {
      ...one,
      deploys: [{ ...at, id: 'd3', environment: 'production', phase: 'succeeded' as const }],
    }
    expect(wordsOf(renderer.main(buildFacts(live)))).toContain('production: `1.4.2` is live')
    expect(labels(renderer.main(buildFacts(live)))).not.toContain('Deploy to production')
  })

  it('offers nothing of a build that failed', () => {
    const offers = [{ app: 'web', environment: 'staging', revision: '1.4.2', loud: true }]
    expect(labels(renderer.main(buildFacts(over('FAILURE', { offers }))))).not.toContain('Deploy to staging')
  })

  it('names the app where the build feeds several', () => {
    const at = { id: 'd', environment: 'staging', revision: '7', phase: 'succeeded' as const }
    const deploys = [
      { ...at, app: 'web' },
      { ...at, app: 'api' },
    ]
    const words = wordsOf(renderer.main(buildFacts(over('SUCCESS', { deploys }))))
    expect(words).toContain('web in staging: `7` is live\napi in staging: `7` is live')
  })

  it('says who asked and with what; what looks like a secret is not shown', () => {
    const parameters = { BRANCH: 'main', TOKEN: 'ghp_0123456789abcdefghijklmnopqrstuvwxyzAB' }
    const words = wordsOf(renderer.main(buildFacts(build({ askedBy: ana, parameters }))))
    expect(words).toContain('asked by @ana · `BRANCH=main`')
    expect(words).not.toContain('ghp_0123456789')
  })

  it('links its console, and its tests where there is a report; nothing of what is still in the queue', () => {
    const url = 'https://jenkins.example.com/job/shop/job/web/214/'
    const links = (more: Partial<Build>) =>
      [
        ...wordsOf(renderer.main(buildFacts(over('SUCCESS', { url, ...more })))).matchAll(
          /<(https[^|>]+)\|/g,
        ),
      ].map(([, address]) => address)
    expect(links({ tests: { total: 4, failed: 0, skipped: 0, names: [] } })).toEqual([
      url,
      `${url}console`,
      `${url}testReport/`,
    ])
    expect(links({ tests: null })).toEqual([url, `${url}console`])
    expect(links({ tests: null, number: null, phase: 'queued' })).toEqual([url])
  })
})

const thread = (one: Build, more: Partial<BuildMessageFacts> = {}): readonly ThreadEntry[] =>
  renderer.thread(buildFacts(one, more))
const said = (entries: readonly ThreadEntry[]) =>
  entries.map(({ key, broadcast, edit }) => [key.replace(/-[0-9a-f]{12}-\d+$/, ''), broadcast, edit ?? ''])
const console = { schema: 1 as const, lines: ['compiling', 'Error: no cart', 'Finished: FAILURE'], at: now }
const offers = [{ app: 'web', environment: 'production', revision: '1.4.2', loud: true }]

describe('the thread', () => {
  const rows: readonly [string, Build, Partial<BuildMessageFacts>, readonly unknown[]][] = [
    ['nothing while it runs', build(), {}, []],
    ['nothing for a success', over('SUCCESS'), {}, []],
    ['a first failure, loud', over('FAILURE'), { console }, [['failed', true, '']]],
    [
      'the console only, where the message itself was the news',
      over('FAILURE'),
      { console, events: 'changes' },
      [['console', false, '']],
    ],
    [
      'a first failure below another message, loud',
      over('FAILURE'),
      { events: 'changes', inThread: true },
      [['failed', true, '']],
    ],
    [
      'a repeated failure, quiet',
      over('FAILURE', { turn: 'still_failing' }),
      { console },
      [['console', false, '']],
    ],
    ['nothing more of one without a console', over('FAILURE', { turn: 'still_failing' }), {}, []],
    ['an aborted build, nothing', over('ABORTED', { turn: 'aborted' }), { console }, []],
    ['back to normal, loud', over('SUCCESS', { turn: 'back_to_normal' }), {}, [['back-to-normal', true, '']]],
    [
      'back to normal as news of its own',
      over('SUCCESS', { turn: 'back_to_normal' }),
      { events: 'failures' },
      [],
    ],
    ['a loud offer', over('SUCCESS', { offers }), {}, [['offer-production_web', true, 'too']]],
    [
      'a loud offer that was taken: an edit only',
      over('SUCCESS', {
        offers,
        deploys: [{ id: 'd', app: 'web', environment: 'production', revision: '1.4.2', phase: 'running' }],
      }),
      {},
      [['offer-production_web', false, 'only']],
    ],
    [
      'a quiet offer, nothing',
      over('SUCCESS', { offers: offers.map(one => ({ ...one, loud: false })) }),
      {},
      [],
    ],
    ['an input, loud', build({ inputs: [input()] }), { events: 'changes' }, [['input', true, 'too']]],
    [
      'an input that was answered elsewhere',
      build({ inputs: [input({ over: true })] }),
      {},
      [['input', false, 'only']],
    ],
    [
      'an input of a build that is over',
      over('ABORTED', { inputs: [input()] }),
      {},
      [['input', false, 'only']],
    ],
    [
      'one that was refused: who asked is told',
      build({ phase: 'not_started', askedBy: ana, note: 'No.' }),
      {},
      [['not-started', false, '']],
    ],
  ]
  it.each(rows)('%s', (_, one, more, expected) => {
    expect(said(thread(one, more))).toEqual(expected)
  })

  it('a first failure says whose it is, the tests, and the line that tells most; the console is a file', () => {
    const [entry] = thread(over('FAILURE', { tests: failed, askedBy: ben }), { console })
    const words = wordsOf(entry?.message ?? { text: '', blocks: [] })
    expect(words).toContain('<@U0BEN>, <@U0ANA>, Zoe &lt;z@x&gt;')
    expect(words).toContain("• `a.B.'d'`")
    expect(words).toContain('`Error: no cart`')
    expect(entry?.files).toEqual([
      {
        name: 'shop-web-214-console.txt',
        title: 'The end of the console of shop/web #214',
        content: 'compiling\nError: no cart\nFinished: FAILURE\n',
      },
    ])
  })

  it('who asked and committed is mentioned once', () => {
    const [entry] = thread(over('FAILURE', { askedBy: ana }))
    expect(entry?.message.blocks[0] && wordsOf(entry.message).match(/<@U0ANA>/g)).toHaveLength(1)
  })

  it('an offer that was taken says what became of it, a commit by its first characters', () => {
    const revision = 'e732ccad05347f587a8c21acd4f20df342a0f82a'
    const deploys = [
      { id: 'd', app: 'web', environment: 'production', revision, phase: 'succeeded' as const },
    ]
    const [entry] = thread(over('SUCCESS', { deploys }))
    expect(entry).toMatchObject({ key: 'offer-production_web', edit: 'only', broadcast: false })
    expect(wordsOf(entry?.message ?? { text: '', blocks: [] })).toBe(
      `*production*: \`e732ccad05\` is live, of ${link}`,
    )
  })

  it('an input has its own words on the button; with parameters a dialog comes', () => {
    const plain = thread(build({ inputs: [input()], askedBy: ana }))[0]
    expect(buttonsIn(plain?.message.blocks).map(({ text, action, value }) => [text, action, value])).toEqual([
      ['Publish', 'gkube:build_proceed', '01kbuild/Publish'],
      ['Abort', 'gkube:build_abort', '01kbuild/Publish'],
    ])
    expect(wordsOf(plain?.message ?? { text: '', blocks: [] })).toMatch(
      /^<@U0ANA> .* asks: Publish this build\?$/,
    )
    const parameters = [
      { name: 'NOTE', type: 'string' as const, description: '', choices: [], default: null },
    ]
    const more = thread(build({ inputs: [input({ parameters, submitters: ['ben'] })] }))[0]
    expect(buttonsIn(more?.message.blocks)[0]).toMatchObject({
      text: 'Publish…',
      action: 'gkube:build_input',
    })
    expect(wordsOf(more?.message ?? { text: '', blocks: [] })).toContain(
      'Jenkins takes the answer of ben only.',
    )
  })

  const answer = {
    decision: 'proceed' as const,
    by: ben,
    at: now,
    state: 'sent' as const,
    parameters: {},
    note: '',
  }
  it.each([
    ['sent', answer, '*Publish*, by @ben at 14:00 UTC.'],
    [
      'on its way',
      { ...answer, state: 'wanted' as const },
      '*Publish*, by @ben at 14:00 UTC; Jenkins is being told.',
    ],
    ['an abort', { ...answer, decision: 'abort' as const }, '*Abort*, by @ben at 14:00 UTC.'],
    [
      'refused',
      { ...answer, state: 'refused' as const, note: 'Not permitted.' },
      'Jenkins refused it; it can be answered <https://ci.example.com/job/shop/job/web/214/|in Jenkins>.\nNot permitted.',
    ],
    ['with values', { ...answer, parameters: { NOTE: 'x `y`' } }, "NOTE=x 'y'"],
  ])('an answer: %s', (_, given, words) => {
    const [entry] = thread(build({ inputs: [input({ answer: given })] }))
    expect(wordsOf(entry?.message ?? { text: '', blocks: [] })).toContain(words)
    expect(labels(entry?.message.blocks)).toEqual([])
  })
})
