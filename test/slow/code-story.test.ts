// A team's code from the first deploy to a rollback, as a person sees it: `npm start`, the command line, and a browser's
// requests to what is deployed. Nothing is played but the cluster's nodes: Jobs run gkube's own publish program on a
// volume, and each pod serves the release that it mounts.
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { create } from 'tar'
import { beforeAll, describe, expect, it } from 'vitest'
import { siteArtifact } from '../../src/sandbox/site-artifacts.ts'
import { type Sandbox, startSandbox } from '../browser/sandbox.ts'

const say = (line: string) => process.stderr.write(`${line}\n`)
let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await startSandbox()
  // Whoever waits for pods that never get ready waits less here.
  const written = readFileSync('examples/site.yaml', 'utf8')
  const file = join(sandbox.folder, 'site.yaml')
  writeFileSync(file, written.replace('progress: 2m', 'progress: 15s'))
  const { code, out } = await gkube('app', 'apply', '-f', file)
  expect(code, out).toBe(0)
}, 60_000)

/** `gkube …` in the sandbox's folder: its exit code and all that it printed. */
async function gkube(...args: string[]): Promise<{ code: number; out: string; ms: number }> {
  const from = performance.now()
  const command = ['--disable-warning=ExperimentalWarning', resolve('src/main.ts'), ...args]
  const { GKUBE_URL: _, GKUBE_TOKEN: __, ...env } = process.env
  return promisify(execFile)(process.execPath, command, { cwd: sandbox.folder, env, timeout: 120_000 }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout + stderr, ms: performance.now() - from }),
    (error: { code?: number; stdout: string; stderr: string }) => ({
      code: error.code ?? -1,
      out: error.stdout + error.stderr,
      ms: performance.now() - from,
    }),
  )
}
const stepsOf = (out: string) => [...out.matchAll(/▸ (\w+)/g)].map(([, step]) => step)

type Answer = { status: number; version: string; pod: string; release: string }
const ask = (path = '/', app = 'site'): Promise<Answer> =>
  new Promise((done, failed) => {
    const headers = { host: `${app}.staging.localhost:${sandbox.web}` }
    request({ host: '127.0.0.1', port: sandbox.web, path, headers, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', part => {
        text += part
      })
      response.on('error', failed)
      response.on('end', () =>
        done({
          status: response.statusCode ?? 0,
          version: /version (\w+)<\/h1>/.exec(text)?.[1] ?? text,
          pod: String(response.headers['x-gkube-pod']),
          release: String(response.headers['x-gkube-release']),
        }),
      )
    })
      .on('error', failed)
      .end()
  })

/** Requests without a pause, some of them slow, while something happens: every one must be answered. */
async function underLoad<T>(work: () => Promise<T>, app = 'site'): Promise<{ result: T; answers: Answer[] }> {
  const answers: Answer[] = []
  const failures: string[] = []
  let going = true
  const loops = [0, 5, 40, 150].map(async wait => {
    while (going)
      await ask(`/?wait=${wait}`, app).then(
        answer => (answer.status === 200 ? answers.push(answer) : failures.push(JSON.stringify(answer))),
        error => failures.push(String(error)),
      )
  })
  try {
    const result = await work()
    return { result, answers }
  } finally {
    going = false
    await Promise.all(loops)
    expect(failures).toEqual([])
    // What a pod serves never changes, unless it is told to reload.
    const served = new Map<string, Set<string>>()
    for (const { pod, version, release } of answers)
      served.set(pod, (served.get(pod) ?? new Set()).add(`${version} ${release}`))
    if (app === 'site') expect([...served].filter(([, all]) => all.size > 1)).toEqual([])
    say(`${answers.length} requests, none failed, ${served.size} pods`)
  }
}
const volume = () => join(sandbox.folder, '.gkube/volumes/staging/site/code')
const releases = () => readdirSync(join(volume(), 'releases')).sort()

