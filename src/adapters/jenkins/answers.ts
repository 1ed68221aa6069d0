// What an answer of Jenkins means, in words that people may see: which error, and what to do. Pure, but for the JSON
// that it reads. No message holds a token, a query or an address other than a host.
import type { z } from 'zod'
import { JenkinsError } from '../../core/builds/jenkins.ts'
import type { Answer } from './transport.ts'

/** `read` `the job shop/web`: fits `may not …` and `does not know …`. */
export type Wish = {
  readonly to: string
  readonly thing: string
  readonly user: string
  readonly posted?: boolean
}

export const notInTime = (
  about: { readonly host: string; readonly ms: number; readonly posted: boolean },
  cause: unknown,
): JenkinsError =>
  new JenkinsError('unavailable', `Jenkins (${about.host}) did not answer within ${about.ms / 1000} s`, {
    cause,
    unclear: about.posted,
  })

export const unreachable = (
  host: string,
  why: string,
  options: { readonly cause: unknown; readonly unclear: boolean },
): JenkinsError =>
  new JenkinsError(
    'unavailable',
    options.unclear
      ? `Jenkins (${host}) broke off before it answered (${why})`
      : `Jenkins (${host}) cannot be reached (${why})`,
    options,
  )

/** The error of an answer that is none of those a call expects. */
export function fault(answer: Answer, { to, thing, user, posted = false }: Wish): JenkinsError {
  const { status } = answer
  const told = wordsOf(answer)
  const quoted = told ? `: ${told}` : ''
  if (status >= 300 && status < 400) return misled(answer, user)
  if (status === 401)
    return new JenkinsError(
      'forbidden',
      `Jenkins does not take the credential of the user ${user}. Make a new API token for it (its profile in Jenkins, Security) and set jenkins.tokenFile`,
    )
  if (status === 403) {
    if (/no valid crumb/i.test(answer.text) || /no valid crumb/i.test(told))
      return new JenkinsError(
        'forbidden',
        'Jenkins wants a crumb and gives none that it takes. Use an API token in jenkins.tokenFile, not a password',
      )
    return new JenkinsError(
      'forbidden',
      `the Jenkins user ${user} may not ${to} ${thing}${permission(answer)}. Give it that permission in Jenkins`,
    )
  }
  if (status === 404)
    return new JenkinsError(
      'not_found',
      `Jenkins does not know ${thing}, or its user ${user} may not see it (Item/Read)`,
    )
  if (status === 405)
    return new JenkinsError(
      'refused',
      `Jenkins takes no such request for ${thing} (405)${quoted}. Check that jenkins.url is the address Jenkins calls its own`,
    )
  if (status === 409)
    return new JenkinsError('refused', `${thing} cannot be built: it is disabled. Enable it in Jenkins`)
  if (status === 503)
    return new JenkinsError('unavailable', 'Jenkins is starting or going down (503). Try again in a minute')
  if (status === 429 || status >= 500)
    return new JenkinsError('unavailable', `Jenkins answers ${status}${quoted}`, {
      // A proxy may have passed it on, and Jenkins may have failed after its effect.
      unclear: posted && status >= 500,
    })
  return new JenkinsError('refused', `Jenkins refuses to ${to} ${thing} (${status})${quoted}`)
}

/** A redirect where none belongs: to a login page, or to where Jenkins really is. */
function misled(answer: Answer, user: string): JenkinsError {
  const location = answer.headers.get('location') ?? ''
  if (isLogin(location))
    return new JenkinsError(
      'forbidden',
      `Jenkins sends gkube to its login page: it does not take the credential of the user ${user}. Use an API token in jenkins.tokenFile`,
    )
  const where = URL.parse(location)?.origin
  return new JenkinsError(
    'unavailable',
    `jenkins.url answers with a redirect (${answer.status})${where ? ` to ${where}` : ''}. Set it to the address that Jenkins calls its own (Manage Jenkins, System)`,
  )
}

/** Login pages of Jenkins and of its single sign-on plugins; a job may be called so too. */
export function isLogin(location: string): boolean {
  const path = URL.parse(location, 'http://jenkins.invalid/')?.pathname ?? ''
  return /\/(login|loginEntry|securityRealm|oauth2|saml2?)(\/|$)/i.test(path.replace(/\/job\/.*$/, ''))
}

/**
 * Whether Jenkins did what was asked and sends back to a page below `page`: and not to the same request at another
 * address, which nothing carried out.
 */
export function sentBack(
  answer: Answer,
  { request, page }: { readonly request: string; readonly page: string },
) {
  if (answer.status !== 302 && answer.status !== 303) return false
  const from = new URL(request, 'http://jenkins.invalid/')
  const path = URL.parse(answer.headers.get('location') || '.', from.href)?.pathname ?? ''
  return path.includes(`/${page}`) && !path.endsWith(`/${request}`)
}

/** The permission that is missing, where Jenkins says it: `hudson.model.Item.Build` is Item/Build in its settings. */
function permission(answer: Answer): string {
  const needed = answer.headers.get('x-required-permission')
  const [, group, name] = /\.(\w+)\.(\w+)$/.exec(needed ?? '') ?? []
  return group && name ? ` (it needs ${group}/${name})` : ''
}

/** What Jenkins says of an error: X-Error, or the title or the first paragraph of its page. */
export function wordsOf({ headers, text }: Answer): string {
  const said =
    headers.get('x-error') ??
    /<title>\s*Error \d+\s+([^<]{3,})<\/title>/i.exec(text)?.[1] ??
    /<h1>\s*Error\s*<\/h1>\s*<p>([^<]+)/i.exec(text)?.[1] ??
    (/^text\/plain/.test(headers.get('content-type') ?? '') ? text : '')
  return plain(said).slice(0, 300)
}

const entities = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['#039', "'"],
  ['#39', "'"],
])
const plain = (text: string): string =>
  text
    .replace(/&(#?\w+);/g, (whole, name: string) => entities.get(name) ?? whole)
    .replace(/\s+/g, ' ')
    .trim()

/** The JSON of an answer as its schema has it; a login page or a proxy's page is told as such. */
export function understood<S extends z.ZodType>(schema: S, answer: Answer, wish: Wish): z.output<S> {
  if (answer.status !== 200) throw fault(answer, wish)
  const reading = (cause?: unknown) =>
    new JenkinsError(
      'unavailable',
      /^\s*</.test(answer.text)
        ? `Jenkins answered with a web page where gkube asked to ${wish.to} ${wish.thing}. Is jenkins.url the address of Jenkins, and does a login page or a proxy stand before it?`
        : `Jenkins answered what gkube does not understand when asked to ${wish.to} ${wish.thing}`,
      { cause },
    )
  let value: unknown
  try {
    value = JSON.parse(answer.text)
  } catch (error) {
    throw reading(error)
  }
  const result = schema.safeParse(value)
  if (!result.success) throw reading(result.error)
  return result.data
}
