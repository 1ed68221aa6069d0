// The command as a process: what it loads, what signals and closed pipes do to it, what it costs to start.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { served, until } from '../serve.ts'
import { tokens } from '../support.ts'
import { binary, cliAt, folder, spawnCli } from './support.ts'

const { core, url } = await served()
const path = join(folder, 'web.yaml')
writeFileSync(path, 'app: web\nimage: web:{revision}\n')
await cliAt(url)(`app apply -f ${path}`)
await cliAt(url)('deploy web 1.0.0 -E staging')
const last = () => [...core.deploys.values()].at(-1)?.deploy

describe('a process', () => {
  it.each<{ name: string; args: string[]; code: number; out: RegExp; env?: Record<string, string> }>([
    {
      name: 'succeeds',
      args: ['deploy', 'web', '1.1.0', '-E', 'staging'],
      code: 0,
      out: /RESULT succeeded web 1\.1\.0 staging/,
    },
    {
      name: 'fails',
      args: ['deploy', 'web', 'crash', '-E', 'staging'],
      code: 1,
      out: /RESULT rolled_back web crash/,
    },
    { name: 'is used wrongly', args: ['deply'], code: 2, out: /^$/ },
    {
      name: 'may not',
      args: ['deploy', 'web', '1', '-E', 'staging'],
      code: 3,
      out: /^$/,
      env: { GKUBE_TOKEN: 'tok-viewer' },
    },
    {
      name: 'will not wait',
      args: ['deploy', 'web', 'approve', '-E', 'staging', '--no-wait'],
      code: 4,
      out: /^$/,
    },
    {
      name: 'finds no server',
      args: ['app', 'delete', 'web'],
      code: 75,
      out: /^$/,
      env: { GKUBE_URL: 'http://127.0.0.1:9' },
    },
    {
      name: 'runs what fails',
      args: ['run', 'web', '-E', 'staging', '--', 'exit', '9'],
      code: 9,
      out: /^exit 9\n$/,
    },
  ])('that $name exits with $code', async ({ args, code, out, env }) => {
    const result = await spawnCli(args, { url, env }).exited
    expect(result.out).toMatch(out)
    expect(result.code).toBe(code)
  })

  it.each([
    { signal: 'SIGTERM', code: 143 },
    { signal: 'SIGINT', code: 130 },
  ] as const)('that waits is told to stop ($signal): the deploy is cancelled', async ({ signal, code }) => {
    const { child, exited, said } = spawnCli(['deploy', 'web', 'approve', '-E', 'staging'], { url })
    await said('waiting for approval')
    const begun = performance.now()
    child.kill(signal)
    const result = await exited
    expect(result.code).toBe(code)
    expect(result.err).toContain(`${signal}: the deploy was still waiting and is cancelled.`)
    expect(last()).toMatchObject({
      phase: 'cancelled',
      cause: { message: `its command was told to stop (${signal})` },
    })
    expect(performance.now() - begun).toBeLessThan(5000)
  })

  it('that follows a running deploy is told to stop: the app says it is rolled back', async () => {
    const file = join(folder, 'back.yaml')
    writeFileSync(file, 'app: back\nimage: web:{revision}\nonAbort: rollback\n')
    const { child, exited, said } = spawnCli(['deploy', '-f', file, 'hang', '-E', 'staging'], { url })
    await said('1/3 ready')
    child.kill('SIGTERM')
    const { code, out, err } = await exited
    expect(code).toBe(143)
    expect(err).toMatch(
      /SIGTERM: the deploy ran and is being cancelled \(onAbort: rollback\)\. Follow it: gkube follow 01J/,
    )
    expect(out).toMatch(/gkube: RESULT running back hang staging \ds\n$/)
    expect(last()).toMatchObject({ phase: 'cancelled' })
  })

  it('that follows a running deploy is told to stop: the deploy goes on', async () => {
    const { child, exited, said } = spawnCli(['deploy', 'web', 'hang', '-E', 'staging', '--json'], { url })
    await said('1/3 ready')
    child.kill('SIGTERM')
    const { code, out, err } = await exited
    expect(code).toBe(143)
    expect(err).toMatch(/SIGTERM: The deploy goes on\. Follow it: gkube follow 01J/)
    expect(JSON.parse(out)).toMatchObject({ phase: 'running', revision: 'hang' })
    expect(last()?.phase).toBe('running')
    core.finish(last()?.id ?? '')
    await until(() => last()?.endedAt)
  })

  it('that is told to stop while the server is gone ends in time, and says what it does not know', async () => {
    const own = await served({ timeouts: { close: 50 } })
    await cliAt(own.url)(`app apply -f ${path}`)
    const { child, exited, said } = spawnCli(['deploy', 'web', 'approve', '-E', 'staging'], { url: own.url })
    await said('waiting for approval')
    await own.server.close()
    const begun = performance.now()
    child.kill('SIGTERM')
    const { code, err } = await exited
    expect(code).toBe(143)
    expect(err).toMatch(/SIGTERM: it could not be cancelled \(.*\)\. Look later: gkube follow 01J/)
    expect(performance.now() - begun).toBeLessThan(5000)
  })

  it('that is told to stop before the server answered says so', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo // a TCP server has an address object
    const connected = once(silent, 'connection')
    const { child, exited } = spawnCli(['deploy', 'web', '1', '-E', 'staging'], {
      url: `http://127.0.0.1:${port}`,
    })
    await connected
    const begun = performance.now()
    child.kill('SIGTERM')
    const { code, err } = await exited
    expect(code).toBe(143)
    expect(err).toMatch(/not known whether the server took the request.*--idempotency-key [0-9a-f-]{36}/)
    expect(performance.now() - begun).toBeLessThan(5000)
    silent.close()
  })

  it('whose output nobody reads any more does not crash, and a deploy goes on to its end', async () => {
    const { child, exited, said } = spawnCli(['deploy', 'web', 'hang', '-E', 'staging'], { url })
    await said('1/3 ready')
    child.stdout?.destroy()
    core.progress(last()?.id ?? '', 2, 3)
    core.finish(last()?.id ?? '')
    expect(await exited).toMatchObject({ code: 0, err: '' })
    const gkube = `"${process.execPath}" "${binary}"`
    const shell = spawn(
      'sh',
      ['-c', `${gkube} status --json | true; ${gkube} logs web -E staging | head -n 1`],
      {
        env: { PATH: process.env.PATH, HOME: folder, GKUBE_URL: url, GKUBE_TOKEN: tokens.admin },
      },
    )
    const ended = once(shell, 'close')
    expect(await text(shell.stderr)).toBe('')
    expect(await ended).toEqual([0, null])
  })

  it('that follows logs ends when nobody reads them', async () => {
    const { child, exited, said } = spawnCli(['logs', 'web', '-E', 'staging', '-f'], { url })
    await said('line one')
    child.stdout?.destroy()
    core.log('more\n')
    core.log('and more\n')
    expect(await exited).toMatchObject({ code: 0, err: '' })
  })
})

