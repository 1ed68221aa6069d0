// The pure parts of the command line: words, harmless text, events cut anywhere, the Jenkins environment.
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTerminal, phases } from '../../../src/core/deploy.ts'
import { ago, bar, isOver, phaseText, took, until } from '../../../src/core/words.ts'
import { millisecondsIn } from '../../../src/surfaces/cli/duration.ts'
import { buildOf } from '../../../src/surfaces/cli/jenkins.ts'
import { readEvents } from '../../../src/surfaces/cli/sse.ts'
import { clean, clip, logLine } from '../../../src/surfaces/cli/terminal-text.ts'

const esc = String.fromCharCode(27)
const bell = String.fromCharCode(7)

describe('words', () => {
  it.each([
    [0, '0 s'],
    [8_400, '8 s'],
    [72_000, '1 m 12 s'],
    [108_000, '1 m 48 s'],
    [125_000, '2 m 05 s'],
    [7_500_000, '2 h 5 m'],
    [-5, '0 s'],
  ])('%d ms took %s', (ms, text) => expect(took(ms)).toBe(text))

  it.each([
    [0, 'just now'],
    [-9_000, 'just now'],
    [12_000, '12 s ago'],
    [300_000, '5 min ago'],
    [2 * 3_600_000, '2 h ago'],
    [3 * 86_400_000 + 5, '3 d ago'],
  ])('%d ms are %s', (ms, text) => expect(ago(1_000_000_000 - ms, 1_000_000_000)).toBe(text))

  it('knows how long is left', () => {
    expect(until(28 * 60_000, 0)).toBe('in 28 min')
    expect(until(5, 10)).toBe('now')
  })

  it.each([
    [4, 6, '▰▰▰▰▱▱ 4/6 ready'],
    [0, 0, '0/0 ready'],
    [7, 6, '▰▰▰▰▰▰ 7/6 ready'],
    [30, 60, '30/60 ready'],
  ])('draws %d of %d as %s', (ready, wanted, text) => expect(bar(ready, wanted)).toBe(text))

  it('agrees with the core about which phases are an end', () => {
    for (const phase of phases) {
      expect(isOver(phase)).toBe(isTerminal(phase))
      expect(phaseText(phase)).not.toBe('')
    }
  })
})

describe('text from elsewhere', () => {
  it.each([
    ['a plain name', 'web-1', 'web-1'],
    ['colours', `${esc}[31mred${esc}[0m`, 'red'],
    ['a title', `${esc}]0;owned${bell}x`, 'x'],
    ['a link', `${esc}]8;;http://evil${esc}\\click${esc}]8;;${esc}\\`, 'click'],
    ['clearing', `${esc}[2J${esc}[1;1Hfake`, 'fake'],
    ['a fake line', 'a\r\nb\nc\rd', 'a b cd'],
    ['one-byte sequences', 'a\u009b2Jb', 'ab'],
    ['turned text', 'user\u202etxt.exe', 'usertxt.exe'],
    ['umlauts and emoji', 'größe 🚀', 'größe 🚀'],
  ])('in a table: %s', (_name, text, shown) => expect(clean(text)).toBe(shown))

  it.each([
    ['colours stay', `${esc}[1;31mred`, `${esc}[1;31mred${esc}[0m`],
    ['tabs stay', 'a\tb', 'a\tb'],
    ['clearing goes', `a${esc}[2Jb${esc}[1A`, 'ab'],
    ['a title goes', `${esc}]0;owned${bell}x`, 'x'],
    ['a title without an end takes the line', `a${esc}]0;owned`, 'a'],
    ['a device request goes', `${esc}P+q544e${esc}\\x`, 'x'],
    ['a lone escape goes', `x${esc}`, 'x'],
    ['a reset of the terminal goes', `${esc}cx`, 'x'],
  ])('in a log line: %s', (_name, text, shown) => expect(logLine(text, true)).toBe(shown))

  it('holds nothing that a terminal acts on, whatever came in', () => {
    const piece = fc.oneof(
      fc.constantFrom(esc, bell, '[', ']', '2J', '0;', 'm', '\\', '\u009b', '\r', '\n', ';', 'P', '31m'),
      fc.string({ maxLength: 4 }),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), pieces => {
        const text = pieces.join('')
        expect(clean(text)).not.toMatch(/\p{Cc}/u)
        const left = logLine(text, true).replaceAll(new RegExp(`${esc}\\[[0-9;:]*m`, 'g'), '')
        expect(left.replaceAll('\t', '')).not.toMatch(/\p{Cc}/u)
        expect(logLine(text, false).replaceAll('\t', '')).not.toMatch(/\p{Cc}/u)
      }),
      { numRuns: 2000 },
    )
  })

  it('is cut where it does not fit', () => {
    expect(clip('abcdef', 4)).toBe('abc…')
    expect(clip('🚀🚀', 2)).toBe('🚀🚀')
  })
})

describe('server-sent events', () => {
  const stream =
    'retry: 2000\n\nevent: deploy\nid: 7\ndata: {"ü":1}\n\n: still here\n\nevent: log\ndata: a\ndata: b\n\ndata: x\r\n\n'
  const events = [
    { event: 'deploy', id: '7', data: '{"ü":1}' },
    { event: 'log', id: '7', data: 'a\nb' },
    { event: 'message', id: '7', data: 'x' },
  ]

  it('are the same wherever the bytes are cut', async () => {
    const bytes = Buffer.from(stream)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: bytes.length }), { maxLength: 12 }), async cuts => {
        const at = [0, ...cuts.sort((a, b) => a - b), bytes.length]
        const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end))
        const seen: unknown[] = []
        for await (const event of readEvents(Readable.from(chunks, { objectMode: false }), 1000))
          seen.push(event)
        expect(seen).toEqual(events)
      }),
      { numRuns: 300 },
    )
  })

  it('end with an error when even the heartbeat stops', async () => {
    const silent = new Readable({ read: () => undefined })
    silent.push('data: x\n\n')
    const seen: string[] = []
    const reading = (async () => {
      for await (const { data } of readEvents(silent, 20)) seen.push(data)
    })()
    await expect(reading).rejects.toThrow(/nothing came/)
    expect(seen).toEqual(['x'])
  })
})

