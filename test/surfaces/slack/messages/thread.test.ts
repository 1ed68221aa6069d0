// The thread of a deploy: what wakes people up, whom it mentions, what is shown in the channel too.
import { describe, expect, it } from 'vitest'
import type { Deploy, Diagnosis } from '../../../../src/core/deploy.ts'
import { phases } from '../../../../src/core/deploy.ts'
import type { MessageFacts, Planned, ThreadEntry } from '../../../../src/core/messages.ts'
import { problemsOf } from '../../../../src/sandbox/slack/validate.ts'
import {
  ana,
  approval,
  ben,
  cho,
  deploy,
  facts,
  jenkins,
  labels,
  now,
  renderer,
  vote,
  wordsOf,
} from './sample.ts'

const planned: Planned = {
  schema: 1,
  changes: ['image 1.4.1 → 1.4.2'],
  notes: [],
  diff: '- image: web:1.4.1\n+ image: web:1.4.2\n',
  since: [],
  voided: [],
  at: now,
}
const diagnosis: Diagnosis = {
  cause: { reason: 'image_not_found', message: 'image `shop/web:1.4.9` does not exist in the registry.' },
  seen: ['2 of 2 new pods ImagePullBackOff for 40 s · old pods untouched, 3/3 ready', 'nothing else'],
  tries: ['check the tag, or `gkube history web` for one that exists'],
  events: [
    { at: now, type: 'Warning', reason: 'Failed', object: 'Pod web-1', message: 'no such image', count: 3 },
  ],
  log: null,
  at: now,
}
const rollback = { attemptedAt: now - 9000, spec: 'spec-1', revision: '1.4.1' }
const ran = { startedAt: now - 108_000, endedAt: now }

const thread = ({
  deploy: over,
  ...rest
}: Partial<Omit<MessageFacts, 'deploy'>> & { deploy: Partial<Deploy> }) =>
  renderer.thread(facts({ ...rest, deploy: deploy(over) }))
const keys = (entries: readonly ThreadEntry[]) => entries.map(entry => entry.key)
const only = (entries: readonly ThreadEntry[], key: string): ThreadEntry => {
  const found = entries.filter(entry => entry.key.startsWith(key))
  expect(found).toHaveLength(1)
  return found[0] as ThreadEntry
}

