// The last log lines of an app: what fits one message, and all of them as a file for a thread. Both without what looks
// like a secret: logs come from the cluster as they are.
import type { LogChunk } from '../../../core/core.ts'
import type { Rendered } from '../../../core/messages.ts'
import { redactText } from '../../../core/redact.ts'
import { type Block, context, section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { code, codeBlock, md } from '../blocks/mrkdwn.ts'
import type { At } from './at.ts'
import type { Place } from './pods.ts'

/** Letters of log in one answer, shared by its pods: the newest lines of each. */
const most = 9000
const mostPods = 8

export function logsAnswer(chunks: readonly LogChunk[], at: At & Place): Rendered {
  const { app, environment } = at
  const said = chunks.filter(chunk => chunk.text.trim() !== '')
  const title = `${app} in ${environment}`
  if (said.length === 0)
    return fitted(`${title}: the log is empty`, [
      section(md`*${app}* in *${environment}*: the log is empty.`),
    ])
  const shown = said.slice(0, mostPods)
  const each = Math.min(2800, Math.floor(most / shown.length))
  const parts = shown.map(chunk => ({ chunk, ...newest(redactText(chunk.text), each) }))
  const blocks = parts.flatMap(({ chunk, text }): Block[] => [
    ...context(md`*${chunk.pod}* ${chunk.container}`),
    section(codeBlock(text)),
  ])
  const left = parts.some(part => part.cut) || said.length > shown.length
  const all = code(`gkube logs ${app} -E ${environment}`)
  return fitted(`${title}: log of ${said.length} ${said.length === 1 ? 'pod' : 'pods'}`, [
    ...blocks,
    ...(left ? context(md`The newest lines. All of them: ${all} on the command line.`) : []),
  ])
}

/** The end of a text by whole lines, so that it fits `room` letters as it is sent. */
function newest(text: string, room: number): { text: string; cut: boolean } {
  const lines = text.replace(/\n$/, '').split('\n')
  const kept: string[] = []
  let size = 0
  for (const line of lines.toReversed()) {
    size += line.length + 1 + 4 * (line.match(/[&<>]/g)?.length ?? 0)
    if (size > room && kept.length > 0) break
    kept.unshift(line)
  }
  return { text: kept.join('\n'), cut: kept.length < lines.length }
}

/** All of it as one file, for the thread of a deploy. */
export function logsFile(
  chunks: readonly LogChunk[],
  place: Place,
): { readonly name: string; readonly title: string; readonly content: string } {
  const content = chunks
    .map(({ pod, container, text }) => `==> ${pod} ${container}\n${redactText(text).trimEnd()}\n`)
    .join('\n')
  return {
    name: `${place.app}-${place.environment}.log.txt`,
    title: `Log of ${place.app} in ${place.environment}`,
    content: content.slice(-1_000_000) || 'empty\n',
  }
}