describe('what a command loads', () => {
  const hook = join(folder, 'hook.mjs')
  writeFileSync(
    hook,
    `import { registerHooks } from 'node:module'
     import { appendFileSync } from 'node:fs'
     registerHooks({ load: (url, context, next) => { appendFileSync(process.env.LOADED, url + '\\n'); return next(url, context) } })`,
  )
  mkdirSync(join(folder, 'loaded'), { recursive: true })

  it.each([
    { args: ['status'], packages: ['commander'] },
    { args: ['deploy', 'web', '1.3.0', '-E', 'staging'], packages: ['commander'] },
    { args: ['logs', 'web', '-E', 'staging'], packages: ['commander'] },
    { args: ['app', 'apply', '-f', path], packages: ['commander', 'yaml'] },
    { args: ['deploy', '-f', path, '1.4.0', '-E', 'staging'], packages: ['commander', 'yaml'] },
    { args: ['--help'], packages: ['commander'] },
  ])('$args: only $packages', async ({ args, packages }) => {
    const { readFileSync } = await import('node:fs')
    const LOADED = join(folder, 'loaded', args.join('-').replaceAll('/', '_'))
    const { code } = await spawnCli(args, { url, env: { LOADED }, node: ['--import', hook] }).exited
    expect(code).toBe(0)
    const urls = readFileSync(LOADED, 'utf8').split('\n')
    const loaded = urls.map(one => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(one)?.[1]).filter(Boolean)
    expect([...new Set(loaded)].sort()).toEqual(packages)
    expect(urls.filter(one => /\/(adapters|sandbox|surfaces\/http|surfaces\/slack)\//.test(one))).toEqual([])
    expect(urls).not.toContain('node:undici')
  })
})
