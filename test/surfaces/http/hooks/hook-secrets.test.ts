// Who may send hooks: each proof, right and wrong, and that how it is compared tells nothing.
import { timingSafeEqual } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { hookSecrets, proofOf } from '../../../../src/surfaces/http/hooks/hook-secrets.ts'
import { basic, signed } from './send.ts'

const now = 1_790_000_000_000
const seconds = now / 1000
const secrets = ['first-secret-0123456789', 'second:secret-012345678', 'dritter-Schlüssel-0123456789']
const hooks = secrets.map((secret, n) => ({ name: `hook-${n}`, secret, jobs: ['*'] }))
const [first, second, third] = secrets as [string, string, string]

const proof = (headers: Record<string, string>, rest = '') => proofOf(headers, rest, now)
const secret = (value: string) => ({ kind: 'secret', secret: value })

describe('what proves who it is', () => {
  it.each([
    ['nothing', {}, '', { kind: 'none' }],
    ['the end of the address', {}, first, secret(first)],
    ['encoded', {}, encodeURIComponent(third), secret(third)],
    ['a bare %', {}, '100%-secret', secret('100%-secret')],
    ['a slash in it', {}, 'a/b', secret('a/b')],
    ['Bearer', { authorization: `bearer   ${first}` }, '', secret(first)],
    ['Basic, any user', basic(second), '', secret(second)],
    ['Basic, no user', basic(first, ''), '', secret(first)],
    ['Basic without a password', { authorization: `Basic ${btoa(first)}` }, '', { kind: 'none' }],
    ['another scheme', { authorization: `Digest ${first}` }, '', { kind: 'none' }],
    ['an empty Bearer', { authorization: 'Bearer' }, '', secret('')],
    ['the address, where a proxy adds its own', basic('proxy'), first, secret(first)],
  ])('%s', (_, headers, rest, expected) =>
    expect(proof(headers as Record<string, string>, rest)).toEqual(expected),
  )

  it.each([
    [0, 'signature'],
    [-300, 'signature'],
    [300, 'signature'],
    [-301, 'late'],
    [301, 'late'],
  ])('a signature whose time is %i s off: %s', (off, kind) =>
    expect(proof(signed(first, '{}', seconds + off)).kind).toBe(kind),
  )

  it.each(['', 'now', '-1', '1.5', '1e9', '9'.repeat(20)])('a time that is none: %o', time =>
    expect(proof({ ...signed(first, '{}', seconds), 'x-gkube-timestamp': time }).kind).toBe('late'),
  )

  it('a signature is never left out of account for something easier', () =>
    expect(proof({ ...signed('wrong', '{}', seconds), ...basic(first) }, first).kind).toBe('signature'))
})

describe('whose hook it is', () => {
  const known = hookSecrets(hooks)
  it.each(secrets.map((value, n) => [value, `hook-${n}`]))('%s is %s', (value, name) =>
    expect(known.bySecret(value)?.name).toBe(name),
  )
  it.each(['', 'x', first.slice(0, -1), `${first} `, first.toUpperCase(), 'x'.repeat(100_000)])(
    '%s is nobody',
    value => expect(known.bySecret(value)).toBeNull(),
  )

  const body = Buffer.from(JSON.stringify({ job: 'Büro', number: 1 }))
  const signature = (over: string | Uint8Array, by = second) => {
    const headers = signed(by, over, seconds)
    return { timestamp: String(seconds), signature: headers['x-gkube-signature'] ?? '' }
  }
  it('a signature over time and bytes is that of its hook', () =>
    expect(known.bySignature(signature(body.toString()), body)?.name).toBe('hook-1'))
  it.each([
    ['another body', signature('{}')],
    ['another time', { ...signature(body.toString()), timestamp: String(seconds + 1) }],
    ['another secret', signature(body.toString(), 'none')],
    ['upper case', { ...signature(body.toString()), signature: 'V1=AB' }],
    ['nothing', { timestamp: String(seconds), signature: '' }],
    ['not its hex', { timestamp: String(seconds), signature: 'v1=zz' }],
  ])('%s is nobody’s', (_, wrong) => expect(known.bySignature(wrong, body)).toBeNull())

  it('a body that is no text is signed by its bytes', () => {
    const bytes = Buffer.from([0xff, 0x00, 0xfe])
    expect(known.bySignature(signature(bytes), bytes)?.name).toBe('hook-1')
  })
})

describe('what the comparison tells', () => {
  // Each look at a secret is one comparison in constant time of two digests; how many and how long is the same.
  function watched() {
    const looks: (readonly [number, number])[] = []
    const known = hookSecrets(hooks, (a, b) => {
      looks.push([a.byteLength, b.byteLength])
      return timingSafeEqual(a, b)
    })
    return { looks, known }
  }
  const looked = [
    [32, 32],
    [32, 32],
    [32, 32],
  ]
  it.each([first, second, third, '', 'x', first.slice(0, -1), 'x'.repeat(10_000)])('%s', value => {
    const { looks, known } = watched()
    known.bySecret(value)
    expect(looks).toEqual(looked)
  })
  it.each([first, second, third, 'wrong'])('a signature by %s', by => {
    const { looks, known } = watched()
    known.bySignature(
      { timestamp: '1', signature: signed(by, '', 1)['x-gkube-signature'] ?? '' },
      Buffer.of(),
    )
    known.bySignature({ timestamp: '1', signature: 'short' }, Buffer.of())
    expect(looks).toEqual([...looked, ...looked])
  })
})
