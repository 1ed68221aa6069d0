// Builds in Slack, from the signed request to the record in etcd: commands, the two dialogs, each button of a message,
// and what the wrong person, the late and the second click hear. Jenkins is scripted; the verbs are the real ones.
import { describe, expect, it } from 'vitest'
import { type Build, buildPhases, isOver, type PendingInput } from '../../../src/core/builds/build.ts'
import { blankBuild } from '../../../src/core/builds/records.ts'
import { buildState, isBuildOver } from '../../../src/core/builds/words.ts'
import type { Caller, Core, RequestInput } from '../../../src/core/core.ts'
import { newId } from '../../../src/core/records.ts'
import { problemsOf, problemsOfOptions } from '../../../src/sandbox/slack/validate.ts'
import {
  ana,
  ben,
  buildsWorld,
  down,
  eve,
  jobFacts,
  olga,
  parameter,
  vic,
} from '../../core/use-cases/builds-world.ts'
import { deploy, textsOf } from './messages/sample.ts'
import { surfaceWith } from './surface.ts'

const web = jobFacts('shop/web', {
  parameters: [
    parameter('BRANCH', 'string', { default: 'main', description: 'What to <b>build</b>' }),
    parameter('TARGET', 'choice', { choices: ['', 'staging', 'production'] }),
    parameter('IMAGE', 'choice', { choices: Array.from({ length: 150 }, (_, i) => `base-${i}`) }),
    parameter('CLEAN', 'boolean', { default: 'true' }),
    parameter('NOTES', 'text'),
    parameter('TOKEN', 'password'),
  ],
})
const input = (more: Partial<PendingInput> = {}): PendingInput => ({
  id: 'Deploy/now',
  message: 'Ship `it` <!channel>?',
  proceed: 'Ship it',
  parameters: [],
  submitters: [],
  askedAt: 1,
  answer: null,
  over: false,
  ...more,
})
const people: Readonly<Record<string, Caller>> = { UANA: ana, UBEN: ben, UVIC: vic, UEVE: eve, UOLGA: olga }

type View = { readonly blocks: readonly Record<string, unknown>[]; readonly private_metadata: string }

