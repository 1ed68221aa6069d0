// What the verbs about builds share: a build as a caller may see it, and the words for a Jenkins that is not there, does
// not answer or refuses.
import { UserError } from '../../errors.ts'
import { type Build, buildSchema } from '../builds/build.ts'
import type { JenkinsError } from '../builds/jenkins.ts'
import type { Caller } from '../core.ts'
import { isSameActor } from '../deploy.ts'
import { decode, type Stored } from '../records.ts'
import { redactText } from '../redact.ts'
import { demandWith } from './build-rights.ts'
import type { Deps, JenkinsSide } from './deps.ts'

/** What the verbs are given once it is known that there is a Jenkins. */
export type BuildDeps = Deps & { readonly jenkins: JenkinsSide }

export const noJenkins = (): UserError =>
  new UserError('unavailable', 'No Jenkins is configured: set `jenkins` in gkube.yaml.')

/** Hooks tell of builds; nothing can be asked of Jenkins. */
export const noServer = (): UserError =>
  new UserError(
    'unavailable',
    'gkube only hears of builds here: set jenkins.url, jenkins.user and a token in gkube.yaml to start them.',
  )

/** In words for people; `so`: what that means for what they asked. */
export function jenkinsRefusal(error: JenkinsError, so: string): UserError {
  const details = { dependency: 'jenkins' }
  if (error.code === 'unavailable')
    return new UserError(
      'unavailable',
      `Jenkins does not answer, ${so}. Try again in a minute; gkube doctor shows more.`,
      { cause: error, details },
    )
  if (error.code === 'forbidden')
    return new UserError(
      'unavailable',
      `Jenkins does not let gkube do that, ${so}: its user there lacks the right. Tell who runs Jenkins; gkube doctor shows more.`,
      { cause: error, details },
    )
  return new UserError('conflict', `Jenkins refused it, ${so}: ${redactText(error.message).slice(0, 300)}`, {
    cause: error,
    details,
  })
}

/** The build of that id, where the caller may see it; UserError `not_found`. Who asked for it may always look. */
export async function buildSeen(
  deps: Pick<Deps, 'kv' | 'keys' | 'people'>,
  caller: Caller,
  id: string,
): Promise<Stored<Build>> {
  const entry = /^[a-z0-9]{1,40}$/.test(id) ? await deps.kv.get(deps.keys.jenkinsBuild(id)) : null
  if (!entry) throw new UserError('not_found', `There is no build ${id.slice(0, 60)}. See: gkube builds`)
  const stored = decode(buildSchema, entry)
  const { askedBy } = stored.value
  if (!askedBy || !isSameActor(askedBy, caller.actor))
    demandWith(caller, 'view', stored.value, { people: deps.people })
  return stored
}
