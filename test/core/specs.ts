// Specs and render inputs for the tests of the rendering half: small ones, from what a team would write.

import { type App, appSchema } from '../../src/core/app.ts'
import { checkApp, specFor } from '../../src/core/app-environment.ts'
import type { KubeObject } from '../../src/core/cluster.ts'
import { type RenderInput, render } from '../../src/core/objects.ts'
import { problemsError } from '../../src/core/problems.ts'
import { type Frozen, noOverrides } from '../../src/core/workload.ts'
import { parseYaml } from '../../src/core/yaml.ts'

export const image = 'registry.example.com/shop/web:{revision}'

/** A valid App: `web` in staging, with these keys on top. */
export const appOf = (keys: object = {}): App =>
  appSchema.parse({ app: 'web', image, environments: { staging: {} }, ...keys })

/** The spec of that App in staging; throws what a team would see. */
export const specOf = (keys: object = {}) => specFor(appOf(keys), 'staging')

export const frozenOf = (keys: object = {}, revision = '1.0.0'): Frozen => {
  const spec = specOf(keys)
  const reference = (spec.image ?? '').replaceAll('{revision}', revision)
  return { schema: 1, app: spec.app, environment: 'staging', revision, image: reference, digest: null, spec }
}

export const inputOf = (
  keys: object = {},
  more: Partial<RenderInput> & { revision?: string } = {},
): RenderInput => ({
  frozen: frozenOf(keys, more.revision),
  environment: { name: 'staging', cluster: 'local', namespace: 'shop', createNamespace: false },
  overrides: noOverrides,
  ...more,
})

export const renderOf = (keys: object = {}, more: Partial<RenderInput> & { revision?: string } = {}) =>
  render(inputOf(keys, more))

/** The only object of a kind, loosely typed: tests look deep into it. */
// biome-ignore lint/suspicious/noExplicitAny: a path that is not there fails the assertion anyway
export function one(objects: readonly KubeObject[], kind: string, name?: string): any {
  const found = objects.filter(
    object => object.kind === kind && (name === undefined || object.metadata.name === name),
  )
  if (found.length !== 1)
    throw new Error(`${found.length} of ${kind} in ${objects.map(o => o.kind).join(', ')}`)
  return found[0]
}

/** The pod template's spec of the app's workload. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export function podOf(objects: readonly KubeObject[]): any {
  const kind = ['Deployment', 'StatefulSet'].find(name => objects.some(object => object.kind === name))
  return kind
    ? one(objects, kind).spec.template.spec
    : one(objects, 'CronJob').spec.jobTemplate.spec.template.spec
}

/** An App from a file's text; every problem is thrown with its place, as the command line shows it. */
export function readApp(text: string, fileName: string): App {
  const { value, where } = parseYaml(text, fileName)
  const result = checkApp(value)
  if ('app' in result) return result.app
  throw problemsError('not valid:', result.problems, ({ path }) => `${where(path)}: `)
}

/** Everything an app of kind service can ask for. */
export const everything = {
  ports: [{ name: 'http', port: 8080, service: 80 }],
  replicas: 2,
  env: { LOG_LEVEL: 'info', DB: { secret: 'web', key: 'url' }, IP: { field: 'status.podIP' } },
  envFrom: [{ secret: 'web' }],
  files: [
    { path: '/etc/web/app.conf', content: 'a=1\n' },
    { path: '/etc/tls', secret: 'web-tls' },
    { path: '/etc/ca.pem', configMap: 'ca', key: 'ca.pem' },
  ],
  sidecars: [
    { name: 'proxy', image: 'r/proxy:1', ports: [{ name: 'admin', port: 9901 }] },
    {
      name: 'logs',
      image: 'r/logs:{revision}',
      native: false,
      mounts: [{ name: 'data', path: '/data', readOnly: true }],
    },
  ],
  storage: [{ name: 'data', size: '1Gi', mount: '/srv/data' }],
  ingress: [{ host: 'web.example.com', tlsSecret: 'web-tls' }],
  disruption: { maxUnavailable: 1 },
  labels: { team: 'shop' },
  annotations: { 'example.com/scrape': 'true' },
  security: { runAsUser: 1000, runAsGroup: 1000 },
}
