// kubectl as an independent client: what people type works against the stand-in cluster. Skipped where there
// is no kubectl. `kubectl create deployment` and its like send protobuf, which the stand-in does not read.
import { execFile, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deployment, testCluster } from './support.ts'
import type { Json } from './wire.ts'

const present = spawnSync('kubectl', ['version', '--client']).status === 0
const folder = mkdtempSync(join(tmpdir(), 'gkube-kubectl-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const env = { ...process.env, KUBECONFIG: join(folder, 'config'), HOME: folder }

function kubectl(args: string[], input?: Json): Promise<{ out: string; err: string; code: number }> {
  return new Promise(resolve => {
    const child = execFile('kubectl', args, { env, timeout: 12_000 }, (error, out, err) => {
      resolve({ out, err, code: error ? Number(error.code ?? 1) : 0 })
    })
    child.stdin?.end(input ? JSON.stringify(input) : '')
  })
}

const list = (...items: Json[]): Json => ({ apiVersion: 'v1', kind: 'List', items })
const web = (image: string) => deployment('web', image)

describe.skipIf(!present)('kubectl', () => {
  beforeAll(async () => {
    const { kubeconfig } = await testCluster()
    writeFileSync(env.KUBECONFIG, kubeconfig)
  })

  it('applies, waits for the rollout, and shows columns', async () => {
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    }
    expect((await kubectl(['apply', '-f', '-'], list(web('reg/web:1'), service))).out).toBe(
      'deployment.apps/web created\nservice/web created\n',
    )
    expect((await kubectl(['rollout', 'status', 'deploy/web', '--timeout=10s'])).out).toContain(
      'deployment "web" successfully rolled out',
    )
    expect((await kubectl(['apply', '-f', '-'], list(web('reg/web:1'), service))).out).toBe(
      'deployment.apps/web unchanged\nservice/web unchanged\n',
    )
    const { out } = await kubectl(['get', 'deploy,rs,pods,svc,nodes'])
    expect(out).toMatch(/NAME +READY +UP-TO-DATE +AVAILABLE +AGE\ndeployment\.apps\/web +2\/2 +2 +2 +\d+s/)
    expect(out).toMatch(/pod\/web-\w+-\w+ +1\/1 +Running +0 +\d+s/)
    expect(out).toMatch(/node\/node-1 +Ready/)
  })

  it('applies on the server, and prints the conflict', async () => {
    const refused = await kubectl(
      ['apply', '--server-side', '--field-manager=ops', '-f', '-'],
      web('reg/web:2'),
    )
    expect(refused.err).toContain(
      'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.template.spec.containers[name="web"].image',
    )
    const forced = await kubectl(
      ['apply', '--server-side', '--force-conflicts', '--field-manager=ops', '-f', '-'],
      web('reg/web:2'),
    )
    expect(forced.out).toBe('deployment.apps/web serverside-applied\n')
    expect((await kubectl(['rollout', 'status', 'deploy/web', '--timeout=10s'])).code).toBe(0)
    const history = await kubectl(['rollout', 'history', 'deploy/web'])
    expect(history.out).toMatch(/1 +<none>\n2 +<none>/)
    expect((await kubectl(['rollout', 'undo', 'deploy/web'])).out).toContain('rolled back')
    expect((await kubectl(['rollout', 'status', 'deploy/web', '--timeout=10s'])).code).toBe(0)
    expect(
      (await kubectl(['get', 'deploy', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image}']))
        .out,
    ).toBe('reg/web:1')
  })

  it('scales, describes, logs, runs a command, tries without writing, and deletes', async () => {
    expect((await kubectl(['scale', 'deploy/web', '--replicas=3'])).out).toBe('deployment.apps/web scaled\n')
    expect((await kubectl(['rollout', 'status', 'deploy/web', '--timeout=10s'])).code).toBe(0)
    const described = (await kubectl(['describe', 'deploy', 'web'])).out
    expect(described).toMatch(/Replicas: +3 desired \| 3 updated \| 3 total \| 3 available \| 0 unavailable/)
    expect(described).toMatch(/ScalingReplicaSet .*Scaled up replica set web-\w+ from 0 to 2/)
    expect((await kubectl(['describe', 'pod', '-l', 'app=web'])).out).toContain(
      'Successfully assigned default/web-',
    )
    expect((await kubectl(['logs', 'deploy/web'])).out).toContain('listening on 0.0.0.0:8080')
    const ran = await kubectl(['exec', 'deploy/web', '--', 'sh', '-c', 'echo hi; exit 3'])
    expect(ran).toMatchObject({ out: 'hi\n', code: 3 })
    expect((await kubectl(['diff', '-f', '-'], web('reg/web:9'))).out).toMatch(
      /-\s+- image: reg\/web:1\n\+\s+- image: reg\/web:9/,
    )
    expect((await kubectl(['apply', '--dry-run=server', '-f', '-'], web('reg/web:9'))).out).toContain(
      'configured (server dry run)',
    )
    expect((await kubectl(['api-resources', '--api-group=apps'])).out).toMatch(
      /deployments +deploy +apps\/v1 +true +Deployment/,
    )
    expect((await kubectl(['delete', 'deploy', 'web', '--timeout=10s'])).out).toContain(
      'deployment.apps "web" deleted',
    )
    expect((await kubectl(['wait', '--for=delete', 'pod', '-l', 'app=web', '--timeout=10s'])).code).toBe(0)
  })

  it('watches', async () => {
    const child = spawn('kubectl', ['get', 'pods', '-w', '--no-headers'], { env })
    let out = ''
    let began = () => {}
    const watching = new Promise<void>(resolve => {
      began = resolve
    })
    const seen = new Promise<void>(resolve => {
      child.stdout.on('data', chunk => {
        out += chunk
        if (/marked +1\/1 +Running/.test(out)) began()
        if (/watched +1\/1 +Running/.test(out)) resolve()
      })
    })
    const pod = (name: string) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { containers: [{ name: 'a', image: 'reg/a:1' }] },
    })
    // The watch runs once it shows one pod; only then does it see the other from its beginning.
    await kubectl(['apply', '-f', '-'], pod('marked'))
    await watching
    await kubectl(['apply', '-f', '-'], pod('watched'))
    await seen
    child.kill()
    expect(out).toMatch(/watched +0\/1 +(Pending|ContainerCreating)/)
  })

  it('prints what the server refuses', async () => {
    const bad = deployment('bad', 'reg/web:1')
    bad.spec.selector = { matchLabels: { app: 'other' } }
    expect((await kubectl(['apply', '-f', '-'], bad)).err).toContain(
      'The Deployment "bad" is invalid: spec.template.metadata.labels: Invalid value: {"app":"bad"}: `selector` does not match template `labels`',
    )
    expect((await kubectl(['get', 'deploy', 'nobody'])).err).toBe(
      'Error from server (NotFound): deployments.apps "nobody" not found\n',
    )
  })
})
