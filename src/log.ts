// The log of a server: pino on stderr, JSON for machines or short lines on a terminal, secrets taken out before
// they reach either. Facts go first, then the text: log.info({ deploy: id }, 'claimed'). What is taken out as a
// secret is decided in core/redact.ts. The command line does not load this.
import { randomBytes } from 'node:crypto'
import { type Logger, pino } from 'pino'
import { redactData, redactText } from './core/redact.ts'

type Write = (facts: object, text: string) => void
export type Log = {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
  /** A log that adds these facts to each line. */
  child(facts: object): Log
}

type Options = {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** auto: text on a terminal, else JSON. */
  readonly format: 'auto' | 'json' | 'text'
  /** Where lines go; default: stderr, written at once, so that a crash loses none. */
  readonly write?: (line: string) => void
  readonly terminal?: boolean
}

/** The log of this process. */
export function createLog(options: Options): Log {
  const { level, format, terminal = process.stderr.isTTY === true } = options
  const out = options.write ?? (line => void stderr().write(line))
  const text = format === 'text' || (format === 'auto' && terminal)
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'msg',
      // redactData has made plain data of errors by then.
      serializers: { err: err => err },
      formatters: {
        level: label => ({ level: label }),
        log: facts => redactData(facts) as Record<string, unknown>,
      },
      hooks: {
        logMethod(args, method) {
          // Texts are written by us, but may quote what a server said.
          const clean = args.map(arg => (typeof arg === 'string' ? redactText(arg) : arg))
          method.apply(this, clean as typeof args)
        },
      },
    },
    { write: line => out(text ? shortLine(line) : line) },
  )
  return wrap(logger)
}

/** pino does not format what children bind, so secrets are taken out here. */
const wrap = (logger: Logger): Log => ({
  debug: (facts, text) => logger.debug(facts, text),
  info: (facts, text) => logger.info(facts, text),
  warn: (facts, text) => logger.warn(facts, text),
  error: (facts, text) => logger.error(facts, text),
  child: facts => wrap(logger.child(redactData(facts) as Record<string, unknown>)),
})

let destination: ReturnType<typeof pino.destination> | undefined
const stderr = () => {
  destination ??= pino.destination({ fd: 2, sync: true })
  return destination
}

/** `12:00:03 warn  claimed  deploy=01J… app=web` */
function shortLine(line: string): string {
  const { time, level, msg, err, ...facts } = JSON.parse(line) as Record<string, unknown>
  const rest = Object.entries(facts).map(([key, value]) => `${key}=${short(value)}`)
  const error = err as { stack?: string; message?: string } | undefined
  const trace = error ? `\n${error.stack ?? error.message ?? ''}` : ''
  const head = `${String(time).slice(11, 19)} ${String(level).padEnd(5)} ${String(msg ?? '')}`
  return `${[head, ...rest].join('  ')}${trace}\n`
}

const short = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(value)
}

/** An id that a person can read out and an operator can find in the log: shown instead of an internal error. */
export const errorId = (): string => randomBytes(4).toString('hex')
