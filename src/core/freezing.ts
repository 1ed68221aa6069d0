// What a deploy runs, settled for good: the app's spec with its image pinned, or the snapshot of an earlier one. Also
// what must not be run: another workload than the one that an adoption fixed. prepare.ts plans the rest.
import { UserError } from '../errors.ts'
import { type Beginning, imageOf } from './adoption/adoption.ts'
import { appSchema } from './app.ts'
import { specFor } from './app-environment.ts'
import type { Cause, Deploy } from './deploy.ts'
import type { Environment } from './environment.ts'
import type { FrozenSpecs } from './frozen.ts'
import { mainOf } from './inventory.ts'
import type { Entry } from './kv.ts'
import { decode, type Stored } from './records.ts'
import { redactText } from './redact.ts'
import type { Frozen, Workload } from './workload.ts'

/** The registry as the core needs it. */
export type Registry = {
  resolve(reference: string): Promise<
    | { readonly kind: 'digest'; readonly digest: string }
    | { readonly kind: 'not_found'; readonly message: string }
    /** Not asked, no answer, or no right: the image stays unpinned. */
    | { readonly kind: 'unavailable'; readonly message: string }
  >
}

/** Cannot be prepared: the reason code and the words. */
export class Refusal extends Error {
  override readonly cause: Cause
  constructor(reason: Cause['reason'], message: string) {
    super(redactText(message))
    this.name = 'Refusal'
    this.cause = { reason, message: this.message.slice(0, 1000) }
  }
}

export type Wanted = Pick<
  Deploy,
  'id' | 'kind' | 'app' | 'environment' | 'revision' | 'requestedAt' | 'params'
>

/** The registered app in an environment; Refusal where it is not registered or not valid. */
export function specOf(entry: Entry | undefined, deploy: Wanted): Frozen['spec'] {
  if (!entry) throw new Refusal('app_gone', `App ${deploy.app} is not registered any more.`)
  try {
    return specFor(decode(appSchema, entry).value, deploy.environment)
  } catch (error) {
    if (error instanceof UserError) throw new Refusal('plan_refused', error.message)
    throw error
  }
}

type FreezeDeps = { readonly registry: Registry; readonly specs: FrozenSpecs }

/** The app's spec with its image resolved to a digest where that is known. */
export async function freeze(
  deps: Pick<FreezeDeps, 'registry'>,
  deploy: Wanted,
  spec: Frozen['spec'],
  environment: Environment,
  now: { workload: Stored<Workload> | null; base: Frozen | null; there: Beginning | null },
): Promise<{ frozen: Frozen; pinning: string }> {
  const revision = deploy.kind === 'redeploy' ? now.workload?.value.revision : deploy.revision
  if (!revision)
    throw new Refusal('app_gone', `${deploy.app} has never been deployed to ${deploy.environment}.`)
  const reference = (spec.image ?? '').replaceAll('{revision}', revision)
  const { app, environment: env } = deploy
  const adopted = now.there ? now.there.adopted : now.base?.adopted
  const kept = adopted ? { adopted } : {}
  const frozen = { schema: 1 as const, app, environment: env, revision, spec, ...kept }
  // Its own image stays: gkube writes nothing of its pods.
  if (adopted?.kind === 'ReplicationController' && now.there)
    return { frozen: { ...frozen, image: imageOf(now.there.survey.live), digest: null }, pinning: '' }
  if (!reference) return { frozen: { ...frozen, image: '', digest: null }, pinning: '' }
  const known = pinnedBefore(reference, deploy, now.base)
  if (known) return { frozen: { ...frozen, ...known }, pinning: '' }
  const answer = reference.includes('@sha256:')
    ? ({ kind: 'digest', digest: reference.slice(reference.indexOf('@') + 1) } as const)
    : await deps.registry.resolve(reference)
  switch (answer.kind) {
    case 'not_found':
      throw new Refusal(
        'image_not_found',
        `Image ${reference} does not exist in the registry (${answer.message}).`,
      )
    case 'digest': {
      const image = reference.includes('@') ? reference : `${reference}@${answer.digest}`
      return { frozen: { ...frozen, image, digest: answer.digest }, pinning: '' }
    }
    case 'unavailable': {
      if (environment.requireDigest) {
        const why = `${environment.name} runs pinned images only, and the digest of ${reference} is not known: ${answer.message}`
        throw new Refusal('digest_required', why)
      }
      return {
        frozen: { ...frozen, image: reference, digest: null },
        pinning: `not pinned to a digest: ${answer.message}`,
      }
    }
  }
}

/** A redeploy and a promotion run the same bytes as before, even if the tag was moved. */
function pinnedBefore(
  reference: string,
  deploy: Wanted,
  base: Frozen | null,
): { readonly image: string; readonly digest: string } | null {
  const image = deploy.kind === 'redeploy' && base?.digest ? base.image : deploy.params.image
  // Another environment may take its images from elsewhere: then the tag is looked up there.
  if (deploy.kind === 'adopt' || !image?.startsWith(`${reference}@`)) return null
  return { image, digest: image.slice(reference.length + 1) }
}

/** What ran before: the snapshot of a rollback, or what runs now. */
export async function recall(
  deps: Pick<FreezeDeps, 'specs'>,
  deploy: Wanted,
  workload: Stored<Workload> | null,
): Promise<{ frozen: Frozen; pinning: string }> {
  const hash = deploy.params.spec ?? workload?.value.spec
  if (!workload || !hash)
    throw new Refusal('app_gone', `${deploy.app} does not run in ${deploy.environment}.`)
  const frozen = await deps.specs.get(hash)
  if (!frozen)
    throw new Refusal(
      'app_gone',
      `The snapshot of ${deploy.app} is not kept any more. Deploy a revision instead.`,
    )
  return { frozen, pinning: '' }
}

/** Only its snapshot says how an adopted workload is named and selected: without it a second one would be made. */
export function refuseWithoutName(workload: Workload): void {
  const main = mainOf(workload)
  if (main && main.name !== workload.app)
    throw new Refusal(
      'app_gone',
      `The snapshot that ${main.kind} ${main.name} was made from is not there any more, so it is not known how it was adopted. Adopt it again under another app.`,
    )
}

/** A workload keeps its name and kind: snapshots from before it was adopted or replaced render another one. */
export function refuseOtherWorkload(deploy: Wanted, base: Frozen | null, frozen: Frozen): void {
  const { app, environment, kind } = deploy
  if (base?.adopted?.kind === 'ReplicationController' && (kind === 'deploy' || kind === 'redeploy')) {
    const name = base.adopted.name
    throw new Refusal(
      'plan_refused',
      `${app} runs as the ReplicationController ${name}, which gkube shows, scales and restarts. To deploy, replace it first: gkube adopt ${app} -E ${environment} --workload replicationcontroller/${name} --replace-by-deployment`,
    )
  }
  if (kind !== 'rollback' || !base) return
  const same = base.adopted?.kind === frozen.adopted?.kind && base.adopted?.name === frozen.adopted?.name
  if (!same)
    throw new Refusal(
      'plan_refused',
      `${frozen.revision} ran before ${app} was adopted as it is now, so there is no way back to it. Deploy it instead: gkube deploy ${app} ${frozen.revision} -E ${environment}`,
    )
}