describe('the code of a site', () => {
  it('is created: a volume, an environment, a release, a workload; and curl shows version 1', async () => {
    const { code, out, ms } = await gkube('deploy', 'site', '1')
    expect(code, out).toBe(0)
    expect(stepsOf(out)).toEqual([
      'volume',
      'environment',
      'publish',
      'init',
      'apply',
      'rollout',
      'after',
      'record',
    ])
    say(`create: ${Math.round(ms)} ms`)
    const curl = await promisify(execFile)(
      'curl',
      ['-sSf', `http://site.staging.localhost:${sandbox.web}/`],
      {
        timeout: 10_000,
      },
    )
    expect(curl.stdout).toContain('version 1')
    expect(releases()).toEqual([expect.stringMatching(/^1-[0-9a-f]{12}$/)])
    expect(readFileSync(join(volume(), 'shared/made'), 'utf8')).toMatch(/\d/)
    expect(await ask('/uploads/welcome.txt')).toMatchObject({ status: 200 })
  })

  it('is updated on the update path, with no request that fails and no old pod that serves new code', async () => {
    const plan = await gkube('plan', 'site', '2')
    expect(plan.out).toMatch(/site 1 → 2 · staging · update/)
    const made = readFileSync(join(volume(), 'shared/made'), 'utf8')
    const { result, answers } = await underLoad(() => gkube('deploy', 'site', '2'))
    expect(result.code, result.out).toBe(0)
    expect(stepsOf(result.out)).toEqual(['publish', 'apply', 'rollout', 'after', 'record'])
    expect(new Set(answers.map(({ version }) => version))).toEqual(new Set(['1', '2']))
    expect(await ask()).toMatchObject({ version: '2' })
    expect(releases()).toHaveLength(2)
    // init ran once, ever.
    expect(readFileSync(join(volume(), 'shared/made'), 'utf8')).toBe(made)
    say(`update: ${Math.round(result.ms)} ms`)
  })

  it('stays as it is when the archive is broken', async () => {
    const { result, answers } = await underLoad(() => gkube('deploy', 'site', 'bad'))
    expect(result.code).toBe(1)
    expect(result.out).toMatch(/archive was refused.*cut/)
    expect(stepsOf(result.out)).toEqual(['publish'])
    expect(new Set(answers.map(({ version }) => version))).toEqual(new Set(['2']))
    // Nothing is left of it, nor of how it was made.
    expect(readdirSync(join(volume(), 'releases')).filter(name => /^bad|^\.tmp/.test(name))).toEqual([])
  })

  it('is rolled back by a person within seconds, without fetching', async () => {
    const { result, answers } = await underLoad(() => gkube('rollback', 'site'))
    expect(result.code, result.out).toBe(0)
    expect(stepsOf(result.out)).toEqual(['apply', 'rollout', 'record'])
    expect(result.ms).toBeLessThan(20_000)
    expect(await ask()).toMatchObject({ version: '1' })
    expect(new Set(answers.map(({ version }) => version))).toEqual(new Set(['1', '2']))
    say(`rollback: ${Math.round(result.ms)} ms`)
  })

  it.each([
    [
      'says another version than it is: the smoke test finds it, and the deploy is rolled back',
      '4',
      '<h1>site, version 2</h1>',
      /after.*failed|exit code 1/,
    ],
    ['has no page: no pod of it ever serves', '5', null, /statuscode: 404|not ready|deadline/i],
  ])('that %s', async (_name, revision, page, words) => {
    const folder = join(sandbox.folder, `code-${revision}`)
    mkdirSync(folder)
    writeFileSync(join(folder, page === null ? 'other.html' : 'index.html'), page ?? 'no index')
    const file = join(sandbox.folder, `${revision}.tgz`)
    await create({ file, cwd: folder, gzip: true }, ['.'])
    const { result, answers } = await underLoad(() => gkube('deploy', 'site', revision, '--artifact', file))
    expect(result.code).not.toBe(0)
    expect(result.out).toMatch(words)
    expect(result.out).toMatch(/rolled back|rolled_back/)
    expect(await ask()).toMatchObject({ version: '1' })
    if (page === null) expect(new Set(answers.map(({ version }) => version))).toEqual(new Set(['1']))
  })

  it('is switched in the pods that run where they reload it, and back', async () => {
    const file = join(sandbox.folder, 'live.yaml')
    const written = readFileSync('examples/site.yaml', 'utf8')
      .replace('app: site', 'app: live')
      .replace(
        'mount: /usr/share/nginx/html',
        'mount: /srv/www\n  activate: reload\n  reload: [nginx, -s, reload]',
      )
      .replace('/usr/share/nginx/html/index.html', '/srv/www/current/index.html')
    writeFileSync(file, written)
    const applied = await gkube('app', 'apply', '-f', file)
    expect(applied.code, applied.out).toBe(0)
    for (const revision of ['1', '2'])
      writeFileSync(join(sandbox.folder, `live-${revision}.tgz`), await siteArtifact(revision))
    const deploy = (revision: string) =>
      gkube('deploy', 'live', revision, '--artifact', join(sandbox.folder, `live-${revision}.tgz`))
    const first = await deploy('1')
    expect(first.code, first.out).toBe(0)
    const pods = new Set((await Promise.all([1, 2, 3, 4].map(() => ask('/', 'live')))).map(({ pod }) => pod))
    const { result, answers } = await underLoad(() => deploy('2'), 'live')
    expect(result.code, result.out).toBe(0)
    expect(stepsOf(result.out)).toContain('activate')
    expect(new Set(answers.map(({ version }) => version))).toEqual(new Set(['1', '2']))
    expect(new Set(answers.map(({ pod }) => pod))).toEqual(pods)
    expect(await ask('/', 'live')).toMatchObject({ version: '2' })
    const back = await underLoad(() => gkube('rollback', 'live'), 'live')
    expect(back.result.code, back.result.out).toBe(0)
    expect(await ask('/', 'live')).toMatchObject({ version: '1' })
    say(`reload: ${Math.round(result.ms)} ms, and back: ${Math.round(back.result.ms)} ms`)
  })

  it('is there again after the sandbox was killed, and goes on', async () => {
    await sandbox.kill()
    sandbox = await sandbox.again()
    await expect.poll(async () => (await ask()).version, { timeout: 15_000 }).toBe('1')
    const { code, out } = await gkube('deploy', 'site', '3')
    expect(code, out).toBe(0)
    expect(await ask()).toMatchObject({ version: '3' })
  })
})
