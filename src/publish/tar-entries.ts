// Reads a tar or tar.gz (checked whole before) and hands its entries to release-tree.ts, one after the other. node-tar
// only parses here: it writes nothing. Whatever is no file, folder or link is refused.
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { Parser, type ReadEntry } from 'tar'
import { UserError } from '../errors.ts'
import { refused, shown } from './entry-path.ts'
import type { ReleaseTree } from './release-tree.ts'

const kinds: Readonly<Record<string, string>> = {
  CharacterDevice: 'a device',
  BlockDevice: 'a device',
  FIFO: 'a pipe',
}

/** Throws UserError where the archive is broken or refused. */
export async function unpackTar(
  file: string,
  { gzip, tree, signal }: { gzip: boolean; tree: ReleaseTree; signal: AbortSignal },
): Promise<void> {
  const read = (source: AsyncIterable<Buffer>) => parse(source, tree)
  try {
    const input = createReadStream(file, { highWaterMark: 256 * 1024 })
    if (gzip) await pipeline(input, createGunzip(), read, { signal })
    else await pipeline(input, read, { signal })
  } catch (error) {
    throw brokenTar(error)
  }
}

async function parse(source: AsyncIterable<Buffer>, tree: ReleaseTree): Promise<void> {
  let fail: (error: unknown) => void = () => undefined
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  // Also awaited below; a failure that comes while nothing waits is not unhandled.
  failed.catch(() => undefined)
  let ended = false
  let taking: Promise<void> = Promise.resolve()
  const parser = new Parser({
    strict: true,
    zstd: false,
    onReadEntry: entry => {
      taking = taking.then(() => take(entry, tree))
      taking.catch(fail)
    },
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
  await Promise.race([taking, failed])
  if (!ended) throw refused('it ends in the middle: it was not packed to its end.')
}

/** Headers and padding of as many entries as there may be. */
const overhead = (tree: ReleaseTree): number => Math.min(tree.most, 100_000) * 2048

async function take(entry: ReadEntry, tree: ReleaseTree): Promise<void> {
  const { path, linkpath = '' } = entry
  if (entry.type === 'File' || entry.type === 'OldFile' || entry.type === 'ContiguousFile') {
    // A name that ends in a slash was a folder before tar had a type for it.
    if (path.endsWith('/') && entry.size > 0) throw refused(`${shown(path)} is a folder with content.`)
    if (!path.endsWith('/')) {
      const content = new PassThrough()
      entry.on('error', error => content.destroy(error as Error)) // Minipass emits nothing else
      entry.pipe(content)
      await tree.file(path, { executable: ((entry.mode ?? 0) & 0o100) !== 0, content })
      return
    }
  }
  const kind = kinds[entry.type]
  if (kind) throw refused(`${shown(path)} is ${kind}.`)
  if (entry.type === 'SymbolicLink') await tree.symlink(path, linkpath)
  else if (entry.type === 'Link') await tree.hardlink(path, linkpath)
  else await tree.directory(path)
  entry.resume()
}

function brokenTar(error: unknown): unknown {
  if (error instanceof UserError) return error
  const { code, message, tarCode } = error as Error & { code?: string; tarCode?: string }
  if (code?.startsWith('Z_')) return refused(`its gzip data is damaged or cut (${message}).`)
  if ((tarCode ?? code)?.startsWith('TAR_')) return refused(`it is no whole tar (${message}).`)
  return error
}
