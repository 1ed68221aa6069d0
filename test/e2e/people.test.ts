// What people decide and what is refused: approvals, locks, cancelling, plans, bad input. Every answer says what to
// do next.
import { beforeAll, describe, expect, it } from 'vitest'
import type { Deploy } from '../../src/core/deploy.ts'
import { admin, ask, callerWith, outcome, type Stack, ship, startStack, webApp } from '../support/stack.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({
    environments: {
      staging: { createNamespace: true },
      production: { createNamespace: true, protected: true, approvals: { required: 1, expiry: '1h' } },
      careful: { createNamespace: true, onFailure: 'hold', onCancel: 'hold' },
      strict: { createNamespace: true, requireDigest: true },
      bare: {},
    },
  })
  const environments = { staging: {}, production: {}, careful: {}, strict: {}, bare: {} }
  await stack.core.applyApp(admin, webApp({ environments }), { dryRun: false })
  await ship(stack.core, { revision: '1.0.0' })
})

const phaseOf = async (id: string, holds: (deploy: Deploy) => boolean): Promise<Deploy> => {
  for await (const event of stack.core.watchDeploy(admin, id, { signal: AbortSignal.timeout(10_000) })) {
    if (event.kind === 'deploy' && holds(event.deploy)) return event.deploy
  }
  throw new Error('it never came so far')
}

describe('approvals', () => {
  const ben = callerWith('ben', 'approver', ['production'])
  it('wait for a person who may, and neither block nor run before', async () => {
    const { deploy } = await stack.core.request(admin, ask({ revision: '1.0.0', environment: 'production' }))
    await phaseOf(deploy.id, d => d.phase === 'awaiting_approval')
    expect(await stack.core.status(admin, { environment: 'production' })).toEqual([])
    await expect(stack.core.vote(admin, deploy.id, { decision: 'approve', reason: '' })).rejects.toThrow(
      /who asks/,
    )
    await expect(
      stack.core.vote(callerWith('cho', 'deployer', ['production']), deploy.id, {
        decision: 'approve',
        reason: '',
      }),
    ).rejects.toMatchObject({ kind: 'forbidden' })
    await stack.core.vote(ben, deploy.id, { decision: 'approve', reason: 'looks fine' })
    expect((await outcome(stack.core, deploy.id)).deploy).toMatchObject({
      phase: 'succeeded',
      plan: 'create',
    })
    await expect(stack.core.vote(ben, deploy.id, { decision: 'deny', reason: '' })).rejects.toThrow(
      /You approved it already, a moment ago; it is live\./,
    )
  })
  it('are void when what would run changes', async () => {
    const { deploy } = await stack.core.request(admin, ask({ revision: '1.1.0', environment: 'production' }))
    const first = await phaseOf(deploy.id, d => d.phase === 'awaiting_approval')
    await stack.core.applyApp(
      admin,
      webApp({
        replicas: 3,
        environments: { staging: {}, production: {}, careful: {}, strict: {}, bare: {} },
      }),
      { dryRun: false },
    )
    const again = await phaseOf(
      deploy.id,
      d => d.phase === 'awaiting_approval' && d.prepared?.hash !== first.prepared?.hash,
    )
    await expect(
      stack.core.vote(ben, deploy.id, { decision: 'approve', reason: '', hash: first.prepared?.hash }),
    ).rejects.toThrow(/has changed since it was shown to you/)
    const { planned } = await stack.core.showDeploy(ben, deploy.id)
    expect(planned?.since.join()).toMatch(/replicas 2 → 3/)
    expect(again.approval?.votes).toEqual([])
    await stack.core.vote(ben, deploy.id, { decision: 'deny', reason: 'not today' })
    expect((await outcome(stack.core, deploy.id)).deploy).toMatchObject({
      phase: 'denied',
      cause: { message: expect.stringContaining('not today') },
    })
  })
  it('are refused at once where nobody wants to wait', async () => {
    await expect(
      stack.core.request(admin, ask({ revision: '1.2.0', environment: 'production', wait: false })),
    ).rejects.toMatchObject({ kind: 'held' })
  })
})

