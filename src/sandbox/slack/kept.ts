// Keeps what was said in the workspace in a file, so that it is there after a restart: messages, files, direct
// channels. What lives in a client or in memory of Slack's (ephemeral messages, open modals, triggers) goes.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Channel, Message } from './control.ts'
import type { State, StoredFile } from './state.ts'

type Kept = {
  readonly schema: 1
  readonly channels: readonly Channel[]
  readonly messages: Readonly<Record<string, readonly Message[]>>
  readonly files: readonly (Omit<StoredFile, 'content'> & { readonly content: string })[]
}

/** Changes come in bursts: written once they pause this long. */
const pauseMs = 300
/** Of each channel; older ones go. */
const most = 2000

type Log = { warn(facts: object, text: string): void }

/** Puts into `state` what `file` holds, then keeps the file up to date; `stop` writes a last time. */
export function keepIn(file: string, state: State, log?: Log): { stop(): void } {
  restore(file, state, log)
  let timer: NodeJS.Timeout | undefined
  const save = () => {
    clearTimeout(timer)
    timer = undefined
    const kept: Kept = {
      schema: 1,
      channels: [...state.channels.values()].filter(channel => channel.im),
      messages: Object.fromEntries([...state.messages].map(([id, list]) => [id, list.slice(-most)])),
      files: [...state.files.values()]
        .filter(one => one.done)
        .map(one => ({ ...one, content: one.content.toString('base64') })),
    }
    try {
      // A crash while writing leaves the old file.
      writeFileSync(`${file}.new`, JSON.stringify(kept), { mode: 0o600 })
      renameSync(`${file}.new`, file)
    } catch (error) {
      log?.warn({ err: error, file }, 'the messages of the workspace could not be kept')
    }
  }
  const stopListening = state.onChange(change => {
    if (change.what === 'message' || change.what === 'file') timer ??= setTimeout(save, pauseMs)
  })
  return {
    stop() {
      stopListening()
      if (timer) save()
    },
  }
}

function restore(file: string, state: State, log?: Log): void {
  let kept: Kept
  try {
    kept = JSON.parse(readFileSync(file, 'utf8')) as Kept // our own file
    if (kept.schema !== 1) return
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log?.warn({ err: error, file }, 'the kept messages of the workspace cannot be read; it starts empty')
    return
  }
  for (const channel of kept.channels) state.channels.set(channel.id, channel)
  for (const [id, list] of Object.entries(kept.messages)) state.messages.set(id, [...list])
  for (const one of kept.files)
    state.files.set(one.id, { ...one, content: Buffer.from(one.content, 'base64') })
}
