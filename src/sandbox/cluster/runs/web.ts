// The web server of a pod: what its image would listen with, played by one listener in this process, on a free port of
// 127.0.0.1. It serves a release that is mounted as code, or says in a line who answers. A process a pod would cost
// some 45 MB each; a listener costs a few KB, so hundreds of pods are no matter.
import { createReadStream } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, extname, join, normalize, sep } from 'node:path'

/** Code on a volume: `path` is a release, or a folder in which `current` leads to one. */
export type Site = {
  readonly path: string
  /** The whole volume: links of a release lead to what all share. */
  readonly volume: string
}

export type Web = {
  readonly port: number
  /** The status that a GET of this path gets. */
  status(path: string): Promise<number>
  /** SIGTERM: takes no more connections, answers what it has begun; resolves when that is done. */
  drain(): Promise<void>
  /** SIGKILL. */
  destroy(): void
}

type Options = {
  readonly pod: string
  /** Such as `web 1.4.2`. */
  readonly title: string
  readonly site: Site | null
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.txt': 'text/plain; charset=utf-8',
}
const longestWaitMs = 30_000

type Found =
  | {
      readonly kind: 'file'
      readonly path: string
      readonly size: number
      readonly release: string
    }
  | { readonly kind: 'line'; readonly text: string; readonly release?: string }
  | { readonly kind: 'missing'; readonly release?: string }

export async function openWeb({ pod, title, site }: Options): Promise<Web> {
  const server = createServer((request, response) => {
    answer(request, response).catch(error => {
      // Such as a file that goes while it is read; nobody but the one who asked is concerned.
      if (response.headersSent) response.destroy(error)
      else response.writeHead(500).end(`${title}: ${(error as Error).message}\n`)
    })
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = URL.parse(request.url ?? '/', 'http://pod')
    const wait = Math.min(Number(url?.searchParams.get('wait')) || 0, longestWaitMs)
    if (wait > 0) await new Promise(done => setTimeout(done, wait))
    const found = await find(site, title, url?.pathname ?? '/')
    const release = found.release ? { 'x-gkube-release': found.release } : {}
    const head = { 'x-gkube-pod': pod, 'cache-control': 'no-store', ...release }
    if (found.kind === 'missing')
      return void response
        .writeHead(404, { ...head, 'content-type': 'text/plain; charset=utf-8' })
        .end(`${title} has no ${url?.pathname} (pod ${pod})\n`)
    if (found.kind === 'line')
      return void response
        .writeHead(200, { ...head, 'content-type': 'text/plain; charset=utf-8' })
        .end(`${found.text} (pod ${pod})\n`)
    const type = types[extname(found.path)] ?? 'application/octet-stream'
    response.writeHead(200, { ...head, 'content-type': type, 'content-length': found.size })
    if (request.method === 'HEAD') return void response.end()
    // To the size that was announced, whatever happens to the file.
    if (found.size === 0) return void response.end()
    createReadStream(found.path, { end: found.size - 1 })
      .on('error', error => response.destroy(error))
      .pipe(response)
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo // not a pipe: it listens on TCP
  return {
    port,
    status: async path =>
      (await find(site, title, URL.parse(path, 'http://pod')?.pathname ?? '/')).kind === 'missing'
        ? 404
        : 200,
    drain: () =>
      new Promise(done => {
        server.close(() => done())
        server.closeIdleConnections()
      }),
    destroy: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** What a path leads to now. */
async function find(site: Site | null, title: string, pathname: string): Promise<Found> {
  if (!site) return { kind: 'line', text: title }
  const root = (await realpath(join(site.path, 'current')).catch(unlessMissing)) ?? site.path
  const release = basename(root)
  const missing: Found = { kind: 'missing', release }
  const plain = normalize(decoded(pathname))
  // As a careful server does: nothing above the release, no files that begin with a dot.
  if (plain.split('/').some(part => part.startsWith('.'))) return missing
  const names = (await readdir(root)).filter(name => !name.startsWith('.'))
  // Code that is no site, such as a war: what would run it is not here, and it would answer whatever is asked.
  if (names.length > 0 && !names.some(name => name.endsWith('.html')))
    return { kind: 'line', text: `${title} with ${names.slice(0, 5).join(', ')}`, release }
  const wanted = await realpath(join(root, plain)).catch(unlessMissing)
  if (wanted === undefined || !(within(wanted, root) || within(wanted, site.volume))) return missing
  const file = (await fileAt(wanted)) ?? (await fileAt(join(wanted, 'index.html')))
  return file ? { kind: 'file', ...file, release } : missing
}

async function fileAt(path: string): Promise<{ path: string; size: number } | undefined> {
  const is = await stat(path).catch(unlessMissing)
  return is?.isFile() ? { path, size: is.size } : undefined
}

const within = (path: string, folder: string): boolean => path === folder || path.startsWith(folder + sep)

function decoded(pathname: string): string {
  try {
    return decodeURIComponent(pathname)
  } catch {
    return '/\0' // not an encoding: nothing has that name
  }
}

const unlessMissing = (error: NodeJS.ErrnoException): undefined => {
  if (!['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ERR_INVALID_ARG_VALUE'].includes(error.code ?? ''))
    throw error
}
