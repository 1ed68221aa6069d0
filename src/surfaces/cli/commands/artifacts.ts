// artifact push: the file's SHA-256 is its address, so it is read once to hash it and once to send it. What the server has
// already is not sent. stdout holds the hash and nothing else: SHA=$(gkube artifact push dist.tgz).
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { UserError } from '../../../errors.ts'
import { type Cli, exitCodes } from '../cli.ts'

type Kept = { readonly sha256: string; readonly size: number; readonly repeated: boolean }

const uploadMs = 15 * 60_000
/** The progress line of a terminal is written again at most this often. */
const everyMs = 200

export async function push(cli: Cli, [file = '']: readonly (string | undefined)[]): Promise<number> {
  const path = `${file.startsWith('/') ? '' : `${cli.io.cwd}/`}${file}`
  const { size, sha256 } = await hashed(path, file)
  const progress = progressOf(cli, size)
  const kept = await cli.client().ask<Kept>('PUT', `/v1/artifacts/${sha256}`, {
    upload: { size, open: () => progress.through(createReadStream(path, { highWaterMark: 256 * 1024 })) },
    headers: { 'content-type': 'application/octet-stream' },
    // The same bytes at the same address.
    repeatable: true,
    timeoutMs: uploadMs,
  })
  progress.end()
  if (cli.out.json) cli.out.data(kept)
  else {
    cli.out.warn(`${mega(kept.size)} ${kept.repeated ? 'were there already' : 'uploaded'}`)
    cli.out.say(sha256)
  }
  return exitCodes.ok
}

async function hashed(path: string, shown: string): Promise<{ size: number; sha256: string }> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new UserError('bad_input', `${shown} cannot be read (${cause.code ?? cause.message}).`, { cause })
  })
  if (!found.isFile())
    throw new UserError('bad_input', `${shown} is no file. Pack a folder first: tar -czf dist.tgz -C dist .`)
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    hash.update(chunk)
    size += chunk.length
  }
  return { size, sha256: hash.digest('hex') }
}

/** A line that counts up, where a person looks; nothing elsewhere. */
function progressOf(cli: Cli, size: number) {
  const { out } = cli
  let shown = false
  return {
    through(source: NodeJS.ReadableStream): Transform {
      let sent = 0
      let last = 0
      const counting = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          sent += chunk.length
          if (out.tty && cli.now() - last >= everyMs) {
            last = cli.now()
            shown = true
            out.raw(
              `\r${mega(sent)} of ${mega(size)} (${Math.floor((sent / Math.max(1, size)) * 100)} %)`,
              'stderr',
            )
          }
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

const mega = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
