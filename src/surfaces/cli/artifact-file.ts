// A file that becomes an artifact: its SHA-256 is its address, so it is read once to hash it and once to send it. What
// the server has already is not sent. Used by `artifact push` and `deploy --artifact`; the other half is
// http/artifacts.ts.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { Transform } from 'node:stream'
import { took } from '../../core/words.ts'
import { UserError } from '../../errors.ts'
import type { Cli } from './cli.ts'
import { patienceOf } from './follow.ts'
import { clean } from './terminal-text.ts'

export type Kept = { readonly sha256: string; readonly size: number; readonly repeated: boolean }
export type Hashed = { readonly path: string; readonly sha256: string; readonly size: number }

const uploadMs = 15 * 60_000
/** Shorter, and nobody wants to see how far it is. */
const longMs = 500
/** The progress line of a terminal is written again at most this often. */
const everyMs = 200
const heartbeatMs = 30_000
const readAtOnce = 256 * 1024

/** 64 digits from 0 to f: an artifact that is uploaded already. A file of such a name is `./<name>`. */
export const isSha256 = (text: string): boolean => /^[0-9a-f]{64}$/.test(text)

/** Reads the file once. UserError `bad_input` where it cannot be read or is a folder. */
export async function hashed(cli: Cli, shown: string): Promise<Hashed> {
  const path = isAbsolute(shown) ? shown : join(cli.io.cwd, shown)
  const unreadable = (cause: NodeJS.ErrnoException): never => {
    throw new UserError('bad_input', `${shown} cannot be read (${cause.code ?? cause.message}).`, { cause })
  }
  const found = await stat(path).catch(unreadable)
  if (!found.isFile())
    throw new UserError('bad_input', `${shown} is no file. Pack a folder first: tar -czf dist.tgz -C dist .`)
  const hash = createHash('sha256')
  let size = 0
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: readAtOnce, signal: cli.io.signal })) {
      hash.update(chunk)
      size += chunk.length
    }
  } catch (error) {
    cli.io.signal.throwIfAborted()
    unreadable(error as NodeJS.ErrnoException) // what a read stream throws
  }
  if (size === 0) throw new UserError('bad_input', `${shown} is empty.`)
  return { path, sha256: hash.digest('hex'), size }
}

/** Sends it, unless it is there already. Done again, it does no harm. */
export async function uploaded(cli: Cli, { path, sha256, size }: Hashed): Promise<Kept> {
  const progress = progressOf(cli, size)
  try {
    return await cli.client().ask<Kept>('PUT', `/v1/artifacts/${sha256}`, {
      upload: { size, open: () => progress.through(createReadStream(path, { highWaterMark: readAtOnce })) },
      headers: { 'content-type': 'application/octet-stream' },
      // The same bytes at the same address.
      repeatable: true,
      timeoutMs: uploadMs,
      // A build does not mind a minute while its server restarts; a person does.
      ...(cli.out.tty ? {} : { patienceMs: Math.min(60_000, patienceOf(cli)) }),
    })
  } finally {
    progress.end()
  }
}

/** `dist.tgz, 1.2 MiB, sha256 0b77e3f1c9d2…: uploaded in 3 s`, or that it was there already. */
export const keptLine = (file: string, { sha256, size, repeated }: Kept, tookMs: number): string =>
  `${clean(file)}, ${mega(size)}, sha256 ${sha256.slice(0, 12)}…: ${repeated ? 'already there' : `uploaded in ${took(tookMs)}`}`

/** A line that counts up where a person looks, a line now and then in a log; nothing where it is short. */
function progressOf(cli: Cli, size: number) {
  const { out, now } = cli
  const begun = now()
  let shown = false
  return {
    through(source: NodeJS.ReadableStream): Transform {
      let sent = 0
      let last = begun
      const words = () => `${mega(sent)} of ${mega(size)} (${Math.floor((sent / Math.max(1, size)) * 100)} %)`
      const tell = () => {
        const at = now()
        if (!out.tty && at - last >= heartbeatMs) out.warn(`gkube: uploading, ${words()}`)
        else if (out.tty && at - begun >= longMs && at - last >= everyMs) {
          shown = true
          out.raw(`\r\x1b[K${words()}`, 'stderr')
        } else return
        last = at
      }
      const counting = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          sent += chunk.length
          tell()
          done(null, chunk)
        },
      })
      source.on('error', error => counting.destroy(error))
      return source.pipe(counting)
    },
    end(): void {
      if (shown) out.raw('\r\x1b[K', 'stderr')
    },
  }
}

const mega = (bytes: number): string =>
  bytes < 1024 * 1024
    ? `${Math.max(1, Math.round(bytes / 1024))} KiB`
    : `${(bytes / 1024 / 1024).toFixed(1)} MiB`
