// What a real API server says of a version that etcd has forgotten: the stand-in is told to forget
// (test/sandbox/cluster/contract.test.ts), here etcd is. On PodTemplates, whose cache harness.ts turns off: for
// other kinds a current server goes on answering old versions from memory. What the adapter makes of a 410:
// test/adapters/kubernetes/watches.test.ts.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Wire, wireTo } from '../sandbox/cluster/wire.ts'

const namespace = `gkube-expired-${randomBytes(3).toString('hex')}`
const templates = `/api/v1/namespaces/${namespace}/podtemplates`
let wire: Wire

const make = async (name: string): Promise<string> => {
  const template = { spec: { containers: [{ name: 'web', image: 'reg/web:1' }] } }
  const { body } = await wire.post(templates, { metadata: { name }, template })
  return body.metadata.resourceVersion
}

/** Makes etcd forget what was before a version. */
async function compact(version: string): Promise<void> {
  const done = await fetch(`${process.env.GKUBE_TEST_ETCD}/v3/kv/compaction`, {
    method: 'POST',
    body: JSON.stringify({ revision: version, physical: true }),
    signal: AbortSignal.timeout(5_000),
  })
  expect(done.status).toBe(200)
}

// Only our own control plane has an etcd to put a hand on.
describe.runIf(process.env.GKUBE_TEST_ETCD)('a version that is forgotten', () => {
  beforeAll(async () => {
    wire = wireTo(readFileSync(process.env.GKUBE_TEST_KUBECONFIG ?? '', 'utf8'))
    expect((await wire.post('/api/v1/namespaces', { metadata: { name: namespace } })).status).toBe(201)
  })
  afterAll(() => wire?.delete(`/api/v1/namespaces/${namespace}`))

  it('ends a watch with an ERROR event 410', async () => {
    const first = await make('a')
    // The event after `first` is forgotten too.
    await make('b')
    await compact(await make('c'))
    const watch = await wire.watch(`${templates}?watch=1&resourceVersion=${first}`)
    expect(await watch.next()).toMatchObject({
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired' },
    })
    expect(await watch.ended()).toEqual([])
  })

  it('refuses a continue token with 410', async () => {
    for (const name of ['d', 'e']) await make(name)
    const { metadata } = (await wire.get(`${templates}?limit=1`)).body
    await compact(await make('f'))
    const refused = await wire.get(`${templates}?limit=1&continue=${encodeURIComponent(metadata.continue)}`)
    expect(refused.body).toMatchObject({ code: 410, reason: 'Expired' })
  })
})
