// Saying which revision of an app an uploaded artifact is: `gkube artifact push dist.tgz --app site --revision 1.4.2`.
// The bytes were taken before, by their hash (surfaces/http/artifacts.ts); a deploy that names its artifact records it in
// its own transaction (request.ts).
import { UserError } from '../../errors.ts'
import { releasedOf, releasedPut } from '../artifacts/released.ts'
import { auditPut } from '../audit.ts'
import type { Core } from '../core.ts'
import { demand } from '../policy.ts'
import { unchanged } from '../records.ts'
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

export function artifacts(deps: Deps): Pick<Core, 'recordArtifact'> {
  const { kv, keys, clock } = deps
  return {
    async recordArtifact(caller, { app, revision, sha256 }) {
      demand(caller, 'deploy', { app }, deps.people)
      await appNamed(deps, app)
      const size = await uploaded(deps, sha256)
      const before = await releasedOf(deps, { app, revision })
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
