// GET /cli: the command line as one file that an agent fetches from its server, so that both are of one version. Built
// into dist/cli.mjs with the npm package and the image; a checkout bundles its sources when it is first asked.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { UserError } from '../../errors.ts'

export type CliFile = { readonly body: Uint8Array<ArrayBuffer>; readonly etag: string }

const fromSources = import.meta.url.endsWith('.ts')
const entry = fileURLToPath(new URL('../cli/standalone.ts', import.meta.url))
const built = new URL(fromSources ? '../../../dist/cli.mjs' : '../../cli.mjs', import.meta.url)

/** Gives the file; made or read once, and again only where that failed. */
export function cliFile(version: string): () => Promise<CliFile> {
  let kept: Promise<CliFile> | undefined
  return () => {
    kept ??= load(version).catch(error => {
      kept = undefined
      throw error
    })
    return kept
  }
}

// A package in it is CommonJS, and asks for Node's own modules that way.
const require = `import{createRequire as __r}from'node:module';const require=__r(import.meta.url);`

async function load(version: string): Promise<CliFile> {
  const made = fromSources ? await bundleCli(version) : null
  const body = made ? made.code : new Uint8Array(await read())
  return { body, etag: `"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"` }
}

async function read(): Promise<Uint8Array> {
  try {
    return await readFile(built)
  } catch (error) {
    throw new UserError(
      'unavailable',
      'This server was made without the command line as a file. `npm run build` makes it; the image has it.',
      { cause: error },
    )
  }
}

/** One ES module of the sources; null where there is no bundler (production packages only). */
export async function bundleCli(
  version: string,
): Promise<{ code: Uint8Array<ArrayBuffer>; inputs: readonly string[] } | null> {
  const { build, stop } = await import('esbuild').catch(error => {
    if (error?.code === 'ERR_MODULE_NOT_FOUND') return { build: null, stop: null }
    throw error
  })
  if (!build) return null
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: 'node18',
    minify: true,
    // An error of it should still say where in the sources it was.
    keepNames: true,
    charset: 'utf8',
    legalComments: 'eof',
    banner: {
      js: `#!/usr/bin/env node\n// gkube ${version}: the command line; node gkube.mjs --help\n${require}`,
    },
    define: { 'process.env.GKUBE_BUNDLED_VERSION': JSON.stringify(version) },
    logLevel: 'silent',
  })
  // Its helper process is needed once.
  await stop()
  const [file] = outputFiles
  if (!file) throw new Error('the bundler made no file')
  return { code: new Uint8Array(file.contents), inputs: Object.keys(metafile.inputs) }
}
