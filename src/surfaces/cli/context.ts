// Where the server is and who asks: flags, then GKUBE_URL and GKUBE_TOKEN, then the context file that the sandbox
// writes. A token is never taken from argv, and never sent to another server than the one it was written for.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { UserError } from '../../errors.ts'

type Env = Readonly<Record<string, string | undefined>>

export type Target = {
  /** Without a slash at its end. */
  readonly url: string
  readonly token: string
}

type ContextFile = { url: string; token: string; environment?: string; path: string }

/** Throws UserError `bad_input` that says how to name a server. */
export function targetOf(options: { env: Env; cwd: string; url?: string; tokenFile?: string }): Target {
  const { env, cwd } = options
  const file = contextFile(env, cwd)
  const named = options.url || env.GKUBE_URL
  const url = normal(named || file?.url)
  if (url === undefined)
    throw new UserError(
      'bad_input',
      'Which gkube server? Set GKUBE_URL and GKUBE_TOKEN, or start one here: npm start (it writes .gkube/context.json).',
    )
  const tokenFile = options.tokenFile || env.GKUBE_TOKEN_FILE
  const token =
    (options.tokenFile ? readToken(options.tokenFile) : undefined) ??
    (env.GKUBE_TOKEN?.trim() || undefined) ??
    (tokenFile ? readToken(tokenFile) : undefined) ??
    (file && normal(file.url) === url ? file.token : undefined)
  if (token === undefined)
    throw new UserError(
      'bad_input',
      `No token for ${url}. Set GKUBE_TOKEN, or name a file with --token-file. An admin makes one: gkube token create.`,
    )
  if (!/^[\x21-\x7e]{1,512}$/.test(token))
    throw new UserError(
      'bad_input',
      'The token holds spaces or other characters that no token has. Is it all of it, and only it?',
    )
  return { url, token }
}

/** The environment that a context names for those who always mean the same one. */
export const contextEnvironment = (env: Env, cwd: string): string | undefined =>
  contextFile(env, cwd)?.environment

function normal(url: string | undefined): string | undefined {
  if (!url) return undefined
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (!parsed || !/^https?:$/.test(parsed.protocol))
    throw new UserError(
      'bad_input',
      `${url} is not an address such as https://gkube.example.com (GKUBE_URL, --url).`,
    )
  if (parsed.username || parsed.password)
    throw new UserError('bad_input', 'The address must not hold a password: set GKUBE_TOKEN instead.')
  return `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, '')
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new UserError('bad_input', `Cannot read the token file ${path} (${codeOf(error)}).`, {
      cause: error,
    })
  }
}

/** `.gkube/context.json` here or above, else the one of the user. */
function contextFile(env: Env, cwd: string): ContextFile | undefined {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const found = readContext(join(folder, '.gkube', 'context.json'))
    if (found) return found
    if (dirname(folder) === folder) break
  }
  // A container may run as somebody without a home.
  const home = env.XDG_CONFIG_HOME || (env.HOME && join(env.HOME, '.config'))
  return home ? readContext(join(home, 'gkube', 'context.json')) : undefined
}

function readContext(path: string): ContextFile | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return undefined
    throw new UserError('bad_input', `Cannot read ${path} (${codeOf(error)}).`, { cause: error })
  }
  const broken = () =>
    new UserError(
      'bad_input',
      `${path} is not a context: {"url": "…", "token": "…"}. Delete it or write it again.`,
    )
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw broken()
  }
  const { url, token, environment } = (value ?? {}) as Record<string, unknown> // checked in the next line
  if (typeof url !== 'string' || typeof token !== 'string') throw broken()
  return { url, token, path, ...(typeof environment === 'string' ? { environment } : {}) }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
