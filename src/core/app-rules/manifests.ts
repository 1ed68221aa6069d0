// Rules for kind: manifests: what it needs, and keys that mean nothing for objects that are given.
import type { AppSpec } from '../app.ts'
import { flatten } from '../objects/manifests.ts'
import { fieldsOf } from '../objects/pod-templates.ts'
import type { Path, Problem } from '../problems.ts'
import { repeated, say, when } from './say.ts'

/** Keys that say how gkube renders pods mean nothing for objects that are given. */
const notForManifests = ['image', 'autoscale', 'schedule', 'code', 'disruption'] as const
const listsNotForManifests = [
  'ports',
  'ingress',
  'storage',
  'files',
  'sidecars',
  'command',
  'args',
  'imagePullSecrets',
] as const

export function onlyManifests(spec: AppSpec): Problem[] {
  const set = [
    ...notForManifests.filter(key => spec[key] !== undefined),
    ...listsNotForManifests.filter(key => spec[key].length > 0),
    ...(Object.keys(spec.env).length > 0 || spec.envFrom.length > 0 ? ['env'] : []),
  ]
  const objects = flatten(spec.manifests)
  const named = objects.map((object, i) => ({ object, path: ['manifests', i] as Path }))
  return [
    ...set.map(key => say([key], 'has no meaning for kind manifests: write it into the manifests')),
    ...when(
      objects.length === 0,
      ['manifests'],
      'is empty; kind manifests needs the objects that Helm or kustomize rendered',
    ),
    ...named.flatMap(({ object, path }) => identity(object, path)),
    ...repeated(
      named,
      ({ object }) => refText(object),
      ({ object, path }, earlier) => say(path, `${refText(object)} is there twice, see ${earlier}`),
    ),
    ...Object.entries(spec.hooks).flatMap(([step, hook]) =>
      when(
        hook && !hook.image,
        ['hooks', step, 'image'],
        'is missing; manifests have no image that it could use',
      ),
    ),
  ]
}

function refText({ kind, metadata }: Readonly<Record<string, unknown>>): string {
  const { name = '', namespace = '' } = fieldsOf(metadata)
  return [kind, namespace, name].filter(Boolean).join(' ')
}

function identity(object: Readonly<Record<string, unknown>>, path: Path): Problem[] {
  const { name } = fieldsOf(object.metadata)
  return [
    ...when(
      typeof object.apiVersion !== 'string',
      [...path, 'apiVersion'],
      'is missing; for example apps/v1',
    ),
    ...when(typeof object.kind !== 'string', [...path, 'kind'], 'is missing; for example Deployment'),
    ...when(
      typeof name !== 'string' || name === '',
      [...path, 'metadata', 'name'],
      'is missing; a name that the server makes up cannot be found again',
    ),
  ]
}
