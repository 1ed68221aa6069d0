// This process as a command: argv, streams and signals become one call of run-cli.ts, and its code the exit code.
// main.ts and standalone.ts call it; tests call run-cli.ts with streams of their own.
import type { Local } from './cli.ts'
import { runCli } from './run-cli.ts'

export async function runProcess({ local, version }: { local: Local; version: string }): Promise<void> {
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
    version,
  })
}