describe('a request for approval', () => {
  const asked = { phase: 'awaiting_approval', approval: approval() } as const

  it('mentions who asked, once, and has the whole diff', () => {
    const entry = only(thread({ deploy: asked, planned }), 'request-a1b2c3d4')
    expect(wordsOf(entry.message)).toBe(
      '<@U0ANA>: it waits for 1 approval, until 14:30 UTC.\n```\n- image: web:1.4.1\n+ image: web:1.4.2\n```',
    )
    expect(entry).toMatchObject({ broadcast: false, files: [] })
    expect(entry.message.text).toBe('It waits for 1 approval, until 14:30 UTC')
  })

  it('has a long diff as a file', () => {
    const diff = Array.from({ length: 300 }, (_, i) => `+ line ${i}`).join('\n')
    const entry = only(thread({ deploy: asked, planned: { ...planned, diff } }), 'request')
    expect(entry.files).toEqual([
      { name: 'web-production-a1b2c3d4.diff', title: 'What web changes in production', content: `${diff}\n` },
    ])
    expect(wordsOf(entry.message)).toContain('The full diff is in the file.')
  })

  it('in the thread of a build is shown in the channel, with its buttons; the diff stays in the thread', () => {
    const entries = thread({ deploy: asked, planned, inThread: true })
    expect(keys(entries)).toEqual(['request-a1b2c3d4', 'diff-a1b2c3d4'])
    const [request, diff] = entries
    expect(request).toMatchObject({ broadcast: true, edit: 'too' })
    expect(labels(request?.message.blocks)).toEqual([
      'Approve',
      'Approve with comment…',
      'Deny…',
      'Override…',
    ])
    expect(JSON.stringify(request?.message.blocks)).toContain(`shown:${deploy().id}:a1b2c3d4e5f60718`)
    expect(wordsOf(request?.message ?? { text: '', blocks: [] })).toBe(
      ':hourglass_flowing_sand: *web* `1.4.1` → `1.4.2` · *production* · waiting for 1 of 1 approval\nasked by <@U0ANA>, until 14:30 UTC\n*Changes*: image 1.4.1 → 1.4.2 (full diff in the thread)',
    )
    expect(diff).toMatchObject({ broadcast: false })
    expect(wordsOf(diff?.message ?? { text: '', blocks: [] })).toContain('+ image: web:1.4.2')
  })

  it('in the thread of a build names the commits beside the buttons', () => {
    const commits = { list: [{ commit: 'a1', author: 'ana', message: 'Fix the cart' }], total: 1, all: true }
    const [request] = thread({ deploy: asked, planned: { ...planned, commits }, inThread: true })
    expect(wordsOf(request?.message ?? { text: '', blocks: [] })).toContain(
      '*1 commit* by ana since `1.4.1`: Fix the cart',
    )
  })

  it.each([
    ['approved', { phase: 'running', approval: approval({ votes: [vote(ben)] }) }, 'approved by @ben'],
    [
      'denied',
      { phase: 'denied', approval: approval({ votes: [vote(ben, 'deny', 'no')] }) },
      'denied by @ben',
    ],
    ['expired', { phase: 'expired', approval: approval() }, 'expired, not approved'],
    ['cancelled', { phase: 'cancelled', approval: approval() }, 'cancelled, not approved'],
    [
      'overridden',
      { phase: 'running', approval: approval(), overridden: { by: cho, reason: 'fire', at: now, hash: '' } },
      'overridden by @cho',
    ],
  ] as const)('in the thread of a build, once it is %s, says so in its place', (_, over, words) => {
    const entry = only(thread({ deploy: over as Partial<Deploy>, planned, inThread: true }), 'request')
    expect(entry).toMatchObject({ key: 'request-a1b2c3d4', broadcast: false, edit: 'only' })
    expect(wordsOf(entry.message)).toBe(`*web* \`1.4.1\` → \`1.4.2\` · *production* · ${words}`)
  })

  it('is another one after what would run changed, and says whose votes are void', () => {
    const again = thread({
      deploy: {
        ...asked,
        prepared: { ...(deploy().prepared as NonNullable<Deploy['prepared']>), hash: 'ffff0000ffff' },
      },
      planned: { ...planned, voided: ['ben', 'cho'], since: ['replicas 2 → 3'] },
    })
    expect(keys(again)).toEqual([`voided-${now}`, 'request-ffff0000'])
    expect(wordsOf(again[0]?.message as ThreadEntry['message'])).toBe(
      '<@U0ANA>: what would run changed, so the votes of ben, cho are void. It asks for approval again.\n• replicas 2 → 3',
    )
  })

  it('is over when it is over', () => {
    const approved = { approval: approval({ votes: [vote(ben)] }) }
    expect(keys(thread({ deploy: { ...approved, phase: 'running' }, planned }))).toEqual([
      'vote-U0BEN-approve-a1b2c3d4-0',
    ])
  })
})

describe('votes', () => {
  it('say who approved, how many that are, and why', () => {
    const votes = [vote(ben, 'approve', 'looks good to <!here>'), vote(cho)]
    const entries = thread({ deploy: { phase: 'ready', approval: approval({ required: 2, votes }) } })
    expect(entries.map(entry => wordsOf(entry.message))).toEqual([
      '@ben approved it (1 of 2): “looks good to &lt;!here&gt;”',
      '@cho approved it (2 of 2).',
    ])
    expect(new Set(keys(entries)).size).toBe(2)
  })

  it('mention who asked when it is denied', () => {
    const votes = [vote(ben, 'deny', 'not on a Friday')]
    const entries = thread({ deploy: { phase: 'denied', endedAt: now, approval: approval({ votes }) } })
    expect(keys(entries)).toEqual(['vote-U0BEN-deny-a1b2c3d4-0'])
    expect(wordsOf(entries[0]?.message as ThreadEntry['message'])).toBe(
      '<@U0ANA>: @ben denied it: “not on a Friday”',
    )
  })

  it('have keys that are safe and stable for any voter', () => {
    const by = { id: 'token:a/b <c>'.repeat(10), name: 'x', via: 'api' as const }
    const key = keys(thread({ deploy: { phase: 'ready', approval: approval({ votes: [vote(by)] }) } }))[0]
    expect(key).toMatch(/^vote-[\w-]{1,60}-approve-a1b2c3d4-0$/)
  })
})

