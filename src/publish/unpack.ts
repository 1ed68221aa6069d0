// An artifact on disk becomes a directory: what it is shows in its first bytes, not in its name. Or it is kept as it is
// (a war or jar): one file in the release.
import { chmod, mkdir, open, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { refused } from './entry-path.ts'
import { defaultLimits, type Limits, releaseTree } from './release-tree.ts'
import { unpackTar } from './tar-entries.ts'
import { unpackZip } from './zip-entries.ts'

export type Unpacked = { readonly files: number; readonly bytes: number }

/** Unpacks `file` into `root`, which must not exist. UserError where the archive is broken or refused. */
export async function unpack(options: {
  readonly file: string
  readonly root: string
  /** Of all files together. */
  readonly bytes: number
  readonly limits?: Partial<Limits>
  readonly signal: AbortSignal
}): Promise<Unpacked> {
  const { file, root, bytes, signal } = options
  const { size } = await stat(file)
  const limits = { ...defaultLimits, bytes, ...options.limits }
  const kind = await kindOf(file)
  const tree = releaseTree({ root, packed: size, limits })
  await tree.begin()
  try {
    if (kind === 'zip') await unpackZip(file, { tree, signal })
    else await unpackTar(file, { gzip: kind === 'gzip', tree, signal })
  } finally {
    // Whoever removes what is half unpacked must not meet a file that is still written.
    await tree.settle()
  }
  const unpacked = await tree.end()
  if (unpacked.files === 0) throw refused('there is no file in it.')
  return unpacked
}

/** The release is this one file. It is moved, so that it needs its room once. */
export async function keepWhole(file: string, root: string, name: string): Promise<Unpacked> {
  await mkdir(root, { mode: 0o755 })
  const { size } = await stat(file)
  const to = join(root, name)
  await rename(file, to)
  await chmod(to, 0o644)
  return { files: 1, bytes: size }
}

/** Formats that people send and that are not unpacked, by how they begin. */
const others: readonly (readonly [string, string])[] = [
  ['fd377a585a00', 'xz'],
  ['425a68', 'bzip2'],
  ['28b52ffd', 'zstd'],
  ['377abcaf271c', '7z'],
  ['52617221', 'rar'],
]

async function kindOf(file: string): Promise<'zip' | 'gzip' | 'tar'> {
  const head = Buffer.alloc(512)
  const handle = await open(file, 'r')
  const { bytesRead } = await handle.read(head, 0, 512, 0).finally(() => handle.close())
  const start = head.subarray(0, bytesRead)
  const hex = start.toString('hex', 0, 8)
  if (hex.startsWith('1f8b')) return 'gzip'
  if (hex.startsWith('504b0304') || hex.startsWith('504b0506')) return 'zip'
  if (bytesRead === 512 && isTarHeader(head)) return 'tar'
  const other = others.find(([magic]) => hex.startsWith(magic))
  const what = other
    ? `it is ${other[1]}.`
    : /^\s*</.test(start.toString('latin1', 0, 64))
      ? 'it begins like a web page: is the address right, and may it be read?'
      : bytesRead === 0
        ? 'it is empty.'
        : 'its first bytes are of no archive.'
  throw refused(`${what} tar, tar.gz and zip are unpacked; GKUBE_UNPACK=false keeps a file as it is.`)
}

/** By the checksum: the oldest tars have no magic. */
function isTarHeader(head: Buffer): boolean {
  const written = Number.parseInt(head.toString('latin1', 148, 156).replace(/[\0 ]/g, ' ').trim(), 8)
  let sum = 0
  for (const [i, byte] of head.entries()) sum += i >= 148 && i < 156 ? 32 : byte
  return sum === written && sum > 8 * 32
}
