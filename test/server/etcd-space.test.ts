// How full etcd is: when the log says so, and what the metrics show. Time and etcd are played.
import { describe, expect, it } from 'vitest'
import { type EtcdSpace, spaceOf } from '../../src/core/etcd-space.ts'
import { watchEtcdSpace } from '../../src/server/etcd-space.ts'
import { metricsRegistry } from '../../src/surfaces/http/metrics.ts'

const minute = 60_000
const used = (percent: number, alarms: string[] = []): EtcdSpace => ({
  dbSize: percent * 1_000_000,
  dbQuota: 100_000_000,
  alarms,
})

/** Each look a minute after the one before; what the log said, with the minute. */
async function watched(looks: readonly (EtcdSpace | Error)[]) {
  const said: string[] = []
  const metrics = metricsRegistry()
  let now = 0
  let at = 0
  const ended = Promise.withResolvers<void>()
  const say = (level: string) => (_: object, text: string) =>
    void said.push(`${now / minute} ${level} ${text}`)
  const watch = watchEtcdSpace({
    look: async () => {
      const found = looks[at++]
      if (!found || found instanceof Error) throw found ?? new Error('no more looks')
      return found
    },
    clock: {
      now: () => now,
      sleep: (ms, signal) => {
        now += ms
        if (at < looks.length) return Promise.resolve()
        ended.resolve()
        return new Promise(resolve => signal?.addEventListener('abort', () => resolve()))
      },
    },
    log: { info: say('info'), warn: say('warn'), error: say('error') } as never,
    metrics,
  })
  watch.start()
  await ended.promise
  await watch.stop()
  return { said, text: metrics.text() }
}

describe('the space of etcd', () => {
  it.each<[string, EtcdSpace, string, RegExp]>([
    ['room', used(69), 'ok', /69 MB of 100 MB \(69 %\)/],
    ['70 %', used(70), 'warning', /\(70 %\)/],
    ['NOSPACE', used(100, ['NOSPACE']), 'failed', /NOSPACE: it takes no writes/],
    ['no quota told', { dbSize: 5e9, alarms: [] }, 'ok', /5000 MB; its quota is not told/],
  ])('%s', (_, space, state, message) => {
    expect(spaceOf(space)).toMatchObject({ state, message: expect.stringMatching(message) })
  })

  it('is told when it changes, and again each hour while it is not well', async () => {
    const hour = Array.from({ length: 61 }, () => used(75))
    const { said } = await watched([used(50), ...hour, used(99, ['NOSPACE']), used(20), used(20)])
    expect(said).toEqual([
      expect.stringMatching(/^1 warn etcd holds 75 MB of 100 MB \(75 %\)/),
      expect.stringMatching(/^61 warn/),
      expect.stringMatching(/^62 error etcd raised NOSPACE/),
      expect.stringMatching(/^63 info .*it has room again/),
    ])
  })

  it('is not told while etcd does not answer, and what was seen last stays', async () => {
    const { said, text } = await watched([used(80), new Error('down'), new Error('down'), used(80)])
    expect(said).toHaveLength(1)
    expect(text).toMatch(/^gkube_etcd_bytes 80000000$/m)
    expect(text).toMatch(/^gkube_etcd_quota_bytes 100000000$/m)
    expect(text).toMatch(/^gkube_etcd_alarms 0$/m)
  })
})
