// gkube inside a Jenkins 'Execute shell' step, as Jenkins runs it, against a running gkube: the file of GET /cli on the
// oldest Nodes it promises, examples/jenkins/deploy.sh with curl alone, and aborts in the five seconds Jenkins gives.
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { parseApp } from '../../src/core/app-environment.ts'
import type { Deploy } from '../../src/core/deploy.ts'
import { freePort } from '../../src/sandbox/free-port.ts'
import { startReplica, until } from '../support/child.ts'
import { runStep, type Step, type Variables, variablesOf, workspace } from '../support/jenkins-step.ts'
import { admin, outcome, type Stack, startStack } from '../support/stack.ts'

const token = 'a-bootstrap-token-of-this-test-only-0123456789'
const nodes = ['18.0.0', '18.20.8', '20.9.0']
const tools = workspace()
let stack: Stack

/** An app file of a job; one app a story, so that each can run beside the others. */
const appFile = (app: string, over: Record<string, unknown> = {}) =>
  stringify({
    app,
    image: `registry.example.com/shop/${app}:{revision}`,
    replicas: 2,
    rollout: { stable: '0s', progress: '60s', limit: '90s' },
    environments: { staging: {} },
    ...over,
  })

beforeAll(async () => {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64'
  const packages = nodes.map(version => `node-${version}@npm:node-linux-${arch}@${version}`)
  const install = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', tools, ...packages]
  execFileSync('npm', install, { cwd: tools, stdio: 'pipe', timeout: 170_000 })
  stack = await startStack({
    speed: 10,
    env: { GKUBE_BOOTSTRAP_TOKEN: token },
    environments: {
      staging: { createNamespace: true },
      production: { createNamespace: true, protected: true, approvals: { required: 1 } },
    },
  })
})

const nodeAt = (version: string) => join(tools, 'node_modules', `node-${version}`, 'bin')
let number = 100

type Story = {
  readonly job: string
  readonly env?: Variables
  readonly file?: string
  readonly node?: string
  readonly url?: string
}

/** Runs a script as the next build of a job. */
function step(script: string, { job, env, file, node = '18.20.8', url = stack.server.url }: Story): Step {
  const cwd = workspace(file === undefined ? {} : { 'gkube.yaml': file })
  copyFileSync('examples/jenkins/deploy.sh', join(cwd, 'deploy.sh'))
  const path = `${nodeAt(node)}:/usr/local/bin:/usr/bin:/bin`
  const own = { GIT_COMMIT: `c${number + 1}`, GKUBE_URL: url, GKUBE_TOKEN: token, PATH: path }
  return runStep(script, { cwd, env: variablesOf(job, ++number, { ...own, ...env }) })
}

const freestyle = readFileSync('examples/jenkins/freestyle.sh', 'utf8')

/** The last deploy of an app. */
async function last(app: string): Promise<Deploy> {
  const [deploy] = await stack.core.history(admin, { app, limit: 1 })
  if (!deploy) throw new Error(`${app} has no deploy`)
  return deploy
}
const phase = (app: string, wanted: readonly Deploy['phase'][]) =>
  until(
    () => last(app),
    deploy => wanted.includes(deploy.phase),
  )

