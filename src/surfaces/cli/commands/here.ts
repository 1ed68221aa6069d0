// serve, sandbox, config, schemas, rbac: what runs on this machine. main.ts has the doing; here is only argv.
import { UserError } from '../../../errors.ts'
import type { Cli } from '../cli.ts'

type Args = readonly (string | undefined)[]
type Config = { config?: string }

export const serve = (cli: Cli, _args: Args, options: Config): Promise<number> =>
  cli.local.serve(options, cli.io)

export async function sandbox(
  cli: Cli,
  _args: Args,
  options: {
    port?: string
    slackPort?: string
    jenkinsPort?: string
    webPort?: string
    glusterfs?: 'auto' | 'real' | 'directory'
    data?: string
    etcd?: string
    kubeconfig?: string
    context?: string
    replicas?: string
    verbose?: boolean
  },
): Promise<number> {
  if (options.context && !options.kubeconfig)
    throw new UserError('bad_input', '--context is one of a kubeconfig: add --kubeconfig <path>.')
  return cli.local.sandbox(
    {
      ...options,
      port: portOf(options.port),
      slackPort: portOf(options.slackPort),
      jenkinsPort: portOf(options.jenkinsPort),
      webPort: portOf(options.webPort),
      replicas: countOf(options.replicas),
    },
    cli.io,
  )
}

function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new UserError('bad_input', `\`${text}\` is not a port (0 to 65535).`)
  return port
}

const mostReplicas = 9

function countOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= mostReplicas) return count
  throw new UserError('bad_input', `\`${text}\` is not a number of replicas (1 to ${mostReplicas}).`)
}

export const configCheck = (cli: Cli, _args: Args, options: Config): Promise<number> =>
  cli.local.configCheck({ ...options, json: cli.out.json }, cli.io)

export const configSchema = (cli: Cli): Promise<number> => cli.local.configSchema(cli.io)

export const appSchema = (cli: Cli): Promise<number> => cli.local.appSchema(cli.io)

/** Part of the publish Job: it reads variables only, no arguments. */
export const publish = (verb: 'fetch' | 'update' | 'finish') => (cli: Cli) => cli.local.publish(verb, cli.io)

export async function rbac(
  cli: Cli,
  [environment = '']: Args,
  options: Config & { app?: string[]; serviceAccount?: string; staticVolumes?: boolean },
): Promise<number> {
  const [namespace, name, ...more] = (options.serviceAccount ?? 'gkube/gkube').split('/')
  if (!namespace || !name || more.length > 0)
    throw new UserError('bad_input', '--service-account is a namespace and a name, such as gkube/gkube.')
  return cli.local.rbac(
    {
      environment,
      config: options.config,
      apps: options.app ?? [],
      serviceAccount: { namespace, name },
      staticVolumes: options.staticVolumes ?? false,
    },
    cli.io,
  )
}
