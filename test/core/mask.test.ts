// What is hidden from people, and what is not.
import { describe, expect, it } from 'vitest'
import { looksSecret } from '../../src/core/mask.ts'

const secret: readonly (readonly [name: string, value: string])[] = [
  ['DB_PASSWORD', 'x'],
  ['PASSWD', 'x'],
  ['API_KEY', 'x'],
  ['apiKey', 'x'],
  ['SLACK_TOKEN', 'x'],
  ['client-secret', 'x'],
  ['SENTRY_DSN', 'x'],
  ['BASIC_AUTH', 'x'],
  ['URL', 'postgres://shop:hunter2@db/shop'],
  ['HEADER', 'Bearer abcdefghij'],
  ['ANY', 'ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
]
const plain: readonly (readonly [name: string, value: string])[] = [
  ['LOG_LEVEL', 'debug'],
  ['URL', 'https://example.com/path'],
  ['AUTHOR', 'ana'],
  ['KEYBOARD', 'us'],
  ['COMPASS', 'north'],
]

describe('looksSecret', () => {
  it.each(secret)('%s=%s is hidden', (name, value) => expect(looksSecret(name, value)).toBe(true))
  it.each(plain)('%s=%s is shown', (name, value) => expect(looksSecret(name, value)).toBe(false))
})
