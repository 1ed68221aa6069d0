// The SHA-256 that a host publishes beside an artifact, `<url>.sha256`: asked while a deploy is prepared, without a
// credential, over https and of allowed hosts only, redirects included. What comes is a line of text and is treated as one.
import { request } from 'node:https'
import { UserError } from '../../errors.ts'

type Known = { readonly kind: 'known'; readonly sha256: string }
type Unknown = { readonly kind: 'unknown'; readonly message: string }

const mostBytes = 4096
const mostRedirects = 3

/** `timeoutMs` is for all of it; `ca`: further authorities, PEM. */
export function checksumReader(options: {
  readonly hosts: readonly string[]
  readonly timeoutMs?: number
  readonly ca?: string
}): (url: string) => Promise<Known | Unknown> {
  const { hosts, timeoutMs = 5_000, ca } = options

  /** The text, or where it is instead. */
  function ask(url: URL, signal: AbortSignal): Promise<{ text: string } | { to: string }> {
    return new Promise((resolve, reject) => {
      const asked = request(url, { signal, ca, headers: { accept: 'text/plain, */*;q=0.1' } }, answer => {
        const status = answer.statusCode ?? 0
        const { location } = answer.headers
        if ([301, 302, 303, 307, 308].includes(status) && location) {
          answer.destroy()
          return resolve({ to: location })
        }
        if (status !== 200) {
          answer.destroy()
          return reject(new UserError('unavailable', `${url.host} answers ${status} for ${url.pathname}`))
        }
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => {
          text += chunk
          if (text.length <= mostBytes) return
          answer.destroy()
          reject(new UserError('too_large', `${url.pathname} at ${url.host} is no checksum: it is too long`))
        })
        answer.on('end', () => resolve({ text }))
        answer.on('error', reject)
        return undefined
      })
      asked.on('error', reject)
      asked.end()
    })
  }

  async function read(address: string, signal: AbortSignal): Promise<Known | Unknown> {
    let url = URL.parse(sumAddress(address))
    for (let redirects = 0; redirects <= mostRedirects; redirects++) {
      if (!url) return unknown('the address is none')
      const wrong = refused(url, hosts)
      if (wrong) return unknown(wrong)
      const answer = await ask(url, signal)
      if ('text' in answer) {
        const sha256 = sumOf(answer.text)
        return sha256 ? { kind: 'known', sha256 } : unknown(`${url.pathname} at ${url.host} holds no SHA-256`)
      }
      url = URL.parse(answer.to, url.href)
    }
    return unknown(`it redirects more than ${mostRedirects} times`)
  }

  return async address => {
    const signal = AbortSignal.timeout(timeoutMs)
    try {
      return await read(address, signal)
    } catch (error) {
      if (signal.aborted) return unknown(`its host did not answer within ${timeoutMs / 1000} s`)
      return unknown(error instanceof Error ? error.message : String(error))
    }
  }
}

const unknown = (message: string): Unknown => ({ kind: 'unknown', message })

/** Beside the path: a query stays where it is. */
function sumAddress(address: string): string {
  const url = URL.parse(address)
  if (!url) return ''
  url.pathname = `${url.pathname}.sha256`
  return url.href
}

function refused(url: URL, hosts: readonly string[]): string {
  if (url.protocol !== 'https:') return `${url.host} is not asked over ${url.protocol.replace(':', '')}`
  if (url.username || url.password) return `${url.host} is not asked with a password in the address`
  return hosts.includes(url.host) ? '' : `${url.host} is none of the hosts that may be asked`
}

/** `<hash>`, or `<hash>  file` as sha256sum writes it; null: something else. */
const sumOf = (text: string): string | null =>
  /^\s*([0-9a-fA-F]{64})(\s|$)/.exec(text)?.[1]?.toLowerCase() ?? null
