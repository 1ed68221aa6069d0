// The documents are true where a machine can tell: links lead somewhere, tables match the code, commands exist.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { userErrorKinds } from '../src/errors.ts'

const pages = [
  ...readdirSync('.').filter(name => name.endsWith('.md')),
  'examples/README.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md'))
    .map(name => join('docs', name)),
]
const read = (path: string) => readFileSync(path, 'utf8')

/** What a heading is called in an address, as GitHub has it. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-')
const headings = (page: string) =>
  [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, text = '']) => anchor(text))

/** Each command of docs/cli.md (which the command tree writes) with the text of its section. */
const commands = new Map(
  read('docs/cli.md')
    .split(/^### gkube /m)
    .slice(1)
    .map(section => [section.slice(0, section.indexOf('\n')), section] as const),
)
const ofAll = ['--json', '--url', '--token-file', '--help', '--version', '--no-color']
const sources = () =>
  readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => read(join('src', name)))
    .join('\n')

describe.each(pages)('%s', page => {
  it('links to what is there', () => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link = '']) => link)
    for (const link of links) expect(existsSync(join(dirname(page), link)), link).toBe(true)
  })

  it('links to headings that are there', () => {
    for (const [, link = '', name = ''] of read(page).matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g)) {
      const target = link === '' ? page : join(dirname(page), link)
      if (target.endsWith('.md')) expect(headings(target), `${link}#${name}`).toContain(name)
    }
  })

  it('shows commands that are there, with options that they have', () => {
    const shown = read(page).matchAll(
      /(?:^|[`(]|\$ |&& |-- )(?:npx gkube|gkube|node gkube\.mjs) ([a-z][^`\n|#]*)/gm,
    )
    for (const [all, words = ''] of shown) {
      const [first = '', second = ''] = words.split(' ')
      const section = commands.get(`${first} ${second}`) ?? commands.get(first)
      // A line of prose may begin with the name, too; what the publish Job runs is not for people.
      if (!section && (first === 'publish' || !/^[`$]|npx|gkube\.mjs| -/.test(all))) continue
      expect(section, words).toBeDefined()
      for (const [option] of words.split(' -- ')[0]?.matchAll(/(?<=\s)--?[a-zA-Z][a-z-]*/g) ?? [])
        if (!ofAll.includes(option)) expect(section, `${words}: ${option}`).toContain(option)
    }
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

it('metrics: operating.md has each, and names no other', () => {
  const made = [...sources().matchAll(/(?:gauge|counter|histogram)\(\s*'(\w+)'/g)].map(([, name]) => name)
  const told = [...read('docs/operating.md').matchAll(/\b(?:gkube|process)_\w+/g)].map(([name]) => name)
  expect([...new Set(told)].sort()).toEqual(made.sort())
})

it('the index of decisions has each of them, by its number and title', () => {
  const files = readdirSync('docs/decisions').filter(name => /^\d/.test(name))
  const lines = files.sort().map(name => {
    const [, number = '', title = ''] = /^# (\d+)\. (.+)$/m.exec(read(join('docs/decisions', name))) ?? []
    expect(name.startsWith(number.padStart(4, '0')), name).toBe(true)
    return `${number}. [${title}](${name})`
  })
  expect(read('docs/decisions/README.md')).toContain(lines.join('\n'))
})
