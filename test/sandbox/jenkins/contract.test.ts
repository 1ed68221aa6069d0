// The remote API of the stand-in Jenkins, statement by statement as Jenkins' sources have it: who may ask, what a
// request to build answers, what the queue, builds, logs and inputs look like. Debian's client judges it in test/slow.
import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { JobSeed, ParameterSeed } from '../../../src/sandbox/jenkins/control.ts'
import { held, type Opened, open } from './client.ts'

const parameters: readonly ParameterSeed[] = [
  { name: 'WHO', type: 'string', default: 'world' },
  { name: 'LONG', type: 'text' },
  { name: 'REALLY', type: 'boolean' },
  { name: 'SIZE', type: 'choice', choices: ['small', 'large'] },
  { name: 'KEY', type: 'password', default: 'secret' },
  { name: 'LAST', type: 'run' },
  { name: 'NOTES', type: 'file' },
]
const plain = (path: string, more: Partial<JobSeed> = {}): JobSeed => ({ path, kind: 'freestyle', ...more })

const long = held({ path: 'team/long', kind: 'freestyle', quiet: 0 })
const stubborn = held({ path: 'team/stubborn', heeds: 'kill' })
const seed: readonly JobSeed[] = [
  plain('plain'),
  plain('team/params', { parameters, quiet: 60_000 }),
  plain('team/quick', { parameters }),
  plain('team/off', { disabled: true }),
  plain('team/secret', { hidden: true }),
  plain('team/seen', { readOnly: true, quiet: 60_000 }),
  plain('team/refused', { refuses: true }),
  { path: 'team/many', kind: 'multibranch' },
  { path: 'team/many/feature%2Flogin', kind: 'pipeline', branch: 'feature/login' },
  long.job,
  stubborn.job,
]

let at: Opened
beforeAll(async () => {
  at = await open({ seed, locationBase: 'http://jenkins.internal:8080/', executors: 3 })
})

describe('who may ask', () => {
  it('tells its version on each answer', async () => {
    const { headers } = await at.ask('me/api/json')
    expect(headers.get('x-jenkins')).toMatch(/^2\./)
  })

  it.each([
    ['nobody', {}, 403],
    ['a wrong password', { authorization: `Basic ${btoa('gkube:wrong')}` }, 401],
    ['another user', { authorization: `Basic ${btoa('eve:wrong')}` }, 401],
  ])('%s: refused', async (_, headers, status) => {
    expect((await fetch(`${at.jenkins.url}api/json`, { headers })).status).toBe(status)
  })

  it('a password may look; to build it needs a crumb and the session it came with', async () => {
    const headers = at.basic(at.jenkins.password)
    expect((await at.ask('api/json', { headers })).status).toBe(200)
    expect((await at.post('job/plain/build', { headers })).status).toBe(403)
    const issued = await at.ask('crumbIssuer/api/json', { headers })
    const { crumb, crumbRequestField } = (await issued.json()) as Record<string, string>
    const cookie = issued.headers.get('set-cookie')?.split(';')[0] ?? ''
    const withCrumb = { ...headers, [String(crumbRequestField)]: String(crumb) }
    expect((await at.post('job/plain/build', { headers: withCrumb })).status).toBe(403)
    expect((await at.post('job/plain/build', { headers: { ...withCrumb, cookie } })).status).toBe(201)
  })

  it('pages are open to people on this machine, by its own name only', async () => {
    expect((await fetch(`${at.jenkins.url}job/team/`)).status).toBe(200)
    const foreign = await fetch(`${at.jenkins.url}job/plain/build`, {
      method: 'POST',
      headers: { ...at.basic(at.jenkins.token), origin: 'http://evil.example.com' },
    })
    expect(foreign.status).toBe(403)
  })
})

