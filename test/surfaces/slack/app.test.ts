// Durable, then ack; and where that cannot be, the truth afterwards. Nobody is left in silence.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { commandNames } from '../../../src/core/command/grammar.ts'
import type { Core } from '../../../src/core/core.ts'
import type { Deploy } from '../../../src/core/deploy.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import { OutcomeUnknown } from '../../../src/core/kv.ts'
import { UserError } from '../../../src/errors.ts'
import { config, surfaceWith } from './surface.ts'

// Only what an answer reads of it.
const deploy = {
  id: '01',
  app: 'web',
  environment: 'staging',
  kind: 'deploy',
  revision: '1.4.2',
  phase: 'requested',
  params: { replicas: null },
} as unknown as Deploy
const accepted = async () => ({ deploy, repeated: false })
const etcdDown = () =>
  new UserError('unavailable', 'etcd does not answer at http://10.0.0.1:2379: no answer within 2 s.', {
    details: { dependency: 'etcd', why: 'down' },
  })
const line = 'deploy web 1.4.2 to staging'
// The parser knows environments by the configuration.
const staging = { ...environmentSchema.parse({ channel: 'C0STAGING' }), name: 'staging' }
const over = { environments: new Map([['staging', staging]]) }

describe('a request', () => {
  it('is acked with the answer once it is stored, with the envelope as its key', async () => {
    const asked: unknown[] = []
    const core = {
      request: async (_caller: unknown, input: unknown, origin: unknown) => {
        asked.push(input, origin)
        return accepted()
      },
    } as Partial<Core>
    const { command, said } = await surfaceWith({ core, over })
    const ack = await command(line, { trigger_id: 'T.1' })
    expect(ack.text).toMatch(/got it/)
    expect(asked).toMatchObject([
      { kind: 'deploy', revision: '1.4.2', idempotencyKey: 'slack:T.1' },
      { channel: 'C1' },
    ])
    expect(said).toEqual([])
  })

  it('whose outcome is unknown is said to be, and the truth is told when it is known', async () => {
    let tries = 0
    const request = async () => {
      tries++
      if (tries === 1) throw new OutcomeUnknown(['deploys/01'], null)
      // It may have been stored: an etcd that is down says nothing about that.
      if (tries === 2) throw etcdDown()
      return { deploy, repeated: true }
    }
    const { command, said } = await surfaceWith({ core: { request }, over })
    const ack = await command(line)
    expect(ack.text).toMatch(/Not confirmed, checking/)
    await expect.poll(() => said, { timeout: 5000 }).toHaveLength(1)
    expect(said[0]).toMatchObject({ how: 'respond', text: expect.stringMatching(/was asked for already/) })
    expect(tries).toBe(3)
  })

  it('that takes too long is said to be open, within 2.5 s', async () => {
    const { promise: stored, resolve } = Promise.withResolvers<void>()
    const { command, said } = await surfaceWith({ core: { request: () => stored.then(accepted) }, over })
    const ack = await command(line)
    expect(ack.ms).toBeLessThan(2500)
    expect(ack.text).toMatch(/Not confirmed, checking/)
    resolve()
    await expect.poll(() => said).toMatchObject([{ how: 'respond', text: expect.stringMatching(/got it/) }])
  })

  it('while etcd is down was not started, and no address is told', async () => {
    const { command, log } = await surfaceWith({ core: { request: () => Promise.reject(etcdDown()) }, over })
    const ack = await command(line)
    expect(ack.text).toMatch(
      /etcd does not answer, so nothing was started\. Try again in a minute; `\/gkube doctor` shows more\./,
    )
    expect(ack.text).toContain('req-1')
    expect(ack.text).not.toContain('10.0.0.1')
    expect(log.join()).toContain('10.0.0.1')
  })
})

