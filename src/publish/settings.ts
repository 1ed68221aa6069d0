// What `gkube publish` is told: GKUBE_* variables of the Job's containers, each checked here (docs/publish.md lists
// them). No secret among them: credentials are mounted files, and only their directory is named.
import { join } from 'node:path'
import { releaseName } from '../core/release-name.ts'
import { amount, duration, quantity, revision, seconds } from '../core/units.ts'
import { UserError } from '../errors.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** What all three commands know. */
export type Settings = {
  /** Where the app's volume is mounted. */
  readonly volume: string
  readonly deploy: string
  readonly revision: string
  /** Of the artifact, in hexadecimal. */
  readonly sha256: string
  /** What makes the release of it (core/code/recipe.ts); empty: the default way. */
  readonly recipe: string
  /** `<revision>-<sha12>`, and the recipe. */
  readonly name: string
  readonly releases: string
  /** Where the release is made: only a whole one gets its name. */
  readonly making: string
  readonly shared: string
}

export type FetchSettings = Settings & {
  readonly url: URL
  /** Hosts (with their port, unless it is 443) that may be asked; redirects too. */
  readonly hosts: readonly string[]
  /** gkube's own address: asked without being named in `hosts`, also over http. */
  readonly own: string | null
  readonly limit: number
  readonly timeoutMs: number
  readonly credentials: string | null
  readonly caFile: string | null
  readonly unpack: boolean
  readonly unpackLimit: number
  /** What a file that is kept whole is called. */
  readonly fileName: string
}

export type FinishSettings = Settings & {
  readonly activate: 'rollout' | 'reload'
  /** Names that stay; null: nothing is pruned. */
  readonly keep: readonly string[] | null
}

const bad = (name: string, expected: string): UserError =>
  new UserError('bad_input', `The variable ${name} must be ${expected}.`)

/** The value if it is as expected; an empty variable counts as not set. */
function text(env: Env, name: string, { shape, expected }: { shape: RegExp; expected: string }): string {
  const value = env[name] ?? ''
  if (!shape.test(value)) throw bad(name, expected)
  return value
}

const optional = (env: Env, name: string): string | null => env[name] || null

const path = { shape: /^\/[^\0\n]*$/, expected: 'a full path' }
const choice = <T extends string>(env: Env, name: string, all: readonly [T, ...T[]]): T => {
  const value = env[name] || all[0]
  const found = all.find(one => one === value)
  if (found === undefined) throw bad(name, all.join(' or '))
  return found
}

function bytes(env: Env, name: string, fallback: string): number {
  const value = env[name] || fallback
  const size = quantity.safeParse(value).success ? Math.floor(amount(value)) : 0
  if (size < 1) throw bad(name, 'a size such as 500Mi')
  return size
}

/** UserError `bad_input` names the variable. */
export function settingsOf(env: Env): Settings {
  const volume = text(env, 'GKUBE_VOLUME', path).replace(/(?<=.)\/+$/, '')
  const deploy = text(env, 'GKUBE_DEPLOY_ID', {
    shape: /^[a-z0-9]{1,40}$/,
    expected: 'the id of the deploy: lower-case letters and digits',
  })
  const named = revision.safeParse(env.GKUBE_REVISION)
  if (!named.success) throw bad('GKUBE_REVISION', 'a revision such as 1.4.2')
  const sha256 = text(env, 'GKUBE_ARTIFACT_SHA256', {
    shape: /^[0-9a-f]{64}$/,
    expected: 'the SHA-256 of the artifact: 64 digits from 0 to f',
  })
  const recipe = text(env, 'GKUBE_RECIPE', {
    shape: /^([0-9a-f]{6})?$/,
    expected: '6 digits from 0 to f, or empty',
  })
  const releases = join(volume, 'releases')
  return {
    volume,
    deploy,
    revision: named.data,
    sha256,
    recipe,
    name: releaseName(named.data, sha256, recipe),
    releases,
    making: join(releases, `.tmp-${deploy}`),
    shared: optional(env, 'GKUBE_SHARED') ?? join(volume, 'shared'),
  }
}

export function fetchSettings(env: Env): FetchSettings {
  const settings = settingsOf(env)
  const url = URL.parse(env.GKUBE_ARTIFACT_URL ?? '')
  if (!url) throw bad('GKUBE_ARTIFACT_URL', 'an https address')
  const own = optional(env, 'GKUBE_URL')
  if (own !== null && !URL.canParse(own)) throw bad('GKUBE_URL', 'the address of gkube')
  const timeout = env.GKUBE_ARTIFACT_TIMEOUT || '15m'
  if (!duration.safeParse(timeout).success || seconds(timeout) < 1)
    throw bad('GKUBE_ARTIFACT_TIMEOUT', 'a duration such as 15m')
  return {
    ...settings,
    url,
    own: own && new URL(own).origin,
    hosts: (env.GKUBE_ARTIFACT_HOSTS ?? '')
      .split(',')
      .map(host => host.trim().toLowerCase())
      .filter(Boolean),
    limit: bytes(env, 'GKUBE_ARTIFACT_LIMIT', '1Gi'),
    timeoutMs: seconds(timeout) * 1000,
    credentials: optional(env, 'GKUBE_ARTIFACT_CREDENTIALS'),
    caFile: optional(env, 'GKUBE_ARTIFACT_CA_FILE'),
    unpack: choice(env, 'GKUBE_UNPACK', ['true', 'false']) === 'true',
    unpackLimit: bytes(env, 'GKUBE_UNPACK_LIMIT', '4Gi'),
    fileName: fileNameOf(env, url),
  }
}

/** Named, or the last part of the address where that is a plain name. */
function fileNameOf(env: Env, url: URL): string {
  const shape = /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}$/
  const named = optional(env, 'GKUBE_ARTIFACT_NAME')
  if (named !== null && !shape.test(named)) throw bad('GKUBE_ARTIFACT_NAME', 'a file name such as app.war')
  const last = url.pathname.split('/').at(-1) ?? ''
  return named ?? (shape.test(last) ? last : 'artifact')
}

export function finishSettings(env: Env): FinishSettings {
  const list = (env.GKUBE_KEEP_RELEASES ?? '')
    .split(',')
    .map(name => name.trim())
    .filter(Boolean)
  for (const name of list)
    if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name))
      throw bad('GKUBE_KEEP_RELEASES', 'names of releases, separated by commas')
  return {
    ...settingsOf(env),
    activate: choice(env, 'GKUBE_ACTIVATE', ['rollout', 'reload']),
    keep: list.length > 0 ? list : null,
  }
}
