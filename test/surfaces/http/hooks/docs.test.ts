// The examples of docs/jenkins.md do what they say: run as they stand, against a whole replica.
import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { type HookStack, hookStack, secrets } from './inbox.ts'

const run = promisify(execFile)
const page = readFileSync('docs/jenkins.md', 'utf8')
/** The shell example below a heading. */
const example = (heading: string): string => {
  const [, text = ''] = page.split(`### ${heading}\n`)
  return /```sh\n([\s\S]*?)```/.exec(text)?.[1] ?? ''
}

const lacking = ['curl', 'openssl'].filter(name => spawnSync(name, ['version']).error !== undefined)
if (lacking.length > 0)
  process.stdout.write(`SKIPPED examples of docs/jenkins.md: no ${lacking.join(', ')}\n`)

let stack: HookStack
beforeAll(async () => {
  stack = await hookStack()
})

describe.skipIf(lacking.length > 0).each([
  ['curl', '301'],
  ['Signed', '302'],
])('the example of %s', (heading, number) => {
  const shell = (secret: string) =>
    run('sh', ['-ec', example(heading)], {
      timeout: 10_000,
      env: {
        PATH: process.env.PATH,
        GKUBE_URL: stack.server.url,
        GKUBE_HOOK_SECRET: secret,
        JOB_NAME: 'shop/web/feature%2Flogin',
        BUILD_NUMBER: number,
        BUILD_URL: `https://jenkins.example.com/job/shop/job/web/job/feature%252Flogin/${number}/`,
      },
    })

  it('is taken', async () => {
    const { stdout } = await shell(secrets.shop)
    const build = `shop/web/feature%2Flogin #${number}`
    expect(JSON.parse(stdout)).toEqual({ build, phase: 'finalized', repeated: false })
  })

  it('fails where the secret is wrong', async () => {
    await expect(shell('wrong')).rejects.toMatchObject({
      code: 22,
      stdout: expect.stringContaining('Not accepted'),
    })
  })
})

it('every status that is named is one that is answered', () => {
  const [, table = ''] = page.split('### What is answered\n')
  const statuses = [...table.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, cell = '']) => cell.split(', '))
  expect(statuses).toEqual(['202', '200', '400', '401', '403', '405', '408', '415', '413', '429', '503'])
})
