// The `gkube` command: argv → surfaces/cli. Signals become one AbortSignal; what runs on this machine (serve, sandbox,
// config, rbac) is imported only when it is asked for: a command for a server must not pay for loading one.
import type { Io, Local } from './surfaces/cli/cli.ts'
import { runCli } from './surfaces/cli/run-cli.ts'

const local: Local = {
  serve: async (options, { env }) => (await import('./serve.ts')).serve({ ...options, env }),
  sandbox: async (options, { env, stdout }) =>
    (await import('./sandbox/main.ts')).sandbox({
      ...options,
      env,
      print: line => void stdout.write(`${line}\n`),
    }),
  configCheck: async (options, io) => {
    const config = await loadedConfig(options.config, io)
    const { maskedConfig } = await import('./config.ts')
    const { stringify } = await import('yaml')
    const shown = maskedConfig(config)
    io.stdout.write(options.json ? `${JSON.stringify(shown)}\n` : stringify(shown))
    return 0
  },
  configSchema: async io => printJson(io, (await import('./config/json-schema.ts')).configJsonSchema()),
  appSchema: async io => printJson(io, (await import('./config/json-schema.ts')).appJsonSchema()),
  rbac: async ({ environment: name, config: file, apps, serviceAccount, staticVolumes }, io) => {
    // An operator's laptop has no passwords of the server, and rights need none.
    const { environments, clusters } = await loadedConfig(file, io, 'ignore')
    const { UserError } = await import('./errors.ts')
    const { rbacFor, rbacText } = await import('./core/rbac.ts')
    const environment = environments[name]
    if (!environment) {
      const { unknownName } = await import('./core/suggest.ts')
      throw new UserError('not_found', unknownName('environment', name, Object.keys(environments)))
    }
    const clusterWideWatch = clusters[environment.cluster]?.watch === 'cluster-wide'
    io.stdout.write(rbacText(rbacFor(environment, { apps, serviceAccount, staticVolumes, clusterWideWatch })))
    return 0
  },
}

async function loadedConfig(file: string | undefined, { env }: Io, secrets: 'read' | 'ignore' = 'read') {
  const [{ loadConfig }, { readFileSync }] = await Promise.all([import('./config.ts'), import('node:fs')])
  return loadConfig({ file, env, secrets, read: path => readFileSync(path, 'utf8') })
}

function printJson(io: Io, value: unknown): number {
  io.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
  return 0
}

const stop = new AbortController()
for (const name of ['SIGTERM', 'SIGINT'] as const)
  process.on(name, () => {
    // The second one means it. A server counts its signals itself.
    if (stop.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143)
    stop.abort(name)
  })
process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  // Opened only by the commands that read it.
  get stdin() {
    return process.stdin
  },
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stop.signal,
  local,
})