describe('what holds it', () => {
  const held = (waiting: string, readyAt = now - 60_000) =>
    thread({ deploy: { phase: 'ready', readyAt }, waiting })

  it.each([
    [
      'a lock',
      'web in production is locked by cho: moving (until 18:00 UTC). See: gkube locks',
      'held-by-lock',
    ],
    ['a freeze', 'production is frozen until Mon 08:00 UTC: end of year, by @cho.', 'held-by-freeze'],
  ])('%s is told to who asked', (_, waiting, key) => {
    const entries = held(waiting)
    expect(keys(entries)).toEqual([key])
    expect(wordsOf(entries[0]?.message as ThreadEntry['message'])).toMatch(
      /^<@U0ANA>: it is held\. (web|production) /,
    )
    expect(wordsOf(entries[0]?.message as ThreadEntry['message'])).not.toContain(' gkube ')
  })

  it('its turn in line wakes nobody, nor does a moment', () => {
    expect(held('waiting behind deploy 1.4.1 (ben, running)')).toEqual([])
    expect(held('production is locked by cho: x (until 18:00 UTC).', now - 2000)).toEqual([])
  })

  it('says "your turn" after a long wait, and not after a short one', () => {
    const turn = (waited: number) =>
      thread({ deploy: { phase: 'running', readyAt: now - waited, startedAt: now } })
    expect(wordsOf(only(turn(300_000), 'your-turn').message)).toBe(
      '<@U0ANA>: your turn, it runs now, after 5 m 00 s in line.',
    )
    expect(turn(30_000)).toEqual([])
  })
})

describe('a failure', () => {
  it('says why, what was seen and what to try, in words of Slack', () => {
    const entry = only(thread({ deploy: { phase: 'running', startedAt: now }, diagnosis }), 'cause')
    expect(wordsOf(entry.message)).toBe(
      [
        '*Why*: image `shop/web:1.4.9` does not exist in the registry.',
        '*Seen*: 2 of 2 new pods ImagePullBackOff for 40 s · old pods untouched, 3/3 ready',
        '• nothing else',
        '*Try*: check the tag, or `/gkube history web in production` for one that exists',
      ].join('\n'),
    )
    expect(entry.broadcast).toBe(false)
    expect(entry.files).toEqual([
      {
        name: 'web-production-failure.events.txt',
        title: 'Events about web in production',
        content: '2025-11-24 14:00:00 UTC  Warning  Failed  Pod web-1  3×  no such image\n',
      },
    ])
  })

  it.each([
    ['short: inline', 4, false],
    ['long: as a file, its last lines inline', 100, true],
  ])('shows log lines, %s', (_, count, isFile) => {
    const lines = Array.from({ length: count }, (_, i) => `line ${i} <x>`)
    const log = { pod: 'web-1', container: 'web', previous: true, lines }
    const entry = only(
      thread({ deploy: { phase: 'running', startedAt: now }, diagnosis: { ...diagnosis, events: [], log } }),
      'cause',
    )
    expect(wordsOf(entry.message)).toContain(`line ${count - 1} &lt;x&gt;\n\`\`\``)
    expect(wordsOf(entry.message)).toContain('The crashed run of web-1, container web')
    expect(entry.files.map(file => file.name)).toEqual(isFile ? ['web-production-failure.log.txt'] : [])
    if (isFile) expect(entry.files[0]?.content).toBe(`${lines.join('\n')}\n`)
  })

  it('tells that it goes back while it does', () => {
    expect(keys(thread({ deploy: { phase: 'rolling_back', startedAt: now, rollback }, diagnosis }))).toEqual([
      'cause',
      'rolling-back',
    ])
    expect(keys(thread({ deploy: { phase: 'rolled_back', ...ran, rollback }, diagnosis }))).toEqual([
      'cause',
      'ended',
    ])
  })

  it.each(['failed', 'rolled_back', 'rollback_failed'] as const)(
    '%s is broadcast and mentions who asked',
    phase => {
      const entry = only(thread({ deploy: { phase, ...ran, rollback }, diagnosis }), 'ended')
      expect(entry.broadcast).toBe(true)
      expect(wordsOf(entry.message)).toMatch(
        /^:[a-z_]+: \*web\* `1\.4\.2` failed in \*production\*.* · <@U0ANA>\n/,
      )
      expect(wordsOf(entry.message)).toContain('does not exist in the registry.')
      expect(wordsOf(entry.message).match(/<@/g)).toHaveLength(1)
    },
  )

  it('of a build names the build, which nobody can ping', () => {
    const entry = only(thread({ deploy: { phase: 'failed', ...ran, requestedBy: jenkins } }), 'ended')
    expect(wordsOf(entry.message)).toContain(' · ci')
    expect(wordsOf(entry.message)).not.toContain('<@')
  })
})

