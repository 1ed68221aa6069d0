// The last guard before Slack: a message or a view that is too large loses blocks from its end, never its buttons, and
// says so. The parts keep their own limits (elements.ts); pure.
import type { HomeView } from '@slack/types'
import type { Rendered } from '../../../core/messages.ts'
import { type Block, context } from './elements.ts'
import { limits } from './limits.ts'
import { cut, escaped, type Mrkdwn, md, oneLine } from './mrkdwn.ts'

/** Where the rest is, for those who want it. */
const more: Mrkdwn = md`… there is more than fits here.`

/**
 * A message within Slack's limits. `text` is plain words, one line: notifications, screen readers and clients without
 * blocks show it. `rest` says where to find what had to be left out.
 */
export function fitted(text: string, blocks: readonly Block[], rest: Mrkdwn = more): Rendered {
  return {
    text: escaped(cut(oneLine(text), 1000)) || 'gkube',
    blocks: kept(blocks, { most: limits.blocks, size: limits.together, sizeOf: lettersOf, rest }),
  }
}

/** App Home within Slack's limits. */
export function fittedHome(blocks: readonly Block[], rest: Mrkdwn = more): HomeView {
  const size = limits.view - 1000
  return {
    type: 'home',
    blocks: kept(blocks, { most: limits.viewBlocks, size, sizeOf: bytesOf, rest }),
  }
}

const bytesOf = (block: Block): number => Buffer.byteLength(JSON.stringify(block)) + 1

/** Letters that people read: of sections and contexts. */
function lettersOf(block: Block): number {
  if (block.type === 'section') return block.text?.text.length ?? 0
  if (block.type !== 'context') return 0
  return block.elements.reduce((sum, one) => sum + ('text' in one ? one.text.length : 0), 0)
}

type Room = {
  readonly most: number
  readonly size: number
  readonly sizeOf: (block: Block) => number
  readonly rest: Mrkdwn
}

/** All of it, or as much from the front as fits with the last row of buttons and the hint. */
function kept(blocks: readonly Block[], { most, size, sizeOf, rest }: Room): Block[] {
  const total = blocks.reduce((sum, block) => sum + sizeOf(block), 0)
  if (blocks.length <= most && total <= size) return [...blocks]
  const last = blocks.at(-1)
  const tail: Block[] = [...context(rest), ...(last?.type === 'actions' ? [last] : [])]
  let room = size - tail.reduce((sum, block) => sum + sizeOf(block), 0)
  const front: Block[] = []
  for (const block of blocks) {
    room -= sizeOf(block)
    if (front.length + tail.length >= most || room < 0 || block === last) break
    front.push(block)
  }
  return [...front, ...tail]
}
