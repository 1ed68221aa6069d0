// What others change beside gkube, as stories that any cluster can tell: test/e2e/drift.test.ts on the stand-in,
// test/cluster/ on a real control plane. kubectl is the other manager.
import { beforeAll, describe, expect, it } from 'vitest'
import type { KubernetesCluster } from '../../src/adapters/kubernetes/kubernetes-cluster.ts'
import type { Core, Status } from '../../src/core/core.ts'
import type { Drift } from '../../src/core/drift.ts'
import type { Json, Wire } from '../sandbox/cluster/wire.ts'
import { type Kubectl, kubectlOn, pathTo } from './kubectl.ts'
import { admin, ship, webApp } from './stack.ts'

/** One gkube on one cluster, with the environments staging and production. */
export type Ground = {
  readonly core: Core
  readonly cluster: Pick<KubernetesCluster, 'counts'>
  /** An administrator's requests to the cluster. */
  readonly wire: Wire
  readonly kubeconfig: string
  readonly namespace: (environment: string) => string
}

export function driftStories(start: () => Promise<Ground>): void {
  describe('what others change', () => {
    let ground: Ground
    let kubectl: Kubectl
    let namespace: string
    let container: string
    const app = (over: Record<string, unknown> = {}) =>
      webApp({ env: { LOG_LEVEL: 'info', DB_PASSWORD: 'hunter2' }, ...over })
    const status = async (): Promise<Status> => {
      const [one] = await ground.core.status(admin, { app: 'web', environment: 'staging' })
      if (!one) throw new Error('web does not run in staging')
      return one
    }
    /** Watches are told a moment after the write. */
    const drifted = async (holds: (drift: readonly Drift[]) => boolean): Promise<readonly Drift[]> => {
      let seen: readonly Drift[] = []
      const look = async () => {
        seen = (await status()).drift
        return holds(seen) && seen
      }
      return ground.wire.until(look).catch(error => {
        throw new Error(`${error}; seen: ${JSON.stringify(seen)}`)
      })
    }
    const settled = () =>
      ground.wire.until(async () => {
        const { drift } = await status()
        return drift.length === 0
      })
    const live = async (kind = 'deployment'): Promise<Json> =>
      (await ground.wire.get(pathTo(namespace, kind, 'web'))).body

    beforeAll(async () => {
      ground = await start()
      kubectl = kubectlOn(ground.kubeconfig, ground.wire)
      namespace = ground.namespace('staging')
      await ground.core.applyApp(admin, app(), { dryRun: false })
      await ship(ground.core, { revision: '1.0.0' })
      container = (await live()).spec.template.spec.containers[0].name
    })

    it('is nothing at first, and looking costs no request', async () => {
      await settled()
      const before = ground.cluster.counts()
      expect((await status()).drift).toEqual([])
      const asked = Object.entries(ground.cluster.counts()).filter(
        ([what, n]) => n !== before[what] && !what.startsWith('watch'),
      )
      expect(asked).toEqual([])
    })

    it('kubectl scale: the field, who and since when; one read until it changes again', async () => {
      await kubectl.scale(namespace, 'deployment', 'web', 4)
      const [drift] = await drifted(found => found.length > 0)
      expect(drift).toMatchObject({ object: `Deployment ${namespace}/web`, state: 'changed' })
      expect(drift?.fields).toEqual([
        {
          path: '.spec.replicas',
          manager: expect.stringMatching(/^kubectl/),
          at: expect.any(Number),
          recorded: '2',
          live: '4',
        },
      ])
      const plan = await ground.core.plan(admin, { app: 'web', environment: 'staging', revision: '1.1.0' })
      expect(plan.notes.join('\n')).toMatch(
        /Deployment \S+\/web was changed: \.spec\.replicas 2 → 4 by kubectl/,
      )
      const deployment = plan.objects.find(one => one.object.startsWith('Deployment'))
      expect(deployment?.warnings.join('\n')).toMatch(/\.spec\.replicas belongs to kubectl.* since \d{4}-/)
    })

    it('a deploy names it and writes nothing', async () => {
      const before = (await live()).metadata.generation
      const deploy = await ship(ground.core, { revision: '1.1.0' })
      expect(deploy).toMatchObject({ phase: 'failed', reason: 'field_conflict', rollback: null })
      expect(deploy.cause?.message).toMatch(
        /Deployment \S+\/web: \.spec\.replicas belongs to kubectl.* since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\..*--force/,
      )
      expect((await live()).metadata.generation).toBe(before)
    })

    it('a redeploy puts right what is gkube’s, and names what it may not take', async () => {
      await kubectl.delete(namespace, 'service', 'web')
      await kubectl.edit(namespace, 'deployment', 'web', deployment => {
        const [first] = deployment.spec.template.spec.containers
        first.env = first.env.filter((one: Json) => one.name !== 'LOG_LEVEL')
      })
      const found = await drifted(drift => drift.length === 2)
      expect(found.find(one => one.object.startsWith('Service'))).toMatchObject({ state: 'missing' })
      const removed = found.flatMap(one => one.fields).find(one => one.path.includes('LOG_LEVEL'))
      expect(removed).toMatchObject({ recorded: 'info', live: '' })
      const deploy = await ship(ground.core, { kind: 'redeploy' })
      expect(deploy, deploy.cause?.message).toMatchObject({
        phase: 'failed',
        reason: 'field_conflict',
        rollback: null,
      })
      expect(deploy.cause?.message).toMatch(/Everything else is as the record says.*\.spec\.replicas/)
      expect((await live('service')).spec.ports).toHaveLength(1)
      const deployment = await live()
      expect(deployment.spec.template.spec.containers[0].env.map((one: Json) => one.name)).toContain(
        'LOG_LEVEL',
      )
      expect(deployment.spec.replicas).toBe(4)
    })

    it('scaling by gkube is asking for that field', async () => {
      expect(await ship(ground.core, { kind: 'scale', replicas: 3 })).toMatchObject({ phase: 'succeeded' })
      expect((await live()).spec.replicas).toBe(3)
      await settled()
    })

    it('kubectl set image and kubectl edit: each manager by its name, secrets hidden; --force takes all back', async () => {
      await kubectl.setImage(namespace, 'web', container, 'registry.example.com/shop/web:hotfix')
      await kubectl.edit(namespace, 'deployment', 'web', deployment => {
        const [first] = deployment.spec.template.spec.containers
        for (const one of first.env) if (one.name === 'DB_PASSWORD') one.value = 'swordfish'
        first.env.push({ name: 'EXTRA', value: 'yes' })
      })
      const [drift] = await drifted(found => (found[0]?.fields.length ?? 0) >= 3)
      const byPath = (text: string) => drift?.fields.find(one => one.path.includes(text))
      expect(byPath('.image')).toMatchObject({
        manager: 'kubectl-set',
        live: expect.stringMatching(/hotfix/),
      })
      expect(byPath('DB_PASSWORD')).toMatchObject({ manager: 'kubectl-edit', live: '(hidden)' })
      expect(byPath('EXTRA')).toMatchObject({ manager: 'kubectl-edit', recorded: '' })
      expect(JSON.stringify(drift)).not.toMatch(/swordfish|hunter2/)
      const refused = await ship(ground.core, { kind: 'redeploy' })
      expect(refused.cause?.message).toMatch(/image belongs to kubectl-set since \d/)
      expect(refused.cause?.message).toMatch(/DB_PASSWORD"\]\.value belongs to kubectl-edit since \d/)
      // What could not be taken back is still told; what was added beside it is theirs from this apply on.
      const holds = (found: readonly Drift[], text: string) =>
        found.some(one => one.fields.some(field => field.path.includes(text)))
      await drifted(found => holds(found, '.image') && holds(found, 'DB_PASSWORD'))
      expect((await live()).spec.template.spec.containers[0].image).toContain(':hotfix')
      const forced = await ship(ground.core, { kind: 'redeploy', force: true })
      expect(forced, forced.cause?.message).toMatchObject({ phase: 'succeeded' })
      expect((await live()).spec.template.spec.containers[0].image).toContain(':1.0.0')
      // What somebody added beside gkube's own fields is theirs.
      expect((await live()).spec.template.spec.containers[0].env.map((one: Json) => one.name)).toContain(
        'EXTRA',
      )
    })

    it('what is put back by hand is no drift, and neither is a label of somebody else', async () => {
      await settled()
      await kubectl.scale(namespace, 'deployment', 'web', 5)
      await drifted(found => found.length === 1)
      await ship(ground.core, { kind: 'scale', replicas: 2 })
      await kubectl.edit(namespace, 'deployment', 'web', deployment => {
        deployment.metadata.labels['somebody/label'] = 'x'
      })
      await settled()
    })

    it('an autoscaler that somebody made: named, with what to do', async () => {
      await kubectl.apply(namespace, {
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name: 'theirs', namespace },
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
          minReplicas: 3,
          maxReplicas: 5,
        },
      })
      const [drift] = await drifted(
        found => found[0]?.fields.some(one => one.path === '.spec.replicas') ?? false,
      )
      expect(drift?.fields[0]).toMatchObject({ path: '.spec.replicas', recorded: '2', live: '3' })
      for (const input of [{ revision: '1.2.0' }, { kind: 'scale' as const, replicas: 1 }]) {
        const deploy = await ship(ground.core, input)
        expect(deploy).toMatchObject({ phase: 'failed', reason: 'field_conflict' })
        expect(deploy.cause?.message).toMatch(/An autoscaler sets it: give the app `autoscale`/)
      }
      await kubectl.delete(namespace, 'horizontalpodautoscaler', 'theirs')
      expect(await ship(ground.core, { kind: 'redeploy', force: true })).toMatchObject({ phase: 'succeeded' })
    })

    it('another object of the same name is not taken for ours', async () => {
      await kubectl.delete(namespace, 'service', 'web')
      await kubectl.apply(namespace, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace },
        spec: { selector: { app: 'other' }, ports: [{ port: 80 }] },
      })
      const [drift] = await drifted(found => found[0]?.state === 'replaced')
      expect(drift?.object).toBe(`Service ${namespace}/web`)
      const deploy = await ship(ground.core, { kind: 'redeploy' })
      expect(deploy.cause?.message).toMatch(/exists and is not gkube's/)
    })
  })
}
