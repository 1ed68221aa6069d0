// References as Docker reads them; the cases are those of distribution/reference that matter here.
import { describe, expect, it } from 'vitest'
import { parseChallenge } from '../../../src/adapters/registry/challenge.ts'
import { parseReference } from '../../../src/adapters/registry/reference.ts'

const digest = `sha256:${'a'.repeat(64)}`

describe('what a reference names', () => {
  it.each<[text: string, registry: string, repository: string, tag: string | null, digest: string | null]>([
    ['web', 'docker.io', 'library/web', 'latest', null],
    ['web:1.4', 'docker.io', 'library/web', '1.4', null],
    ['shop/web', 'docker.io', 'shop/web', 'latest', null],
    ['docker.io/web:1', 'docker.io', 'library/web', '1', null],
    ['index.docker.io/shop/web:1', 'docker.io', 'shop/web', '1', null],
    ['registry.example.com/shop/web:1.4.2', 'registry.example.com', 'shop/web', '1.4.2', null],
    ['registry.example.com:5000/web', 'registry.example.com:5000', 'web', 'latest', null],
    ['localhost/web:1', 'localhost', 'web', '1', null],
    ['localhost:5000/a/b/c:x_y', 'localhost:5000', 'a/b/c', 'x_y', null],
    ['[::1]:5000/web:1', '[::1]:5000', 'web', '1', null],
    [`web@${digest}`, 'docker.io', 'library/web', null, digest],
    [`ghcr.io/a/b:1@${digest}`, 'ghcr.io', 'a/b', '1', digest],
    ['Registry/web', 'Registry', 'web', 'latest', null],
  ])('%s', (text, registry, repository, tag, digest) => {
    expect(parseReference(text)).toMatchObject({ registry, repository, tag, digest })
  })

  it('asks Docker Hub at the host that speaks the API', () => {
    expect(parseReference('web')?.host).toBe('registry-1.docker.io')
    expect(parseReference('ghcr.io/web')?.host).toBe('ghcr.io')
  })

  it.each([
    '',
    ':1',
    'web:',
    'Web:1',
    'web:1:2',
    'web@sha256:abc',
    `web@${digest}@${digest}`,
    'https://a.b/web',
    'a.b/../web',
    'a.b//web',
    'web:1 --privileged',
    'a.b/web?x=1',
    'user:pw@a.b/web',
    `${'a'.repeat(256)}`,
    'web:-1',
    '-a.b/web',
    'a..b/web',
  ])('is none: %s', text => {
    expect(parseReference(text)).toBeNull()
  })
})

describe('challenges', () => {
  it.each<[header: string | null, challenge: unknown]>([
    [
      'Bearer realm="https://a.example/token",service="r",scope="repository:x:pull"',
      { scheme: 'bearer', realm: 'https://a.example/token', service: 'r', scope: 'repository:x:pull' },
    ],
    [
      'bearer Realm="https://a.example/t?x=1,2"',
      { scheme: 'bearer', realm: 'https://a.example/t?x=1,2', service: null, scope: null },
    ],
    [
      'Bearer service=r, realm=https://a.example',
      { scheme: 'bearer', realm: 'https://a.example', service: 'r', scope: null },
    ],
    ['Basic realm="x"', { scheme: 'basic' }],
    [
      'Basic realm="x", Bearer realm="https://a.example"',
      { scheme: 'bearer', realm: 'https://a.example', service: null, scope: null },
    ],
    ['Negotiate', null],
    ['Bearer service="r"', null],
    [null, null],
  ])('%s', (header, challenge) => {
    expect(parseChallenge(header)).toEqual(challenge)
  })
})
