// Runs one program on a GlusterFS server over OpenSSH's client: one key, one pinned host key, no questions asked, and
// nothing taken from the user's own configuration or agent. The key is in a private folder while the pool is open.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PoolError } from '../../core/volumes/pool.ts'
import type { Reach } from './options.ts'
import { remoteWords } from './remote-words.ts'
import { type Ran, type Run, usualPath } from './run.ts'

type Server = Extract<Reach, { kind: 'ssh' }>
type Named = { readonly pool: string; readonly server: Server }

/** The name under which the host key is pinned, whatever address it is reached by. */
const alias = 'gkube-pool'

/** `close` deletes the key's folder. */
export function sshRun(run: Run, { pool, server }: Named): { readonly run: Run; close(): void } {
  let folder: string | undefined
  const files = (): string => {
    if (folder === undefined) {
      folder = mkdtempSync(join(tmpdir(), 'gkube-pool-'))
      // OpenSSH wants a line's end after the last line.
      writeFileSync(join(folder, 'key'), `${server.key.trim()}\n`, { mode: 0o600 })
      writeFileSync(join(folder, 'known_hosts'), `${alias} ${server.hostKey}\n`, { mode: 0o600 })
    }
    return folder
  }
  return {
    run: async ({ program, args, ms }) => {
      const words = remoteWords([
        // A login without a shell of its own finds no /usr/sbin, and answers must not be translated.
        ...['env', 'LC_ALL=C', `PATH=${usualPath}`],
        ...(server.sudo ? ['sudo', '-n'] : []),
        program,
        ...args,
      ])
      const ran = await run({ program: 'ssh', args: [...sshArguments(server, files()), '--', words], ms })
      const words255 =
        ran.code === 255 ? refusal(ran.stderr, { pool, server }) : remoteRefusal(ran, { pool, server })
      if (words255) throw words255
      return ran
    },
    close: () => {
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
      folder = undefined
    },
  }
}

function sshArguments({ host, port, user }: Server, folder: string): string[] {
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${join(folder, 'known_hosts')}`,
    'GlobalKnownHostsFile=/dev/null',
    `HostKeyAlias=${alias}`,
    'UpdateHostKeys=no',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'PreferredAuthentications=publickey',
    'ForwardAgent=no',
    'ClearAllForwardings=yes',
    'ConnectTimeout=10',
    'ServerAliveInterval=5',
    'ServerAliveCountMax=2',
    'LogLevel=ERROR',
  ]
  return [
    ...['-F', '/dev/null', '-T', '-p', String(port), '-l', user, '-i', join(folder, 'key')],
    ...options.flatMap(option => ['-o', option]),
    host,
  ]
}

/** ssh itself ends with 255: it did not get as far as the program. */
function refusal(stderr: string, { pool, server: { host, port, user } }: Named): PoolError {
  const at = `pools.${pool}.reach`
  const cause = new Error(stderr.slice(0, 2000))
  const refused = (words: string) => new PoolError('refused', words, { cause })
  if (/host key verification failed|identification has changed|no .* host key is known/i.test(stderr))
    return refused(
      `${host} shows another host key than ${at}.hostKey. Nothing was sent to it. If the server was set up anew, compare \`ssh-keyscan -p ${port} ${host}\` with the key on the server, and put it there.`,
    )
  if (/permission denied/i.test(stderr))
    return refused(
      `${host} does not let ${user} in with the key of ${at}. Add its public key (ssh-keygen -y -f …) to ~${user}/.ssh/authorized_keys on ${host}.`,
    )
  if (/load key|libcrypto|invalid format|passphrase/i.test(stderr))
    return refused(`The key of ${at} cannot be read by ssh: it must be a private key without a passphrase.`)
  const [said = 'no reason given'] = stderr.trim().split('\n').slice(-1)
  return new PoolError(
    'unavailable',
    `${host} cannot be reached by SSH on port ${port}: ${said.slice(0, 200)}. Look at ${at}, the network, and whether sshd runs there.`,
    { cause },
  )
}

/** What `env` and `sudo` say of a program that they cannot run. */
function remoteRefusal({ code, stderr }: Ran, { pool, server: { host, user } }: Named): PoolError | null {
  if (code === 127)
    return new PoolError(
      'unavailable',
      `A program is missing on ${host}: ${stderr.trim().slice(0, 200)}. Install glusterfs-cli there, or name a GlusterFS server as pools.${pool}.reach.host.`,
    )
  if (
    /^sudo: /m.test(stderr) &&
    /password is required|not allowed|not in the sudoers|may not run/i.test(stderr)
  )
    return new PoolError(
      'refused',
      `${user} may not run this with sudo on ${host} without a password: ${stderr.trim().slice(0, 200)}. Allow it in sudoers (NOPASSWD).`,
    )
  return null
}
