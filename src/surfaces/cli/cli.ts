// What every command gets: the environment, the output, the server, the signal that ends it. Made by run-cli.ts.
import type { Client } from './client.ts'
import type { Build } from './jenkins.ts'
import type { Output, Stream } from './output.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** Streams and environment of the process, so that a test can stand in for them. */
export type Io = {
  readonly env: Env
  readonly cwd: string
  readonly stdin: NodeJS.ReadableStream & { isTTY?: boolean }
  readonly stdout: Stream
  readonly stderr: Stream
  /** Aborted with `SIGTERM` or `SIGINT` as its reason. */
  readonly signal: AbortSignal
}

/** Commands that run here and not on a server: main.ts has them, imported only when they are called. */
export type Local = {
  serve(options: { config?: string }, io: Io): Promise<number>
  sandbox(
    options: {
      port?: number
      slackPort?: number
      jenkinsPort?: number
      webPort?: number
      glusterfs?: 'auto' | 'real' | 'directory'
      data?: string
      etcd?: string
      kubeconfig?: string
      context?: string
      replicas?: number
      verbose?: boolean
    },
    io: Io,
  ): Promise<number>
  configCheck(options: { config?: string; json: boolean }, io: Io): Promise<number>
  configSchema(io: Io): Promise<number>
  appSchema(io: Io): Promise<number>
  publish(verb: 'fetch' | 'update' | 'finish', io: Io): Promise<number>
  rbac(
    options: {
      environment: string
      config?: string
      apps: readonly string[]
      serviceAccount: { readonly namespace: string; readonly name: string }
      staticVolumes: boolean
    },
    io: Io,
  ): Promise<number>
}

export type Cli = {
  readonly io: Io
  readonly out: Output
  readonly local: Local
  /** The server, as flags, environment or context name it; UserError where none is named. */
  client(): Client
  /** The Jenkins build this runs in. */
  readonly build: Build | null
  /** The environment that was named, by flag, variable or context; UserError where none was. */
  environment(named: string | undefined): string
  /** The same where the server may choose the only one. */
  environmentIfNamed(named: string | undefined): string | undefined
  now(): number
}

/** Exit codes that are not in errors.ts. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  held: 4,
  unavailable: 75,
  SIGINT: 130,
  SIGTERM: 143,
} as const
