// docs/cli.md is what the command tree says, and the tree says enough: examples, descriptions, completion.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { userErrorKinds } from '../../../src/errors.ts'
import { program } from '../../../src/surfaces/cli/program.ts'
import { reference } from '../../../src/surfaces/cli/reference.ts'
import { shownCommands } from '../../../src/surfaces/cli/tree.ts'
import { cliAt, folder } from './support.ts'

const page = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8')
const all = (command: Command): Command[] => shownCommands(command).flatMap(child => [child, ...all(child)])
const commands = all(program(async () => undefined))
const gkube = cliAt('http://127.0.0.1:9')

describe('the reference', () => {
  it('is up to date (else: npm run schemas)', () => expect(page('cli.md')).toBe(reference()))

  it('names every kind of error with its exit code', () => {
    for (const [kind, { status, exit }] of Object.entries(userErrorKinds))
      expect(page('exit-codes.md')).toContain(`| ${kind} | ${status} | ${exit} |`)
  })

  it.each(commands.map(command => ({ name: `${command.parent?.name()} ${command.name()}`, command })))(
    '$name has a description, described options and examples that are commands of ours',
    ({ command }) => {
      expect(command.description()).toMatch(/^[A-Z].*[^.]$/)
      for (const option of command.options) expect(option.description).not.toBe('')
      let help = ''
      const writeOut = (text: string) => {
        help += text
      }
      command.configureOutput({ writeOut }).outputHelp()
      expect(help).toMatch(/Examples:\n {2}\$ /)
      for (const [, example = ''] of help.matchAll(/^ {2}\$ (.*)$/gm)) expect(example).toMatch(/gkube \w/)
    },
  )

  it('holds no example that would be refused', async () => {
    const examples = [...page('cli.md').matchAll(/^(gkube [^<\n]*)$/gm)].map(match => match[1] ?? '')
    const simple = examples.filter(example => !/[<>|[\]()"{}]/.test(example))
    expect(simple.length).toBeGreaterThan(40)
    for (const example of simple) {
      const words = example.replace(/ #.*$/, '').trim().split(/\s+/).slice(1)
      // `--help` stops before anything is done, but not before options and commands are understood.
      const at = words.includes('--') ? words.slice(0, words.indexOf('--')) : words
      const { code, err } = await gkube([...at, '--help'])
      expect({ example, code, err }).toEqual({ example, code: 0, err: '' })
    }
  })
})

describe('completion', () => {
  it('of bash is valid and completes commands, options and files', async () => {
    const { out } = await gkube('completion bash')
    const script = join(folder, 'gkube.bash')
    writeFileSync(script, out)
    writeFileSync(join(folder, 'some-app.yaml'), '')
    const complete = (...words: string[]) => {
      const run = `source ${script}; COMP_WORDS=(gkube ${words.map(word => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _gkube; printf '%s\\n' "\${COMPREPLY[@]}"`
      const result = spawnSync('bash', ['--norc', '-c', run], { encoding: 'utf8', cwd: folder })
      expect(result.stderr).toBe('')
      return result.stdout.split('\n').filter(Boolean)
    }
    expect(complete('de')).toEqual(['deploy', 'delete', 'deny'])
    expect(complete('app', 'a')).toEqual(['apply'])
    expect(complete('pods', 'delete', '--env')).toEqual(['--environment'])
    expect(complete('deploy', 'web', '--no-w')).toEqual(['--no-wait'])
    expect(complete('token', 'create', '--js')).toEqual(['--json'])
    expect(complete('app', 'apply', '-f', 'some')).toEqual(['some-app.yaml'])
    expect(complete('logs', 'web', '-f', '--ta')).toEqual(['--tail'])
    expect(complete('deploy', '-E', '')).toEqual([])
    expect(complete('completion', '')).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']))
  })

  it.each([
    { shell: 'bash', args: ['-n'] },
    { shell: 'zsh', args: ['-n'] },
    { shell: 'fish', args: ['--no-execute'] },
  ])(
    'of $shell holds every command, and is valid where $shell is there to say so',
    async ({ shell, args }) => {
      const { out, code } = await gkube(`completion ${shell}`)
      expect(code).toBe(0)
      for (const command of commands) expect(out).toContain(command.name())
      const script = join(folder, `check.${shell}`)
      writeFileSync(script, out)
      const checked = spawnSync(shell, [...args, script], { encoding: 'utf8' })
      if (checked.error) return
      expect(checked.stderr).toBe('')
      expect(checked.status).toBe(0)
    },
  )
})
