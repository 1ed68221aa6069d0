// The manifests render with kubectl's kustomize, fit together, and hold a configuration that gkube accepts.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { type Config, loadConfig } from '../../src/config.ts'
import { podFindings } from '../../src/core/allowlist/pod.ts'
import { rbacFor, rbacText } from '../../src/core/rbac.ts'

// biome-ignore lint/suspicious/noExplicitAny: rendered YAML of any shape
type Rendered = any

const hasKubectl = spawnSync('kubectl', ['version', '--client'], { stdio: 'ignore' }).status === 0
const render = (folder: string): Rendered[] =>
  parseAllDocuments(execFileSync('kubectl', ['kustomize', folder], { encoding: 'utf8' })).map(d => d.toJS())
const only = (objects: Rendered[], kind: string): Rendered => {
  const found = objects.filter(object => object.kind === kind)
  expect(found, kind).toHaveLength(1)
  return found[0]
}

/** The configuration of a ConfigMap, read as the pod would: secrets are files of the mounted Secret. */
function configOf(objects: Rendered[]): Config {
  const files: Record<string, string> = {
    '/etc/gkube/gkube.yaml': only(objects, 'ConfigMap').data['gkube.yaml'],
  }
  for (const key of ['bootstrap-token', 'etcd-password', 'registry-password'])
    files[`/run/secrets/gkube/${key}`] = 'x'.repeat(40)
  const { env } = only(objects, 'Deployment').spec.template.spec.containers[0]
  return loadConfig({
    env: Object.fromEntries(env.map(({ name, value }: Rendered) => [name, value])),
    read: path => {
      const text = files[path]
      if (text === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' })
      return text
    },
  })
}

const serviceAccount = { namespace: 'gkube', name: 'gkube' }
const rightsOf = (config: Config): string =>
  Object.values(config.environments)
    .map(environment =>
      rbacText(rbacFor(environment, { serviceAccount, uploads: config.publish.url !== null })),
    )
    .join('---\n')

describe.skipIf(!hasKubectl).each(['manifests/base', 'manifests/overlays/example'])('%s', folder => {
  const objects = hasKubectl ? render(folder) : []
  const deployment = hasKubectl ? only(objects, 'Deployment') : null

  it('runs two replicas that are replaced without a gap', () => {
    expect(deployment.spec).toMatchObject({
      replicas: 2,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    })
    const [container] = deployment.spec.template.spec.containers
    expect(container.readinessProbe.httpGet.path).toBe('/readyz')
    expect(container.livenessProbe.httpGet.path).toBe('/healthz')
    const drain = configOf(objects).limits.drainSeconds
    expect(deployment.spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(drain + 5 + 5)
  })

  it('keeps to the restricted profile, by the rules that gkube has for apps', () => {
    const profile = { restricted: true, complete: true }
    const findings = podFindings(deployment.spec.template.spec, 'spec.template.spec', profile)
    // gkube talks to the API server, so it may have the token that apps are refused.
    expect(findings.map(f => f.path).filter(path => !/serviceAccount/i.test(path))).toEqual([])
    const [container] = deployment.spec.template.spec.containers
    expect(container.securityContext.readOnlyRootFilesystem).toBe(true)
    // A pool that is reached by SSH puts its key there.
    expect(container.volumeMounts).toContainEqual({ name: 'tmp', mountPath: '/tmp' })
    expect(container.resources).toMatchObject({ requests: { cpu: '100m' }, limits: { memory: '512Mi' } })
  })

  it('fits together: selectors, ports, names', () => {
    const { labels } = deployment.spec.template.metadata
    expect(labels).toMatchObject(deployment.spec.selector.matchLabels)
    expect(labels).toMatchObject(only(objects, 'Service').spec.selector)
    expect(labels).toMatchObject(only(objects, 'PodDisruptionBudget').spec.selector.matchLabels)
    expect(labels).toMatchObject(only(objects, 'NetworkPolicy').spec.podSelector.matchLabels)
    const pod = deployment.spec.template.spec
    expect(pod.serviceAccountName).toBe(only(objects, 'ServiceAccount').metadata.name)
    const [config] = pod.volumes
    expect(config.configMap.name).toBe(only(objects, 'ConfigMap').metadata.name)
    expect(config.configMap.name).toMatch(/^gkube-[a-z0-9]{10}$/)
    expect(objects.filter(object => object.kind === 'Secret')).toEqual([])
  })

  it('holds a configuration that gkube accepts, on the port that is probed', () => {
    const config = configOf(objects)
    expect(config.listen).toEqual({ host: '0.0.0.0', port: 8080 })
    expect(config.clusters.default?.inCluster).toBe(true)
    expect(deployment.spec.template.spec.containers[0].ports[0].containerPort).toBe(config.listen.port)
  })
})

describe.skipIf(!hasKubectl)('the example overlay', () => {
  const objects = hasKubectl ? render('manifests/overlays/example') : []

  it('keeps uploads where all replicas see them, and publishes them with its own image and Service', () => {
    const { artifacts, publish } = configOf(objects)
    const { containers, volumes } = only(objects, 'Deployment').spec.template.spec
    const mount = containers[0].volumeMounts.find((one: Rendered) => one.name === 'artifacts')
    expect(artifacts.directory?.startsWith(`${mount.mountPath}/`)).toBe(true)
    const claim = only(objects, 'PersistentVolumeClaim')
    expect(claim.spec.accessModes).toEqual(['ReadWriteMany'])
    expect(volumes).toContainEqual({
      name: 'artifacts',
      persistentVolumeClaim: { claimName: claim.metadata.name },
    })
    expect(publish.image).toBe(containers[0].image)
    const { metadata, spec } = only(objects, 'Service')
    const port = spec.ports[0].port === 80 ? '' : `:${spec.ports[0].port}`
    expect(publish.url).toBe(`http://${metadata.name}.${metadata.namespace}.svc${port}`)
  })

  it('puts gkube in its namespace and leaves the rights in theirs', () => {
    expect(only(objects, 'Deployment').metadata.namespace).toBe('gkube')
    expect(only(objects, 'Deployment').spec.template.spec.containers[0].image).toBe(
      'registry.example.com/tools/gkube:0.1.0',
    )
    const roles = objects.filter(object => object.kind === 'RoleBinding')
    expect(roles.map(role => role.metadata.namespace).sort()).toEqual(['shop', 'shop-staging'])
    for (const role of roles) expect(role.subjects).toEqual([{ kind: 'ServiceAccount', ...serviceAccount }])
  })

  it('has the rights that `gkube rbac` prints for its environments', () => {
    const rights = rightsOf(configOf(objects))
    const file = readFileSync('manifests/overlays/example/rights.yaml', 'utf8')
    expect(file.replace(/^#.*\n/gm, '')).toBe(rights)
  })
})

it('the Secret template has no values, and every file that the configurations name', () => {
  const template = parseAllDocuments(
    readFileSync('manifests/secret.example.yaml', 'utf8'),
  )[0]?.toJS() as Rendered
  expect(Object.values(template.stringData).every(value => value === '')).toBe(true)
  for (const file of ['manifests/base/gkube.yaml', 'manifests/overlays/example/gkube/gkube.yaml'])
    for (const [, key] of readFileSync(file, 'utf8').matchAll(/\/run\/secrets\/gkube\/([a-z-]+)/g))
      expect(Object.keys(template.stringData)).toContain(key)
})
