// Static binding in the stand-in cluster: which PersistentVolume a claim gets, when it waits and with what words, and what
// becomes of both when one of them goes. As kube-controller-manager does it (pv_controller.go).
import { beforeAll, describe, expect, it } from 'vitest'
import { testCluster } from './support.ts'
import type { Json, Wire } from './wire.ts'

const claims = '/api/v1/namespaces/default/persistentvolumeclaims'
const volumes = '/api/v1/persistentvolumes'
let wire: Wire
beforeAll(async () => {
  ;({ wire } = await testCluster())
})

async function volume(name: string, spec: Json = {}) {
  const { status, text } = await wire.post(volumes, {
    metadata: { name },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteMany'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: '',
      hostPath: { path: '/x', type: 'Directory' },
      ...spec,
    },
  })
  expect(status, text).toBe(201)
}
async function claim(name: string, spec: Json = {}) {
  const { status, text } = await wire.post(claims, {
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteMany'],
      resources: { requests: { storage: '1Gi' } },
      storageClassName: '',
      volumeName: name,
      ...spec,
    },
  })
  expect(status, text).toBe(201)
}
const meantFor = (name: string) => ({ claimRef: { namespace: 'default', name } })
const phase = (path: string, wanted: string): Promise<Json> =>
  wire.until(async () => {
    const { body } = await wire.get(path)
    return body.status?.phase === wanted && body
  })
const told = (name: string, reason: string): Promise<Json> =>
  wire.until(async () => {
    const { body } = await wire.get(
      `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D${name}`,
    )
    return body.items.find((one: Json) => one.reason === reason)
  })

describe('a claim that names its volume', () => {
  it('is bound to it, whichever comes first, and takes no other', async () => {
    await volume('other')
    await claim('late')
    await phase(`${claims}/late`, 'Pending')
    await volume('late', meantFor('late'))
    const bound = await phase(`${claims}/late`, 'Bound')
    expect(bound.status).toMatchObject({ accessModes: ['ReadWriteMany'], capacity: { storage: '1Gi' } })
    const { spec } = await phase(`${volumes}/late`, 'Bound')
    expect(spec.claimRef).toMatchObject({ name: 'late', namespace: 'default', uid: bound.metadata.uid })
    await phase(`${volumes}/other`, 'Available')
  })

  it.each<[string, string, Json, Json, string, string]>([
    [
      'is too small',
      'small',
      {},
      { resources: { requests: { storage: '2Gi' } } },
      'VolumeMismatch',
      'Cannot bind to requested volume "small": requested PV is too small',
    ],
    [
      'has another class',
      'class',
      { storageClassName: 'fast' },
      {},
      'VolumeMismatch',
      'Cannot bind to requested volume "class": storageClassName does not match',
    ],
    [
      'is for one node',
      'modes',
      { accessModes: ['ReadWriteOnce'] },
      {},
      'VolumeMismatch',
      'Cannot bind to requested volume "modes": incompatible accessMode',
    ],
    [
      "is another claim's",
      'taken',
      meantFor('somebody'),
      {},
      'FailedBinding',
      'volume "taken" already bound to a different claim.',
    ],
  ])('waits, and says why, while that volume %s', async (_what, name, ofVolume, ofClaim, reason, message) => {
    await volume(name, ofVolume)
    await claim(name, ofClaim)
    expect((await told(name, reason)).message).toBe(message)
    await phase(`${claims}/${name}`, 'Pending')
  })
})

describe('when one of them goes', () => {
  it('a volume is Released and kept, and bound again only once its claimRef is cleared', async () => {
    await volume('kept', meantFor('kept'))
    await claim('kept')
    await phase(`${claims}/kept`, 'Bound')
    await wire.delete(`${claims}/kept`)
    await phase(`${volumes}/kept`, 'Released')
    await claim('kept')
    expect((await told('kept', 'FailedBinding')).message).toMatch(/different claim/)
    await phase(`${claims}/kept`, 'Pending')
    await wire.patch(`${volumes}/kept`, 'merge', { spec: { claimRef: { uid: null, resourceVersion: null } } })
    await phase(`${claims}/kept`, 'Bound')
    await phase(`${volumes}/kept`, 'Bound')
  })

  it('a claim is Lost, and stays so', async () => {
    await volume('lost', meantFor('lost'))
    await claim('lost')
    await phase(`${claims}/lost`, 'Bound')
    await wire.patch(`${volumes}/lost`, 'merge', { metadata: { finalizers: null } })
    await wire.delete(`${volumes}/lost`)
    await phase(`${claims}/lost`, 'Lost')
    expect((await told('lost', 'ClaimLost')).type).toBe('Warning')
    await volume('lost', meantFor('lost'))
    await told('lost', 'ClaimLost')
    expect((await wire.get(`${claims}/lost`)).body.status.phase).toBe('Lost')
  })

  it("capacity that grows leaves the claim's request alone", async () => {
    await volume('grown', meantFor('grown'))
    await claim('grown')
    await phase(`${claims}/grown`, 'Bound')
    await wire.patch(`${volumes}/grown`, 'merge', { spec: { capacity: { storage: '5Gi' } } })
    const { body } = await wire.get(`${claims}/grown`)
    expect(body.spec.resources.requests.storage).toBe('1Gi')
    expect(body.status.phase).toBe('Bound')
  })
})
