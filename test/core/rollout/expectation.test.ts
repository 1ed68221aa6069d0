// What an app's rollout must reach, from its spec and from what was written.
import { describe, expect, it } from 'vitest'
import { expectationFor } from '../../../src/core/rollout/expectation.ts'
import { start } from './facts.ts'

describe('the expectation of an app', () => {
  const rollout = { progress: '5m', limit: '1h', stable: '15s', crashes: 2 }
  const base = {
    workload: { kind: 'Deployment', name: 'web' },
    startedAt: start,
    inventory: [
      { apiVersion: 'v1', kind: 'Service', name: 'web', uid: '1', hash: '', seen: 'rv7' },
      { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: '2', hash: '', seen: 'g12' },
    ],
  }
  it('takes times from the app, the generation from what was written, the ports from its Service', () => {
    const spec = { kind: 'service', rollout, ports: [{ name: 'http', port: 8080 }], manifests: [] }
    expect(expectationFor({ ...base, frozen: { app: 'web', spec } as never })).toEqual({
      kind: 'Deployment',
      name: 'web',
      generation: 12,
      servicePorts: [{ service: 'web', port: 'http' }],
      progressSeconds: 300,
      limitSeconds: 3600,
      stableSeconds: 15,
      crashes: 2,
      startedAt: start,
    })
  })

  it('finds the Services of given manifests that select the workload', () => {
    const service = (name: string, selector: Record<string, string>) => ({
      kind: 'Service',
      metadata: { name },
      spec: { selector, ports: [{ port: 80 }, { name: 'admin', port: 81 }] },
    })
    const manifests = [
      {
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: { template: { metadata: { labels: { a: '1', b: '2' } } } },
      },
      service('mine', { a: '1' }),
      service('other', { a: '2' }),
      { ...service('none', {}), spec: { ports: [{ port: 80 }] } },
    ]
    const spec = { kind: 'manifests', rollout, ports: [], manifests }
    expect(expectationFor({ ...base, frozen: { app: 'web', spec } as never }).servicePorts).toEqual([
      { service: 'mine', port: '' },
      { service: 'mine', port: 'admin' },
    ])
  })
})
