// What the pickers of the deploy dialog offer for what was typed, within what Slack takes.
import { describe, expect, it } from 'vitest'
import { problemsOfOptions } from '../../../src/sandbox/slack/validate.ts'
import type { Found } from '../../../src/surfaces/slack/actions/revisions.ts'
import { matching, optionsOf, revisionChoices } from '../../../src/surfaces/slack/options.ts'

describe('names', () => {
  const names = ['api', 'web', 'webhook', 'my-web']
  const cases: [string, string[]][] = [
    ['', names],
    ['we', ['web', 'webhook', 'my-web']],
    ['WEB', ['web', 'webhook', 'my-web']],
    ['hook', ['webhook']],
    ['wbe', ['web']],
    ['<!channel>', []],
  ]
  it.each(cases)('%j offers %j', (query, expected) => {
    expect(matching(names, query)).toEqual(expected)
  })
})

describe('revisions', () => {
  const known: Found[] = [
    { revision: '1.4.2', about: 'runs in staging', runsIn: ['staging'] },
    { revision: '1.4.1', about: 'succeeded in production 2 h ago', runsIn: [] },
  ]
  const cases: [string, string[]][] = [
    ['', ['1.4.2', '1.4.1']],
    ['1.4', ['1.4', '1.4.2', '1.4.1']],
    ['1.4.1', ['1.4.1']],
    ['9.9.9', ['9.9.9']],
    ['no good!', []],
    ['-rm', []],
  ]
  it.each(cases)('%j offers %j', (query, expected) => {
    expect(revisionChoices(known, query).map(one => one.value)).toEqual(expected)
  })
  it('says of each what is known', () => {
    expect(revisionChoices(known, '1.4.1')).toEqual([
      { value: '1.4.1', about: 'succeeded in production 2 h ago' },
    ])
    expect(revisionChoices(known, '7')[0]).toEqual({ value: '7', about: 'as typed' })
  })
})

describe("Slack's limits", () => {
  it('100 of 75 letters: texts are cut, values never', () => {
    const many = Array.from({ length: 300 }, (_, i) => ({
      value: `${i}-${'r'.repeat(i === 3 ? 100 : 60)}`,
      about: `succeeded in production, ${'long ago '.repeat(20)}`,
    }))
    const options = optionsOf(many)
    expect(options).toHaveLength(100)
    expect(problemsOfOptions({ options })).toEqual([])
    expect(options.map(one => one.value)).not.toContain(many[3]?.value)
    for (const { value } of options) expect(many.map(one => one.value)).toContain(value)
  })
  it('takes none at all', () => {
    expect(problemsOfOptions({ options: optionsOf([]) })).toEqual([])
  })
})
