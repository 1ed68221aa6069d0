// Serves the page of the sandbox workspace: index, its modules (types stripped on the way out, no build step), styles
// and the libraries. Read-only files of ours and nothing else; what happens in the workspace is ../control.ts.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire, stripTypeScriptTypes } from 'node:module'
import { extname, join } from 'node:path'
import { helpOfAll } from '../../../core/command/help.ts'

const folder = join(import.meta.dirname, 'client')
/** `.ts` in a checkout; `.js` in the npm package, whose dist/ holds the client as tsc emitted it. */
const extension = extname(import.meta.filename)
const styles = ['base', 'layout', 'message', 'controls', 'dialog', 'home']

const packages = createRequire(import.meta.url)
const libraries: Readonly<Record<string, string>> = {
  preact: 'preact',
  'preact/hooks': 'preact/hooks',
  htm: 'htm',
}
const libraryPath = (name: string): string => `/page/lib/${name.replace('/', '-')}.mjs`

const importMap = JSON.stringify({
  imports: Object.fromEntries(Object.keys(libraries).map(name => [name, libraryPath(name)])),
})

const policy = [
  "default-src 'none'",
  // The import map is the only script in the page itself, known by its hash.
  `script-src 'self' 'sha256-${createHash('sha256').update(importMap).digest('base64')}'`,
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data: https:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="#3b5bdb"/><path d="M9 12h14M9 20h9" stroke="#fff" stroke-width="3" stroke-linecap="round"/></svg>'

const index = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content">
<meta name="color-scheme" content="light dark">
<title>Sandbox workspace</title>
<link rel="icon" href="/page/icon.svg" type="image/svg+xml">
${styles.map(name => `<link rel="stylesheet" href="/page/${name}.css">`).join('\n')}
<script type="importmap">${importMap}</script>
<script type="module" src="/page/main${extension}"></script>
</head>
<body>
<div id="page"></div>
<noscript>This page needs JavaScript.</noscript>
</body>
</html>
`

type File = { readonly type: string; readonly body: string; readonly tag: string }

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.ts': 'text/javascript; charset=utf-8',
}

const kept = new Map<string, File>()

/** Answers a GET or HEAD of the page; false where the path is not one of its files. */
export async function servePage(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false
  const path = new URL(request.url ?? '/', 'http://page').pathname
  const file = fileAt(path)
  if (!file) return false
  const same = request.headers['if-none-match'] === file.tag
  response.writeHead(same ? 304 : 200, {
    'content-type': file.type,
    'cache-control': 'no-cache',
    etag: file.tag,
    'content-security-policy': policy,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
  })
  response.end(same || request.method === 'HEAD' ? undefined : file.body)
  return true
}

function fileAt(path: string): File | null {
  const known = kept.get(path)
  if (known) return known
  const body = read(path)
  if (body === null) return null
  const type = types[path === '/' ? '.html' : extname(path)] ?? 'text/plain; charset=utf-8'
  const file = { type, body, tag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 16)}"` }
  kept.set(path, file)
  return file
}

/** Names are letters and dashes: no path can leave the folder. */
function read(path: string): string | null {
  if (path === '/') return index
  if (path === '/page/icon.svg') return icon
  // For completion while typing: what gkube's own help says.
  if (path === '/page/usage.json') return JSON.stringify(helpOfAll())
  const library = Object.keys(libraries).find(name => libraryPath(name) === path)
  if (library) return readFileSync(libraryFile(library), 'utf8')
  const name = /^\/page\/([a-z-]+\.(?:ts|js|css))$/.exec(path)?.[1]
  if (!name) return null
  try {
    const text = readFileSync(join(folder, name), 'utf8')
    return name.endsWith('.ts') ? stripTypeScriptTypes(text) : text
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** `require` finds the packages wherever npm put them; htm's answer to it is the script, its module lies beside it. */
const libraryFile = (name: string): string =>
  packages.resolve(libraries[name] ?? name).replace(/htm\.js$/, 'htm.mjs')
