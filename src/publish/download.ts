// Brings the artifact to a file of the volume and holds its SHA-256 against what was approved, while it comes. Which
// addresses may be asked is decided before each request, redirects included; a credential stays with its first address.
import { createHash } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { request as plainRequest } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { UserError } from '../errors.ts'
import type { FetchSettings } from './settings.ts'

type Wanted = Pick<
  FetchSettings,
  'url' | 'hosts' | 'own' | 'limit' | 'timeoutMs' | 'credentials' | 'caFile' | 'sha256'
>

const attempts = 5
const redirects = 5
/** Milliseconds: until the head of an answer, and between any two pieces of it. */
const defaultPatience = { head: 30_000, idle: 30_000, pause: 1_000 }

/** An attempt that may end otherwise if it is made again. */
class Passing extends Error {
  readonly afterMs: number | null
  constructor(message: string, options: { cause?: unknown; afterMs?: number | null } = {}) {
    super(message, { cause: options.cause })
    this.afterMs = options.afterMs ?? null
  }
}

/** Writes the artifact to `file` and answers its size. UserError says why it is not there. */
export async function download(
  wanted: Wanted,
  options: {
    readonly file: string
    readonly signal: AbortSignal
    readonly print: (line: string) => void
    readonly patience?: Partial<typeof defaultPatience>
  },
): Promise<number> {
  const { file, print } = options
  checkAddress(wanted.url, wanted, false)
  const patience = { ...defaultPatience, ...options.patience }
  const authorization = wanted.credentials === null ? null : await authorizationIn(wanted.credentials)
  const ca =
    wanted.caFile === null ? undefined : await readFile(wanted.caFile, 'utf8').catch(notThere(wanted.caFile))
  const late = AbortSignal.timeout(wanted.timeoutMs)
  const signal = AbortSignal.any([options.signal, late])
  for (let attempt = 1; ; attempt++) {
    try {
      return await once({ wanted, file, signal, patience, authorization, ca })
    } catch (error) {
      options.signal.throwIfAborted()
      if (late.aborted)
        throw new UserError(
          'unavailable',
          `The artifact was not here after ${Math.round(wanted.timeoutMs / 1000)} s (GKUBE_ARTIFACT_TIMEOUT): ${shownUrl(wanted.url)}`,
        )
      if (!(error instanceof Passing)) throw error
      if (attempt === attempts)
        throw new UserError('unavailable', `${error.message} Tried ${attempts} times.`, { cause: error })
      const pause = error.afterMs ?? patience.pause * 2 ** (attempt - 1) * (0.5 + Math.random())
      print(`${error.message} Trying again in ${Math.ceil(pause / 1000)} s.`)
      await delay(pause, undefined, { signal }).catch(() => undefined)
    }
  }
}

type Attempt = {
  readonly wanted: Wanted
  readonly file: string
  readonly signal: AbortSignal
  readonly patience: typeof defaultPatience
  readonly authorization: string | null
  readonly ca: string | undefined
}

async function once(attempt: Attempt): Promise<number> {
  const { wanted, file } = attempt
  let url = wanted.url
  for (let hop = 0; hop <= redirects; hop++) {
    const answer = await ask(url, attempt)
    const status = answer.statusCode ?? 0
    if (status === 200) return await store(answer, attempt, file)
    answer.destroy()
    const { location } = answer.headers
    if (![301, 302, 303, 307, 308].includes(status) || !location) throw refusal(status, url, answer)
    const next = URL.parse(location, url.href)
    if (!next) throw new UserError('bad_input', `${shownUrl(url)} redirects to an address that is none.`)
    checkAddress(next, wanted, true)
    url = next
  }
  throw new UserError('bad_input', `${shownUrl(wanted.url)} redirects more than ${redirects} times.`)
}

function ask(url: URL, { wanted, signal, patience, authorization, ca }: Attempt): Promise<IncomingMessage> {
  const start = url.protocol === 'https:' ? request : plainRequest
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => asked.destroy(new Error(`no answer within ${patience.head / 1000} s`)),
      patience.head,
    )
    const asked = start(url, {
      signal,
      ca,
      agent: false,
      timeout: patience.idle,
      headers: {
        accept: '*/*',
        // The checksum is of the file as it lies there.
        'accept-encoding': 'identity',
        'user-agent': 'gkube-publish',
        ...(authorization !== null && url.origin === wanted.url.origin ? { authorization } : {}),
      },
    })
    asked.on('timeout', () => asked.destroy(new Error(`nothing came for ${patience.idle / 1000} s`)))
    asked.on('response', answer => {
      clearTimeout(late)
      resolve(answer)
    })
    asked.on('error', error => {
      clearTimeout(late)
      reject(new Passing(`${shownUrl(url)} could not be read: ${reasonOf(error)}.`, { cause: error }))
    })
    asked.end()
  })
}

