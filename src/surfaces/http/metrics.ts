// A small registry of Prometheus metrics: counters, gauges and histograms as text exposition format 0.0.4.
// Ours instead of prom-client, which brings OpenTelemetry and tdigest for what is a hundred lines here.
// Labels must come from small sets (route patterns, phases), never from ids: series beyond a limit are dropped.

export type Labels = Readonly<Record<string, string>>
export type Counter = { add(labels?: Labels, amount?: number): void }
export type Gauge = { set(value: number, labels?: Labels): void }
export type Histogram = { observe(value: number, labels?: Labels): void }

/** A registry as the server and everyone who measures share it. */
export type Metrics = {
  counter(name: string, help: string): Counter
  /** `read` is called at each scrape instead of `set`. */
  gauge(name: string, help: string, read?: () => number): Gauge
  /** Buckets are upper bounds, in rising order. */
  histogram(name: string, help: string, buckets?: readonly number[]): Histogram
  text(): string
}

const seriesLimit = 2000
const secondsBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function metricsRegistry(): Metrics {
  const blocks = new Map<string, () => string>()
  const register = (name: string, type: string, help: string, lines: () => string[]) => {
    if (blocks.has(name)) throw new Error(`metric ${name} is registered twice`)
    blocks.set(name, () =>
      [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...lines()].join('\n'),
    )
  }
  return {
    counter: (name, help) => {
      const series = seriesMap(() => ({ value: 0 }))
      register(name, 'counter', help, () => series.lines((labels, s) => [`${name}${labels()} ${s.value}`]))
      return {
        add: (labels = {}, amount = 1) => {
          series.of(labels).value += amount
        },
      }
    },
    gauge: (name, help, read) => {
      const series = seriesMap(() => ({ value: 0 }))
      register(name, 'gauge', help, () => {
        if (read) series.of({}).value = read()
        return series.lines((labels, s) => [`${name}${labels()} ${s.value}`])
      })
      return {
        set: (value, labels = {}) => {
          series.of(labels).value = value
        },
      }
    },
    histogram: (name, help, buckets = secondsBuckets) => {
      const series = seriesMap(() => ({ counts: buckets.map(() => 0), sum: 0, count: 0 }))
      register(name, 'histogram', help, () =>
        series.lines((labels, s) => [
          ...buckets.map((le, i) => `${name}_bucket${labels({ le: String(le) })} ${s.counts[i]}`),
          `${name}_bucket${labels({ le: '+Inf' })} ${s.count}`,
          `${name}_sum${labels()} ${s.sum}`,
          `${name}_count${labels()} ${s.count}`,
        ]),
      )
      return {
        observe: (value, labels = {}) => {
          const s = series.of(labels)
          s.sum += value
          s.count++
          buckets.forEach((le, i) => {
            if (value <= le) s.counts[i] = (s.counts[i] ?? 0) + 1
          })
        },
      }
    },
    text: () => `${[...blocks.values()].map(block => block()).join('\n')}\n`,
  }
}

function seriesMap<S>(fresh: () => S) {
  const all = new Map<string, { labels: Labels; state: S }>()
  const overflow = fresh()
  return {
    of: (labels: Labels): S => {
      const key = render(labels)
      const known = all.get(key)
      if (known) return known.state
      if (all.size >= seriesLimit) return overflow
      const state = fresh()
      all.set(key, { labels, state })
      return state
    },
    lines: (line: (labels: (more?: Labels) => string, state: S) => string[]): string[] =>
      [...all.values()].flatMap(({ labels, state }) => line(more => render({ ...labels, ...more }), state)),
  }
}

const render = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length > 0 ? `{${pairs.join(',')}}` : ''
}
const escapeLabel = (text: string) => text.replace(/[\\"\n]/g, c => (c === '\n' ? '\\n' : `\\${c}`))
const escapeHelp = (text: string) => text.replace(/[\\\n]/g, c => (c === '\n' ? '\\n' : '\\\\'))
