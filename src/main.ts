// The `gkube` command: argv → surfaces/cli. What runs on this machine (serve, sandbox, config, rbac) is imported only
// when it is asked for: a command for a server must not pay for loading one.
import type { Io, Local } from './surfaces/cli/cli.ts'
import { runProcess } from './surfaces/cli/run-process.ts'
import { version } from './version.ts'

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
  publish: async (verb, io) => (await import('./publish/publish.ts')).publish(verb, io),
  rbac: async ({ environment: name, config: file, apps, serviceAccount, staticVolumes }, io) => {
    // An operator's laptop has no passwords of the server, and rights need none.
    const { environments, clusters, publish } = await loadedConfig(file, io, 'ignore')
    const { UserError } = await import('./errors.ts')
    const { rbacFor, rbacText } = await import('./core/rbac.ts')
    const environment = environments[name]
    if (!environment) {
      const { unknownName } = await import('./core/suggest.ts')
      throw new UserError('not_found', unknownName('environment', name, Object.keys(environments)))
    }
    const clusterWideWatch = clusters[environment.cluster]?.watch === 'cluster-wide'
    const uploads = publish.image !== null && publish.url !== null
    const rights = { apps, serviceAccount, staticVolumes, clusterWideWatch, uploads }
    io.stdout.write(rbacText(rbacFor(environment, rights)))
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

await runProcess({ local, version })
