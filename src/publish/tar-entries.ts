// Reads a tar or tar.gz (checked whole before) and hands its entries to release-tree.ts, one after the other. node-tar
// only parses here: it writes nothing. Whatever is no file, folder or link is refused.
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { Parser, type ReadEntry } from 'tar'
import { UserError } from '../errors.ts'
import { plainText, refused, shown } from './entry-path.ts'
import type { ReleaseTree } from './release-tree.ts'

const kinds: Readonly<Record<string, string>> = {
  CharacterDevice: 'a device',
  BlockDevice: 'a device',
  FIFO: 'a pipe',
}

/** Throws UserError where the archive is broken or refused; nothing is written any more then. */
export async function unpackTar(
  file: string,
  { gzip, tree, signal }: { gzip: boolean; tree: ReleaseTree; signal: AbortSignal },
): Promise<void> {
  const writer = entryWriter(tree)
  const read = (source: AsyncIterable<Buffer>) => parse(source, tree, writer)
  try {
    const input = createReadStream(file, { highWaterMark: 256 * 1024 })
    if (gzip) await pipeline(input, createGunzip(), read, { signal })
    else await pipeline(input, read, { signal })
  } catch (error) {
    // Whoever removes what is half unpacked must not meet a file that is still written.
    await writer.stop()
    throw brokenTar(error)
  }
}

/** One entry after the other, as they are read. */
function entryWriter(tree: ReleaseTree) {
  let stopped = false
  let open: PassThrough | null = null
  let taking: Promise<void> = Promise.resolve()

  async function take(entry: ReadEntry): Promise<void> {
    if (stopped) return
    const { path, type, linkpath = '' } = entry
    // A name that ends in a slash was a folder before tar had a type for it.
    const isFile = ['File', 'OldFile', 'ContiguousFile'].includes(type) && !path.endsWith('/')
    if (isFile) {
      const content = new PassThrough()
      open = content
      // Who reads it hears of them; where nobody reads yet, something else failed first.
      content.on('error', () => undefined)
      entry.on('error', error => content.destroy(error as Error)) // Minipass emits nothing else
      entry.pipe(content)
      return await tree.file(path, { executable: ((entry.mode ?? 0) & 0o100) !== 0, content })
    }
    const kind = kinds[type]
    if (kind) throw refused(`${shown(path)} is ${kind}.`)
    if (type === 'SymbolicLink') await tree.symlink(path, linkpath)
    else if (type === 'Link') await tree.hardlink(path, linkpath)
    else if (entry.size > 0) throw refused(`${shown(path)} is a folder with content.`)
    else await tree.directory(path)
    entry.resume()
  }

  return {
    take: (entry: ReadEntry): Promise<void> => {
      taking = taking.then(() => take(entry))
      return taking
    },
    /** Resolves when all that was taken is written. */
    idle: (): Promise<void> => taking,
    stop: async (): Promise<void> => {
      stopped = true
      open?.destroy(new Error('stopped'))
      // It was told already, or is told by who stops this.
      await taking.catch(() => undefined)
    },
  }
}

async function parse(
  source: AsyncIterable<Buffer>,
  tree: ReleaseTree,
  writer: ReturnType<typeof entryWriter>,
): Promise<void> {
  let fail: (error: unknown) => void = () => undefined
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  // Also awaited below; a failure that comes while nothing waits is not unhandled.
  failed.catch(() => undefined)
  let ended = false
  const parser = new Parser({
    strict: true,
    zstd: false,
    onReadEntry: entry => void writer.take(entry).catch(fail),
  })
  parser.on('error', fail)
  parser.on('eof', () => {
    ended = true
  })
  // Of a kind that node-tar does not know, or with names of a megabyte.
  parser.on('ignoredEntry', (entry: ReadEntry) =>
    fail(refused(`${shown(entry.path)} is of a kind that is not unpacked (${entry.type}).`)),
  )
  const done = once(parser, 'end')
  done.catch(() => undefined)
  let size = 0
  for await (const chunk of source) {
    // node-tar would unpack what is packed twice, past the limits here.
    if (size === 0 && chunk[0] === 0x1f && chunk[1] === 0x8b) throw refused('it is compressed twice.')
    size += chunk.length
    tree.unpacked(size - overhead(tree))
    if (!parser.write(chunk)) await Promise.race([once(parser, 'drain'), failed])
  }
  parser.end()
  await Promise.race([done, failed])
  await Promise.race([writer.idle(), failed])
  if (!ended) throw refused('it ends in the middle: it was not packed to its end.')
}

/** Headers and padding of as many entries as there may be. */
const overhead = (tree: ReleaseTree): number => Math.min(tree.most, 100_000) * 2048

function brokenTar(error: unknown): unknown {
  if (error instanceof UserError) return error
  const { code, message, tarCode } = error as Error & { code?: string; tarCode?: string }
  if (code?.startsWith('Z_')) return refused(`its gzip data is damaged or cut (${plainText(message, 300)}).`)
  if ((tarCode ?? code)?.startsWith('TAR_'))
    return refused(`it is no whole tar (${plainText(message, 300)}).`)
  return error
}