describe('a failure', () => {
  it('of ours is an id, and the log has its cause', async () => {
    const { command, log } = await surfaceWith({
      core: { request: () => Promise.reject(new TypeError('of ours')) },
      over,
    })
    const ack = await command(line)
    expect(ack.text).toContain('req-1')
    expect(ack.text).not.toContain('of ours')
    expect(log.join()).toMatch(/of ours/)
  })

  it('that leaves it open whether it was stored says so, and not that somebody looks', async () => {
    const { command } = await surfaceWith({
      core: { history: () => Promise.reject(new OutcomeUnknown(['k'], null)) },
      over,
    })
    const { text } = await command('history web')
    expect(text).toMatch(/may have been or not\. Look before you ask again: `\/gkube history/)
    expect(text).not.toMatch(/checking/)
  })

  it('of rights says what was not certain', async () => {
    const { command } = await surfaceWith({
      core: {
        request: () => Promise.reject(new UserError('forbidden', 'ana may not deploy web in staging.')),
      },
      caller: { unsure: 'Slack does not tell who is in @devs just now.' },
      over,
    })
    expect((await command(line)).text).toMatch(/may not deploy.*who is in @devs/)
  })

  it('after the ack goes by the response_url, and by an ephemeral message where that fails', async () => {
    const history: Core['history'] = async () => {
      await wait(1_300)
      throw new UserError('not_found', 'There is no such thing.')
    }
    const working = await surfaceWith({ core: { history }, over })
    const broken = await surfaceWith({
      core: { history },
      workspace: { respond: () => Promise.reject(new Error('used 5 times')) },
      over,
    })
    const acks = await Promise.all([working.command('history web'), broken.command('history web')])
    expect(acks.map(ack => ack.text)).toEqual(['', ''])
    await expect
      .poll(() => [...working.said, ...broken.said].map(({ how }) => how))
      .toEqual(['respond', 'ephemeral'])
  })

  it('while shutting down: nothing is begun, and that is said', async () => {
    let asked = 0
    const request = async () => {
      asked++
      return accepted()
    }
    const { command, drain } = await surfaceWith({ core: { request }, over })
    await drain.close(0)
    expect((await command(line)).text).toMatch(/shutting down, so nothing was started/)
    expect(asked).toBe(0)
  })
})

describe('an effect without a key of its own', () => {
  it('is left to the replica that has the envelope', async () => {
    let locked = 0
    const lock = (async () => {
      locked++
    }) as unknown as Core['lock']
    const { command, said } = await surfaceWith({
      core: { lock },
      over: { ...over, claim: async () => false },
    })
    expect((await command('lock staging 1h testing')).text).toBe('')
    expect([locked, said]).toEqual([0, []])
  })
})

describe('whatever is typed', () => {
  it('is answered: never a 500, never silence', async () => {
    const refusing = new Proxy(
      {},
      { get: () => () => Promise.reject(new UserError('not_found', 'There is none.')) },
    )
    const { command, said, log } = await surfaceWith({ core: refusing as Core, over })
    const words = fc.constantFrom(
      ...commandNames, 'web', 'staging', '1.4.2', 'to', 'in', 'from', 'for', '2h', 'because', '--env', '--reason', '3',
      '<@U1|ana>', '<!channel>', '&amp;', '“x”', '`', '\u0000', '💥', '%s', '__proto__', '<', '>',
    ) // biome-ignore format: a list
    const texts = fc.sample(
      fc.oneof(
        fc.array(words, { maxLength: 7 }).map(list => list.join(' ')),
        fc.string({ unit: 'binary', maxLength: 40 }),
      ),
      1000,
    )
    for (let i = 0; i < texts.length; i += 100)
      await Promise.all(
        texts.slice(i, i + 100).map(async text => {
          const ack = await command(text)
          expect({ text, status: ack.status }).toEqual({ text, status: 200 })
          // Without words a dialog was opened.
          if (ack.text === '') expect(said.some(({ how }) => how === 'view')).toBe(true)
        }),
      )
    expect(log.filter(line => /"level":"error"/.test(line))).toEqual([])
  })
})

describe('stopping', () => {
  it('waits for what was received to be acked', async () => {
    const { promise: stored, resolve } = Promise.withResolvers<void>()
    const { command, surface } = await surfaceWith({ core: { request: () => stored.then(accepted) }, over })
    const running = command(line)
    await wait(50)
    let stopped = false
    const stopping = surface.stop().then(() => {
      stopped = true
    })
    await wait(20)
    expect(stopped).toBe(false)
    resolve()
    await stopping
    expect((await running).text).toMatch(/got it/)
  })
})

it('ends at once while Slack takes the socket and says nothing', async () => {
  const silent = createServer(() => undefined)
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as AddressInfo
  try {
    const { surface } = await surfaceWith({
      core: {},
      over: {
        config: { ...config, appToken: 'xapp-1', api: `http://127.0.0.1:${port}/api/` },
      },
    })
    surface.start()
    await once(silent, 'request')
    const begun = performance.now()
    await surface.stop()
    expect(performance.now() - begun).toBeLessThan(1_000)
  } finally {
    silent.closeAllConnections()
    silent.close()
  }
})
