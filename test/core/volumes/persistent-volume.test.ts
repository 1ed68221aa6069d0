// The PersistentVolume of each way to mount a pool, and what of a live one is left alone, put right or refused.
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../src/core/cluster.ts'
import { render } from '../../../src/core/objects.ts'
import { storageOn, storageToMake, volumeName } from '../../../src/core/volumes/bound.ts'
import { fitOf } from '../../../src/core/volumes/fit.ts'
import { boundBefore, compareVolume, persistentVolume } from '../../../src/core/volumes/persistent-volume.ts'
import { ownVolumeOf } from '../../../src/core/volumes/place.ts'
import type { MountStrategy, PoolSide } from '../../../src/core/volumes/pool-side.ts'
import { type Frozen, noOverrides } from '../../../src/core/workload.ts'
import { frozenOf } from '../specs.ts'

const Gi = 2 ** 30
const intree: MountStrategy = { kind: 'intree', endpoints: { name: 'gfs', namespace: 'storage' } }
const nfs: MountStrategy = { kind: 'nfs-csi', server: 'ganesha.example.com', share: '/gv0' }
const kadalu: MountStrategy = { kind: 'kadalu', storageClass: 'kadalu.shared' }
const hostpath: MountStrategy = { kind: 'hostpath', path: '/mnt/gv0' }
const sideOf = (strategy: MountStrategy): PoolSide => ({
  pool: {} as PoolSide['pool'],
  strategy,
  volume: 'gv0',
  servers: ['gluster-1.example.com', 'gluster-2.example.com'],
  snapshots: false,
  own: true,
})

function frozenWith(storage: object = {}, kind: 'directory' | 'own' = 'directory', request = '1Gi'): Frozen {
  const frozen = frozenOf({ storage: [{ name: 'data', size: '1Gi', mount: '/srv/data', ...storage }] })
  return { ...frozen, bound: { data: { pool: 'shared', kind, volume: 'gkube-pv', request } } }
}
function volumeOf(strategy: MountStrategy, { frozen = frozenWith(), bytes = Gi } = {}): KubeObject {
  const [work] = storageOn(frozen)
  if (!work) throw new Error('the frozen spec has no storage on a pool')
  const deploy = { id: 'd1', epoch: 3 }
  return persistentVolume({ frozen, work, side: sideOf(strategy), namespace: 'shop', bytes, deploy })
}
// biome-ignore lint/suspicious/noExplicitAny: a path that is not there fails the assertion anyway
const specOf = (object: KubeObject): any => object.spec

describe('a PersistentVolume', () => {
  const own = ownVolumeOf({ environment: 'staging', app: 'web', storage: 'data' })
  const cases: [string, MountStrategy, 'directory' | 'own', object][] = [
    [
      'in-tree: a path on the volume',
      intree,
      'directory',
      { glusterfs: { endpoints: 'gfs', endpointsNamespace: 'storage', path: 'gv0/staging/web/data' } },
    ],
    [
      'in-tree: a volume of its own',
      intree,
      'own',
      { glusterfs: { endpoints: 'gfs', endpointsNamespace: 'storage', path: own } },
    ],
    [
      'NFS: a path of the export',
      nfs,
      'directory',
      {
        mountOptions: ['nfsvers=4.1'],
        csi: {
          driver: 'nfs.csi.k8s.io',
          volumeHandle: 'ganesha.example.com/gv0/staging/web/data##',
          volumeAttributes: { server: 'ganesha.example.com', share: '/gv0/staging/web/data' },
        },
      },
    ],
    [
      'Kadalu: a path of its external pool',
      kadalu,
      'directory',
      {
        csi: {
          driver: 'kadalu',
          volumeHandle: 'shared/staging/web/data',
          volumeAttributes: {
            type: 'External',
            pvtype: 'subvol',
            gserver: 'gluster-1.example.com',
            gvolname: 'gv0',
            hostvol: 'shared',
            path: 'staging/web/data',
          },
        },
      },
    ],
    [
      'the mount of the nodes: it must be there',
      hostpath,
      'directory',
      { hostPath: { path: '/mnt/gv0/staging/web/data', type: 'Directory' } },
    ],
  ]
  it.each(cases)('%s', (_, strategy, kind, spec) => {
    const volume = volumeOf(strategy, { frozen: frozenWith({}, kind) })
    expect(volume.spec).toEqual({
      accessModes: ['ReadWriteMany'],
      capacity: { storage: '1Gi' },
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: 'shop', name: 'web-data' },
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: '',
      ...spec,
    })
  })

  it('says whose it is, and what a later deploy reads from it', () => {
    const { metadata } = volumeOf(hostpath)
    expect(metadata.labels).toEqual({
      'app.kubernetes.io/managed-by': 'gkube',
      'gkube.dev/app': 'web',
      'gkube.dev/environment': 'staging',
      'gkube.dev/storage': 'data',
    })
    const of = { app: 'web', environment: 'staging', storage: 'data' }
    expect(boundBefore(volumeOf(hostpath), of)).toEqual({ pool: 'shared', kind: 'directory' })
    expect(boundBefore(volumeOf(hostpath), { ...of, app: 'api' })).toBeNull()
  })

  it('is as large as what the pool gives', () =>
    expect(specOf(volumeOf(hostpath, { bytes: 2 * Gi })).capacity.storage).toBe(String(2 * Gi)))

  it('has a name of its own for each place, within what Kubernetes takes', () => {
    const of = { environment: 'staging', app: 'web', storage: 'data', namespace: 'shop' }
    const names = [
      of,
      { ...of, namespace: 'other' },
      { ...of, app: 'web-data', storage: 'x' },
      { ...of, app: 'web', storage: 'data-x' },
      { ...of, app: 'a'.repeat(40), storage: 'b'.repeat(63) },
    ].map(volumeName)
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)
  })
})

