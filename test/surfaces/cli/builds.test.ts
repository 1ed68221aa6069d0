// Jenkins through the command line: start a build and wait for its end, look at builds, stop one, answer an input.
import { describe, expect, it } from 'vitest'
import { served } from '../serve.ts'
import { tokens } from '../support.ts'
import { cliAt, listener } from './support.ts'

const { url, core } = await served()
const gkube = cliAt(url)
const idIn = (text: string): string => /\b01j9[0-9a-z]{22,}/.exec(text)?.[0] ?? ''

describe('a build', () => {
  it('is asked for, with its parameters', async () => {
    const { code, out } = await gkube(['build', 'shop/web', '-p', 'BRANCH=a b', '--parameter', 'CLEAN=yes'])
    expect(code).toBe(0)
    expect(out).toMatch(/^gkube: shop\/web is asked for \(01j9\w+\)\. See: gkube builds shop\/web\n$/)
    const caller = await core.authenticate(tokens.admin, 'cli')
    expect((await core.showBuild(caller, idIn(out))).parameters).toEqual({ BRANCH: 'a b', CLEAN: 'true' })
  })
  it.each([
    ['passes', 'SUCCESS', 0, /shop\/web #\d+ passed.*\ngkube: RESULT SUCCESS shop\/web \d+ 190s\n$/],
    ['fails', 'FAILURE', 1, /shop\/web #\d+ failed.*\ngkube: RESULT FAILURE shop\/web \d+ 190s\n$/],
  ])('that %s is waited for to its RESULT', async (_, result, exit, words) => {
    const { code, out } = await gkube(`build shop/web --wait -p RESULT=${result}`)
    expect(out).toMatch(/^gkube: shop\/web about to start/)
    expect(out).toMatch(words)
    expect(code).toBe(exit)
  })
  it('goes on when the command is told to stop', async () => {
    const stop = new AbortController()
    const heard = listener()
    const done = gkube('build shop/web --wait -p RESULT=HANG', { signal: stop.signal, heard: heard.heard })
    await heard.said('running')
    stop.abort('SIGTERM')
    const { code, err } = await done
    expect(code).toBe(143)
    expect(err).toMatch(/the build goes on\. Stop it: gkube stop-build 01j9/)
    const stopped = await gkube(`stop-build ${idIn(err)} --reason enough`)
    expect(stopped.out).toMatch(/shop\/web #\d+ is told to stop/)
  })
  it.each([
    [
      'a parameter without a value',
      ['build', 'shop/web', '-p', 'BRANCH'],
      2,
      /`BRANCH` is not a parameter: write NAME=value/,
    ],
    ['a slip', ['build', 'shop/web', '-p', 'BRNCH=x'], 2, /Did you mean `BRANCH`/],
    ['a job that is not there', ['build', 'shop/wbe'], 2, /Did you mean `shop\/web`/],
    ['nothing to stop', ['stop-build', 'shop/none'], 2, /Nothing of shop\/none runs or waits/],
    ['a number that is not known', ['stop-build', 'shop/web', '9999'], 2, /knows no build shop\/web #9999/],
  ])('refuses %s', async (_, line, exit, words) => {
    const { code, err } = await gkube(line)
    expect(code).toBe(exit)
    expect(err).toMatch(words)
  })
  it('that waits for an answer says how to give it', async () => {
    const heard = listener()
    let said = ''
    const done = gkube('build shop/web --wait -p RESULT=INPUT', {
      heard: text => {
        said += text
        heard.heard(text)
      },
    })
    await heard.said('gkube answer-input')
    const [, id = '', input = ''] = /gkube answer-input (\w+) '(\w+)'/.exec(said) ?? []
    expect((await gkube(['answer-input', id, input])).out).toMatch(/shop\/web #\d+ goes on/)
    expect((await done).code).toBe(0)
    expect((await gkube(['answer-input', id, input, '--abort'])).err).toMatch(/@ana was first: proceeded/)
  })
})

describe('looking', () => {
  it('lists builds, the console, jobs and parameters', async () => {
    expect((await gkube('builds web --limit 1')).out.trim().split('\n')).toHaveLength(1)
    expect((await gkube('builds shop/web')).out).toMatch(/shop\/web #\d+ +passed +3 m 10 s/)
    expect((await gkube('builds shop/other')).out).toMatch(/^No builds of shop\/other are known yet/)
    expect(JSON.parse((await gkube('builds --json')).out)[0]).toMatchObject({ job: 'shop/web' })
    // What a console holds cannot act on the terminal.
    expect((await gkube('build-log shop/web --lines 2')).out).toMatch(/^\+ make\nFinished: /)
    expect((await gkube('jobs shop')).out).toMatch(/^shop\/web +web\n$/)
    const { out } = await gkube('job shop/web')
    expect(out).toMatch(/^BRANCH +string +main +what to build$/m)
    expect(out).toMatch(/^TOKEN +password +\(secret\)/m)
  })
})

describe('subscriptions', () => {
  it('come and go', async () => {
    expect((await gkube('subscriptions')).out).toMatch(/No channel is told of builds/)
    expect((await gkube('subscribe C0DEV web --events all')).out).toBe('C0DEV is told of all of web\n')
    expect((await gkube('subscribe C0DEV')).out).toBe('C0DEV is told of changes of all apps\n')
    expect((await gkube('subscriptions C0DEV')).out).toMatch(
      /^C0DEV +web +all +ana +just now\nC0DEV +all apps +changes/,
    )
    expect((await gkube('unsubscribe C0DEV web')).out).toBe('C0DEV is not told of web any more\n')
    expect((await gkube('unsubscribe C0DEV web')).out).toBe('C0DEV was not subscribed to web\n')
    expect((await gkube('subscribe nowhere web')).code).toBe(2)
  })
})