describe('the file of GET /cli', () => {
  it.each(nodes)('creates what is not there and updates what is, on Node %s', async node => {
    const app = `web-${node.replaceAll('.', '-')}`
    const story = { job: `shop/${app}`, node, env: { BUILD_USER_ID: 'ben', BUILD_USER: 'Ben' } }
    const first = step(freestyle, { ...story, file: appFile(app) })
    expect(await first.ended, first.console()).toBe(0)
    expect(first.console()).toMatch(
      new RegExp(
        `gkube: ▸ rollout[\\s\\S]*✓ ${app} c\\d+ is live in staging[\\s\\S]*gkube: RESULT succeeded ${app} c\\d+ staging \\d+s\n$`,
      ),
    )
    expect(await last(app)).toMatchObject({
      plan: 'create',
      revision: `c${number}`,
      source: { job: `shop/${app}`, build: number, commit: `c${number}`, branch: 'main', user: 'ben' },
      requestedBy: { via: 'jenkins' },
    })
    // The job is known now: nothing but Jenkins' own variables says what to deploy.
    const second = step(freestyle, story)
    expect(await second.ended, second.console()).toBe(0)
    expect(await last(app)).toMatchObject({ plan: 'update', revision: `c${number}` })
    // `-x` echoes the commands, and the token is in none.
    expect(second.console()).toContain('+ node gkube.mjs deploy\n')
    expect(first.console() + second.console()).not.toContain(token)
  })

  it('prints nothing but lines: no colours, no cursor, and JSON alone on stdout where it is asked for', async () => {
    const file = appFile('plain')
    const one = step(`${fetched}node gkube.mjs deploy -f gkube.yaml --json > record.json`, {
      job: 'shop/plain',
      file,
    })
    expect(await one.ended, one.console()).toBe(0)
    const odd = [...one.console()].filter(c => c < ' ' && c !== '\n')
    expect(odd).toEqual([])
    expect(one.console()).toMatch(/gkube: RESULT succeeded plain c\d+ staging \d+s\n$/)
  })

  it('fails with the cause and the last lines of the log', async () => {
    const story = { job: 'shop/broken', file: appFile('broken'), env: { GIT_COMMIT: 'crash' } }
    const one = step(freestyle, story)
    expect(await one.ended).toBe(1)
    expect(one.console()).toMatch(/ {2}Why {3}.*exit/)
    expect(one.console()).toMatch(/ {2}Log {3}last lines of broken-/)
    expect(one.console()).toMatch(/gkube: RESULT failed broken crash staging \d+s\n$/)
  })

  it.each([
    {
      name: 'a job that nobody knows',
      env: {},
      code: 2,
      says: /No app is registered for the Jenkins job shop\/nobody/,
    },
    { name: 'a wrong token', env: { GKUBE_TOKEN: 'gk_wrong' }, code: 3, says: /token/ },
    { name: 'no token', env: { GKUBE_TOKEN: '' }, code: 2, says: /No token for http/ },
  ])('$name ends it with $code', async ({ env, code, says }) => {
    const path = Object.entries(env).map(([key, value]) => `export ${key}='${value}'\n`)
    const one = step(`${path.join('')}${fetched}node gkube.mjs deploy`, { job: 'shop/nobody' })
    expect(await one.ended).toBe(code)
    expect(one.console()).toMatch(says)
  })

  it('waits for an approval that comes meanwhile', async () => {
    const file = appFile('approved', { environments: { production: {} } })
    const one = step(freestyle, { job: 'shop/approved', file })
    await one.said('waiting for 1 of 1 approval')
    await stack.core.vote(admin, (await last('approved')).id, { decision: 'approve', reason: 'fine' })
    expect(await one.ended, one.console()).toBe(0)
    expect(one.console()).toMatch(/RESULT succeeded approved c\d+ production/)
  })

  it('ends with 4 where nobody comes, and the deploy lives on', async () => {
    const file = appFile('unheard', { environments: { production: {} } })
    const one = step(freestyle, { job: 'shop/unheard', file, env: { GKUBE_WAIT_APPROVAL: '3s' } })
    expect(await one.ended).toBe(4)
    const { id } = await last('unheard')
    expect(one.console()).toContain(
      `gkube: not begun after 3 s (waiting for 1 of 1 approval). The deploy lives on. Follow it: gkube follow ${id} · cancel it: gkube cancel ${id}\n`,
    )
    expect(one.console()).toMatch(/gkube: RESULT awaiting_approval unheard c\d+ production 3s\n/)
    await stack.core.vote(admin, id, { decision: 'approve', reason: 'late' })
    expect((await outcome(stack.core, id)).deploy.phase).toBe('succeeded')
  })

  it('needs no more than a token of a deployer, and goes where that may deploy', async () => {
    const file = appFile('least', { jobs: ['shop/least'], environments: { staging: {}, production: {} } })
    await stack.core.applyApp(admin, parseApp(parse(file)), { dryRun: false })
    const grants = [{ role: 'deployer' as const, apps: ['least'], environments: ['staging'] }]
    const { token: least } = await stack.core.createToken(admin, { name: 'ci', grants, expiresIn: '1h' })
    const one = step(freestyle, { job: 'shop/least/main', env: { GKUBE_TOKEN: least, BRANCH_NAME: 'main' } })
    expect(await one.ended, one.console()).toBe(0)
    expect(await last('least')).toMatchObject({ environment: 'staging', requestedBy: { name: 'ci' } })
    // The file speaks of production, too: as it stands it registers nothing, but it must not be changed.
    const env = { GKUBE_TOKEN: least }
    const same = step(freestyle, { job: 'shop/least', env, file })
    expect(await same.ended, same.console()).toBe(0)
    const changed = file.replace('replicas: 2', 'replicas: 3')
    const two = step(freestyle, { job: 'shop/least', env, file: changed })
    expect(await two.ended).toBe(3)
    expect(two.console()).toMatch(/ci may not register least in production/)
    expect(one.console() + two.console()).not.toContain(least)
  })

  it('a repeated step of one build is the same deploy, until it is asked for again', async () => {
    const story = { job: 'shop/again', file: appFile('again') }
    const first = step(freestyle, story)
    expect(await first.ended, first.console()).toBe(0)
    const { id } = await last('again')
    number--
    const second = step(freestyle, story)
    expect(await second.ended, second.console()).toBe(0)
    expect(second.console()).toContain(`this was asked for already (${id}); no second deploy is made`)
    expect((await last('again')).id).toBe(id)
    number--
    const third = step(`${fetched}node gkube.mjs deploy --again`, story)
    expect(await third.ended, third.console()).toBe(0)
    expect((await last('again')).id).not.toBe(id)
  })
})

