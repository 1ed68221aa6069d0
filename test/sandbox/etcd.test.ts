// The sandbox's etcd: started, found again after a kill, and never two on one folder.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { etcdKv } from '../../src/adapters/etcd/kv.ts'
import { type EtcdProcess, findEtcd, startEtcd } from '../../src/sandbox/etcd.ts'
import { freePort } from '../../src/sandbox/free-port.ts'
import { processInfo } from '../../src/sandbox/processes.ts'

const log = { info: () => undefined, warn: () => undefined }
const folders: string[] = []
const started: EtcdProcess[] = []
const children: ChildProcess[] = []

function dataDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-sandbox-'))
  folders.push(folder)
  return join(folder, 'etcd')
}
async function start(options: Partial<Parameters<typeof startEtcd>[0]> & { dataDir: string }) {
  const etcd = await startEtcd({ log, flags: ['--unsafe-no-fsync'], ...options })
  started.push(etcd)
  return etcd
}
/** Another gkube: a process that starts etcd on the folder and is killed, or waits. */
async function otherGkube(folder: string): Promise<{ child: ChildProcess; pid: number }> {
  const script = `
    const { startEtcd } = await import(${JSON.stringify(new URL('../../src/sandbox/etcd.ts', import.meta.url))})
    const quiet = { info() {}, warn() {} }
    const etcd = await startEtcd({ dataDir: ${JSON.stringify(folder)}, log: quiet, flags: ['--unsafe-no-fsync'] })
    process.once('SIGTERM', () => process.exit(1))
    console.log(etcd.pid)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [line] = await once(child.stdout, 'data')
  return { child, pid: Number(String(line)) }
}
async function write(etcd: EtcdProcess, key: string): Promise<void> {
  const kv = etcdKv({ endpoints: [etcd.endpoint] })
  const result = await kv.commit({
    compares: [{ kind: 'absent', key }],
    writes: [{ kind: 'put', key, value: 'x' }],
  })
  expect(result.committed).toBe(true)
  await kv.close()
}

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all(started.splice(0).map(etcd => etcd.stop()))
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

describe('starting', () => {
  test('an empty folder: healthy well under a second, on loopback, and gone after stop', async () => {
    const begin = performance.now()
    const etcd = await start({ dataDir: dataDir() })
    expect(performance.now() - begin).toBeLessThan(1000)
    expect(etcd.endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    await write(etcd, '/gkube/v1/a')
    await etcd.stop()
    await etcd.stop()
    expect(await processInfo(etcd.pid)).toBeNull()
  })

  test('again on the same folder: the data is there, and it is as quick', async () => {
    const folder = dataDir()
    const first = await start({ dataDir: folder })
    await write(first, '/gkube/v1/a')
    await first.stop()
    const begin = performance.now()
    const second = await start({ dataDir: folder })
    expect(performance.now() - begin).toBeLessThan(1000)
    const kv = etcdKv({ endpoints: [second.endpoint] })
    expect(await kv.get('/gkube/v1/a')).toMatchObject({ value: 'x' })
    await kv.close()
  })

  test('on the port that was named', async () => {
    const port = await freePort()
    expect((await start({ dataDir: dataDir(), clientPort: port })).endpoint).toBe(`http://127.0.0.1:${port}`)
  })

  test('two on two folders at once', async () => {
    const [a, b] = await Promise.all([start({ dataDir: dataDir() }), start({ dataDir: dataDir() })])
    expect(a.endpoint).not.toBe(b.endpoint)
    await Promise.all([write(a, '/gkube/v1/a'), write(b, '/gkube/v1/a')])
  })

  test('what the user set for another etcd does not configure this one', async () => {
    const env = { ...process.env, ETCD_NAME: 'mine', ETCD_LISTEN_CLIENT_URLS: 'http://127.0.0.1:1' }
    await write(await start({ dataDir: dataDir(), env }), '/gkube/v1/a')
  })
})

