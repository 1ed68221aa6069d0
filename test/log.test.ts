// The log as it comes out: JSON or short lines, children, errors with causes, and no secrets in either.
import { describe, expect, it } from 'vitest'
import { createLog, errorId } from '../src/log.ts'

function lines(options: Partial<Parameters<typeof createLog>[0]> = {}) {
  const written: string[] = []
  const log = createLog({ level: 'info', format: 'json', write: line => void written.push(line), ...options })
  return { log, written }
}

describe('JSON', () => {
  it('has a time, a level, the text and the facts, one line each', () => {
    const { log, written } = lines()
    log.info({ deploy: '01J', app: 'web' }, 'claimed')
    expect(written).toHaveLength(1)
    expect(written[0]?.endsWith('\n')).toBe(true)
    const line = JSON.parse(written[0] ?? '')
    expect(line).toMatchObject({ level: 'info', msg: 'claimed', deploy: '01J', app: 'web' })
    expect(Date.parse(line.time)).toBeGreaterThan(0)
  })

  it('keeps below the level silent, and everything at silent', () => {
    const { log, written } = lines({ level: 'warn' })
    log.info({}, 'no')
    log.warn({}, 'yes')
    expect(written.map(line => JSON.parse(line).msg)).toEqual(['yes'])
    const silent = lines({ level: 'silent' })
    silent.log.error({}, 'no')
    expect(silent.written).toEqual([])
  })

  it('takes secrets out of facts, of children and of texts', () => {
    const { log, written } = lines()
    log
      .child({ requestToken: 'hunter2' })
      .info({ headers: { authorization: 'Bearer hunter2' } }, 'password=hunter2')
    expect(written[0]).not.toContain('hunter2')
    expect(JSON.parse(written[0] ?? '')).toMatchObject({
      msg: 'password=[redacted]',
      requestToken: '[redacted]',
    })
  })

  it('writes an error with its stack and its cause', () => {
    const { log, written } = lines()
    log.error({ err: new Error('outer', { cause: new TypeError('inner') }) }, 'failed')
    const { err } = JSON.parse(written[0] ?? '')
    expect(err).toMatchObject({
      type: 'Error',
      message: 'outer',
      cause: { type: 'TypeError', message: 'inner' },
    })
    expect(err.stack).toContain('log.test.ts')
  })
})

describe('short lines', () => {
  it('reads like a sentence on a terminal', () => {
    const { log, written } = lines({ format: 'auto', terminal: true })
    log.child({ app: 'web' }).warn({ note: 'two words', n: 3 }, 'rolled back')
    expect(written[0]).toMatch(/^\d\d:\d\d:\d\d warn {2}rolled back {2}app=web {2}note="two words" {2}n=3\n$/)
  })

  it('is JSON where there is no terminal', () => {
    const { log, written } = lines({ format: 'auto', terminal: false })
    log.info({}, 'x')
    expect(JSON.parse(written[0] ?? '').msg).toBe('x')
  })

  it('puts the stack of an error below', () => {
    const { log, written } = lines({ format: 'text' })
    log.error({ err: new Error('broken') }, 'failed')
    expect(written[0]).toMatch(/error failed\nError: broken\n {4}at /)
  })
})

it('an error id is short, readable and never the same', () => {
  const ids = new Set(Array.from({ length: 100 }, errorId))
  expect(ids.size).toBe(100)
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}$/)
})
