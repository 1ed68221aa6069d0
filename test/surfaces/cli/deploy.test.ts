// Deploys from the command line: to their end, in Jenkins, held, repeated, over a server that comes and goes, and on
// a terminal. Real HTTP; the streams are looked at in this process, processes are in process.test.ts.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { UserError } from '../../../src/errors.ts'
import { served, until } from '../serve.ts'
import { memoryCore } from '../support.ts'
import { cliAt, folder, listener } from './support.ts'

const { core, url, ask } = await served()
const gkube = cliAt(url)
const path = join(folder, 'web.yaml')
writeFileSync(path, 'app: web\nimage: web:{revision}\njobs: [shop/web]\n')
await gkube(`app apply -f ${path}`)
const running = (revision: string) =>
  until(
    () =>
      [...core.deploys.values()].find(one => one.deploy.revision === revision && !one.deploy.endedAt)?.deploy,
  )
const lastDeploy = () => [...core.deploys.values()].at(-1)?.deploy

describe('a deploy', () => {
  it('says what it does and how it ended', async () => {
    const { code, out, err } = await gkube('deploy web 1.0.0 -E staging')
    const lines = out.split('\n')
    expect(lines[0]).toMatch(/^gkube: web 1\.0\.0 · staging · asked by ana · 01J\w+$/)
    expect(lines).toEqual(expect.arrayContaining(['gkube: running', 'gkube: ▸ rollout', 'gkube: 1/3 ready']))
    expect(out).toMatch(
      /✓ web 1\.0\.0 is live in staging · took \d s\ngkube: RESULT succeeded web 1\.0\.0 staging \ds\n$/,
    )
    expect({ code, err }).toEqual({ code: 0, err: '' })
  })

  it('updates what is there, and prints its record as JSON with everything else on stderr', async () => {
    const { code, out, err } = await gkube('deploy web 1.1.0 -E staging --json')
    expect(JSON.parse(out)).toMatchObject({
      id: expect.any(String),
      app: 'web',
      environment: 'staging',
      revision: '1.1.0',
      plan: 'update',
      phase: 'succeeded',
      reason: 'ok',
      steps: [
        {
          name: 'apply',
          state: 'done',
          startedAt: expect.any(Number),
          endedAt: expect.any(Number),
          message: '',
        },
        { name: 'rollout' },
        { name: 'record' },
      ],
    })
    expect(JSON.parse(out)).not.toHaveProperty('diagnosis')
    expect(err).toMatch(/gkube: RESULT succeeded web 1\.1\.0 staging \ds\n$/)
    expect(code).toBe(0)
  })

  it('that fails says why, what was seen, what to try, and shows the log', async () => {
    const { code, out } = await gkube('deploy web crash -E staging')
    expect(out).toMatch(/gkube: why: The new pods crash at start/)
    expect(out).toContain(
      [
        '  Why   The new pods crash at start: exit code 1 after 3 s, 4 times (web-7c9d-x2x1).',
        '  Seen  2 of 2 new pods in CrashLoopBackOff · old pods untouched, 3/3 ready',
        '  Try   look at the log below, or `gkube logs web --previous`',
        '  Log   last lines of web-7c9d-x2x1, container web (before its restart):',
        '        starting',
        '        Error: connect ECONNREFUSED 10.0.0.7:5432',
        'gkube: RESULT rolled_back web crash staging 0s\n',
      ].join('\n'),
    )
    expect(out).toMatch(/✗ web crash failed in staging, rolled back to 1\.1\.0/)
    expect(code).toBe(1)
    const { out: record } = await gkube('deploy web crash -E staging --json')
    expect(JSON.parse(record)).toMatchObject({
      phase: 'rolled_back',
      reason: 'crash_loop',
      diagnosis: { cause: {} },
    })
  })

  it.each([
    { line: 'redeploy web -E staging', kind: 'redeploy', says: /✓ web 1\.1\.0 is live in staging/ },
    { line: 'rollback web -E staging', kind: 'rollback', says: /RESULT succeeded web 1\.1\.0/ },
    {
      line: 'rollback web 1.0.0 -E staging --note because',
      kind: 'rollback',
      says: /RESULT succeeded web 1\.0\.0/,
    },
    { line: 'scale web 5 -E staging', kind: 'scale', says: /✓ web runs 5 times in staging/ },
    { line: 'restart web -E staging', kind: 'restart', says: /✓ web is restarted in staging/ },
    { line: 'deploy -f PATH 1.2.0 -E staging', kind: 'deploy', says: /RESULT succeeded web 1\.2\.0/ },
    {
      line: 'delete web -E staging --yes --delete-volume web-data',
      kind: 'delete',
      says: /✓ web is deleted from staging/,
    },
  ])('$line', async ({ line, kind, says }) => {
    const { code, out } = await gkube(line.replace('PATH', path))
    expect(out).toMatch(says)
    expect(code).toBe(0)
    expect(lastDeploy()).toMatchObject({ kind, source: { job: null } })
    if (kind === 'delete') expect(lastDeploy()?.params.claims).toEqual(['web-data'])
  })

  it('asks before it deletes, and takes only the name for a yes', async () => {
    await gkube('deploy web 1.0.0 -E staging')
    const no = await gkube('delete web -E staging', { tty: true, stdin: 'yes\n' })
    expect(no.code).toBe(2)
    expect(no.err).toMatch(
      /Delete web in staging\? its volumes are kept\. Type its name[\s\S]*nothing was deleted/,
    )
    const yes = await gkube('delete web -E staging', { tty: true, stdin: 'web\n' })
    expect(yes.code).toBe(0)
  })

  it('with --detach only asks', async () => {
    const { code, out } = await gkube('deploy web hang -E staging --detach --json')
    const { id } = JSON.parse(out)
    expect({ code, phase: core.deploys.get(id)?.deploy.endedAt }).toEqual({ code: 0, phase: null })
    core.finish(id)
    const followed = await gkube(`follow ${id}`)
    expect(followed.code).toBe(0)
    expect(followed.out).toMatch(/RESULT succeeded web hang staging/)
  })
})

