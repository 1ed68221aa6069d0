// What the follower decides by facts alone: how events and readings become a build, how it compares with the one before,
// where it goes, when it is looked at next, and what of a console is kept.
import { describe, expect, it, test } from 'vitest'
import { appSchema } from '../../../src/core/app.ts'
import type { Build, JobState } from '../../../src/core/builds/build.ts'
import { consoleOf } from '../../../src/core/builds/console.ts'
import { branchOf, destinations, matchesBranch } from '../../../src/core/builds/deploy-on.ts'
import type { BuildEvent } from '../../../src/core/builds/event.ts'
import { inThread } from '../../../src/core/builds/inbox.ts'
import type { BuildFacts } from '../../../src/core/builds/jenkins.ts'
import { mergeEvent, mergeFacts, notStopped, sending } from '../../../src/core/builds/merge.ts'
import { nextLook } from '../../../src/core/builds/pace.ts'
import { knownParameters, shownParameters } from '../../../src/core/builds/parameters.ts'
import { blankBuild } from '../../../src/core/builds/records.ts'
import { turnOf } from '../../../src/core/builds/turn.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import { webApp } from '../../support/stack.ts'

const job = 'shop/web'
const blank = (over: Partial<Build> = {}): Build => ({
  ...blankBuild({ id: 'b1', now: 1, job, apps: ['web'] }),
  ...over,
})
const event = (phase: BuildEvent['phase'], over: Partial<BuildEvent> = {}): BuildEvent => ({
  job,
  number: 7,
  queueId: null,
  phase,
  result: null,
  startedAt: null,
  durationMs: null,
  commit: null,
  branch: null,
  parameters: {},
  tests: null,
  ...over,
})
const facts = (over: Partial<BuildFacts> = {}): BuildFacts => ({
  number: 7,
  queueId: 3,
  displayName: '#7',
  url: 'http://jenkins.test/job/shop/job/web/7/',
  building: true,
  result: null,
  startedAt: 1000,
  durationMs: 0,
  usualMs: 60_000,
  commit: null,
  branch: null,
  cause: 'Started by user Ana',
  user: 'ana',
  parameters: {},
  changes: [],
  changesTotal: 0,
  ...over,
})

describe('events', () => {
  const failed = { result: 'FAILURE' as const }
  const table: [string, BuildEvent[], boolean, Partial<Build>][] = [
    ['queued is told when it starts', [event('queued')], false, { phase: 'running', number: 7 }],
    [
      'an end is provisional',
      [event('started'), event('finished', failed)],
      true,
      { phase: 'finishing', ...failed },
    ],
    [
      'the last word ends it',
      [event('finished', { result: 'SUCCESS' }), event('finalized', failed)],
      true,
      { phase: 'finished', ...failed, toldAt: null },
    ],
    [
      'a late first word changes nothing',
      [event('finalized', failed), event('finished', { result: 'SUCCESS' })],
      true,
      { phase: 'finished', ...failed },
    ],
    [
      'finalized before started',
      [event('finalized', failed), event('started')],
      true,
      { phase: 'finished', ...failed },
    ],
    [
      'with a server it only hints',
      [event('finalized', failed)],
      false,
      { phase: 'finishing', ...failed, toldAt: 5, verified: false },
    ],
    [
      'its start does not take the hint back',
      [event('finalized', failed), event('started')],
      false,
      { phase: 'finishing', ...failed },
    ],
    ['an end without a result is none', [event('finalized')], true, { phase: 'finishing', result: null }],
    ['a start with a result has none', [event('started', failed)], true, { phase: 'running', result: null }],
    [
      'the end knows the commit best',
      [event('started', { commit: 'aaaaaaa' }), event('finalized', { ...failed, commit: 'bbbbbbb' })],
      true,
      { commit: 'bbbbbbb' },
    ],
    [
      'a start that comes late does not',
      [event('finished', { commit: 'bbbbbbb' }), event('started', { commit: 'aaaaaaa', queueId: 4 })],
      false,
      { commit: 'bbbbbbb', queueId: 4 },
    ],
  ]
  it.each(table)('%s', (_, events, trusted, expected) => {
    expect(events.reduce((build, one) => mergeEvent(build, one, { now: 5, trusted }), blank())).toMatchObject(
      expected,
    )
  })
  it('change nothing that is over', () => {
    const over = blank({ phase: 'lost' })
    expect(mergeEvent(over, event('finalized', failed), { now: 5, trusted: true })).toBe(over)
  })
})

