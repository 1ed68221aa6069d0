// What a container does, decided from its image's tag and its command: this is where a stand-in differs
// from a node. Nothing runs; a script is read for `echo`, `sleep` and `exit`. Running scripts for real would
// replace `play` and nothing else: kubelet.ts asks it what happens, logs.ts what was printed. Pure.
import type { Json } from './object.ts'

export type Play = {
  readonly pull: 'works' | 'missing' | 'invalid'
  /** Ends by itself after so long; runs on when it is not there. Times are ms at speed 1. */
  readonly exit?: { readonly code: number; readonly reason: string; readonly after: number }
  /** Ready so long after the start; never when undefined. */
  readonly ready?: number
  readonly lines: readonly { readonly at: number; readonly text: string }[]
}

export const behaviours = ['missing', 'crash', 'oom', 'slow', 'unready', 'huge', 'badname', 'flaky'] as const
export type Behaviour = (typeof behaviours)[number] | 'works'

const reference =
  /^(?:[a-zA-Z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/

/** `crash`, `crash-2` and `1.4.2-crash` crash; any other tag works. */
export function behaviourOf(image: string): Behaviour {
  if (!reference.test(image)) return 'badname'
  const tag = /:([\w][\w.-]*)(?:@|$)/.exec(image.slice(image.lastIndexOf('/') + 1))?.[1] ?? ''
  const found = new RegExp(`^(?:v?\\d[\\w.]*-)?(${behaviours.join('|')})(?:[-.].*)?$`).exec(tag)?.[1]
  return (found as Behaviour | undefined) ?? 'works'
}

export type PlayInput = {
  readonly container: Json
  /** The image with its tag, where the container names only a digest. */
  readonly image: string
  /** Ends when its work is done: a Job's container or an init container. */
  readonly task: boolean
  readonly restarts: number
}

export function play({ container, image, task, restarts }: PlayInput): Play {
  const behaviour = behaviourOf(image)
  if (behaviour === 'badname') return { pull: 'invalid', lines: [] }
  if (behaviour === 'missing') return { pull: 'missing', lines: [] }
  if (behaviour === 'crash' || (behaviour === 'flaky' && restarts < 2)) {
    return {
      pull: 'works',
      ready: undefined,
      exit: { code: 1, reason: 'Error', after: 400 },
      lines: crashLines(container, image),
    }
  }
  if (behaviour === 'oom') {
    const lines = [
      ...startLines(container, image),
      { at: 300, text: 'loading 1.2 GB of catalogue into memory' },
    ]
    return { pull: 'works', exit: { code: 137, reason: 'OOMKilled', after: 500 }, lines }
  }
  const script = readScript(container)
  const slow = behaviour === 'slow' ? 8000 : 0
  if (task || script.exit !== undefined) {
    const code = script.exit ?? 0
    const lines =
      script.lines.length > 0
        ? script.lines
        : [{ at: 50, text: code === 0 ? 'done' : `failed with exit code ${code}` }]
    const after = Math.max(200, script.takes) + slow
    return {
      pull: 'works',
      ready: 0,
      exit: { code, reason: code === 0 ? 'Completed' : 'Error', after },
      lines,
    }
  }
  const lines = [...startLines(container, image), ...script.lines]
  if (behaviour === 'unready')
    return {
      pull: 'works',
      lines: [...lines, { at: 500, text: 'waiting for the message broker at amqp://mq:5672' }],
    }
  return { pull: 'works', ready: slow || readyAfter(container.readinessProbe), lines }
}

const readyAfter = (probe: Json): number =>
  probe ? Math.max(200, (probe.initialDelaySeconds ?? 0) * 1000) : 0

type Script = { readonly lines: { at: number; text: string }[]; exit?: number; takes: number }

/** What a shell script would do, as far as its plain top-level statements tell. */
function readScript(container: Json): Script {
  const script: Script = { lines: [], takes: 50 }
  let depth = 0
  for (const statement of scriptOf(container)
    .split(/\n|;/)
    .map(part => part.trim())) {
    if (/^(if|case|while|until|for)\b|^\{|\(\)\s*\{/.test(statement)) depth++
    const inner = depth > 0
    if (/^(fi|esac|done)\b|^\}/.test(statement)) depth = Math.max(0, depth - 1)
    if (!inner) runStatement(statement, script, container)
    if (script.exit !== undefined) break
  }
  return script
}

function scriptOf({ command = [], args = [] }: Json): string {
  const words: string[] = [...command, ...args]
  const flag = words.findIndex(word => /^-\w*c$/.test(word))
  if (/(^|\/)(ba|da|a)?sh$/.test(words[0] ?? '') && flag > 0) return words[flag + 1] ?? ''
  return words[0] === 'echo' ? `echo "${words.slice(1).join(' ')}"` : ''
}

/** `a && b`: as far as it is sure that each part succeeds. */
function runStatement(statement: string, script: Script, container: Json) {
  for (const part of statement.split('&&').map(one => one.trim())) {
    const [, verb = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(part) ?? []
    if (part.includes('||') || !['echo', 'sleep', 'exit', 'true', 'set', 'cd', ':'].includes(verb)) return
    if (verb === 'echo' && !/[>|`]|\$\(/.test(rest))
      script.lines.push({ at: script.takes, text: expand(rest, container) })
    if (verb === 'sleep') script.takes += Math.min(Number(rest) || 0, 3600) * 1000
    if (verb === 'exit' && /^\d*$/.test(rest)) script.exit = Number(rest)
  }
}

function expand(text: string, container: Json): string {
  const values = new Map<string, string>(
    (container.env ?? []).map((one: Json) => [one.name, one.value ?? '']),
  )
  const plain = text.replace(/^(['"])(.*)\1$/, '$2')
  return plain.replace(/\$\{?(\w+)\}?/g, (_all, name) => values.get(name) ?? '')
}

function startLines(container: Json, image: string): { at: number; text: string }[] {
  const port = container.ports?.[0]?.containerPort
  const name = image.slice(image.lastIndexOf('/') + 1)
  return [
    { at: 20, text: `${container.name} starting from ${name} (pid 1)` },
    { at: 80, text: 'configuration read, 0 warnings' },
    { at: 150, text: port ? `listening on 0.0.0.0:${port}` : 'waiting for work' },
  ]
}

function crashLines(container: Json, image: string): { at: number; text: string }[] {
  const stack = `node:internal/process/promises:394
      triggerUncaughtException(err, true /* fromPromise */);
      ^

Error: connect ECONNREFUSED 10.0.0.7:5432
    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1634:16)
    at async connect (file:///srv/app/database.js:41:18)
    at async main (file:///srv/app/server.js:12:3) {
  errno: -111,
  code: 'ECONNREFUSED',
  syscall: 'connect',
  address: '10.0.0.7',
  port: 5432
}

Node.js v24.4.0`
  return [...startLines(container, image).slice(0, 2), ...stack.split('\n').map(text => ({ at: 350, text }))]
}