describe('what holds a deploy', () => {
  it.each([
    { name: 'a lock', revision: '2.0.0', lock: true, err: /locked by ana: fire/ },
    { name: 'an approval', revision: 'approve', lock: false, err: /needs an approval/ },
  ])('$name ends it with 4 when nobody waits', async ({ revision, lock, err }) => {
    if (lock) await gkube('lock web -E staging --reason fire')
    const result = await gkube(`deploy web ${revision} -E staging --no-wait`)
    expect(result.code).toBe(4)
    expect(result.err).toMatch(err)
    if (lock) await gkube('unlock web -E staging')
  })

  it('is said while it waits', async () => {
    await gkube('lock web -E staging --reason fire')
    const waiting = gkube('deploy web 2.0.1 -E staging')
    await until(() => lastDeploy()?.revision === '2.0.1' && core.deploys.get(lastDeploy()?.id ?? '')?.waiting)
    await gkube('unlock web -E staging')
    const { code, out } = await waiting
    expect(out).toContain('gkube: locked by ana\n')
    expect(code).toBe(0)
  })

  it('can be approved or denied by name', async () => {
    const asked = gkube('deploy web approve -E staging')
    await until(() => lastDeploy()?.phase === 'awaiting_approval')
    expect((await gkube('approvals')).out).toMatch(
      /^web approve {2}staging {2}ana {2}expires in (30|29) min {2}gkube approve 01J\w+\n$/,
    )
    const approval = await gkube('approve web -E staging --reason fine')
    expect(approval.out).toMatch(/^web approve → staging: approved/)
    expect((await asked).code).toBe(0)
    const denied = gkube('deploy web approve -E staging')
    await until(() => lastDeploy()?.phase === 'awaiting_approval')
    await gkube('deny web -E staging --reason no')
    expect(await denied).toMatchObject({
      code: 1,
      out: expect.stringMatching(/RESULT denied web approve staging/),
    })
  })

  it('can be overridden with a reason', async () => {
    const asked = gkube('deploy web approve -E staging')
    await until(() => lastDeploy()?.phase === 'awaiting_approval')
    expect((await gkube('override web -E staging --reason fire')).out).toMatch(
      /^web approve → staging: overridden, (waiting for its turn|running)\n$/,
    )
    expect((await asked).code).toBe(0)
  })

  it('is promoted by the name of where it runs', async () => {
    await gkube('promote web --from staging -E production --detach')
    expect(core.calls('request').at(-1)).toMatchObject([
      {},
      { kind: 'deploy', app: 'web', from: 'staging', environment: 'production' },
    ])
    expect(await gkube('promote web -E production')).toMatchObject({ code: 2 })
  })

  it('that turns up late still ends it with 4, and nothing is left waiting', async () => {
    const late = memoryCore()
    const own = await served({
      core: { ...late, request: (caller, input) => late.request(caller, { ...input, wait: true }) },
    })
    const there = cliAt(own.url)
    await there(`app apply -f ${path}`)
    const { code, err } = await there('deploy web approve -E staging --no-wait')
    expect(code).toBe(4)
    expect(err).toMatch(/needs an approval, and --no-wait/)
    expect([...late.deploys.values()].at(-1)?.deploy.phase).toBe('cancelled')
  })
})