async function store(answer: IncomingMessage, { wanted }: Attempt, file: string): Promise<number> {
  const tooLarge = () =>
    new UserError('too_large', `The artifact is larger than ${wanted.limit} bytes (GKUBE_ARTIFACT_LIMIT).`)
  if (Number(answer.headers['content-length'] ?? 0) > wanted.limit) {
    answer.destroy()
    throw tooLarge()
  }
  const hash = createHash('sha256')
  let size = 0
  const handle = await open(file, 'w', 0o600)
  try {
    for await (const chunk of received(answer, wanted.url)) {
      size += chunk.length
      if (size > wanted.limit) throw tooLarge()
      hash.update(chunk)
      await handle.writeFile(chunk)
    }
  } finally {
    answer.destroy()
    await handle.close()
  }
  const sha256 = hash.digest('hex')
  if (sha256 !== wanted.sha256)
    throw new UserError(
      'bad_input',
      `The artifact is not the one that was approved: its SHA-256 is ${sha256}, not ${wanted.sha256}. Nothing was unpacked.`,
    )
  return size
}

/** Errors of the network apart from those of the disk. */
async function* received(answer: IncomingMessage, url: URL): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of answer) yield chunk
  } catch (error) {
    throw new Passing(`${shownUrl(url)} was cut: ${reasonOf(error)}.`, { cause: error })
  }
}

/** https to a host that was named. http only to gkube itself and, if named, to this machine; never by a redirect. */
function checkAddress(url: URL, { hosts, own }: Pick<Wanted, 'hosts' | 'own'>, redirected: boolean): void {
  const what = redirected ? 'The artifact is redirected to' : 'The artifact is at'
  if (url.username || url.password)
    throw new UserError('bad_input', `${what} an address with a password in it. Name a credential instead.`)
  if (url.origin === own && !redirected) return
  const secure = url.protocol === 'https:'
  const here = url.protocol === 'http:' && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  if (!secure && (redirected || !here))
    throw new UserError('bad_input', `${what} ${shownUrl(url)}, which is not https.`)
  if (!hosts.includes(url.host))
    throw new UserError(
      'forbidden',
      `${what} ${shownUrl(url)}, and ${url.host} is none of the hosts that may be asked. An operator names it below artifacts.hosts in gkube.yaml.`,
    )
}

function refusal(status: number, url: URL, answer: IncomingMessage): Error {
  const where = shownUrl(url)
  if (status === 401 || status === 403)
    return new UserError(
      'forbidden',
      `${where} does not give out the artifact (${status}). Is the credential of the app (code.credential) right?`,
    )
  if (status === 404 || status === 410)
    return new UserError('not_found', `There is no artifact at ${where} (${status}).`)
  if ([408, 425, 429].includes(status) || status >= 500) {
    const after = Number(answer.headers['retry-after'])
    return new Passing(`${where} answers ${status}.`, {
      afterMs: Number.isFinite(after) && after > 0 ? Math.min(after, 30) * 1000 : null,
    })
  }
  return new UserError('bad_input', `${where} answers ${status}, and not with the artifact.`)
}

/** The directory of a mounted Secret: `token`, or `username` and `password`. */
async function authorizationIn(folder: string): Promise<string> {
  const [token, username, password] = await Promise.all(
    ['token', 'username', 'password'].map(async name => {
      try {
        return (await readFile(join(folder, name), 'utf8')).trim()
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
        throw error
      }
    }),
  )
  const header = token
    ? `Bearer ${token}`
    : username && password
      ? `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
      : null
  if (header === null || /[\r\n]/.test(header))
    throw new UserError(
      'bad_input',
      `The credential in ${folder} needs a key \`token\`, or \`username\` and \`password\`, of one line each.`,
    )
  return header
}

const notThere =
  (file: string) =>
  (cause: unknown): never => {
    throw new UserError('bad_input', `The file ${file} (GKUBE_ARTIFACT_CA_FILE) cannot be read.`, { cause })
  }

/** Without its query: that may be a signature. */
const shownUrl = (url: URL): string => `${url.origin}${url.pathname}`

const reasonOf = (error: unknown): string => {
  const first = error instanceof AggregateError ? error.errors[0] : error
  return first instanceof Error ? first.message : String(first)
}