describe('readings', () => {
  const seen = (over: Partial<BuildFacts> = {}) => ({ facts: facts(over), changes: [], startedBy: null })
  const told = blank({ phase: 'finishing', result: 'SUCCESS', toldAt: 10 })
  const table: [string, Build, Partial<BuildFacts>, number, Partial<Build>][] = [
    ['a run', blank(), {}, 20, { phase: 'running', verified: false, durationMs: null, queueId: 3 }],
    [
      'steps after the result',
      blank(),
      { result: 'UNSTABLE' },
      20,
      { phase: 'finishing', result: 'UNSTABLE', verified: false },
    ],
    [
      'an end',
      blank(),
      { building: false, result: 'FAILURE', durationMs: 9 },
      20,
      { phase: 'finished', verified: true, durationMs: 9 },
    ],
    ['neither, for a moment', blank(), { building: false }, 20, { phase: 'running', verified: false }],
    [
      'an end as the hook told it',
      told,
      { building: false, result: 'SUCCESS' },
      20,
      { phase: 'finished', verified: true, toldAt: null },
    ],
    [
      'an end that is another',
      told,
      { building: false, result: 'ABORTED' },
      20,
      { result: 'ABORTED', verified: true },
    ],
    [
      'a hook that was ahead',
      told,
      {},
      20,
      { phase: 'finishing', result: 'SUCCESS', toldAt: 10, verified: false },
    ],
    ['a hook that was wrong', told, {}, 70_000, { phase: 'running', result: null, toldAt: null }],
    ['no commit where the hook told one', blank({ commit: 'aaaaaaa' }), {}, 20, { commit: 'aaaaaaa' }],
    [
      'no commit and no branch to the end: what only the hook told is not deployed',
      blank({ commit: 'aaaaaaa', branch: 'main' }),
      { building: false, result: 'SUCCESS' },
      20,
      { commit: null, branch: null },
    ],
  ]
  it.each(table)('%s', (_, build, over, now, expected) => {
    expect(mergeFacts(build, seen(over), now)).toMatchObject(expected)
  })
  const listed = { id: 'A', message: 'Go?', proceed: 'Go', parameters: [], submitters: [] }
  const answer = (note: string) => ({
    decision: 'proceed' as const,
    by: { id: 'a', name: 'a', via: 'slack' as const },
    at: 1,
    state: 'wanted' as const,
    parameters: {},
    note,
  })
  it('keep no parameter that looks like a secret, whatever its type', () => {
    const parameters = { DB_PASS: 'hunter22', BRANCH: 'main', URL: 'postgres://u:hunter22@db/x' }
    expect(mergeFacts(blank(), seen({ parameters }), 20).parameters).toEqual({
      DB_PASS: '(hidden)',
      BRANCH: 'main',
      URL: '(hidden)',
    })
    expect(shownParameters(parameters)).toBe('DB_PASS=(hidden) BRANCH=main URL=(hidden)')
    expect(knownParameters({ DB_PASS: '(hidden)', BRANCH: 'main' })).toEqual({ BRANCH: 'main' })
  })
  it('inputs come, are kept with their answers, go, and come again as others', () => {
    const first = mergeFacts(blank(), { ...seen(), inputs: [listed] }, 20)
    expect(first.inputs).toMatchObject([{ id: 'A', askedAt: 20, answer: null, over: false }])
    expect(mergeFacts(first, seen(), 30).inputs).toEqual(first.inputs)
    const answered = { ...first, inputs: first.inputs.map(one => ({ ...one, answer: answer('') })) }
    expect(
      mergeFacts(answered, { ...seen(), inputs: [{ ...listed, message: 'Go now?' }] }, 30).inputs,
    ).toMatchObject([{ message: 'Go now?', answer: { state: 'wanted' }, over: false }])
    const gone = mergeFacts(answered, { ...seen(), inputs: [] }, 40)
    expect(gone.inputs).toMatchObject([{ over: true, answer: { state: 'refused' } }])
    const again = mergeFacts(gone, { ...seen(), inputs: [listed] }, 50)
    expect(again.inputs).toMatchObject([{ askedAt: 50, answer: null, over: false }])
  })
  it('one that is still asked after its answer was taken is asked anew, as a loop does', () => {
    const first = mergeFacts(blank(), { ...seen(), inputs: [listed] }, 20)
    const taken = { ...answer(''), state: 'sent' as const, at: 30 }
    const sent = { ...first, inputs: first.inputs.map(one => ({ ...one, answer: taken })) }
    expect(mergeFacts(sent, { ...seen(), inputs: [listed] }, 40).inputs).toEqual(sent.inputs)
    const again = mergeFacts(sent, { ...seen(), inputs: [listed] }, 9_000)
    expect(again.inputs).toMatchObject([{ id: 'A', askedAt: 9_000, answer: null, over: false }])
  })
  it('the words of a Jenkins that refuses to stop stay until they do not matter', () => {
    const note = `${notStopped}the user may not`
    const stop = { by: answer('').by, at: 1, state: 'refused' as const }
    expect(mergeFacts(blank({ stop, note }), seen(), 20).note).toBe(note)
    expect(mergeFacts(blank({ stop, note }), seen({ building: false, result: 'SUCCESS' }), 20).note).toBe('')
    expect(mergeFacts(blank({ note: 'Jenkins does not answer' }), seen(), 20).note).toBe('')
  })
  it('an answer that was on its way when its input went is taken as ours', () => {
    const first = mergeFacts(blank(), { ...seen(), inputs: [listed] }, 20)
    const sent = { ...first, inputs: first.inputs.map(one => ({ ...one, answer: answer(sending) })) }
    expect(mergeFacts(sent, { ...seen(), inputs: [] }, 40).inputs).toMatchObject([
      { answer: { state: 'sent', note: '' } },
    ])
  })
  it('the time of a stage that runs is no news', () => {
    const stage = (ms: number) => [{ name: 'Build', state: 'running' as const, ms }]
    const first = mergeFacts(blank(), { ...seen(), stages: stage(10) }, 20)
    expect(mergeFacts(first, { ...seen(), stages: stage(900) }, 30)).toEqual(first)
  })
})

