// The OpenAPI document covers every route, and what the API answers is what the document says.
import { describe, expect, it } from 'vitest'
import { api, routes } from '../../../src/surfaces/http/api.ts'
import { callerLimits } from '../../../src/surfaces/http/caller-limits.ts'
import { openApi } from '../../../src/surfaces/http/openapi.ts'
import type { Route } from '../../../src/surfaces/http/route.ts'
import { tokenGuard } from '../../../src/surfaces/http/token-guard.ts'
import { served, until } from '../serve.ts'
import { adoptionHash, memoryCore, tokens } from '../support.ts'

type Operation = {
  operationId: string
  parameters?: { name: string; in: string; required?: boolean }[]
  requestBody?: { content: Record<string, { schema: object }> }
  responses: Record<string, { content?: Record<string, { schema: object }> }>
}
type Document = {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object> }
}
const document = JSON.parse(JSON.stringify(openApi(routes, '9.9.9'))) as Document

describe('the document', () => {
  it('is served as it is generated', async () => {
    const { url } = await served()
    expect(await (await fetch(`${url}/openapi.json`)).json()).toEqual(document)
  })

  it.each(routes.map(route => ({ name: `${route.method} ${route.path}`, route })))(
    'describes $name',
    ({ route }) => {
      const operation = document.paths[route.path]?.[route.method.toLowerCase()]
      expect(operation?.operationId).toBe(route.id)
      const inPath = operation?.parameters?.filter(one => one.in === 'path').map(one => one.name) ?? []
      expect(inPath.sort()).toEqual([...route.path.matchAll(/\{(\w+)\}/g)].map(match => match[1]).sort())
      expect(Boolean(operation?.requestBody)).toBe(route.body !== null)
      const success = Object.keys(operation?.responses ?? {}).find(status => status !== 'default')
      expect(Number(success)).toBeLessThan(300)
      expect(operation?.responses.default).toBeDefined()
    },
  )

  it('holds every route that is served, and no other', () => {
    const app = api({
      core: memoryCore(),
      guard: tokenGuard(Date.now),
      limits: callerLimits({ requestsPerMinute: 1, streams: 1, now: Date.now }),
      bodyLimit: 1,
      heartbeatMs: 1,
      shutdown: new AbortController().signal,
    })
    const isServed = app.routes.map(one => `${one.method} ${one.path.replace(/:(\w+)/g, '{$1}')}`)
    const written = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
    )
    const health = ['GET /healthz', 'GET /readyz', 'GET /metrics', 'GET /openapi.json', 'GET /cli']
    expect([...isServed, ...health].sort()).toEqual(written.sort())
  })

  it('has no reference that leads nowhere, and one id an operation', () => {
    const text = JSON.stringify(document)
    const names = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(match => match[1] ?? '')
    expect(names.length).toBeGreaterThan(20)
    for (const name of names) expect(document.components.schemas).toHaveProperty(name)
    expect(text.includes('$defs')).toBe(false)
    const ids = Object.values(document.paths).flatMap(methods =>
      Object.values(methods).map(one => one.operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })
})

function fitLines(text: string, schema: Route['lines']): void {
  const lines = text.split('\n').filter(Boolean)
  expect(lines.length).toBeGreaterThan(0)
  for (const line of lines) expect(schema?.safeParse(JSON.parse(line)).error?.issues ?? []).toEqual([])
}

describe('answers are what the document says', async () => {
  const { ask, core } = await served()
  await ask('PUT', '/v1/apps/web', { body: { app: 'web', image: 'web:{revision}' } })
  const deploy = async (revision: string) => {
    const answer = await ask('POST', '/v1/deploys', {
      body: { app: 'web', environment: 'staging', revision },
    })
    return ((await answer.json()) as { deploy: { id: string } }).deploy.id
  }
  const good = await deploy('1.0.0')
  await until(() => core.deploys.get(good)?.deploy.endedAt)
  const bad = await deploy('crash')
  await until(() => core.deploys.get(bad)?.deploy.endedAt)
  const waiting = await deploy('approve')
  await until(() => core.deploys.get(waiting)?.deploy.phase === 'awaiting_approval')
  const urgent = await deploy('approve')
  await until(() => core.deploys.get(urgent)?.deploy.phase === 'awaiting_approval')
  const token = await ask('POST', '/v1/tokens', { body: { name: 'a', grants: [{ role: 'viewer' }] } })
  expect(token.status).toBe(201)
  const built = async (result: string) => {
    const body = { job: 'shop/web', parameters: { RESULT: result } }
    const answer = await ask('POST', '/v1/builds', { body })
    return ((await answer.json()) as { build: { id: string } }).build.id
  }
  const [asking, hanging] = [await built('INPUT'), await built('HANG')]
  const admin = await core.authenticate(tokens.admin, 'api')
  while ((await core.showBuild(admin, asking)).inputs.length === 0) await new Promise(setImmediate)
  const named = { app: 'web', environment: 'staging' }

  /** What to ask of each route, in an order that works. */
  const asks: Record<string, { path: string; body?: unknown }> = {
    applyApp: { path: '/v1/apps/web', body: { app: 'web', image: 'web:{revision}' } },
    listApps: { path: '/v1/apps' },
    showApp: { path: '/v1/apps/web' },
    renderApp: { path: '/v1/render', body: named },
    plan: { path: '/v1/plan', body: { ...named, revision: '2' } },
    diff: { path: '/v1/diff/web?from=staging&to=production' },
    requestDeploy: { path: '/v1/deploys', body: { ...named, revision: '1.1.0' } },
    history: { path: '/v1/deploys?app=web' },
    showDeploy: { path: `/v1/deploys/${bad}` },
    vote: { path: `/v1/deploys/${waiting}/vote`, body: { decision: 'approve' } },
    status: { path: '/v1/status' },
    pods: { path: '/v1/workloads/staging/web/pods' },
    deletePod: { path: '/v1/workloads/staging/web/pods/web-1' },
    events: { path: '/v1/workloads/staging/web/events' },
    logs: { path: '/v1/workloads/staging/web/logs' },
    release: { path: '/v1/workloads/staging/web/release', body: { reason: 'stuck' } },
    planAdoption: {
      path: '/v1/workloads/staging/web/adopt/plan',
      body: { workload: 'deployment/old' },
    },
    adopt: {
      path: '/v1/workloads/staging/web/adopt',
      body: { workload: 'deployment/old', confirm: adoptionHash },
    },
    clusters: { path: '/v1/clusters' },
    recordArtifact: { path: '/v1/apps/web/artifacts/1.2.0', body: { sha256: 'a'.repeat(64) } },
    volumes: { path: '/v1/volumes?environment=staging' },
    deleteVolume: { path: '/v1/volumes/staging/old/files?typed=staging/old/files' },
    lock: { path: '/v1/locks', body: { environment: 'production', reason: 'fire' } },
    locks: { path: '/v1/locks' },
    unlock: { path: '/v1/locks', body: { environment: 'production' } },
    freezes: { path: '/v1/freezes' },
    freeze: { path: '/v1/freezes', body: { environment: 'production', reason: 'year-end' } },
    unfreeze: { path: '/v1/freezes', body: { environment: 'production' } },
    approvals: { path: '/v1/approvals' },
    override: { path: `/v1/deploys/${urgent}/override`, body: { reason: 'fire' } },
    doctor: { path: '/v1/doctor' },
    createToken: { path: '/v1/tokens', body: { name: 'ci', grants: [{ role: 'deployer' }] } },
    listTokens: { path: '/v1/tokens' },
    revokeToken: { path: '/v1/tokens/t1' },
    whoami: { path: '/v1/whoami' },
    audit: { path: '/v1/audit?limit=2' },
    exportAudit: { path: '/v1/audit/export?environment=production' },
    verifyAudit: { path: '/v1/audit/verify' },
    watchDeploy: { path: `/v1/deploys/${bad}/events` },
    run: { path: '/v1/workloads/staging/web/run', body: { command: ['ls'] } },
    exec: { path: '/v1/workloads/staging/web/exec', body: { command: ['ls'] } },
    abortDeploy: { path: `/v1/deploys/${waiting}/abort`, body: { reason: '' } },
    build: { path: '/v1/builds', body: { job: 'shop/web' } },
    builds: { path: '/v1/builds?job=shop%2Fweb' },
    showBuild: { path: `/v1/builds/${asking}` },
    buildLog: { path: `/v1/builds/${asking}/log?lines=2` },
    answerInput: { path: `/v1/builds/${asking}/answer`, body: { input: 'Go', decision: 'proceed' } },
    stopBuild: { path: `/v1/builds/${hanging}/stop` },
    jobs: { path: '/v1/jobs?text=shop' },
    job: { path: '/v1/job?job=shop%2Fweb' },
    subscribe: { path: '/v1/subscriptions', body: { channel: 'C0DEV', app: 'web' } },
    subscriptions: { path: '/v1/subscriptions' },
    unsubscribe: { path: '/v1/subscriptions', body: { channel: 'C0DEV', app: 'web' } },
    cancelDeploy: { path: '', body: { reason: '' } },
    deleteApp: { path: '/v1/apps/web' },
  }

  it.each(Object.entries(asks).map(([id, what]) => ({ id, ...what })))('$id', async ({ id, path, body }) => {
    const route = routes.find(one => one.id === id)
    if (!route) throw new Error(`there is no route ${id}`)
    const target = id === 'cancelDeploy' ? `/v1/deploys/${await deploy('hang')}/cancel` : path
    const answer = await ask(route.method, target, { body })
    const operation = document.paths[route.path]?.[route.method.toLowerCase()]
    const content = operation?.responses[String(answer.status)]?.content
    expect(operation?.responses).toHaveProperty(String(answer.status))
    if (answer.status === 204) return
    const type = answer.headers.get('content-type')?.split(';')[0] ?? ''
    expect(content).toHaveProperty([type])
    if (type === 'application/json') {
      const parsed = route.answer?.safeParse(await answer.json())
      expect(parsed?.error?.issues ?? []).toEqual([])
      return
    }
    if (type === 'application/x-ndjson') return fitLines(await answer.text(), route.lines)
    const frames = (await answer.text()).split('\n\n').filter(frame => frame.startsWith('event: '))
    expect(frames.length).toBeGreaterThan(0)
    for (const frame of frames) {
      const [, event = ''] = /^event: (.*)$/m.exec(frame) ?? []
      const [, data = ''] = /^data: (.*)$/m.exec(frame) ?? []
      expect(route.events?.[event]?.safeParse(JSON.parse(data)).error?.issues ?? []).toEqual([])
    }
  })

  it('leaves no route out', () => {
    expect(Object.keys(asks).sort()).toEqual(routes.map(route => route.id).sort())
  })
})
