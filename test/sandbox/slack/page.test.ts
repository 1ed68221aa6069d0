// The page's pure parts, and how it is served: text stays text, links lead to the web only, nothing else is let out.
// What it looks like and does in a browser is test/browser/.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pieces, type Span, spans } from '../../../src/sandbox/slack/page/client/mrkdwn.ts'
import { shared } from '../../../src/sandbox/slack/page/client/shared.ts'
import { servePage } from '../../../src/sandbox/slack/page/serve.ts'

const text = (of: string): Span => ({ kind: 'text', text: of })

describe('mrkdwn', () => {
  it.each<[string, string, Span[]]>([
    ['plain text', 'hello', [text('hello')]],
    ['escapes', '&lt;!channel&gt; &amp;amp;', [text('<!channel> &amp;')]],
    ['bold', 'a *b c* d', [text('a '), { kind: 'bold', spans: [text('b c')] }, text(' d')]],
    ['italic in bold', '*_x_*', [{ kind: 'bold', spans: [{ kind: 'italic', spans: [text('x')] }] }]],
    ['a marker inside a word', 'a*b*c snake_case_name', [text('a*b*c snake_case_name')]],
    ['a lone marker', '2 * 3 = 6 * 1', [text('2 * 3 = 6 * 1')]],
    ['bold before punctuation', '*web*.', [{ kind: 'bold', spans: [text('web')] }, text('.')]],
    ['code keeps its markers', '`a *b* &lt;`', [{ kind: 'code', text: 'a *b* <' }]],
    ['a mention with a name', '<@U1|ana>', [{ kind: 'user', id: 'U1', label: 'ana' }]],
    ['a channel', '<#C1>', [{ kind: 'channel', id: 'C1', label: '' }]],
    ['a user group', '<!subteam^S1>', [{ kind: 'group', id: 'S1', label: '' }]],
    ['everybody', '<!here>', [{ kind: 'broadcast', id: 'here', label: '@here' }]],
    [
      'a link with words',
      '<https://x.example/?a=1&amp;b=2|see>',
      [{ kind: 'link', href: 'https://x.example/?a=1&b=2', text: 'see' }],
    ],
    ['a link to a script is text', '<javascript:alert(1)|see>', [text('see')]],
    [
      'a date',
      '<!date^1700000000^{date} at {time}|then>',
      [{ kind: 'date', at: 1_700_000_000, format: '{date} at {time}', href: null, label: 'then' }],
    ],
    ['an emoji', ':x:', [{ kind: 'emoji', name: 'x' }]],
    ['an unknown name', ':nope: 10:30:15', [text(':nope: 10:30:15')]],
    ['lines', 'a\nb', [text('a'), { kind: 'break' }, text('b')]],
    ['an angle bracket that is not closed', 'a < b', [text('a < b')]],
    ['markup', '<b>x</b>', [text('b'), text('x'), text('/b')]],
  ])('%s', (_name, given, wanted) => expect(spans(given)).toEqual(wanted))

  it('fences, quotes and paragraphs', () =>
    expect(pieces('a\n> b\n&gt; c\n```x *y*\nz```d').map(piece => piece.kind)).toEqual([
      'paragraph',
      'quote',
      'pre',
      'paragraph',
    ]))

  it('a fence that is not closed stays text', () =>
    expect(pieces('a ```b')).toEqual([{ kind: 'paragraph', spans: [text('a ```b')] }]))
})

describe('shared', () => {
  it('keeps what is equal, and the whole where nothing changed', () => {
    const before = { a: [{ x: 1 }, { x: 2 }], b: { c: 1 } }
    const next = shared(before, { a: [{ x: 1 }, { x: 3 }], b: { c: 1 } })
    expect(next).toEqual({ a: [{ x: 1 }, { x: 3 }], b: { c: 1 } })
    expect(next.a[0]).toBe(before.a[0])
    expect(next.b).toBe(before.b)
    expect(shared(before, structuredClone(before))).toBe(before)
  })

  it.each([
    ['a key gone', { a: 1, b: 2 }, { a: 1 }],
    ['a key new', { a: 1 }, { a: 1, b: undefined }],
    ['a list for an object', { 0: 1 }, [1]],
    ['null for an object', { a: {} }, { a: null }],
  ])('%s', (_name, before, next) => expect(shared(before, next)).toStrictEqual(next))
})

describe('serving', () => {
  const server = createServer((request, response) => {
    void servePage(request, response).then(done => done || response.writeHead(404).end())
  })
  let base = ''
  beforeAll(async () => {
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => void server.close())

  it('lets no inline script run', async () => {
    const response = await fetch(base)
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toMatch(/default-src 'none'; script-src 'self' 'sha256-[\w+/=]+';/)
    expect(policy).not.toContain('unsafe')
    expect(await response.text()).not.toMatch(/<script>|style=|\son\w+=/)
  })

  it('strips types on the way out, and every module it names is there', async () => {
    const seen = new Set<string>()
    const visit = async (path: string): Promise<void> => {
      if (seen.has(path)) return
      seen.add(path)
      const response = await fetch(base + path)
      expect(response.status, path).toBe(200)
      expect(response.headers.get('content-type')).toContain('text/javascript')
      const imports = [...(await response.text()).matchAll(/from '\.\/([a-z-]+\.ts)'/g)]
      for (const [, name] of imports) await visit(`/page/${name}`)
    }
    await visit('/page/main.ts')
    expect(seen.size).toBeGreaterThan(15)
    for (const name of ['preact', 'preact-hooks', 'htm'])
      expect((await fetch(`${base}/page/lib/${name}.mjs`)).status).toBe(200)
  })

  it('answers 304 to what the browser has', async () => {
    const tag = (await fetch(`${base}/page/base.css`)).headers.get('etag') ?? ''
    expect((await fetch(`${base}/page/base.css`, { headers: { 'if-none-match': tag } })).status).toBe(304)
  })

  it.each([
    '/page/tsconfig.json',
    '/page/..%2fserve.ts',
    '/page/lib/../../serve.ts',
    '/page/lib/vitest.mjs',
    '/serve.ts',
  ])('%s is not let out', async path => expect((await fetch(base + path)).status).toBe(404))

  it('knows the commands that gkube takes', async () => {
    const usage = (await (await fetch(`${base}/page/usage.json`)).json()) as { command: string }[]
    expect(usage.map(one => one.command)).toContain('deploy')
  })
})
