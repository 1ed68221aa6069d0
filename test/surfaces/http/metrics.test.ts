// The text that Prometheus reads, letter by letter.
import { describe, expect, it } from 'vitest'
import { metricsRegistry } from '../../../src/surfaces/http/metrics.ts'

describe('metrics', () => {
  it('writes counters, gauges and histograms', () => {
    const metrics = metricsRegistry()
    const deploys = metrics.counter('deploys_total', 'Deploys that\nended')
    deploys.add({ phase: 'succeeded' })
    deploys.add({ phase: 'succeeded' }, 2)
    deploys.add({ phase: 'a"b\\c\nd' })
    metrics.gauge('queue', 'Waiting').set(3, { environment: 'staging' })
    metrics.gauge('uptime', 'Read at scrape', () => 7)
    const seconds = metrics.histogram('seconds', 'Time', [0.1, 1])
    for (const value of [0.05, 0.5, 5]) seconds.observe(value, { step: 'apply' })
    expect(metrics.text()).toBe(
      [
        '# HELP deploys_total Deploys that\\nended',
        '# TYPE deploys_total counter',
        'deploys_total{phase="succeeded"} 3',
        'deploys_total{phase="a\\"b\\\\c\\nd"} 1',
        '# HELP queue Waiting',
        '# TYPE queue gauge',
        'queue{environment="staging"} 3',
        '# HELP uptime Read at scrape',
        '# TYPE uptime gauge',
        'uptime 7',
        '# HELP seconds Time',
        '# TYPE seconds histogram',
        'seconds_bucket{step="apply",le="0.1"} 1',
        'seconds_bucket{step="apply",le="1"} 2',
        'seconds_bucket{step="apply",le="+Inf"} 3',
        'seconds_sum{step="apply"} 5.55',
        'seconds_count{step="apply"} 3',
        '',
      ].join('\n'),
    )
  })

  it('refuses a name twice, and does not grow without end', () => {
    const metrics = metricsRegistry()
    const counter = metrics.counter('one', '')
    expect(() => metrics.gauge('one', '')).toThrow(/twice/)
    for (let i = 0; i < 5000; i++) counter.add({ id: String(i) })
    expect(metrics.text().split('\n').length).toBeLessThan(2010)
  })
})