describe('what a request to build answers', () => {
  it.each([
    ['a job without parameters', 'job/plain/build', 201],
    ['parameters for one that has none', 'job/plain/buildWithParameters', 400],
    ['no parameters for one that has some', 'job/team/job/quick/build', 400],
    ['one with parameters', 'job/team/job/quick/buildWithParameters?WHO=ana', 201],
    ['a choice that is none', 'job/team/job/quick/buildWithParameters?SIZE=huge', 500],
    ['a value twice', 'job/team/job/quick/buildWithParameters?WHO=a&WHO=b', 500],
    ['a disabled job', 'job/team/job/off/build', 409],
    ['an invisible job', 'job/team/job/secret/build', 404],
    ['a job that is only seen', 'job/team/job/seen/build', 403],
    ['a job that is refused by the queue', 'job/team/job/refused/build', 302],
    ['no job', 'job/team/job/nothing/build', 404],
    ['a folder', 'job/team/build', 404],
    ['a branch, encoded twice', 'job/team/job/many/job/feature%252Flogin/build', 201],
    ['a branch, encoded once', 'job/team/job/many/job/feature%2Flogin/build', 400],
  ])('%s: %s → %i', async (_, path, status) => {
    expect((await at.post(path)).status).toBe(status)
  })

  it('GET builds nothing', async () => expect((await at.ask('job/plain/build')).status).toBe(405))

  it('its Location names the host it believes in; a refusal leads to the job', async () => {
    const taken = await at.post('job/plain/build')
    expect(taken.headers.get('location')).toMatch(/^http:\/\/jenkins\.internal:8080\/queue\/item\/\d+\/$/)
    const refused = await at.post('job/team/job/refused/build')
    expect(refused.headers.get('location')).toBe(`${at.jenkins.url}job/team/job/refused/`)
  })

  it('an identical item that waits is joined: 303 to the same; another value is another item', async () => {
    const build = (who: string) => at.post(`job/team/job/params/buildWithParameters?WHO=${who}`)
    const [first, same, other] = [await build('a'), await build('a'), await build('b')]
    expect([first.status, same.status, other.status]).toEqual([201, 303, 201])
    expect(same.headers.get('location')).toBe(first.headers.get('location'))
    expect(other.headers.get('location')).not.toBe(first.headers.get('location'))
  })

  it('drops unknown parameters, takes defaults for missing ones, tells no secret', async () => {
    const body = new URLSearchParams({ WHO: 'form', REALLY: 'TRUE', NOBODY: 'x' })
    const { headers } = await at.post('job/team/job/params/buildWithParameters', { body })
    const id = /item\/(\d+)/.exec(headers.get('location') ?? '')?.[1]
    const item = await at.json(`queue/item/${id}/api/json?tree=actions[parameters[name,value]]`)
    expect(item.actions[1].parameters).toEqual([
      { _class: 'hudson.model.StringParameterValue', name: 'WHO', value: 'form' },
      { _class: 'hudson.model.TextParameterValue', name: 'LONG', value: '' },
      { _class: 'hudson.model.BooleanParameterValue', name: 'REALLY', value: true },
      { _class: 'hudson.model.ChoiceParameterValue', name: 'SIZE', value: 'small' },
      { _class: 'hudson.model.PasswordParameterValue', name: 'KEY' },
    ])
  })
})

describe('tree', () => {
  it('shows what is asked for, ranges and _class; a bean without fields shows nothing', async () => {
    const tree =
      'name,property[parameterDefinitions[name,type,choices,defaultParameterValue[value]]{2,4}],builds'
    const job = await at.json(`job/team/job/params/api/json?tree=${tree}`)
    expect(job).toEqual({
      _class: 'hudson.model.FreeStyleProject',
      name: 'params',
      builds: [],
      property: [
        {},
        {
          _class: 'hudson.model.ParametersDefinitionProperty',
          parameterDefinitions: [
            {
              _class: 'hudson.model.BooleanParameterDefinition',
              name: 'REALLY',
              type: 'BooleanParameterDefinition',
              defaultParameterValue: { _class: 'hudson.model.BooleanParameterValue', value: false },
            },
            {
              _class: 'hudson.model.ChoiceParameterDefinition',
              name: 'SIZE',
              type: 'ChoiceParameterDefinition',
              choices: ['small', 'large'],
              defaultParameterValue: { _class: 'hudson.model.ChoiceParameterValue', value: 'small' },
            },
          ],
        },
      ],
    })
  })

  it.each(['name[', 'a]', 'a{x}', ''])('%j is refused or nothing', async tree => {
    const { status } = await at.ask(`api/json?tree=${encodeURIComponent(tree)}`)
    expect(status).toBe(tree === '' ? 200 : 400)
  })

  it('without one, what is nested is brief; folders hold jobs, and no invisible ones', async () => {
    const folder = await at.json('job/team/api/json')
    expect(folder._class).toContain('Folder')
    const names = folder.jobs.map((job: { name: string }) => job.name)
    expect(names).toContain('params')
    expect(names).not.toContain('secret')
    expect(Object.keys(folder.jobs[0])).not.toContain('builds')
    const branches = await at.json('job/team/job/many/api/json?tree=jobs[name,displayName,fullName,url]')
    expect(branches.jobs).toMatchObject([
      {
        name: 'feature%2Flogin',
        displayName: 'feature/login',
        fullName: 'team/many/feature%2Flogin',
        url: `${at.jenkins.url}job/team/job/many/job/feature%252Flogin/`,
      },
    ])
  })
})

