// Builds the real control plane from Go modules, once: the programs lie in a cache folder outside the tree, named
// by what they were built from. `node test/cluster/build.ts` builds and prints where; `--check` only says whether
// this machine can. What is built stands in control-plane/go.mod; harness.ts runs it.
import { execFile, spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { UserError } from '../../src/errors.ts'

const run = promisify(execFile)

export type Binaries = {
  readonly folder: string
  readonly path: (program: Program) => string
  /** Such as `{ kubernetes: 'v1.37.2', etcd: 'v3.7.0', kwok: 'v0.8.0' }`. */
  readonly versions: Readonly<Record<'kubernetes' | 'etcd' | 'kwok', string>>
  /** Seconds this call spent building; 0 when everything was there. */
  readonly builtIn: number
}

/** The programs of a module, by the name that Go gives to each. */
const programs = {
  'kube-apiserver': 'kube-apiserver',
  'kube-controller-manager': 'kube-controller-manager',
  'kube-scheduler': 'kube-scheduler',
  kubectl: 'kubectl',
  etcd: 'server',
  kwok: 'kwok',
} as const
export type Program = keyof typeof programs

const modules = fileURLToPath(new URL('control-plane/', import.meta.url))

/** The module of a minor of Kubernetes: the current one, or an older one in a folder of its own. */
function moduleOf(minor: string | undefined): string {
  if (!minor || modVersion(modules, 'k8s.io/kubernetes').startsWith(`v${minor}.`)) return modules
  const folder = join(modules, minor)
  if (existsSync(join(folder, 'go.mod'))) return folder
  throw new UserError('bad_input', `Kubernetes ${minor} has no module in test/cluster/control-plane/.`)
}

const goMod = (module: string) => readFileSync(join(module, 'go.mod'), 'utf8')

function modVersion(module: string, path: string): string {
  const found = new RegExp(`^\\s+${path.replaceAll('.', '\\.')} (v\\S+)`, 'm').exec(goMod(module))?.[1]
  if (!found) throw new Error(`${join(module, 'go.mod')} does not name ${path}`)
  return found
}

async function goVersion(): Promise<string> {
  const { stdout } = await run('go', ['env', 'GOVERSION'], { cwd: '/', timeout: 10_000 })
  return stdout.trim()
}

/** Why this machine cannot build it; null when it can. */
export async function cannotBuild(): Promise<string | null> {
  const wanted = /^go (\d+)\.(\d+)/m.exec(goMod(modules))
  const version = await goVersion().catch(() => null)
  if (!version) return `Go is not installed (${wanted?.[1]}.${wanted?.[2]} or newer is needed)`
  const have = /^go(\d+)\.(\d+)/.exec(version)
  const older =
    Number(have?.[1]) < Number(wanted?.[1]) ||
    (have?.[1] === wanted?.[1] && Number(have?.[2]) < Number(wanted?.[2]))
  return older ? `Go is ${version}, and ${wanted?.[1]}.${wanted?.[2]} or newer is needed` : null
}

/** The programs of a minor (default: the current one): from the cache, or built now with lines of progress. */
export async function binaries(say: (line: string) => void, minor?: string): Promise<Binaries> {
  const why = await cannotBuild()
  if (why) throw new UserError('unavailable', `${why}: the real control plane is built from Go modules.`)
  const current = await built(modules, say)
  const module = moduleOf(minor)
  const older = module === modules ? current : await built(module, say)
  return {
    folder: older.folder,
    // kwok, etcd and kubectl come from the current module: an older one only has the control plane itself.
    path: program => {
      const own = join(older.folder, programs[program])
      return existsSync(own) ? own : join(current.folder, programs[program])
    },
    versions: {
      kubernetes: modVersion(module, 'k8s.io/kubernetes'),
      etcd: modVersion(modules, 'go.etcd.io/etcd/server/v3'),
      kwok: modVersion(modules, 'sigs.k8s.io/kwok'),
    },
    builtIn: current.seconds + (older === current ? 0 : older.seconds),
  }
}

async function built(
  module: string,
  say: (line: string) => void,
): Promise<{ folder: string; seconds: number }> {
  const kubernetes = modVersion(module, 'k8s.io/kubernetes')
  const sums = readFileSync(join(module, 'go.sum'))
  const key = createHash('sha256')
    .update(goMod(module))
    .update(sums)
    .update(await goVersion())
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'gkube-test-cluster')
  const folder = join(cache, key.digest('hex').slice(0, 16))
  if (existsSync(folder)) return { folder, seconds: 0 }

  const started = performance.now()
  const seconds = () => Math.round((performance.now() - started) / 1000)
  say(`building Kubernetes ${kubernetes} and what it needs, once: minutes on a cold machine`)
  // Built beside the final place and renamed: half a build is never taken for a whole one.
  const part = `${folder}.${randomUUID().slice(0, 8)}`
  mkdirSync(part, { recursive: true })
  try {
    const total = await packages(module)
    let count = 0
    let told = performance.now()
    await go(module, ['build', '-v', '-trimpath', ldflags(kubernetes), '-o', `${part}/`, 'tool'], () => {
      count++
      if (performance.now() - told < 15_000) return
      told = performance.now()
      say(`  ${count} of at most ${total} packages, ${seconds()} s`)
    })
    writeFileSync(join(part, 'built.json'), `${JSON.stringify({ kubernetes, seconds: seconds() })}\n`)
    // Another run may have been quicker: its build is as good.
    if (!existsSync(folder)) renameSync(part, folder)
  } finally {
    rmSync(part, { recursive: true, force: true })
  }
  say(`built in ${seconds()} s into ${folder}`)
  return { folder, seconds: seconds() }
}

