// artifact push: uploads a file, and remembers it for a revision of an app where both are named. stdout holds the hash
// and nothing else: SHA=$(gkube artifact push dist.tgz). `deploy --artifact` does the same on its way (requests.ts).
import type { ArtifactInput, RecordedArtifact } from '../../../core/artifacts/verbs.ts'
import { UserError } from '../../../errors.ts'
import { hashed, keptLine, uploaded } from '../artifact-file.ts'
import { type Cli, exitCodes } from '../cli.ts'
import { clean } from '../terminal-text.ts'

export async function push(
  cli: Cli,
  [file = '']: readonly (string | undefined)[],
  { app, revision }: { app?: string; revision?: string } = {},
): Promise<number> {
  if ((app === undefined) !== (revision === undefined))
    throw new UserError(
      'bad_input',
      'An artifact is kept for a revision of an app: name both, --app site --revision 1.4.2, or neither.',
    )
  const found = await hashed(cli, file)
  const begun = cli.now()
  const kept = await uploaded(cli, found)
  cli.out.warn(keptLine(file, kept, cli.now() - begun))
  const recorded = app && revision ? await record(cli, { app, revision, sha256: kept.sha256 }) : null
  if (recorded) {
    const { app, revision, before } = recorded
    const was = before && before !== kept.sha256 ? ` (until now ${before.slice(0, 12)}…)` : ''
    cli.out.warn(clean(`It is ${app} ${revision} from now on${was}.`))
  }
  if (cli.out.json) cli.out.data({ ...kept, ...(recorded ? { app, revision } : {}) })
  else cli.out.say(kept.sha256)
  return exitCodes.ok
}

/** From now on this is what a deploy of that revision publishes. */
const record = (cli: Cli, { app, revision, sha256 }: ArtifactInput) =>
  cli
    .client()
    .ask<RecordedArtifact>(
      'PUT',
      `/v1/apps/${encodeURIComponent(app)}/artifacts/${encodeURIComponent(revision)}`,
      {
        body: { sha256 },
        repeatable: true,
      },
    )
