// The code of the example `site`, as a build would upload it: revisions 1, 2 and 3, packed from examples/site, and `bad`,
// an archive that was cut. Given to the store at the first start, so that `gkube deploy site 1` has something to publish.
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create } from 'tar'
import type { ArtifactStore } from '../core/artifacts/store.ts'
import type { Caller, Core } from '../core/core.ts'

export const siteRevisions = ['1', '2', '3', 'bad'] as const

/** In a checkout; the npm package and an image have none. */
const source = join(import.meta.dirname, '../../examples/site')
export const hasSite = (): boolean => existsSync(source)

/** A tar.gz of a revision: `{version}` in its page is filled in. */
export async function siteArtifact(revision: string): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-site-'))
  try {
    const code = join(folder, 'code')
    cpSync(source, code, { recursive: true })
    const page = join(code, 'index.html')
    writeFileSync(page, readFileSync(page, 'utf8').replaceAll('{version}', revision))
    const file = join(folder, 'site.tgz')
    await create({ file, cwd: code, gzip: true, portable: true }, ['.'])
    const whole = readFileSync(file)
    return revision === 'bad' ? whole.subarray(0, Math.floor(whole.length * 0.6)) : whole
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Puts them into the store, each with the revision that it is. */
export async function uploadSite(
  core: Pick<Core, 'recordArtifact'>,
  store: Pick<ArtifactStore, 'put'>,
  caller: Caller,
): Promise<void> {
  for (const revision of siteRevisions) {
    const bytes = await siteArtifact(revision)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    await store.put(sha256, parts(bytes))
    await core.recordArtifact(caller, { app: 'site', revision, sha256 })
  }
}

async function* parts(bytes: Buffer): AsyncIterable<Uint8Array> {
  yield bytes
}
