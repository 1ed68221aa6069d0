// Reads a zip (checked whole before) and hands its entries to release-tree.ts in the order of its directory. yauzl finds
// and inflates them; names, kinds and checksums are judged here.
import { crc32 } from 'node:zlib'
import yauzl, { type Entry, type ZipFile } from 'yauzl'
import { UserError } from '../errors.ts'
import { plainText, refused, shown } from './entry-path.ts'
import type { ReleaseTree } from './release-tree.ts'

/** Throws UserError where the archive is broken or refused. */
export async function unpackZip(
  file: string,
  { tree, signal }: { tree: ReleaseTree; signal: AbortSignal },
): Promise<void> {
  const zip = await opened(file)
  try {
    if (zip.entryCount > tree.most) throw refused(`it has more than ${tree.most} files and folders.`)
    for (;;) {
      signal.throwIfAborted()
      const entry = await nextEntry(zip)
      if (!entry) return
      await take(zip, entry, tree)
    }
  } finally {
    zip.close()
  }
}

const opened = (file: string): Promise<ZipFile> =>
  new Promise((resolve, reject) => {
    yauzl.open(file, { lazyEntries: true, strictFileNames: true, autoClose: false }, (error, zip) =>
      error ? reject(broken(error)) : resolve(zip),
    )
  })

/** Null at the end. */
const nextEntry = (zip: ZipFile): Promise<Entry | null> =>
  new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      zip.removeAllListeners()
      // One that comes later is of an entry that nobody waits for.
      zip.on('error', () => undefined)
      act()
    }
    zip.once('entry', entry => settle(() => resolve(entry)))
    zip.once('end', () => settle(() => resolve(null)))
    zip.once('error', error => settle(() => reject(broken(error))))
    zip.readEntry()
  })

// Types of Unix, in the upper half of the attributes.
const typeMask = 0o170000
const types = { directory: 0o040000, file: 0o100000, symlink: 0o120000 }

async function take(zip: ZipFile, entry: Entry, tree: ReleaseTree): Promise<void> {
  const name = entry.fileName
  const mode = entry.externalFileAttributes >>> 16
  const type = mode & typeMask
  if (entry.isEncrypted()) throw refused(`${shown(name)} is encrypted.`)
  if (entry.uncompressedSize > tree.left()) tree.unpacked(Number.POSITIVE_INFINITY)
  if (type !== 0 && !Object.values(types).includes(type))
    throw refused(`${shown(name)} is neither a file nor a folder nor a link.`)
  if (name.endsWith('/') || type === types.directory) {
    if (entry.uncompressedSize > 0) throw refused(`${shown(name)} is a folder with content.`)
    return tree.directory(name)
  }
  if (type === types.symlink) {
    if (entry.uncompressedSize > 4096) throw refused(`the link ${shown(name)} is too long.`)
    const chunks: Buffer[] = []
    for await (const chunk of contentOf(zip, entry)) chunks.push(Buffer.from(chunk))
    return tree.symlink(name, Buffer.concat(chunks).toString('utf8'))
  }
  return tree.file(name, { executable: (mode & 0o100) !== 0, content: contentOf(zip, entry) })
}

/** What the entry holds; yauzl holds its size against what was said, here its checksum is. */
async function* contentOf(zip: ZipFile, entry: Entry): AsyncGenerator<Uint8Array> {
  const stream = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
    zip.openReadStream(entry, (error, found) => (error ? reject(broken(error)) : resolve(found)))
  })
  let sum = 0
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      sum = crc32(chunk, sum)
      yield chunk
    }
  } catch (error) {
    throw broken(error)
  }
  if (sum !== entry.crc32) throw refused(`${shown(entry.fileName)} is damaged: its checksum is another one.`)
}

/** What yauzl and zlib say is about the archive; what the disk says has a code of its own. */
function broken(error: unknown): unknown {
  if (error instanceof UserError || !(error instanceof Error)) return error
  const code = (error as NodeJS.ErrnoException).code
  if (code !== undefined && !code.startsWith('Z_')) return error
  return refused(`it is no whole zip (${plainText(error.message, 300)}).`)
}
