// The section `publish` of gkube.yaml.
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config.ts'

const load = (section: string) =>
  loadConfig({ env: {}, read: () => `environments: { staging: {} }\n${section}` }).publish

describe('publish', () => {
  it('may be left out: no code is published', () => expect(load('')).toEqual({ image: null, url: null }))

  it('is read as written', () =>
    expect(load('publish: { image: "r/gkube:1", url: "http://gkube.gkube.svc:8080/" }')).toEqual({
      image: 'r/gkube:1',
      url: 'http://gkube.gkube.svc:8080',
    }))

  it.each([
    ['an image of two words', 'publish: { image: "r/gkube 1" }', /publish\.image/],
    ['an address without a scheme', 'publish: { url: "gkube:8080" }', /publish\.url/],
    ['a password in the address', 'publish: { url: "https://a:b@gkube" }', /without a password/],
  ])('with %s is refused', (_name, section, why) => expect(() => load(section)).toThrow(why))
})
