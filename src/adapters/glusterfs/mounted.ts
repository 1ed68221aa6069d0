// The mounted volume on the machine that the CLI runs on, looked at and changed by a few plain programs, so that it is
// the same here and over SSH. Nothing is written where the volume is not mounted, and no link is followed.
import { PoolError } from '../../core/volumes/pool.ts'
import type { Run } from './run.ts'

export type Entry = {
  readonly directory: boolean
  readonly uid: number
  readonly gid: number
  /** Permission bits with set-id and sticky. */
  readonly mode: number
  readonly device: string
}

export type Mounted = {
  readonly mount: string
  /** Throws PoolError `unavailable` unless the volume is mounted at `mount`, itself and not a part of it. */
  check(ms?: number): Promise<void>
  /** What is at each path; links are not followed. What is not there is left out. */
  look(paths: readonly string[]): Promise<ReadonlyMap<string, Entry>>
  /** Runs a program; PoolError where it fails and `fine` does not match what it says. */
  change(program: string, args: readonly string[], options?: { fine?: RegExp; ms?: number }): Promise<void>
}

type Where = {
  readonly pool: string
  readonly volume: string
  readonly servers: readonly string[]
  readonly mount: string
  /** The machine, as words call it. */
  readonly host: string
}

export function mountedVolume(run: Run, where: Where): Mounted {
  const { pool, volume, servers, mount, host } = where
  const mend = `Mount it: mount -t glusterfs ${servers[0] ?? '<server>'}:/${volume} ${mount}`
  const broken = /transport endpoint is not connected|stale file handle|input\/output error/i

  function fail(program: string, said: string): PoolError {
    const text = said.trim().split('\n')[0]?.slice(0, 300) || 'no reason given'
    if (broken.test(said))
      return new PoolError(
        'unavailable',
        `The mount ${mount} on ${host} is broken (${text}). umount it. ${mend}`,
      )
    if (/no space left|quota exceeded/i.test(said))
      return new PoolError(
        'unavailable',
        `The volume ${volume} is full (${text}). Grow it, or delete what is not needed.`,
      )
    if (/permission denied|not permitted/i.test(said))
      return new PoolError(
        'refused',
        `${program} may not do that at ${mount} on ${host} (${text}): gkube needs root there. With SSH, pools.${pool}.reach.sudo does that.`,
      )
    return new PoolError('refused', `${program} failed at ${mount} on ${host}: ${text}`)
  }

  return {
    mount,
    check: async ms => {
      const { code, stdout, stderr } = await run({ program: 'cat', args: ['/proc/self/mountinfo'], ms })
      if (code !== 0) throw fail('cat /proc/self/mountinfo', stderr)
      const wrong = mountProblem(stdout, mount, volume)
      if (wrong)
        throw new PoolError('unavailable', `${mount} on ${host} ${wrong}. Nothing was written. ${mend}`)
    },
    look: async paths => {
      const { stdout, stderr } = await run({
        program: 'stat',
        args: ['-c', '%f %u %g %d %n', '--', ...paths],
      })
      const others = stderr
        .split('\n')
        .filter(line => line.trim() !== '' && !/No such file or directory/.test(line))
      if (others.length > 0) throw fail('stat', others.join('\n'))
      return new Map(stdout.split('\n').flatMap(entryOf))
    },
    change: async (program, args, { fine, ms } = {}) => {
      const { code, stderr } = await run({ program, args, ms })
      if (code !== 0 && !fine?.test(stderr)) throw fail(program, stderr)
    },
  }
}

function entryOf(line: string): [string, Entry][] {
  const [, hex, uid, gid, device, name] = /^([0-9a-f]+) (\d+) (\d+) (\d+) (.+)$/.exec(line) ?? []
  if (!hex || !device || !name) return []
  const mode = Number.parseInt(hex, 16)
  return [
    [
      name,
      {
        directory: (mode & 0o170000) === 0o040000,
        uid: Number(uid),
        gid: Number(gid),
        mode: mode & 0o7777,
        device,
      },
    ],
  ]
}

/** Why `mount` is not the volume, from /proc/self/mountinfo; null: it is. The last mount on a folder is the one seen. */
export function mountProblem(mountinfo: string, mount: string, volume: string): string | null {
  const at = mountinfo
    .split('\n')
    .map(line => line.split(' '))
    .filter(fields => unescaped(fields[4] ?? '') === mount)
    .at(-1)
  if (!at) return 'is not a mount: the volume is not there'
  const [type = '', source = ''] = at.slice(at.indexOf('-') + 1)
  if (type !== 'fuse.glusterfs') return `is a mount of ${type}, not of GlusterFS`
  // `host:/gv0`, `host:gv0`, and `host:/gv0/part` for a part of it.
  const named = unescaped(source).replace(/^.*?:\/?/, '')
  if (named !== volume || at[3] !== '/') return `is a mount of ${unescaped(source)}, not of ${volume}`
  return null
}

/** Blanks and others are written as `\040`. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
