// The console, with offsets in bytes of the raw log: characters cut at borders, logs begun anew, and how much of a large
// one travels. The server here answers as stapler's LargeText does: CRLF, all of it again for a start past its end.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Reply, refusal, type Scripted, scriptedJenkins } from './scripted-jenkins.ts'

let jenkins: Scripted
beforeAll(async () => {
  jenkins = await scriptedJenkins()
})
afterAll(() => jenkins.stop())

const path = 'GET /job/web/14/logText/progressiveText'
/** The log as it is now; a function is asked at each request. */
const logs = (log: () => Buffer, open = false): Record<string, Reply> => ({
  [path]: (response, { query }) => {
    const now = log()
    const asked = Number(query.get('start'))
    const start = asked > now.byteLength ? 0 : asked
    response.setHeader('content-type', 'text/plain;charset=UTF-8')
    response.setHeader('x-text-size', now.byteLength)
    if (open) response.setHeader('x-more-data', 'true')
    // Java decodes the bytes and encodes the characters again.
    const body = Buffer.from(now.subarray(start).toString('utf8').replaceAll(/\r?\n/g, '\r\n'))
    const write = (from: number) => {
      if (from >= body.byteLength) return void response.end()
      const part = body.subarray(from, from + 64 * 1024)
      if (response.write(part)) setImmediate(() => write(from + part.byteLength))
      else response.once('drain', () => write(from + part.byteLength))
    }
    write(0)
  },
})
const note = '\u001b[8mha:////4AAAAHdzYW5kYm94/+=\u001b[0m'

describe('a log that is followed', () => {
  it('comes in parts, by bytes, without hidden notes and colours', async () => {
    let log = `Started by ${note}user Größe\n`
    jenkins.script(logs(() => Buffer.from(log), true))
    const first = await jenkins.jenkins.log('web', 14, 0)
    expect(first).toEqual({ text: 'Started by user Größe\n', next: Buffer.byteLength(log), more: true })
    log += '\u001b[31mred\u001b[0m €\n'
    const second = await jenkins.jenkins.log('web', 14, first.next)
    expect(second.text).toBe('red €\n')
    jenkins.script(logs(() => Buffer.from(log)))
    expect(await jenkins.jenkins.log('web', 14, second.next)).toEqual({
      text: '',
      next: second.next,
      more: false,
    })
  })

  it.each(['é', '€', '🚀'])('loses and doubles nothing where %s is cut at any byte', async character => {
    const whole = Buffer.from(`a${character}${character}b\n`)
    for (let cut = 1; cut < whole.byteLength; cut++) {
      let log = whole.subarray(0, cut)
      jenkins.script(logs(() => log, true))
      const first = await jenkins.jenkins.log('web', 14, 0)
      log = whole
      const second = await jenkins.jenkins.log('web', 14, first.next)
      expect(first.text + second.text, `cut at ${cut}`).toBe(whole.toString())
    }
  })

  it('that is no UTF-8 comes as it can', async () => {
    const log = Buffer.from([0x61, 0xe9, 0x0a, 0xe9, 0x62, 0x0a])
    jenkins.script(logs(() => log))
    expect((await jenkins.jenkins.log('web', 14, 3)).text).toBe('\ufffdb\n')
  })

  it('asked for past its end begins anew', async () => {
    jenkins.script(logs(() => Buffer.from('new\n'), true))
    expect(await jenkins.jenkins.log('web', 14, 5000)).toEqual({ text: 'new\n', next: 4, more: true })
  })

  it('that is far ahead is cut at a line, and gone on from its end', async () => {
    const log = Buffer.from('a line of it\n'.repeat(400_000))
    jenkins.script(logs(() => log, true))
    const { text, next } = await jenkins.jenkins.log('web', 14, 0)
    expect(next).toBe(log.byteLength)
    expect(text.length).toBeLessThanOrEqual(1024 * 1024)
    expect(text.endsWith('a line of it\n[…]\n')).toBe(true)
  })

  it.each<[status: number, code: string]>([
    [404, 'not_found'],
    [403, 'forbidden'],
    [500, 'unavailable'],
  ])('answered %i', async (status, code) => {
    jenkins.script({ [path]: { status } })
    expect(await refusal(jenkins.jenkins.log('web', 14, 0))).toMatchObject({ code })
  })
})

describe('the tail', () => {
  const lines = (count: number) => Array.from({ length: count }, (_, n) => `line ${n} größer\n`)
  it.each<[name: string, log: string, bytes: number, expected: string]>([
    ['of a short log is all of it', 'one\ntwo\n', 100, 'one\ntwo\n'],
    ['of an empty one is nothing', '', 100, ''],
    ['begins at a line', 'first\nsecond\nthird\n', 10, 'third\n'],
    ['takes a line that just fits', 'first\nsecond\nthird\n', 13, 'second\nthird\n'],
    ['of one long line is its end', `${'x'.repeat(50)}ü`, 11, `${'x'.repeat(9)}ü`],
    ['does not begin within a character', `${'ü'.repeat(50)}`, 11, 'üüüüü'],
    ['has no hidden note', `${'x'.repeat(200)}\n${note}end\n`, 60, 'end\n'],
  ])('%s', async (_, log, bytes, expected) => {
    jenkins.script(logs(() => Buffer.from(log)))
    expect(await jenkins.jenkins.tail('web', 14, bytes)).toBe(expected)
  })

  it('fits the bytes that were asked for, whatever lines there are', async () => {
    const all = lines(500)
    jenkins.script(logs(() => Buffer.from(all.join(''))))
    for (const bytes of [1000, 1001, 1007, 1013]) {
      const text = await jenkins.jenkins.tail('web', 14, bytes)
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(bytes)
      expect(Buffer.byteLength(text)).toBeGreaterThan(bytes - 25)
      expect(all.join('').endsWith(`\n${text}`)).toBe(true)
    }
  })

  it('of a large log does not fetch it', async () => {
    const log = Buffer.alloc(8 * 1024 * 1024, 'a log of 8 MB has many lines such as this one\n')
    const sockets = new Set<Socket>()
    // Node's fetch tells of its sockets here; those of another server are kept alive from before.
    const connected = (message: unknown) => void sockets.add((message as { socket: Socket }).socket)
    subscribe('undici:client:connected', connected)
    const one = await scriptedJenkins(logs(() => log))
    const text = await one.jenkins.tail('web', 14, 4096)
    unsubscribe('undici:client:connected', connected)
    expect(text.split('\n').at(-2)).toMatch(/^a log of 8 MB/)
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096)
    expect(one.seen.map(({ query }) => query.get('start'))).toEqual(['0', String(log.byteLength - 4097)])
    const read = [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0)
    expect(read).toBeGreaterThan(0)
    expect(read).toBeLessThan(1024 * 1024)
    await one.stop()
  })

  it('where a proxy took the size away is what can be read of it', async () => {
    jenkins.script({ [path]: { body: lines(20).join('') } })
    expect(await jenkins.jenkins.tail('web', 14, 40)).toBe('line 18 größer\nline 19 größer\n')
  })
})
