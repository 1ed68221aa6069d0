// The default code update script, by each shell that is here: what it shares, what it opens, what it refuses to touch.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const script = fileURLToPath(new URL('../../src/publish/update.sh', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'gkube-update-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// busybox with its own tools only: what a small image has.
const shells = [
  { shell: 'sh', command: ['sh'] },
  { shell: 'dash', command: ['dash'] },
  { shell: 'bash', command: ['bash', '--posix'] },
  { shell: 'busybox', command: ['busybox', 'sh'] },
].filter(({ command }) => spawnSync(command[0] ?? '', ['-c', 'true']).error === undefined)

let number = 0
function place(files: Readonly<Record<string, string>>) {
  const at = join(folder, String(++number))
  const [release, shared] = [join(at, 'release'), join(at, 'shared')]
  mkdirSync(release, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(release, name)), { recursive: true })
    writeFileSync(join(release, name), content)
  }
  return { release, shared, at }
}

describe.each(shells)('the default code update by $shell', ({ command }) => {
  const update = ({ release, shared }: ReturnType<typeof place>, env: Record<string, string> = {}) => {
    const [program = '', ...args] = command
    const { status, stdout, stderr } = spawnSync(program, [...args, '-eu', script], {
      encoding: 'utf8',
      env: {
        PATH: process.env.PATH,
        GKUBE_RELEASE: release,
        GKUBE_SHARED: shared,
        GKUBE_PREVIOUS: '',
        GKUBE_REVISION: '1.4.2',
        GKUBE_ENVIRONMENT: 'staging',
        GKUBE_APP: 'web',
        GKUBE_DEPLOY_ID: '01',
        ...env,
      },
    })
    return { status, stdout, stderr }
  }

  it('links what is shared, the first release giving it its content, and may run again', () => {
    const one = place({
      '.gkube-shared': '# kept over releases\r\nuploads/\r\nvar/cache dir\n\nconfig.ini\nlogs',
      'uploads/.keep': 'first',
      'config.ini': 'a=1',
    })
    const names = ['uploads', 'var/cache dir', 'config.ini', 'logs']
    const said = names.map(name => `shared: ${name}\n`).join('')
    expect(update(one)).toEqual({ status: 0, stdout: said, stderr: '' })
    for (const name of names) expect(readlinkSync(join(one.release, name))).toBe(join(one.shared, name))
    expect(readFileSync(join(one.shared, 'uploads/.keep'), 'utf8')).toBe('first')
    expect(readFileSync(join(one.shared, 'config.ini'), 'utf8')).toBe('a=1')
    writeFileSync(join(one.shared, 'uploads/cat.jpg'), 'cat')
    expect(update(one)).toEqual({ status: 0, stdout: said, stderr: '' })

    const two = { ...place({ '.gkube-shared': 'uploads', 'uploads/.keep': 'second' }), shared: one.shared }
    expect(update(two).status).toBe(0)
    expect(readFileSync(join(two.release, 'uploads/cat.jpg'), 'utf8')).toBe('cat')
    expect(readFileSync(join(two.release, 'uploads/.keep'), 'utf8')).toBe('first')
  })

  it.each([
    ['goes up', '../other'],
    ['goes up in the middle', 'a/../../other'],
    ['is the release itself', '.'],
    ['is absolute', '/etc'],
    ['looks like an option', '-rf'],
    ['is empty in the middle', 'a//b'],
  ])('refuses a shared name that %s', (_name, shared) => {
    const one = place({ '.gkube-shared': shared })
    mkdirSync(join(one.at, 'other'))
    expect(update(one)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^gkube: code update: \.gkube-shared/),
    })
    expect(existsSync(join(one.at, 'other'))).toBe(true)
    expect(existsSync(one.shared)).toBe(false)
  })

  it('removes nothing below a link', () => {
    const one = place({ '.gkube-shared': 'data\ndata/keep' })
    mkdirSync(join(one.shared, 'data/keep'), { recursive: true })
    writeFileSync(join(one.shared, 'data/keep/precious'), 'x')
    expect(update(one)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("below 'data', which is a link"),
    })
    expect(existsSync(join(one.shared, 'data/keep/precious'))).toBe(true)
  })

  it('leaves shared data alone where the release links to it', () => {
    const one = place({ '.gkube-shared': 'data' })
    mkdirSync(join(one.shared, 'data'), { recursive: true })
    writeFileSync(join(one.shared, 'data/precious'), 'x')
    symlinkSync(join(one.shared, 'data'), join(one.release, 'data'))
    expect(update(one).status).toBe(0)
    expect(existsSync(join(one.shared, 'data/precious'))).toBe(true)
  })

  it('makes everything readable, and nothing else', () => {
    const one = place({ 'a/secret.php': 'x', 'run.sh': 'x' })
    chmodSync(join(one.release, 'a/secret.php'), 0o600)
    chmodSync(join(one.release, 'a'), 0o700)
    chmodSync(join(one.release, 'run.sh'), 0o750)
    expect(update(one).status).toBe(0)
    const mode = (name: string) => lstatSync(join(one.release, name)).mode & 0o777
    expect([mode('a'), mode('a/secret.php'), mode('run.sh')]).toEqual([0o755, 0o644, 0o754])
  })

  it.each(['gkube-update', 'bin/gkube-update'])('runs %s in the release, with its variables', name => {
    const one = place({
      [name]:
        '#!/bin/sh\necho "$GKUBE_APP $GKUBE_REVISION $GKUBE_ENVIRONMENT $GKUBE_DEPLOY_ID" > said; pwd >> said\n',
    })
    chmodSync(join(one.release, name), 0o755)
    expect(update(one)).toEqual({ status: 0, stdout: `running ./${name}\n`, stderr: '' })
    expect(readFileSync(join(one.release, 'said'), 'utf8')).toBe(`web 1.4.2 staging 01\n${one.release}\n`)
  })

  it('fails where that fails, and where it cannot be run', () => {
    const one = place({ 'gkube-update': '#!/bin/sh\nexit 7\n' })
    expect(update(one)).toMatchObject({ status: 1, stderr: expect.stringContaining('may not be executed') })
    chmodSync(join(one.release, 'gkube-update'), 0o755)
    expect(update(one).status).toBe(7)
  })

  it('fails without its variables or its release', () => {
    const one = place({})
    expect(update(one, { GKUBE_RELEASE: '' }).status).not.toBe(0)
    expect(update(one, { GKUBE_SHARED: '' }).status).not.toBe(0)
    expect(update(one, { GKUBE_RELEASE: join(one.at, 'none') }).status).not.toBe(0)
  })
})

it('was tried with the smallest shell there is', () => expect(shells.length).toBeGreaterThan(0))
