// What a command costs above a Node process that does nothing, and which packages it loads: none of the server's.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Figure } from './figures.ts'
import { gkube, modulesOf, timeToEnd } from './processes.ts'
import { type Rig, token } from './rig.ts'

/** Packages that only a server needs: loading one of them costs a command more than its own work. */
const serverPackages = [
  'etcd3',
  '@grpc/grpc-js',
  'hono',
  'pino',
  'zod',
  '@kubernetes/client-node',
  'cockatiel',
]

export async function cliCost(rig: Rig, rounds: number): Promise<Figure[]> {
  const empty = join(rig.folder, 'empty.mjs')
  writeFileSync(empty, '')
  const env = { GKUBE_URL: rig.server.url, GKUBE_TOKEN: token }
  const commands: Readonly<Record<string, readonly string[]>> = {
    'gkube --version': [gkube, '--version'],
    'gkube status': [gkube, 'status'],
  }
  const options = { env, cwd: rig.folder }
  const times = new Map<string, number[]>()
  const bare: number[] = []
  for (let i = 0; i <= rounds; i++) {
    const nothing = await timeToEnd([empty], options)
    if (i > 0) bare.push(nothing)
    for (const [name, args] of Object.entries(commands)) {
      const ms = await timeToEnd(args, options)
      // The first one fills the compile cache.
      if (i > 0) times.set(name, [...(times.get(name) ?? []), ms])
    }
  }
  const figures: Figure[] = []
  for (const [name, args] of Object.entries(commands)) {
    figures.push({
      what: name,
      unit: 'ms',
      values: times.get(name) ?? [],
      baseline: { what: 'node, empty module', values: bare },
      aim: { kind: 'above', limit: 100 },
    })
    const packages = await packagesOf(args, rig, env)
    const server = Object.keys(packages).filter(one => serverPackages.includes(one))
    figures.push({
      what: `server packages loaded by ${name}`,
      unit: 'modules',
      values: [server.length],
      baseline: null,
      aim: { kind: 'most', limit: 0 },
      detail: packages,
    })
  }
  return figures
}

/** Modules loaded, by package; gkube's own sources are `src`. */
async function packagesOf(
  args: readonly string[],
  rig: Rig,
  env: NodeJS.ProcessEnv,
): Promise<Record<string, number>> {
  const modules = await modulesOf(args, { folder: rig.folder, env })
  const counts: Record<string, number> = {}
  for (const { url } of modules) {
    if (!url.startsWith('file:')) continue
    const [, within] = url.match(/.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/) ?? []
    const name = within ?? 'gkube itself'
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}