async function world(options: Parameters<typeof buildsWorld>[0] = {}, core: Partial<Core> = {}) {
  const base = await buildsWorld({ jobs: [web, jobFacts('shop/plain')], begin: Date.now(), ...options })
  const views: View[] = []
  let triggers = 0
  const shown = (view: object) => {
    expect(problemsOf('modal', view)).toEqual([])
    views.push(view as View)
    return { id: 'V1', hash: String(views.length) }
  }
  const slack = await surfaceWith({
    core: { ...base.core, ...core } as Partial<Core>,
    workspace: { openView: async (_, view) => shown(view), updateView: async (_, view) => shown(view) },
    over: {
      callers: { of: async id => ({ ...(people[id] ?? eve), unsure: null }) },
      clock: { now: base.now, sleep: async () => undefined },
      names: { seenBy: async () => ['web'] },
    },
  })
  const put = (more: Partial<Build> = {}) =>
    base.put({
      ...blankBuild({ id: newId(base.now()), now: base.now(), job: 'shop/web', apps: ['web'] }),
      number: 214,
      startedAt: base.now(),
      url: 'http://jenkins.example.com/job/shop/job/web/214/',
      ...more,
    })
  return {
    ...base,
    ...slack,
    command: (text: string, more: Record<string, string> = {}) =>
      slack.command(text, { channel_id: 'C0DEV', ...more }),
    views,
    put,
    /** What the person is told after a click. */
    async click(action: string, value: string, user = 'UANA'): Promise<string> {
      const before = slack.said.length
      const { text } = await interactiveOf(slack, {
        type: 'block_actions',
        user: { id: user },
        channel: { id: 'C0DEV' },
        container: { type: 'message', message_ts: '1.1', channel_id: 'C0DEV' },
        message: { ts: '1.1' },
        response_url: 'https://hooks.example.com/1',
        trigger_id: `c${++triggers}`,
        actions: [
          {
            type: 'button',
            action_id: action,
            value,
            action_ts: `${1_764_000_000 + triggers}.0`,
            block_id: 'b',
          },
        ],
      })
      expect(text).toBe('')
      await expect.poll(() => slack.said.length + views.length).toBeGreaterThan(before)
      return slack.said
        .slice(before)
        .map(one => one.text)
        .join('\n')
    },
    /** What Slack answers a search. */
    async search(action: string, value: string, user = 'UANA', view?: View): Promise<string[]> {
      const { text } = await interactiveOf(slack, {
        type: 'block_suggestion',
        user: { id: user },
        action_id: action,
        block_id: 'job',
        value,
        ...(view ? { view: { ...view, state: { values: {} } } } : {}),
      })
      const body = JSON.parse(text) as { options: { value: string }[] }
      expect(problemsOfOptions(body)).toEqual([])
      return body.options.map(one => one.value)
    },
    /** The ack of a dialog that was submitted. */
    async submit(callback: string, view: View, values: Record<string, object>, user = 'UANA') {
      const { text } = await interactiveOf(slack, {
        type: 'view_submission',
        user: { id: user },
        trigger_id: `s${++triggers}`,
        view: {
          id: 'V1',
          hash: '1',
          type: 'modal',
          callback_id: callback,
          private_metadata: view.private_metadata,
          state: {
            values: Object.fromEntries(
              Object.entries(values).map(([id, value], i) => [`b${i}`, { [id]: value }]),
            ),
          },
        },
      })
      return text === ''
        ? null
        : (JSON.parse(text) as { response_action?: string; errors?: Record<string, string>; view?: object })
    },
    /** Another job is chosen in the build dialog. */
    async choose(job: string, view: View): Promise<void> {
      const before = views.length
      await interactiveOf(slack, {
        type: 'block_actions',
        user: { id: 'UANA' },
        container: { type: 'view', view_id: 'V1' },
        trigger_id: `c${++triggers}`,
        view: {
          id: `V${Math.random()}`,
          hash: '1',
          type: 'modal',
          callback_id: 'gkube:build',
          private_metadata: view.private_metadata,
          state: { values: { job: { 'gkube:job': { selected_option: { value: job } } } } },
        },
        actions: [
          {
            type: 'external_select',
            action_id: 'gkube:job',
            action_ts: `${1_764_000_000 + triggers}.0`,
            block_id: 'job',
          },
        ],
      })
      await expect.poll(() => views.length).toBeGreaterThan(before)
    },
  }
}
const interactiveOf = async (
  slack: { send(fields: Record<string, string>): Promise<{ status: number; text: string }> },
  payload: object,
) => {
  const answer = await slack.send({ payload: JSON.stringify({ team: { id: 'T1' }, ...payload }) })
  expect(answer.status).toBe(200)
  return answer
}
const chosen = (value: string) => ({ selected_option: { value } })
const typed = (value: string | null) => ({ value })