describe('turns', () => {
  const state = (number: number, failingSince: number | null, startedAt: number | null = null): JobState => ({
    schema: 1,
    number,
    result: failingSince === null ? 'SUCCESS' : 'FAILURE',
    failingSince,
    startedAt,
  })
  type Row = [
    string,
    Build['result'],
    JobState | null,
    Build['turn'],
    number | null,
    Partial<JobState> | null,
  ]
  const table: Row[] = [
    ['the first one known passes', 'SUCCESS', null, 'first', null, { failingSince: null }],
    ['the first one known fails', 'FAILURE', null, 'first_failure', 7, { failingSince: 7 }],
    ['passes again', 'SUCCESS', state(6, null), 'passed', null, { number: 7 }],
    ['fails', 'FAILURE', state(6, null), 'first_failure', 7, { failingSince: 7 }],
    ['is unstable', 'UNSTABLE', state(6, null), 'first_failure', 7, { failingSince: 7 }],
    ['fails on', 'FAILURE', state(6, 4), 'still_failing', 4, { number: 7, failingSince: 4 }],
    ['is mended', 'SUCCESS', state(6, 4), 'back_to_normal', 4, { failingSince: null }],
    ['is stopped', 'ABORTED', state(6, 4), 'aborted', 4, null],
    ['built nothing', 'NOT_BUILT', state(6, null), 'aborted', null, null],
    ['passes late, after a failure', 'SUCCESS', state(8, 8), 'passed', null, null],
    ['fails late, after a success', 'FAILURE', state(8, null), 'still_failing', null, null],
    ['fails late, in a row', 'FAILURE', state(8, 5), 'still_failing', 5, null],
    ['comes once more', 'SUCCESS', state(7, null), 'passed', null, null],
    ['of a job made anew counts from 1', 'FAILURE', state(500, null, 50), 'first_failure', 7, { number: 7 }],
    ['began before and ended after', 'FAILURE', state(6, null, 5000), 'still_failing', null, null],
  ]
  it.each(table)('%s', (_, result, before, turn, since, after) => {
    const found = turnOf({ number: 7, result, startedAt: 1000 }, before)
    expect(found).toMatchObject({ turn, failingSince: since })
    if (after) expect(found.state).toMatchObject(after)
    else expect(found.state).toBe(null)
  })
})

