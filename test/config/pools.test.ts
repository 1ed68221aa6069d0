// Pools in gkube.yaml: what belongs together, the SSH key by file and variable, and what is refused with words.
import { describe, expect, it } from 'vitest'
import { loadConfig, maskedConfig } from '../../src/config.ts'

const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n-----END OPENSSH PRIVATE KEY-----'
const files: Record<string, string> = { key: `${key}\n`, notes: 'not a key' }
const hostKey = `ssh-ed25519 ${'A'.repeat(68)}`
const load = (
  pools: Record<string, unknown>,
  options: { env?: Record<string, string>; environment?: object; secrets?: 'ignore' } = {},
) =>
  loadConfig({
    file: 'gkube.yaml',
    env: options.env ?? {},
    secrets: options.secrets,
    read: path => {
      const text =
        path === 'gkube.yaml'
          ? JSON.stringify({ environments: { staging: options.environment ?? {} }, pools })
          : files[path]
      if (text === undefined) throw Object.assign(new Error('no'), { code: 'ENOENT' })
      return text
    },
  })

const plain = {
  volume: 'gv0',
  servers: ['gluster-1.example.com'],
  reach: { kind: 'local' },
  strategy: 'hostpath',
  hostPath: '/mnt/gv0',
}
const ssh = { kind: 'ssh', host: 'gluster-1.example.com', user: 'gkube', keyFile: 'key', hostKey }
const own = { bricks: ['g1:/bricks/a', 'g2:/bricks/a'], replica: 2 }

describe('pools in gkube.yaml', () => {
  it('are none where none is written', () => expect(load({}).pools).toEqual({}))

  it('hold what the adapter needs', () => {
    const config = load(
      { shared: { ...plain, reach: ssh, mount: '/mnt/gv0', own } },
      { environment: { pool: 'shared' } },
    )
    expect(config.pools).toEqual({
      shared: {
        volume: 'gv0',
        servers: ['gluster-1.example.com'],
        reach: {
          kind: 'ssh',
          host: 'gluster-1.example.com',
          port: 22,
          user: 'gkube',
          sudo: false,
          key,
          hostKey,
        },
        mount: '/mnt/gv0',
        strategy: { kind: 'hostpath', path: '/mnt/gv0' },
        snapshots: false,
        own: { ...own, force: false },
      },
    })
    expect(config.environments.staging?.pool).toBe('shared')
  })

  it.each([
    [
      'intree',
      { endpoints: { name: 'g', namespace: 'default' } },
      { endpoints: { name: 'g', namespace: 'default' } },
    ],
    ['nfs-csi', { nfs: { server: 'n', share: '/gv0' } }, { server: 'n', share: '/gv0' }],
    ['kadalu', { kadalu: { storageClass: 'kadalu.a' } }, { storageClass: 'kadalu.a' }],
  ])('take the strategy %s', (strategy, given, held) => {
    const { hostPath: _, ...rest } = plain
    expect(load({ a: { ...rest, strategy, ...given } }).pools.a?.strategy).toEqual({
      kind: strategy,
      ...held,
    })
  })

  it('take the key from a variable', () => {
    const { keyFile: _, ...reach } = ssh
    const { pools } = load({ a: { ...plain, reach: { ...reach, keyEnv: 'K' } } }, { env: { K: key } })
    expect(pools.a?.reach).toMatchObject({ key })
  })
  it('are whole without secrets', () =>
    expect(load({ a: { ...plain, reach: ssh } }, { secrets: 'ignore' }).pools.a?.reach).toMatchObject({
      key: '',
    }))
  it('never show the key', () =>
    expect(JSON.stringify(maskedConfig(load({ a: { ...plain, reach: ssh } })))).not.toContain('b3BlbnNz'))

  it.each<[string, object, string]>([
    ['ssh without a user', { reach: { ...ssh, user: undefined } }, 'pools.a.reach.user'],
    [
      'ssh without a pinned key',
      { reach: { ...ssh, hostKey: undefined } },
      'ssh-keyscan -t ed25519 gluster-1',
    ],
    ['ssh without a key', { reach: { ...ssh, keyFile: undefined } }, 'keyFile or keyEnv'],
    ['a key that is none', { reach: { ...ssh, keyFile: 'notes' } }, 'BEGIN OPENSSH PRIVATE KEY'],
    ['a key that is not there', { reach: { ...ssh, keyFile: 'gone' } }, 'gone'],
    ['remote without a host', { reach: { kind: 'remote' } }, 'because kind is remote'],
    ['local with a host', { reach: { kind: 'local', host: 'g1' } }, 'kind: remote or ssh'],
    ['a key for nothing', { reach: { kind: 'local', keyFile: 'key' } }, 'or kind: ssh'],
    ['an option for a host', { reach: { ...ssh, host: '-oProxyCommand=x' } }, 'a host name'],
    ['a user with an option', { reach: { ...ssh, user: '-x' } }, 'a user name'],
    [
      'a strategy without its part',
      { strategy: 'nfs-csi', hostPath: undefined },
      'because strategy is nfs-csi',
    ],
    ['the part of another strategy', { nfs: { server: 'n', share: '/s' } }, 'or strategy: nfs-csi'],
    ['a volume with a slash', { volume: 'a/b' }, 'the name of a GlusterFS volume'],
    ['a volume like an option', { volume: '--x' }, 'the name of a GlusterFS volume'],
    ['a mount that goes up', { mount: '/mnt/../etc' }, 'a full path'],
    ['a mount that is not full', { mount: 'mnt' }, 'a full path'],
    ['too few bricks', { own: { ...own, replica: 3 } }, 'a multiple of replica (3), not 2 bricks'],
    ['a brick on localhost', { own: { bricks: ['localhost:/b'], replica: 1 } }, 'no brick on localhost'],
    ['a brick that goes up', { own: { bricks: ['g1:/b/../c'], replica: 1 } }, 'a host and a folder'],
    ['a brick twice', { own: { bricks: ['g1:/b', 'g1:/b'], replica: 2 } }, 'each brick once'],
  ])('refuse %s', (_, change, words) => expect(() => load({ a: { ...plain, ...change } })).toThrow(words))

  it('are named by environments', () =>
    expect(() => load({ shared: plain }, { environment: { pool: 'shard' } })).toThrow(
      /environments\.staging\.pool.*a key of `pools`.*did you mean shared/,
    ))
})
