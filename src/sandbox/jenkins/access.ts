// Who asks: Basic with an API token, which needs no crumb, or with a password, where a POST needs a crumb that belongs
// to its session's cookie. 401 wrong credential, 403 nobody's or without a crumb.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Answer } from './answer.ts'

export type Access = ReturnType<typeof accessOf>

const cookieName = 'JSESSIONID.sandbox'
const field = 'Jenkins-Crumb'

export function accessOf({ user, token, password }: { user: string; token: string; password: string }) {
  const key = randomBytes(16).toString('hex')
  const crumbOf = (session: string) => createHash('sha256').update(`${key}:${session}`).digest('hex')

  const sessionOf = (request: IncomingMessage) =>
    new RegExp(`${cookieName.replace('.', '\\.')}=(\\w+)`).exec(request.headers.cookie ?? '')?.[1]

  return {
    /** Null: nobody. Throws where a credential is wrong or a crumb is missing. */
    who(request: IncomingMessage): string | null {
      const [, encoded] = /^Basic (.+)$/i.exec(request.headers.authorization ?? '') ?? []
      if (encoded === undefined) return null
      const text = Buffer.from(encoded, 'base64').toString('utf8')
      const name = text.slice(0, text.indexOf(':'))
      const given = text.slice(text.indexOf(':') + 1)
      const isToken = same(given, token)
      if (name !== user || !(isToken || same(given, password)))
        throw new Answer(401, `Invalid password/token for user: ${name}`, {
          'www-authenticate': 'Basic realm="Jenkins"',
        })
      if (request.method === 'POST' && !isToken) {
        const session = sessionOf(request)
        const crumb = request.headers[field.toLowerCase()]
        if (!session || typeof crumb !== 'string' || !same(crumb, crumbOf(session)))
          throw new Answer(403, 'No valid crumb was included in the request')
      }
      return name
    },
    /** The answer of `crumbIssuer/api/json`, and the session it belongs to. */
    crumb(request: IncomingMessage): { body: object; headers: Record<string, string> } {
      const known = sessionOf(request)
      const session = known ?? randomBytes(16).toString('hex')
      return {
        body: {
          _class: 'hudson.security.csrf.DefaultCrumbIssuer',
          crumb: crumbOf(session),
          crumbRequestField: field,
        },
        headers: known ? {} : { 'set-cookie': `${cookieName}=${session}; Path=/; HttpOnly` },
      }
    },
  }
}

/** Without telling by its time how much is right. */
function same(given: string, right: string): boolean {
  const [a, b] = [given, right].map(text => createHash('sha256').update(text).digest())
  return a !== undefined && b !== undefined && timingSafeEqual(a, b)
}
