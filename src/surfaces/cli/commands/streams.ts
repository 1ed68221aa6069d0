// logs, run, exec: text from containers, passed on as it comes. Only what a terminal would act on is taken out.
import type { LogChunk, RunEvent } from '../../../core/core.ts'
import { UserError } from '../../../errors.ts'
import { type Cli, exitCodes } from '../cli.ts'
import { ApiError } from '../client.ts'
import { logLine } from '../terminal-text.ts'
import { placeOf } from './look.ts'

type Args = readonly (string | undefined)[]
type LogOptions = {
  environment?: string
  follow?: boolean
  previous?: boolean
  tail?: string
  since?: string
  pod?: string
  container?: string
}

export async function logs(cli: Cli, [app]: Args, options: LogOptions): Promise<number> {
  const { follow, environment, ...rest } = options
  const query = { ...rest, pod: options.pod, tail: options.tail ?? (follow ? '10' : undefined) }
  const path = `${placeOf(cli, app, { environment })}/logs`
  const { pod, container, previous, tail, since } = query
  const asked = { pod, container, previous, tail, since }
  if (follow) return followLogs(cli, path, asked)
  const { logs } = await cli
    .client()
    .ask<{ logs: LogChunk[] }>('GET', path, { query: asked, timeoutMs: 60_000 })
  if (cli.out.json) {
    cli.out.data(logs)
    return exitCodes.ok
  }
  const printer = linePrinter(cli, new Set(logs.map(chunk => `${chunk.pod}/${chunk.container}`)).size > 1)
  for (const chunk of logs) printer.take(chunk)
  printer.flush()
  return exitCodes.ok
}

async function followLogs(
  cli: Cli,
  path: string,
  query: Record<string, string | boolean | undefined>,
): Promise<number> {
  const { out } = cli
  const printer = linePrinter(cli, true)
  const signal = AbortSignal.any([cli.io.signal, out.closed])
  try {
    const stream = cli.client().events('GET', path, { query: { ...query, follow: true }, signal })
    for await (const { event, data } of stream) {
      if (event === 'error') throw refusal(data)
      if (event !== 'log') continue
      if (out.json) out.raw(`${data}\n`)
      else printer.take(JSON.parse(data))
    }
    printer.flush()
    // Pods are gone, or the server stops: only it knows which, and both are an end of this stream.
    out.warn('gkube: the log ended.')
    return exitCodes.ok
  } catch (error) {
    printer.flush()
    if (out.closed.aborted) return exitCodes.ok
    throw error
  }
}

/** Cuts text into lines by container: an escape sequence or a letter may be split between two chunks. */
function linePrinter({ out }: Cli, prefixed: boolean) {
  const rests = new Map<string, string>()
  const print = (source: string, line: string) => {
    const prefix = prefixed ? out.paint('cyan', `${logLine(source, false)} │ `) : ''
    const text = line.endsWith('\r') ? line.slice(0, -1) : line
    out.say(prefix + (out.tty ? logLine(text, out.paint('red', 'x') !== 'x') : text))
  }
  return {
    take: ({ pod, container, text }: LogChunk) => {
      const source = `${pod} ${container}`
      const lines = ((rests.get(source) ?? '') + text).split('\n')
      rests.set(source, lines.pop() ?? '')
      for (const line of lines) print(source, line)
    },
    flush: () => {
      for (const [source, rest] of rests) if (rest) print(source, rest)
      rests.clear()
    },
  }
}

/** `gkube run web -- rake db:seed`: exits as the command did. */
export const command =
  (verb: 'run' | 'exec') =>
  async (
    cli: Cli,
    args: readonly unknown[],
    options: { environment?: string; timeout?: string; pod?: string; container?: string },
  ): Promise<number> => {
    const [app, words] = args as [string, string[]] // as program.ts declares the arguments
    if (words.length === 0)
      throw new UserError('bad_input', `What should run? For example: gkube ${verb} ${app} -- ls -l`)
    const { environment, timeout, pod, container } = options
    const body = verb === 'run' ? { command: words, timeout } : { command: words, pod, container }
    const path = `${placeOf(cli, app, { environment })}/${verb}`
    for await (const { event, data } of cli.client().events('POST', path, { body })) {
      if (event === 'error') throw refusal(data)
      const code = show(cli, data)
      if (code !== null) return code
    }
    throw new UserError(
      'unavailable',
      `The connection ended before ${verb} did. What became of it: gkube events ${app}`,
    )
  }

/** Passes one event on; the exit code when it was the last. */
function show({ out }: Cli, data: string): number | null {
  const one = JSON.parse(data) as RunEvent // the events of this route
  if (out.json) out.raw(`${data}\n`)
  else if (one.kind === 'output') out.raw(out.tty ? safe(one.text) : one.text, one.stream)
  if (one.kind !== 'ended') return null
  if (one.message && one.exitCode !== 0) out.warn(`gkube: ${logLine(one.message, false)}`)
  return one.exitCode & 0xff
}

const safe = (text: string): string =>
  text
    .split('\n')
    .map(line => logLine(line, true))
    .join('\n')

const refusal = (data: string): ApiError => {
  const { error } = JSON.parse(data) as { error: { kind: string; message: string } } // event-stream.ts of the server
  return new ApiError(error.kind === 'unavailable' || error.kind === 'internal' ? 503 : 400, error)
}
