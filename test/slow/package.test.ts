// What is shipped starts: the image's files with production packages only, and the npm package with its dist/.
// There is no container engine here, so the Dockerfile's COPY lines are followed by hand.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'gkube-package-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
const run = (cwd: string, command: string, ...args: string[]): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe', timeout: 170_000 })

/** The sources of the Dockerfile's COPY lines that come from the checkout, in the last stage or in all. */
const stages = readFileSync('Dockerfile', 'utf8').split(/^(?=FROM )/m)
const copiedIn = (text = '') =>
  [...text.matchAll(/^COPY (?!--from)(.+)$/gm)].flatMap(([, line = '']) => line.split(/\s+/).slice(0, -1))
const copied = copiedIn(stages.at(-1))

it('the Dockerfile copies what is there, and .dockerignore lets it through', () => {
  expect(copied).toContain('src')
  const passed = [...readFileSync('.dockerignore', 'utf8').matchAll(/^!(.+)$/gm)].map(([, name]) => name)
  const all = copiedIn(stages.join(''))
  expect(passed.sort()).toEqual([...new Set(all)].sort())
  for (const name of all) expect(existsSync(name), name).toBe(true)
})

it('the image starts with production packages only', () => {
  const image = join(folder, 'image')
  mkdirSync(image)
  for (const name of [...copied, 'package-lock.json']) cpSync(name, join(image, name), { recursive: true })
  run(image, 'npm', 'ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund')
  expect(existsSync(join(image, 'node_modules/typescript'))).toBe(false)
  expect(run(image, process.execPath, 'bin/gkube.js', '--version').trim()).toBe(version)
  // Everything a server loads is there: it gets as far as reading its configuration.
  const refused = run(image, 'sh', '-c', `${process.execPath} bin/gkube.js serve 2>&1 || true`)
  expect(refused).toMatch(/There is no gkube\.yaml/)
  // There is no bundler in it: GET /cli is the file that its own stage made.
  expect(cliOf(image, 'src/surfaces/http/cli-file.ts')).toMatch(/made without the command line as a file/)
  run('.', process.execPath, 'scripts/write-cli.ts')
  cpSync('dist/cli.mjs', join(image, 'dist/cli.mjs'))
  expect(cliOf(image, 'src/surfaces/http/cli-file.ts')).toContain(`// gkube ${version}`)
})

/** The beginning of what GET /cli answers there, or why it does not. */
const cliOf = (cwd: string, module: string): string =>
  run(
    cwd,
    process.execPath,
    '--input-type=module',
    '-e',
    `const { cliFile } = await import(${JSON.stringify(join(cwd, module))})
     const text = await cliFile('${version}')().then(file => Buffer.from(file.body), error => error.message)
     process.stdout.write(String(text).slice(0, 200))`,
  )

it('the npm package starts from its dist/', () => {
  const target = join(folder, 'npm')
  mkdirSync(target)
  run('.', 'npm', 'run', 'build')
  const [packed] = JSON.parse(
    run('.', 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', target),
  ) as [{ filename: string; files: { path: string }[] }]
  const files = packed.files.map(file => file.path)
  expect(files).toContain('dist/main.js')
  expect(files).toContain('dist/cli.mjs')
  expect(files).toContain('dist/publish/update.sh')
  expect(files.filter(file => file.endsWith('.ts'))).toEqual([])
  run(target, 'npm', 'init', '-y')
  run(
    target,
    'npm',
    'install',
    '--omit=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    `./${packed.filename}`,
  )
  expect(run(target, process.execPath, 'node_modules/gkube/bin/gkube.js', '--version').trim()).toBe(version)
  expect(cliOf(join(target, 'node_modules/gkube'), 'dist/surfaces/http/cli-file.js')).toContain(
    `// gkube ${version}`,
  )
})

it('an older Node is told what to do', () => {
  const old = ['/usr/bin/node'].find(path => existsSync(path) && major(path) < 24)
  if (!old) return expect(readFileSync('bin/gkube.js', 'utf8')).toContain('major < 24')
  const said = run('.', 'sh', '-c', `${old} bin/gkube.js --version 2>&1; echo "exit $?"`)
  expect(said).toMatch(/gkube needs Node\.js 24 or newer/)
  expect(said).toMatch(/exit 2/)
})

const major = (node: string): number => Number(/^v(\d+)/.exec(run('.', node, '--version'))?.[1])
