// Writes the entries of an archive below one new directory, whatever they say. The tree is known here: no entry goes
// below anything but a directory that was made here, and links are made when all else is written, so that nothing can be
// written through one. Who reads archives is tar-entries.ts and zip-entries.ts.
import { link, mkdir, open, symlink, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { checkCharacters, entryParts, refused, shown } from './entry-path.ts'

export type Limits = {
  readonly entries: number
  /** Of all files together, unpacked. */
  readonly bytes: number
  /** So many times the size of the archive, beyond `ratioFrom` bytes. */
  readonly ratio: number
  readonly ratioFrom: number
}

export const defaultLimits = { entries: 100_000, ratio: 200, ratioFrom: 64 * 1024 * 1024 }

/** Files up to this size are written several at a time. */
const small = 256 * 1024
const atOnce = 16

export type ReleaseTree = ReturnType<typeof releaseTree>

type Node = { readonly kind: 'directory' | 'file' } | { readonly kind: 'symlink' | 'hardlink'; to: string }

const mega = (bytes: number): string => `${Math.max(1, Math.round(bytes / 1024 / 1024))} MiB`

/** `root` must not exist; its parent must. `packed`: bytes of the archive. */
export function releaseTree({
  root,
  packed,
  limits,
}: {
  readonly root: string
  readonly packed: number
  readonly limits: Limits
}) {
  const nodes = new Map<string, Node>()
  const writing = new Set<Promise<void>>()
  let failure: { readonly error: unknown } | null = null
  let bytes = 0
  let files = 0

  function count(name: string): void {
    if (nodes.size >= limits.entries)
      throw refused(`it has more than ${limits.entries} files and folders (${shown(name)}).`)
  }

  /** Counts what comes out of the archive; also what no file gets. */
  function unpacked(total: number): void {
    if (total > limits.bytes)
      throw refused(`unpacked it is larger than ${mega(limits.bytes)} (GKUBE_UNPACK_LIMIT).`)
    if (total > limits.ratioFrom && total > packed * limits.ratio)
      throw refused(`it grows to more than ${limits.ratio} times its size: that is no code.`)
  }

  /** Makes the folders above; the directory that the entry is in. */
  async function parentsOf(parts: readonly string[], name: string): Promise<void> {
    for (let depth = 1; depth < parts.length; depth++) await makeDirectory(parts.slice(0, depth), name)
  }

  async function makeDirectory(parts: readonly string[], name: string): Promise<void> {
    const key = parts.join('/')
    const node = nodes.get(key)
    if (node?.kind === 'directory') return
    if (node)
      throw refused(`${shown(name)} needs ${shown(key)} as a folder, which it also has as a ${node.kind}.`)
    count(name)
    await mkdir(join(root, key), { mode: 0o755 }).catch(inWords(name))
    nodes.set(key, { kind: 'directory' })
  }

  /** The key of an entry that is no directory; `replaces` may stand there already. */
  async function place(
    name: string,
    replaces: Node['kind'],
  ): Promise<{ key: string; before: Node | undefined }> {
    const parts = entryParts(name)
    if (parts.length === 0) throw refused(`${shown(name)} is no name for a file.`)
    await parentsOf(parts, name)
    const key = parts.join('/')
    const before = nodes.get(key)
    if (before && before.kind !== replaces)
      throw refused(`${shown(name)} is there twice: as a ${before.kind} and as a ${replaces}.`)
    if (!before) count(name)
    return { key, before }
  }

  async function* counted(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      bytes += chunk.length
      unpacked(bytes)
      yield chunk
    }
  }

  /** Follows hard links of the archive to the file that they are. */
  function fileOf(key: string, name: string): string {
    const seen = new Set<string>()
    let at = key
    for (;;) {
      const node = nodes.get(at)
      if (node?.kind === 'file') return at
      if (node?.kind !== 'hardlink' || seen.has(at))
        throw refused(`${shown(name)} is a hard link to ${shown(at)}, which is no file of the archive.`)
      seen.add(at)
      at = node.to
    }
  }

  /** A symbolic link stays inside, and its way leads over folders only. */
  function checkTarget(key: string, target: string): void {
    const name = `${key} -> ${target}`
    const at = key.split('/').slice(0, -1)
    const steps = target.split('/').filter(step => step !== '' && step !== '.')
    for (const [i, step] of steps.entries()) {
      if (step !== '..') at.push(step)
      else if (at.pop() === undefined) throw refused(`the link ${shown(name)} leads out of the release.`)
      const node = nodes.get(at.join('/'))
      if (i < steps.length - 1 && node?.kind === 'symlink')
        throw refused(`the link ${shown(name)} leads through another link.`)
    }
  }

  /** A small file is written while the next ones are read: on a network's volume each takes its time. */
  async function beside(work: Promise<void>): Promise<void> {
    const job = work
      .catch((error: unknown) => {
        failure ??= { error }
      })
      .finally(() => writing.delete(job))
    writing.add(job)
    if (writing.size >= atOnce) await Promise.race(writing)
    if (failure) throw failure.error
  }

  async function written(): Promise<void> {
    await Promise.all(writing)
    if (failure) throw failure.error
  }

  return {
    begin: async (): Promise<void> => void (await mkdir(root, { mode: 0o755 })),
    /** Bytes that an archive gave so far, with what is between its files. */
    unpacked,
    /** Resolves when nothing is written any more, whatever became of it. */
    settle: async (): Promise<void> => void (await Promise.all(writing)),
    /** How much of the limit is left. */
    left: (): number => limits.bytes - bytes,
    most: limits.entries,
    async directory(name: string): Promise<void> {
      const parts = entryParts(name)
      if (parts.length === 0) return
      await parentsOf(parts, name)
      await makeDirectory(parts, name)
    },
    async file(
      name: string,
      { executable, content }: { executable: boolean; content: AsyncIterable<Uint8Array> },
    ): Promise<void> {
      const { key, before } = await place(name, 'file')
      const path = join(root, key)
      // As tar has it: the last one counts.
      if (before) {
        await written()
        await unlink(path)
      } else files++
      nodes.set(key, { kind: 'file' })
      const chunks = counted(content)
      const start = await beginningOf(chunks)
      const make = async (rest: AsyncIterable<Uint8Array> | null) => {
        const handle = await open(path, 'wx', executable ? 0o755 : 0o644).catch(inWords(name))
        try {
          await handle.writeFile(start.bytes)
          if (rest) await handle.writeFile(rest)
        } finally {
          await handle.close()
        }
      }
      if (start.whole) await beside(make(null))
      else await make(chunks)
    },
    async symlink(name: string, target: string): Promise<void> {
      const { key } = await place(name, 'symlink')
      checkCharacters(target, `${name} -> ${target}`)
      if (target === '' || target.startsWith('/') || /^[A-Za-z]:/.test(target))
        throw refused(
          `the link ${shown(`${name} -> ${target}`)} is absolute. Make such links in the code update script.`,
        )
      nodes.set(key, { kind: 'symlink', to: target })
    },
    async hardlink(name: string, target: string): Promise<void> {
      const { key } = await place(name, 'hardlink')
      const to = entryParts(target).join('/')
      nodes.set(key, { kind: 'hardlink', to })
    },
    /** Makes the links, each checked against the whole tree. Answers what was unpacked. */
    async end(): Promise<{ files: number; bytes: number }> {
      await written()
      for (const [key, node] of nodes)
        if (node.kind === 'hardlink')
          await link(join(root, fileOf(node.to, key)), join(root, key)).catch(inWords(key))
      for (const [key, node] of nodes) if (node.kind === 'symlink') checkTarget(key, node.to)
      for (const [key, node] of nodes)
        if (node.kind === 'symlink') await symlink(node.to, join(root, key)).catch(inWords(key))
      return { files, bytes }
    },
  }
}

/** All of it, if it is small; else its beginning, and the rest is still to come. */
async function beginningOf(
  chunks: AsyncGenerator<Uint8Array>,
): Promise<{ readonly bytes: Buffer; readonly whole: boolean }> {
  const parts: Uint8Array[] = []
  let size = 0
  while (size <= small) {
    const { done, value } = await chunks.next()
    if (done) return { bytes: Buffer.concat(parts), whole: true }
    parts.push(value)
    size += value.length
  }
  return { bytes: Buffer.concat(parts), whole: false }
}

/** What the file system has against a name. */
const inWords =
  (name: string) =>
  (error: unknown): never => {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EEXIST') throw refused(`${shown(name)} is the same name as another one on this volume.`)
    if (code === 'ENAMETOOLONG' || code === 'EILSEQ' || code === 'EINVAL')
      throw refused(`${shown(name)} is no name that this volume takes.`)
    throw error
  }
