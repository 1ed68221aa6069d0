// What Slack escapes comes back as it was typed, and the grammar reads it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCommand } from '../../../src/core/command.ts'
import { plainText } from '../../../src/surfaces/slack/plain-text.ts'

const cases: readonly (readonly [string, string])[] = [
  ['deploy web', 'deploy web'],
  ['because <@U1|ana> said so', 'because @ana said so'],
  ['because <@U1> said so', 'because @U1 said so'],
  ['see <#C1|staging>', 'see #staging'],
  ['see <#C1>', 'see #C1'],
  ['ask <!subteam^S1|@release-managers>', 'ask @release-managers'],
  ['ask <!subteam^S1>', 'ask @subteam'],
  ['<!channel> and <!here|here>', '@channel and @here'],
  ['fish &amp; chips &lt;3', 'fish & chips <3'],
  ['&amp;lt;', '&lt;'],
  ['<http://web.io|web.io>', 'web.io'],
  ['<https://ci.example.com/1>', 'https://ci.example.com/1'],
  ['<mailto:ana@example.com|ana@example.com>', 'ana@example.com'],
  ['a < b', 'a < b'],
  ['<>', '<>'],
]
it.each(cases)('%s', (sent, typed) => {
  expect(plainText(sent)).toBe(typed)
})

describe('with the grammar', () => {
  const known = { apps: ['web.io', 'web'], environments: ['staging'] }
  it('a host name that Slack made a link of is the app again', () => {
    expect(parseCommand(plainText('deploy <http://web.io|web.io> 1.2 to staging'), known)).toMatchObject({
      command: { app: 'web.io', revision: '1.2', environment: 'staging' },
    })
  })
  it('10,000 texts as Slack might send them never throw', () => {
    const part = fc.constantFrom(
      '<',
      '>',
      '@',
      '#',
      '!',
      '|',
      '&',
      'amp;',
      'lt;',
      'U1',
      'deploy ',
      'web',
      ' ',
      'to staging',
      '^',
      'http://',
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 14 }), parts => {
        expect(['command', 'refused']).toContain(parseCommand(plainText(parts.join('')), known).kind)
      }),
      { numRuns: 10_000 },
    )
  })
  it('a long run of brackets costs no time', () => {
    const begun = performance.now()
    plainText('<'.repeat(4000))
    plainText('<@'.repeat(2000))
    expect(performance.now() - begun).toBeLessThan(500)
  })
})
