// An answer of the stand-in Jenkins, thrown or returned: status, body, headers. Errors are pages of HTML, as Jenkins'.

export type Headers = Readonly<Record<string, string>>

export class Answer extends Error {
  readonly status: number
  readonly headers: Headers
  readonly body: string
  constructor(status: number, body: string, headers: Headers = {}) {
    super(body)
    this.status = status
    this.headers = headers
    this.body =
      status >= 400 && !headers['content-type'] ? page(`Error ${status}`, `<p>${escaped(body)}</p>`) : body
  }
}

export const json = (body: unknown, headers: Headers = {}): Answer =>
  new Answer(200, JSON.stringify(body), { 'content-type': 'application/json;charset=utf-8', ...headers })

export const text = (body: string, headers: Headers = {}): Answer =>
  new Answer(200, body, { 'content-type': 'text/plain;charset=utf-8', ...headers })

export const html = (title: string, body: string): Answer =>
  new Answer(200, page(title, body), { 'content-type': 'text/html;charset=utf-8' })

export const redirect = (status: 201 | 302 | 303, location: string): Answer =>
  new Answer(status, '', { location })

export const notFound = (): Answer => new Answer(404, 'Not Found')

export const escaped = (text: string): string => text.replace(/[&<>"']/g, sign => `&#${sign.charCodeAt(0)};`)

/** A plain page that is readable in light and dark. */
export const page = (
  title: string,
  body: string,
): string => `<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>${escaped(title)} [Jenkins]</title><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
pre{overflow:auto;padding:1rem;border:1px solid color-mix(in srgb,currentColor 25%,transparent);border-radius:6px}
code,td{overflow-wrap:anywhere}td,th{text-align:left;padding:.2rem 1rem .2rem 0}</style></head><body><h1>${escaped(title)}</h1>${body}</body></html>`
