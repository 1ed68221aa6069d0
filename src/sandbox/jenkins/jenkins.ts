// The stand-in Jenkins: remote API, queue, builds that run, hooks of the notification plugin, on one port of 127.0.0.1.
// For laptops and tests only; README.md says what it cannot do. This file wires the parts.
import { randomBytes } from 'node:crypto'
import { accessOf } from './access.ts'
import { beansOf } from './beans.ts'
import type { Control, JenkinsOptions, SandboxJenkins } from './control.ts'
import { faultBox } from './faults.ts'
import { hooksOf } from './hooks.ts'
import { listen } from './http.ts'
import { keep, restore } from './kept.ts'
import { valuesOf } from './parameters.ts'
import { type Queue, queueOf } from './queue.ts'
import { runningOf } from './running.ts'
import { jobs } from './seed.ts'
import { stateOf } from './state.ts'
import { timersOf } from './timers.ts'

/** Requests and builds that are remembered for tests. */
const mostSeen = 5000

/** Starts one; without `file` it begins with build 1 of each job. */
export async function startJenkins(options: JenkinsOptions = {}): Promise<SandboxJenkins> {
  const state = stateOf(options.seed ?? jobs)
  const { file, taken, log } = options
  if (file !== undefined) restore(file, state, log)
  state.nextQueueId = Math.max(state.nextQueueId, (taken?.queueId ?? 0) + 1)
  for (const [path, number] of Object.entries(taken?.builds ?? {})) {
    const job = state.jobs.get(path)
    if (job) job.next = Math.max(job.next, number + 1)
  }
  const timers = timersOf(options.speed ?? 1)
  const faults = faultBox()
  const user = options.user ?? 'gkube'
  const token = options.token ?? `11${randomBytes(16).toString('hex')}`
  const password = options.password ?? randomBytes(12).toString('base64url')
  let root = '' // known once it listens
  let hook = options.hook ? { retries: 0, ...options.hook } : null
  let environment = options.environment ?? {}
  const requests: string[] = []

  const hooks = hooksOf({ state, root: () => root, target: () => hook })
  let queue: Queue | undefined
  const running = runningOf({
    state,
    timers,
    hooks,
    root: () => root,
    environment: () => environment,
    killAfter: options.killAfter ?? 5000,
    changed() {
      if (file !== undefined) keep(file, state, log)
      queue?.advance()
    },
  })
  queue = queueOf({
    state,
    timers,
    executors: options.executors ?? 2,
    timing: { quiet: 5000, pending: 50, expiry: 300_000, ...options.timing },
    busy: running.busy,
    start: running.start,
  })
  const beans = beansOf(state, () => root)
  const server = await listen(
    {
      state,
      queue,
      running,
      beans,
      root: () => root,
      locationBase: () => options.locationBase ?? root,
      stageView: options.stageView ?? true,
      access: accessOf({ user, token, password }),
      faults,
      seen(request) {
        requests.push(request)
        if (requests.length > mostSeen) requests.shift()
      },
      fail: (error, path) => log?.warn({ err: error, path }, 'the stand-in Jenkins failed'),
    },
    options.port ?? 0,
  )
  root = `http://127.0.0.1:${server.port}/`

  const scheduled = queue
  const found = (job: string, number: number) =>
    state.jobs.get(job)?.builds.find(build => build.number === number)
  const control: Control = {
    start(job, parameters = {}, cause = 'ana') {
      const given = (name: string) => (parameters[name] === undefined ? [] : [parameters[name]])
      const asked = {
        parameters: valuesOf(state.jobs.get(job)?.seed.parameters ?? [], given),
        cause: typeof cause === 'string' ? { kind: 'user' as const, user: cause } : cause,
      }
      const done = scheduled.schedule(job, asked)
      return done && { queueId: done.item.id }
    },
    addJob: state.addJob,
    removeJob: path => void state.jobs.delete(path),
    builds: job => state.jobs.get(job)?.builds ?? [],
    build: found,
    queue: () => [...state.queue.values()],
    answer({ job, number, id }, decision, by) {
      const build = found(job, number)
      if (!build || !running.settle(build, { id, decision, by }))
        throw new Error(`${job} #${number} has no input ${id}`)
    },
    async ended(job, number) {
      const build = found(job, number)
      if (!build) throw new Error(`${job} #${number} has not begun`)
      await running.over(build)
      return build.result ?? 'ABORTED'
    },
    fault: faults.add,
    hooks: hooks.set,
    clear() {
      faults.clear()
      hooks.set({})
    },
    sent: hooks.sent,
    requests: () => requests,
    setEnvironment(variables) {
      environment = variables
    },
  }
  return {
    url: root,
    port: server.port,
    user,
    token,
    password,
    connect(url) {
      hook = url === null ? null : { retries: 0, ...options.hook, url }
    },
    control,
    async stop() {
      hook = null
      timers.stop()
      faults.clear()
      await running.stopAll()
      await server.close()
    },
  }
}