describe('commands', () => {
  it('start a build, once for each envelope, and say where to follow it', async () => {
    const { command, core } = await world()
    const line = 'build shop/web BRANCH="release 1" CLEAN=no'
    const first = await command(line, { user_id: 'UANA', trigger_id: 'T.1' })
    expect(first.text).toContain('*shop/web*: got it. Follow it in <#C0DEV>.')
    const again = await command(line, { user_id: 'UANA', trigger_id: 'T.1' })
    // A replica knows the envelope; another one has the key of it.
    expect(again.text).toBe(first.text)
    const found = await core.builds(ana, { limit: 5 })
    expect(found).toMatchObject([
      { parameters: { BRANCH: 'release 1', CLEAN: 'false' }, told: [{ channel: 'C0DEV', events: 'asked' }] },
    ])
  })
  const refused: readonly (readonly [string, string, string, RegExp])[] = [
    ['a parameter that is none', 'build shop/web BRNCH=x', 'UANA', /Did you mean `BRANCH`/],
    [
      'a secret',
      'build shop/web TOKEN=x',
      'UANA',
      /TOKEN is a secret.*http:\/\/jenkins\.example\.com\/job\/shop/,
    ],
    ['a slip', 'build shop/wbe', 'UOLGA', /Did you mean `shop\/web`/],
    ['who may not', 'build shop/web', 'UVIC', /vic may not start builds of web\. Who may: @ana, @ben, @olga/],
    [
      'what is not known',
      'stop-build shop/web 7',
      'UANA',
      /knows no build shop\/web #7\. See: \/gkube builds shop\/web/,
    ],
    ['nothing to stop', 'stop build shop/web', 'UANA', /Nothing of shop\/web runs or waits/],
    ['all apps by who has one', 'subscribe', 'UANA', /ana may not subscribe channels to all apps/],
  ]
  it.each(refused)('refuse %s', async (_, line, user, words) => {
    const { command } = await world()
    expect(JSON.parse((await command(line, { user_id: user })).text).text).toMatch(words)
  })
  it('say that Jenkins is down and nothing was started', async () => {
    const { command } = await world({
      jenkins: {
        job: async () => {
          throw down()
        },
      },
    })
    expect((await command('build shop/web', { user_id: 'UANA' })).text).toMatch(
      /Jenkins does not answer, so nothing was started.*\/gkube doctor/,
    )
  })
  it('say when Jenkins is slow, then the truth', async () => {
    const { promise, resolve } = Promise.withResolvers<typeof web>()
    const { command, said } = await world({ jenkins: { job: () => promise } })
    const { text, ms } = await command('build shop/web', { user_id: 'UANA' })
    expect(text).toMatch(/Jenkins takes its time/)
    expect(ms).toBeLessThan(2_900)
    resolve(web)
    await expect.poll(() => said.map(one => one.text).join()).toMatch(/got it/)
  })
  it('list builds, stop the one that runs, or the one that is named', async () => {
    const { command, put, later, core } = await world()
    const one = await put({
      branch: 'main',
      phase: 'finished',
      result: 'SUCCESS',
      durationMs: 190_000,
      number: 213,
    })
    later(1000)
    const two = await put()
    const { text } = await command('builds web', { user_id: 'UVIC' })
    expect(text).toMatch(/shop\/web #214 +running .*\\nshop\/web #213 +passed +3 m 10 s/)
    expect((await command('stop build shop/web', { user_id: 'UANA' })).text).toMatch(
      /shop\/web #214 is told to stop; its message shows how that ends/,
    )
    expect((await core.showBuild(ana, two.id)).stop?.by.name).toBe('ana')
    expect((await command('stop build shop/web 213', { user_id: 'UANA' })).text).toMatch(
      /#213 ended with SUCCESS.*nothing is left to stop/,
    )
    await put({ number: 215 })
    expect((await command('stop build shop/web', { user_id: 'UANA' })).text).toMatch(
      /2 builds of shop\/web run or wait: shop\/web #215 \(running\), shop\/web #214 \(running\)\. Say which: \/gkube stop-build shop\/web 215/,
    )
    expect(one.stop).toBeNull()
  })
  it('subscribe a channel and take it back', async () => {
    const { command, core } = await world()
    const as = (line: string, over = {}) => command(line, { user_id: 'UANA', channel_id: 'C0DEV', ...over })
    expect((await as('subscribe web failures')).text).toMatch(
      /This channel is told of failures of web from now on/,
    )
    expect((await as('subscriptions')).text).toMatch(/• failures of web · by ana/)
    expect((await as('unsubscribe')).text).toMatch(
      /was not subscribed to builds of all apps\. It is to failures of web/,
    )
    expect((await as('unsubscribe web')).text).toMatch(/not told of builds of web any more/)
    expect((await as('subscribe web', { channel_id: 'D0ANA' })).text).toMatch(
      /Type it in the channel that shall hear/,
    )
    expect(await core.subscriptions(ana, {})).toEqual([])
  })
})

describe('the build dialog', () => {
  it('finds jobs while a person types', async () => {
    const { search } = await world()
    expect(await search('gkube:job', 'WEB')).toEqual(['shop/web'])
    expect(await search('gkube:job', '', 'UOLGA')).toEqual(['shop/web'])
    expect(await search('gkube:job', 'shop/', 'UOLGA')).toEqual(['shop/web', 'shop/plain'])
    expect(await search('gkube:job', 'web', 'UEVE')).toEqual([])
  })
  it('shows the parameters of the chosen job by their types, with defaults; secrets are named, not asked for', async () => {
    const { command, views, choose, search } = await world()
    await command('build', { user_id: 'UANA' })
    await choose('shop/web', views[0] as View)
    const view = views.at(-1) as View
    const fields = view.blocks
      .filter(one => one.type === 'input')
      .map(one => [(one.label as { text: string }).text, (one.element as { type: string }).type])
    expect(fields).toEqual([
      ['Job', 'external_select'],
      ['BRANCH', 'plain_text_input'],
      ['TARGET', 'static_select'],
      ['IMAGE', 'external_select'],
      ['CLEAN', 'checkboxes'],
      ['NOTES', 'plain_text_input'],
    ])
    const json = JSON.stringify(view)
    expect(json).toContain('"initial_value":"main"')
    expect(json).toContain('What to build')
    expect(json).toMatch(/TOKEN: secrets, files and what does not fit are not asked for here/)
    // More choices than a select holds are searched.
    const found = await search('gkube:build_choice:IMAGE', '-14', 'UANA', view)
    expect(found).toEqual(['=base-14', ...Array.from({ length: 10 }, (_, i) => `=base-14${i}`)])
  })
  const all = {
    'gkube:job': chosen('shop/web'),
    'parameter:BRANCH': typed(' fix '),
    'parameter:TARGET': chosen('='),
    'gkube:build_choice:IMAGE': chosen('=base-7'),
    'parameter:CLEAN': { selected_options: [] },
    'parameter:NOTES': typed('two\n  lines'),
  }
  it('starts what was filled in, once however often it is submitted', async () => {
    const { command, views, choose, submit, said, core } = await world()
    await command('build', { user_id: 'UANA', channel_id: 'C0DEV' })
    await choose('shop/web', views[0] as View)
    const view = views.at(-1) as View
    expect(await submit('gkube:build', view, all)).toBeNull()
    await submit('gkube:build', view, all)
    await expect.poll(() => said.map(one => one.text).join()).toMatch(/got it\. Follow it in <#C0DEV>/)
    const found = await core.builds(ana, { limit: 5 })
    expect(found.map(one => one.parameters)).toEqual([
      { BRANCH: ' fix ', TARGET: '', IMAGE: 'base-7', CLEAN: 'false', NOTES: 'two\n  lines' },
    ])
    expect(found[0]?.told).toEqual([{ channel: 'C0DEV', events: 'asked' }])
  })
  it('says what is wrong at its field, and who may not in its place', async () => {
    const { command, views, choose, submit } = await world()
    await command('build', { user_id: 'UANA' })
    expect((await submit('gkube:build', views[0] as View, {}))?.errors).toEqual({ job: 'Choose a job.' })
    expect(
      (await submit('gkube:build', views[0] as View, { 'gkube:job': chosen('shop/web') }))?.errors?.job,
    ).toMatch(/parameters are not shown yet/)
    await choose('shop/web', views[0] as View)
    const view = views.at(-1) as View
    const wrong = await submit('gkube:build', view, { ...all, 'gkube:build_choice:IMAGE': chosen('=base-x') })
    expect(wrong).toMatchObject({
      response_action: 'errors',
      errors: { b3: expect.stringMatching(/is not a choice of IMAGE/) },
    })
    const denied = await submit('gkube:build', view, all, 'UVIC')
    expect(denied?.response_action).toBe('update')
    expect(textsOf(denied?.view).join()).toMatch(/vic may not start builds of web/)
  })
  it('says why there is nothing to fill in', async () => {
    const { command, views, choose } = await world({
      jobs: [web, jobFacts('shop/plain'), jobFacts('shop/multi', { kind: 'folder' })],
      fed: { 'shop/web': 'web', 'shop/plain': 'web', 'shop/multi': 'web' },
    })
    await command('build', { user_id: 'UANA' })
    const shownFor = async (job: string) => {
      await choose(job, views[0] as View)
      return textsOf(views.at(-1)).join()
    }
    expect(await shownFor('shop/plain')).toMatch(/takes no parameters/)
    expect(await shownFor('shop/multi')).toMatch(/is a folder\. Search for a job in it: shop\/multi\//)
    expect(await shownFor('infra/x')).toMatch(/feeds no app/)
  })
})

describe('buttons of a build', () => {
  it('proceed and abort: the first answer wins, the later one hears who was first', async () => {
    const { click, put, core, later } = await world()
    const { id } = await put({ inputs: [input(), input({ id: 'b' })] })
    expect(await click('gkube:build_proceed', `${id}/Deploy/now`)).toMatch(
      /shop\/web #214 goes on: you let it proceed/,
    )
    later(120_000)
    expect(await click('gkube:build_abort:1', `${id}/Deploy/now`, 'UBEN')).toMatch(
      /@ana was first: proceeded 2 minutes ago/,
    )
    expect(await click('gkube:build_proceed', `${id}/Deploy/now`)).toMatch(
      /You answered that already: proceeded 2 minutes ago/,
    )
    expect(await click('gkube:build_abort', `${id}/b`, 'UBEN')).toMatch(/is told to abort/)
    expect(
      (await core.showBuild(ana, id)).inputs.map(one => [one.answer?.by.name, one.answer?.decision]),
    ).toEqual([
      ['ana', 'proceed'],
      ['ben', 'abort'],
    ])
  })
  const clicks: readonly (readonly [string, string, Partial<Build>, string, RegExp])[] = [
    [
      'a viewer who answers',
      'gkube:build_proceed',
      { inputs: [input()] },
      'UVIC',
      /vic may not answer the pipelines of web\. Who may: @ana/,
    ],
    [
      'somebody the pipeline does not name',
      'gkube:build_proceed',
      { inputs: [input({ submitters: ['benjamin'] })] },
      'UANA',
      /is for @ben, or an operator; not for ana/,
    ],
    [
      'an input that went on',
      'gkube:build_abort',
      { inputs: [input({ over: true })] },
      'UANA',
      /answered in Jenkins, or went on without/,
    ],
    [
      'a dialog for it',
      'gkube:build_input',
      { inputs: [input({ over: true })] },
      'UANA',
      /answered in Jenkins, or went on without/,
    ],
    ['a viewer who stops', 'gkube:build_stop', {}, 'UVIC', /vic may not start builds of web/],
    ['a stranger who looks', 'gkube:build_log', {}, 'UEVE', /eve may not see web/],
    [
      'stopping what ended',
      'gkube:build_stop',
      { phase: 'finished', result: 'FAILURE' },
      'UANA',
      /ended with FAILURE: nothing is left to stop/,
    ],
    [
      'the console of what has not started',
      'gkube:build_log',
      { number: null, phase: 'queued' },
      'UANA',
      /has not started yet/,
    ],
    [
      'a deploy that is not offered',
      'gkube:build_deploy',
      { phase: 'finished', result: 'SUCCESS' },
      'UANA',
      /\(passed\) is not offered for production \(any more\)\. Deploy it by its revision: \/gkube deploy web/,
    ],
  ]
  it.each(clicks)('%s', async (_, action, more, user, words) => {
    const { click, put } = await world()
    const { id } = await put(more)
    const value = /proceed|abort|input/.test(action)
      ? `${id}/Deploy/now`
      : /deploy/.test(action)
        ? `${id}/production/web`
        : id
    expect(await click(action, value, user)).toMatch(words)
  })
  it.each(['', 'x', '01k/', '/x', '01k/production', '01k/a/b/c'])('of another version: %j', async value => {
    const { click } = await world()
    expect(await click('gkube:build_deploy', value)).toMatch(
      /another version|There is no build|not a deploy|no build/,
    )
  })

  it('an input with parameters asks for them, and takes them', async () => {
    const { click, put, views, submit, core } = await world()
    const fields = [parameter('TARGET', 'choice', { choices: ['a', 'b'] }), parameter('PASS', 'password')]
    const { id } = await put({ inputs: [input({ parameters: fields })] })
    // The plain button does not skip what is asked for.
    await click('gkube:build_proceed', `${id}/Deploy/now`)
    await expect.poll(() => views.length).toBe(1)
    await click('gkube:build_input:2', `${id}/Deploy/now`)
    await expect.poll(() => views.length).toBe(2)
    const view = views[1] as View & { submit: { text: string } }
    expect(view.submit.text).toBe('Ship it')
    expect(JSON.stringify(view)).not.toContain('<!channel>')
    expect(await submit('gkube:build_input', view, { 'parameter:TARGET': chosen('=b') })).toBeNull()
    const [done] = (await core.showBuild(ana, id)).inputs
    expect(done?.answer).toMatchObject({
      decision: 'proceed',
      parameters: { TARGET: 'b' },
      by: { name: 'ana' },
    })
    const late = await submit('gkube:build_input', view, { 'parameter:TARGET': chosen('=a') }, 'UBEN')
    expect(textsOf(late?.view).join()).toMatch(/@ana was first: proceeded a moment ago/)
  })
  it('an input with more choices than a select holds has them searched', async () => {
    const { click, put, views, search, submit, core } = await world()
    const choices = Array.from({ length: 150 }, (_, i) => `host-${i}`)
    const { id } = await put({ inputs: [input({ parameters: [parameter('HOST', 'choice', { choices })] })] })
    await click('gkube:build_input', `${id}/Deploy/now`)
    await expect.poll(() => views.length).toBe(1)
    const view = views[0] as View
    expect(await search('gkube:build_choice:HOST', 'host-149', 'UANA', view)).toEqual(['=host-149'])
    await submit('gkube:build_input', view, { 'gkube:build_choice:HOST': chosen('=host-149') })
    expect((await core.showBuild(ana, id)).inputs[0]?.answer?.parameters).toEqual({ HOST: 'host-149' })
  })
  it('stop: told, again, and by another person', async () => {
    const { click, put, later } = await world()
    const { id } = await put()
    expect(await click('gkube:build_stop', id)).toMatch(/shop\/web #214 is told to stop/)
    later(60_000)
    expect(await click('gkube:build_stop', id)).toMatch(
      /You told shop\/web #214 to stop a minute ago \(running\)/,
    )
    expect(await click('gkube:build_stop', id, 'UBEN')).toMatch(
      /being stopped already\. @ana was first: asked to stop it a minute ago/,
    )
  })
  it('the console is for who clicked, without secrets', async () => {
    const tail = async () => `${'x\n'.repeat(100)}<b>password=hunter2 & more\n`
    const { click, put, said } = await world({ jenkins: { tail } })
    const { id } = await put()
    const told = await click('gkube:build_log', id, 'UVIC')
    expect(told).toMatch(/&lt;b&gt;password=\[redacted\] &amp; more/)
    expect(told).toMatch(/the last 60 lines/)
    expect(said.map(one => one.how)).toEqual(['respond'])
  })
  it('deploy: the offer’s revision with its source, by a person who says so; the second one hears who was first', async () => {
    const asked: RequestInput[] = []
    const made = deploy({ id: '01', revision: '1.4.2', requestedBy: ana.actor, phase: 'requested' })
    let clock = 0
    const request: Core['request'] = async (_, given) => {
      asked.push(given)
      return {
        deploy: { ...made, environment: 'production', requestedAt: clock },
        repeated: asked.length > 1,
      }
    }
    const at = await world({}, { request })
    clock = at.now()
    const { id } = await at.put({
      phase: 'finished',
      result: 'SUCCESS',
      commit: '3fa9c1e',
      branch: 'main',
      offers: [{ app: 'web', environment: 'production', revision: '1.4.2', loud: true }],
    })
    const button = (user: string) => at.click('gkube:build_deploy:1', `${id}/production/web`, user)
    expect(await button('UANA')).toMatch(/→ \*production\*: got it\. Follow it in <#C0DEV>/)
    expect(asked[0]).toMatchObject({
      kind: 'deploy',
      app: 'web',
      environment: 'production',
      revision: '1.4.2',
      olderBuild: true,
      again: false,
      source: {
        job: 'shop/web',
        build: 214,
        commit: '3fa9c1e',
        branch: 'main',
        url: 'http://jenkins.example.com/job/shop/job/web/214/',
      },
    })
    at.later(180_000)
    expect(await button('UBEN')).toMatch(/@ana was first: .*was asked 3 minutes ago; it is requested/)
    expect(await button('UANA')).toMatch(/You asked for that already/)
    expect(asked[2]?.idempotencyKey).toBe(asked[0]?.idempotencyKey)
  })
  it('build again: the dialog with what that build was given', async () => {
    const { click, put, views } = await world()
    const { id } = await put({
      parameters: { BRANCH: 'fix', TARGET: 'production', CLEAN: 'false', API_KEY: '(hidden)' },
    })
    await click('gkube:build_again', id)
    await expect.poll(() => views.length).toBeGreaterThan(0)
    const json = JSON.stringify(views.at(-1))
    expect(json).toContain('"initial_value":"fix"')
    expect(json).toContain('"initial_option":{"text":{"type":"plain_text","text":"production"')
    expect(json).not.toContain('initial_options')
    expect(json).not.toContain('(hidden)')
  })
})

describe('words', () => {
  it('know the phases as the record does', () => {
    for (const phase of buildPhases) expect([phase, isBuildOver(phase)]).toEqual([phase, isOver(phase)])
  })
  it.each([
    ['passed, not confirmed yet', { phase: 'finishing', verified: false, toldAt: 1 }],
    ['passed', { phase: 'finishing', verified: true, toldAt: null }],
    ['passed, never confirmed', { phase: 'finished', verified: false, toldAt: 1 }],
    ['passed', { phase: 'finished', verified: false, toldAt: null }],
  ] as const)('claim nothing that only a hook told: %s', (said, build) => {
    expect(buildState({ result: 'SUCCESS', inputs: [], ...build })).toBe(said)
  })
  it('say that an input waits', () => {
    const waits = { phase: 'running', result: null, inputs: [input()] } as const
    expect(buildState({ ...waits, inputs: [input()] })).toBe('waits for an answer')
    expect(buildState({ ...waits, inputs: [input({ over: true })] })).toBe('running')
  })
})
