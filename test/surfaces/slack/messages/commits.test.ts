// The commits in a request for approval, in one line that harms nobody.
import { describe, expect, it } from 'vitest'
import type { Planned } from '../../../../src/core/messages.ts'
import { approval, deploy, facts, renderer, wordsOf } from './sample.ts'

const commit = (message: string, author = 'Ana') => ({ commit: '3fa9c1e', author, message })
const shown = (commits: Planned['commits']) => {
  const planned: Planned = {
    schema: 1,
    changes: ['image 1.4.1 → 1.4.2'],
    notes: [],
    diff: '',
    since: [],
    voided: [],
    at: 1,
    ...(commits ? { commits } : {}),
  }
  const waiting = deploy({ phase: 'awaiting_approval', approval: approval() })
  return wordsOf(renderer.main(facts({ deploy: waiting, planned })))
}

describe('commits of a request', () => {
  const cases: [string, Planned['commits'], RegExp | string][] = [
    [
      'one',
      { list: [commit('Fix the cart')], total: 1, all: true },
      '*1 commit* by Ana since `1.4.1`: Fix the cart',
    ],
    [
      'many, of many',
      {
        list: ['Ana', 'Ben', 'Cho', 'Dan', 'Eve', 'Fay'].map(name => commit(`By ${name}`, name)),
        total: 12,
        all: true,
      },
      '*12 commits* by Ana, Ben, Cho and others since `1.4.1`: By Ana; By Ben; By Cho; By Dan; By Eve; and 7 more',
    ],
    ['not all known', { list: [commit('x')], total: 1, all: false }, '*at least 1 commit* by Ana'],
    [
      'words that would ping',
      { list: [commit('<!channel> hi', '<@U1>')], total: 1, all: true },
      'by &lt;@U1&gt; since `1.4.1`: &lt;!channel&gt; hi',
    ],
  ]
  it.each(cases)('%s', (_, commits, words) => expect(shown(commits)).toContain(words))
  it('are left out where they are not known', () =>
    expect(shown(undefined)).not.toMatch(/ by Ana|since `1.4.1`/))
})
