// Which artifact a deploy of code runs, settled once while preparing: named in the request, uploaded for the revision,
// pinned in the app, or as its host says. From there on only its SHA-256 counts: it is approved, published and mounted.
import type { AppSpec } from '../app.ts'
import { releasedSchema } from '../artifacts/released.ts'
import type { StepName } from '../deploy.ts'
import type { Environment } from '../environment.ts'
import { Refusal, type Wanted } from '../freezing.ts'
import type { Keys } from '../keys.ts'
import type { Kv } from '../kv.ts'
import { decode } from '../records.ts'
import type { Artifact, Frozen } from '../workload.ts'
import type { CodeSide } from './code-side.ts'
import { reloads } from './reloading.ts'

type SettleDeps = {
  readonly kv: Pick<Kv, 'getMany'>
  readonly keys: Pick<Keys, 'released'>
  /** Left out: no code can be published. */
  readonly code?: CodeSide
}

/** Undefined: the app has no code. Refusal where nothing says what would run. */
export async function settleArtifact(
  deps: SettleDeps,
  deploy: Wanted,
  { frozen, base }: { readonly frozen: Frozen; readonly base: Frozen | null },
): Promise<Artifact | undefined> {
  const { revision, spec } = frozen
  const { code } = spec
  const named = deploy.kind === 'deploy' ? deploy.params.artifact : undefined
  if (!code) {
    if (named) throw refused(`${deploy.app} has no section code, so there is nothing to do with an artifact.`)
    return undefined
  }
  const url = addressOf(code, revision)
  if (named) return carried(named, url)
  if (deploy.kind === 'redeploy' && base?.artifact) {
    // What runs stays, unless the app itself now says another one.
    if (!code.sha256 || code.sha256 === base.artifact.sha256) return carried(base.artifact, url)
  }
  const key = deps.keys.released(deploy.app, revision)
  const entry = (await deps.kv.getMany([key])).get(key)
  if (entry) return { sha256: decode(releasedSchema, entry).value.sha256, url: null }
  if (url === null) throw unknown(deploy, revision, '')
  if (code.sha256) return { sha256: code.sha256, url }
  const side = publishing(deps.code, deploy)
  demandHost(url, side.hosts)
  const answer = await side.checksum(url)
  if (answer.kind === 'known') return { sha256: answer.sha256, url }
  throw unknown(deploy, revision, answer.message)
}

/** The address with the revision filled in; null: its artifacts are uploaded. */
const addressOf = ({ artifact }: NonNullable<AppSpec['code']>, revision: string): string | null =>
  artifact?.replaceAll('{revision}', encodeURIComponent(revision)) ?? null

/** The same bytes; where they are fetched from may have moved since. */
const carried = (artifact: Artifact, url: string | null): Artifact =>
  artifact.url === null ? artifact : { ...artifact, url: url ?? artifact.url }

/** Where it publishes: whether its Job could get the artifact. Throws Refusal, which says who has to do what. */
export async function demandPublishable(
  side: CodeSide | undefined,
  deploy: Pick<Wanted, 'app' | 'environment'>,
  {
    frozen,
    steps,
    environment,
  }: {
    readonly frozen: Frozen
    readonly steps: readonly StepName[]
    readonly environment: Pick<Environment, 'name' | 'reload'>
  },
): Promise<void> {
  const ships = steps.includes('publish') || steps.includes('activate')
  if (ships && reloads(frozen.spec) && !environment.reload)
    throw refused(
      `${deploy.app} takes its code by a command in its pods (code.activate: reload), which ${environment.name} does not allow. Operators: set environments.${environment.name}.reload in gkube.yaml and give the right that \`gkube rbac ${environment.name}\` prints; or leave activate out, so that pods are replaced.`,
    )
  if (!steps.includes('publish')) return
  const { artifact, revision, spec } = frozen
  if (!artifact) throw unknown(deploy, revision, '')
  const hidden = hiddenBy(spec)
  if (hidden)
    throw refused(
      `storage[0].mount ${hidden} would hide gkube's own program in the Job that publishes. Mount it elsewhere, for example at /srv/data.`,
    )
  const { url: own, hosts, uploaded } = publishing(side, deploy)
  if (artifact.url !== null) return demandHost(artifact.url, hosts)
  if (own === null)
    throw refused(
      `The Job that publishes ${deploy.app} could not reach gkube for the uploaded artifact. Operators: set publish.url in gkube.yaml, the address of gkube as pods see it.`,
    )
  if ((await uploaded(artifact.sha256)) === null)
    throw new Refusal(
      'artifact_not_found',
      `The artifact ${short(artifact.sha256)} of ${deploy.app} ${revision} is not kept any more. Upload it again: ${push(deploy.app, revision)}`,
    )
}

/** What gkube's own image needs where it is. */
const needed = [
  '/app',
  '/bin',
  '/dev',
  '/etc',
  '/gkube',
  '/lib',
  '/lib64',
  '/proc',
  '/sys',
  '/usr/bin',
  '/usr/lib',
  '/usr/local',
]

function hiddenBy({ storage }: AppSpec): string | null {
  const mount = storage[0]?.mount.replace(/\/+$/, '') ?? ''
  return needed.some(path => path === mount || path.startsWith(`${mount}/`)) ? mount : null
}

function publishing(side: CodeSide | undefined, { app }: Pick<Wanted, 'app'>): CodeSide {
  if (side?.image) return side
  throw refused(
    `${app} is shipped as code, and no code can be published here yet. Operators: set publish.image in gkube.yaml, gkube's own image, which its Jobs run.`,
  )
}

function demandHost(url: string, hosts: CodeSide['hosts']): void {
  const parsed = URL.parse(url)
  if (parsed?.protocol !== 'https:' || parsed.username || parsed.password)
    throw refused(`code.artifact must be an https address without a password: ${url}`)
  if (Object.hasOwn(hosts, parsed.host)) return
  throw refused(
    `${parsed.host} is not a host that code may be fetched from. Operators: add it to artifacts.hosts in gkube.yaml.`,
  )
}

const refused = (message: string): Refusal => new Refusal('plan_refused', message)

const short = (sha256: string): string => `${sha256.slice(0, 12)}…`
const push = (app: string, revision: string): string =>
  `gkube artifact push <file> --app ${app} --revision ${revision}`

const unknown = ({ app }: Pick<Wanted, 'app'>, revision: string, why: string): Refusal =>
  new Refusal(
    'artifact_not_found',
    `It is not known which artifact ${app} ${revision} is${why ? `: ${why}` : '.'} Upload it (${push(app, revision)}), pin code.sha256 in the app, or publish its SHA-256 beside it as <address>.sha256.`,
  )
