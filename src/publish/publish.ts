// The program of the publish Job: `gkube publish fetch`, then the code update (the app's own, or `update`), then `finish`.
// It knows nothing but its GKUBE_* variables and the volume; docs/publish.md describes both.
import { fetchRelease } from './fetch.ts'
import { finishRelease } from './finish.ts'
import { type Env, fetchSettings, finishSettings, settingsOf } from './settings.ts'
import { updateRelease } from './update.ts'

export type PublishVerb = 'fetch' | 'update' | 'finish'

type Io = {
  readonly env: Env
  readonly stdout: { write(text: string): unknown }
  readonly signal: AbortSignal
  readonly now?: () => number
}

/** Runs one part; its last line is `gkube: …`. UserError says what is in the way. */
export async function publish(
  verb: PublishVerb,
  { env, stdout, signal, now = Date.now }: Io,
): Promise<number> {
  const print = (line: string) => void stdout.write(`${line}\n`)
  // Whoever serves the files is another user; the volume's own rights keep others out.
  process.umask(0o022)
  try {
    print(`gkube: ${await run()}`)
    return 0
  } catch (error) {
    if (signal.aborted) print('gkube: stopped before it was done; it can run again')
    throw error
  }

  function run(): Promise<string> {
    if (verb === 'fetch') return fetchRelease(fetchSettings(env), { print, signal })
    if (verb === 'update') return updateRelease(settingsOf(env), { env, print, signal })
    return finishRelease(finishSettings(env), { print, now, signal })
  }
}