describe('after a kill', () => {
  test('kill -9 of gkube leaves etcd running; the next start ends it and goes on with its data', async () => {
    const folder = dataDir()
    const { child, pid } = await otherGkube(folder)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await processInfo(pid)).not.toBeNull()
    const etcd = await start({ dataDir: folder })
    expect(await processInfo(pid)).toBeNull()
    await write(etcd, '/gkube/v1/a')
  })

  test('a left-over that is stopped (SIGSTOP) is ended as well', async () => {
    const folder = dataDir()
    const { child, pid } = await otherGkube(folder)
    child.kill('SIGKILL')
    await once(child, 'exit')
    process.kill(pid, 'SIGSTOP')
    await start({ dataDir: folder })
    expect(await processInfo(pid)).toBeNull()
  })

  test('a gkube that still runs on the folder is left alone: refused, naming it', async () => {
    const folder = dataDir()
    const { child, pid } = await otherGkube(folder)
    await expect(start({ dataDir: folder })).rejects.toMatchObject({
      kind: 'conflict',
      message: `The data folder ${folder} is in use by another gkube (process ${child.pid}). Stop that one, or name another folder with --data.`,
    })
    expect(await processInfo(pid)).not.toBeNull()
    child.kill('SIGKILL')
    await once(child, 'exit')
    await start({ dataDir: folder })
  })

  test('a pid that belongs to somebody else by now is not touched', async () => {
    const folder = dataDir()
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    children.push(stranger)
    await once(stranger, 'spawn')
    writeFileSync(`${folder}.pid`, JSON.stringify({ pid: stranger.pid, parent: 1, endpoint: '' }))
    await start({ dataDir: folder })
    expect(await processInfo(Number(stranger.pid))).not.toBeNull()
  })

  test('a pid file that was cut off is ignored', async () => {
    const folder = dataDir()
    writeFileSync(`${folder}.pid`, '{"pid": 12')
    await start({ dataDir: folder })
  })

  test('gkube that exits without a stop takes its etcd with it', async () => {
    const { child, pid } = await otherGkube(dataDir())
    child.kill('SIGTERM') // the other gkube above calls process.exit at once
    await once(child, 'exit')
    await expect.poll(() => processInfo(pid)).toBeNull()
  })

  test('the pid file names etcd and its gkube, and goes with them', async () => {
    const folder = dataDir()
    const etcd = await start({ dataDir: folder })
    expect(JSON.parse(readFileSync(`${folder}.pid`, 'utf8'))).toMatchObject({
      pid: etcd.pid,
      parent: process.pid,
    })
    await etcd.stop()
    expect(existsSync(`${folder}.pid`)).toBe(false)
  })
})

describe('when it cannot start', () => {
  test('etcd is not installed: says how to install it, or how to name one', async () => {
    expect(() => findEtcd(undefined, { PATH: '/nowhere' })).toThrow(
      [
        'etcd is not installed. Install it:',
        '  Debian, Ubuntu  sudo apt-get install etcd-server',
        '  Fedora          sudo dnf install etcd',
        '  macOS           brew install etcd',
        'or name one that runs: --etcd http://127.0.0.1:2379',
      ].join('\n'),
    )
  })

  test('ETCD_BIN names nothing', () => {
    expect(() => findEtcd(undefined, { PATH: process.env.PATH, ETCD_BIN: '/nowhere/etcd' })).toThrow(
      '/nowhere/etcd (ETCD_BIN) is not an executable file.',
    )
  })

  test('the named port is taken: what its log says', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const address = taken.address()
    const clientPort = typeof address === 'object' ? address?.port : undefined
    const folder = dataDir()
    await expect(start({ dataDir: folder, clientPort })).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/^etcd did not start on .*address already in use/s),
    })
    expect(existsSync(`${folder}.pid`)).toBe(false)
    taken.close()
  })

  test('another etcd has the named port: not mistaken for ours', async () => {
    const other = await start({ dataDir: dataDir() })
    const clientPort = Number(new URL(other.endpoint).port)
    await expect(start({ dataDir: dataDir(), clientPort })).rejects.toThrow('address already in use')
    await write(other, '/gkube/v1/a')
  })

  test('its data is broken: what its log says, without the stack', async () => {
    const folder = dataDir()
    mkdirSync(join(folder, 'member/snap'), { recursive: true, mode: 0o700 })
    writeFileSync(join(folder, 'member/snap/db'), 'this is not a database'.repeat(10_000))
    await expect(start({ dataDir: folder })).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(
        /^etcd did not start on .*; its log \(.*\.log\) says:\n.*invalid database/s,
      ),
    })
  })

  test('its folder cannot be made', async () => {
    const folder = dataDir()
    writeFileSync(folder, 'a file where the folder should be')
    await expect(start({ dataDir: folder })).rejects.toMatchObject({
      kind: 'bad_input',
      message: expect.stringContaining(`The data folder ${folder} cannot be made`),
    })
  })
})
