// The documents are true where a machine can tell: links lead somewhere, tables match the code, commands exist.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { userErrorKinds } from '../src/errors.ts'

const pages = [
  ...readdirSync('.').filter(name => name.endsWith('.md')),
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md'))
    .map(name => join('docs', name)),
]
const read = (path: string) => readFileSync(path, 'utf8')

describe.each(pages)('%s', page => {
  it('links to what is there', () => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link = '']) => link)
    for (const link of links) expect(existsSync(join(dirname(page), link)), link).toBe(true)
  })

  it('names files of src/ that are there', () => {
    const named = [...read(page).matchAll(/`((?:src|core|adapters|surfaces|lint|test)\/[\w./-]+)`/g)]
    for (const [, path = ''] of named)
      expect(existsSync(path) || existsSync(join('src', path)), path).toBe(true)
  })

  it('runs npm scripts that are there', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    for (const [, name = ''] of read(page).matchAll(/npm run ([a-z]+)/g)) expect(scripts).toHaveProperty(name)
  })
})

it('exit codes: the table is that of errors.ts', () => {
  const page = read('docs/exit-codes.md')
  for (const [kind, { status, exit }] of Object.entries(userErrorKinds))
    expect(page).toContain(`| ${kind} | ${status} | ${exit} |`)
})

it('the first command of the README is the one that starts everything', () => {
  expect(read('README.md')).toContain('apt-get install -y etcd-server && npm ci && npm start\n')
})
