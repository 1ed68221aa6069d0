// Time from a request to its first write at the cluster: by the core in this process, and by HTTP. Beside it, one
// etcd transaction on the same disk: gkube makes four of them (request, prepare, prepared, claim) before it writes.
import type { Etcd3 } from 'etcd3'
import type { Figure } from './figures.ts'
import { monotonic } from './monotonic.ts'
import { admin, asked, type Rig, token } from './rig.ts'

/** `updates` of each way, in turns, each awaited to its end. */
export async function firstWrite(rig: Rig, updates: number): Promise<Figure[]> {
  const transaction = await rawTransaction(rig.raw)
  const timings = {
    core: [] as number[],
    http: [] as number[],
    answered: [] as number[],
    raw: [] as number[],
  }
  for (let i = 0; i < updates; i++) {
    timings.core.push((await timed(rig, () => byCore(rig, `1.${i}.0`))).write)
    timings.raw.push(await transaction())
    const http = await timed(rig, () => byHttp(rig, `1.${i}.1`))
    timings.http.push(http.write)
    timings.answered.push(http.answer)
    timings.raw.push(await transaction())
  }
  const baseline = { what: 'one etcd transaction', values: timings.raw }
  const aim = { kind: 'most', limit: 25 } as const
  return [
    { what: 'request to first write, core', unit: 'ms', values: timings.core, baseline, aim },
    { what: 'request to first write, HTTP', unit: 'ms', values: timings.http, baseline, aim },
    { what: 'request to durable answer, HTTP', unit: 'ms', values: timings.answered, baseline, aim: null },
  ]
}

async function timed(rig: Rig, request: () => Promise<string>): Promise<{ write: number; answer: number }> {
  await rig.cluster.take()
  const before = monotonic()
  const id = await request()
  const answer = monotonic() - before
  await rig.ended(id)
  const { requests } = await rig.cluster.take()
  const write = requests.find(seen => seen.agent === 'gkube' && seen.isWrite)
  if (!write) throw new Error(`deploy ${id} wrote nothing to the cluster`)
  return { write: write.at - before, answer }
}

async function byCore(rig: Rig, revision: string): Promise<string> {
  return (await rig.server.core.request(admin, asked(revision))).deploy.id
}

/** As the command line and Jenkins ask for it; the id of the deploy. */
export async function byHttp(rig: Rig, revision: string): Promise<string> {
  const response = await fetch(`${rig.server.url}/v1/deploys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(asked(revision)),
  })
  if (response.status !== 202)
    throw new Error(`the request was answered ${response.status}: ${await response.text()}`)
  return ((await response.json()) as { deploy: { id: string } }).deploy.id
}

/** A put guarded by a compare, as small as etcd3 makes it, on a record of a deploy's size. */
async function rawTransaction(etcd: Etcd3): Promise<() => Promise<number>> {
  const key = '/bench/raw'
  const value = 'x'.repeat(2_000)
  let revision = (await etcd.put(key).value(value)).header.revision
  return async () => {
    const before = monotonic()
    const answer = await etcd.if(key, 'Mod', '==', revision).then(etcd.put(key).value(value)).commit()
    if (!answer.succeeded) throw new Error('someone else wrote the key of the benchmark')
    revision = answer.header.revision
    return monotonic() - before
  }
}
