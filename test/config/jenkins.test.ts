// Jenkins in gkube.yaml: what belongs together, secrets by file and variable, and what is refused with words.
import { describe, expect, it } from 'vitest'
import { loadConfig, maskedConfig } from '../../src/config.ts'

const files: Record<string, string> = { token: 'api-token\n', hook: `${'h'.repeat(32)}\n`, short: 'guess-me' }
const load = (jenkins: string, env: Record<string, string> = {}) =>
  loadConfig({
    file: 'gkube.yaml',
    env,
    read: path => {
      const text = path === 'gkube.yaml' ? `environments: { staging: {} }\n${jenkins}` : files[path]
      if (text === undefined) throw Object.assign(new Error('no'), { code: 'ENOENT' })
      return text
    },
  })

describe('jenkins in gkube.yaml', () => {
  it('is nothing where nothing is written', () => expect(load('').jenkins).toBeNull())
  it('takes a server, hooks and where builds are told', () =>
    expect(
      load(
        'jenkins: { url: https://jenkins.example.com, user: gkube, tokenFile: token, hooks: { shop: { secretFile: hook, jobs: [shop/*] } }, channel: C012AB3CD }',
      ).jenkins,
    ).toEqual({
      server: { url: 'https://jenkins.example.com/', user: 'gkube', token: 'api-token' },
      hooks: [{ name: 'shop', secret: 'h'.repeat(32), jobs: ['shop/*'] }],
      channel: 'C012AB3CD',
      events: 'changes',
    }))
  it('takes hooks without a server', () => {
    const { jenkins } = load('jenkins: { hooks: { all: { secretFile: hook } } }')
    expect(jenkins).toMatchObject({ server: null, hooks: [{ name: 'all', jobs: ['*'] }] })
  })
  it('takes all of it from variables', () => {
    const { jenkins } = load('', {
      GKUBE_JENKINS_URL: 'http://127.0.0.1:8080/',
      GKUBE_JENKINS_USER: 'gkube',
      GKUBE_JENKINS_TOKEN: 't',
      GKUBE_JENKINS_HOOK_SECRET: 'x'.repeat(32),
    })
    expect(jenkins?.server).toEqual({ url: 'http://127.0.0.1:8080/', user: 'gkube', token: 't' })
    expect(jenkins?.hooks).toEqual([{ name: 'default', secret: 'x'.repeat(32), jobs: ['*'] }])
  })
  it('never shows a secret', () => {
    const config = load(
      'jenkins: { url: https://j.example.com, user: gkube, tokenFile: token, hooks: { a: { secretFile: hook } } }',
    )
    const shown = JSON.stringify(maskedConfig(config))
    expect(shown).not.toContain('api-token')
    expect(shown).not.toContain('hhhh')
  })

  it.each([
    [
      'a server without a user',
      'jenkins: { url: https://j.example.com, tokenFile: token }',
      'belong together',
    ],
    ['a server without a token', 'jenkins: { url: https://j.example.com, user: a }', 'GKUBE_JENKINS_TOKEN'],
    [
      'a token in the clear',
      'jenkins: { url: http://j.example.com, user: a, tokenFile: token }',
      'in the clear',
    ],
    [
      'a password in the address',
      'jenkins: { url: https://a:b@j.example.com, user: a, tokenFile: token }',
      'without a password',
    ],
    ['a hook without a secret', 'jenkins: { hooks: { a: {} } }', 'secretFile or secretEnv'],
    [
      'a secret that can be guessed',
      'jenkins: { hooks: { a: { secretFile: short } } }',
      '20 characters or more, not 8',
    ],
  ])('refuses %s', (_, text, words) => expect(() => load(text)).toThrow(words))
})