describe('a claim', () => {
  const claimOf = (frozen: Frozen) => {
    const environment = { name: 'staging', cluster: 'local', namespace: 'shop', createNamespace: false }
    const objects = render({ frozen, environment, overrides: noOverrides })
    return specOf(objects.find(({ kind }) => kind === 'PersistentVolumeClaim') as KubeObject)
  }
  it('names its PersistentVolume, and keeps its request when storage grows', () =>
    expect(claimOf(frozenWith({ size: '5Gi' }))).toEqual({
      accessModes: ['ReadWriteMany'],
      storageClassName: '',
      volumeName: 'gkube-pv',
      resources: { requests: { storage: '1Gi' } },
    }))
  it('is any CSI’s where nothing is bound', () =>
    expect(claimOf(frozenOf({ storage: [{ name: 'data', size: '5Gi', mount: '/srv/data' }] }))).toEqual({
      accessModes: ['ReadWriteMany'],
      resources: { requests: { storage: '5Gi' } },
    }))
})

describe('what there is to do', () => {
  const base = frozenWith()
  const cases: [string, Frozen, 'create' | 'update', Frozen | null, (string | number | null)[]][] = [
    ['a create: all of it', base, 'create', null, [null]],
    ['a create that failed half-way: all of it again', base, 'create', base, [null]],
    ['nothing changed', frozenWith(), 'update', base, []],
    ['the same size in other words', frozenWith({ size: '1024Mi' }), 'update', base, []],
    ['it grew', frozenWith({ size: '2Gi' }), 'update', base, ['1Gi']],
    ['it is new', base, 'update', frozenOf(), [null]],
    [
      'it lies on a StorageClass',
      frozenOf({ storage: [{ name: 'data', size: '1Gi', mount: '/srv/data' }] }),
      'create',
      null,
      [],
    ],
  ]
  it.each(cases)('%s', (_, frozen, plan, before, from) =>
    expect(storageToMake(frozen, { plan, base: before }).map(work => work.from)).toEqual(from),
  )
})

