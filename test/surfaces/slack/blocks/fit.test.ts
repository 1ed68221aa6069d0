// Whole messages and views: nothing leaves that Slack refuses, and what was left out is said.
import { describe, expect, it } from 'vitest'
import { problemsOf } from '../../../../src/sandbox/slack/validate.ts'
import {
  actions,
  button,
  confirmation,
  context,
  header,
  section,
} from '../../../../src/surfaces/slack/blocks/elements.ts'
import { fitted, fittedHome } from '../../../../src/surfaces/slack/blocks/fit.ts'
import { md } from '../../../../src/surfaces/slack/blocks/mrkdwn.ts'
import { textsOf } from '../messages/sample.ts'

const long = (length: number) => md`${'x'.repeat(length)}`
const row = actions([button({ text: 'Go', action: 'go', value: '1' })])

describe('a message', () => {
  it.each([
    ['short', 3, 10],
    ['exactly 50 blocks', 49, 10],
    ['60 blocks', 60, 10],
    ['much text', 20, 2900],
    ['one endless text', 1, 100_000],
  ])('%s', (_, count, length) => {
    const message = fitted('text', [...Array.from({ length: count }, () => section(long(length))), ...row])
    expect(problemsOf('message', message)).toEqual([])
    expect(message.blocks.at(-1)).toEqual(row[0])
    const cutOff = count > 49 || count * length > 12_000
    const said = textsOf(message.blocks)
    if (cutOff && count > 1) expect(said).toContain('… there is more than fits here.')
    else expect(message.blocks.length).toBe(count + 1)
  })

  it('says in its text what its blocks say, escaped and on one line', () =>
    expect(fitted('web <!here>\nfailed', []).text).toBe('web &lt;!here&gt; failed'))

  it('has a text even where there is none', () => expect(fitted('', []).text).toBe('gkube'))
})

describe('App Home', () => {
  it.each([
    ['200 blocks', 200, 10],
    ['250 KB', 99, 3000],
  ])('%s', (_, count, length) => {
    const view = fittedHome(Array.from({ length: count }, () => section(md`${'é'.repeat(length)}`)))
    expect(problemsOf('home', view)).toEqual([])
    expect(textsOf(view.blocks).at(-1)).toMatch(/^… there is more/)
  })
})

describe('parts', () => {
  it('hold their limits', () => {
    const endless = 'w'.repeat(5000)
    const message = fitted(endless, [
      header(endless),
      ...context(...Array.from({ length: 20 }, () => long(100))),
      ...actions(
        Array.from({ length: 30 }, (_, i) =>
          button({
            text: endless,
            action: `a${i}`,
            value: endless,
            confirm: confirmation({ title: endless, text: endless, yes: endless, danger: true }),
          }),
        ),
      ),
    ])
    expect(problemsOf('message', message)).toEqual([])
  })

  it('are left out where there is nothing to say', () => {
    expect(context(md``)).toEqual([])
    expect(actions([])).toEqual([])
  })

  it('never make a link or a mention of plain words', () =>
    expect(section(md`@here`).text).toMatchObject({ type: 'mrkdwn', verbatim: true }))
})
