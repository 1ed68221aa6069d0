// The notification plugin: QUEUED and STARTED when a build begins, COMPLETED, FINALIZED; sent inside the build with a
// time-out of 30 s. Any answer is a success to it; after one error it sends all its retries (the plugin's bug).
import { request } from 'node:http'
import type { HookFault, HookPhase, SentHook } from './control.ts'
import { type BuildRecord, displayOf, jobUrl, leafOf, remoteOf, type State } from './state.ts'

export type Hooks = ReturnType<typeof hooksOf>

type Deps = {
  readonly state: State
  readonly root: () => string
  readonly target: () => { readonly url: string; readonly retries: number } | null
}

const timeoutMs = 30_000

export function hooksOf({ state, root, target }: Deps) {
  const sent: SentHook[] = []
  let fault: HookFault = {}
  const held = new Map<BuildRecord, { phase: HookPhase; body: string }[]>()

  /** Tells of a phase; `say` writes to the build's log. Never throws: a hook does not fail a build. */
  async function tell(build: BuildRecord, phase: HookPhase, say: (line: string) => void): Promise<void> {
    if (!target() || state.jobs.get(build.job)?.seed.silent) return
    const { lose = [] } = fault
    if (lose === true || (lose !== false && lose.includes(phase))) return
    const one = { phase, body: bodyOf(state, build, phase, root()) }
    if (fault.reversed || held.has(build)) {
      held.set(build, [one, ...(held.get(build) ?? [])])
      if (phase !== 'FINALIZED') return
      for (const late of held.get(build) ?? []) await deliver(build, late, say)
      held.delete(build)
    } else await deliver(build, one, say)
  }

  async function deliver(
    build: BuildRecord,
    { phase, body }: { phase: HookPhase; body: string },
    say: (line: string) => void,
  ): Promise<void> {
    const to = target()
    if (!to) return
    for (let left = fault.repeat ?? 0; left > 0; left--) await post(to.url, body).catch(() => null)
    let failed = false
    let left = to.retries
    do {
      say("Notifying endpoint with credentials id 'gkube'")
      const status = await post(to.url, body).catch((error: Error) => {
        failed = true
        say(`Failed to notify endpoint with credentials id 'gkube' - java.io.IOException: ${error.message}`)
        return null
      })
      sent.push({ phase, job: build.job, number: build.number, body, status })
    } while (failed && --left >= 0)
  }

  return {
    tell,
    sent: () => sent,
    set(next: HookFault) {
      fault = next
    },
  }
}

/** As java.net.HttpURLConnection sends it; follows a 307 once. */
async function post(url: string, body: string, follows = true): Promise<number> {
  const { username, password } = new URL(url)
  const user = decodeURIComponent(username)
  const answer = await new Promise<{ status: number; location: string | undefined }>((resolve, reject) => {
    const asking = request(url, {
      method: 'POST',
      timeout: timeoutMs,
      auth: undefined,
      headers: {
        'Content-Type': 'application/json;charset=UTF-8',
        'User-Agent': 'Java/17.0.12',
        Accept: 'text/html, image/gif, image/jpeg, */*; q=0.2',
        Connection: 'keep-alive',
        'Content-Length': Buffer.byteLength(body),
        ...(username
          ? {
              Authorization: `Basic ${Buffer.from(`${user}:${decodeURIComponent(password)}`).toString('base64')}`,
            }
          : {}),
      },
    })
    asking.once('error', reject)
    asking.once('timeout', () => asking.destroy(new Error('Read timed out')))
    asking.once('response', response => {
      response.resume()
      response.once('error', reject)
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, location: response.headers.location }),
      )
    })
    asking.end(body)
  })
  if (answer.status === 307 && answer.location && follows)
    return post(new URL(answer.location, url).href, body, false)
  return answer.status
}

/** As Gson writes it: snake case, nothing for null. */
function bodyOf(state: State, build: BuildRecord, phase: HookPhase, root: string): string {
  const url = jobUrl(build.job)
  const isPipeline = state.jobs.get(build.job)?.seed.kind === 'pipeline'
  const open = build.parameters.filter(({ type }) => type !== 'password' && type !== 'file')
  const { tests } = build
  return JSON.stringify({
    name: leafOf(build.job),
    display_name: displayOf(build.job),
    url,
    build: {
      full_url: `${root}${url}${build.number}/`,
      number: build.number,
      queue_id: build.queueId,
      timestamp: build.startedAt,
      duration: build.durationMs,
      phase,
      status: build.result ?? undefined,
      url: `${url}${build.number}/`,
      scm: isPipeline
        ? { changes: [], culprits: [] }
        : {
            url: remoteOf(build.job),
            branch: `origin/${build.branch}`,
            commit: build.commit,
            changes: build.changes.flatMap(change => change.paths),
            culprits: [...new Set(build.changes.map(change => change.author))],
          },
      parameters:
        open.length > 0 ? Object.fromEntries(open.map(({ name, value }) => [name, value])) : undefined,
      log: '',
      artifacts: Object.fromEntries(
        build.artifacts.map(path => [path, { archive: `${root}${url}${build.number}/artifact/${path}` }]),
      ),
      test_summary: tests
        ? {
            total: tests.passed + tests.skipped + tests.failed.length,
            failed: tests.failed.length,
            passed: tests.passed,
            skipped: tests.skipped,
            failed_tests: tests.failed,
          }
        : undefined,
    },
  })
}
