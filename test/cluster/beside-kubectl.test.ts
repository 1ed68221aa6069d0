// An update by gkube beside the same update by kubectl (apply, then rollout status), on the real control plane:
// API requests and time from the request to the end. Prints both; holds gkube to no more requests than kubectl.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { deployment } from '../sandbox/cluster/support.ts'
import { admin, ship, webApp } from '../support/stack.ts'
import { binaries } from './build.ts'
import { played, sharedCluster, startRealStack } from './real-stack.ts'

const rounds = 5
type Seen = { readonly requests: number; readonly ms: number }

const median = (of: readonly number[]): number =>
  [...of].sort((a, b) => a - b)[Math.floor(of.length / 2)] ?? Number.NaN
const summary = (name: string, all: readonly Seen[]) =>
  `${name}: ${median(all.map(one => one.requests))} requests, ${Math.round(median(all.map(one => one.ms)))} ms`

async function timed(work: () => Promise<number>): Promise<Seen> {
  const began = performance.now()
  const requests = await work()
  return { requests, ms: performance.now() - began }
}

describe.runIf(played)('an update', () => {
  it('needs no more requests than kubectl', async () => {
    const stack = await startRealStack({ staging: {} })
    const namespace = stack.namespace('staging')
    const kubectl = (await binaries(() => undefined)).path('kubectl')
    const home = mkdtempSync(join(tmpdir(), 'gkube-kubectl-'))
    const env = { HOME: home, KUBECONFIG: sharedCluster() }
    const run = promisify(execFile)
    /** Runs kubectl; how many requests it made, by its own log. */
    const call = async (args: readonly string[], input?: object): Promise<number> => {
      const running = run(kubectl, ['-n', namespace, '-v=6', ...args], { env, timeout: 30_000 })
      running.child.stdin?.end(input ? JSON.stringify(input) : '')
      return (await running).stderr.split('\n').filter(line => /"Response".* verb=/.test(line)).length
    }
    const byKubectl = (revision: number) =>
      timed(async () => {
        const object = deployment('plain', `registry.example.com/shop/web:1.${revision}.0`)
        return (
          (await call(['apply', '-f', '-'], object)) + (await call(['rollout', 'status', 'deploy/plain']))
        )
      })
    const cluster = stack.server.clusters.get('default')
    const sum = () => Object.values(cluster?.counts() ?? {}).reduce((total, n) => total + n, 0)
    const byGkube = (revision: number) =>
      timed(async () => {
        const before = sum()
        const deploy = await ship(stack.core, { revision: `1.${revision}.0` })
        expect(deploy, deploy.cause?.message).toMatchObject({ phase: 'succeeded' })
        return sum() - before
      })

    await stack.core.applyApp(admin, webApp({ environments: { staging: {} } }), { dryRun: false })
    // The first makes it, and warms what either side keeps warm.
    await byGkube(0)
    await byKubectl(0)
    const gkube: Seen[] = []
    const plain: Seen[] = []
    for (let revision = 1; revision <= rounds; revision++) {
      gkube.push(await byGkube(revision))
      plain.push(await byKubectl(revision))
    }
    rmSync(home, { recursive: true, force: true })
    process.stdout.write(
      `cluster: an update, median of ${rounds}: ${summary('gkube', gkube)}; ${summary('kubectl', plain)}\n`,
    )
    expect(median(plain.map(one => one.requests))).toBeGreaterThan(1)
    expect(median(gkube.map(one => one.requests))).toBeLessThanOrEqual(median(plain.map(one => one.requests)))
  })
})
