// Test results and Pipeline stages as plugins tell them, and what is told where they are missing or too large.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Reply, type Scripted, scriptedJenkins } from './scripted-jenkins.ts'

let jenkins: Scripted
beforeAll(async () => {
  jenkins = await scriptedJenkins()
})
afterAll(() => jenkins.stop())

describe('tests', () => {
  const path = 'GET /job/web/14/testReport/api/json'
  const cases = [
    { className: 'shop.CartTest', name: 'adds', status: 'PASSED' },
    { className: 'shop.CartTest', name: 'empties', status: 'REGRESSION' },
    { className: 'shop.CartTest', name: 'pays', status: 'FAILED' },
    { className: 'shop.CartTest', name: 'pays', status: 'FAILED' },
    { className: null, name: 'bare', status: 'FAILED' },
  ]
  const surefire = { failCount: 3, passCount: 36, skipCount: 1, suites: [{ cases }] }
  const names = ['shop.CartTest.empties', 'shop.CartTest.pays', 'bare']
  it.each<[name: string, json: object, expected: unknown]>([
    [
      'of one module',
      { _class: 'hudson.tasks.junit.TestResult', ...surefire },
      { total: 40, failed: 3, skipped: 1, names },
    ],
    [
      'put together, with totals',
      {
        failCount: 3,
        skipCount: 2,
        totalCount: 90,
        childReports: [{ child: { number: 14 }, result: surefire }],
      },
      { total: 90, failed: 3, skipped: 2, names },
    ],
    [
      'put together, without totals',
      { childReports: [{ result: surefire }, { result: { passCount: 1 } }] },
      { total: 41, failed: 3, skipped: 1, names },
    ],
    [
      'all passed',
      { failCount: 0, passCount: 5, skipCount: 0 },
      { total: 5, failed: 0, skipped: 0, names: [] },
    ],
    ['none ran', { failCount: 0, passCount: 0, skipCount: 0 }, null],
  ])('%s', async (_, json, expected) => {
    jenkins.script({ [path]: { json } })
    expect(await jenkins.jenkins.tests('web', 14)).toEqual(expected)
  })

  it('there are none', async () => {
    jenkins.script({})
    expect(await jenkins.jenkins.tests('web', 14)).toBeNull()
  })

  it('that are too many to name are counted', async () => {
    const huge: Reply = { body: `{"suites":"${'x'.repeat(4 * 1024 * 1024)}"}` }
    jenkins.script({ [path]: [{ json: { failCount: 9, passCount: 1 } }, huge] })
    expect(await jenkins.jenkins.tests('web', 14)).toEqual({ total: 10, failed: 9, skipped: 0, names: [] })
    expect(jenkins.lines.at(-1)).toMatch(/without their names.*4 MB/)
  })
})

describe('stages', () => {
  it('in the words of the stage view', async () => {
    const states = [
      'NOT_EXECUTED',
      'IN_PROGRESS',
      'PAUSED_PENDING_INPUT',
      'SUCCESS',
      'UNSTABLE',
      'FAILED',
      'ABORTED',
      'NEW_ONE',
    ]
    const stages = states.map((status, n) => ({
      id: String(n),
      name: `S${n}`,
      status,
      durationMillis: n * 100,
    }))
    jenkins.script({
      'GET /job/web/14/wfapi/describe': { json: { id: '14', status: 'IN_PROGRESS', stages } },
    })
    const told = await jenkins.jenkins.stages('web', 14)
    expect(told?.map(({ state }) => state)).toEqual([
      'waiting',
      'running',
      'paused',
      'success',
      'unstable',
      'failed',
      'aborted',
      'waiting',
    ])
    expect(told?.[3]).toEqual({ name: 'S3', state: 'success', ms: 300 })
  })

  it('without the stage view there are none', async () => {
    jenkins.script({})
    expect(await jenkins.jenkins.stages('web', 14)).toBeNull()
  })
})
