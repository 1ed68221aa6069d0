// `gkube serve`: configuration → one replica, until a signal says stop. The second signal does not wait.
import { readFileSync } from 'node:fs'
import { loadConfig } from './config.ts'
import { createLog } from './log.ts'
import { type Server, startServer } from './server.ts'

/** Runs until SIGTERM or SIGINT; the exit code. Throws UserError for a bad configuration. */
export async function serve(options: { config?: string; env: NodeJS.ProcessEnv }): Promise<number> {
  const read = (path: string) => readFileSync(path, 'utf8')
  const config = loadConfig({ file: options.config, env: options.env, read })
  const log = createLog(config.log)
  const { GKUBE_FAIL_POINTS: folder } = options.env
  const failPoints = folder ? (await import('./fail-points.ts')).failPoints(folder) : undefined
  if (failPoints) log.warn({ folder }, 'this process dies where a test says so: GKUBE_FAIL_POINTS is set')
  const server = await startServer({ config, log, failPoints })
  log.info({ url: server.url, environments: Object.keys(config.environments) }, 'gkube listens')
  await untilStopped(server, signal => log.info({ signal }, 'shutting down: running deploys are handed over'))
  return 0
}

/** Waits for a signal, then closes the server; a second signal ends the process at once. */
export async function untilStopped(
  server: Pick<Server, 'close'>,
  told: (signal: string) => void,
): Promise<void> {
  told(await stopSignal())
  await server.close()
}

/** The first SIGTERM or SIGINT from now on; the one after it ends the process without waiting. */
export async function stopSignal(): Promise<NodeJS.Signals> {
  const names = ['SIGTERM', 'SIGINT'] as const
  const signal = await new Promise<NodeJS.Signals>(resolve => {
    for (const name of names) process.once(name, resolve)
  })
  for (const name of names) process.once(name, () => process.exit(130))
  return signal
}
