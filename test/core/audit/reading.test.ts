// Lists, exports and reports of a real etcd: who sees what, in which order, and that 10,000 entries are never held at once.
import { beforeAll, describe, expect, it } from 'vitest'
import type { AuditLine } from '../../../src/core/audit/verbs.ts'
import { auditPut } from '../../../src/core/audit.ts'
import type { Caller } from '../../../src/core/core.ts'
import { environmentSchema, type Role } from '../../../src/core/environment.ts'
import { keysBelow } from '../../../src/core/keys.ts'
import type { Kv } from '../../../src/core/kv.ts'
import { audit } from '../../../src/core/use-cases/audit.ts'
import { type TestKv, testKv } from '../../support/etcd.ts'
import { auditWorld, production } from './world.ts'

const callerOf = (role: Role, apps = ['*'], environments = ['*', 'production']): Caller => ({
  actor: { id: 'slack:ana', name: 'ana', via: 'slack' },
  grants: [{ role, apps, environments }],
})
const admin = callerOf('admin')
const { signal } = new AbortController()
const began = Date.UTC(2026, 10, 1)
const environments = new Map(
  ['staging', 'production'].map(name => [
    name,
    { ...environmentSchema.parse({ protected: name === 'production' }), name },
  ]),
)

const verbsOn = (kv: Kv, root: string) =>
  audit({ kv, keys: keysBelow(root), environments, people: [], log: () => undefined })

async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const one of all) found.push(one)
  return found
}

let kv: TestKv
let verbs: ReturnType<typeof audit>
beforeAll(async () => {
  kv = await testKv()
  verbs = verbsOn(kv, kv.root)
  const keys = keysBelow(kv.root)
  const rows = [
    ['production', 'web', 'ana', 'vote'],
    ['staging', 'api', 'ben', 'request_deploy'],
    ['-', undefined, 'ana', 'create_token'],
    ['production', 'api', 'ben', 'lock'],
    ['staging', 'web', 'ana', 'lock'],
    ['-', 'web', 'cho', 'apply_app'],
    ['gone', 'web', 'cho', 'lock'],
  ] as const
  for (const [n, [environment, app, name, action]] of rows.entries()) {
    const write = auditPut(keys, began + n * 60_000, {
      by: { id: `slack:${name}`, name, via: 'slack' },
      action,
      outcome: 'done',
      ...(environment === '-' ? {} : { environment }),
      ...(app ? { app } : {}),
      detail: `entry ${n}`,
    })
    await kv.commit({ compares: [{ kind: 'absent', key: write.key }], writes: [write] })
  }
  const broken = { kind: 'put' as const, key: `${keys.auditIn('staging')}zzz`, value: '{"schema":9}' }
  await kv.commit({ compares: [], writes: [broken], repeatable: true })
})

const numbers = (lines: readonly AuditLine[]): string =>
  lines.map(line => ('detail' in line ? line.detail.split(' ').at(-1) : 'unreadable')).join(' ')

