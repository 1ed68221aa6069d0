// The parts of what is told of one deploy or build, each worked on by itself: the one message, its thread, and direct
// messages. Each step does one thing and says when to look again; posting.ts has the protocol.
import { directStep } from './direct-lane.ts'
import type { Item, LaneName, Next } from './item.ts'
import { mainStep } from './main-lane.ts'
import type { Desk } from './posting.ts'
import { threadStep } from './thread-lane.ts'

export const steps: Readonly<Record<LaneName, (desk: Desk, item: Item) => Promise<Next>>> = {
  main: mainStep,
  thread: threadStep,
  direct: directStep,
}
