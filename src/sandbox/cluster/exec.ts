// exec in a container, over the channel protocol of Kubernetes on a WebSocket. Nothing is executed: a few builtins answer
// (echo, env, printenv, cat of a mounted file, hostname, true, false, exit; kill and `nginx -s` do nothing), also in
// `sh -c`. Not even where Jobs run for real: there is no process of the pod's own, and a kill would hit another.
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { dataOf, environment } from './environment.ts'
import { isAllowed } from './http.ts'
import type { Json, KubeObject } from './object.ts'
import type { Registry } from './registry.ts'
import { target } from './requests.ts'
import { routeOf } from './route.ts'
import type { Runs } from './runs/runs.ts'
import { failureStatus, StatusError } from './status-error.ts'
import type { Store } from './store.ts'

type Look = Pick<Store, 'get'>
/** What a file on a volume holds, where volumes are real; undefined: it is on none, or not there. */
type Volumes = (pod: KubeObject, container: Json, path: string) => Promise<string | undefined>
type Result = { readonly out: string; readonly err: string; readonly code: number }

const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io']

/** Answers upgrade requests for pods/exec. */
export function execServer(deps: {
  store: Store
  registry: Registry
  token?: string
  runs?: Pick<Runs, 'pathOf'>
}) {
  const volumes: Volumes = async (pod, container, path) => {
    const real = await deps.runs?.pathOf(pod, container, path)
    // Not there, or a folder: cat says so.
    return real === undefined ? undefined : readFile(real, 'utf8').catch(() => undefined)
  }

  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: offered => protocols.find(one => offered.has(one)) ?? false,
  })

  function refuse(socket: Duplex, error: unknown) {
    const status =
      error instanceof StatusError ? error : new StatusError(500, 'InternalError', (error as Error).message)
    const text = JSON.stringify(failureStatus(status))
    const head = [
      `HTTP/1.1 ${status.code} ${status.reason}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(text)}`,
      'connection: close',
    ]
    socket.end(`${head.join('\r\n')}\r\n\r\n${text}`)
  }

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Who asked may go while a file is read.
    socket.on('error', () => socket.destroy())
    try {
      if (!isAllowed(deps.token, request.headers)) throw new StatusError(401, 'Unauthorized', 'Unauthorized')
      const url = new URL(request.url ?? '/', 'http://cluster')
      const route = routeOf('GET', url.pathname, url.searchParams)
      if (route?.subresource !== 'exec')
        throw new StatusError(404, 'NotFound', 'the server could not find the requested resource')
      const pod = deps.registry.get(target(route))
      const container = running(pod, url.searchParams.get('container'))
      const command = url.searchParams.getAll('command')
      const result = await execute(deps.store, { pod, container, command, volumes })
      sockets.handleUpgrade(request, socket, head, webSocket => {
        const send = (channel: number, text: string) =>
          webSocket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]))
        if (result.out) send(1, result.out)
        if (result.err) send(2, result.err)
        send(3, JSON.stringify(outcome(result.code)))
        webSocket.close(1000)
      })
    } catch (error) {
      refuse(socket, error)
    }
  }

  return {
    upgrade: (...args: Parameters<typeof upgrade>) => void upgrade(...args),
    close: () => sockets.close(),
  }
}

function running(pod: KubeObject, wanted: string | null): Json {
  const name =
    wanted ??
    pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'] ??
    pod.spec.containers[0].name
  const status = [
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.initContainerStatuses ?? []),
  ].find(one => one.name === name)
  const container = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find(
    one => one.name === name,
  )
  if (!container)
    throw new StatusError(400, 'BadRequest', `container ${name} is not valid for pod ${pod.metadata.name}`)
  if (!status?.state?.running)
    throw new StatusError(
      500,
      'InternalError',
      `unable to upgrade connection: container not found ("${name}")`,
    )
  return container
}

function outcome(code: number): Json {
  if (code === 0) return { metadata: {}, status: 'Success' }
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  }
}

type Where = { readonly pod: KubeObject; readonly container: Json; readonly volumes?: Volumes }

/** What a command prints and how it ends. */
export async function execute(store: Look, input: Where & { command: readonly string[] }): Promise<Result> {
  const [name = '', ...args] = input.command
  if (!/(^|\/)(ba|da|a)?sh$/.test(name)) return builtin(store, input, [name, ...args])
  const script = args[args.findIndex(arg => /^-\w*c$/.test(arg)) + 1] ?? ''
  let result: Result = { out: '', err: '', code: 0 }
  for (const part of script.split(/(&&|;|\n)/)) {
    const words = part.trim().match(/"[^"]*"|'[^']*'|\S+/g)
    if (part === '&&' && result.code !== 0) break
    if (!words || /^(&&|;)$/.test(part.trim())) continue
    const env = environment(store, input)
    const plain = words.map(word =>
      word.startsWith("'")
        ? word.slice(1, -1)
        : word.replace(/^"|"$/g, '').replace(/\$\{?(\w+)\}?/g, (_all, of) => env.get(of) ?? ''),
    )
    const next = await builtin(store, input, plain)
    result = { out: result.out + next.out, err: result.err + next.err, code: next.code }
    if (plain[0] === 'exit') break
  }
  return result
}

async function builtin(store: Look, where: Where, [name = '', ...args]: readonly string[]): Promise<Result> {
  const ok = (out: string): Result => ({ out, err: '', code: 0 })
  switch (name.replace(/^.*\//, '')) {
    case 'echo':
      return ok(`${args.join(' ')}\n`)
    case 'env':
      return ok([...environment(store, where)].map(([key, value]) => `${key}=${value}\n`).join(''))
    case 'printenv': {
      const value = environment(store, where).get(args[0] ?? '')
      return value === undefined ? { out: '', err: '', code: 1 } : ok(`${value}\n`)
    }
    case 'cat': {
      const path = args[0] ?? ''
      const text = file(store, where, path) ?? (await where.volumes?.(where.pod, where.container, path))
      return text === undefined
        ? { out: '', err: `cat: ${args[0]}: No such file or directory\n`, code: 1 }
        : ok(text)
    }
    case 'hostname':
      return ok(`${where.pod.metadata.name}\n`)
    case 'true':
    case 'kill':
    case 'nginx':
      return ok('')
    case 'false':
      return { out: '', err: '', code: 1 }
    case 'exit':
      return { out: '', err: '', code: Number(args[0] ?? 0) }
    default:
      return { out: '', err: `sh: ${name}: not found\n`, code: 127 }
  }
}

/** A file of a mounted ConfigMap or Secret. */
function file(store: Look, { pod, container }: Where, path: string): string | undefined {
  for (const mount of container.volumeMounts ?? []) {
    if (path !== mount.mountPath && !path.startsWith(`${mount.mountPath.replace(/\/$/, '')}/`)) continue
    const volume = (pod.spec.volumes ?? []).find((one: Json) => one.name === mount.name)
    const source = volume?.configMap ?? volume?.secret
    if (!source) continue
    const data = volume.configMap
      ? dataOf(store, 'ConfigMap', pod, source.name)
      : dataOf(store, 'Secret', pod, source.secretName)
    const relative = [mount.subPath, path.slice(mount.mountPath.replace(/\/$/, '').length + 1)]
      .filter(Boolean)
      .join('/')
    const key = source.items?.find((item: Json) => item.path === relative)?.key ?? relative
    if (data[key] !== undefined) return data[key]
  }
  return undefined
}
