// lock, unlock, freeze, locks, token create/list/revoke, whoami, doctor: who may do what, and when nobody may.

import type { TokenInfo, Whoami } from '../../../core/access/verbs.ts'
import type { Freeze } from '../../../core/coordination.ts'
import type { Caller, Check, FreezeWindowRow, Lock } from '../../../core/core.ts'
import type { Grant } from '../../../core/environment.ts'
import { ago, until } from '../../../core/words.ts'
import { UserError } from '../../../errors.ts'
import { type Cli, exitCodes } from '../cli.ts'
import { clean } from '../terminal-text.ts'

type Args = readonly (string | undefined)[]
type LockOptions = { environment?: string; reason?: string; for?: string; steal?: boolean; all?: boolean }

export async function lock(cli: Cli, [app]: Args, options: LockOptions): Promise<number> {
  const scope = scopeOf(app, options)
  if (!options.reason) throw new UserError('bad_input', 'Why? People will ask: --reason "database moves"')
  const { lock } = await cli.client().ask<{ lock: Lock }>('PUT', '/v1/locks', {
    body: {
      ...scope,
      reason: options.reason,
      expiresIn: durationOf(options.for ?? '24h'),
      steal: options.steal ?? false,
    },
  })
  if (cli.out.json) cli.out.data(lock)
  else
    cli.out.say(
      `${clean(placeOf(lock))} is locked; it opens ${until(lock.expiresAt ?? cli.now(), cli.now())}`,
    )
  return exitCodes.ok
}

export async function unlock(cli: Cli, [app]: Args, options: LockOptions): Promise<number> {
  const scope = scopeOf(app, options)
  await cli.client().ask('DELETE', '/v1/locks', { body: { ...scope, reason: options.reason ?? '' } })
  const place = placeOf({ app: app ?? null, environment: options.environment ?? null })
  if (cli.out.json) cli.out.data({ ...scope, outcome: 'unlocked' })
  else cli.out.say(`${clean(place)} is unlocked`)
  return exitCodes.ok
}

/** Everything at once only when that was said: a forgotten flag must not stop a company. */
function scopeOf(
  app: string | undefined,
  { environment, all }: LockOptions,
): { app?: string; environment?: string } {
  if (!app && !environment && !all)
    throw new UserError(
      'bad_input',
      'Lock what? An app, an environment with -E, both, or everything with --all.',
    )
  return { ...(app ? { app } : {}), ...(environment ? { environment } : {}) }
}

const placeOf = ({ app, environment }: Pick<Lock, 'app' | 'environment'>): string =>
  [app, environment].filter(Boolean).join(' in ') || 'everything'

type FreezeOptions = { reason?: string; for?: string }

export async function freeze(cli: Cli, [environment = '']: Args, options: FreezeOptions): Promise<number> {
  if (!options.reason) throw new UserError('bad_input', 'Why? People will ask: --reason "end-of-year freeze"')
  const body = { environment, reason: options.reason, endsIn: durationOf(options.for ?? '24h') }
  const { freeze } = await cli.client().ask<{ freeze: Freeze }>('PUT', '/v1/freezes', { body })
  if (cli.out.json) cli.out.data(freeze)
  else cli.out.say(`${clean(freeze.environment)} is frozen; it ends ${until(freeze.endsAt, cli.now())}`)
  return exitCodes.ok
}

export async function unfreeze(cli: Cli, [environment = '']: Args, options: FreezeOptions): Promise<number> {
  await cli.client().ask('DELETE', '/v1/freezes', { body: { environment, reason: options.reason ?? '' } })
  if (cli.out.json) cli.out.data({ environment, outcome: 'unfrozen' })
  else cli.out.say(`${clean(environment)} is not frozen any more`)
  return exitCodes.ok
}

/** What holds now, then what comes again and when. */
export async function freezes(cli: Cli): Promise<number> {
  const found = await cli
    .client()
    .ask<{ freezes: Freeze[]; windows: FreezeWindowRow[] }>('GET', '/v1/freezes')
  const now = cli.now()
  if (cli.out.json) cli.out.data(found)
  else if (found.freezes.length + found.windows.length === 0) cli.out.say('Nothing is frozen')
  else
    cli.out.table([
      ...found.freezes.map(one => [
        { text: one.environment, format: 'bold' as const },
        `frozen until ${timeText(one.endsAt)}`,
        one.recurring ? 'recurring' : one.by.name,
        one.reason,
      ]),
      ...found.windows.map(one => [
        { text: one.environment, format: 'bold' as const },
        one.nextAt === null
          ? 'does not come again'
          : `next ${timeText(one.nextAt)} (${until(one.nextAt, now)})`,
        `${one.cron} ${one.timeZone} for ${one.for}`,
        one.reason,
      ]),
    ])
  return exitCodes.ok
}

