// `npm start`: everything on one machine, with nothing configured. A real etcd, a stand-in cluster that runs what Jobs do
// and serves what is deployed (or a real one by --kubeconfig), GlusterFS or a folder in its place, a stand-in Slack
// workspace with a page, a stand-in Jenkins, and one gkube, wired by an ordinary gkube.yaml (written-config.ts).
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { directoryStore } from '../adapters/artifacts/directory-store.ts'
import { etcdKv } from '../adapters/etcd/kv.ts'
import { loadConfig } from '../config.ts'
import { keysBelow } from '../core/keys.ts'
import { createLog, type Log } from '../log.ts'
import { stopSignal } from '../serve.ts'
import { type Server, startServer } from '../server.ts'
import { startEtcd } from './etcd.ts'
import { registerExamples, stepToken } from './first-apps.ts'
import { freePort } from './free-port.ts'
import { type Ground, openGround } from './ground.ts'
import type { JenkinsOptions, SandboxJenkins } from './jenkins/control.ts'
import { startJenkins } from './jenkins/jenkins.ts'
import { takenNumbers } from './jenkins/taken.ts'
import { onPort } from './on-port.ts'
import { startReplicas } from './replicas.ts'
import { sandboxSides } from './server-options.ts'
import type { SandboxSlack } from './slack/control.ts'
import { startSlack } from './slack/slack.ts'
import type { GlusterfsChoice } from './storage.ts'
import { secretFiles, writtenConfig } from './written-config.ts'

export type SandboxOptions = {
  /** Of the API; 0 takes a free one. */
  readonly port?: number
  /** Of the Slack workspace and its page; 0 takes a free one. */
  readonly slackPort?: number
  /** Of Jenkins; 0 takes a free one. */
  readonly jenkinsPort?: number
  /** Of the way into the cluster, for a browser and curl; 0 takes a free one. */
  readonly webPort?: number
  /** `auto` (default): a real one where it can run. Ignored with a real cluster. */
  readonly glusterfs?: GlusterfsChoice
  /** Where everything is kept; default `.gkube` in the working directory. */
  readonly data?: string
  /** A running etcd instead of one of our own. */
  readonly etcd?: string
  /** A real cluster instead of the stand-in. */
  readonly kubeconfig?: string
  readonly context?: string
  /** More than one: each in a process of its own, to be killed. */
  readonly replicas?: number
  readonly verbose?: boolean
  readonly env: NodeJS.ProcessEnv
  readonly print: (line: string) => void
}

type Part = { stop(): Promise<unknown> }

/** Runs until a signal; the exit code. Throws UserError where something is missing. */
export async function sandbox(options: SandboxOptions): Promise<number> {
  const data = resolve(options.data ?? '.gkube')
  mkdirSync(data, { recursive: true, mode: 0o700 })
  const log = createLog({ level: options.verbose ? 'info' : 'warn', format: 'auto' })
  const started: Part[] = []
  const stop = stopSignal()
  try {
    const endpoint =
      options.etcd ?? (await keep(started, startEtcd({ dataDir: join(data, 'etcd'), log }))).endpoint
    if (options.etcd) await checkEtcd(options.etcd)
    const ground = await keep(started, openGround(options, { data, endpoint, write: writePrivate }))
    const { kubeconfig, storage } = ground
    const slack = await keep(started, openWorkspace(options.slackPort ?? 8485, join(data, 'slack.json'), log))
    const jenkins = await keep(
      started,
      openJenkins({
        port: options.jenkinsPort ?? 8486,
        token: secretIn(join(data, secretFiles.jenkinsToken)),
        file: join(data, 'jenkins.json'),
        taken: await takenIn(endpoint),
        log,
      }),
    )
    const hookSecret = secretIn(join(data, secretFiles.hookSecret))
    const token = secretIn(join(data, secretFiles.token))
    writePrivate(join(data, secretFiles.botToken), slack.botToken)
    writePrivate(join(data, secretFiles.signingSecret), slack.signingSecret)
    const file = join(data, 'gkube.yaml')
    // Jobs are told gkube's address before it listens.
    const port = options.port === 0 ? await freePort() : (options.port ?? 8484)
    writePrivate(
      file,
      writtenConfig({
        etcd: endpoint,
        kubeconfig,
        context: options.context,
        port,
        slack: slack.api,
        jenkins: { url: jenkins.url, user: jenkins.user },
        storage,
      }),
    )
    const config = loadConfig({ file, env: {}, read: path => readFileSync(path, 'utf8') })
    const server = await startServer({ config, log, ...sandboxSides(data) })
    started.push({ stop: server.close })
    slack.connect(`${server.url}/slack/events`)
    await server.ready
    const { directory, maxBytes, keepSeconds } = config.artifacts
    const store = directory && directoryStore({ directory, maxBytes, keepMs: keepSeconds * 1000 })
    await registerExamples(server.core, { data, store: store || null })
    jenkins.connect(`${server.url}/hooks/jenkins/${hookSecret}`)
    jenkins.control.setEnvironment({
      GKUBE_URL: server.url,
      GKUBE_TOKEN: await stepToken(server.core, secretFile(data, secretFiles.stepToken)),
    })
    // Found by the command line in this folder and below, wherever the data is.
    mkdirSync('.gkube', { recursive: true, mode: 0o700 })
    writePrivate(
      join('.gkube', 'context.json'),
      JSON.stringify({ url: server.url, token, environment: 'staging' }, null, 2),
    )
    const pids = await inProcesses(options, started, { server, config: file, data, port })
    for (const line of greeting({
      page: slack.url,
      jenkins: jenkins.url,
      url: server.url,
      endpoint,
      kubeconfig,
      data,
      ground,
      pids,
    }))
      options.print(line)
    await stop
    options.print('stopping …')
    return 0
  } finally {
    for (const part of started.reverse()) await part.stop()
  }
}