describe('the Jenkins environment', () => {
  const bare = { registers: 'a', number: null, url: null, commit: null, branch: null, user: null }
  it.each([
    { name: 'nothing', env: {}, build: null },
    { name: 'a job name alone', env: { JOB_NAME: 'x' }, build: null },
    {
      name: 'no Jenkins URL set',
      env: { JOB_NAME: 'shop/web', BUILD_TAG: 'jenkins-shop-web-1', BUILD_NUMBER: '1' },
      build: { ...bare, job: 'shop/web', registers: 'shop/web', number: 1 },
    },
    {
      name: 'everything',
      env: {
        JOB_NAME: 'a',
        JENKINS_URL: 'http://j/',
        BUILD_NUMBER: '12',
        BUILD_URL: 'http://j/job/a/12/',
        GIT_COMMIT: 'abc',
        GIT_BRANCH: 'origin/main',
        BUILD_USER_ID: 'ana',
        BUILD_USER: 'Ana Ivanova',
        BUILD_USER_EMAIL: 'ana@example.com',
      },
      build: {
        ...bare,
        job: 'a',
        number: 12,
        url: 'http://j/job/a/12/',
        commit: 'abc',
        branch: 'main',
        user: 'ana',
      },
    },
    {
      name: 'odd values',
      env: {
        JOB_NAME: 'a',
        JENKINS_URL: 'x',
        BUILD_NUMBER: '-1',
        BUILD_URL: 'http://[',
        GIT_COMMIT: 'f'.repeat(65),
        GIT_BRANCH: 'detached',
      },
      build: { ...bare, job: 'a' },
    },
  ])('$name', ({ env, build }) => expect(buildOf(env)).toEqual(build))

  const jenkins = { JENKINS_URL: 'http://j/', JOB_NAME: 'shop/web' }
  it.each([
    { env: { GIT_BRANCH: 'origin/main' }, branch: 'main' },
    { env: { GIT_BRANCH: 'origin/release/1.4' }, branch: 'release/1.4' },
    { env: { GIT_BRANCH: 'refs/remotes/origin/main' }, branch: 'main' },
    { env: { GIT_BRANCH: 'refs/heads/main' }, branch: 'main' },
    { env: { GIT_BRANCH: 'feature/origin/x' }, branch: 'feature/origin/x' },
    { env: { GIT_BRANCH: 'origin/main', GIT_LOCAL_BRANCH: 'trunk' }, branch: 'trunk' },
    { env: { GIT_BRANCH: 'PR-12', BRANCH_NAME: 'PR-12', CHANGE_BRANCH: 'main' }, branch: 'PR-12' },
    { env: { GIT_BRANCH: '' }, branch: null },
  ])('the branch of $env is $branch', ({ env, branch }) =>
    expect(buildOf({ ...jenkins, ...env })?.branch).toBe(branch),
  )

  it.each([
    { env: { BUILD_USER_ID: 'ana', BUILD_USER: 'Ana' }, user: 'ana' },
    { env: { BUILD_USER_EMAIL: 'ana@example.com', BUILD_USER: 'Ana' }, user: 'ana@example.com' },
    { env: { BUILD_USER: 'Ana' }, user: 'Ana' },
    { env: { BUILD_USER_ID: 'timer', BUILD_USER: 'Timer Trigger' }, user: null },
    { env: { BUILD_USER_ID: 'scmChange', BUILD_USER: 'SCM Change' }, user: null },
    { env: { BUILD_USER_ID: 'branchIndexing', BUILD_USER: 'Branch Indexing' }, user: null },
    { env: { BUILD_USER_ID: 'remoteRequest', BUILD_USER: 'Remote' }, user: null },
    { env: {}, user: null },
  ])('$env was started by $user', ({ env, user }) => expect(buildOf({ ...jenkins, ...env })?.user).toBe(user))

  it.each([
    { job: 'shop/web', env: {}, registers: 'shop/web' },
    { job: 'shop/web/main', env: { BRANCH_NAME: 'main' }, registers: 'shop/web' },
    { job: 'shop/web/feature%2Flogin', env: { BRANCH_NAME: 'feature/login' }, registers: 'shop/web' },
    // A parameter of that name, in a job that is no branch job.
    { job: 'shop/web', env: { BRANCH_NAME: 'main' }, registers: 'shop/web' },
    { job: 'main', env: { BRANCH_NAME: 'main' }, registers: 'main' },
  ])('$job $env is registered as $registers', ({ job, env, registers }) =>
    expect(buildOf({ ...jenkins, JOB_NAME: job, ...env })?.registers).toBe(registers),
  )
})

describe('durations', () => {
  it.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['1h30m', 5_400_000],
    ['0s', 0],
  ])('%s', (text, ms) => expect(millisecondsIn(text, '--wait-approval')).toBe(ms))

  it.each(['', '15', '1d', 'long', '-1s', '1s 2s'])('`%s` is none', text =>
    expect(() => millisecondsIn(text, '--wait-approval')).toThrow(
      /--wait-approval is `.*expected a duration/,
    ),
  )
})