/** A stamp of the version, which the programs tell and compare. */
function ldflags(kubernetes: string): string {
  const [major, minor] = kubernetes.slice(1).split('.')
  const version = 'k8s.io/component-base/version'
  const values = { gitVersion: kubernetes, gitMajor: major, gitMinor: minor }
  const flags = Object.entries(values).map(([name, value]) => `-X ${version}.${name}=${value}`)
  return `-ldflags=-s -w ${flags.join(' ')}`
}

/** Before 1.36 the policy that `:huge` images need (stages.ts) was not on by default. */
export const isOlder = (built: Binaries): boolean => Number(built.versions.kubernetes.split('.')[1]) < 36

/** The kubelet of the current minor, beside the other programs: built when it is first asked for, in half a minute. */
export async function kubelet({ folder, versions }: Binaries, say: (line: string) => void): Promise<string> {
  const path = join(folder, 'kubelet')
  if (existsSync(path)) return path
  say(`building the kubelet ${versions.kubernetes}, once`)
  const part = `${path}.${randomUUID().slice(0, 8)}`
  try {
    const target = 'k8s.io/kubernetes/cmd/kubelet'
    const flags = ['-trimpath', ldflags(versions.kubernetes), '-o', part]
    await go(modules, ['build', ...flags, target], () => undefined)
    renameSync(part, path)
  } finally {
    rmSync(part, { force: true })
  }
  return path
}

async function packages(module: string): Promise<number> {
  let count = 0
  await go(module, ['list', '-deps', 'tool'], () => count++)
  return count
}

/** Runs go in the module; each line of what it prints is handed on, the last ones are in the error. */
async function go(module: string, args: readonly string[], line: (text: string) => void): Promise<void> {
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -buildvcs=false' }
  const child = spawn('go', args, { cwd: module, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const last: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', text => {
      last.push(text)
      if (last.length > 20) last.shift()
      line(text)
    })
  }
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(`go ${args[0]} failed (${code}) in ${module}:\n${last.join('\n')}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const why = await cannotBuild()
  if (why) {
    process.stdout.write(`${why}\n`)
    process.exitCode = 1
  } else if (!process.argv.includes('--check')) {
    const say = (line: string) => void process.stdout.write(`${line}\n`)
    const { folder, versions } = await binaries(say, process.env.GKUBE_TEST_KUBERNETES)
    say(`Kubernetes ${versions.kubernetes}, etcd ${versions.etcd}, kwok ${versions.kwok}: ${folder}`)
  }
}
