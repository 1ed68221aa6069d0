// Pools of gkube.yaml: what belongs together across their keys, and the SSH key that one points to. config.ts calls
// this; adapters/glusterfs is given the result, and environments name a pool by its key.
import type { PoolConfig } from '../config.ts'
import type { Path } from '../core/problems.ts'
import type { Report } from './problems.ts'
import type { ParsedConfig } from './schema.ts'
import { isLoopback, type secretsOf } from './secrets.ts'

type Context = {
  readonly secrets: Pick<ReturnType<typeof secretsOf>, 'secret'>
  readonly report: Report
  /** Keys are left unread: then none is missed. */
  readonly ignore: boolean
}
type ParsedPool = ParsedConfig['pools'][string]
type Finder<T> = (pool: ParsedPool, path: Path, context: Context) => T | undefined

/** The pools that are whole; what is missing was reported. */
export const poolsOf = (pools: ParsedConfig['pools'], context: Context): Record<string, PoolConfig> =>
  Object.fromEntries(
    Object.entries(pools).flatMap(([name, pool]) => {
      const path = ['pools', name]
      const reach = reachOf(pool, path, context)
      const strategy = strategyOf(pool, path, context)
      checkOwn(pool, path, context)
      const { volume, servers, mount, snapshots, own } = pool
      if (!reach || !strategy) return []
      return [[name, { volume, servers, reach, mount: mount ?? null, strategy, snapshots, own: own ?? null }]]
    }),
  )

type Reach = ParsedPool['reach']
/** What only one way of reaching it needs. */
const forSsh = ['user', 'keyFile', 'keyEnv', 'hostKey'] as const

const reachOf: Finder<PoolConfig['reach']> = ({ reach }, path, { secrets, report, ignore }) => {
  const { kind, host, port, user, sudo, hostKey } = reach
  const at = [...path, 'reach']
  checkHost(reach, at, report)
  if (kind === 'ssh') checkSsh(reach, at, report)
  else
    for (const key of forSsh)
      if (reach[key] !== undefined) report({ path: [...at, key], expected: 'it left out, or kind: ssh' })
  if (kind === 'local') return { kind }
  if (kind === 'remote') return host === undefined ? undefined : { kind, host }
  const key = secrets.secret(at, 'key', reach)
  if (key !== undefined && !/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(key))
    report({
      path: [...at, reach.keyFile === undefined ? 'keyEnv' : 'keyFile'],
      expected: 'a private key, which begins with -----BEGIN OPENSSH PRIVATE KEY-----',
    })
  const whole = host !== undefined && user !== undefined && hostKey !== undefined
  if (!whole || (key === undefined && !ignore)) return undefined
  return { kind, host, port, user, sudo, hostKey, key: key ?? '' }
}

function checkHost({ kind, host }: Reach, at: Path, report: Report): void {
  if (kind === 'local' && host !== undefined)
    report({ path: [...at, 'host'], seen: host, expected: 'it left out, or kind: remote or ssh' })
  if (kind !== 'local' && host === undefined)
    report({ path: [...at, 'host'], expected: `the server, because kind is ${kind}` })
}

function checkSsh({ host, user, hostKey, keyFile, keyEnv }: Reach, at: Path, report: Report): void {
  if (user === undefined)
    report({ path: [...at, 'user'], expected: 'who gkube is on that server, because kind is ssh' })
  if (hostKey === undefined)
    report({
      path: [...at, 'hostKey'],
      expected: `the public key of ${host ?? 'the server'}, as \`ssh-keyscan -t ed25519 ${host ?? '<host>'}\` shows it; compare it with the one on the server`,
    })
  if (keyFile === undefined && keyEnv === undefined)
    report({ path: at, expected: 'a private key: keyFile or keyEnv' })
}

const needs = { intree: 'endpoints', 'nfs-csi': 'nfs', kadalu: 'kadalu', hostpath: 'hostPath' } as const

const strategyOf: Finder<PoolConfig['strategy']> = (pool, path, { report }) => {
  const { strategy, endpoints, nfs, kadalu, hostPath } = pool
  for (const [other, key] of Object.entries(needs))
    if (other !== strategy && pool[key] !== undefined)
      report({ path: [...path, key], expected: `it left out, or strategy: ${other}` })
  if (strategy === 'intree' && endpoints) return { kind: strategy, endpoints }
  if (strategy === 'nfs-csi' && nfs) return { kind: strategy, ...nfs }
  if (strategy === 'kadalu' && kadalu) return { kind: strategy, ...kadalu }
  if (strategy === 'hostpath' && hostPath) return { kind: strategy, path: hostPath }
  report({ path: [...path, needs[strategy]], expected: `a value, because strategy is ${strategy}` })
  return undefined
}

function checkOwn({ own }: ParsedPool, path: Path, { report }: Context): void {
  if (!own) return
  const at = [...path, 'own', 'bricks']
  if (own.bricks.length % own.replica !== 0)
    report({
      path: at,
      expected: `a multiple of replica (${own.replica}), not ${own.bricks.length} ${own.bricks.length === 1 ? 'brick' : 'bricks'}`,
    })
  for (const [i, brick] of own.bricks.entries()) {
    const host = brick.slice(0, brick.indexOf(':'))
    if (isLoopback(host))
      report({
        path: [...at, i],
        seen: brick,
        expected: "the server's own name: GlusterFS takes no brick on localhost",
      })
  }
  if (new Set(own.bricks).size < own.bricks.length) report({ path: at, expected: 'each brick once' })
}
