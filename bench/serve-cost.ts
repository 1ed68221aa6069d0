// What `gkube serve` costs above its packages: start to ready, and memory when idle. The baseline imports the same
// entry points of the same packages and does nothing: the list is recorded from a real server, so it is never stale.
import { spawnSync } from 'node:child_process'
import { cpSync, symlinkSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../src/sandbox/free-port.ts'
import type { Figure } from './figures.ts'
import { monotonic } from './monotonic.ts'
import {
  collecting,
  firstOutput,
  gkube,
  modulesOf,
  type Running,
  residentMb,
  startNode,
} from './processes.ts'
import type { Rig } from './rig.ts'

const idleMs = 5_000

export async function serveCost(rig: Rig, rounds: number): Promise<Figure[]> {
  const port = await freePort()
  const options = ['serve', '--config', rig.configFile('/bench/serve/', port)]
  const serve = [gkube, ...options]
  const built = [buildPackage(rig.folder), ...options]
  const modules = await modulesOf(serve, { folder: rig.folder, sign: () => ready(port, monotonic()) })
  const entries = modules.filter(module => module.entry).map(module => module.url)
  const bare = join(rig.folder, 'bare.mjs')
  writeFileSync(bare, bareProgram(entries))
  const figures: Figure[] = []
  const ways = [
    { words: 'sources, compile cache warm', args: serve, env: {} },
    { words: 'sources, no compile cache', args: serve, env: noCache },
    { words: 'built, no compile cache', args: built, env: noCache },
  ]
  for (const { words, args, env } of ways) {
    const times = { gkube: [] as number[], bare: [] as number[] }
    // The first of each fills the cache.
    for (let i = 0; i <= rounds; i++) {
      const own = await started(args, env, running => ready(port, running.started))
      const theirs = await started([bare], env, firstOutput)
      if (i === 0) continue
      times.gkube.push(own)
      times.bare.push(theirs)
    }
    figures.push({
      what: `start to ready, ${words}`,
      unit: 'ms',
      values: times.gkube,
      baseline: { what: `bare import of ${entries.length} entry points`, values: times.bare },
      aim: { kind: 'above', limit: 200 },
    })
  }
  const few = Math.min(rounds, 3)
  for (const { words, args, env } of ways)
    figures.push(await idleMemory(words, { args, bare, env, port, rounds: few }))
  return figures
}

/** Node keeps compiled code on disk where it can write; a container with a read-only root starts without. */
const noCache = { NODE_DISABLE_COMPILE_CACHE: '1' }

/** What `npm run build` makes, laid out as the npm package is; the path of its command. */
function buildPackage(folder: string): string {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const target = join(folder, 'package')
  const tsc = join(root, 'node_modules/.bin/tsc')
  const { status, stdout } = spawnSync(
    tsc,
    ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(target, 'dist')],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(`the sources could not be built:\n${stdout}`)
  for (const name of ['bin', 'package.json'])
    cpSync(join(root, name), join(target, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(target, 'node_modules'))
  return join(target, 'bin/gkube.js')
}

const bareProgram = (entries: readonly string[]): string =>
  [
    `import { enableCompileCache } from 'node:module'`,
    'enableCompileCache()',
    ...entries.map(url => `await import(${JSON.stringify(url)})`),
    `process.stdout.write('ready')`,
    'setInterval(() => undefined, 60_000)',
  ].join('\n')

async function started(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  sign: (running: Running) => Promise<number>,
): Promise<number> {
  const running = startNode(args, env)
  try {
    return await sign(running)
  } finally {
    await running.stop()
  }
}

async function idleMemory(
  words: string,
  of: { args: readonly string[]; bare: string; env: NodeJS.ProcessEnv; port: number; rounds: number },
): Promise<Figure> {
  const memory = { gkube: [] as number[], bare: [] as number[] }
  // The first one fills the compile cache of these flags.
  for (let i = 0; i <= of.rounds; i++) {
    const own = startNode([...collecting, ...of.args], of.env)
    const bare = startNode([...collecting, of.bare], of.env)
    try {
      await Promise.all([ready(of.port, own.started), firstOutput(bare)])
      if (i === 0) continue
      await sleep(idleMs)
      for (const { child } of [own, bare]) child.kill('SIGUSR2')
      await sleep(500)
      memory.gkube.push(residentMb(own.child.pid ?? 0))
      memory.bare.push(residentMb(bare.child.pid ?? 0))
    } finally {
      await Promise.all([own.stop(), bare.stop()])
    }
  }
  return {
    what: `memory after ${idleMs / 1000} s idle, ${words}`,
    unit: 'MB',
    values: memory.gkube,
    baseline: { what: 'bare import of the same', values: memory.bare },
    aim: { kind: 'above', limit: 30 },
  }
}

/** Milliseconds from `since` until /readyz answers 200; asked again and again, as a probe would, but sooner. */
async function ready(port: number, since: number): Promise<number> {
  for (const end = since + 20_000; monotonic() < end; await sleep(2)) {
    if ((await statusOf(port)) === 200) return monotonic() - since
  }
  throw new Error('gkube serve was not ready in 20 s')
}

const statusOf = (port: number): Promise<number> =>
  new Promise(resolve => {
    const asking = get({ host: '127.0.0.1', port, path: '/readyz', agent: false }, response => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    asking.on('error', () => resolve(0))
  })
