// Saying which revision of an app an uploaded artifact is: `gkube artifact push dist.tgz --app site --revision 1.4.2`.
// The bytes were taken before, by their hash (surfaces/http/artifacts.ts); a deploy that names its artifact records it in
// its own transaction (request.ts).
import { UserError } from '../../errors.ts'
import { type Released, releasedOf, releasedPut } from '../artifacts/released.ts'
import type { ArtifactInput } from '../artifacts/verbs.ts'
import { auditPut } from '../audit.ts'
import type { Caller, Core } from '../core.ts'
import { demand, may } from '../policy.ts'
import { type Stored, unchanged } from '../records.ts'
import { appNamed } from './apps.ts'
import type { Deps } from './deps.ts'

/** Bytes; it counts as uploaded now. UserError where it is not there. */
export async function uploaded(deps: Pick<Deps, 'artifacts'>, sha256: string): Promise<number> {
  if (!deps.artifacts)
    throw new UserError(
      'bad_input',
      'No artifact can be uploaded here: operators name a directory, artifacts.directory in gkube.yaml.',
    )
  const size = await deps.artifacts.touch(sha256)
  if (size !== null) return size
  throw new UserError(
    'not_found',
    `There is no artifact ${sha256.slice(0, 12)}… (any more). Upload it again: gkube artifact push <file>`,
  )
}

/**
 * What the revision is until now. Other bytes under its name reach every environment of the app, so whoever replaces them
 * may deploy to all of these: `forbidden` says where not.
 */
export async function replaceable(
  deps: Pick<Deps, 'kv' | 'keys' | 'environments' | 'people'>,
  caller: Caller,
  { app, revision, sha256 }: ArtifactInput,
  environments: readonly string[],
): Promise<Stored<Released> | null> {
  const before = await releasedOf(deps, { app, revision })
  if (!before || before.value.sha256 === sha256) return before
  for (const name of environments) {
    const environment = deps.environments.get(name)
    if (!environment || may(caller, 'deploy', { app, environment })) continue
    throw new UserError(
      'forbidden',
      `${app} ${revision} is another artifact already (${before.value.sha256.slice(0, 12)}…, uploaded by ${before.value.by}). To replace it one must be allowed to deploy it everywhere, and ${caller.actor.name} may not deploy it to ${name}. Upload it as a new revision.`,
    )
  }
  return before
}

export function artifacts(deps: Deps): Pick<Core, 'recordArtifact'> {
  const { kv, keys, clock } = deps
  return {
    async recordArtifact(caller, { app, revision, sha256 }) {
      demand(caller, 'deploy', { app }, deps.people)
      const { value } = await appNamed(deps, app)
      const size = await uploaded(deps, sha256)
      const all = Object.keys(value.environments)
      const before = await replaceable(deps, caller, { app, revision, sha256 }, all)
      const at = clock.now()
      const by = caller.actor.name
      const was = before && before.value.sha256 !== sha256 ? before.value.sha256 : null
      const { committed } = await kv.commit({
        compares: [unchanged(keys.released(app, revision), before), { kind: 'present', key: keys.app(app) }],
        writes: [
          releasedPut(keys, { app, revision }, { sha256, size, at, by: caller.actor }),
          auditPut(keys, at, {
            by: caller.actor,
            action: 'record_artifact',
            outcome: was ? 'replaced' : 'recorded',
            app,
            detail: `${revision} is ${sha256}${was ? `, was ${was}` : ''}`,
          }),
        ],
      })
      if (!committed)
        throw new UserError(
          'conflict',
          `Someone uploaded ${app} ${revision} at the same moment. Look which one it shall be, then try again.`,
        )
      return { app, revision, sha256, size, at, by, before: was }
    },
  }
}
