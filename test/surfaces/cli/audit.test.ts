// The audit on the command line and over HTTP: what people read, what machines read, how an export waits for a slow
// reader, and that a part of one is never taken for the whole.
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { AuditEntry } from '../../../src/core/audit/verbs.ts'
import { runCli } from '../../../src/surfaces/cli/run-cli.ts'
import { auditEntry } from '../memory-audit.ts'
import { served, until } from '../serve.ts'
import { memoryCore, tokens } from '../support.ts'
import { cliAt } from './support.ts'

const { core, url, ask } = await served()
const gkube = cliAt(url)
const viewer = { env: { GKUBE_TOKEN: tokens.viewer } }

describe('for people', () => {
  it.each<{ name: string; line: string; code?: number; out: RegExp; err?: RegExp }>([
    {
      name: 'a list',
      line: 'audit list -E production --since 365d',
      out: /^2026-11-23 12:00:03 {2}ana {2}slack {2}lock {2}locked {2}web in production {2}reason 3\n(.*\n){2}$/,
    },
    {
      name: 'a part of it',
      line: 'audit list -n 1',
      out: /^.*reason 3\n$/,
      err: /^gkube: there is more: --limit, --since, or all of it by `gkube audit export`\n$/,
    },
    { name: 'nothing', line: 'audit list --who zoe', out: /^Nothing of that is in the audit\n$/ },
    {
      name: 'a report that breaks',
      line: 'audit verify',
      code: 1,
      out: /^production: holds, 240 entries as they were sealed, 3 seals\n {2}not sealed yet: 2, the oldest .*\n {2}head: a{64} \(seal 3\)\nstaging: 5 breaks, .*\n {2}changed: \/gkube\/v1\/audit\/staging\/01kaudit: its content is not the one that was sealed\n {2}and 4 more\n {2}removed by retention: 100 entries until 2026-11-23 \(1 seals stay\)\n {2}head: a{64} \(seal 3\)\n$/,
    },
    {
      name: 'a hash that was kept',
      line: `audit verify production --head ${'b'.repeat(64)}`,
      out: /the hash that you gave is seal 2: nothing up to it was changed/,
    },
    {
      name: 'a time that is none',
      line: 'audit list --since yesterday',
      code: 2,
      out: /^$/,
      err: /`yesterday` is no time\. For example: 7d, 12h, 2026-11-01/,
    },
    {
      name: 'a hash that is none',
      line: 'audit verify production --head xyz',
      code: 2,
      out: /^$/,
      err: /64 digits from 0 to f/,
    },
  ])('$name', async ({ line, code = 0, out, err = /^$/ }) => {
    const result = await gkube(line)
    expect(result.out).toMatch(out)
    expect(result.err).toMatch(err)
    expect(result.code).toBe(code)
  })

  it('who may not is told so, with the exit code of that', async () => {
    for (const line of ['audit list', 'audit export', 'audit verify']) {
      const { code, out, err } = await gkube(line, viewer)
      expect({ line, code, out }).toEqual({ line, code: 3, out: '' })
      expect(err).toContain('read the audit')
    }
  })
})

it('for machines: one document, or one line an entry', async () => {
  const list = JSON.parse((await gkube('audit list --json')).out)
  expect(list).toMatchObject({ more: false, entries: [{ detail: 'reason 3' }, {}, {}] })
  const verified = await gkube('audit verify --json')
  expect(verified.code).toBe(1)
  expect(JSON.parse(verified.out).reports).toHaveLength(2)
  const exported = await gkube('audit export --since 2026-11-23T12:00:02Z')
  const lines = exported.out.trimEnd().split('\n')
  expect(lines.map(line => JSON.parse(line).detail)).toEqual(['reason 2', 'reason 3'])
  expect(exported.err).toBe('gkube: 2 entries\n')
})

it('HTTP: JSON lines with their own type', async () => {
  const answer = await ask('GET', '/v1/audit/export')
  expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
  expect((await answer.text()).split('\n')).toHaveLength(4)
  expect((await ask('GET', '/v1/audit?who=ana&who=ben')).status).toBe(400)
  expect((await ask('GET', '/v1/audit?environment=../x')).status).toBe(400)
  expect(core.calls('exportAudit').length).toBeGreaterThan(0)
})

/** A server whose export is `entries`. */
async function exporting(entries: () => AsyncGenerator<AuditEntry>) {
  return served({ core: Object.assign(memoryCore(), { exportAudit: entries }) })
}

it('an export that cannot be read to its end is cut: the command fails, and so does any client', async () => {
  const own = await exporting(async function* () {
    for (let n = 0; n < 3; n++) yield auditEntry(n)
    await new Promise(resolve => setTimeout(resolve, 400))
    throw new Error('etcd went away')
  })
  const { code, err } = await cliAt(own.url)('audit export')
  expect(code).toBe(75)
  expect(err).toContain('cut the connection')
  const answer = await own.ask('GET', '/v1/audit/export')
  expect(answer.status).toBe(200)
  await expect(answer.text()).rejects.toThrow()
})

it('an export waits for whoever reads it, and ends with them', async () => {
  let made = 0
  let ended = false
  const own = await exporting(async function* () {
    try {
      for (; made < 1_000_000; made++) yield auditEntry(made, { detail: 'x'.repeat(500) })
    } finally {
      ended = true
    }
  })
  const stdout = new PassThrough()
  const stop = new AbortController()
  const run = runCli(['audit', 'export'], {
    env: { GKUBE_URL: own.url, GKUBE_TOKEN: tokens.admin, NO_COLOR: '1' },
    cwd: '/',
    stdin: new PassThrough(),
    stdout,
    stderr: new PassThrough().resume(),
    signal: stop.signal,
    version: '9.9.9',
    local: {} as Parameters<typeof runCli>[1]['local'],
  })
  // Nobody reads: what is on its way fills the buffers, and no more is made.
  let before = -1
  while (made !== before || made === 0) {
    before = made
    await new Promise(resolve => setTimeout(resolve, 250))
  }
  expect(made).toBeLessThan(100_000)
  stdout.resume()
  await until(() => made > before + 1_000)
  stop.abort('SIGTERM')
  await run
  await until(() => ended)
}, 20_000)