describe('in Jenkins', () => {
  const build = {
    JENKINS_URL: 'https://ci.example.com/',
    JOB_NAME: 'shop/web',
    BUILD_NUMBER: '214',
    BUILD_TAG: 'jenkins-shop-web-214',
    BUILD_URL: 'https://ci.example.com/job/shop/job/web/214/',
    GIT_COMMIT: '3fa9c1e2b4d6f8091a3c5e7f9b1d3f5a7c9e1b3d',
    GIT_BRANCH: 'origin/main',
    BUILD_USER_ID: 'ben',
  }
  let builds = 300
  /** The variables of one more build. */
  const nextBuild = (over: Record<string, string | undefined> = {}) => ({
    ...build,
    BUILD_NUMBER: String(++builds),
    ...over,
  })

  it('takes app and revision of the build, and says where it came from', async () => {
    const { code, out } = await gkube('deploy', { env: build })
    expect(code).toBe(0)
    expect(out).toMatch(/RESULT succeeded web 3fa9c1e2/)
    expect(lastDeploy()).toMatchObject({
      requestedBy: { via: 'jenkins' },
      source: {
        job: 'shop/web',
        build: 214,
        url: build.BUILD_URL,
        commit: build.GIT_COMMIT,
        branch: 'main',
        user: 'ben',
      },
    })
    // What is not said is the server's to find out: one request, and nothing was asked before it.
    const [, asked] = core.calls('request').at(-1) ?? []
    expect(asked).toMatchObject({ job: 'shop/web', kind: 'deploy' })
    expect(asked).not.toHaveProperty('revision')
    expect(asked).not.toHaveProperty('environment')
    expect(core.calls('showApp')).toHaveLength(0)
  })

  it('makes one deploy a build, however often the step is repeated', async () => {
    const before = core.deploys.size
    const { code, out } = await gkube('deploy -E staging', { env: build })
    expect(code).toBe(0)
    expect(out).toMatch(/was asked for already \(01J\w+\); no second deploy is made/)
    expect(core.deploys.size).toBe(before)
    const next = await gkube('deploy -E staging', { env: { ...build, BUILD_NUMBER: '215' } })
    expect(next.code).toBe(0)
    expect(core.deploys.size).toBe(before + 1)
  })

  it.each([
    { name: 'flags', line: 'deploy web 9.0.0 -E staging', env: {}, revision: '9.0.0' },
    {
      name: 'variables',
      line: 'deploy',
      env: { GKUBE_APP: 'web', GKUBE_REVISION: '9.1.0', GKUBE_ENVIRONMENT: 'staging' },
      revision: '9.1.0',
    },
  ])('lets $name decide', async ({ line, env, revision }) => {
    expect((await gkube(line, { env: nextBuild(env) })).code).toBe(0)
    expect(lastDeploy()?.revision).toBe(revision)
  })

  it('takes the build number where the app says so, also for a branch job', async () => {
    await ask('PUT', '/v1/apps/counted', {
      body: { app: 'counted', image: 'a:{revision}', jobs: ['shop/counted'], revisionFrom: 'BUILD_NUMBER' },
    })
    const env = nextBuild({ JOB_NAME: 'shop/counted' })
    await gkube('deploy counted -E staging', { env })
    expect(lastDeploy()).toMatchObject({ app: 'counted', revision: env.BUILD_NUMBER })
    const file = join(folder, 'counted.yaml')
    writeFileSync(file, 'app: fresh\nimage: a\nrevisionFrom: BUILD_NUMBER\n')
    const next = nextBuild()
    await gkube(`deploy -f ${file} -E staging`, { env: next })
    expect(lastDeploy()).toMatchObject({ app: 'fresh', revision: next.BUILD_NUMBER })
  })

  it.each([
    { name: 'none', jobs: '', env: {}, registered: ['shop/new'] },
    { name: 'an empty list', jobs: 'jobs: []\n', env: {}, registered: ['shop/new'] },
    { name: 'others', jobs: 'jobs: [shop/other]\n', env: {}, registered: ['shop/other'] },
    {
      name: 'none, of a branch job',
      jobs: '',
      env: { JOB_NAME: 'shop/new/feature%2Fx', BRANCH_NAME: 'feature/x' },
      registered: ['shop/new'],
    },
  ])('registers a job with -f; the file names $name', async ({ jobs, env, registered }) => {
    const file = join(folder, 'gkube.yaml')
    writeFileSync(file, `app: new\nimage: a:{revision}\n${jobs}`)
    const { code } = await gkube(`deploy -f ${file}`, { env: nextBuild({ JOB_NAME: 'shop/new', ...env }) })
    expect(code).toBe(0)
    expect((await (await ask('GET', '/v1/apps/new')).json()) as object).toMatchObject({ jobs: registered })
    // A person's file says it all.
    await gkube(`deploy -f ${file} 1.0.0 -E staging`)
    if (jobs === '')
      expect((await (await ask('GET', '/v1/apps/new')).json()) as object).toMatchObject({ jobs: [] })
  })
})