describe('one that is there', () => {
  const wanted = volumeOf(hostpath)
  const live = (
    change: (spec: Record<string, unknown>, object: Record<string, unknown>) => void,
  ): KubeObject => {
    const object = structuredClone(wanted) as unknown as Record<string, unknown>
    object.metadata = { ...(object.metadata as object), uid: 'pv-1', resourceVersion: '77' }
    object.status = { phase: 'Available' }
    change(object.spec as Record<string, unknown>, object)
    return object as unknown as KubeObject
  }
  const held = { ...(specOf(wanted).claimRef as object), uid: 'c-1', resourceVersion: '5' }
  const claim = (more: object = {}) => ({ metadata: { name: 'web-data', uid: 'c-1', ...more } })

  it.each([
    ['just made', live(() => undefined), null],
    [
      'bound to its claim',
      live(spec => {
        spec.claimRef = held
      }),
      claim(),
    ],
    [
      'larger already',
      live(spec => {
        spec.capacity = { storage: '9Gi' }
      }),
      null,
    ],
    [
      'with what the server adds',
      live(spec => {
        spec.volumeMode = 'Filesystem'
      }),
      null,
    ],
  ])('%s: left as it is', (_, object, of) =>
    expect(compareVolume(object, wanted, of)).toEqual({ kind: 'same' }),
  )

  it('whose claim is gone is bound again, and grows in the same write', () => {
    const object = live(spec => {
      spec.claimRef = held
    })
    const larger = volumeOf(hostpath, { frozen: frozenWith({ size: '3Gi' }), bytes: 3 * Gi })
    const fence = { op: 'replace', path: '/metadata/resourceVersion', value: '77' }
    const unbind = [
      { op: 'remove', path: '/spec/claimRef/uid' },
      { op: 'remove', path: '/spec/claimRef/resourceVersion' },
    ]
    expect(compareVolume(object, wanted, null)).toEqual({
      kind: 'change',
      operations: [fence, ...unbind],
      words: 'bound again with its data',
    })
    // A claim of the same name, made by somebody since: another one.
    expect(compareVolume(object, wanted, claim({ uid: 'c-2' })).kind).toBe('change')
    expect(compareVolume(object, larger, null)).toEqual({
      kind: 'change',
      operations: [fence, ...unbind, { op: 'replace', path: '/spec/capacity/storage', value: '3Gi' }],
      words: 'bound again with its data, grown from 1Gi to 3Gi',
    })
  })

  const refused: [string, KubeObject, Pick<KubeObject, 'metadata'> | null, RegExp][] = [
    [
      'of another app',
      live((_, object) => {
        ;(object.metadata as { labels: object }).labels = {}
      }),
      null,
      /is not the one that gkube made/,
    ],
    [
      'on its way out',
      live((_, object) => {
        ;(object.metadata as Record<string, unknown>).deletionTimestamp = 'now'
      }),
      null,
      /is being deleted\. Deploy again/,
    ],
    [
      'that failed',
      live((_, object) => {
        object.status = { phase: 'Failed', message: 'recycler: no' }
      }),
      null,
      /has failed \(recycler: no\)/,
    ],
    [
      'at another place',
      live(spec => {
        spec.hostPath = { path: '/elsewhere', type: 'Directory' }
      }),
      null,
      /mounts hostPath \/elsewhere, and by gkube\.yaml it would mount hostPath \/mnt\/gv0\/staging\/web\/data/,
    ],
    [
      'that makes a missing mount',
      live(spec => {
        spec.hostPath = { path: '/mnt/gv0/staging/web/data', type: 'DirectoryOrCreate' }
      }),
      null,
      /never moves a volume/,
    ],
    [
      'mounted another way',
      live(spec => {
        spec.hostPath = undefined
        spec.csi = { driver: 'nfs.csi.k8s.io', volumeHandle: 'x##' }
      }),
      null,
      /mounts nfs\.csi\.k8s\.io x##/,
    ],
    [
      'that would go with its claim',
      live(spec => {
        spec.persistentVolumeReclaimPolicy = 'Delete'
      }),
      null,
      /would be deleted with its claim\. Put it right: kubectl patch pv gkube-pv/,
    ],
    [
      'held for another claim',
      live(spec => {
        spec.claimRef = { ...held, name: 'api-data' }
      }),
      null,
      /is held for claim shop\/api-data, not for shop\/web-data/,
    ],
    [
      'for one pod only',
      live(spec => {
        spec.accessModes = ['ReadWriteOnce']
      }),
      null,
      /gives ReadWriteOnce and not ReadWriteMany/,
    ],
    [
      'whose claim is being deleted',
      live(spec => {
        spec.claimRef = held
      }),
      claim({ deletionTimestamp: 'now' }),
      /is held by a claim that is being deleted/,
    ],
  ]
  it.each(refused)('%s: refused', (_, object, of, words) => {
    const compared = compareVolume(object, wanted, of)
    expect(compared.kind === 'refused' && compared.message).toMatch(words)
  })
})

describe('whether a cluster can mount it', () => {
  const at = (strategy: MountStrategy, own = true) => ({ strategy, own, name: 'shared' })
  const cases: [
    string,
    MountStrategy,
    'directory' | 'own',
    { minor: number; drivers: string[] | null },
    RegExp | null,
  ][] = [
    ['in-tree, 1.25', intree, 'directory', { minor: 25, drivers: null }, null],
    [
      'in-tree, 1.26',
      intree,
      'directory',
      { minor: 26, drivers: null },
      /Kubernetes 1\.26 has no GlusterFS of its own/,
    ],
    ['NFS with its driver', nfs, 'directory', { minor: 34, drivers: ['nfs.csi.k8s.io'] }, null],
    [
      'NFS without',
      nfs,
      'directory',
      { minor: 34, drivers: ['ebs'] },
      /no CSI driver nfs\.csi\.k8s\.io.*it has ebs/,
    ],
    [
      'Kadalu without any',
      kadalu,
      'directory',
      { minor: 34, drivers: [] },
      /no CSI driver kadalu.*it has none/,
    ],
    ['the mount of the nodes needs none', hostpath, 'directory', { minor: 34, drivers: [] }, null],
    [
      'its own volume by NFS',
      nfs,
      'own',
      { minor: 34, drivers: ['nfs.csi.k8s.io'] },
      /reaches only its one volume/,
    ],
    ['its own volume by Kadalu', kadalu, 'own', { minor: 34, drivers: ['kadalu'] }, null],
  ]
  it.each(cases)('%s', (_, strategy, kind, cluster, refusal) => {
    const fit = fitOf(at(strategy), kind, cluster)
    if (refusal) expect(fit.refusal).toMatch(refusal)
    else expect(fit).toEqual({})
  })
  it('says what it could not look at', () =>
    expect(fitOf(at(nfs), 'directory', { minor: 34, drivers: null })).toEqual({
      note: 'gkube may not list CSI drivers, so it was not checked that the cluster has nfs.csi.k8s.io',
    }))
  it('gives no volume of its own where the pool has none', () =>
    expect(fitOf(at(kadalu, false), 'own', { minor: 34, drivers: ['kadalu'] }).refusal).toMatch(
      /gives apps no volumes of their own/,
    ))
})
