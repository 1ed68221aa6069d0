// `gkube publish fetch`: artifact → checked file → unpacked below a temporary name. What a crash left of the same deploy
// is removed first; what fails here is removed too. finish.ts gives the release its name.
import { copyFile, lstat, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UserError } from '../errors.ts'
import { volumeError } from './disk.ts'
import { download } from './download.ts'
import type { FetchSettings } from './settings.ts'
import { keepWhole, unpack } from './unpack.ts'

type Run = { readonly print: (line: string) => void; readonly signal: AbortSignal }

/** Answers the last line. */
export async function fetchRelease(settings: FetchSettings, { print, signal }: Run): Promise<string> {
  const { making, sha256 } = settings
  const file = `${making}.artifact`
  await releasesFolder(settings)
  try {
    await removeLeftovers(settings)
    const size = await download(settings, { file, signal, print })
    print(`got ${sizeText(size)}, SHA-256 ${sha256.slice(0, 12)}… as approved`)
    const { files, bytes } = settings.unpack
      ? await unpack({ file, root: making, bytes: settings.unpackLimit, signal })
      : await keepWhole(file, making, settings.fileName)
    await rm(file, { force: true })
    // An app's own image may lack gkube, but it has a shell.
    await copyFile(updateScript, `${making}.update.sh`)
    return `${files} ${files === 1 ? 'file' : 'files'}, ${sizeText(bytes)}, ready for the code update`
  } catch (error) {
    await removeLeftovers(settings).catch(() => undefined)
    throw volumeError(error)
  }
}

/** The code update script that ships with gkube. */
export const updateScript = fileURLToPath(new URL('update.sh', import.meta.url))

/** Made where it is not there; UserError where the volume is not as it should be. */
async function releasesFolder({ volume, releases }: FetchSettings): Promise<void> {
  try {
    if (!(await stat(volume)).isDirectory()) throw new Error('not a directory')
  } catch (cause) {
    throw new UserError(
      'bad_input',
      `There is no folder ${volume} (GKUBE_VOLUME): is the volume mounted there?`,
      {
        cause,
      },
    )
  }
  await mkdir(releases, { mode: 0o755, recursive: true }).catch(error => {
    throw volumeError(error)
  })
  // A link could lead a release elsewhere.
  if (!(await lstat(releases)).isDirectory())
    throw new UserError(
      'conflict',
      `${releases} is a link and not a folder: releases are not written through one.`,
    )
}

/** `.tmp-<deploy>` and what stands beside it. */
export async function removeLeftovers({
  releases,
  making,
}: Pick<FetchSettings, 'releases' | 'making'>): Promise<void> {
  const own = basename(making)
  for (const name of await readdir(releases))
    if (name === own || name.startsWith(`${own}.`))
      await rm(join(releases, name), { recursive: true, force: true })
}

export const sizeText = (bytes: number): string =>
  bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`