const fetched = `curl -fsS "$GKUBE_URL/cli" -o gkube.mjs\n`

/** Both ways to deploy must do the same when they are aborted. */
const ways = [
  { way: 'node', script: `${fetched}exec node gkube.mjs deploy -f gkube.yaml` },
  { way: 'curl', script: 'GKUBE_FILE=gkube.yaml exec sh deploy.sh' },
]
const jobs = (app: string) => ({ jobs: [`shop/${app}`] })

describe.each(ways)('aborted ($way)', ({ way, script }) => {
  it('while it waits: the deploy is cancelled, and the step is gone within its five seconds', async () => {
    const app = `waits-${way}`
    const file = appFile(app, { ...jobs(app), environments: { production: {} } })
    const one = step(script, { job: `shop/${app}`, file })
    await one.said('waiting for 1 of 1 approval')
    const { ms, killed } = await one.abort()
    expect(await one.ended, one.console()).toBe(143)
    expect({ killed, inTime: ms < 5_000 }).toEqual({ killed: [], inTime: true })
    expect(await last(app)).toMatchObject({ phase: 'cancelled', reason: 'cancelled' })
    expect(one.console()).toContain('SIGTERM: the deploy was still waiting and is cancelled')
    expect(one.console()).toMatch(new RegExp(`gkube: RESULT cancelled ${app} c\\d+ production \\d+s\n$`))
    expect(one.console()).not.toContain(token)
  })

  it.each([
    { onAbort: 'rollback', says: 'is being cancelled', ends: ['cancelled'] },
    { onAbort: 'continue', says: 'the deploy goes on', ends: ['running'] },
  ] as const)('while it runs, onAbort: $onAbort', async ({ onAbort, says, ends }) => {
    const app = `runs-${way}-${onAbort}`
    const file = appFile(app, { ...jobs(app), onAbort })
    const story = { job: `shop/${app}`, file }
    const first = step(script, story)
    expect(await first.ended, first.console()).toBe(0)
    const good = (await last(app)).revision
    const one = step(script, { ...story, env: { GIT_COMMIT: 'unready' } })
    await until(
      () => last(app),
      deploy =>
        deploy.revision === 'unready' &&
        deploy.steps.some(s => s.name === 'rollout' && s.state === 'running'),
    )
    await one.said('running')
    const { killed } = await one.abort()
    expect(await one.ended, one.console()).toBe(143)
    expect(killed).toEqual([])
    expect(one.console().toLowerCase()).toContain(
      `sigterm: ${says === 'the deploy goes on' ? says : 'the deploy'}`,
    )
    expect(one.console()).toContain(onAbort === 'rollback' ? says : 'goes on')
    const after = await phase(app, ends)
    expect(ends).toContain(after.phase)
    const status = await stack.core.status(admin, { app })
    if (onAbort === 'rollback') expect(status[0]?.workload.revision).toBe(good)
    else await stack.core.cancel(admin, after.id, { reason: 'the test is over' })
  })
})