describe('a list', () => {
  const cases: [string, object, string][] = [
    ['everything, the newest first', {}, '6 5 4 3 2 1 0'],
    ['one environment', { environment: 'production' }, '3 0'],
    ['of no environment', { environment: '-' }, '5 2'],
    ['an environment that is not configured any more', { environment: 'gone' }, '6'],
    ['one app', { app: 'web' }, '6 5 4 0'],
    ['one person by name', { who: 'Ana' }, '4 2 0'],
    ['one person by id', { who: 'slack:ben' }, '3 1'],
    ['one action', { action: 'lock' }, '6 4 3'],
    ['from a time on', { since: began + 4 * 60_000 }, '6 5 4'],
    ['up to a time', { until: began + 60_000 }, '1 0'],
    ['up to a time that no id can have', { until: Number.MAX_SAFE_INTEGER }, '6 5 4 3 2 1 0'],
    ['from a time that no id can have', { since: Number.MAX_SAFE_INTEGER }, ''],
    ['between two times', { since: began + 60_000, until: began + 2 * 60_000 }, '2 1'],
  ]
  it.each(cases)('%s', async (_, query, found) => {
    const { entries, more } = await verbs.audit(admin, { ...query, limit: 50 })
    expect(numbers(entries)).toBe(found)
    expect(more).toBe(false)
  })

  it('says that there is more', async () => {
    expect(await verbs.audit(admin, { limit: 2 })).toMatchObject({ more: true, entries: [{}, {}] })
  })

  const sights: [string, Caller, string][] = [
    ['an operator of staging', callerOf('operator', ['*'], ['staging']), '4 1'],
    ['an operator of one app', callerOf('operator', ['web']), '6 5 4 0'],
    ['an operator where protected ones are not named', callerOf('operator', ['*'], ['*']), '6 5 4 2 1'],
  ]
  it.each(sights)('%s sees theirs', async (_, caller, found) => {
    expect(numbers((await verbs.audit(caller, { limit: 50 })).entries)).toBe(found)
  })

  const refused: [string, Caller, object, string][] = [
    ['a deployer', callerOf('deployer'), {}, 'forbidden'],
    [
      'an operator elsewhere',
      callerOf('operator', ['*'], ['staging']),
      { environment: 'production' },
      'forbidden',
    ],
    ['an operator elsewhere', callerOf('operator', ['*'], ['staging']), { environment: '-' }, 'forbidden'],
    ['an admin, of what never was', admin, { environment: 'stagin' }, 'not_found'],
  ]
  it.each(refused)('%s is refused', async (_, caller, query, kind) => {
    await expect(verbs.audit(caller, { ...query, limit: 5 })).rejects.toMatchObject({ kind })
    await expect(collect(verbs.exportAudit(caller, query, signal))).rejects.toMatchObject({ kind })
    await expect(collect(verbs.verifyAudit(caller, query, signal))).rejects.toMatchObject({ kind })
  })
})

it('an export has all of it, the oldest first, and does not hide what it cannot read', async () => {
  expect(numbers(await collect(verbs.exportAudit(admin, {}, signal)))).toBe('0 1 2 3 4 5 6 unreadable')
  expect(numbers(await collect(verbs.exportAudit(admin, { who: 'ana' }, signal)))).toBe('0 2 4')
})

it('a hash needs its environment', async () => {
  await expect(collect(verbs.verifyAudit(admin, { head: 'a'.repeat(64) }, signal))).rejects.toThrow(
    'gkube audit verify <environment> --head <hash>',
  )
})

it('10,000 entries are sealed, verified and exported a page at a time', async () => {
  const world = await auditWorld()
  await world.write(5_000, { together: 100 })
  await world.write(5_000, { together: 100, environment: '-' })
  let largest = 0
  const measured: Kv = {
    ...world.kv,
    list: async (prefix, options) => {
      const page = await world.kv.list(prefix, options)
      largest = Math.max(largest, page.entries.length)
      return page
    },
  }
  const sealer = await world.sealer({ through: () => measured })
  await expect.poll(() => sealer.state().entries, { timeout: 15_000 }).toBe(10_000)
  const own = verbsOn(measured, world.kv.root)
  const reports = await collect(own.verifyAudit(admin, {}, signal))
  expect(reports).toMatchObject([
    { environment: '-', sealed: 5_000, seals: 50, breaks: [], tail: { entries: 0 } },
    { environment: production, sealed: 5_000, seals: 50, breaks: [], tail: { entries: 0 } },
  ])
  let count = 0
  let last = ''
  for await (const line of own.exportAudit(admin, {}, signal)) {
    count++
    expect(line.id.slice(0, 10) >= last.slice(0, 10)).toBe(true)
    last = line.id
  }
  expect(count).toBe(10_000)
  expect(largest).toBeLessThanOrEqual(500)
}, 30_000)

it('an export ends when nobody reads it any more', async () => {
  const world = await auditWorld()
  await world.write(1_000, { together: 100 })
  let pages = 0
  const counted: Kv = {
    ...world.kv,
    list: (prefix, options) => {
      pages++
      return world.kv.list(prefix, options)
    },
  }
  const stop = new AbortController()
  for await (const _ of verbsOn(counted, world.kv.root).exportAudit(admin, {}, stop.signal)) stop.abort()
  expect(pages).toBeLessThan(6)
})
