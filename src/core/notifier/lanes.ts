// The parts of what is told of one deploy or build, each worked on by itself: the one message, its thread, and direct
// messages. Each step does one thing and says when to look again; posting.ts has the protocol.
import { directStep } from './direct-lane.ts'
import type { Item, LaneName, Next } from './item.ts'
import { mainStep } from './main-lane.ts'
import type { Desk } from './posting.ts'
import { settleEdits } from './settling.ts'
import { threadStep } from './thread-lane.ts'

type Step = (desk: Desk, item: Item) => Promise<Next>

const parts: Readonly<Record<LaneName, Step>> = { main: mainStep, thread: threadStep, direct: directStep }

/** What is next for one part. */
export const stepOf =
  (part: LaneName): Step =>
  async (desk, item) =>
    (await parts[part](desk, item)) ?? settleEdits(desk, item, part)
