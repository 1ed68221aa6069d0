// A real etcd cluster of three, for tests that hurt it: members killed, stopped, cut off from the others. Members reach
// each other only through gates of ours, so a member can be alone and alive. All history is kept: what happened is
// read from it afterwards (history.ts).
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { findEtcd } from '../../src/sandbox/etcd.ts'
import { freePort } from '../../src/sandbox/free-port.ts'

export type Members = {
  readonly endpoints: readonly string[]
  /** The index of the leader; throws when there is none for 20 s. */
  leader(): Promise<number>
  /** SIGKILL, and SIGSTOP and SIGCONT: it takes connections and never answers. */
  kill(member: number): Promise<void>
  start(member: number): Promise<void>
  pause(member: number): void
  resume(member: number): void
  /** The other members neither hear it nor are heard by it, and clients still reach it. */
  cutOff(member: number): void
  /** All members hear each other again. */
  join(): void
  /** Waits until all that run agree on a leader. */
  healthy(): Promise<void>
  stop(): Promise<void>
}

const size = 3
const indexes = [0, 1, 2] as const

/** `flags`: further ones of etcd's; without fsync by default, as nobody cuts the power of a test. */
export async function startMembers(
  folder: string,
  flags: readonly string[] = ['--unsafe-no-fsync'],
): Promise<Members> {
  const bin = findEtcd(undefined, process.env)
  const ports = await Promise.all(indexes.map(() => freePort()))
  const peers = await Promise.all(indexes.map(() => freePort()))
  const gates = await Promise.all(peers.map((port, index) => gateTo(port, index)))
  const names = indexes.map(index => `member-${index}`)
  const initial = names.map((name, index) => `${name}=http://127.0.0.1:${gates[index]?.port}`).join(',')
  const endpoints = ports.map(port => `http://127.0.0.1:${port}`)
  const processes: (ChildProcess | undefined)[] = []
  const ids = new Map<string, number>()
  mkdirSync(folder, { recursive: true })
  let cut: number | null = null

  async function start(index: number): Promise<void> {
    const out = openSync(join(folder, `${names[index]}.log`), 'a')
    const child = spawn(
      bin,
      [
        `--name=${names[index]}`,
        `--data-dir=${join(folder, names[index] ?? '')}`,
        `--listen-client-urls=${endpoints[index]}`,
        `--advertise-client-urls=${endpoints[index]}`,
        `--listen-peer-urls=http://127.0.0.1:${peers[index]}`,
        `--initial-advertise-peer-urls=http://127.0.0.1:${gates[index]?.port}`,
        `--initial-cluster=${initial}`,
        '--logger=zap',
        '--log-level=warn',
        ...flags,
      ],
      { stdio: ['ignore', out, out] },
    )
    await once(child, 'spawn')
    processes[index] = child
  }

  async function status(index: number): Promise<{ id: string; leader: string } | null> {
    try {
      const answer = await fetch(`${endpoints[index]}/v3/maintenance/status`, {
        method: 'POST',
        body: '{}',
        signal: AbortSignal.timeout(1_000),
      })
      const { header, leader = '0' } = (await answer.json()) as {
        header?: { member_id: string }
        leader?: string
      }
      return header ? { id: header.member_id, leader } : null
    } catch {
      return null // it does not run, or does not answer
    }
  }

  async function leader(): Promise<number> {
    for (const end = Date.now() + 20_000; Date.now() < end; await wait(50)) {
      const all = await Promise.all(indexes.map(status))
      const heard = all.flatMap((one, index) => (one && index !== cut ? [one.leader] : []))
      const [first] = heard
      if (heard.length * 2 <= size || !first || first === '0' || heard.some(one => one !== first)) continue
      const at = all.findIndex(one => one?.id === first)
      if (at >= 0) return at
    }
    throw new Error('etcd has had no leader for 20 s')
  }

  async function healthy(): Promise<void> {
    const at = await leader()
    for (const end = Date.now() + 20_000; Date.now() < end; await wait(50)) {
      const answer = await fetch(`${endpoints[at]}/health`, { signal: AbortSignal.timeout(2_000) }).catch(
        () => null,
      )
      if (answer?.ok && ((await answer.json()) as { health?: string }).health === 'true') {
        for (const [index, one] of (await Promise.all(indexes.map(status))).entries())
          if (one) ids.set(BigInt(one.id).toString(16), index)
        return
      }
    }
    throw new Error('etcd was not healthy for 20 s')
  }

  /** Whether what one member sends another one is let through. */
  const passes = (from: number | undefined, to: number): boolean =>
    cut === null || (from !== cut && to !== cut)

  async function gateTo(port: number, to: number) {
    const open = new Set<{ from: number | undefined; client: Socket; server: Socket }>()
    const gate = createServer(client => {
      const server = connect(port, '127.0.0.1')
      const pair: { from: number | undefined; client: Socket; server: Socket } = {
        from: undefined,
        client,
        server,
      }
      open.add(pair)
      const end = () => {
        open.delete(pair)
        client.destroy()
        server.destroy()
      }
      for (const socket of [client, server]) socket.on('error', end).on('close', end)
      // Each request between members says who sends it: so both directions of one member can be cut.
      client.on('data', (chunk: Buffer) => {
        const sender = /x-server-from: ([0-9a-f]+)/i.exec(chunk.subarray(0, 4096).toString('latin1'))?.[1]
        if (sender) pair.from ??= ids.get(sender)
        if (!passes(pair.from, to)) return end()
        server.write(chunk)
        return undefined
      })
      server.on('data', (chunk: Buffer) => (passes(pair.from, to) ? client.write(chunk) : end()))
    })
    gate.listen(0, '127.0.0.1')
    await once(gate, 'listening')
    const address = gate.address()
    if (!address || typeof address === 'string') throw new Error('a gate listens on TCP')
    return {
      port: address.port,
      cut() {
        for (const { from, client, server } of [...open])
          if (!passes(from, to)) for (const socket of [client, server]) socket.destroy()
      },
      close() {
        gate.close()
        for (const { client, server } of open) for (const socket of [client, server]) socket.destroy()
      },
    }
  }

  async function kill(index: number): Promise<void> {
    const child = processes[index]
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  process.once('exit', () => {
    for (const child of processes) child?.kill('SIGKILL')
  })
  await Promise.all(indexes.map(start))
  await healthy()
  return {
    endpoints,
    leader,
    kill,
    start,
    pause: member => void processes[member]?.kill('SIGSTOP'),
    resume: member => void processes[member]?.kill('SIGCONT'),
    cutOff(member) {
      cut = member
      for (const gate of gates) gate.cut()
    },
    join() {
      cut = null
    },
    healthy,
    async stop() {
      await Promise.all(indexes.map(kill))
      for (const gate of gates) gate.close()
    },
  }
}
