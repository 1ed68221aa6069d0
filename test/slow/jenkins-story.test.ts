// From `/gkube build` to production, in one thread: a real replica, etcd and cluster, the stand-in Slack and the
// stand-in Jenkins, driven by what people do. Hooks travel by HTTP; what each of the parts does is tested beside it.
import { beforeAll, describe, expect, it } from 'vitest'
import type { HookFault, SandboxJenkins } from '../../src/sandbox/jenkins/control.ts'
import { startJenkins } from '../../src/sandbox/jenkins/jenkins.ts'
import type { Message } from '../../src/sandbox/slack/control.ts'
import { buildActionIds } from '../../src/surfaces/slack/action-ids.ts'
import { admin, type Stack, startStack, webApp } from '../support/stack.ts'

const secret = 'hook-secret-of-the-end-to-end-test'
const environments = { staging: { deployOn: 'success' }, production: { deployOn: 'success' } }
let jenkins: SandboxJenkins
let stack: Stack
beforeAll(async () => {
  jenkins = await startJenkins({ speed: 20, locationBase: 'http://jenkins.internal:8080/' })
  stack = await startStack({
    slack: 'http',
    speed: 40,
    env: { GKUBE_JENKINS_TOKEN: jenkins.token, GKUBE_JENKINS_HOOK_SECRET: secret },
    config: { jenkins: { url: jenkins.url, user: jenkins.user, channel: 'C0STAGING', events: 'all' } },
  })
  jenkins.connect(`${stack.server.url}/hooks/jenkins/${secret}`)
  await stack.core.applyApp(admin, webApp({ environments }), { dryRun: false })
  return () => jenkins.stop()
}, 60_000)

const as = (person: string) => stack.slack.control.as(person)
const until = <T>(what: string, look: () => T | undefined | null | false): Promise<T> =>
  stack.slack.control.until(look, { what, timeoutMs: 12_000 })

/** What stands in the blocks, as one line. */
function textOf(message: unknown): string {
  const texts: string[] = []
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk)
    else if (value !== null && typeof value === 'object')
      for (const [key, inner] of Object.entries(value))
        if (key === 'text' && typeof inner === 'string') texts.push(inner)
        else walk(inner)
  }
  walk((message as Message).blocks ?? message)
  return texts.join(' ')
}

const place = (message: Message) => ({ channel: 'staging', ts: message.ts })
/** What a person is told alone, newest last. */
const told = (person: string, words: RegExp) =>
  until(`${person} is told ${words}`, () =>
    stack.slack.control.ephemerals(person, 'staging').find(one => words.test(textOf(one))),
  )
/** The one message of a build in #staging. */
const buildMessage = (number: number, words: RegExp) =>
  until(`shop/web #${number} ${words}`, () =>
    stack.slack.control
      .messages('staging')
      .filter(one => one.thread_ts === undefined || one.thread_ts === one.ts)
      .find(one => one.text.startsWith(`shop/web #${number}:`) && words.test(textOf(one))),
  )
const replies = (parent: Message) => stack.slack.control.thread('staging', parent.ts).slice(1)
const inThread = (parent: Message, words: RegExp) =>
  until(`${words} in the thread`, () => replies(parent).find(one => words.test(`${one.text} ${textOf(one)}`)))

const commitOf = (number: number) => jenkins.control.build('shop/web', number)?.commit ?? 'none'
/** Deploys of a build's revision to an environment. */
const deploysOf = async (number: number, environment: string) =>
  (await stack.core.history(admin, { environment, app: 'web', limit: 50 })).filter(
    ({ revision }) => revision === commitOf(number),
  )
/** Starts one in Jenkins, as a person there; its number. */
async function startedInJenkins(parameters: Record<string, string>, by = 'ben'): Promise<number> {
  const before = jenkins.control.builds('shop/web')[0]?.number ?? 0
  jenkins.control.start('shop/web', parameters, by)
  await expect.poll(() => jenkins.control.builds('shop/web')[0]?.number).toBe(before + 1)
  return before + 1
}

describe('from Slack to production', { timeout: 40_000 }, () => {
  it('a build is asked for, answers its question, is deployed to staging by itself and to production by a click', async () => {
    const answer = await as('ana').command('staging', '/gkube build shop/web')
    expect(textOf(answer.body)).toMatch(/shop\/web.*got it/)
    const message = await buildMessage(1, /Publish this build\?/)
    const question = await inThread(message, /asks: Publish this build\?/)
    await as('ana').click(place(question), buildActionIds.proceed)
    await told('ana', /you let it proceed/)
    expect(await jenkins.control.ended('shop/web', 1)).toBe('SUCCESS')
    // Nobody asked for this one.
    await inThread(message, /web .* → staging: live/)
    expect(await deploysOf(1, 'staging')).toMatchObject([{ phase: 'succeeded', revision: commitOf(1) }])
    // Production waits for a person who may.
    expect(await deploysOf(1, 'production')).toEqual([])
    const offer = await inThread(message, /production can have/)
    await as('ana').click(place(offer), buildActionIds.deploy)
    await told('ana', /may not deploy web in production.*@release-managers/)
    await as('ben').click(place(offer), buildActionIds.deploy)
    await told('ben', /production.*got it/)
    await inThread(message, /web .* → production: live/)
    await buildMessage(1, /staging: .* is live\s+production: .* is live/)
    expect(await deploysOf(1, 'production')).toMatchObject([
      { phase: 'succeeded', requestedBy: { name: 'ben' } },
    ])
    // All of it is one thread: nothing else stands in either channel.
    expect(stack.slack.control.messages('production')).toEqual([])
    const others = stack.slack.control
      .messages('staging')
      .filter(one => !one.thread_ts && one.ts !== message.ts)
    expect(others.map(one => one.text)).toEqual([])
  })

  it('a late click says who was first', async () => {
    await as('ana').command('staging', '/gkube build shop/web')
    const message = await buildMessage(2, /Publish this build\?/)
    const question = await inThread(message, /asks: Publish this build\?/)
    const [first, late] = ['ben', 'cho']
    await as(first).click(place(question), buildActionIds.proceed)
    await as(late).click(place(question), buildActionIds.abort)
    await told(late, /ben/)
    expect(await jenkins.control.ended('shop/web', 2)).toBe('SUCCESS')
    await inThread(message, /\*Publish\*, by @ben/)
  })
})

describe('a build that began in Jenkins', { timeout: 40_000 }, () => {
  it.each<[string, HookFault]>([
    ['its hooks are lost, though gkube heard of its start', { lose: ['COMPLETED', 'FINALIZED'] }],
    ['its hooks arrive twice, the last one first', { repeat: 1, reversed: true }],
  ])('%s: it is deployed to staging, once', async (_, fault) => {
    jenkins.control.hooks(fault)
    const number = await startedInJenkins({ ASK: 'false' })
    const message = await buildMessage(number, /passed/)
    await inThread(message, /→ staging: live/)
    jenkins.control.clear()
    expect(await deploysOf(number, 'staging')).toHaveLength(1)
    expect(replies(message).filter(one => /→ staging/.test(one.text))).toHaveLength(1)
  })

  it('that fails is said with its tests and whose commits they are, and deploys nothing', async () => {
    const number = await startedInJenkins({ ASK: 'false', BREAK: 'unit tests' })
    const message = await buildMessage(number, /addsTax/)
    expect(textOf(message)).toMatch(/PriceTest/)
    expect(await deploysOf(number, 'staging')).toEqual([])
  })
})