describe('other ends', () => {
  it('an override is loud: in the channel too', () => {
    const overridden = { by: cho, reason: 'outage', at: now }
    const entry = only(
      thread({ deploy: { phase: 'running', startedAt: now, overridden } }),
      `override-${now}`,
    )
    expect(entry.broadcast).toBe(true)
    expect(entry.message.text).toBe('OVERRIDDEN by cho: web 1.4.2 → production: outage')
  })

  it('an override that became void is told where nothing asks for approval, and the next one is loud again', () => {
    const there = { ...planned, voided: ['cho'], since: ['replicas 2 → 3'] }
    const waits = { phase: 'ready' as const, readyAt: now, approval: null }
    const entry = only(thread({ deploy: waits, planned: there }), `voided-${now}`)
    expect(wordsOf(entry.message)).toBe(
      '<@U0ANA>: what would run changed, so what cho decided is void. What held it holds it again.\n• replicas 2 → 3',
    )
    const again = { by: cho, reason: 'still an outage', at: now + 60_000 }
    expect(keys(thread({ deploy: { ...waits, overridden: again }, planned: there }))).toEqual([
      `override-${now + 60_000}`,
    ])
  })

  it('tells who asked that somebody else cancelled it', () => {
    const cancelled = (by: typeof ana) =>
      thread({ deploy: { phase: 'cancelled', endedAt: now, cancelledBy: by } })
    expect(wordsOf(only(cancelled(ben), 'ended').message)).toBe('<@U0ANA>: @ben cancelled it.')
    expect(cancelled(ana)).toEqual([])
  })

  it('tells who asked that it expired', () => {
    const entry = only(thread({ deploy: { phase: 'expired', endedAt: now, approval: approval() } }), 'ended')
    expect(wordsOf(entry.message)).toBe('<@U0ANA>: nobody approved it in time.')
    expect(entry.broadcast).toBe(false)
  })

  it.each(['succeeded', 'superseded'] as const)('%s wakes nobody', phase =>
    expect(thread({ deploy: { phase, ...ran } })).toEqual([]),
  )
})

describe('a hook', () => {
  const migrated = (over: object = {}) => ({
    step: 'before' as const,
    name: 'migrate',
    startedAt: now - 8_000,
    endedAt: now,
    cause: null,
    lines: ['applied 0007_cart', 'done'],
    ...over,
  })
  const running = { phase: 'running', startedAt: now - 9_000 } as const

  it('that went well is told once, with what it said', () => {
    const entry = only(thread({ deploy: running, hooks: [migrated()] }), 'hook-before')
    expect(entry.message.text).toBe('before (migrate) done in 8 s')
    expect(wordsOf(entry.message)).toContain('applied 0007_cart\ndone')
    expect(entry).toMatchObject({ broadcast: false, files: [] })
  })

  it('that said much is told by its last lines, the rest in a file', () => {
    const lines = Array.from({ length: 20 }, (_, n) => `row ${n} ${'x'.repeat(280)}`)
    const entry = only(thread({ deploy: running, hooks: [migrated({ lines })] }), 'hook-before')
    expect(problemsOf('message', entry.message)).toEqual([])
    expect(wordsOf(entry.message)).toContain('row 19')
    expect(wordsOf(entry.message)).not.toContain('row 3 ')
    expect(entry.files.map(file => [file.name, file.content.split('\n').length])).toEqual([
      ['web-production-before.log.txt', 21],
    ])
  })

  it('that failed is told by the cause alone', () => {
    const cause = { reason: 'job_failed', message: 'before (migrate) failed: exit code 1.' } as const
    const all = thread({ deploy: running, hooks: [migrated({ cause, lines: [] })], diagnosis })
    expect(keys(all)).toEqual(['cause'])
  })

  it('that ran before a rollback is warned of', () => {
    const step = {
      name: 'before',
      title: 'migrate',
      state: 'done',
      startedAt: now,
      endedAt: now,
      message: '',
    } as const
    const entry = only(
      thread({ deploy: { phase: 'rolling_back', ...ran, endedAt: null, rollback, steps: [step] } }),
      'rolling-back',
    )
    expect(wordsOf(entry.message)).toContain('before (migrate) ran: migrations are not undone.')
  })
})

it('only failures and overrides are broadcast; everything fits Slack', () => {
  for (const phase of phases)
    for (const overridden of [null, { by: cho, reason: 'outage', at: now }])
      for (const entry of thread({ deploy: { phase, ...ran, overridden, rollback }, diagnosis, planned })) {
        expect(problemsOf('message', entry.message)).toEqual([])
        const isLoud =
          entry.key.startsWith('override-') || (entry.key === 'ended' && /failed|roll/.test(phase))
        expect(entry.broadcast).toBe(isLoud)
      }
})
