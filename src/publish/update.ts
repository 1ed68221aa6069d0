// `gkube publish update`: the default code update script in gkube's own image, for apps that bring no script and whose
// image need not be asked (a static site). What it does is in update.sh.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { UserError } from '../errors.ts'
import { updateScript } from './fetch.ts'
import type { Env, Settings } from './settings.ts'

/** Runs it in the release; its output is this process's. UserError where it fails. */
export async function updateRelease(
  { making, shared }: Settings,
  { env, print, signal }: { env: Env; print: (line: string) => void; signal: AbortSignal },
): Promise<string> {
  const child = spawn('sh', ['-eu', updateScript], {
    cwd: making,
    env: { ...env, GKUBE_RELEASE: making, GKUBE_SHARED: shared, GKUBE_PREVIOUS: env.GKUBE_PREVIOUS ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    killSignal: 'SIGTERM',
  })
  const lines = Promise.all([child.stdout, child.stderr].map(stream => forward(stream, print)))
  // Before the wait: a release that is not there shows as an error of the start.
  const ended = once(child, 'close').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT')
      throw new UserError('conflict', `There is no release in ${making}: \`gkube publish fetch\` makes it.`)
    throw error
  })
  const [code, killed] = (await ended) as [number | null, NodeJS.Signals | null] // of ChildProcess 'close'
  await lines
  if (code === 0) return 'the code update is done'
  throw new UserError(
    'bad_input',
    `The code update script ended with ${code === null ? killed : `exit code ${code}`}. What serves was not touched.`,
  )
}

async function forward(stream: NodeJS.ReadableStream, print: (line: string) => void): Promise<void> {
  const { createInterface } = await import('node:readline')
  for await (const line of createInterface({ input: stream })) print(line)
}