describe('the queue', () => {
  it('quiet, cancelled, left', async () => {
    const { headers } = await at.post('job/team/job/params/buildWithParameters?WHO=quiet')
    const id = /item\/(\d+)/.exec(headers.get('location') ?? '')?.[1]
    const waiting = await at.json(`queue/item/${id}/api/json`)
    expect(waiting).toMatchObject({
      _class: 'hudson.model.Queue$WaitingItem',
      blocked: false,
      buildable: false,
    })
    expect(waiting.why).toMatch(/^In the quiet period\. Expires in \d+/)
    expect((await at.post(`queue/cancelItem?id=${id}`)).status).toBe(204)
    expect(await at.json(`queue/item/${id}/api/json`)).toMatchObject({
      _class: 'hudson.model.Queue$LeftItem',
      cancelled: true,
      executable: null,
    })
    expect((await at.post(`queue/cancelItem?id=${id}`)).status).toBe(404)
    expect((await at.post('queue/cancelItem?id=999999')).status).toBe(404)
  })

  it('what may not be cancelled: 422', async () => {
    const queued = at.jenkins.control.start('team/seen')
    expect((await at.post(`queue/cancelItem?id=${queued?.queueId}`)).status).toBe(422)
  })

  it('a freestyle job has one build at a time: the next one is blocked', async () => {
    const number = await at.begun('team/long')
    const queued = at.jenkins.control.start('team/long')
    const path = `queue/item/${queued?.queueId}/api/json`
    await vi.waitFor(async () => expect(await at.json(path)).toMatchObject({ blocked: true }))
    expect((await at.json(path)).why).toBe(`Build #${number} is already in progress (ETA: N/A)`)
    long.finish()
    await vi.waitFor(async () =>
      expect(await at.json(path)).toMatchObject({
        cancelled: false,
        executable: { number: number + 1, url: `${at.jenkins.url}job/team/job/long/${number + 1}/` },
      }),
    )
    long.finish()
  })

  it('waits for an executor; a left item is forgotten', async () => {
    const busy = held({ path: 'busy' })
    const small = await open({
      seed: [busy.job, plain('next')],
      executors: 1,
      timing: { quiet: 0, pending: 0, expiry: 0 },
    })
    await small.begun('busy')
    const queued = small.jenkins.control.start('next')
    const path = `queue/item/${queued?.queueId}/api/json`
    await vi.waitFor(async () =>
      expect(await small.json(path)).toMatchObject({
        buildable: true,
        why: 'Waiting for next available executor',
      }),
    )
    busy.finish()
    await vi.waitFor(async () => expect((await small.ask(path)).status).toBe(404))
    expect(await small.json('job/next/api/json?tree=builds[queueId,number]{0,50}')).toMatchObject({
      builds: [{ queueId: queued?.queueId, number: 1 }],
    })
  })
})

describe('a build', () => {
  it('is stopped: aborted, by whom; one that has ended stays as it is', async () => {
    const number = await at.begun('team/long')
    const stopped = await at.post(`job/team/job/long/${number}/stop`)
    expect(stopped.status).toBe(302)
    expect(await at.jenkins.control.ended('team/long', number)).toBe('ABORTED')
    const text = await (await at.ask(`job/team/job/long/${number}/consoleText`)).text()
    expect(text).toMatch(/^Started by user Ana Costa\n/)
    expect(text).toContain('Aborted by gkube\n')
    expect((await at.post(`job/team/job/long/${number}/stop`)).status).toBe(302)
    expect((await at.post(`job/team/job/long/${number}/term`)).status).toBe(404)
  })

  it('a Pipeline may need more than stop', async () => {
    const number = await at.begun('team/stubborn')
    for (const how of ['stop', 'term']) {
      await at.post(`job/team/job/stubborn/${number}/${how}`)
      expect(at.jenkins.control.build('team/stubborn', number)?.building).toBe(true)
    }
    await at.post(`job/team/job/stubborn/${number}/kill`)
    expect(await at.jenkins.control.ended('team/stubborn', number)).toBe('ABORTED')
  })

  it('no such build, no such page', async () => {
    for (const path of ['job/plain/999/api/json', 'job/plain/nothing', 'job/plain/lastFailedBuild/api/json'])
      expect((await at.ask(path)).status, path).toBe(404)
  })
})