describe('a server that is killed', () => {
  async function own() {
    // Slow enough to be killed in the middle.
    const other = await startStack({ speed: 1, env: { GKUBE_BOOTSTRAP_TOKEN: token } })
    await other.server.close()
    const port = await freePort()
    const config = parse(readFileSync(other.configFile, 'utf8'))
    const configFile = join(workspace(), 'gkube.yaml')
    writeFileSync(configFile, stringify({ ...config, listen: { host: '127.0.0.1', port } }))
    return configFile
  }

  it.each(ways)('and comes back: the step goes on where it was ($way)', async ({ way, script }) => {
    const configFile = await own()
    let replica = await startReplica(configFile)
    const app = `lost-${way}`
    const file = appFile(app, jobs(app))
    const story = { job: `shop/${app}`, file, url: replica.url, env: { GIT_COMMIT: 'slow' } }
    const one = step(script, story)
    await one.said('running')
    await replica.end('SIGKILL')
    await one.said('connection lost, trying again')
    replica = await startReplica(configFile)
    expect(await one.ended, one.console()).toBe(0)
    expect(one.console().match(/connection lost/g)).toHaveLength(1)
    expect(one.console()).toMatch(
      new RegExp(
        `connection lost, trying again[\\s\\S]*connected again[\\s\\S]*RESULT succeeded ${app} slow staging`,
      ),
    )
    // The same step again, in the same build: what was asked for is found, by another process.
    number--
    const again = step(script, story)
    expect(await again.ended, again.console()).toBe(0)
    expect(again.console()).toContain('was asked for already')
    await replica.end('SIGTERM')
  })

  it.each(ways)(
    'and the step is aborted meanwhile: it is gone in time, and says what it does not know ($way)',
    async ({ way, script }) => {
      const configFile = await own()
      const replica = await startReplica(configFile)
      const app = `gone-${way}`
      const file = appFile(app, { ...jobs(app), environments: { production: {} } })
      const story = { job: `shop/${app}`, file, url: replica.url, env: { GIT_COMMIT: 'unready' } }
      const one = step(script, story)
      await one.said('running')
      await replica.end('SIGKILL')
      const { killed } = await one.abort()
      expect(await one.ended, one.console()).toBe(143)
      expect(killed).toEqual([])
      expect(one.console()).toMatch(/SIGTERM: it could not be cancelled.*gkube follow /)
    },
  )

  it.each(ways)(
    'and does not come back: 75 after the patience that was asked for ($way)',
    async ({ way, script }) => {
      const configFile = await own()
      const replica = await startReplica(configFile)
      const app = `never-${way}`
      const env = { GIT_COMMIT: 'unready', GKUBE_RECONNECT: '4s' }
      const file = appFile(app, { ...jobs(app), environments: { production: {} } })
      const one = step(script, { job: `shop/${app}`, file, url: replica.url, env })
      await one.said('running')
      await replica.end('SIGKILL')
      expect(await one.ended, one.console()).toBe(75)
      expect(one.console()).toMatch(/has not answered for 4 s\. The deploy lives on; later: gkube follow /)
      expect(one.console()).toMatch(new RegExp(`gkube: RESULT unknown ${app} unready production`))
    },
  )
})

describe.each(['sh', 'bash', 'busybox sh'])('examples/jenkins/deploy.sh with %s', shell => {
  const name = shell.replace(' ', '-')
  const program = shell.split(' ')[0] ?? ''
  const there = ['/bin', '/usr/bin'].some(folder => existsSync(join(folder, program)))
  const register = (app: string, over = {}) =>
    stack.core.applyApp(admin, parseApp(parse(appFile(app, { ...jobs(app), ...over }))), { dryRun: false })

  it.skipIf(!there)('deploys, fails, is held and is refused with the same codes', async () => {
    const app = `curl-${name}`
    await register(app)
    const odd = {
      BUILD_USER: 'Ana "the\\cat" Ivanova',
      BUILD_USER_ID: undefined,
      GIT_BRANCH: 'origin/fix/ü"x',
    }
    const good = step(`${shell} deploy.sh`, { job: `shop/${app}`, env: odd })
    expect(await good.ended, good.console()).toBe(0)
    expect(good.console()).toMatch(new RegExp(`gkube: RESULT succeeded ${app} c\\d+ staging \\d+s\n$`))
    expect(await last(app)).toMatchObject({
      source: { build: number, user: 'Ana "the\\cat" Ivanova', branch: 'fix/ü"x', commit: `c${number}` },
    })
    const bad = step(`${shell} -x deploy.sh`, { job: `shop/${app}`, env: { GIT_COMMIT: 'crash' } })
    expect(await bad.ended, bad.console()).toBe(1)
    expect(bad.console()).toMatch(/gkube: why: .*exit/)
    expect(bad.console()).not.toContain(token)
    const unknown = step(`${shell} deploy.sh`, { job: 'shop/nobody' })
    expect(await unknown.ended).toBe(2)
    expect(unknown.console()).toContain('gkube: No app is registered for the Jenkins job shop/nobody')
    const wrong = step(`GKUBE_TOKEN=gk_wrong ${shell} deploy.sh`, { job: `shop/${app}` })
    expect(await wrong.ended).toBe(3)
    const duration = step(`${shell} deploy.sh`, { job: `shop/${app}`, env: { GKUBE_WAIT_APPROVAL: '15' } })
    expect(await duration.ended).toBe(2)
  })

  it.skipIf(!there)('waits for an approval, and ends with 4 where nobody comes', async () => {
    const app = `held-${name}`
    await register(app, { environments: { production: {} } })
    const one = step(`${shell} deploy.sh`, { job: `shop/${app}` })
    await one.said('waiting for 1 of 1 approval')
    await stack.core.vote(admin, (await last(app)).id, { decision: 'approve', reason: 'fine' })
    expect(await one.ended, one.console()).toBe(0)
    const late = step(`${shell} deploy.sh`, { job: `shop/${app}`, env: { GKUBE_WAIT_APPROVAL: '2s' } })
    expect(await late.ended, late.console()).toBe(4)
    expect(late.console()).toMatch(/The deploy lives on: gkube follow /)
    expect((await last(app)).phase).toBe('awaiting_approval')
    await stack.core.cancel(admin, (await last(app)).id, { reason: 'the test is over' })
  })
})
