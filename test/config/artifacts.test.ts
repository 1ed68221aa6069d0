// The section `artifacts` of gkube.yaml: its defaults, and what is refused.
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config.ts'

const load = (section: string) =>
  loadConfig({ env: {}, read: () => `environments: { staging: {} }\n${section}` }).artifacts

describe('artifacts', () => {
  it('may be left out: none are uploaded, none are fetched', () =>
    expect(load('')).toEqual({ directory: null, maxBytes: 2 ** 30, keepSeconds: 604_800, hosts: {} }))

  it('are read as written', () =>
    expect(
      load(
        'artifacts: { directory: /srv/a, maxSize: 10Mi, keep: 48h, hosts: { a.example.com: { credential: c }, "b:8443": {}, c: } }',
      ),
    ).toEqual({
      directory: '/srv/a',
      maxBytes: 10 * 2 ** 20,
      keepSeconds: 172_800,
      hosts: {
        'a.example.com': { credential: 'c' },
        'b:8443': { credential: null },
        c: { credential: null },
      },
    }))

  it.each([
    ['a short keep', 'artifacts: { keep: 5m }', /artifacts\.keep.*an hour or more/s],
    ['a size of nothing', 'artifacts: { maxSize: 0 }', /artifacts\.maxSize.*above nothing/s],
    ['a relative directory', 'artifacts: { directory: a/b }', /artifacts\.directory.*full path/s],
    ['a host with a scheme', 'artifacts: { hosts: { "https://a": {} } }', /host in lower case/],
  ])('with %s are refused', (_name, section, why) => expect(() => load(section)).toThrow(why))
})