describe('how long a command waits for what holds its deploy', () => {
  const inJenkins = { JENKINS_URL: 'https://ci.example.com/', JOB_NAME: 'shop/web' }

  it.each([
    { name: 'the option', line: '--wait-approval 0s', env: {} },
    { name: 'the variable', line: '', env: { GKUBE_WAIT_APPROVAL: '0s' } },
    {
      name: 'the option before the variable',
      line: '--wait-approval 0s',
      env: { GKUBE_WAIT_APPROVAL: '9h' },
    },
  ])('$name: it ends with 4, and the deploy lives on', async ({ line, env }) => {
    const result = await gkube(`deploy web approve -E staging ${line}`.trim(), { env })
    expect(result.code).toBe(4)
    expect(result.err).toMatch(
      /not begun after 0 s \(.*\)\. The deploy lives on\. Follow it: gkube follow 01J\w+ · cancel it: gkube cancel 01J/,
    )
    expect(result.out).toMatch(
      /gkube: RESULT (requested|preparing|awaiting_approval) web approve staging 0s\n$/,
    )
    const id = lastDeploy()?.id ?? ''
    await until(() => core.deploys.get(id)?.deploy.phase === 'awaiting_approval')
    await gkube(`approve ${id}`)
    expect((await gkube(`follow ${id}`)).code).toBe(0)
  })

  it('a deploy that runs is followed to its end, however long', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout')
    const deploying = gkube('deploy web hang -E staging --wait-approval 123s')
    const { id } = await running('hang')
    await until(() => core.deploys.get(id)?.progress)
    const [due] = timers.mock.calls.find(([, ms]) => ms === 123_000) ?? []
    due?.()
    core.finish(id)
    expect((await deploying).code).toBe(0)
  })

  it('in Jenkins it is 15 minutes, elsewhere as long as it takes', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout')
    const waits = () => timers.mock.calls.filter(([, ms]) => ms === 900_000).length
    await gkube('deploy web 7.0.0 -E staging', { env: inJenkins })
    expect(waits()).toBe(1)
    await gkube('deploy web 7.0.1 -E staging')
    expect(waits()).toBe(1)
  })

  it('a duration that is none is found before anything is asked', async () => {
    const before = core.deploys.size
    expect(await gkube('deploy web 1 -E staging --wait-approval soon')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--wait-approval is `soon`'),
    })
    expect(core.deploys.size).toBe(before)
  })
})

