// `gkube publish finish`: the release gets its name when all of it is on disk, `current` follows by a rename, old releases
// go. Each step can be repeated: two of them at once, or a second one after a crash, end the same.
import { lstat, open, readdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { UserError } from '../errors.ts'
import { volumeError } from './disk.ts'
import { removeLeftovers } from './fetch.ts'
import { readMarker, writeMarker } from './marker.ts'
import type { FinishSettings, Settings } from './settings.ts'

type Run = {
  readonly print: (line: string) => void
  readonly now: () => number
  readonly signal: AbortSignal
}

/** Temporary names of other deploys are left for so long: one may be running. */
const leftoverMs = 6 * 3_600_000
/** Files that are synced at the same time. */
const atOnce = 16

/** Answers the last line. */
export async function finishRelease(settings: FinishSettings, run: Run): Promise<string> {
  try {
    await nameRelease(settings, run)
    if (settings.activate === 'reload') await switchCurrent(settings, run.print)
  } catch (error) {
    throw volumeError(error)
  }
  // What serves is settled: a rest that cannot be removed is no reason to fail.
  await prune(settings, run).catch(error => run.print(`not everything old was removed: ${messageOf(error)}`))
  return `published as releases/${settings.name}`
}

async function nameRelease(settings: FinishSettings, { print, now, signal }: Run): Promise<void> {
  const { making, releases, name, revision, sha256, recipe, deploy } = settings
  const final = join(releases, name)
  if (!(await isFolder(making))) {
    if (!(await isWhole(final, settings)))
      throw new UserError(
        'conflict',
        `There is nothing to finish: ${making} is not there. \`gkube publish fetch\` makes it; run the deploy again.`,
      )
    print(`releases/${name} is there already`)
    return
  }
  const made = recipe === '' ? {} : { recipe }
  await writeMarker(making, {
    schema: 1,
    revision,
    sha256,
    ...made,
    deploy,
    at: new Date(now()).toISOString(),
  })
  const synced = await syncTree(making, signal)
  print(`${synced} files and folders are on disk`)
  // Another one may do the same at this moment: the rename decides, and what is whole is never moved away for long.
  for (let attempt = 0; attempt < 3; attempt++) {
    const moved = await rename(making, final).then(() => true, unless('ENOTEMPTY', 'EEXIST', 'ENOTDIR'))
    if (moved) break
    if (await isWhole(final, settings)) {
      print(`releases/${name} is there already`)
      break
    }
    const aside = `${making}.replaced`
    await rename(final, aside).catch(unless('ENOENT'))
    if (await isWhole(aside, settings)) await rename(aside, final).catch(unless('ENOTEMPTY', 'EEXIST'))
    else print(`releases/${name} was not whole and is replaced`)
  }
  if (!(await isWhole(final, settings)))
    throw new UserError('conflict', `releases/${name} changes while it is published. Run the deploy again.`)
  await syncFolder(releases)
  await removeLeftovers(settings)
}

/** `current` is a link that is renamed over the old one: a reader sees the old release or the new one. */
async function switchCurrent(
  { volume, name, deploy }: Settings,
  print: (line: string) => void,
): Promise<void> {
  const current = join(volume, 'current')
  const target = `releases/${name}`
  const before = await readlink(current).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    if (error.code !== 'EINVAL') throw error
    throw new UserError('conflict', `${current} is no link, so it cannot be switched. Move it away first.`)
  })
  if (before === target) return
  const next = join(volume, `.current-${deploy}`)
  await rm(next, { force: true })
  await symlink(target, next)
  await rename(next, current)
  await syncFolder(volume)
  print(`current is ${target}${before === null ? '' : `, was ${before}`}`)
}

/** Removes releases of ours that are not to be kept, and what crashed deploys left long ago. */
async function prune(settings: FinishSettings, { print, now }: Run): Promise<void> {
  const { volume, releases, name, keep } = settings
  const current = await linkAt(join(volume, 'current'))
  const kept = new Set([...(keep ?? []), name, current === null ? '' : basename(current)])
  for (const found of await readdir(releases)) {
    const path = join(releases, found)
    if (found.startsWith('.tmp-')) {
      const { mtimeMs, ctimeMs } = await lstat(path)
      if (now() - Math.max(mtimeMs, ctimeMs) > leftoverMs) await rm(path, { recursive: true, force: true })
      continue
    }
    if (keep === null || kept.has(found) || found.startsWith('.')) continue
    const marker = await readMarker(path)
    if (marker === null) {
      print(`left alone: releases/${found}, which gkube did not make`)
      continue
    }
    // Ids sort by time: a late one knows nothing of those that came after it.
    if (marker.deploy > settings.deploy) continue
    // Half of it must never stand below its name.
    const going = join(releases, `.tmp-gone-${settings.deploy}-${found}`)
    await rename(path, going).catch(unless('ENOENT'))
    await rm(going, { recursive: true, force: true })
    print(`removed releases/${found}`)
  }
}

async function isWhole(path: string, { revision, sha256, recipe }: Settings): Promise<boolean> {
  if (!(await isFolder(path))) return false
  const marker = await readMarker(path)
  return marker?.revision === revision && marker.sha256 === sha256 && (marker.recipe ?? '') === recipe
}

/** Everything below, files before the folders that name them; links are in their folder. How many there were. */
async function syncTree(root: string, signal: AbortSignal): Promise<number> {
  let count = 0
  async function below(folder: string): Promise<void> {
    signal.throwIfAborted()
    const entries = await readdir(folder, { withFileTypes: true })
    for (const entry of entries) if (entry.isDirectory()) await below(join(folder, entry.name))
    const files = entries.filter(entry => entry.isFile()).map(entry => join(folder, entry.name))
    for (let i = 0; i < files.length; i += atOnce) await Promise.all(files.slice(i, i + atOnce).map(sync))
    await syncFolder(folder)
    count += files.length + 1
  }
  await below(root)
  return count
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(unless('EACCES'))
  // One that its own script made unreadable is the script's business.
  if (!handle) return
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Some file systems cannot sync a folder, and say so. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync().catch(unless('EINVAL', 'ENOTSUP'))
  } finally {
    await handle.close()
  }
}

const isFolder = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(unless('ENOENT', 'ENOTDIR')))?.isDirectory() ?? false

/** Where a link leads; null: it is none, or not there. */
const linkAt = async (path: string): Promise<string | null> =>
  (await readlink(path).catch(unless('ENOENT', 'EINVAL'))) ?? null

/** Lets these errors pass as undefined. */
const unless =
  (...codes: readonly string[]) =>
  (error: NodeJS.ErrnoException): undefined => {
    if (!codes.includes(error.code ?? '')) throw error
  }

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
