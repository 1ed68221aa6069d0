// What was said is there after a restart, down to the files; what only one person saw is not.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import type { SandboxSlack } from '../../../src/sandbox/slack/control.ts'
import { startSlack } from '../../../src/sandbox/slack/slack.ts'

const folder = mkdtempSync(join(tmpdir(), 'gkube-kept-'))
const file = join(folder, 'slack.json')
let slack: SandboxSlack | undefined
afterEach(async () => {
  await slack?.stop()
  rmSync(folder, { recursive: true, force: true })
})

it('keeps messages and threads over a restart, and starts empty from a file that is broken', async () => {
  slack = await startSlack({ file })
  const asked = slack.control.as('ana').say('staging', 'hello')
  slack.control.as('ben').say('staging', 'hello back', asked.ts)
  await slack.stop()

  slack = await startSlack({ file })
  expect(slack.control.messages('staging').map(one => [one.text, one.reply_count])).toEqual([['hello', 1]])
  expect(slack.control.thread('staging', asked.ts).map(one => one.text)).toEqual(['hello', 'hello back'])
  const later = slack.control.as('ana').say('staging', 'again')
  expect(Number(later.ts)).toBeGreaterThan(Number(asked.ts))
  await slack.stop()

  const warnings: string[] = []
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, 40))
  slack = await startSlack({
    file,
    log: { warn: (_facts, text) => void warnings.push(text), error: () => undefined },
  })
  expect(slack.control.messages('staging')).toEqual([])
  expect(warnings).toEqual(['the kept messages of the workspace cannot be read; it starts empty'])
})
