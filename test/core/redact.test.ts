// Secrets by shape and by name, and, as important, what is none and must stay readable.
import { describe, expect, it } from 'vitest'
import { redactData, redactText } from '../../src/core/redact.ts'

describe('text', () => {
  it.each([
    ['a bearer token', 'Authorization: Bearer abc.def-123456', 'abc.def-123456'],
    ['a password in an address', 'cannot connect to postgres://web:hunter2@db:5432/x', 'hunter2'],
    ['a redis password without a user', 'redis://:hunter2@cache:6379', 'hunter2'],
    ['a variable', 'DB_PASSWORD=hunter2 started', 'hunter2'],
    ['a quoted value', '{"apiKey": "hunter2 with spaces"}', 'hunter2'],
    ['YAML', 'client_secret: hunter2', 'hunter2'],
    ['a Slack token', `posting with ${'xoxb'}-1234567890-abcdef`, '1234567890'],
    ['a GitHub token', `ghp_${'a'.repeat(36)}`, 'aaaa'],
    ['a JSON web token', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc_def-ghi', 'eyJ'],
    ['a token in an address', `https://${'c'.repeat(20)}@git.example.com/x`, 'cccc'],
    ['an AWS key', `using ${'ASIA'}${'Q'.repeat(16)}`, 'QQQQ'],
    ['a token of an upload', `read with ${'gka'}_${'0'.repeat(26)}_${'s'.repeat(43)}`, 'ssss'],
    ['a GitLab token', `${'glpat'}-${'z'.repeat(20)}`, 'zzzz'],
    ['an argument', 'mysqldump --password hunter2 --all', 'hunter2'],
    ['a passphrase', 'passphrase: hunter2', 'hunter2'],
    ['a private key', '-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----', 'MIIB'],
    ['a private key that is cut off', 'x -----BEGIN PRIVATE KEY-----\nMIIB', 'MIIB'],
  ])('%s', (_name, text, secret) => {
    expect(redactText(text)).toContain('[redacted]')
    expect(redactText(text)).not.toContain(secret)
  })

  it.each([
    'Error: connect ECONNREFUSED 10.0.0.7:5432',
    'image registry.example.com/shop/web:1.4.2@sha256:3fa9c1e0 not found: manifest unknown',
    'the token has expired',
    'key /gkube/v1/tokens/01J9Z does not parse',
    'https://jenkins.example.com/job/shop/214/console?start=0',
  ])('stays: %s', text => {
    expect(redactText(text)).toBe(text)
  })

  it.each(['a', 'a.', 'Ab+/', 'https://', 'password'])('a line of 60 KB of %s takes no time', text => {
    const began = performance.now()
    redactText(text.repeat(60_000 / text.length))
    expect(performance.now() - began).toBeLessThan(500)
  })

  it('twice is the same as once', () => {
    const once = redactText('password=hunter2 Bearer abcdefgh token: x')
    expect(redactText(once)).toBe(once)
  })
})

describe('data', () => {
  it('hides by name, keeps the rest', () => {
    expect(
      redactData({
        headers: { authorization: 'Basic eDp5', accept: 'text/html' },
        etcd: { password: 'hunter2', username: 'gkube' },
        slackToken: 'x',
        key: '/gkube/v1/apps/web',
        idempotencyKey: 'abc',
        requireToken: true,
        count: 3,
        none: null,
      }),
    ).toEqual({
      headers: { authorization: '[redacted]', accept: 'text/html' },
      etcd: { password: '[redacted]', username: 'gkube' },
      slackToken: '[redacted]',
      key: '/gkube/v1/apps/web',
      idempotencyKey: 'abc',
      requireToken: true,
      count: 3,
      none: null,
    })
  })

  it('keeps the names of variables and where they come from, never their values', () => {
    expect(
      redactData({
        env: { LOG_LEVEL: 'info', DB: { secret: 'web', key: 'url' } },
        containers: [
          {
            env: [
              { name: 'A', value: 'x' },
              { name: 'B', valueFrom: { fieldRef: {} } },
            ],
          },
        ],
      }),
    ).toEqual({
      env: { LOG_LEVEL: '[redacted]', DB: { secret: 'web', key: 'url' } },
      containers: [
        {
          env: [
            { name: 'A', value: '[redacted]' },
            { name: 'B', valueFrom: { fieldRef: {} } },
          ],
        },
      ],
    })
  })

  it('hides what a Kubernetes Secret holds', () => {
    const secret = { kind: 'Secret', metadata: { name: 'web' }, data: { a: 'eA==' }, stringData: { b: 'x' } }
    expect(redactData(secret)).toEqual({
      kind: 'Secret',
      metadata: { name: 'web' },
      data: '[redacted]',
      stringData: '[redacted]',
    })
  })

  it('follows errors to their causes', () => {
    const error = new Error('outer', { cause: new Error('postgres://u:hunter2@db') })
    const text = JSON.stringify(redactData({ err: error }))
    expect(text).toContain('outer')
    expect(text).toContain('postgres://u:[redacted]@db')
    expect(text).not.toContain('hunter2')
  })

  it('ends on data that refers to itself', () => {
    const loop: Record<string, unknown> = {}
    loop.self = loop
    expect(JSON.stringify(redactData(loop))).toContain('[deep]')
  })
})
