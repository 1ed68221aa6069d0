// Jenkins by its remote API: core/builds/jenkins.ts's port, put together. Each call has a time-out of its own and none
// is repeated; transport.ts sends, answers.ts says what an answer means.
import type { Jenkins } from '../../core/builds/jenkins.ts'
import { jenkinsBuilds } from './builds.ts'
import { jenkinsChecks } from './checks.ts'
import { jenkinsConsole } from './console.ts'
import { jenkinsInputs } from './inputs.ts'
import { jenkinsJobs } from './jobs.ts'
import { jenkinsQueue } from './queue.ts'
import { jenkinsReports } from './reports.ts'
import { jenkinsTransport, type Log, type Server, type Transport } from './transport.ts'

/** Milliseconds: of any call, and of one that a person waits for. */
type Timeouts = { readonly call: number; readonly person: number }

/** What the parts of this adapter share. */
export type Deps = {
  readonly transport: Transport
  /** `url` ends in a slash. */
  readonly server: Server
  readonly timeouts: Timeouts
  readonly log: Log
}

const usual: Timeouts = { call: 10_000, person: 3_000 }

/** Throws JenkinsError only. `token`: an API token of the user; a password works too, by way of a crumb. */
export function jenkinsAdapter(options: {
  readonly server: Server
  readonly log: Log
  readonly timeouts?: Partial<Timeouts>
}): Jenkins {
  const url = options.server.url.endsWith('/') ? options.server.url : `${options.server.url}/`
  const server = { ...options.server, url }
  const deps: Deps = {
    transport: jenkinsTransport(server, options.log),
    server,
    timeouts: { ...usual, ...options.timeouts },
    log: options.log,
  }
  return {
    ...jenkinsJobs(deps),
    ...jenkinsQueue(deps),
    ...jenkinsBuilds(deps),
    ...jenkinsReports(deps),
    ...jenkinsInputs(deps),
    ...jenkinsConsole(deps),
    checks: () => jenkinsChecks(deps),
  }
}
