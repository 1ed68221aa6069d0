// The Job that switches `current` to a release that is on the volume (code.activate: reload): the last part of publish
// alone, which renames a link and can be repeated. steps/activate.ts runs it and then has each pod reload.
import type { KubeObject } from '../cluster.ts'
import type { JobStep } from '../deploy.ts'
import { type JobInput, laterSeconds, onceJob } from './jobs.ts'
import { jobName } from './labels.ts'
import { finishing, type PublishInput } from './publish-job.ts'
import { podVolumes } from './volumes.ts'

/** For the Job; it renames one link. */
export const activateTimeout = { text: '5m', seconds: 300, startWithin: '3m' }

/** The container, as its log is asked for. */
export const activateContainers = ['finish'] as const

export function activateJob(
  input: JobInput & Pick<PublishInput, 'attempt' | 'artifact' | 'code'> & { readonly step: JobStep },
): KubeObject {
  const { frozen, deploy, attempt, step } = input
  const storage = frozen.spec.storage[0]
  if (!storage) throw new Error(`${frozen.app} has code and no storage`)
  const { volumes } = podVolumes(frozen, { perPod: false, code: false })
  return onceJob(input, {
    name: jobName(frozen.app, step, deploy.id, attempt),
    step,
    // gkube ends it by its own clock, while its pod is there to be looked at.
    timeout: activateTimeout.seconds + laterSeconds,
    initContainers: [],
    containers: [finishing({ ...input, previous: null, keep: [], switches: true })],
    volumes: volumes.filter(volume => volume.name === storage.name),
  })
}
