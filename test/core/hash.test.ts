// Hashes: what changes them and what must not.
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../src/core/cluster.ts'
import { approvalHash, canonical, objectHash, specHash } from '../../src/core/hash.ts'
import { frozenOf, renderOf } from './specs.ts'

const object = (metadata: object, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', ...metadata },
  ...more,
})

describe('objectHash', () => {
  const same: readonly (readonly [name: string, metadata: object])[] = [
    ['who wrote it', { annotations: { 'gkube.dev/deploy': 'x', 'gkube.dev/epoch': '3' } }],
    ['the resourceVersion', { resourceVersion: '7' }],
    ['no annotations', { annotations: {} }],
  ]
  it.each(same)('is the same with %s', (_, metadata) => {
    expect(objectHash(object(metadata))).toBe(objectHash(object({})))
  })
  const others: readonly (readonly [name: string, other: KubeObject])[] = [
    ['another name', object({ name: 'b' })],
    ["the team's annotation", object({ annotations: { 'example.com/x': 'y' } })],
    ['a label', object({ labels: { a: 'b' } })],
    ['content', object({}, { data: { a: '1' } })],
  ]
  it.each(others)('is another with %s', (_, other) => {
    expect(objectHash(other)).not.toBe(objectHash(object({})))
  })
  it('does not depend on the order of keys', () => {
    const a = object({}, { data: { x: '1', y: '2' } })
    const b = object({}, { data: { y: '2', x: '1' } })
    expect(objectHash(a)).toBe(objectHash(b))
  })
  it('two deploys of the same revision write equal objects', () => {
    const hashes = (id: string) => renderOf({}, { deploy: { id, epoch: 1 } }).map(objectHash)
    expect(hashes('a')).toEqual(hashes('b'))
  })
})

describe('specHash', () => {
  it('is another for another revision, digest or environment', () => {
    const base = frozenOf()
    const all = [
      base,
      { ...base, revision: '2' },
      { ...base, digest: 'sha256:x' },
      { ...base, environment: 'b' },
    ]
    expect(new Set(all.map(specHash)).size).toBe(4)
    expect(specHash(JSON.parse(JSON.stringify(base)))).toBe(specHash(base))
  })
})

describe('approvalHash', () => {
  const base = {
    deploy: 'd1',
    spec: 's',
    revision: '1.0.0',
    image: 'r/web:1.0.0',
    digest: 'sha256:aa',
    artifact: null,
    environment: 'staging',
    cluster: 'local',
    namespace: 'shop',
    requester: 'token:ci',
    base: '0.9.0',
    objects: renderOf({}, { deploy: { id: 'd1', epoch: 0 } }),
  }
  const changes: readonly (readonly [name: string, change: object])[] = [
    ['deploy', { deploy: 'd2' }],
    ['spec', { spec: 't' }],
    ['revision', { revision: '1.0.1' }],
    ['digest', { digest: 'sha256:bb' }],
    ['no digest', { digest: null }],
    ['artifact', { artifact: { url: 'https://a', sha256: 'x' } }],
    ['environment', { environment: 'production' }],
    ['cluster', { cluster: 'other' }],
    ['namespace', { namespace: 'other' }],
    ['requester', { requester: 'token:ana' }],
    ['base revision', { base: '0.8.0' }],
    ['rendered objects', { objects: renderOf({ replicas: 2 }) }],
  ]
  it.each(changes)('binds the %s', (_, change) => {
    expect(approvalHash({ ...base, ...change })).not.toBe(approvalHash(base))
  })
  it('an unpinned image is bound by its tag', () => {
    const hash = (image: string) => approvalHash({ ...base, digest: null, image })
    expect(hash('r/web:1')).not.toBe(hash('r/web:2'))
  })
  it('the epoch of the claim does not void votes', () => {
    const objects = renderOf({}, { deploy: { id: 'd1', epoch: 9 } })
    expect(approvalHash({ ...base, objects })).toBe(approvalHash(base))
  })
})

describe('canonical', () => {
  it('has no place for what is not JSON', () => {
    const circle: { self?: unknown } = {}
    circle.self = circle
    expect(() => canonical(circle)).toThrow()
    expect(() => canonical(undefined)).toThrow('only JSON values')
    expect(() => canonical({ a: 1n })).toThrow()
  })
})