describe('locks', () => {
  it('hold what waits, say who and why, and let go', async () => {
    await stack.core.lock(callerWith('cho', 'operator'), {
      environment: 'staging',
      app: 'web',
      reason: 'debugging',
      expiresIn: '1h',
      steal: false,
    })
    await expect(
      stack.core.lock(admin, {
        environment: 'staging',
        app: 'web',
        reason: 'me too',
        expiresIn: '1h',
        steal: false,
      }),
    ).rejects.toThrow(/locked by cho: debugging.*--steal/)
    await expect(stack.core.request(admin, ask({ revision: '1.1.0', wait: false }))).rejects.toMatchObject({
      kind: 'held',
      message: expect.stringContaining('cho'),
    })
    const { deploy } = await stack.core.request(admin, ask({ revision: '1.1.0' }))
    await phaseOf(deploy.id, d => d.phase === 'ready')
    expect((await stack.core.showDeploy(admin, deploy.id)).waiting).toMatch(/locked by cho/)
    await stack.core.unlock(admin, { environment: 'staging', app: 'web', reason: '' })
    expect((await outcome(stack.core, deploy.id)).deploy.phase).toBe('succeeded')
  })
})

describe('cancelling', () => {
  it('a rollout that runs goes back', async () => {
    const { deploy } = await stack.core.request(admin, ask({ revision: 'unready' }))
    await phaseOf(deploy.id, d => d.steps.some(step => step.name === 'rollout' && step.state === 'running'))
    await expect(stack.core.cancel(admin, deploy.id, { reason: '', ifWaiting: true })).rejects.toThrow(
      /runs already/,
    )
    await stack.core.cancel(admin, deploy.id, { reason: 'wrong one' })
    const ended = (await outcome(stack.core, deploy.id)).deploy
    expect(ended).toMatchObject({
      phase: 'cancelled',
      cancelledBy: { name: 'ana' },
      rollback: { revision: '1.1.0' },
    })
    expect((await stack.core.status(admin, { app: 'web', environment: 'staging' }))[0]).toMatchObject({
      health: 'ready',
      workload: { revision: '1.1.0' },
    })
    await expect(stack.core.cancel(admin, deploy.id, { reason: '' })).rejects.toThrow(
      /You cancelled it already/,
    )
  })
})

describe('policy after a failure', () => {
  it('hold leaves the failed one to be looked at, and rollback goes to the good one', async () => {
    await ship(stack.core, { revision: '1.0.0', environment: 'careful' })
    expect(await ship(stack.core, { revision: 'crash', environment: 'careful' })).toMatchObject({
      phase: 'failed',
      reason: 'crash_loop',
      rollback: null,
    })
    expect((await stack.core.status(admin, { environment: 'careful' }))[0]?.workload.revision).toBe('crash')
    expect(await ship(stack.core, { kind: 'rollback', environment: 'careful' })).toMatchObject({
      phase: 'succeeded',
      revision: '1.0.0',
    })
  })
})

describe('a plan', () => {
  it('shows what would change, and writes nothing', async () => {
    const before = await stack.kubectlGet<{ metadata: { resourceVersion: string } }>(
      '/apis/apps/v1/namespaces/staging/deployments/web',
    )
    const plan = await stack.core.plan(admin, { app: 'web', environment: 'staging', revision: '3.0.0' })
    expect(plan).toMatchObject({ kind: 'update', from: '1.1.0', revision: '3.0.0', refusals: [] })
    expect(plan.changes.join('\n')).toMatch(/1\.1\.0 → .*3\.0\.0/)
    expect(plan.objects.find(object => object.object.startsWith('Deployment'))).toMatchObject({
      action: 'change',
      diff: expect.stringContaining('+'),
    })
    expect(plan.objects.find(object => object.object.startsWith('Service'))).toMatchObject({
      action: 'none',
      diff: '',
    })
    const after = await stack.kubectlGet<{ metadata: { resourceVersion: string } }>(
      '/apis/apps/v1/namespaces/staging/deployments/web',
    )
    expect(after?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion)
  })
  it('says that admission was not checked where the namespace is not there', async () => {
    const plan = await stack.core.plan(admin, { app: 'web', environment: 'bare', revision: '1' })
    expect(plan.notes.join(' ')).toMatch(/namespace bare does not exist yet, so admission was not checked/)
  })
})

