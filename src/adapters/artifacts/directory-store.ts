// Uploaded artifacts in a directory that all replicas share: <directory>/<first two digits>/<sha256>. A file has its name
// only when it is whole, hashed and on disk, so that a crash leaves nothing but a `.tmp-` file. core/artifacts/store.ts is
// the port.
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, constants, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { type ArtifactStore, sha256Shape } from '../../core/artifacts/store.ts'
import type { Check } from '../../core/core.ts'
import { UserError } from '../../errors.ts'

/** What an upload that was cut leaves is removed after so long. */
const leftoverMs = 24 * 3_600_000

export function directoryStore(options: {
  readonly directory: string
  readonly maxBytes: number
  readonly keepMs: number
}): ArtifactStore & { checks(): Promise<readonly Check[]> } {
  const { directory, maxBytes, keepMs } = options
  const folderOf = (sha256: string): string => {
    if (!sha256Shape.test(sha256))
      throw new UserError('bad_input', 'That is no SHA-256: 64 digits from 0 to f.')
    return join(directory, sha256.slice(0, 2))
  }
  const pathOf = (sha256: string): string => join(folderOf(sha256), sha256)
  const size = async (sha256: string): Promise<number | null> => (await found(pathOf(sha256)))?.size ?? null

  async function touch(sha256: string): Promise<number | null> {
    const now = new Date()
    await utimes(pathOf(sha256), now, now).catch(missing)
    return size(sha256)
  }

  async function write(file: string, sha256: string, content: AsyncIterable<Uint8Array>): Promise<number> {
    const hash = createHash('sha256')
    let bytes = 0
    const handle = await open(file, 'wx', 0o600)
    try {
      for await (const chunk of content) {
        bytes += chunk.length
        if (bytes > maxBytes) throw tooLarge(maxBytes)
        hash.update(chunk)
        await handle.writeFile(chunk)
      }
      const seen = hash.digest('hex')
      if (seen !== sha256)
        throw new UserError(
          'bad_input',
          `The SHA-256 of what came is ${seen}, not ${sha256}. Nothing was kept.`,
        )
      await handle.sync()
    } finally {
      await handle.close()
    }
    return bytes
  }

  return {
    size,
    touch,
    async put(sha256, content) {
      const folder = folderOf(sha256)
      const file = join(directory, `.tmp-${randomBytes(8).toString('hex')}`)
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        const bytes = await write(file, sha256, content)
        await rename(file, pathOf(sha256))
        await syncFolder(folder)
        return { size: bytes }
      } catch (error) {
        await rm(file, { force: true }).catch(() => undefined)
        throw inWords(error)
      }
    },
    async read(sha256) {
      const path = pathOf(sha256)
      const handle = await open(path, 'r').catch(missing)
      if (!handle) return null
      const { size } = await handle.stat()
      return { size, content: createReadStream(path, { fd: handle, autoClose: true }) }
    },
    async prune({ referenced, now }) {
      const names = (await readdir(directory).catch(missing)) ?? []
      for (const name of names.filter(name => name.startsWith('.tmp-')))
        await removeOlder(join(directory, name), now - leftoverMs)
      const gone: string[] = []
      for (const name of names.filter(name => /^[0-9a-f]{2}$/.test(name)))
        for (const sha256 of await readdir(join(directory, name)))
          if (sha256Shape.test(sha256) && !referenced.has(sha256))
            if (await removeOlder(pathOf(sha256), now - keepMs)) gone.push(sha256)
      return gone
    },
    async checks() {
      const name = 'artifacts'
      try {
        await mkdir(directory, { recursive: true, mode: 0o700 })
        await access(directory, constants.R_OK | constants.W_OK)
        return [{ name, state: 'ok', message: `uploads go to ${directory}`, mend: '' }]
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        return [
          {
            name,
            state: 'failed',
            message: `${directory} cannot be written: ${why}`,
            mend: 'Let gkube write there, or name another one: artifacts.directory in gkube.yaml.',
          },
        ]
      }
    },
  }
}

const tooLarge = (most: number): UserError =>
  new UserError('too_large', `The artifact is larger than ${most} bytes (artifacts.maxSize in gkube.yaml).`, {
    details: { limit: most },
  })

/** Whether it was there, older than that, and went. */
async function removeOlder(path: string, before: number): Promise<boolean> {
  const file = await found(path)
  if (!file || file.mtimeMs >= before) return false
  await rm(path, { force: true })
  return true
}

const found = (path: string) => stat(path).catch(missing)

const missing = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== 'ENOENT') throw error
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  await handle.sync().finally(() => handle.close())
}

/** A disk that is full is nobody's mistake, and must not be an internal error. */
function inWords(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code ?? ''
  return ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EIO'].includes(code)
    ? new UserError(
        'unavailable',
        `The store of artifacts cannot be written (${code}). Operators: see artifacts.directory.`,
        {
          cause: error,
        },
      )
    : error
}
