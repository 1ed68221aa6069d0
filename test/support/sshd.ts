// An sshd of the tests' own on a free loopback port, with keys made for it: root comes in by one key, nobody by another.
// Needs openssh-server and root. It ends with stop(), and its folder is deleted.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../src/sandbox/free-port.ts'
import { endProcess } from '../../src/sandbox/processes.ts'

export type Sshd = {
  readonly port: number
  /** Private keys. */
  readonly key: string
  readonly wrongKey: string
  /** As gkube.yaml has it. */
  readonly hostKey: string
  readonly wrongHostKey: string
  stop(): Promise<void>
}

const program = '/usr/sbin/sshd'

export function whyNoSshd(): string | null {
  if (process.getuid?.() !== 0) return 'only root can start an sshd that lets root in'
  return existsSync(program) ? null : 'sshd is not installed (Debian: apt-get install openssh-server)'
}

export async function startSshd(): Promise<Sshd> {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-sshd-'))
  for (const name of ['host', 'other-host', 'user', 'other-user'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(folder, name)])
  const read = (name: string) => readFileSync(join(folder, name), 'utf8').trim()
  writeFileSync(join(folder, 'authorized_keys'), `${read('user.pub')}\n`, { mode: 0o600 })
  const port = await freePort()
  const config = {
    Port: port,
    ListenAddress: '127.0.0.1',
    HostKey: join(folder, 'host'),
    AuthorizedKeysFile: join(folder, 'authorized_keys'),
    PidFile: 'none',
    PermitRootLogin: 'prohibit-password',
    PasswordAuthentication: 'no',
    KbdInteractiveAuthentication: 'no',
    UsePAM: 'no',
    // Its folder is below /tmp, which others may write to.
    StrictModes: 'no',
  }
  const file = join(folder, 'config')
  writeFileSync(
    file,
    `${Object.entries(config)
      .map(([key, value]) => `${key} ${value}`)
      .join('\n')}\n`,
  )
  // Where sshd keeps its unprivileged half; the package makes it at boot only.
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const child = spawn(program, ['-D', '-e', '-f', file], { stdio: 'ignore' })
  await once(child, 'spawn')
  const exited = once(child, 'exit').then(() => undefined)
  const stop = async () => {
    if (child.pid && child.exitCode === null) await endProcess(child.pid, exited)
    rmSync(folder, { recursive: true, force: true })
  }
  for (let tries = 0; !(await listens(port)); tries++) {
    if (tries === 200 || child.exitCode !== null) {
      await stop()
      throw new Error('sshd did not start')
    }
    await sleep(25)
  }
  return {
    port,
    key: read('user'),
    wrongKey: read('other-user'),
    hostKey: read('host.pub'),
    wrongHostKey: read('other-host.pub'),
    stop,
  }
}

const listens = (port: number): Promise<boolean> =>
  new Promise(done => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => done(true)).once('error', () => done(false))
    socket.once('connect', () => socket.destroy())
  })
