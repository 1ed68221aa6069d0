// What names, branches, logs and people may hold, for property tests of rendered messages; and what must be true of each
// message all the same.
import fc from 'fast-check'
import { expect } from 'vitest'
import type { Rendered } from '../../../../src/core/messages.ts'
import { problemsOf } from '../../../../src/sandbox/slack/validate.ts'

export const hostile = fc.oneof(
  fc.constantFrom(
    '<!channel>',
    '<@U0BEN> <#C1>',
    '`````',
    '```\n<!here>\n```',
    '\u202e\u200b<\u200b!everyone>',
    '&lt;!channel&gt;',
    '<https://evil.example|ok>',
    ':x: :white_check_mark:',
    '🎉'.repeat(400),
    '\ud83d half an emoji, \u0000\u0007 controls',
    '',
    ' ',
    'gkube deploy web -E x',
  ),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
)

/** At most so many characters, often exactly as many. */
export const text = (most: number) =>
  fc.oneof(
    hostile.map(one => one.slice(0, most)),
    fc.constantFrom('&'.repeat(most), 'W'.repeat(most), '<!channel>'.repeat(most).slice(0, most)),
  )

/** The only thing that may stand after `<`: people that are meant, and links. */
const markup = /<(?!@U0ANA>|https?:\/\/[^\s<>|]+\|[^<>|]*>)/

/** Slack takes it, it has a plain line, and it pings nobody but Ana. */
export function check(message: Rendered): void {
  expect(problemsOf('message', message)).toEqual([])
  expect(message.text.trim()).not.toBe('')
  expect(message.text).not.toContain('\n')
  for (const said of saidIn(message)) expect(said).not.toMatch(markup)
}

/** Texts that Slack reads as markup. */
function saidIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(saidIn)
  if (value === null || typeof value !== 'object') return []
  const one = value as Record<string, unknown>
  if (one.type === 'plain_text') return []
  return Object.entries(one).flatMap(([key, inner]) =>
    key === 'text' && typeof inner === 'string' ? [inner] : saidIn(inner),
  )
}
