// An etcd that is full: who asks for something hears so in words, wherever they ask; nothing is taken and forgotten, and
// nothing that was refused happens after all; once there is room again, what waited goes on by itself.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Etcd3 } from 'etcd3'
import { expect, it } from 'vitest'
import { OutcomeUnknown } from '../../src/core/kv.ts'
import { startTestEtcd, type TestEtcd, testEtcd } from '../support/etcd.ts'
import { admin, ask, outcome, type Stack, ship, startStack, webApp } from '../support/stack.ts'

const token = 'a-bootstrap-token-of-this-test-only-0123456789'
const gkube = fileURLToPath(new URL('../../bin/gkube.js', import.meta.url))
const isFull = /etcd at http:\S+ is full \(NOSPACE\) and takes no writes.*etcdctl alarm disarm/

/** Somebody else's data, until etcd takes no more. */
async function fill(etcd: TestEtcd): Promise<void> {
  const raw = new Etcd3({ hosts: etcd.endpoint })
  const writing = async () => {
    for (let n = 0; n < 1_000; n++) await raw.put(`/others/${n}`).value('x'.repeat(100_000))
  }
  await expect(writing()).rejects.toThrow(/space exceeded/)
  raw.close()
}

/** What the words tell an operator to do, as etcdctl does it. */
async function makeRoom(etcd: TestEtcd): Promise<void> {
  const raw = new Etcd3({ hosts: etcd.endpoint })
  const { header } = await raw.delete().prefix('/others/').exec()
  await raw.kv.compact({ revision: header.revision, physical: true })
  await raw.maintenance.defragment()
  const { alarms } = await raw.maintenance.alarm({ action: 'Get' })
  raw.close()
  for (const { memberID } of alarms) {
    // etcd3's type of an action is not what goes over its wire.
    const body = JSON.stringify({ action: 'DEACTIVATE', memberID, alarm: 'NOSPACE' })
    const answer = await fetch(`${etcd.endpoint}/v3/maintenance/alarm`, { method: 'POST', body })
    expect(answer.status).toBe(200)
  }
}

const stepRuns = async (stack: Stack, id: string, step: string): Promise<void> => {
  for await (const event of stack.core.watchDeploy(admin, id, { signal: AbortSignal.timeout(20_000) }))
    if (event.kind === 'deploy' && event.deploy.steps.some(s => s.name === step && s.state === 'running'))
      return
}

it('is told to whoever asks, and what waited goes on when there is room', async () => {
  const etcd = await startTestEtcd([`--quota-backend-bytes=${8 * 1024 * 1024}`])
  const stack = await startStack({
    etcd,
    // Real clusters have an etcd of their own.
    clusterEtcd: await testEtcd(),
    speed: 1,
    slack: 'http',
    env: { GKUBE_BOOTSTRAP_TOKEN: token },
  })
  const { core, server, slack } = stack
  await core.applyApp(admin, webApp({ replicas: 1 }), { dryRun: false })
  await ship(core, { revision: '1.0.0' })
  const type = (words: string) => slack.control.as('ana').command('staging', `/gkube ${words}`)
  await type('status')
  const { deploy: running } = await core.request(admin, ask({ revision: 'slow' }))
  await stepRuns(stack, running.id, 'rollout')
  const { deploy: waiting } = await core.request(admin, ask({ revision: '1.2.0' }))
  await fill(etcd)

  // Whoever asks is told, and what to do.
  await expect(core.request(admin, ask({ revision: '1.3.0' }))).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(isFull),
  })
  const answer = await fetch(`${server.url}/v1/deploys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ app: 'web', environment: 'staging', revision: '1.3.1' }),
  })
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({
    error: { kind: 'unavailable', message: expect.stringMatching(isFull), details: { why: 'full' } },
  })
  const cli = spawn(process.execPath, [gkube, 'deploy', 'web', '1.3.2', '-E', 'staging'], {
    env: { ...process.env, GKUBE_URL: server.url, GKUBE_TOKEN: token },
  })
  const [said, [code]] = await Promise.all([text(cli.stderr), once(cli, 'exit')])
  expect({ said, code }).toMatchObject({ said: expect.stringMatching(isFull), code: 75 })
  expect(JSON.stringify((await type('deploy web 1.3.3 to staging')).body)).toMatch(/is full \(NOSPACE\)/)
  expect(JSON.stringify((await type('lock web in staging because of a test')).body)).toMatch(/NOSPACE/)
  const check = (await core.doctor(admin)).find(({ name }) => name === 'etcd space')
  expect(check).toMatchObject({ state: 'failed', message: expect.stringMatching(/NOSPACE/) })

  // Reading goes on, and restarting would not help: it stays ready.
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
  expect(JSON.stringify((await type('status web')).body)).toMatch(/web/)
  await expect
    .poll(() => stack.log.some(line => line.includes(running.id) && /NOSPACE/.test(line)), {
      timeout: 30_000,
    })
    .toBe(true)
  expect((await core.showDeploy(admin, running.id)).deploy.phase).toBe('running')

  await makeRoom(etcd)
  expect((await outcome(core, running.id, 60)).deploy).toMatchObject({ phase: 'succeeded' })
  expect((await outcome(core, waiting.id, 60)).deploy).toMatchObject({ phase: 'succeeded' })
  await slack.control.until(
    () =>
      [running, waiting].every(({ revision }) =>
        slack.control
          .messages('staging')
          .some(message =>
            new RegExp(`${revision}.*(live|succeeded|✅|is out)`, 's').test(JSON.stringify(message)),
          ),
      ),
    { what: 'both deploys told as done', timeoutMs: 30_000 },
  )
  // What was refused did not happen after all.
  const revisions = (await core.history(admin, { app: 'web', limit: 20 })).map(one => one.revision)
  expect(revisions.toSorted()).toEqual(['1.0.0', '1.2.0', 'slow'])
  expect(await ship(core, { revision: '1.4.0' })).toMatchObject({ phase: 'succeeded' })
}, 180_000)

// etcd looks at its quota once more when it applies what it has let in: what it refuses then, it has written.
it('refuses nothing that it wrote, though many writes reach the quota together', async () => {
  const etcd = await startTestEtcd([`--quota-backend-bytes=${4 * 1024 * 1024}`])
  const kv = etcd.kv({ callTimeoutMs: 20_000 })
  const outcomes = new Map<string, 'written' | 'refused' | 'unknown'>()
  const write = async (key: string) => {
    const put = { kind: 'put' as const, key, value: `${key} ${'x'.repeat(50_000)}` }
    const outcome = await kv.commit({ compares: [{ kind: 'absent', key }], writes: [put] }).then(
      () => 'written' as const,
      error => (error instanceof OutcomeUnknown ? 'unknown' : 'refused'),
    )
    outcomes.set(key, outcome)
  }
  const wave = (n: number) => Promise.all(Array.from({ length: 100 }, (_, i) => write(`${kv.root}${n}-${i}`)))
  for (let n = 0; n < 10 && ![...outcomes.values()].includes('refused'); n++) await wave(n)
  const { entries } = await kv.list(kv.root, { keysOnly: true })
  const there = new Set(entries.map(entry => entry.key))
  const counts = Object.groupBy(outcomes.values(), outcome => outcome)
  expect(counts.refused?.length).toBeGreaterThan(0)
  expect(counts.unknown).toBeUndefined()
  const untrue = [...outcomes].filter(([key, outcome]) => there.has(key) !== (outcome === 'written'))
  expect(untrue).toEqual([])
}, 60_000)