describe('deployOn', () => {
  const environments = new Map(
    Object.entries({ staging: {}, production: { protected: true } }).map(([name, over]) => [
      name,
      { ...environmentSchema.parse(over), name },
    ]),
  )
  const app = (over: object) => appSchema.parse(webApp({ app: 'web', jobs: [job], ...over }))
  const built = { job, number: 7, commit: 'c0ffee1', branch: 'origin/main', result: 'SUCCESS' as const }
  const on = (staging: object, production: object = {}) =>
    app({ environments: { staging, production, gone: {} } })
  type Row = [string, ReturnType<typeof app>, Partial<typeof built> | { result: Build['result'] }, string[]]
  const table: Row[] = [
    ['nothing said: a click may', on({}), {}, ['offer staging', 'offer production']],
    ['each success', on({ deployOn: 'success' }), {}, ['deploy staging', 'offer production']],
    ['a protected place asks', on({}, { deployOn: 'success' }), {}, ['offer staging', 'ask production']],
    ['its branch', on({ deployOn: { branch: 'main' } }), {}, ['deploy staging', 'offer production']],
    ['another branch', on({ deployOn: { branch: 'release/*' } }), {}, ['offer production']],
    [
      'for all, taken back for one',
      app({ deployOn: 'success', environments: { staging: {}, production: { deployOn: null } } }),
      {},
      ['deploy staging', 'offer production'],
    ],
    ['unstable goes nowhere', on({ deployOn: 'success' }), { result: 'UNSTABLE' }, []],
    ['aborted neither', on({ deployOn: 'success' }), { result: 'ABORTED' }, []],
  ]
  it.each(table)('%s', (_, given, over, expected) => {
    const found = destinations(given, { ...built, ...over }, environments)
    expect(found.destinations.map(one => `${one.kind} ${one.environment}`)).toEqual(expected)
    expect(found.problems).toEqual([])
  })
  it('takes the revision that the app says, or says that there is none', () => {
    const numbered = app({ revisionFrom: 'BUILD_NUMBER', environments: { staging: {} } })
    expect(destinations(numbered, built, environments).destinations).toMatchObject([{ revision: '7' }])
    const none = destinations(on({ deployOn: 'success' }), { ...built, commit: null as never }, environments)
    expect(none.destinations).toEqual([])
    expect(none.problems).toEqual([
      expect.stringMatching(/^web takes its revision from GIT_COMMIT, and shop\/web #7 tells none/),
    ])
  })
  test.each([
    ['main', 'main', true],
    ['main', 'maintenance', false],
    ['release/*', 'release/1.2', true],
    ['release/*', 'release', false],
    ['*', 'anything/at all', true],
    ['*/hot*fix', 'a/b/hot-1-fix', true],
    ['a*a', 'a', false],
    ['feature.*', 'featureX', false],
    ['main', null, false],
  ])('%s and %s: %s', (pattern, branch, expected) => {
    expect(matchesBranch(pattern, branch)).toBe(expected)
  })
  it('is quick for many stars', () => {
    const started = performance.now()
    expect(matchesBranch(`${'*a'.repeat(240)}b`, 'a'.repeat(500))).toBe(false)
    expect(performance.now() - started).toBeLessThan(100)
  })
  test.each([
    [job, 'origin/main', 'main'],
    [job, 'refs/heads/main', 'main'],
    [job, 'refs/remotes/origin/release/1', 'release/1'],
    [job, null, null],
    [`${job}/feature%2Flogin`, null, 'feature/login'],
    [`${job}/100%`, null, null],
    ['other/main', null, null],
  ])('the branch of %s built from %s is %s', (path, branch, expected) => {
    expect(branchOf({ job: path, branch }, [job])).toBe(expected)
  })
})

describe('the next look', () => {
  test.each([
    ['at once', 0, null, 1000],
    ['young', 40_000, null, 2000],
    ['old', 3_600_000, null, 15_000],
    ['old, near its usual end', 590_000, 600_000, 6000],
    ['old, past its usual end', 700_000, 600_000, 15_000],
    ['no later than its usual end', 530_000, 540_000, 5400],
  ])('%s', (_, age, usual, expected) => {
    expect(nextLook({ age, usual })).toBe(expected)
  })
})

describe('a console', () => {
  it('keeps its last lines, without colours, marks and secrets', () => {
    const note = '\u001b[8mha:////4AbCd==\u001b[0m'
    const text = `${Array.from({ length: 300 }, (_, n) => `line ${n}`).join('\n')}\r\n${note}[Pipeline] sh\n+ curl -H 'Authorization: Bearer abcdef123456'\n\u0007\u001b[1;31mfailed\u001b[0m\n\n`
    const { lines } = consoleOf(text, 1)
    expect(lines).toHaveLength(100)
    expect(lines.slice(-3)).toEqual([
      '[Pipeline] sh',
      "+ curl -H 'Authorization: Bearer [redacted]'",
      'failed',
    ])
  })
  it('stays below what a record holds', () => {
    const { lines } = consoleOf(Array.from({ length: 90 }, () => '\u20ac'.repeat(5000)).join('\n'), 1)
    expect(lines.length).toBeGreaterThan(2)
    expect(Buffer.byteLength(JSON.stringify(lines))).toBeLessThan(32 * 1024)
    expect(lines.every(line => line.length <= 2000)).toBe(true)
  })
})

it('one thread: a build is told below its first deploy in each channel', () => {
  const of = (deploy: string, channel: string, posted?: string) => ({
    schema: 1 as const,
    deploy,
    channels: [channel],
    main: posted
      ? { state: 'posted' as const, at: 1, channel: posted, ts: '1', shown: null, again: false }
      : null,
    thread: {},
    direct: {},
  })
  const { told, under } = inThread(
    [{ channel: 'C1', events: 'changes' }],
    [of('d1', 'C9', 'C1'), of('d2', 'C1'), of('d3', 'C3')],
  )
  expect(told).toEqual([
    { channel: 'C1', events: 'changes' },
    { channel: 'C3', events: 'all' },
  ])
  expect([...under]).toEqual([
    ['C1', 'd1'],
    ['C3', 'd3'],
  ])
})
