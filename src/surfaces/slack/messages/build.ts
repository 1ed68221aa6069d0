// The message of a Jenkins build: header with job, number and result, what ran and whose changes, buttons.
import type { BuildMessageFacts, Rendered, ThreadEntry } from '../../../core/messages.ts'
import { escaped } from '../blocks/mrkdwn.ts'

export function buildMessage({ build }: BuildMessageFacts): Rendered {
  const title = `${build.job} #${build.number ?? '…'} ${build.result ?? build.phase}`
  return { text: title, blocks: [{ type: 'section', text: { type: 'mrkdwn', text: escaped(title) } }] }
}

export const buildThread = (_facts: BuildMessageFacts): readonly ThreadEntry[] => []
