// Each envelope is acked once and in time, whatever its handler does, and run once however often it comes.
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createLog } from '../../../src/log.ts'
import { createDelivery, type Envelope, idOf, kindOf } from '../../../src/surfaces/slack/deliver.ts'

type Process = Parameters<typeof createDelivery>[0]['process']
const command = (over: Record<string, unknown> = {}) => ({
  command: '/gkube',
  text: '',
  trigger_id: '1.2',
  ...over,
})

function deliveryWith(process: Process) {
  const lines: string[] = []
  const late: unknown[] = []
  const delivery = createDelivery({
    process,
    unhandled: kind => `nothing handles a ${kind}`,
    late: async (_body, payload) => void late.push(payload),
    log: createLog({ level: 'info', format: 'json', write: line => void lines.push(line) }),
  })
  const send = async (body: Record<string, unknown>, over: Partial<Envelope> = {}) => {
    const acks: unknown[] = []
    await delivery.deliver({
      body,
      requestId: 'r',
      retry: 0,
      ack: async payload => void acks.push(payload),
      ...over,
    })
    return acks
  }
  return { delivery, send, lines, late }
}

describe('acks', () => {
  it('with what the handler says, once', async () => {
    const { send } = deliveryWith(async ({ ack }) => {
      await ack('one')
      await ack('two')
    })
    expect(await send(command())).toEqual(['one'])
  })
  it('with help where nothing handled it', async () => {
    const { send } = deliveryWith(async () => undefined)
    expect(await send(command())).toEqual(['nothing handles a command'])
  })
  it('also when Bolt fails, and says so in the log', async () => {
    const { send, lines } = deliveryWith(async () => {
      throw new Error('broken')
    })
    expect(await send(command())).toEqual([undefined])
    expect(lines.join()).toContain('broken')
  })
  it('in time when the handler takes long; its own ack comes to nothing', async () => {
    const { promise: done, resolve } = Promise.withResolvers<void>()
    const { delivery } = deliveryWith(async ({ ack }) => {
      await done
      await ack('too late')
    })
    const begun = performance.now()
    const { promise: acked, resolve: ack } = Promise.withResolvers<unknown>()
    const delivered = delivery.deliver({
      body: command(),
      requestId: 'r',
      retry: 0,
      ack: async payload => ack(payload),
    })
    expect(await acked).toBeUndefined()
    expect(performance.now() - begun).toBeLessThan(2_900)
    await delivery.idle()
    resolve()
    await delivered
  })
  it('an answer that Slack does not take any more goes another way', async () => {
    const { send, late } = deliveryWith(({ ack }) => ack({ text: 'x', blocks: [] }))
    await send(command(), { ack: () => Promise.reject(new Error('gone')) })
    expect(late).toEqual([{ text: 'x', blocks: [] }])
  })
})

describe('repeats', () => {
  it('are answered as the first was, and not run again', async () => {
    let runs = 0
    const { send } = deliveryWith(async ({ ack }) => {
      runs++
      await wait(5)
      await ack(`run ${runs}`)
    })
    const [first, second] = await Promise.all([send(command()), send(command())])
    expect([first, second, await send(command(), { retry: 1 }), runs]).toEqual([
      ['run 1'],
      ['run 1'],
      ['run 1'],
      1,
    ])
    expect(await send(command({ trigger_id: '1.3' }))).toEqual(['run 2'])
  })
  it('are not run again either when the answer is not kept any more: it was sent long before', async () => {
    let runs = 0
    const { send } = deliveryWith(async ({ ack }) => {
      runs++
      await ack('one')
    })
    for (let n = 0; n < 1_000; n++) await send(command({ trigger_id: `1.${n}` }))
    expect(await send(command({ trigger_id: '1.999' }))).toEqual(['one'])
    expect(await send(command({ trigger_id: '1.0' }))).toEqual([undefined])
    expect(runs).toBe(1_000)
  })
  it('a search in a select may ask the same again', async () => {
    let runs = 0
    const { send } = deliveryWith(async ({ ack }) => ack({ options: [++runs] }))
    const body = { type: 'block_suggestion', action_id: 'app', value: 'w' }
    expect([await send(body), await send(body)]).toEqual([[{ options: [1] }], [{ options: [2] }]])
  })
})

it.each([
  [{ event: {}, event_id: 'Ev1' }, 'event', 'Ev1'],
  [command(), 'command', '1.2'],
  [{ type: 'block_actions', trigger_id: '9' }, 'action', '9'],
  [{ type: 'view_submission', trigger_id: '8' }, 'view', '8'],
  [{ type: 'message_action', trigger_id: '7' }, 'shortcut', '7'],
  [{ type: 'what' }, 'unknown', expect.stringMatching(/^[0-9a-f]{64}$/)],
])('%j is of kind %s', (body, kind, id) => {
  expect([kindOf(body), idOf(body)]).toEqual([kind, id])
})
