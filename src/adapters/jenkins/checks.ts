// What `doctor` says of Jenkins: whether it answers, takes the credential, has the address that gkube knows it by and
// shows its jobs, tried now, and how to mend it. Never throws.
import { z } from 'zod'
import { JenkinsError } from '../../core/builds/jenkins.ts'
import type { Check } from '../../core/core.ts'
import { understood } from './answers.ts'
import type { Deps } from './jenkins.ts'
import { many, text } from './lenient.ts'
import type { Answer } from './transport.ts'

const topSchema = z.object({ url: text, jobs: many(z.object({ name: text })) })
const meSchema = z.object({ id: text, fullName: text })

const newToken =
  'Log in to Jenkins as that user, make an API token (profile, Security) and put it into jenkins.tokenFile.'

export async function jenkinsChecks(deps: Deps): Promise<readonly Check[]> {
  const { transport, server, timeouts } = deps
  const [top, me] = await Promise.all([
    tried(() =>
      transport.get({ path: 'api/json', query: { tree: 'url,jobs[name]{0,1}' }, ms: timeouts.person }),
    ),
    tried(() => transport.get({ path: 'me/api/json', query: { tree: 'id,fullName' }, ms: timeouts.person })),
  ])
  // Before all else: the page that says so need not say that it is Jenkins'.
  if (!(top instanceof JenkinsError) && top.status === 401) return [badToken(server.user)]
  const first = answersCheck(top)
  if (first.state === 'failed' || top instanceof JenkinsError) return [first]
  const credential = credentialCheck(me, server.user)
  if (credential.state === 'failed') return [first, credential]
  return [first, credential, ...topChecks(top, server)]
}

async function tried(get: () => Promise<Answer>): Promise<Answer | JenkinsError> {
  try {
    return await get()
  } catch (error) {
    if (error instanceof JenkinsError) return error
    return new JenkinsError('unavailable', 'Jenkins could not be asked', { cause: error })
  }
}

function answersCheck(top: Answer | JenkinsError): Check {
  const name = 'jenkins'
  if (top instanceof JenkinsError)
    return failed(
      name,
      top.message,
      'Look whether Jenkins runs, and whether the network lets gkube reach jenkins.url.',
    )
  const version = top.headers.get('x-jenkins')
  if (version) return ok(name, `answers, version ${version.slice(0, 50)}`)
  return failed(
    name,
    `what answers at jenkins.url (${top.status}) does not say that it is Jenkins`,
    'Set jenkins.url to the address that Jenkins calls its own (Manage Jenkins, System), with its path. A login page or proxy before it must let API tokens pass.',
  )
}

function credentialCheck(me: Answer | JenkinsError, user: string): Check {
  const name = 'jenkins credential'
  if (me instanceof JenkinsError)
    return failed(name, me.message, 'Try again; Jenkins answered another request.')
  try {
    const { id, fullName } = understood(meSchema, me, { to: 'read', thing: `the profile of ${user}`, user })
    if (!id) return failed(name, 'Jenkins does not say whose the credential is', newToken)
    return ok(name, `${fullName ?? id} (${id})`)
  } catch (error) {
    if (me.status === 401) return badToken(user)
    const message = error instanceof Error ? error.message : String(error)
    return failed(name, message, newToken)
  }
}

const badToken = (user: string): Check =>
  failed('jenkins credential', `Jenkins does not take the token of the user ${user}`, newToken)

function topChecks(top: Answer, { url, user }: Deps['server']): readonly Check[] {
  try {
    const facts = understood(topSchema, top, { to: 'read', thing: 'the list of jobs', user })
    return [addressCheck(facts.url ?? null, url), jobsCheck(facts.jobs.length, user)]
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return [failed('jenkins jobs', message, permissions(user))]
  }
}

function addressCheck(own: string | null, configured: string): Check {
  const name = 'jenkins address'
  const mend = 'Set Jenkins URL under Manage Jenkins, System, and jenkins.url of gkube to the same address.'
  if (!own) return warning(name, 'Jenkins does not know its own address: builds get no BUILD_URL', mend)
  const theirs = URL.parse(own)
  if (theirs && sameAddress(theirs, new URL(configured))) return ok(name, theirs.origin + theirs.pathname)
  const seen = theirs ? theirs.origin + theirs.pathname : 'something that is no address'
  return warning(
    name,
    `Jenkins calls itself ${seen}, gkube reaches it at ${configured}: links in hooks and in gkube differ`,
    mend,
  )
}

const sameAddress = (one: URL, other: URL): boolean => {
  const path = (url: URL) => url.pathname.replace(/\/+$/, '')
  return one.origin === other.origin && path(one) === path(other)
}

const jobsCheck = (jobs: number, user: string): Check =>
  jobs > 0
    ? ok('jenkins jobs', 'may be read')
    : warning('jenkins jobs', `the user ${user} sees no job`, permissions(user))

const permissions = (user: string): string =>
  `Give ${user} Overall/Read, Job/Read, Job/Build and Job/Cancel in Jenkins (Manage Jenkins, Security, or on its folders).`

const ok = (name: string, message: string): Check => ({ name, state: 'ok', message, mend: '' })
const warning = (name: string, message: string, mend: string): Check => ({
  name,
  state: 'warning',
  message,
  mend,
})
const failed = (name: string, message: string, mend: string): Check => ({
  name,
  state: 'failed',
  message,
  mend,
})