describe('a server that is slow to come back', () => {
  it('is asked again, and the deploy is made once', async () => {
    const own = await served()
    const there = cliAt(own.url)
    await there(`app apply -f ${path}`)
    own.core.failNext('request', new UserError('unavailable', 'etcd does not answer.'))
    const { code, err } = await there('deploy web 1.0.0 -E staging')
    expect({ code, err }).toEqual({ code: 0, err: 'gkube: etcd does not answer. Trying again …\n' })
    expect(own.core.deploys.size).toBe(1)
  })
})

describe('a server that comes and goes', () => {
  it('loses the follower, gets it back, and no event is missing', async () => {
    const flaky = memoryCore()
    const first = await served({ core: flaky, timeouts: { close: 50 } })
    const there = cliAt(first.url)
    await there(`app apply -f ${path}`)
    const { heard, said } = listener()
    const deploying = there('deploy web hang -E staging', { heard })
    const id = (await until(() => [...flaky.deploys.values()].find(one => one.progress)?.deploy)).id
    await said('1/3 ready')
    await first.server.close()
    flaky.progress(id, 2, 3)
    await said('connection lost')
    await served({ core: flaky, port: Number(new URL(first.url).port) })
    flaky.progress(id, 3, 3)
    await said('3/3 ready')
    flaky.finish(id)
    const { code, out } = await deploying
    expect(out).toMatch(
      /1\/3 ready[\s\S]*connection lost, trying again[\s\S]*connected again[\s\S]*3\/3 ready/,
    )
    expect(out).toContain('gkube: 2/3 ready\n')
    expect(code).toBe(0)
  })

  it('is waited for no longer than asked', async () => {
    const own = await served({ timeouts: { close: 50 } })
    const there = cliAt(own.url)
    await there(`app apply -f ${path}`)
    const deploying = there('deploy web hang -E staging', { env: { GKUBE_RECONNECT: '1s' } })
    await until(() => own.core.open() === 1)
    await own.server.close()
    const { code, out, err } = await deploying
    expect(code).toBe(75)
    expect(err).toMatch(/has not answered for 1 s\. The deploy lives on; later: gkube follow 01J/)
    expect(out).toMatch(/gkube: RESULT unknown web hang staging \ds\n$/)
    const wrong = await gkube('deploy web 1 -E staging', { env: { GKUBE_RECONNECT: 'long' } })
    expect(wrong.code).toBe(2)
  })
})

describe('on a terminal', () => {
  const esc = String.fromCharCode(27)

  it('draws one block again and again, and leaves it in order', async () => {
    const { out, code } = await gkube('deploy web 5.0.0 -E staging', {
      tty: true,
      columns: 60,
      env: { NO_COLOR: undefined },
    })
    expect(code).toBe(0)
    expect(out).toContain(`${esc}[?25l`)
    expect(out.split(`${esc}[?25h`)).toHaveLength(2)
    expect(out).toMatch(/▸ rollout ▰▱▱ 1\/3 ready/)
    expect(out).toContain(`${esc}[32m  ✓ apply`)
    expect(out).toMatch(/is live in staging/)
    // Each redraw goes up exactly as many lines as the one before wrote.
    const frames = out.split(new RegExp(`(?=${esc}\\[\\d+A)`)).slice(1)
    for (const [i, frame] of frames.entries()) {
      const before =
        (i === 0 ? (out.split(`${esc}[`)[0] ?? '') : (frames[i - 1] ?? '')).split('\n').length - 1
      const up = Number(/\[(\d+)A/.exec(frame)?.[1])
      if (i > 0) expect(up).toBe(before)
    }
    for (const line of out.split(`${esc}[?25h`)[0]?.split('\n') ?? [])
      expect([...line.replaceAll(new RegExp(`${esc}\\[[0-9;?]*[A-Za-z]|\\r`, 'g'), '')].length).toBeLessThan(
        60,
      )
  })

  it('detaches on Ctrl-C with the words how to go on', async () => {
    const stop = new AbortController()
    const deploying = gkube('deploy web hang -E staging', { tty: true, signal: stop.signal })
    const { id } = await running('hang')
    await until(() => core.deploys.get(id)?.progress)
    stop.abort('SIGINT')
    const { code, err } = await deploying
    expect(code).toBe(130)
    expect(err).toContain(`The deploy goes on. Follow it: gkube follow ${id} · cancel it: gkube cancel ${id}`)
    expect(core.deploys.get(id)?.deploy.phase).toBe('running')
    core.finish(id)
  })
})
