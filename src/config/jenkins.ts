// Jenkins' part of the configuration: the credential by which builds are read and started, and who may tell of builds
// by a hook. Variables are enough to switch it on; config.ts calls this, adapters/jenkins and surfaces/http are given it.
import type { JenkinsConfig } from '../config.ts'
import type { Report } from './problems.ts'
import type { ParsedConfig } from './schema.ts'
import { type Env, isLoopback, type secretsOf } from './secrets.ts'

type Context = {
  readonly env: Env
  readonly secrets: Pick<ReturnType<typeof secretsOf>, 'secret'>
  readonly report: Report
  /** Secrets are left unread: then nothing is missed. */
  readonly ignore: boolean
}

/** A secret that is part of an address must not be guessed. */
const shortestSecret = 20

/** Null where nothing of Jenkins is configured. */
export function jenkinsOf(
  jenkins: ParsedConfig['jenkins'],
  { env, secrets, report, ignore }: Context,
): JenkinsConfig | null {
  const hookSecret = env.GKUBE_JENKINS_HOOK_SECRET
  const token = env.GKUBE_JENKINS_TOKEN || (jenkins && secrets.secret(['jenkins'], 'token', jenkins)) || null
  if (!jenkins && !hookSecret && !token) return null
  if (ignore) return null
  const url = jenkins?.url ?? null
  const user = jenkins?.user ?? null
  const parts = { url, user, token }
  const named = jenkins?.tokenFile !== undefined || jenkins?.tokenEnv !== undefined
  // One that cannot be read was told of already.
  checkServer(token === null && named ? { ...parts, token: '' } : parts, report)
  const hooks = hooksOf(jenkins?.hooks ?? {}, { secrets, report })
  if (hookSecret) hooks.push({ name: 'default', secret: hookSecret, jobs: ['*'] })
  for (const { name, secret } of hooks.filter(hook => hook.secret.length < shortestSecret))
    report({
      path: ['jenkins', 'hooks', name],
      expected: `a secret of ${shortestSecret} characters or more, not ${secret.length}; make one with: openssl rand -hex 32`,
    })
  return {
    server: url && user && token ? { url: url.endsWith('/') ? url : `${url}/`, user, token } : null,
    hooks,
    channel: jenkins?.channel ?? null,
    events: jenkins?.events ?? 'changes',
  }
}

/** The address, the user and the token belong together. */
function checkServer(
  parts: { readonly url: string | null; readonly user: string | null; readonly token: string | null },
  report: Report,
): void {
  const missing = (['url', 'user', 'token'] as const).filter(key => parts[key] === null)
  if (missing.length > 0 && missing.length < 3)
    for (const key of missing)
      report({
        path: ['jenkins', key],
        expected:
          key === 'token'
            ? 'an API token of the user: jenkins.tokenFile, jenkins.tokenEnv or GKUBE_JENKINS_TOKEN'
            : 'a value: url, user and token belong together',
      })
  if (parts.url === null) return
  const { protocol, host, username, password } = new URL(parts.url)
  if (protocol !== 'https:' && !isLoopback(host))
    report({
      path: ['jenkins', 'url'],
      seen: parts.url,
      expected: 'https: the token would travel in the clear',
    })
  if (username || password)
    report({ path: ['jenkins', 'url'], expected: 'an address without a password; use user and tokenFile' })
}

type Hooks = NonNullable<ParsedConfig['jenkins']>['hooks']

function hooksOf(hooks: Hooks, { secrets, report }: Pick<Context, 'secrets' | 'report'>) {
  return Object.entries(hooks).flatMap(([name, hook]) => {
    const path = ['jenkins', 'hooks', name]
    const secret = secrets.secret(path, 'secret', hook)
    if (secret === undefined && hook.secretFile === undefined && hook.secretEnv === undefined)
      report({ path, expected: 'a secret: secretFile or secretEnv' })
    return secret === undefined ? [] : [{ name, secret, jobs: hook.jobs }]
  })
}