const timeText = (at: number): string => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`

export async function locks(cli: Cli): Promise<number> {
  const client = cli.client()
  const [{ locks }, { freezes }] = await Promise.all([
    client.ask<{ locks: Lock[] }>('GET', '/v1/locks'),
    client.ask<{ freezes: Freeze[] }>('GET', '/v1/freezes'),
  ])
  const row = (place: string, by: string, held: { at: number; reason: string }, ends: number | null) => [
    { text: place, format: 'bold' as const },
    by,
    ago(held.at, cli.now()),
    ends === null ? 'until unlocked' : `until ${timeText(ends)}`,
    held.reason,
  ]
  if (cli.out.json) cli.out.data({ locks, freezes })
  else if (locks.length + freezes.length === 0) cli.out.say('Nothing is locked')
  else
    cli.out.table([
      ...locks.map(lock => row(placeOf(lock), lock.by.name, lock, lock.expiresAt)),
      ...freezes.map(one => row(`${one.environment} (freeze)`, one.by.name, one, one.endsAt)),
    ])
  return exitCodes.ok
}

type TokenOptions = { name: string; grant: string[]; expires?: string; person?: string }

/** The secret goes to stdout alone, so that `gkube token create … > token` holds nothing else. */
export async function createToken(cli: Cli, _args: Args, options: TokenOptions): Promise<number> {
  const body = {
    name: options.name,
    grants: options.grant.map(grantOf),
    expiresIn: durationOf(options.expires ?? '90d'),
    ...(options.person ? { person: options.person } : {}),
  }
  const made = await cli.client().ask<{ token: string; info: TokenInfo }>('POST', '/v1/tokens', { body })
  if (cli.out.json) cli.out.data(made)
  else {
    cli.out.raw(`${made.token}\n`)
    cli.out.warn(
      `gkube: token ${made.info.id} for ${clean(made.info.name)}, valid ${until(made.info.expiresAt, cli.now()).replace('in ', 'for ')}. It is shown this once; only its hash is kept.`,
    )
  }
  return exitCodes.ok
}

/** `deployer:web,api:staging` → role, apps, environments; what is left out is all. */
function grantOf(text: string): Grant {
  const [role = '', apps = '*', environments = '*', ...more] = text.split(':')
  const list = (part: string) => part.split(',').filter(Boolean)
  if (more.length > 0 || !role || list(apps).length === 0 || list(environments).length === 0)
    throw new UserError(
      'bad_input',
      `\`${text}\` is not a grant. For example: deployer:web,api:staging, or viewer for all.`,
    )
  return { role: role as Grant['role'], apps: list(apps), environments: list(environments) } // the server knows the roles
}

/** Days are for people; the API takes hours. */
function durationOf(text: string): string {
  const [, days] = /^(\d{1,4})d$/.exec(text) ?? []
  return days === undefined ? text : `${Number(days) * 24}h`
}

export async function listTokens(cli: Cli): Promise<number> {
  const { tokens } = await cli.client().ask<{ tokens: TokenInfo[] }>('GET', '/v1/tokens')
  const now = cli.now()
  if (cli.out.json) cli.out.data(tokens)
  else if (tokens.length === 0) cli.out.say('No tokens')
  else
    cli.out.table(
      tokens.map(token => [
        token.id,
        { text: token.name, format: 'bold' },
        token.grants.map(grantText).join(' '),
        token.expiresAt <= now ? 'expired' : `expires ${until(token.expiresAt, now)}`,
        token.lastUsedAt === null ? 'never used' : `used ${ago(token.lastUsedAt, now)}`,
        `by ${token.createdBy}`,
      ]),
    )
  return exitCodes.ok
}

const grantText = ({ role, apps, environments }: Grant): string =>
  `${role}:${apps.join(',')}:${environments.join(',')}`

export async function revokeToken(cli: Cli, [id = '']: Args): Promise<number> {
  await cli.client().ask('DELETE', `/v1/tokens/${encodeURIComponent(id)}`)
  if (cli.out.json) cli.out.data({ id, outcome: 'revoked' })
  else cli.out.say(`${id} is revoked`)
  return exitCodes.ok
}

export async function whoami(cli: Cli): Promise<number> {
  const client = cli.client()
  const me = await client.ask<Whoami & Pick<Caller, 'grants'>>('GET', '/v1/whoami')
  if (cli.out.json) {
    cli.out.data(me)
    return exitCodes.ok
  }
  const grants = me.grants.map(grantText).join(' ')
  cli.out.table([[{ text: me.actor.name, format: 'bold' }, me.actor.id, grants, client.url]])
  const rows = me.environments.flatMap(one =>
    one.may.map(({ app, actions }) => [
      one.environment,
      app === '*' ? 'all apps' : app,
      actions.map(action => action.replaceAll('_', ' ')).join(', '),
      [one.protected ? 'protected' : '', one.breakGlass ? 'may override' : ''].filter(Boolean).join(', '),
    ]),
  )
  if (rows.length > 0) cli.out.table(rows)
  return exitCodes.ok
}

/** One line a check; what fails says how to mend it. Exit code 1 where something failed. */
export async function doctor(cli: Cli): Promise<number> {
  const { checks } = await cli.client().ask<{ checks: Check[] }>('GET', '/v1/doctor')
  const marks = { ok: '✓', warning: '!', failed: '✗' } as const
  if (cli.out.json) cli.out.data(checks)
  else
    cli.out.table(
      checks.map(({ name, state, message, mend }) => [
        marks[state],
        { text: name, format: 'bold' },
        [message, mend].filter(Boolean).join(' '),
      ]),
    )
  return checks.some(check => check.state === 'failed') ? exitCodes.failed : exitCodes.ok
}