/** The one in this process has made what all need; others take its place, where more than one is wanted. */
async function inProcesses(
  { replicas: count = 1, print }: SandboxOptions,
  started: Part[],
  { server, ...at }: { server: Pick<Server, 'close'>; config: string; data: string; port: number },
): Promise<readonly number[]> {
  if (count === 1) return []
  await server.close()
  return (await keep(started, startReplicas({ ...at, count, told: print }))).pids
}

/** What an etcd that is older than the data knows of builds: their numbers are never given again. */
async function takenIn(endpoint: string): Promise<JenkinsOptions['taken']> {
  const kv = etcdKv({ endpoints: [endpoint] })
  try {
    return await takenNumbers(kv, keysBelow())
  } finally {
    await kv.close()
  }
}

/** An etcd that was named may be wrong: say so in words instead of waiting for it. */
async function checkEtcd(endpoint: string): Promise<void> {
  const kv = etcdKv({ endpoints: [endpoint] })
  try {
    await kv.ping()
  } finally {
    await kv.close()
  }
}

const openWorkspace = (port: number, file: string, log: Log): Promise<SandboxSlack> =>
  onPort(port, '--slack-port', startSlack({ port, file, log }))

/** Locations of its queue name a host that is not there, as behind many a proxy: nothing may depend on them. */
const openJenkins = (options: JenkinsOptions & { port: number }): Promise<SandboxJenkins> =>
  onPort(
    options.port,
    '--jenkins-port',
    startJenkins({ ...options, locationBase: 'http://jenkins.internal:8080/' }),
  )

async function keep<T extends Part>(started: Part[], starting: Promise<T>): Promise<T> {
  const part = await starting
  started.push(part)
  return part
}

/** A file that holds a secret, kept from others. */
const secretFile = (data: string, name: string) => ({
  read: () => (existsSync(join(data, name)) ? readFileSync(join(data, name), 'utf8').trim() : null),
  write: (secret: string) => writePrivate(join(data, name), secret),
})

/** A token of this sandbox, made at its first start: no default password anywhere. */
function secretIn(file: string): string {
  if (!existsSync(file)) writePrivate(file, randomBytes(32).toString('base64url'))
  return readFileSync(file, 'utf8').trim()
}

function writePrivate(file: string, content: string): void {
  writeFileSync(file, content, { mode: 0o600 })
  chmodSync(file, 0o600)
}

function greeting(at: {
  page: string
  jenkins: string
  url: string
  endpoint: string
  kubeconfig: string
  data: string
  ground: Ground
  pids: readonly number[]
}): string[] {
  const { web, real, words } = at.ground
  return [
    `gkube sandbox ready: open ${at.page}`,
    '  A Slack workspace: act as ana and type /gkube deploy web 1.0.0 to production, then approve it as ben.',
    '  Or build it first: /gkube build shop/web, and answer its question. A build that passes is deployed to staging.',
    `  jenkins  ${at.jenkins}`,
    `  api      ${at.url}`,
    `  etcd     ${at.endpoint}`,
    `  cluster  ${real ? 'real' : 'stand-in'}: kubectl --kubeconfig ${at.kubeconfig} get pods -A`,
    `  volumes  ${words}`,
    ...(web === null ? [] : [`  web      http://<app>.<namespace>.localhost:${web}`]),
    `  data     ${at.data}`,
    ...(at.pids.length === 0
      ? []
      : [
          `  replicas ${at.pids.join(', ')}: kill -9 one of them while a deploy runs, and look at its message`,
        ]),
    'The same on the command line, in another terminal:',
    '  npx gkube deploy web 1.0.0 --environment staging',
    '  npx gkube status',
    ...(web === null
      ? []
      : [
          'Code too, on a volume: published by a Job, then served by pods. Its revisions are 1, 2, 3 and bad.',
          '  npx gkube deploy site 1 --environment staging',
          `  curl http://site.staging.localhost:${web}/`,
        ]),
    'Ctrl-C stops all of it.',
  ]
}
