// A command line for the shell of another machine: a real shell reads back exactly the words that were given.
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { remoteWords } from '../../../src/adapters/glusterfs/remote-words.ts'

/** What /bin/sh makes of it, as sshd would have it run. */
const readBack = (line: string): string[] =>
  execFileSync('/bin/sh', ['-c', `for word in ${line}; do printf '%s\\0' "$word"; done`], {
    encoding: 'utf8',
  })
    .split('\0')
    .slice(0, -1)

const words = [
  'plain',
  '/a/b-c_d.e:f@g%h+i,j',
  '',
  "it's",
  "''",
  '$(touch /tmp/x)',
  '`id`',
  '; rm -rf /',
  '&& true',
  '| cat',
  '> file',
  '*',
  '~root',
  '#comment',
  '!history',
  '\\',
  '"',
  'a b',
  '-rf',
  '$HOME',
  'ä ö 😀',
  '{a,b}',
]

describe('words for another shell', () => {
  it('come back as they were', () => expect(readBack(remoteWords(words))).toEqual(words))
  it('come back whatever they are', () =>
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 20 }), given => {
        let line: string
        try {
          line = remoteWords(given)
        } catch (error) {
          expect(error).toMatchObject({ code: 'refused' })
          return
        }
        expect(readBack(line)).toEqual(given)
      }),
      { numRuns: 40 },
    ))
  it.each(['a\nb', 'a\0b', '\u001b[31m', '\r', '\u007f', '\ud800'])('are never %j', word =>
    expect(() => remoteWords(['echo', word])).toThrow(/cannot be an argument/),
  )
})
