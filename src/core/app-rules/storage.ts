// Rules about what an app keeps: storage, files, code, and who can mount them at the same time.
import type { AppSpec } from '../app.ts'
import { reservedVolumes } from '../objects/volumes.ts'
import type { Path, Problem } from '../problems.ts'
import { amount } from '../units.ts'
import { repeated, say, when } from './say.ts'

export function storageRules(spec: AppSpec): Problem[] {
  const { storage, kind } = spec
  const single = spec.autoscale ? spec.autoscale.max === 1 : spec.replicas <= 1
  const rwo = storage.findIndex(volume => volume.access === 'RWO')
  const at: Path = ['storage', rwo, 'access']
  const alone = kind === 'service' || kind === 'worker'
  const targets = [
    ...storage.map((volume, i) => ({ mount: volume.mount, path: ['storage', i, 'mount'] as Path })),
    ...spec.files.map((file, i) => ({ mount: file.path, path: ['files', i, 'path'] as Path })),
    ...(spec.code ? [{ mount: spec.code.mount, path: ['code', 'mount'] as Path }] : []),
  ]
  return [
    ...when(
      rwo >= 0 && alone && !single,
      at,
      'RWO can be mounted by one pod: set replicas: 1 (no autoscale), or access: RWX',
    ),
    ...when(
      rwo >= 0 && alone && spec.rollout.strategy !== 'recreate',
      at,
      'RWO needs rollout: { strategy: recreate }, which means downtime at every deploy; or access: RWX',
    ),
    ...when(
      rwo >= 0 && kind === 'cron' && spec.schedule?.concurrency === 'Allow',
      at,
      'RWO needs schedule.concurrency Forbid or Replace; or access: RWX',
    ),
    ...repeated(
      storage.map((volume, i) => ({ ...volume, path: ['storage', i] as Path })),
      volume => volume.name,
      (volume, earlier) => say([...volume.path, 'name'], `${volume.name} is already the name of ${earlier}`),
    ),
    ...storage.flatMap((volume, i) => [
      ...when(
        volume.name.startsWith(reservedVolumes),
        ['storage', i, 'name'],
        `names that begin with ${reservedVolumes} are gkube's own`,
      ),
      ...when(!(amount(volume.size) > 0), ['storage', i, 'size'], 'must be more than 0; for example 10Gi'),
      ...when(
        volume.own === true && volume.storageClass !== undefined,
        ['storage', i, 'own'],
        'a volume of its own lies on a pool, and storageClass names none: leave one of them out',
      ),
    ]),
    ...targets.flatMap(({ mount, path }) =>
      when(
        /^\/+$/.test(mount) || mount.split('/').includes('..'),
        path,
        'must be a directory or file below /, such as /srv/data',
      ),
    ),
    ...repeated(
      targets,
      target => target.mount.replace(/\/+$/, ''),
      (target, earlier) => say(target.path, `${target.mount} is already mounted by ${earlier}`),
    ),
    ...spec.sidecars.flatMap((sidecar, s) =>
      (sidecar.mounts ?? []).flatMap((mount, i) =>
        when(
          !storage.some(volume => volume.name === mount.name),
          ['sidecars', s, 'mounts', i, 'name'],
          `${mount.name} is not one of the app's storage: ${storage.map(volume => volume.name).join(', ') || 'none'}`,
        ),
      ),
    ),
  ]
}

export function codeRules({ kind, code, image, storage, replicas, autoscale }: AppSpec): Problem[] {
  if (!code) return []
  const many = (autoscale?.max ?? replicas) > 1
  return [
    ...when(
      storage.length === 0,
      ['code'],
      'needs storage to keep releases on; for example storage: [{ name: code, size: 5Gi, mount: /srv/code }]',
    ),
    ...when(
      many && storage[0]?.access === 'RWO',
      ['storage', 0, 'access'],
      'code with more than one replica needs RWX',
    ),
    ...when(
      !many && kind === 'stateful' && storage[0]?.access === 'RWO',
      ['storage', 0, 'access'],
      'code of a stateful app needs RWX: RWO is a volume of each pod, which no Job can publish to',
    ),
    ...when(
      code.activate === 'reload' && !code.reload,
      ['code', 'reload'],
      'is missing: the command that makes a pod take the new code',
    ),
    ...when(
      code.activate === 'reload' && image?.includes('{revision}'),
      ['image'],
      'names {revision}, which replaces the container at each deploy; activate: reload keeps it. Name a fixed tag',
    ),
    ...when(
      code.activate === 'reload' && kind === 'cron',
      ['code', 'activate'],
      'reload is for apps whose pods go on running; a cron app takes the new code at its next run: activate: rollout',
    ),
    ...when(
      code.activate === 'rollout' && code.reload,
      ['code', 'reload'],
      'is for activate: reload; with rollout the pods are replaced',
    ),
    ...when(code.sha256 && !code.artifact, ['code', 'artifact'], 'is missing: sha256 is of an artifact'),
  ]
}

/** A ConfigMap holds 1 MiB (Kubernetes' limit), its keys and the object's own fields included. */
export function fileRules({ files }: AppSpec): Problem[] {
  const bytes = files.reduce((sum, file) => sum + Buffer.byteLength(file.content ?? ''), 0)
  return [
    ...when(
      bytes > 1_000_000,
      ['files'],
      `hold ${bytes} bytes together; at most 1000000 fit into their ConfigMap`,
    ),
    ...files.flatMap((file, i) =>
      when(
        file.key !== undefined && file.content !== undefined,
        ['files', i, 'key'],
        'is for a secret or configMap',
      ),
    ),
  ]
}
