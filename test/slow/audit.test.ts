// The audit of a whole gkube: a deploy leaves its story, a replica seals it, anybody who may can check it, and the next
// replica goes on with the chain.
import { expect, it } from 'vitest'
import type { AuditReport } from '../../src/core/audit/verbs.ts'
import type { Core } from '../../src/core/core.ts'
import { admin, ask, callerWith, startStack, webApp } from '../support/stack.ts'

const { signal } = new AbortController()

async function reports(core: Core): Promise<AuditReport[]> {
  const found: AuditReport[] = []
  for await (const one of core.verifyAudit(admin, {}, signal)) found.push(one)
  return found
}
/** When nothing waits for its seal. */
async function sealed(core: Core): Promise<AuditReport[]> {
  const all = () => reports(core)
  await expect
    .poll(async () => (await all()).every(one => one.tail.entries === 0 && one.seals > 0), {
      timeout: 25_000,
      interval: 250,
    })
    .toBe(true)
  return all()
}

it('tells a deploy and who was refused, holds after a change of the sealer, and shows in metrics and doctor', async () => {
  const stack = await startStack()
  const { core, server } = stack
  await core.applyApp(admin, webApp({ environments: { staging: {}, production: {} } }), { dryRun: false })
  const { deploy } = await core.request(admin, ask({ app: 'web', environment: 'staging', revision: '1' }))
  const viewer = callerWith('vic', 'viewer')
  const wish = ask({ app: 'web', environment: 'staging', revision: '2' })
  await expect(core.request(viewer, wish)).rejects.toThrow('may not deploy')
  await expect
    .poll(async () => (await core.showDeploy(admin, deploy.id)).deploy.phase, { timeout: 20_000 })
    .toBe('succeeded')
  const { entries } = await core.audit(admin, { environment: 'staging', limit: 50 })
  const story = entries.toReversed().map(one => `${one.by.name} ${one.action} ${one.outcome}`)
  expect(story.filter(one => !one.startsWith('vic'))).toEqual([
    'ana request_deploy requested',
    'gkube prepare preparing',
    'gkube prepared ready',
    'gkube claim running',
    'gkube step_done succeeded',
  ])
  expect(story).toContain('vic request_deploy forbidden')
  const first = await sealed(core)
  expect(first.map(one => one.environment)).toEqual(['-', 'staging'])
  for (const one of first) expect(one).toMatchObject({ breaks: [], gone: null })
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  expect(metrics).toMatch(/^gkube_audit_sealer 1$/m)
  expect(metrics).toMatch(/^gkube_audit_refused 1$/m)
  expect(metrics).toMatch(/^gkube_audit_sealed [1-9]\d*$/m)
  expect(await core.doctor(admin)).toContainEqual(
    expect.objectContaining({
      name: 'audit',
      state: 'ok',
      message: expect.stringContaining('sealed in time'),
    }),
  )
  const next = await stack.replica()
  await server.close()
  await next.core.lock(admin, {
    app: 'web',
    environment: 'staging',
    reason: 'x',
    expiresIn: '1h',
    steal: false,
  })
  const second = await sealed(next.core)
  expect(second.map(one => one.breaks)).toEqual([[], []])
  const staging = second.find(one => one.environment === 'staging')
  const before = first.find(one => one.environment === 'staging')
  expect(staging?.sealed).toBe((before?.sealed ?? 0) + 1)
  expect(staging?.head?.n).toBe((before?.head?.n ?? 0) + 1)
  const found: AuditReport[] = []
  const head = before?.head?.hash
  for await (const one of next.core.verifyAudit(admin, { environment: 'staging', head }, signal))
    found.push(one)
  expect(found).toMatchObject([{ anchor: before?.head?.n, breaks: [] }])
}, 90_000)
