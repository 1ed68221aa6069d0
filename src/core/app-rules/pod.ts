// Rules about a pod: images, names, resources, autoscaling, labels, user.
import type { AppSpec } from '../app.ts'
import type { Path, Problem } from '../problems.ts'
import { amount } from '../units.ts'
import { repeated, say, when } from './say.ts'

const imagePattern =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?\/)?[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/
const example = 'registry.example.com/shop/web:{revision}'
const filled = (image: string) => image.replaceAll('{revision}', 'r1')

export function imageRules({ image, code, sidecars, hooks }: AppSpec): Problem[] {
  const form = `is not an image reference; for example ${example}`
  const others = [
    ...sidecars.map((sidecar, i) => ({ path: ['sidecars', i, 'image'], image: sidecar.image })),
    ...Object.entries(hooks).map(([step, hook]) => ({ path: ['hooks', step, 'image'], image: hook?.image })),
  ]
  return [
    ...when(image === undefined, ['image'], `is missing; for example ${example}`),
    ...when(image !== undefined && !imagePattern.test(filled(image)), ['image'], form),
    ...when(
      image !== undefined && !code && !image.includes('{revision}'),
      ['image'],
      `has no {revision}, so every deploy would run the same image; for example ${example}`,
    ),
    ...others.flatMap(({ path, image: other }) =>
      when(other !== undefined && !imagePattern.test(filled(other)), path, form),
    ),
  ]
}

export function nameRules(spec: AppSpec): Problem[] {
  const taken = [
    { name: spec.app, path: ['app'] as Path },
    ...spec.sidecars.map((sidecar, i) => ({ name: sidecar.name, path: ['sidecars', i] as Path })),
  ]
  return repeated(
    taken,
    one => one.name,
    (one, earlier) => say([...one.path, 'name'], `${one.name} is already the name of ${earlier}`),
  )
}

export function resourceRules(spec: AppSpec): Problem[] {
  const all = [
    { path: ['resources'] as Path, resources: spec.resources },
    ...spec.sidecars.map((sidecar, i) => ({
      path: ['sidecars', i, 'resources'] as Path,
      resources: sidecar.resources,
    })),
    ...Object.entries(spec.hooks).map(([step, hook]) => ({
      path: ['hooks', step, 'resources'] as Path,
      resources: hook?.resources,
    })),
  ]
  return all.flatMap(({ path, resources }) =>
    (['cpu', 'memory', 'ephemeral-storage'] as const).flatMap(name => {
      const [wanted, most] = [resources?.requests?.[name], resources?.limits?.[name]]
      const above = wanted !== undefined && most !== undefined && amount(wanted) > amount(most)
      return when(above, [...path, 'requests', name], `${wanted} is above the limit of ${most}`)
    }),
  )
}

export function scaleRules({ autoscale, resources, rollout }: AppSpec): Problem[] {
  const asksCpu = autoscale?.cpu !== undefined || (autoscale && autoscale.memory === undefined)
  const of = (which: string) =>
    `autoscale by ${which} counts in shares of resources.requests.${which}: set it`
  return [
    ...when(asksCpu && resources.requests?.cpu === undefined, ['autoscale'], of('cpu')),
    ...when(
      autoscale?.memory !== undefined && resources.requests?.memory === undefined,
      ['autoscale', 'memory'],
      of('memory'),
    ),
    ...when(
      autoscale && rollout.strategy === 'recreate',
      ['autoscale'],
      'and rollout.strategy recreate stop all replicas at every deploy; use rolling',
    ),
  ]
}

const labelKey = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/
const ours = /^(gkube\.dev\/|app\.kubernetes\.io\/(name|instance|version|managed-by|component)$)/

export function labelRules({ labels, annotations, placement }: AppSpec): Problem[] {
  return [
    ...Object.entries(labels).flatMap(([key, value]) => [
      ...when(ours.test(key), ['labels', key], 'is set by gkube itself'),
      ...when(
        !labelKey.test(key) || !labelValue.test(value),
        ['labels', key],
        'is not a Kubernetes label such as team: shop',
      ),
    ]),
    ...Object.entries(placement.nodeSelector ?? {}).flatMap(([key, value]) =>
      when(
        !labelKey.test(key) || !labelValue.test(value),
        ['placement', 'nodeSelector', key],
        'is not a Kubernetes label such as disk: ssd',
      ),
    ),
    ...Object.keys(annotations).flatMap(key => [
      ...when(ours.test(key), ['annotations', key], 'is set by gkube itself'),
      ...when(!labelKey.test(key), ['annotations', key], 'is not an annotation such as example.com/team'),
    ]),
  ]
}

export function securityRules({ security }: AppSpec): Problem[] {
  return when(
    security.profile === 'restricted' && security.runAsUser === 0,
    ['security', 'runAsUser'],
    'is root, which profile restricted does not allow; use another user, or profile: baseline',
  )
}
