// Text for Slack: what people say pings nobody, ends no code, hides nothing, and is cut by whole characters.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  code,
  codeBlock,
  cut,
  joined,
  limited,
  link,
  md,
  oneLine,
  prose,
} from '../../../../src/surfaces/slack/blocks/mrkdwn.ts'

const rtl = '\u202e'
const zeroWidth = '\u200b'

describe('words of people', () => {
  it.each([
    ['a channel ping', '<!channel> look', '&lt;!channel&gt; look'],
    ['a mention', 'ask <@U0BEN>', 'ask &lt;@U0BEN&gt;'],
    [
      'a link that lies',
      '<https://evil.example|https://good.example>',
      '&lt;https://evil.example|https://good.example&gt;',
    ],
    ['an entity', 'a &lt; b', 'a &amp;lt; b'],
    ['a backtick', 'a ` b', "a ' b"],
    ['a zero-width character in a ping', `<${zeroWidth}!here>`, '&lt;!here&gt;'],
    ['text turned around', `abc${rtl}def`, 'abcdef'],
    ['lines', 'one\n  two\r\nthree', 'one two three'],
    ['a lone surrogate', 'a\ud83dz', 'a\ufffdz'],
    ['nothing that shows', `${zeroWidth}\u3164\u2800`, ''],
    ['an emoji', 'done 🎉', 'done 🎉'],
  ])('%s', (_, text, shown) => expect(md`${text}`.mrkdwn).toBe(shown))

  it('keeps our own markup and the spaces around', () =>
    expect(md`*${'web'}*${' (1 of 2)'} ${code('1.4.2')}`.mrkdwn).toBe('*web* (1 of 2) `1.4.2`'))

  it('joins what is not empty', () => expect(joined([md`a`, md``, md`b`], ' · ').mrkdwn).toBe('a · b'))
})

describe('code', () => {
  it.each([
    ['plain', '1.4.2', '`1.4.2`'],
    ['with backticks', 'a`b', "`a'b`"],
    ['with a ping', '<!here>', '`&lt;!here&gt;`'],
    ['empty', ' ', ''],
  ])('%s', (_, text, shown) => expect(code(text).mrkdwn).toBe(shown))

  it('cuts what is long', () => expect(code('x'.repeat(300), 10).mrkdwn).toBe(`\`${'x'.repeat(9)}…\``))

  it('keeps lines in a box, and its end stays its end', () =>
    expect(codeBlock('a\n\tb ``` <c>').mrkdwn).toBe("```\na\n  b ''' &lt;c&gt;\n```"))
})

describe('what gkube said', () => {
  it.each([
    ['whole code stays', 'see `gkube history web` & more', 'see `gkube history web` &amp; more'],
    ['a single backtick goes', 'it`s', "it's"],
    ['no box is begun', '```x```', "''`x''`"],
    ['no ping', 'by <!here>', 'by &lt;!here&gt;'],
  ])('%s', (_, text, shown) => expect(prose(text).mrkdwn).toBe(shown))
})

describe('links', () => {
  it.each([
    ['an address', 'https://ci.example.com/job/a/1/', 'a #1', '<https://ci.example.com/job/a/1/|a #1>'],
    ['a query', 'https://x.example/?a=1&b=2', 'x', '<https://x.example/?a=1&amp;b=2|x>'],
    ['an address that ends the link', 'https://x.example/a|b>c', 'x', '<https://x.example/a%7Cb%3Ec|x>'],
    ['words that end the link', 'https://x.example/', 'a>b|c', '<https://x.example/|a&gt;b/c>'],
    ['a password', 'https://ci:s3cret@ci.example.com/1', '#1', '<https://ci.example.com/1|#1>'],
    ['a script', 'javascript:alert(1)', 'x', 'x'],
    ['no address', 'not one', 'x <y>', 'x &lt;y&gt;'],
    ['an endless address', `https://x.example/${'a'.repeat(3000)}`, 'x', 'x'],
  ])('%s', (_, url, words, shown) => expect(link(url, words).mrkdwn).toBe(shown))
})

describe('cutting', () => {
  it.each([
    ['fits', 'abc', 3, 'abc'],
    ['too long', 'abcd', 3, 'ab…'],
    ['never half an emoji', '🎉🎉🎉', 5, '🎉🎉…'],
    ['never half an emoji at the edge', '🎉🎉🎉', 4, '🎉…'],
  ])('%s', (_, text, most, shown) => expect(cut(text, most)).toBe(shown))

  it.each([
    ['an entity', `${'a'.repeat(10)}&lt;bbbbbb`, 18, `${'a'.repeat(10)}…`],
    ['a link', `abc <https://x.example|words> def`, 20, 'abc …'],
    ['code', 'abc `def ghi jkl mno`', 17, 'abc `def gh`…'],
    ['a box', '```\nabc\ndef\nghi\n```', 17, '```\nabc\ndef\n```…'],
  ])('never inside %s', (_, text, most, shown) => {
    expect(limited(text, most)).toBe(shown)
    expect(shown.length).toBeLessThanOrEqual(most)
  })

  it('holds the limit for any markup, and leaves nothing open', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 12 }).map(text => md`${text}`.mrkdwn),
      fc.constantFrom('`a b`', '<https://x.example/|x>', '&amp;', '\n', '```\nabc\n```', '🎉'),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), fc.integer({ min: 12, max: 80 }), (pieces, most) => {
        const whole = pieces.join('')
        const text = limited(whole, most)
        expect(text.length).toBeLessThanOrEqual(most)
        expect(text.isWellFormed()).toBe(true)
        if (whole.length > most) {
          expect(text).not.toMatch(/<[^<>]*$/)
          expect(text.split('```').length % 2).toBe(1)
        }
      }),
    )
  })

  it('never lets a ping through, whatever is said', () => {
    const hostile = fc
      .array(
        fc.constantFrom(
          '<',
          '!',
          'channel',
          '>',
          '@U1',
          '&',
          'lt;',
          '`',
          '\u200b',
          '\u202e',
          ' ',
          '\n',
          '|',
          'a',
        ),
      )
      .map(parts => parts.join(''))
    fc.assert(
      fc.property(hostile, text => {
        for (const shown of [
          md`${text}`,
          code(text),
          prose(text),
          codeBlock(text),
          link('https://x.example', text),
        ])
          expect(shown.mrkdwn.replace('<https://x.example/|', '')).not.toMatch(/<[!@#]/)
        expect(oneLine(text)).not.toMatch(/[\n\u200b\u202e]/)
      }),
    )
  })
})