describe('bad input', () => {
  const bad: [string, Parameters<typeof ask>[0], RegExp][] = [
    ['an unknown app', { app: 'wbe', revision: '1' }, /`wbe` is not an app\. Did you mean `web`/],
    ['an unknown environment', { environment: 'stagign', revision: '1' }, /Did you mean `staging`/],
    [
      'an unknown job',
      { app: undefined, job: 'shop/none', revision: '1' },
      /No app is registered for the Jenkins job shop\/none/,
    ],
    ['no revision', {}, /Say which revision/],
    ['no app', { app: undefined, revision: '1' }, /Name an app/],
    ['scaling nothing to nothing', { kind: 'scale' }, /Say how many/],
    ['a rollback of what never ran', { kind: 'rollback', environment: 'bare' }, /does not run in bare/],
  ]
  it.each(bad)('%s', async (_, input, words) => {
    await expect(stack.core.request(admin, ask(input))).rejects.toThrow(words)
  })
  it.each(['1;rm -rf /', '<!channel>', '$(id)', '../x', 'a b', '-x', ''])(
    'the revision %j is refused by the schema',
    revision => {
      expect(() => ask({ revision })).toThrow(/revision|letters|>=1|small/i)
    },
  )
  it('an image whose digest is not known, where digests are required', async () => {
    expect(await ship(stack.core, { revision: '1', environment: 'strict' })).toMatchObject({
      phase: 'failed',
      reason: 'digest_required',
    })
  })
  it('a namespace that is not there and may not be made', async () => {
    expect(await ship(stack.core, { revision: '1', environment: 'bare' })).toMatchObject({
      phase: 'failed',
      reason: 'namespace_missing',
      cause: { message: expect.stringMatching(/createNamespace/) },
    })
  })
  it('a patch outside the allowlist, before anything is written', async () => {
    const patches = [{ target: 'Deployment', patch: { spec: { template: { spec: { hostNetwork: true } } } } }]
    await stack.core.applyApp(
      admin,
      webApp({ app: 'patchy', jobs: [], environments: { staging: {} }, patches }),
      { dryRun: false },
    )
    const deploy = await ship(stack.core, { app: 'patchy', revision: '1' })
    expect(deploy).toMatchObject({
      phase: 'failed',
      reason: 'plan_refused',
      cause: { message: expect.stringMatching(/hostNetwork/) },
    })
    expect(await stack.kubectlGet('/apis/apps/v1/namespaces/staging/deployments/patchy')).toBeNull()
  })
  it('an immutable change, before anything is written', async () => {
    await stack.core.applyApp(admin, webApp({ app: 'kind', jobs: [], environments: { staging: {} } }), {
      dryRun: false,
    })
    await ship(stack.core, { app: 'kind', revision: '1' })
    await stack.core.applyApp(
      admin,
      webApp({ app: 'kind', jobs: [], environments: { staging: {} }, kind: 'stateful' }),
      { dryRun: false },
    )
    const deploy = await ship(stack.core, { app: 'kind', revision: '2' })
    expect(deploy).toMatchObject({
      phase: 'failed',
      reason: 'plan_refused',
      cause: { message: expect.stringMatching(/cannot become a StatefulSet/) },
    })
  })
  it('an object of that name that is not ours is named, not taken', async () => {
    const body = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'taken', namespace: 'staging' },
      spec: { ports: [{ port: 80 }] },
    }
    await fetch(`${stack.cluster.url}/api/v1/namespaces/staging/services`, {
      method: 'POST',
      headers: { authorization: 'Bearer test-token', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    await stack.core.applyApp(admin, webApp({ app: 'taken', jobs: [], environments: { staging: {} } }), {
      dryRun: false,
    })
    expect(await ship(stack.core, { app: 'taken', revision: '1' })).toMatchObject({
      phase: 'failed',
      reason: 'field_conflict',
      cause: { message: expect.stringMatching(/Service staging\/taken exists and is not gkube's/) },
    })
  })
})

describe('looking and running', () => {
  it('shows pods, logs and events', async () => {
    const pods = await stack.core.pods(admin, { app: 'web', environment: 'staging' })
    expect(pods.filter(pod => pod.ready).length).toBeGreaterThan(0)
    const [log] = await stack.core.logs(admin, {
      app: 'web',
      environment: 'staging',
      previous: false,
      tail: 5,
    })
    expect(log?.text.length).toBeGreaterThan(0)
    expect((await stack.core.events(admin, { app: 'web', environment: 'staging' })).length).toBeGreaterThan(0)
  })
  it('runs a one-off Job, shows its output and exit code, and cleans up', async () => {
    const run = async (command: string[]) => {
      const events = []
      for await (const event of stack.core.run(
        admin,
        { app: 'web', environment: 'staging', command, timeout: '1m' },
        AbortSignal.timeout(10_000),
      ))
        events.push(event)
      return events
    }
    const good = await run(['sh', '-c', 'echo migrated'])
    expect(good.map(event => event.kind)).toContain('started')
    expect(JSON.stringify(good)).toContain('migrated\\n')
    expect(good.at(-1)).toMatchObject({ kind: 'ended', exitCode: 0 })
    expect((await run(['sh', '-c', 'exit 3'])).at(-1)).toMatchObject({ kind: 'ended', exitCode: 3 })
    const jobs = await stack.kubectlGet<{ items: unknown[] }>('/apis/batch/v1/namespaces/staging/jobs')
    expect(jobs?.items).toEqual([])
  })
  it('execs only where it is allowed', async () => {
    const stream = stack.core.exec(
      admin,
      { app: 'web', environment: 'staging', command: ['env'] },
      AbortSignal.timeout(5_000),
    )
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toThrow(/exec is off in staging.*gkube run/)
  })
  it('deletes a pod by name only if it is the app’s', async () => {
    const [pod] = await stack.core.pods(admin, { app: 'web', environment: 'staging' })
    await stack.core.deletePod(admin, { app: 'web', environment: 'staging', pod: pod?.name ?? '' })
    await expect(
      stack.core.deletePod(admin, { app: 'web', environment: 'staging', pod: 'kube-dns' }),
    ).rejects.toThrow(/not a pod of web/)
  })
  it('shows the cluster', async () => {
    const [cluster] = await stack.core.clusters(admin)
    expect(cluster).toMatchObject({ reachable: true, version: expect.stringMatching(/^v1\./) })
    expect(cluster?.nodes.length).toBeGreaterThan(0)
  })
  it('compares two environments', async () => {
    await ship(stack.core, { revision: '1.2.0' })
    const { changes, diff } = await stack.core.diff(admin, { app: 'web', from: 'careful', to: 'staging' })
    expect(changes.join('\n')).toMatch(/1\.0\.0 → .*1\.2\.0/)
    expect(diff).toContain('+')
  })
})

describe('tokens', () => {
  it('are shown once, kept as a hash, and can be revoked', async () => {
    const grants = [{ role: 'deployer' as const, apps: ['web'], environments: ['staging'] }]
    const { token, info } = await stack.core.createToken(admin, { name: 'ci', grants, expiresIn: '1h' })
    const caller = await stack.core.authenticate(token, 'cli')
    expect(caller).toMatchObject({ actor: { name: 'ci' }, grants })
    const { entries } = await stack.server.kv.list(`${stack.root}tokens/`)
    // gk_<26 characters of id>_<secret>; the secret itself may hold underscores.
    const secret = token.slice('gk_'.length + 26 + 1)
    expect(secret).toHaveLength(43)
    expect(JSON.stringify(entries)).not.toContain(secret)
    await expect(
      stack.core.request(caller, ask({ revision: '1', environment: 'careful' })),
    ).rejects.toMatchObject({ kind: 'forbidden' })
    await expect(
      stack.core.createToken(caller, { name: 'x', grants, expiresIn: '1h' }),
    ).rejects.toMatchObject({ kind: 'forbidden' })
    await stack.core.revokeToken(admin, info.id)
    for (const wrong of [token, `${token}x`, 'gk_x_y', ''])
      await expect(stack.core.authenticate(wrong, 'cli')).rejects.toMatchObject({ kind: 'unauthenticated' })
  })
})
